"""Sums for a report: read from months and days of UTC as far as these help, and from quarter hours at the edges."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from planner.core.periods import DAY_SLOTS, Window
from planner.core.pieces import Grain, Piece, pieces_of
from planner.core.posting import MILLI, Counted, Measures, Posting
from planner.store import bulk, json_text
from planner.store.tables import ledger

USAGE, BOOKED = "usage", "booked"
HEADS = tuple(column.name for column in ledger.usage_dims.c if column.name not in ("id", "digest"))
_AMOUNTS = ("cost", "high", "list", "stated")
# How many pieces one query reads: fewer than a database can join, and enough that few queries are asked.
_TOGETHER_MAX = 50
# What sums are read from, by grain.
_FACTS = (ledger.usage_facts, ledger.usage_days, ledger.usage_months)
_UNITS = (ledger.usage_fact_units, ledger.usage_day_units)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is summed: in which windows of time, under which heads, by the time of use or of booking, known when.

    ``where`` are values that heads must have. ``known_at`` None is what is known now. ``used`` are the slots in which
    it was used, whenever it was booked; None is any time.
    """

    windows: Sequence[Window]
    heads: tuple[str, ...]
    basis: str = BOOKED
    known_at: datetime | None = None
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()
    used: range | None = None

    @property
    def coarsest(self) -> Grain:
        """The coarsest grain whose sums can be told apart by what is asked for."""
        if self.by_customer:
            return Grain.SLOT
        if self.used is None:
            return Grain.MONTH
        return Grain.SLOT if self.used.start % DAY_SLOTS or self.used.stop % DAY_SLOTS else Grain.DAY

    @property
    def by_customer(self) -> bool:
        """Whether days and months, which know no customers, are no help."""
        return "customer" in self.heads or any(name == "customer" for name, _values in self.where)


Place = tuple[int, tuple[Any, ...]]
"""The number of a window, and the values of the heads."""


class _Run(NamedTuple):
    """Pieces of equal length at equal distances, each of which counts in the windows after those of the one before."""

    first: Piece
    apart: int = 0
    times: int = 1

    @property
    def length(self) -> int:
        return self.first.stop - self.first.start


def facts(connection: sa.Connection, asked: Asked) -> dict[Place, Measures]:
    """Return the sums of each window and combination of heads; what is zero in all is left out."""
    found: dict[Place, Measures] = {}
    for place, measures, sign in _rows(connection, asked, _FACTS, _measures):
        found[place] = _plus(found.get(place, Measures()), measures, sign)
    if asked.known_at is not None:
        for place, posting, sign in _since(connection, asked, asked.known_at):
            found[place] = _plus(found.get(place, Measures()), posting.measures, sign)
    return {place: measures for place, measures in found.items() if any(measures)}


def units(connection: sa.Connection, asked: Asked) -> dict[tuple[int, tuple[Any, ...], str], Counted]:
    """Return the same for each kind of token and other unit."""
    found: dict[tuple[int, tuple[Any, ...], str], Counted] = {}

    def add(place: Place, unit: str, counted: Counted, sign: int) -> None:
        key = (*place, unit)
        had = found.get(key, Counted())
        found[key] = Counted(*(a + sign * b for a, b in zip(had, counted, strict=True)))

    for place, (unit, counted), sign in _rows(connection, asked, _UNITS, _counted, "unit"):
        add(place, unit, counted, sign)
    if asked.known_at is not None:
        for place, posting, sign in _since(connection, asked, asked.known_at):
            for unit, counted in posting.units:
                add(place, unit, counted, sign)
    return {key: counted for key, counted in found.items() if any(counted)}


def _plus(sums: Measures, more: Measures, sign: int) -> Measures:
    return sums + more if sign > 0 else sums - more


def _rows(
    connection: sa.Connection, asked: Asked, tables: Sequence[sa.Table], read: Callable[[Any], Any], *more: str
) -> Iterator[tuple[Place, Any, int]]:
    coarsest = min(asked.coarsest, Grain(len(tables) - 1))
    runs = _joined(pieces_of([window.slots for window in asked.windows], coarsest))
    for grain in range(coarsest + 1):
        wanted = [run for run in runs if run.first.grain == grain]
        for start in range(0, len(wanted), _TOGETHER_MAX):
            together = wanted[start : start + _TOGETHER_MAX]
            for row in connection.execute(_query(asked, tables[grain], together, more)):
                heads, found = tuple(row)[2 : 2 + len(asked.heads)], read(row)
                for window, sign in together[row.run].first.counts:
                    yield (window + int(row.n), heads), found, sign


def _joined(pieces: Sequence[Piece]) -> list[_Run]:
    """Join pieces that follow each other window by window, so that one reading of the index finds them all."""
    found: list[_Run] = []
    last: dict[tuple[Grain, int], int] = {}
    for piece in pieces:
        kind = piece.grain, piece.stop - piece.start
        longer = _longer(found[last[kind]], piece) if kind in last else None
        if longer is None:
            last[kind] = len(found)
            found.append(_Run(piece))
        else:
            found[last[kind]] = longer
    return found


def _longer(run: _Run, piece: Piece) -> _Run | None:
    apart = piece.start - run.first.start if run.times == 1 else run.apart
    # Pieces further apart than a day are better found one by one.
    near = run.length <= apart <= max(DAY_SLOTS, run.length)
    counts = tuple((window + run.times, sign) for window, sign in run.first.counts)
    follows = piece.start == run.first.start + apart * run.times and piece.counts == counts
    return run._replace(apart=apart, times=run.times + 1) if near and follows else None


def _query(asked: Asked, table: sa.Table, runs: Sequence[_Run], more: tuple[str, ...]) -> sa.Select[Any]:
    dims = ledger.usage_dims.c
    pieces = [_piece(asked, table, number, run, more) for number, run in enumerate(runs)]
    each = (pieces[0] if len(pieces) == 1 else sa.union_all(*pieces)).subquery()
    keys = [each.c.run, each.c.n, *(dims[name] for name in asked.heads), *(each.c[name] for name in more)]
    total = sa.select(*keys, *(sa.func.sum(each.c[name]).label(name) for name in _sums(table)))
    return total.join(ledger.usage_dims, dims.id == each.c.dim).group_by(*keys)


def _piece(asked: Asked, table: sa.Table, number: int, run: _Run, more: tuple[str, ...]) -> sa.Select[Any]:
    time = table.c.booked_slot if asked.basis == BOOKED else table.c.slot
    dims = ledger.usage_dims.c
    start = run.first.start
    end = start + run.apart * (run.times - 1) + run.length
    when = [time >= start, time < end]
    if asked.basis == USAGE:
        # The primary key begins with the time of booking; the few rows that differ have an index of their own.
        booked = table.c.booked_slot
        when = [
            sa.or_(
                sa.and_(booked >= start, booked < end, table.c.slot == booked),
                sa.and_(table.c.slot >= start, table.c.slot < end, table.c.slot != booked),
            )
        ]
    if run.apart > run.length:
        when.append((time - start) % run.apart < run.length)
    if asked.used is not None:
        when += [table.c.slot >= asked.used.start, table.c.slot < asked.used.stop]
    if asked.where:
        chosen = [dims[name].in_(values) for name, values in asked.where]
        when.append(table.c.dim.in_(sa.select(dims.id).where(*chosen)))
    # Whole numbers are divided: what is left over falls away.
    nth = (time - start) // run.apart if run.times > 1 else sa.literal_column("0")
    keys = [sa.literal_column(str(number)).label("run"), nth.label("n"), table.c.dim, *(table.c[m] for m in more)]
    amounts = [table.c[name] for name in _sums(table)]
    if run.length <= DAY_SLOTS or asked.by_customer:
        return sa.select(*keys, *amounts).where(*when)
    # Of long windows, whole numbers are sorted and added up first, and only these sums by the words they stand for.
    added = [sa.func.sum(amount).label(amount.name) for amount in amounts]
    return sa.select(*keys, *added).where(*when).group_by("n", table.c.dim, *(table.c[m] for m in more))


def _sums(table: sa.Table) -> list[str]:
    return [column.name for column in table.c if column.name not in _KEYS]


_KEYS = ("slot", "booked_slot", "dim", "unit")


def _amount(row: Any, name: str) -> int:  # noqa: ANN401  # a row of sums
    return int(getattr(row, f"{name}_milli") or 0) * MILLI + int(getattr(row, f"{name}_pico") or 0)


def _measures(row: Any) -> Measures:  # noqa: ANN401  # a row of sums
    counts = [int(getattr(row, name) or 0) for name in ("rows", "requests", "input_tokens", "output_tokens")]
    return Measures(*counts, *(_amount(row, name) for name in _AMOUNTS))


def _counted(row: Any) -> tuple[str, Counted]:  # noqa: ANN401  # a row of sums
    return row.unit, Counted(int(row.quantity or 0), _amount(row, "cost"), _amount(row, "high"), _amount(row, "list"))


def _since(connection: sa.Connection, asked: Asked, known_at: datetime) -> Iterator[tuple[Place, Posting, int]]:
    """Yield what was booked after the moment that is asked about, to be taken away again.

    What was known is what is known now, less what was learnt since.
    """
    places = [HEADS.index(name) for name in asked.heads]
    chosen = [(HEADS.index(name), set(values)) for name, values in asked.where]
    starts = [window.slots.start for window in asked.windows]
    for slot, posting, sign in _booked_since(connection, asked, known_at):
        number = bisect_right(starts, slot) - 1
        within = number >= 0 and slot in asked.windows[number].slots
        if within and all(posting.dims[place] in values for place, values in chosen):
            yield (number, tuple(posting.dims[place] for place in places)), posting, sign


def _booked_since(
    connection: sa.Connection, asked: Asked, known_at: datetime
) -> Iterator[tuple[int, Posting, int]]:  # fmt: skip
    """Yield slots with what is to be put back (1) or taken away (-1) in them: of rows, and of the cells of files."""
    line = ledger.ledger_lines.c
    first, last = asked.windows[0].slots.start, asked.windows[-1].slots.stop
    time = line.booked_slot if asked.basis == BOOKED else line.slot
    query = sa.select(time.label("time"), line.slot, line.old, line.new).where(
        line.recorded_at > known_at, time >= first, time < last
    )
    for row in connection.execute(query):
        if asked.used is not None and row.slot not in asked.used:
            continue
        for text, sign in ((row.old, 1), (row.new, -1)):
            if text is not None:
                yield row.time, Posting.read(json_text.load(text)), sign
    for slot, booked_slot, posting in bulk.since(connection, known_at):
        if asked.used is not None and slot not in asked.used:
            continue
        yield booked_slot if asked.basis == BOOKED else slot, posting, -1
