"""Sums for reports: days of any zone add up to their months and to the whole, whichever table they are read from."""

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from alembic import command
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.core.claim import Segment
from planner.core.event import Event, StatedBy
from planner.core.money import pico_text
from planner.core.posting import Counted, Measures
from planner.core.price import Rate, RateTable
from planner.core.units import Unit
from planner.flows.correct import correct_price
from planner.store import migrate, report_sums
from planner.store import tables as t
from planner.store.engine import Store
from planner.store.report_sums import BOOKED, USAGE, Asked
from tests.ledger_books import (
    DAY,
    HOUR,
    LAX,
    NOON,
    OFFER,
    SEPTEMBER,
    SINCE,
    asked,
    catch_up,
    claim,
    close,
    event,
    facts,
    know,
    listed,
    take,
    total,
)
from tests.make import rates

ZONES = (
    "Asia/Kolkata", "Asia/Kathmandu", "America/St_Johns", "America/New_York", "UTC", "Pacific/Kiritimati",
    "Australia/Lord_Howe",
)  # fmt: skip
# Around both days on which clocks in America are changed, and around the ends of months.
BUSY = (datetime(2026, 2, 26, tzinfo=UTC), datetime(2026, 3, 6, tzinfo=UTC), datetime(2026, 10, 29, tzinfo=UTC))
ROWS = 240
ODD = RateTable.flat({Unit.INPUT: Rate(Decimal("0.111"), 3_600_000), Unit.OUTPUT: Rate(Decimal(7), 3_000_000)})


@pytest.fixture
def books(store: Store) -> Store:
    """Books with rows of every hour, some late into a closed month, some booked anew, some without a price."""
    know(store)
    listed(store, claim(OFFER, ODD))
    close(store, "2026-02", SINCE)
    dice = random.Random(7)
    rows = [row(dice, number) for number in range(ROWS)]
    take(store, *rows[: ROWS // 2], at=NOON)
    close(store, "2026-03", NOON + HOUR)
    take(store, *rows[ROWS // 2 :], at=NOON + 2 * HOUR)
    stretch = Segment(BUSY[0], BUSY[1] + DAY, rates("30", "40"))
    store.tell(
        lambda connection: correct_price(
            connection, OFFER, stretch, source_url="https://i.test", at=NOON + 3 * HOUR, actor="a", reason="r",
            bounds=LAX,
        )
    )  # fmt: skip
    catch_up(store, NOON + 4 * HOUR)
    return store


def row(dice: random.Random, number: int) -> Event:
    """Make a row of one of the busy weeks."""
    at = dice.choice(BUSY) + timedelta(seconds=dice.randrange(6 * 86_400))
    return event(
        str(number), at, input_tokens=dice.randrange(10**5), output_tokens=dice.randrange(10**4),
        offer=dice.choice((OFFER,) * 5 + ("direct:acme/new",)), plan=dice.choice((None, "free", "pro")),
        customer=dice.choice((None, "c1", "c2", "c3")), task=dice.choice(("chat", "search")),
        stated_usd=dice.choice((None, Decimal("0.0123"))), stated_by=StatedBy.PROVIDER,
    )  # fmt: skip


def summed(found: dict[tuple[str, tuple[Any, ...]], Measures]) -> dict[tuple[Any, ...], Measures]:
    """Return sums by heads, all windows together."""
    together: dict[tuple[Any, ...], Measures] = {}
    for (_label, heads), measures in found.items():
        together[heads] = together.get(heads, Measures()) + measures
    return {heads: measures for heads, measures in together.items() if any(measures)}


def test_days_add_up_to_weeks_months_and_the_whole_in_every_zone(books: Store) -> None:
    """Over both changes of clocks, by either time, with or without customers, and as it was known earlier."""

    @settings(max_examples=40)
    @given(
        zone=st.sampled_from(ZONES), since=st.dates(date(2026, 2, 20), date(2026, 3, 20)), days=st.integers(1, 280),
        heads=st.sampled_from([(), ("plan",), ("plan", "customer"), ("cost_basis", "task")]),
        basis=st.sampled_from([USAGE, BOOKED]), known_at=st.sampled_from([None, NOON, NOON + 3 * HOUR]),
    )  # fmt: skip
    def check(zone: str, since: date, days: int, heads: tuple[str, ...], basis: str, known_at: datetime | None) -> None:
        span: dict[str, Any] = {"since": since, "until": since + days * DAY, "zone": zone, "basis": basis}
        found = [facts(books, asked(heads, by=by, known_at=known_at, **span)) for by in ("day", "week", "month")]
        by_days = summed(found[0])
        assert by_days == summed(found[1]) == summed(found[2])
        # The whole is one window: what it has of months and days is read from theirs, its edges from that of slots.
        (first, last) = (asked(**span).windows[0], asked(**span).windows[-1])
        whole = Asked(windows=[first._replace(end=last.end)], heads=heads, basis=basis, known_at=known_at)
        assert by_days == summed(facts(books, whole))

    check()


def test_a_day_holds_the_rows_of_its_date_there(books: Store) -> None:
    """Counted by the date on the wall when each row was used, nothing else."""
    dice = random.Random(7)
    rows = [row(dice, number) for number in range(ROWS)]
    for zone in ZONES:
        found = facts(books, asked(by="day", zone=zone, basis=USAGE))
        dates = [one.at.astimezone(ZoneInfo(zone)).date().isoformat() for one in rows]
        assert {label: one.rows for (label, _heads), one in found.items()} == {
            day: dates.count(day) for day in set(dates)
        }


def test_the_table_of_customers_and_the_one_of_days_say_the_same(books: Store) -> None:
    """Sums by customer, put together, are those read without; picked out one by one too."""
    for basis in (USAGE, BOOKED):
        for zone in ("UTC", "America/New_York", "Asia/Kathmandu"):
            options: dict[str, Any] = {"zone": zone, "basis": basis, "by": "month"}
            apart, without = (
                facts(books, asked(("plan", "customer"), **options)),
                facts(books, asked(("plan",), **options)),
            )
            together: dict[Any, Measures] = {}
            for (label, (plan, _customer)), measures in apart.items():
                together[label, (plan,)] = together.get((label, (plan,)), Measures()) + measures
            assert together == without
    one, two = (total(books, where=(("customer", (name,)),)) for name in ("c1", "c2"))
    assert one + two == total(books, where=(("customer", ("c1", "c2")),))
    assert one.rows
    assert two.rows


def test_months_are_made_from_days_as_they_are_kept_up(books: Store) -> None:
    """Where the table of months is made after the rows came, it holds the same as where they found it."""
    months = t.ledger.usage_months

    def both() -> list[Any]:
        return [facts(books, asked(("plan", "task", "offer", "cost_basis"), basis=basis)) for basis in (BOOKED, USAGE)]

    kept_up = both()
    with books.read() as connection:
        late = sa.select(sa.func.count()).where(months.c.slot != months.c.booked_slot)
        assert connection.scalar(late)
    with books.engine.connect() as connection:
        command.downgrade(migrate._config(connection), "0009")
        connection.commit()
    migrate.upgrade(books.url)
    assert both() == kept_up


def test_units_add_up_to_what_was_used_and_paid(books: Store) -> None:
    """Of every window and head: tokens by direction, and dollars at least and at most."""
    for known_at in (None, NOON, NOON + 3 * HOUR):
        for heads, by, zone in (
            ((), "month", "UTC"),
            (("plan",), "day", "Asia/Kolkata"),
            (("customer",), "week", "UTC"),
        ):
            question = asked(heads, by=by, zone=zone, known_at=known_at)
            with books.read() as connection:
                found = report_sums.facts(connection, question)
                units = report_sums.units(connection, question)
            tokens: dict[Any, tuple[int, int, int, int]] = {}
            for (number, named, unit), counted in units.items():
                inward, outward, cost, high = tokens.get((number, named), (0, 0, 0, 0))
                tokens[number, named] = (
                    inward + counted.quantity * (unit == "input_token"),
                    outward + counted.quantity * (unit == "output_token"),
                    cost + counted.cost,
                    high + counted.high,
                )
            assert tokens == {
                place: (one.input_tokens, one.output_tokens, one.cost, one.high) for place, one in found.items()
            }
            assert all(counted != Counted() for counted in units.values())


def test_what_was_known_is_what_is_known_less_what_was_learnt_since(books: Store) -> None:
    """Half of the rows at noon, all of them at two, at the old price; then at the new one."""
    counts = [total(books, known_at=at).rows for at in (NOON - HOUR, NOON, NOON + 2 * HOUR, None)]
    assert counts == [0, ROWS // 2, ROWS, ROWS]
    earlier, later = total(books, known_at=NOON + 2 * HOUR), total(books, known_at=NOON + 4 * HOUR)
    assert earlier.cost < later.cost
    assert later == total(books)


def test_a_late_row_counts_in_the_month_of_its_use_or_of_its_booking(books: Store) -> None:
    """February was closed before anything came: nothing is booked in it, and its rows are used in it."""
    used, kept = (facts(books, asked(basis=basis)) for basis in (USAGE, BOOKED))
    february = used["2026-02", ()]
    assert february.rows
    assert ("2026-02", ()) not in kept
    assert sum((one for one in used.values()), Measures()) == sum((one for one in kept.values()), Measures())


def test_a_day_that_never_was_holds_nothing(books: Store) -> None:
    """Apia skipped the 30th of December 2011: its window is empty, on both databases, and no mistake."""
    near = datetime(2011, 12, 30, 9, 59, tzinfo=UTC)
    take(books, event("before", near), event("after", near + timedelta(minutes=1)))
    found = facts(books, asked(by="day", zone="Pacific/Apia", since=date(2011, 12, 29), until=date(2012, 1, 1)))
    assert {label: one.rows for (label, _heads), one in found.items()} == {"2011-12-29": 1, "2011-12-31": 1}
    heads = asked(("customer",), by="day", zone="Pacific/Apia", since=date(2011, 12, 30), until=date(2011, 12, 31))
    assert facts(books, heads) == {}


def test_windows_need_not_follow_each_other(books: Store) -> None:
    """Two days with one between them are those two days."""
    days = asked(by="day", since=date(2026, 3, 7), until=date(2026, 3, 10)).windows
    every = facts(books, asked(by="day", since=date(2026, 3, 7), until=date(2026, 3, 10)))
    for known_at in (None, NOON + 5 * HOUR):
        two = facts(books, Asked(windows=[days[0], days[2]], heads=(), known_at=known_at))
        assert two == {place: one for place, one in every.items() if place[0] != "2026-03-08"}


def test_a_head_that_is_a_yes_or_no_is_one(books: Store) -> None:
    """Whether a customer is known, on both databases, also as it was known earlier."""
    for known_at in (None, NOON):
        found = summed(facts(books, asked(("matched", "customer"), known_at=known_at)))
        assert {heads[0] for heads in found} == {True, False}
        assert all(type(heads[0]) is bool for heads in found)


def test_sums_outgrow_64_bits_exactly(store: Store) -> None:
    """Millions of dollars a row, and the last digit of each: 9.2 million dollars is all that 64 bits hold of 1e-12."""
    know(store)
    listed(store, claim(OFFER, rates("999.999999", "2")))
    take(store, *(event(str(n), SEPTEMBER + n * HOUR, input_tokens=9 * 10**9 + n) for n in range(5)))
    expected = sum((9 * 10**9 + n) * 999_999_999 for n in range(5))
    assert total(store).cost == total(store, where=(("customer", ("",)),)).cost == expected
    assert pico_text(expected) == "44999999.96499999999"
    question = asked()
    with store.read() as connection:
        units = report_sums.units(connection, question)
    assert units[8, (), "input_token"].cost == expected
