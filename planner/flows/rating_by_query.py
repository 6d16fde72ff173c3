"""The plain rows of a table are rated by one query where they lie, and only its odd rows one by one.

The query knows nothing: who served which names at what price, and whose rows they are, is looked up on record first and
laid beside the file. What comes back are sums, the same to the last digit as `planner.flows.rating_in_place` gives row
by row.
"""

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from planner.core.errors import InvalidInput
from planner.core.event import Containment, Event
from planner.core.money import PICO
from planner.core.periods import slot_start
from planner.core.posting import Dims, Posting
from planner.core.price import Context
from planner.core.rate_pieces import Piece, pieces_of
from planner.core.units import Unit
from planner.flows import ingest
from planner.flows.cells_by_query import Cells, Name
from planner.flows.posting import Record
from planner.ledger import cells, mapped
from planner.ledger.bulk_columns import COUNT_MAX
from planner.ledger.bulk_file import BulkFile, Shown, literal
from planner.ledger.format import Given
from planner.ledger.rating_sql import Grain, Partition, partition
from planner.ledger.rating_tables import EPOCH, FOREVER, NEVER, Shape, micros, piece_columns, piece_row, shape_of
from planner.store.streams import Stream

_DAY_SECONDS = 86_400
_FINE = 10**6


class Head(NamedTuple):
    """Whose rows these are, within a stretch of time: as they spell it, and under which heads they are booked."""

    spelled: Sequence[str]
    since: datetime | None
    until: datetime | None
    dims: Dims


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """How the rows of a file are counted; see `planner.flows.rating_in_place.Rows`.

    What comes back is summed up over stretches of ``grain``.
    """

    given: Given
    stream: Stream
    containments: Mapping[str, Containment]
    at: datetime
    grain: Grain = Grain.SLOT


def event_of(spelled: Mapping[str, str], given: Given, bulk: BulkFile) -> Event:
    """Return an event that says what rows with these texts say, and nothing else.

    Raises:
        InvalidInput: one of them is no text.
    """
    for field_, said in spelled.items():
        cells.text({field_: said}, field_)
    own = {name: said for name, said in spelled.items() if said}
    more: dict[str, Any] = {**mapped.everywhere(given, bulk.layout), **own}
    return Event(
        source=given.source, id="-", at=slot_start(0), counts={}, cache_stated=bulk.layout.cache_stated,
        includes_cached=mapped.declared_of(given, bulk.layout), **more,
    )  # fmt: skip


def rate(bulk: BulkFile, asked: Question, record: Record, book: Callable[[int, Posting], None]) -> list[Event]:
    """Rate the plain rows of a file; those that are odd are left out, and known to ``bulk`` afterwards.

    Args:
        bulk: the file.
        asked: how its rows are counted.
        record: everything on record.
        book: is told what each cell comes to, and its slot.

    Returns:
        How rows name offers that nobody knows.

    Raises:
        NotPlain: the file is better read row by row.
        RuntimeError: it turned out that not every row has one price; what was told before does not hold.
    """
    booked, parts, heads_on = _lay_out(bulk, asked, record)
    names_on = [f"told.{name} = names.{name}" for name in bulk.columns.names]
    rows = 0
    for row in bulk.rated(parts, booked.shape, names_on=names_on, heads_on=heads_on, grain=asked.grain):
        slot, posting = booked.posting(row)
        rows += posting.measures.rows
        book(slot, posting)
    if rows != bulk.plain_rows():
        # A row that finds no price, or two, would otherwise be lost, or count twice, in silence.
        raise RuntimeError("not every row was rated once")
    return [name.event for name in booked.names if name.served.offer is None]


@contextmanager
def _all_kept() -> Iterator[None]:
    """Look for no garbage: of what is laid out all is kept, and with many prices looking takes as long as making."""
    looking = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if looking:
            gc.enable()


@_all_kept()
def _lay_out(bulk: BulkFile, asked: Question, record: Record) -> tuple[Cells, Partition, list[str]]:
    """Lay what is on record beside the file; return what the numbers of its tables mean, and how rows find heads."""
    shown = bulk.survey()
    # The engine does that while prices are read.
    bulk.look_for_repeated()
    names, odd = _names(bulk, shown, asked, record)
    heads, strange = _heads(bulk, asked, record)
    parts = partition(tuple(bulk.columns.counts), "names.inside = 1")
    units = list(parts.units)
    pieces = [(number, piece) for number, name in enumerate(names) for piece in _pieces(name, units, record, bulk)]
    _leave_out(bulk, names, [*odd, *strange], _count_max(pieces, len(units)), asked.at)
    shape = shape_of(
        [piece for _name, piece in pieces], units, bounded=not bulk.layout.cache_stated,
        bare=any(one.bare for one in shown),
    )  # fmt: skip
    _lay(bulk, names, heads, pieces, parts, shape)
    heads_on = [f"told.{name} = heads.{name}" for name in bulk.columns.heads]
    if any(head.since is not None or head.until is not None for head in heads):
        heads_on += ["told.us >= heads.since", "told.us < heads.until"]
    return Cells(names, [head.dims for head in heads], pieces, units, shape, bulk.layout), parts, heads_on


def _leave_out(
    bulk: BulkFile, names: Sequence[Name], odd: Sequence[Mapping[str, str]], count_max: int, at: datetime
) -> None:
    """Make rows odd that cannot be booked as they are, if there are any, and those that may have been told twice."""
    bounds = _out_of_time([name.shown for name in names], at)
    wrong = any(
        (name.shown.impossible_inside if name.inside else name.shown.impossible_beside)
        or name.shown.empty
        or name.shown.largest > count_max
        for name in names
    )
    if odd or wrong or bounds:
        inside = " OR ".join(same_text(name.spelled) for name in names if name.inside)
        bulk.mark_wrong(inside or "FALSE", count_max, odd, bounds)
    bulk.mark_repeated()


# --- what the record says -----------------------------------------------------------------------------------


def _names(
    bulk: BulkFile, shown: Sequence[Shown], asked: Question, record: Record
) -> tuple[list[Name], list[Mapping[str, str]]]:
    """Return who served the rows, and which names are looked at one by one."""
    found: list[Name] = []
    odd: list[Mapping[str, str]] = []
    events: list[tuple[Shown, Event]] = []
    for one in shown:
        try:
            event = event_of(one.names, asked.given, bulk)
            Context(event.service_tier)
        except InvalidInput:
            odd.append(one.names)
            continue
        events.append((one, event))
    record.expect([event for _one, event in events])
    for one, event in events:
        said = asked.containments.get(event.provider or "")
        inside = event.includes_cached if said is None else said.includes_cached
        if inside is None and one.cached + one.beyond:
            odd.append(one.names)
        else:
            served = record.tariffs.served(event, asked.stream.feed)
            found.append(Name(one.names, event, served, inside is not False, one))
    return found, odd


def _heads(bulk: BulkFile, asked: Question, record: Record) -> tuple[list[Head], list[Mapping[str, str]]]:
    """Return whose rows these are, and which heads are looked at one by one."""
    events: list[tuple[Sequence[str], Event]] = []
    odd: list[Mapping[str, str]] = []
    for told in bulk.heads():
        spelled: Sequence[str] = told
        said = dict(zip(bulk.columns.heads, spelled, strict=True))
        try:
            events.append((spelled, event_of(said, asked.given, bulk)))
        except InvalidInput:
            odd.append(said)
    record.expect([event for _spelled, event in events])
    found: list[Head] = []
    for spelled, event in events:
        customer = record.joins.customer(event.source, event.customer)
        dims = Dims(
            plan=event.plan or "", task=event.task or "", customer=customer.id, matched=customer.matched,
            project=event.project or "", key=event.key or "", source=event.source,
        )  # fmt: skip
        if event.plan:
            found.append(Head(spelled, None, None, dims))
        else:
            spells = record.joins.spells(customer)
            found += [Head(spelled, since, until, dims._replace(plan=plan)) for since, until, plan in spells]
    return found, odd


def _pieces(name: Name, units: Sequence[Unit], record: Record, bulk: BulkFile) -> Iterator[Piece]:
    """Yield what the rows of a name may cost: years of prices stand beside a file of a month."""
    context = Context(name.event.service_tier, name.event.region or name.served.region)
    first, last = (EPOCH + timedelta(days=day) for day in (name.shown.days[0], name.shown.days[-1] + 1))
    spans = [
        span
        for span in record.tariffs.spans(name.served)
        if (span.since is None or span.since < last) and (span.until is None or span.until > first)
    ]
    return pieces_of(spans, units, context, cache_stated=bulk.layout.cache_stated)


def _count_max(pieces: Sequence[tuple[int, Piece]], units: int) -> int:
    """Return the most of anything that a row counts whose cost is surely believed; see `planner.flows.ingest.judge`."""
    # In whole numbers, rounded up: fractions would take longer than the prices.
    dearest = max(
        (
            -(-price.pico * _FINE // price.per)
            for _name, piece in pieces
            for prices in piece.prices.values()
            for price in (prices.high, prices.listed)
        ),
        default=0,
    )
    return min(COUNT_MAX, int(ingest.USD_MAX) * PICO * _FINE // (units * dearest)) if dearest else COUNT_MAX


def _out_of_time(shown: Sequence[Shown], at: datetime) -> str:
    """Return the condition under which a row lies before or after any row, or "" where none does."""
    latest = at + timedelta(hours=ingest.FUTURE_HOURS_MAX)
    days = [day for one in shown for day in one.days]
    first, last = micros(ingest.AT_MIN), micros(latest)
    inside = not days or (first <= min(days) * _DAY_SECONDS * 10**6 and (max(days) + 1) * _DAY_SECONDS * 10**6 <= last)
    return "" if inside else f"us < {first} OR us > {last}"


# --- what is laid beside the file -----------------------------------------------------------------------------


def _lay(
    bulk: BulkFile, names: Sequence[Name], heads: Sequence[Head], pieces: Sequence[tuple[int, Piece]],
    parts: Partition, shape: Shape,
) -> None:  # fmt: skip
    named, headed = list(bulk.columns.names), list(bulk.columns.heads)
    bulk.lay(
        "names", [("name", "BIGINT"), ("inside", "BIGINT"), *((column, "VARCHAR") for column in named)],
        ([number, int(one.inside), *(one.spelled[column] for column in named)] for number, one in enumerate(names)),
    )  # fmt: skip
    bulk.lay(
        "heads", [*((one, "BIGINT") for one in ("head", "since", "until")), *((one, "VARCHAR") for one in headed)],
        ([number, micros(h.since, NEVER), micros(h.until, FOREVER), *h.spelled] for number, h in enumerate(heads)),
    )  # fmt: skip
    units = list(parts.units)
    rows = (piece_row(number, name, piece, units, shape) for number, (name, piece) in enumerate(pieces))
    bulk.lay("pieces", piece_columns(units, shape), rows)


def same_text(spelled: Mapping[str, str]) -> str:
    """Return the condition under which a row has exactly these texts."""
    return "(" + (" AND ".join(f"{name} = {literal(text)}" for name, text in spelled.items()) or "TRUE") + ")"
