"""The sums that reports read: kept up in the transaction of every change, by quarter hours, days and months of UTC."""

import hashlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from planner.core.periods import day_bounds, month_bounds
from planner.core.posting import Cell, Counted, Dims, Measures, Sums, split
from planner.store import json_text
from planner.store.recall import BATCH
from planner.store.tables import ledger

MEASURES = Measures._fields
_AMOUNTS = ("cost", "high", "list", "stated")
_NOTHING, _NONE = Measures(), Counted()


def apply(connection: sa.Connection, sums: Sums) -> None:
    """Add the sums of a batch of changes."""
    nobodys = {dims: dims._replace(customer="") for _slot, _booked, dims in sums.facts}
    days: dict[Cell, Measures] = {}
    day_units: dict[tuple[int, int, Dims, str], Counted] = {}
    for (slot, booked, dims), measures in sums.facts.items():
        cell = day_bounds(slot)[0], day_bounds(booked)[0], nobodys[dims]
        days[cell] = days.get(cell, _NOTHING) + measures
    for (slot, booked, dims, unit), counted in sums.units.items():
        place = day_bounds(slot)[0], day_bounds(booked)[0], nobodys[dims], unit
        day_units[place] = day_units.get(place, _NONE) + counted
    months: dict[Cell, Measures] = {}
    firsts = {day: month_bounds(day)[0] for cell in days for day in cell[:2]}
    for (day, booked, dims), measures in days.items():
        cell = firsts[day], firsts[booked], dims
        months[cell] = months.get(cell, _NOTHING) + measures
    ids = _dim_ids(connection, {cell[2] for cell in (*sums.facts, *days)})
    for table, cells in ((ledger.usage_facts, sums.facts), (ledger.usage_days, days), (ledger.usage_months, months)):
        _add(connection, table, [_fact(cell, ids, measures) for cell, measures in cells.items()])
    for table, places in ((ledger.usage_fact_units, sums.units), (ledger.usage_day_units, day_units)):
        _add(connection, table, [_unit(place, ids, counted) for place, counted in places.items()])


def _fact(cell: Cell, ids: dict[Dims, int], measures: Measures) -> dict[str, int]:
    slot, booked, dims = cell
    row = {"slot": slot, "booked_slot": booked, "dim": ids[dims]}
    for name, value in zip(MEASURES, measures, strict=True):
        if name in _AMOUNTS:
            row[f"{name}_milli"], row[f"{name}_pico"] = split(value)
        else:
            row[name] = value
    return row


def _unit(place: tuple[int, int, Dims, str], ids: dict[Dims, int], counted: Counted) -> dict[str, Any]:
    slot, booked, dims, unit = place
    row: dict[str, Any] = {"slot": slot, "booked_slot": booked, "dim": ids[dims], "unit": unit}
    row["quantity"] = counted.quantity
    for name, value in (("cost", counted.cost), ("high", counted.high), ("list", counted.list)):
        row[f"{name}_milli"], row[f"{name}_pico"] = split(value)
    return row


def _add(connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        statement, ordered = _addition(table, connection.dialect)
        # A row of usage is ten rows of sums, of whole numbers and words that need no conversion.
        connection.exec_driver_sql(statement, [ordered(row) for row in rows] if ordered else list(rows))


@lru_cache(maxsize=64)
def _addition(table: sa.Table, dialect: sa.Dialect) -> tuple[str, "itemgetter[Any] | None"]:
    """Return the statement that adds a row to the one of the same cell, and how its values are put in order, if so."""
    keys = [column.name for column in table.primary_key]
    insert: Any = (sqlite if dialect.name == "sqlite" else postgresql).insert(table)
    summed = {c.name: table.c[c.name] + insert.excluded[c.name] for c in table.c if c.name not in keys}
    made = insert.on_conflict_do_update(index_elements=keys, set_=summed).compile(dialect=dialect)
    return str(made), itemgetter(*made.positiontup) if made.positional else None


def _dim_ids(connection: sa.Connection, wanted: Iterable[Dims]) -> dict[Dims, int]:
    """Return the ids of heads, new ones where there are none yet."""
    by_digest = {digest_of(dims): dims for dims in wanted}
    found: dict[Dims, int] = {}
    d, digests = ledger.usage_dims.c, sorted(by_digest)
    for start in range(0, len(digests), BATCH):
        query = sa.select(d.digest, d.id).where(d.digest.in_(digests[start : start + BATCH]))
        found |= {by_digest[digest]: id_ for digest, id_ in connection.execute(query)}
    missing = [(digest, dims) for digest, dims in by_digest.items() if dims not in found]
    if missing:
        first = (connection.scalar(sa.select(sa.func.max(d.id))) or 0) + 1
        rows = [
            {"id": number, "digest": digest, **dims._asdict()}
            for number, (digest, dims) in enumerate(missing, start=first)
        ]
        connection.execute(sa.insert(ledger.usage_dims), rows)
        found |= {dims: first + number for number, (_digest, dims) in enumerate(missing)}
    return found


def digest_of(dims: Dims) -> str:
    """Return the name of a combination of heads."""
    return hashlib.sha256(json_text.dump(list(dims)).encode()).hexdigest()[:32]
