"""The times and amounts that revenue may have."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from planner.core.revenue import Item, Kind
from planner.core.revenue_bounds import inside, refusal

TICK = timedelta(microseconds=1)
FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
TEN_YEARS = datetime(2026, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)


def item(**facts: Any) -> Item:
    """Make a payment of $20."""
    said = {"kind": Kind.CASH, "amount": Decimal(20), "currency": "USD", "start": TEN_YEARS[0]}
    return Item(**{"source": "stripe", "id": "1", **said, **facts})


@pytest.mark.parametrize(
    ("moment", "may_be"), [(FIRST - TICK, False), (FIRST, True), (LAST, True), (LAST + TICK, False)]
)
def test_a_moment_lies_in_this_century_or_is_a_mistake(moment: datetime, may_be: bool) -> None:
    """Both ends are moments that may be."""
    assert inside(moment) is may_be


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"start": TEN_YEARS[0], "end": TEN_YEARS[1]},
        {"amount": Decimal(10**10), "fee": Decimal(1), "tax": Decimal(0)},
        {"amount": Decimal(-(10**10))},
        {"tax": Decimal(20)},
        {"amount": Decimal(-119), "tax": Decimal(-19)},
    ],
)
def test_what_may_be_is_taken(facts: dict[str, Any]) -> None:
    """A payment, ten years at once, ten billion dollars back and forth, and what is all tax."""
    assert refusal(item(**facts), Fraction(1)) is None


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"start": FIRST - TICK}, "start: a moment from 2000-01-01 to 2100-01-01 is needed"),
        ({"end": LAST + TICK}, "end: a moment from 2000-01-01 to 2100-01-01 is needed"),
        ({"end": TEN_YEARS[1] + timedelta(days=2)}, "end: one item is of 10 years at most"),
        ({"amount": Decimal("10000000000.01")}, "amount: more than 10000000000 USD is a mistake"),
        ({"amount": Decimal("-10000000000.01")}, "amount: more than 10000000000 USD is a mistake"),
        ({"fee": Decimal(10**20)}, "fee: more than 10000000000 USD is a mistake"),
        ({"tax": Decimal(10**20)}, "tax: more than 10000000000 USD is a mistake"),
        ({"tax": Decimal("20.01")}, "tax: more than the amount it is a part of is a mistake"),
        ({"tax": Decimal("-20.01")}, "tax: more than the amount it is a part of is a mistake"),
        ({"amount": Decimal(0), "tax": Decimal(1)}, "tax: more than the amount it is a part of is a mistake"),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(facts: dict[str, Any], why: str) -> None:
    """A date of 1900 or of the year 9999, decades at once, more money than there is, and more tax than was paid."""
    assert refusal(item(**facts), Fraction(1)) == why


@pytest.mark.parametrize(
    ("amount", "usd", "why"),
    [
        (10**14, Fraction(1, 20_000), None),
        (10**10, Fraction(11, 10), "amount: more than 10000000000 USD is a mistake"),
        (10**15, None, None),
        (10**15 + 1, None, "amount: more than 1000000000000000 VND is a mistake"),
    ],
)
def test_an_amount_is_judged_in_dollars_where_there_is_a_rate(
    amount: int, usd: Fraction | None, why: str | None
) -> None:
    """Where there is none it may be of a currency whose units are worth next to nothing."""
    assert refusal(item(amount=Decimal(amount), currency="VND"), usd) == why
