"""The state of every source, and the record of every refresh."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from planner.store import json_text
from planner.store.tables import refreshes, source_states, sources


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatus:
    """The last attempt, success and change of one source, its counts, and why the last attempt failed, if it did."""

    source: str
    rank: int
    last_attempt_at: datetime | None
    last_success_at: datetime | None
    last_change_at: datetime | None
    rows_read: int | None
    offers_priced: int | None
    offers_unpriced: int | None
    rows_refused: int | None
    error_code: str | None
    error_detail: str | None


def source_states_of(connection: sa.Connection) -> Sequence[SourceStatus]:
    """Return the state of every source that is or was refreshed, most trusted first."""
    state = source_states.c
    query = (
        sa.select(
            sources.c.name.label("source"), sources.c.rank, state.last_attempt_at, state.last_success_at,
            state.last_change_at, state.rows_read, state.offers_priced, state.offers_unpriced, state.rows_refused,
            state.error_code, state.error_detail,
        )
        .select_from(sources.outerjoin(source_states, state.source == sources.c.name))
        .where(sa.or_(sources.c.interval_minutes.is_not(None), state.last_attempt_at.is_not(None)))
        .order_by(sources.c.rank, sources.c.name)
    )  # fmt: skip
    return [SourceStatus(**row) for row in connection.execute(query).mappings()]


def note_failure(connection: sa.Connection, source: str, at: datetime, code: str, detail: str) -> None:
    """Record a failed attempt. It never touches the last success: what is believed does not get younger by failing."""
    _set(connection, source, {"last_attempt_at": at, "error_code": code, "error_detail": detail[:500]})
    _record(connection, source, at, "refused", None, {"code": code, "detail": detail[:500]})


def note_success(
    connection: sa.Connection, source: str, at: datetime, revision: int | None, counts: dict[str, Any]
) -> None:
    """Record a good attempt; ``revision`` is the one it published, None when nothing changed.

    ``counts`` may hold rows_read, offers_priced, offers_unpriced, rows_refused; empty keeps the old ones.
    """
    values = {"last_attempt_at": at, "last_success_at": at, "error_code": None, "error_detail": None}
    if revision is not None:
        values["last_change_at"] = at
    columns = ("rows_read", "offers_priced", "offers_unpriced", "rows_refused")
    values |= {name: counts[name] for name in columns if name in counts}
    _set(connection, source, values)
    _record(connection, source, at, "unchanged" if revision is None else "published", revision, counts)


def _set(connection: sa.Connection, source: str, values: dict[str, Any]) -> None:
    done = connection.execute(sa.update(source_states).where(source_states.c.source == source).values(values))
    if not done.rowcount:
        connection.execute(sa.insert(source_states).values(source=source, **values))


def _record(
    connection: sa.Connection, source: str, at: datetime, outcome: str, revision: int | None, summary: dict[str, Any]
) -> None:
    connection.execute(
        sa.insert(refreshes).values(
            source=source, started_at=at, finished_at=at, outcome=outcome, revision=revision,
            summary=json_text.dump(summary),
        )
    )  # fmt: skip
