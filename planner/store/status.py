"""The state of every source, and the record of every refresh."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from planner.store import json_text
from planner.store.ages import BELIEVED_FOR, CLOCKS_DIFFER_MAX, STALE_AFTER_HOURS
from planner.store.holds import waiting_by_source
from planner.store.tables import refreshes, source_states, sources

# A source that failed this often in a row is left alone for longer and longer, up to a day.
FAILURES_TOLERATED = 3
PAUSE_MAX = timedelta(days=1)
_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatus:
    """The last attempt, success and change of one source, its counts, and why the last attempt failed, if it did.

    ``moved_at`` is when it last said something new. Intervals and ages are those of the registry.
    """

    source: str
    title: str
    licence: str
    rank: int
    interval_minutes: int | None
    stale_after_hours: int | None
    frozen_after_days: int | None
    last_attempt_at: datetime | None
    last_success_at: datetime | None
    last_change_at: datetime | None
    moved_at: datetime | None
    told_stale_at: datetime | None
    rows_read: int | None
    offers_priced: int | None
    offers_unpriced: int | None
    rows_refused: int | None
    failures: int
    retry_at: datetime | None
    error_code: str | None
    error_detail: str | None
    holds: int = 0

    def state(self, at: datetime) -> str:
        """Say in a word how a source is: how it is silent, or else fresh, never_read, or recorded: never refreshed.

        What is young enough yet is failing when its last attempts failed, and paused while it is left alone for that.
        """
        if self.interval_minutes is None:
            return "recorded"
        silence = self.silence(at)
        if silence is not None:
            return silence.state
        if self.failures:
            return "failing" if self.retry_at is None or self.retry_at <= at else "paused"
        return "never_read" if self.last_success_at is None else "fresh"

    def silence(self, at: datetime) -> "Silence | None":
        """Tell how a source that is refreshed is silent, and since when; None where it is not.

        unreachable (asked again and again, and never read), frozen (says nothing new), stale (not read for too long),
        or lost (not read for so long that its prices are not believed any more).
        """
        if self.interval_minutes is None:
            return None
        last = self.last_success_at
        if last is None:
            return Silence("unreachable", _BEFORE_ALL) if self.failures >= FAILURES_TOLERATED else None
        if last > at + CLOCKS_DIFFER_MAX:
            # A clock was wrong when it was read, or is now.
            return Silence("stale", _BEFORE_ALL)
        stages = [
            Silence("lost", last + BELIEVED_FOR),
            Silence("stale", last + timedelta(hours=self.stale_after_hours or STALE_AFTER_HOURS)),
        ]
        if self.frozen_after_days and self.moved_at is not None:
            stages.append(Silence("frozen", self.moved_at + timedelta(days=self.frozen_after_days)))
        return next((stage for stage in stages if at >= stage.since), None)


class Silence(NamedTuple):
    """How a source is silent, and since when."""

    state: str
    since: datetime


def source_states_of(
    connection: sa.Connection, enabled: Iterable[str] = (), *, everything: bool = False
) -> Sequence[SourceStatus]:
    """Return the state of the enabled sources and of every one ever refreshed, or of all, most trusted first."""
    state = source_states.c
    query = (
        sa.select(
            sources.c.name.label("source"), sources.c.title, sources.c.licence, sources.c.rank,
            sources.c.interval_minutes, sources.c.stale_after_hours, sources.c.frozen_after_days,
            state.last_attempt_at, state.last_success_at, state.last_change_at, state.moved_at, state.told_stale_at,
            state.rows_read, state.offers_priced, state.offers_unpriced, state.rows_refused,
            sa.func.coalesce(state.failures, 0).label("failures"), state.retry_at, state.error_code,
            state.error_detail,
        )
        .select_from(sources.outerjoin(source_states, state.source == sources.c.name))
        .order_by(sources.c.rank, sources.c.name)
    )  # fmt: skip
    if not everything:
        query = query.where(sa.or_(sources.c.name.in_(list(enabled)), state.last_attempt_at.is_not(None)))
    waiting = waiting_by_source(connection)
    rows = connection.execute(query).mappings()
    return [SourceStatus(**row, holds=waiting.get(row["source"], 0)) for row in rows]


def refreshes_of(
    connection: sa.Connection, *, source: str | None, before: int | None, limit: int
) -> list[dict[str, Any]]:
    """Return what became of refreshes, newest first."""
    query = sa.select(refreshes).order_by(refreshes.c.id.desc()).limit(limit)
    if source is not None:
        query = query.where(refreshes.c.source == source)
    if before is not None:
        query = query.where(refreshes.c.id < before)
    rows = connection.execute(query).mappings()
    return [{**row, "summary": json_text.load(row["summary"])} for row in rows]


def last_notes(connection: sa.Connection, source: str) -> dict[str, int]:
    """Return what was noted in the last reading of a source, by code; a refresh that read nothing new has no notes."""
    row = refreshes.c
    query = (
        sa.select(row.summary)
        .where(row.source == source, row.outcome != "refused", row.summary != json_text.dump({}))
        .order_by(row.id.desc())
        .limit(1)
    )
    text = connection.scalar(query)
    return {} if text is None else dict(json_text.load(text).get("notes", {}))


def due(connection: sa.Connection, names: Sequence[str], at: datetime) -> list[str]:
    """Return the sources whose circuit is closed: those that failed again and again are left alone for a while."""
    query = sa.select(source_states.c.source).where(source_states.c.retry_at > at)
    resting = set(connection.execute(query).scalars())
    return [name for name in names if name not in resting]


def close_circuit(connection: sa.Connection, source: str) -> None:
    """Let a source be asked at its next turn again: a person has seen why it failed."""
    closed = {"failures": 0, "retry_at": None}
    connection.execute(sa.update(source_states).where(source_states.c.source == source).values(closed))


def read_after(connection: sa.Connection, names: Iterable[str], at: datetime) -> list[str]:
    """Return the sources that were asked later than a moment already."""
    # An attempt that is dated further ahead than a refresh takes was made by a clock that was wrong.
    attempt = source_states.c.last_attempt_at
    later = source_states.c.source.in_(list(names)), attempt > at, attempt <= at + CLOCKS_DIFFER_MAX
    return list(connection.execute(sa.select(source_states.c.source).where(*later)).scalars())


def note_failure(connection: sa.Connection, source: str, at: datetime, code: str, detail: str) -> None:
    """Record a failed attempt. It never touches the last success: what is believed does not get younger by failing."""
    row = connection.execute(
        sa.select(source_states.c.failures, source_states.c.retry_at, sources.c.interval_minutes)
        .select_from(sources.outerjoin(source_states, source_states.c.source == sources.c.name))
        .where(sources.c.name == source)
    ).first()
    if row is not None and row.retry_at is not None and at < row.retry_at:
        # Somebody asked while the source is left alone: that says nothing new about how long it should be.
        failures, retry_at = row.failures, row.retry_at
    else:
        failures, retry_at = _paused(row, at)
    values = {
        "last_attempt_at": at,
        "error_code": code,
        "error_detail": detail[:500],
        "failures": failures,
        "retry_at": retry_at,
    }
    _set(connection, source, values)
    _record(connection, source, at, "refused", None, {"code": code, "detail": detail[:500]})


def _paused(row: Any, at: datetime) -> tuple[int, datetime | None]:  # noqa: ANN401  # a row of the query above, or None
    """Return how often in a row a source failed by now, and until when it is left alone."""
    failures = 1 if row is None else (row.failures or 0) + 1
    minutes = 60 if row is None else row.interval_minutes or 60
    # Open for one interval after the first few failures, then twice as long each time.
    open_for = min(timedelta(minutes=minutes * 2 ** min(failures - FAILURES_TOLERATED, 12)), PAUSE_MAX)
    return failures, at + open_for if failures >= FAILURES_TOLERATED else None


def note_success(
    connection: sa.Connection, source: str, at: datetime, revision: int | None, counts: dict[str, Any]
) -> None:
    """Record a good attempt; ``revision`` is the one it published, None when nothing changed.

    ``counts`` may hold rows_read, offers_priced, offers_unpriced, rows_refused; empty keeps the old ones.
    """
    values = {
        "last_attempt_at": at,
        "last_success_at": at,
        "error_code": None,
        "error_detail": None,
        "failures": 0,
        "retry_at": None,
    }
    if counts:
        values["moved_at"] = at
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
