"""Files that are rated where they lie: which they are, and what was booked of each, run by run."""

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from planner.core.errors import Conflict, NotFound
from planner.core.periods import slot_of
from planner.core.posting import Counted, Dims, Measures, Posting, Sums
from planner.store import json_text
from planner.store.recall import BATCH
from planner.store.tables import ledger, offers
from planner.store.usage import LONGEST

IMPORTED, RERATED, UNAVAILABLE = "imported", "rerated", "unavailable"
Names = tuple[str | None, str, str | None, str | None, str | None]
"""How a row says who served it: offer, or channel, provider, model and region."""

_i, _r, _d = ledger.usage_imports.c, ledger.bulk_runs.c, ledger.usage_dims.c


class InPlace(NamedTuple):
    """A file that was rated where it lies, as it was read: which bytes it had, and what was said about it."""

    id: int
    path: str
    file: str
    digest: str
    format: str
    source: str
    given: dict[str, Any]
    at: datetime


def one(connection: sa.Connection, number: int) -> InPlace:
    """Return an import whose rows lie in their file.

    Raises:
        NotFound: no import has this number.
        Conflict: its rows were taken in.
    """
    row = connection.execute(sa.select(ledger.usage_imports).where(_i.id == number)).first()
    if row is None:
        raise NotFound("import", str(number))
    if row.path is None:
        raise Conflict("import", str(number), "its rows are on record, and are rated again by themselves")
    given = json_text.load(row.given)
    return InPlace(row.id, row.path, row.file, row.digest, row.format, row.source, given, row.at)


def move(connection: sa.Connection, number: int, path: str) -> None:
    """Write where the file of an import lies now."""
    connection.execute(sa.update(ledger.usage_imports).where(_i.id == number).values(path=path))


def stay(connection: sa.Connection) -> None:
    """Say that a long read goes on: PostgreSQL ends a transaction that says nothing for two minutes."""
    connection.execute(sa.select(1))


# --- runs -------------------------------------------------------------------------------------------------


def record(
    connection: sa.Connection, number: int, kind: str, delta: Sums, unserved: Iterable[Names], at: datetime
) -> None:
    """Write what one run booked of an import, and which names in its file nobody knows an offer of."""
    slots = [slot for slot, _booked, _dims in delta.facts]
    connection.execute(
        sa.insert(ledger.bulk_runs).values(
            import_id=number, recorded_at=at, kind=kind, first_slot=min(slots, default=None),
            last_slot=max(slots, default=None), cells=packed(delta),
            unserved=json_text.dump(sorted(map(list, unserved), key=json_text.dump)),
        )
    )  # fmt: skip


def booked(connection: sa.Connection, number: int) -> Sums:
    """Return what is booked of an import: the sum of its runs."""
    total = Sums()
    for cells in connection.execute(sa.select(_r.cells).where(_r.import_id == number).order_by(_r.id)).scalars():
        for slot, booked_slot, posting in unpacked(cells):
            total.add(slot, booked_slot, posting)
    return total


def since(connection: sa.Connection, moment: datetime) -> Iterator[tuple[int, int, Posting]]:
    """Yield what was booked of files after a moment: slot of use, slot of booking, and the sums of a cell."""
    for cells in connection.execute(sa.select(_r.cells).where(_r.recorded_at > moment)).scalars():
        yield from unpacked(cells)


def newest(connection: sa.Connection, number: int) -> str | None:
    """Return of which kind the last run of an import was, or None."""
    return connection.scalar(sa.select(_r.kind).where(_r.import_id == number).order_by(_r.id.desc()).limit(1))


def newest_run(connection: sa.Connection, number: int) -> int | None:
    """Return the number of the last run of an import, or None."""
    last: int | None = connection.scalar(sa.select(sa.func.max(_r.id)).where(_r.import_id == number))
    return last


def packed(sums: Sums) -> bytes:
    """Write sums as canonical JSON, compressed: each combination of heads once, cells in the order of time."""
    units: dict[tuple[int, int, Dims], list[list[Any]]] = {}
    for (slot, booked_slot, dims, unit), counted in sorted(sums.units.items()):
        units.setdefault((slot, booked_slot, dims), []).append([unit, *counted])
    heads = {dims: number for number, dims in enumerate(sorted({dims for _slot, _booked, dims in sums.facts}))}
    cells = [
        [slot, booked_slot, heads[dims], list(measures), units.get((slot, booked_slot, dims), [])]
        for (slot, booked_slot, dims), measures in sorted(sums.facts.items())
    ]
    return zlib.compress(json_text.dump({"dims": list(map(list, heads)), "cells": cells}).encode())


def unpacked(cells: bytes) -> Iterator[tuple[int, int, Posting]]:
    """Yield what `packed` wrote: slot of use, slot of booking, and the sums of a cell."""
    form = json.loads(zlib.decompress(cells))
    heads = [Dims(*dims) for dims in form["dims"]]
    for slot, booked_slot, number, measures, units in form["cells"]:
        counted = tuple((unit, Counted(*rest)) for unit, *rest in units)
        yield slot, booked_slot, Posting(heads[number], Measures(*measures), counted)


# --- which files something concerns -----------------------------------------------------------------------


def offers_used(connection: sa.Connection, among: Iterable[str]) -> list[str]:
    """Return which of these offers some row of such a file was served by."""
    in_place = set(connection.execute(sa.select(_i.source).where(_i.path.is_not(None)).distinct()).scalars())
    wanted = sorted(set(among)) if in_place else []
    found: list[str] = []
    for start in range(0, len(wanted), BATCH):
        some = _d.offer.in_(wanted[start : start + BATCH]), _d.source.in_(in_place)
        found += connection.execute(sa.select(_d.offer).where(*some).distinct()).scalars()
    return found


def of_offer(connection: sa.Connection, offer: str, spans: Sequence[tuple[datetime, datetime | None]]) -> list[int]:
    """Return the imports with rows of a time at which an offer's price is another one, in streams that used it."""
    whens = [
        sa.and_(_r.last_slot >= slot_of(since - LONGEST), *([] if until is None else [_r.first_slot <= slot_of(until)]))
        for since, until in spans
    ]
    return _imports(connection, _i.source.in_(sa.select(_d.source).where(_d.offer == offer)), sa.or_(*whens))


def of_channel(connection: sa.Connection, channel: str, since: datetime) -> list[int]:
    """Return the imports with rows of a moment or later, in streams that were served through a channel."""
    through = sa.select(_d.source).join(offers, offers.c.id == _d.offer).where(offers.c.channel_id == channel)
    return _imports(connection, _i.source.in_(through), _r.last_slot >= slot_of(since - LONGEST))


def of_customers(connection: sa.Connection, ids: Sequence[tuple[str | None, str]]) -> list[int]:
    """Return the imports in streams with rows of a customer: (stream, how it is spelled), None for any stream."""
    said = [
        sa.and_(_d.customer == spelled, *([] if source is None else [_d.source == source])) for source, spelled in ids
    ]
    return _imports(connection, _i.source.in_(sa.select(_d.source).where(sa.or_(sa.false(), *said))))


def of_source(connection: sa.Connection, source: str) -> list[int]:
    """Return the imports of a stream."""
    return _imports(connection, _i.source == source)


def _imports(connection: sa.Connection, *where: sa.ColumnElement[bool]) -> list[int]:
    query = sa.select(_i.id).outerjoin(ledger.bulk_runs, _r.import_id == _i.id).where(_i.path.is_not(None), *where)
    return list(connection.execute(query.distinct().order_by(_i.id)).scalars())


def unserved(connection: sa.Connection) -> list[tuple[int, str, list[Names]]]:
    """Return the imports with names that nobody knew an offer of when they were rated: number, stream, names."""
    last = sa.select(sa.func.max(_r.id)).where(_r.kind != UNAVAILABLE).group_by(_r.import_id)
    query = sa.select(_i.id, _i.source, _r.unserved).join(ledger.bulk_runs, _r.import_id == _i.id)
    rows = connection.execute(query.where(_r.id.in_(last), _r.unserved != "[]").order_by(_i.id))
    return [(row.id, row.source, [tuple(names) for names in json_text.load(row.unserved)]) for row in rows]


def over(connection: sa.Connection, slots: range) -> list[int]:
    """Return the imports with rows in a span of time, or that may have some."""
    return _imports(connection, _r.first_slot < slots.stop, _r.last_slot >= slots.start)


def stale(connection: sa.Connection, known_at: datetime | None, slots: range) -> list[dict[str, Any]]:
    """Return the imports with rows in a span of time that could not be rated again when that was necessary."""
    known = [] if known_at is None else [_r.recorded_at <= known_at]
    last = (
        sa.select(
            sa.func.max(_r.id).label("id"), sa.func.min(_r.first_slot).label("first"),
            sa.func.max(_r.last_slot).label("last"),
        )
        .where(*known)
        .group_by(_r.import_id)
        .subquery()
    )  # fmt: skip
    query = (
        sa.select(_i.id, _i.source, _i.file)
        .join(ledger.bulk_runs, _r.import_id == _i.id)
        .join(last, last.c.id == _r.id)
        .where(_r.kind == UNAVAILABLE, last.c.first < slots.stop, last.c.last >= slots.start)
        .order_by(_i.id)
    )
    return [{"import": row.id, "source": row.source, "file": row.file} for row in connection.execute(query)]
