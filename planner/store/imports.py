"""Files that were taken in: which, when and by whom, so that one that comes again is known."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from planner.store import json_text
from planner.store.recall import BATCH
from planner.store.tables import ledger

_i, _s = ledger.usage_imports.c, ledger.streams.c


def find(connection: sa.Connection, digest: str, source: str) -> int | None:
    """Return the number of an import of exactly these bytes into this stream that came to its end."""
    query = sa.select(sa.func.max(_i.id)).where(_i.digest == digest, _i.source == source, _i.summary != "{}")
    found: int | None = connection.scalar(query)
    return found


def digests(connection: sa.Connection, source: str) -> list[str]:
    """Return the digests of all files that were imported into a stream."""
    return list(connection.execute(sa.select(_i.digest).where(_i.source == source).distinct()).scalars())


class Elsewhere(NamedTuple):
    """An import into another stream: its number, the stream, when it was, and whether it may be put in a role."""

    id: int
    source: str
    at: datetime
    has_role: bool


def counted_elsewhere(connection: sa.Connection, digest: str, source: str) -> Elsewhere | None:
    """Return the first import of exactly these bytes into another stream that came to its end and counts, or None."""
    joined = ledger.usage_imports.outerjoin(ledger.streams, _s.source == _i.source)
    query = (
        sa.select(_i.id, _i.source, _i.at, _s.role.is_not(None).label("has_role"))
        .select_from(joined)
        # Revenue has no stream, and always counts.
        .where(_i.digest == digest, _i.source != source, _i.summary != "{}", _s.role.is_distinct_from("evidence"))
        .order_by(_i.id)
        .limit(1)
    )
    row = connection.execute(query).first()
    return None if row is None else Elsewhere(row.id, row.source, row.at, bool(row.has_role))


def begin(
    connection: sa.Connection, file: str, digest: str, format_: str, source: str, at: datetime, by: str,
    *, given: Mapping[str, object] | None = None, path: str | None = None,
) -> int:  # fmt: skip
    """Write that an import begins, and return its number.

    ``path`` is where its rows stay, if they are not taken in, and ``given`` what has to be known to read them again.
    """
    number: int = (connection.scalar(sa.select(sa.func.max(_i.id))) or 0) + 1
    connection.execute(
        sa.insert(ledger.usage_imports).values(
            id=number, file=file, digest=digest, format=format_, source=source, given=json_text.dump(given or {}),
            path=path, summary="{}", at=at, by=by,
        )
    )  # fmt: skip
    return number


def begun_since(connection: sa.Connection, source: str, number: int) -> bool:
    """Tell whether another import into a stream began after this one."""
    query = sa.select(_i.id).where(_i.source == source, _i.id > number).limit(1)
    return connection.execute(query).first() is not None


def files(connection: sa.Connection, numbers: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Return what was imported under these numbers: the file, its digest, and when."""
    wanted = sorted(set(numbers))
    found: dict[int, dict[str, Any]] = {}
    for start in range(0, len(wanted), BATCH):
        query = sa.select(_i.id, _i.file, _i.digest, _i.at).where(_i.id.in_(wanted[start : start + BATCH]))
        for row in connection.execute(query):
            found[row.id] = {
                "import": row.id, "file": row.file, "digest": row.digest, "at": json_text.time_text(row.at),
            }  # fmt: skip
    return found


def finish(connection: sa.Connection, number: int, summary: Mapping[str, object]) -> None:
    """Write what became of an import."""
    text = json_text.dump(dict(summary))
    connection.execute(sa.update(ledger.usage_imports).where(_i.id == number).values(summary=text))


def note(connection: sa.Connection, number: int, name: str, value: str | None) -> None:
    """Write something into the summary of an import, or with None take it out."""
    kept = {**json_text.load(connection.scalar(sa.select(_i.summary).where(_i.id == number)) or "{}"), name: value}
    finish(connection, number, {key: said for key, said in kept.items() if said is not None})


def every(connection: sa.Connection, limit: int, before: int | None = None) -> list[dict[str, Any]]:
    """Return imports, newest first."""
    query = sa.select(ledger.usage_imports).order_by(_i.id.desc()).limit(limit)
    if before is not None:
        query = query.where(_i.id < before)
    return [{**row, "summary": json_text.load(row["summary"])} for row in connection.execute(query).mappings()]
