"""The sums that reports read: kept up in the transaction of every change, by quarter hours and by days of UTC."""

import hashlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from planner.core.periods import DAY_SLOTS
from planner.core.posting import Counted, Dims, Measures, Sums, split
from planner.store import json_text
from planner.store.recall import BATCH
from planner.store.tables import ledger

MEASURES = Measures._fields
_AMOUNTS = ("cost", "high", "list", "stated")
_NOTHING, _NONE = Measures(), Counted()


def apply(connection: sa.Connection, sums: Sums) -> None:
    """Add the sums of a batch of changes."""
    days, day_units = _by_day(sums)
    ids = _dim_ids(connection, {cell[2] for cell in (*sums.facts, *days)})
    _add(connection, ledger.usage_facts, [_fact(cell, ids, measures) for cell, measures in sums.facts.items()])
    _add(connection, ledger.usage_days, [_fact(cell, ids, measures) for cell, measures in days.items()])
    _add(connection, ledger.usage_fact_units, [_unit(place, ids, counted) for place, counted in sums.units.items()])
    _add(connection, ledger.usage_day_units, [_unit(place, ids, counted) for place, counted in day_units.items()])


def _by_day(sums: Sums) -> tuple[dict[tuple[int, int, Dims], Measures], dict[tuple[int, int, Dims, str], Counted]]:
    days: dict[tuple[int, int, Dims], Measures] = {}
    units: dict[tuple[int, int, Dims, str], Counted] = {}
    nobodys = {dims: dims._replace(customer="") for _slot, _booked, dims in sums.facts}
    for (slot, booked, dims), measures in sums.facts.items():
        cell = _day(slot), _day(booked), nobodys[dims]
        days[cell] = days.get(cell, _NOTHING) + measures
    for (slot, booked, dims, unit), counted in sums.units.items():
        place = _day(slot), _day(booked), nobodys[dims], unit
        units[place] = units.get(place, _NONE) + counted
    return days, units


def _day(slot: int) -> int:
    return slot - slot % DAY_SLOTS


def _fact(cell: tuple[int, int, Dims], ids: dict[Dims, int], measures: Measures) -> dict[str, int]:
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
