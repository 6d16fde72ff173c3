"""Revenue items: what none can be, which two are one, how an amount is earned over time, and items as JSON."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core.earning import earned
from planner.core.errors import InvalidInput
from planner.core.money import PICO
from planner.core.revenue import Basis, Item, Kind, merge, same_money
from planner.core.revenue_form import read_item, write_item

BEGIN, END = datetime(2026, 9, 1, 10, tzinfo=UTC), datetime(2026, 10, 1, 10, tzinfo=UTC)
SEPTEMBER, OCTOBER = datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")

moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001  # the strategy adds the zone
amounts = st.integers(-(10**16), 10**16)
money = st.decimals(min_value=-10_000, max_value=10_000, places=4)


def payment(**facts: Any) -> Item:
    """Make a payment of $20 as a source states it."""
    said = {"source": "stripe", "id": "txn_1", "kind": Kind.CASH, "amount": Decimal(20), "currency": "USD", **facts}
    return Item(start=said.pop("start", BEGIN), **said)


@st.composite
def items(draw: st.DrawFn) -> Item:
    """Return any item."""
    start = draw(moments)
    return payment(
        kind=draw(st.sampled_from(Kind)),
        amount=draw(money),
        currency=draw(st.sampled_from(["USD", "EUR", "JPY"])),
        start=start,
        end=draw(st.none() | st.integers(1, 10**14).map(lambda ticks: start + timedelta(microseconds=ticks))),
        customer=draw(st.none() | st.sampled_from(["cus_1", "cus_2"])),
        plan=draw(st.none() | st.just("pro")),
        price=draw(st.none() | st.just("price_1")),
        fee=draw(st.none() | money),
        tax=draw(st.none() | money),
        trial=draw(st.booleans()),
        net_of_refunds=draw(st.booleans()),
        tags=draw(st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2)),
    )


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"id": ""}, "id"),
        ({"source": ""}, "id"),
        ({"currency": "usd"}, "currency"),
        ({"currency": "US"}, "currency"),
        ({"currency": "ÄÖÜ"}, "currency"),
        ({"start": BEGIN.replace(tzinfo=None)}, "start"),
        ({"end": END.replace(tzinfo=None)}, "end"),
        ({"end": BEGIN}, "end"),
        # 2:30 of summer time and then of winter time: the clocks show the earlier of the two as the later one.
        ({
            "start": datetime(2026, 10, 25, 2, 0, tzinfo=BERLIN, fold=1),
            "end": datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN),
        }, "end"),
    ],
)  # fmt: skip
def test_what_no_item_can_be(facts: dict[str, Any], field: str) -> None:
    """It has a name, a currency, and a beginning before its end."""
    with pytest.raises(InvalidInput) as refused:
        payment(**facts)
    assert refused.value.field == field


def test_every_basis_but_the_plans_price_is_a_kind_of_item() -> None:
    """In the same order, strongest first."""
    assert [basis.value for basis in Basis] == [*(kind.value for kind in list(Kind)[:4]), "plan"]


def test_a_month_of_twenty_dollars_that_begins_at_ten() -> None:
    """29 days and 14 hours of 30 days are in September, and the rest in October."""
    parts = [earned(20 * PICO, BEGIN, END, *month) for month in [(SEPTEMBER, OCTOBER), (OCTOBER, END)]]
    assert parts == [19_722_222_222_222, 277_777_777_778]


def test_what_has_no_end_is_earned_at_once() -> None:
    """In the time that begins with it, and not in the one that ends there."""
    assert earned(7, SEPTEMBER, None, SEPTEMBER, OCTOBER) == 7
    assert earned(7, OCTOBER, None, SEPTEMBER, OCTOBER) == 0


def test_an_hour_that_clocks_show_twice_is_two_hours() -> None:
    """In Berlin the night of 25 October 2026 has an hour more than its clocks show."""
    midnight, four = (datetime(2026, 10, 25, hour, tzinfo=BERLIN) for hour in (0, 4))
    assert earned(5, midnight, four, midnight, datetime(2026, 10, 25, 1, tzinfo=BERLIN)) == 1


@given(amounts, moments, st.integers(1, 10**14), st.lists(moments, max_size=6), st.integers(-14, 14))
def test_the_parts_of_any_partition_add_up(
    amount: int, start: datetime, ticks: int, edges: list[datetime], hours: int
) -> None:
    """To the last digit, whatever the edges are, and in whatever zone they are given."""
    end = start + timedelta(microseconds=ticks)
    zone = timezone(timedelta(hours=hours))
    cuts = sorted({start, end, *(edge for edge in edges if start < edge < end)})
    parts = [
        earned(amount, start, end, since.astimezone(zone), until.astimezone(zone)) for since, until in pairwise(cuts)
    ]
    assert sum(parts) == amount
    assert earned(amount, start, end, cuts[0] - timedelta(days=1), cuts[-1] + timedelta(days=1)) == amount


@given(amounts, moments, st.integers(1, 10**14), moments, moments)
def test_a_part_is_the_exact_share_but_for_one_digit(
    amount: int, start: datetime, ticks: int, one: datetime, other: datetime
) -> None:
    """Rounding happens at both of its edges, by half a digit each."""
    end = start + timedelta(microseconds=ticks)
    since, until = sorted((one, other))
    tick = timedelta(microseconds=1)
    inside = max((min(until, end) - max(since, start)) // tick, 0)
    assert abs(earned(amount, start, end, since, until) * ticks - amount * inside) <= ticks


def test_a_row_that_knows_the_customer_completes_one_that_does_not() -> None:
    """The balance history knows the minute and the metadata, the itemized report who paid, and the second."""
    old = payment(fee=Decimal("0.88"), plan="pro", tags={"seat": "7", "plan": "pro"})
    new = payment(
        amount=Decimal("20.00"), start=BEGIN.replace(second=37), customer="cus_1", price="price_1", tax=Decimal(3),
        tags={"seat": "8", "kind": "card"},
    )  # fmt: skip
    assert merge(old, new) == payment(
        fee=Decimal("0.88"), plan="pro", start=BEGIN.replace(second=37), customer="cus_1", price="price_1",
        tax=Decimal(3), tags={"seat": "7", "plan": "pro", "kind": "card"},
    )  # fmt: skip


@pytest.mark.parametrize(
    "facts",
    [
        {"id": "txn_2"},
        {"source": "other"},
        {"kind": Kind.REFUND},
        {"amount": Decimal(21)},
        {"currency": "EUR"},
        {"start": BEGIN + timedelta(minutes=1)},
        {"start": BEGIN + timedelta(seconds=9)},
        {"end": END},
        {"trial": True},
        {"fee": Decimal(1)},
        {"tax": Decimal(1)},
        {"customer": "cus_2"},
        {"plan": "team"},
        {"price": "price_2"},
    ],
)
def test_what_contradicts_a_row_on_record_is_no_completion(facts: dict[str, Any]) -> None:
    """Other money, another time, or somebody else: a person has to look."""
    known = payment(
        start=BEGIN + timedelta(seconds=5), fee=Decimal(0), tax=Decimal(0), customer="cus_1", plan="pro",
        price="price_1",
    )  # fmt: skip
    assert merge(known, replace(known, **facts)) is None


@given(items(), st.booleans(), st.booleans(), st.booleans())
def test_what_is_merged_stays_what_it_is(item: Item, customer: bool, fee: bool, tax: bool) -> None:
    """Told less of it, in either order or again, nothing changes."""
    less = replace(
        item, customer=None if customer else item.customer, fee=None if fee else item.fee,
        tax=None if tax else item.tax, net_of_refunds=False,
    )  # fmt: skip
    assert merge(item, less) == merge(less, item) == item
    assert same_money(item, less)


@given(items())
def test_an_item_as_json_and_back(item: Item) -> None:
    """Nothing is lost, and what is not said is not written."""
    form = write_item(item)
    assert read_item(json.loads(json.dumps(form))) == item
    assert not {None, False} & {value for value in form.values() if not isinstance(value, dict)}
