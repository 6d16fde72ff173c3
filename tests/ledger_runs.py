"""One world's rows through a database: taken in in any order and pieces, booked anew, and held against fractions."""

import json
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from planner.core.event import Event, Role
from planner.core.money import pico_text
from planner.core.posting import Posting
from planner.store import report_sums, usage
from planner.store import tables as t
from planner.store.engine import Store
from planner.store.report_sums import BOOKED, USAGE
from planner.store.streams import Stream
from tests.ledger_books import NOON, asked, catch_up, close, take
from tests.ledger_worlds import CLOSED, Late, World, begin, later, learn, rows, world
from tests.reference_ledger import HEADS, Booked, Books, Entry, dollars, entries, label_of, summed, summed_units

SINCE, UNTIL = date(2026, 7, 25), date(2026, 12, 1)
ZONES = (
    "UTC", "Asia/Kolkata", "Asia/Kathmandu", "America/St_Johns", "America/New_York", "Pacific/Kiritimati",
)  # fmt: skip
Question = tuple[tuple[str, ...], str, str, str]
"""Heads, unit of time, zone, and by which time."""

QUESTIONS: tuple[Question, ...] = (
    (HEADS, "month", "UTC", BOOKED),
    (HEADS, "month", "UTC", USAGE),
    (("plan",), "month", "UTC", BOOKED),
    (("customer", "plan", "matched"), "month", "America/New_York", BOOKED),
    (("offer", "task", "unpriced"), "week", "Asia/Kolkata", USAGE),
    *(
        (("plan", "cost_basis"), unit, zone, basis)
        for zone in ZONES
        for unit, basis in (("day", USAGE), ("month", BOOKED))
    ),
)

UNIT_QUESTIONS: tuple[Question, ...] = (
    (("plan", "offer"), "month", "UTC", BOOKED), (("customer",), "week", "America/St_Johns", BOOKED),
    (("provider",), "day", "Asia/Kathmandu", USAGE),
)  # fmt: skip

Progress = Callable[[Iterable[Any], str, int], Iterable[Any]]


def silent(listed: Iterable[Any], _words: str, _total: int) -> Iterable[Any]:
    """Show nothing."""
    return listed


class Told(NamedTuple):
    """The rows of a world: those that come at first, and those that come late."""

    known: World
    late: Late
    first: list[Event]
    rest: list[Event]


def told(seed: int, count: int) -> Told:
    """Make a world, what becomes known of it late, and its rows."""
    dice = random.Random(seed)
    known = world(dice)
    late = later(dice, known)
    listed = rows(dice, known, count)
    return Told(known, late, listed[count // 20 :], listed[: count // 20])


class Filled(NamedTuple):
    """What filling a database took: seconds of taking in, rows booked anew, lines added, and seconds of that."""

    seconds: float
    looked_at: int
    lines: int
    seconds_anew: float


def fill(store: Store, given: Told, order: int, piece: int, show: Progress = silent) -> Filled:
    """Take the rows in, in an order and in pieces; then let the late become known, and take in what comes late."""
    begin(store, given.known)
    began = time.perf_counter()
    _send(store, given.first, random.Random(order), piece, show)
    seconds = time.perf_counter() - began
    catch_up(store, NOON)
    close(store, CLOSED, NOON)
    learn(store, given.late, given.known, NOON + timedelta(hours=1))
    began = time.perf_counter()
    done = catch_up(store, NOON + timedelta(hours=2))
    anew = time.perf_counter() - began
    _send(store, given.rest, random.Random(order + 1), piece, show)
    return Filled(seconds, done.rows, done.lines, anew)


def _send(store: Store, listed: Sequence[Event], dice: random.Random, piece: int, show: Progress) -> None:
    """Send rows, one in fifty of them twice, in random order and in pieces of about this size."""
    shuffled = [*listed, *dice.sample(listed, len(listed) // 50)]
    dice.shuffle(shuffled)
    pieces = []
    while shuffled:
        size = dice.randint(1, 2 * piece)
        pieces.append(shuffled[:size])
        shuffled = shuffled[size:]
    for part in show(pieces, store.engine.dialect.name, len(pieces)):
        for source in sorted({row.source for row in part}):
            own = Stream(source, Role.LEDGER, own=True)
            take(store, *(row for row in part if row.source == source), stream=own, at=NOON)


def on_record(store: Store) -> Iterator[tuple[Event, Posting | None]]:
    """Yield every row that counts, with what is booked for it now."""
    after = 0
    while True:
        with store.read() as connection:
            found = usage.some(connection, [], after, 5_000)
        yield from ((stored.event, stored.posting) for stored in found)
        if not found:
            return
        after = found[-1].row


def as_booked(posting: Posting) -> Booked:
    """Return a posting as the reference writes it; bands and cards, which it does not know, are left out."""
    heads = tuple(getattr(posting.dims, name) for name in HEADS)
    return Booked(heads, tuple(posting.measures), tuple((unit, *counted) for unit, counted in posting.units))


Rows = dict[tuple[str, str], list[Entry]]
"""What each row adds to the books, by its stream and its id."""


def expected(given: Told, show: Progress = silent) -> Rows:
    """Return what the reference books for every row."""
    before, after = Books(given.known), Books(given.late.world)
    late = {id(row) for row in given.rest}
    listed = [*given.first, *given.rest]
    return {
        (row.source, row.id): entries(row, None if id(row) in late else before, after)
        for row in show(listed, "fractions", len(listed))
    }


def differences(store: Store, rows_: Rows) -> list[str]:
    """Return the rows that are booked otherwise than the reference has them, that are missing, or that are too many."""
    wrong, seen = [], set()
    for row, posting in on_record(store):
        place = row.source, row.id
        what = rows_[place][-1].what if place in rows_ and place not in seen else None
        found = None if posting is None else as_booked(posting)
        if found is None or what is None or found[:2] != what[:2] or sorted(found.units) != sorted(what.units):
            wrong.append(f"{place}: {found} is not {what}")
        seen.add(place)
    return [*wrong, *(f"{place} is missing" for place in rows_.keys() - seen)]


def sums_found(store: Store) -> list[str]:
    """Return the sums a database answers with, one JSON text for each question."""
    found = []
    with store.read() as connection:
        for heads, unit, zone, basis in UNIT_QUESTIONS:
            question = asked(heads, since=SINCE, until=UNTIL, by=unit, zone=zone, basis=basis)
            units = report_sums.units(connection, question)
            found.append(
                _text(
                    [
                        [question.windows[n].label, *named, name, one.quantity, *map(pico_text, one[1:])]
                        for (n, named, name), one in units.items()
                    ]
                )
            )
        for heads, unit, zone, basis in QUESTIONS:
            question = asked(heads, since=SINCE, until=UNTIL, by=unit, zone=zone, basis=basis)
            sums = report_sums.facts(connection, question)
            listed = [
                [question.windows[n].label, *named, *one[:4], *map(pico_text, one[4:])]
                for (n, named), one in sums.items()
            ]
            found.append(_text(listed))
    return found


def sums_expected(rows_: Rows, show: Progress = silent) -> list[str]:
    """Return what the reference says of each question, as the same text."""
    listed = [entry for each in rows_.values() for entry in each]
    found = []
    for heads, unit, zone, basis in UNIT_QUESTIONS:
        units = summed_units(listed, heads, label_of(unit, zone), used=basis == USAGE)
        found.append(
            _text(
                [[label, *named, name, one[0], *map(dollars, one[1:])] for (label, named, name), one in units.items()]
            )
        )
    for heads, unit, zone, basis in show(QUESTIONS, "sums of fractions", len(QUESTIONS)):
        sums = summed(listed, heads, label_of(unit, zone), used=basis == USAGE)
        found.append(_text([[label, *named, *one[:4], *map(dollars, one[4:])] for (label, named), one in sums.items()]))
    return found


def lines_found(store: Store) -> str:
    """Return what was booked for every row, line by line with its cards and bands, as JSON text.

    Which line came first is the order in which rows came; all else is the same for every order.
    """
    line, row = t.ledger.ledger_lines.c, t.ledger.usage_events.c
    query = (
        sa.select(row.source, row.event_id, line.kind, line.booked_in, line.booked_slot, line.delta_usd, line.new)
        .join(t.ledger.usage_events, row.id == line.event)
        .order_by(row.source, row.event_id, line.id)
    )
    with store.read() as connection:
        return _text([list(one) for one in connection.execute(query)])


def _text(listed: list[list[Any]]) -> str:
    return json.dumps(sorted(listed, key=lambda row: list(map(str, row))), separators=(",", ":"))
