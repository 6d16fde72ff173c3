"""What payments cost where nobody states it: what the plan assumes, once, and never beside what somebody states."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from planner.core.plan import Plan
from planner.core.revenue import Item, Kind
from planner.core.revenue_lines import PLAN_SOURCE, Line
from tests.core.test_revenue_lines import (
    AUGUST,
    JULY,
    NOON,
    NOVEMBER,
    OCTOBER,
    SEPTEMBER,
    YEAR,
    bases,
    item,
    lines,
    plan,
    sums,
)

_STATING = [Kind.RECOGNISED, Kind.INVOICE, Kind.SUBSCRIPTION]


def fees(*items: Item, **asked: Any) -> str:
    """Return the payment fees of the customer on a plan that assumes 3 % and 0.30 a charge, in dollars."""
    return sums(found(*items, **asked))[2]


def found(*items: Item, terms: dict[str, Any] | None = None, **asked: Any) -> list[Line]:
    """Return the lines of such a customer."""
    return lines(*items, **{"on": [("pro", JULY, None)], "plans": (terms_of(**(terms or {})),), **asked})


def terms_of(**terms: Any) -> Plan:
    """Make a plan that assumes 3 % and 0.30 a charge."""
    return plan("20", **{"payment_fee_percent": Decimal(3), "payment_fee_fixed_usd": Decimal("0.30"), **terms})


def earned(kind: Kind = Kind.INVOICE, amount: str = "100", **facts: Any) -> Item:
    """Make an item of all September."""
    return item(kind, amount, **{"start": SEPTEMBER, "end": OCTOBER, "tax": Decimal(0), **facts})


@pytest.mark.parametrize("kind", [*_STATING, Kind.CASH])
def test_fees_that_nobody_states_are_those_the_plan_assumes(kind: Kind) -> None:
    """3 % of the amount with its tax, and 0.30; they stand in a line of the plan, under the basis of the revenue."""
    told = found(earned(kind, tax=Decimal(19)))
    assert sums(told) == ["81", "0", "3.3", "19", "0"]
    assert {line.source for line in told if line.takings.fee} == {PLAN_SOURCE}
    assert {basis.value for basis in bases(told)} == {kind.value}


@pytest.mark.parametrize("kind", _STATING)
@pytest.mark.parametrize(
    ("beside", "stated"),
    [
        (item(amount="100", fee=Decimal("2.5")), "2.5"),
        (item(amount="100", fee=Decimal(0)), "0"),
        (item(Kind.FEE, "2"), "2"),
        (item(amount="100"), "3.3"),
        (item(Kind.REFUND, "1", fee=Decimal(1)), "4.3"),
        (item(amount="100", start=AUGUST, fee=Decimal(1)), "3.3"),
        (item(amount="100", start=OCTOBER, fee=Decimal(1)), "3.3"),
    ],
)
def test_what_payments_of_the_month_state_goes_before(kind: Kind, beside: Item, stated: str) -> None:
    """Nothing stated is no fee of 0, what a refund cost is another fee, and other months are paid for themselves."""
    assert fees(earned(kind), beside) == stated


def test_what_the_revenue_states_itself_goes_before() -> None:
    """Also in the months after the one it is booked in."""
    invoice = earned(end=NOVEMBER, fee=Decimal(2))
    assert [fees(invoice, month=month) for month in ((SEPTEMBER, OCTOBER), (OCTOBER, NOVEMBER))] == ["2", "0"]


@pytest.mark.parametrize(("start", "assumed"), [(YEAR[0], "0"), (YEAR[10], "0"), (YEAR[12], "3.3")])
def test_a_payment_for_a_year_states_the_fee_of_all_its_months(start: datetime, assumed: str) -> None:
    """It was paid at its beginning or late, and not in the year after."""
    invoice = earned(amount="1216.666666666667", start=YEAR[0], end=YEAR[12])
    payment = item(start=start, fee=Decimal(30))
    assert fees(invoice, payment) == assumed


@pytest.mark.parametrize(("period", "stated"), [("month", "3.3"), ("quarter", "0"), ("year", "0")])
def test_a_plan_that_is_billed_by_more_than_a_month_was_paid_for_earlier(period: str, stated: str) -> None:
    """What is recognised month by month does not say when it was paid."""
    assert fees(earned(Kind.RECOGNISED), item(start=AUGUST, fee=Decimal(9)), terms={"period": period}) == stated


@pytest.mark.parametrize(
    ("period", "charges", "fixed"), [("quarter", 1, "3.1"), ("month", 2, "3.6"), ("month", 0, "3")]
)
def test_what_is_fixed_is_for_each_charge_of_a_billing_period(period: str, charges: int, fixed: str) -> None:
    """A third of it in each of three months, or so many times a month."""
    terms: dict[str, Any] = {"period": period, "charges_per_period": charges, "payment_fee_fixed_usd": Decimal("0.30")}
    if period == "quarter":
        terms["payment_fee_fixed_usd"] = Decimal("0.30") * 92 / 90
    assert Decimal(fees(earned(), terms=terms)).quantize(Decimal("0.0000001")) == Decimal(fixed)


def test_lines_of_one_invoice_are_one_charge() -> None:
    """Of one time or one moment; what is charged at another moment, or for another time, is another one."""
    half = NOON + timedelta(days=1)
    assert fees(earned(), earned(id="2"), earned(id="3", start=NOON)) == "9.3"
    assert fees(item(id="1", amount="100"), item(id="2", amount="100"), item(id="3", amount="100", start=half)) == "9.6"
    apart = [earned(end=NOON), earned(id="2", start=half), earned(id="3", start=NOON, end=NOON + timedelta(hours=12))]
    (first, second) = [line for line in found(*apart) if line.takings.fee]
    assert [(line.start, line.end) for line in (first, second)] == [
        (SEPTEMBER, NOON + timedelta(hours=12)), (half, OCTOBER),
    ]  # fmt: skip


def test_nobody_is_charged_for_what_is_worth_nothing() -> None:
    """A trial, an invoice that is credited whole, and an amount that is not in dollars."""
    assert fees(earned(Kind.SUBSCRIPTION, trial=True)) == "0"
    assert fees(earned(), earned(amount="-100", id="credit")) == "0"
    assert fees(earned(), earned(amount="-60", id="credit")) == "1.5"
    assert fees(earned(currency="JPY")) == "0"


def test_each_plan_assumes_its_own() -> None:
    """What is of a plan that nobody knows, or of one that assumes nothing, has no fee that anybody could tell."""
    plans = (terms_of(), plan("20", "team"), terms_of(id_="plus", payment_fee_percent=Decimal(5)))
    told = [earned(plan=id_, id=str(id_)) for id_ in ("pro", "team", "plus", "gone", None)]
    told_fees = [(line.plan, line.takings.fee) for line in found(*told, plans=plans, on=[]) if line.takings.fee]
    assert told_fees == [("plus", 5_300_000_000_000), ("pro", 3_300_000_000_000)]


def test_fees_that_are_stated_of_others_are_not_assumed_once_more() -> None:
    """A history of payments that names nobody may tell those of this customer; the plan's price has its own."""
    assert fees(earned(), fees_elsewhere=True) == "0"
    assert fees(fees_elsewhere=True) == "0.9"
