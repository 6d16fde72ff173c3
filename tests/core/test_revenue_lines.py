"""What a customer brought in a month: one basis and never two, in dollars, net of tax, to the last digit."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core.errors import InvalidInput
from planner.core.fx import FxRate
from planner.core.money import PICO, pico_text
from planner.core.plan import Plan
from planner.core.revenue import Basis, Item, Kind
from planner.core.revenue_lines import Assignment, Known, Line, month_lines
from planner.core.statement import Takings

JULY, AUGUST, SEPTEMBER, OCTOBER, NOVEMBER = (datetime(2026, month, 1, tzinfo=UTC) for month in range(7, 12))
NOON = datetime(2026, 9, 10, 12, tzinfo=UTC)
YEAR = [datetime(2026 + month // 12, month % 12 + 1, 1, tzinfo=UTC) for month in range(13)]
EURO = FxRate("EUR", date(2026, 1, 1), Decimal("1.10"))
NOTHING = Takings()


def item(kind: Kind = Kind.CASH, amount: str = "20", **facts: Any) -> Item:
    """Make an item of a point in September; its id is that of its kind."""
    said = {"source": "stripe", "id": kind.value, "currency": "USD", "start": NOON, **facts}
    return Item(kind=kind, amount=Decimal(amount), **said)


def subscription(amount: str = "30", **facts: Any) -> Item:
    """Make a subscription to all of September."""
    return item(Kind.SUBSCRIPTION, amount, **{"start": SEPTEMBER, "end": OCTOBER, **facts})


def plan(price: str = "30", id_: str = "pro", **facts: Any) -> Plan:
    """Make a plan without tasks."""
    return Plan(id=id_, name=id_, price=Decimal(price), policies=(), **facts)


def lines(
    *items: Item, month: tuple[datetime, datetime] = (SEPTEMBER, OCTOBER), on: list[Assignment] | None = None,
    plans: tuple[Plan, ...] = (), **known: Any,
) -> list[Line]:  # fmt: skip
    """Return the lines of the customer ``acme``, of September unless another month is named."""
    return list(month_lines("acme", items, *month, Known(plans={one.id: one for one in plans}, **known), on or []))


def sums(found: list[Line]) -> list[str]:
    """Return what came in, went back, was paid in fees and in taxes, and other costs, in dollars."""
    total = NOTHING
    for line in found:
        total = total.plus(line.takings)
    return [pico_text(amount) for amount in total]


def bases(found: list[Line]) -> set[Basis]:
    """Return what lines rest on."""
    return {line.basis for line in found}


# --- which basis counts -----------------------------------------------------------------------------------


def test_of_five_bases_the_strongest_counts_and_then_the_next() -> None:
    """What is recognised, invoiced, subscribed to, paid, and last the plan's price: each alone."""
    said = [
        item(Kind.RECOGNISED, "1", start=SEPTEMBER, end=OCTOBER),
        item(Kind.INVOICE, "2", start=SEPTEMBER, end=OCTOBER),
        subscription("3"),
        item(Kind.CASH, "4"),
    ]
    found = [lines(*said[first:], on=[("pro", JULY, None)], plans=(plan("5"),)) for first in range(5)]
    assert [sums(one)[0] for one in found] == ["1", "2", "3", "4", "5"]
    assert [bases(one) for one in found] == [{basis} for basis in Basis]


def test_a_trial_is_worth_nothing_and_no_plans_price_takes_its_place() -> None:
    """It is said, and what it says is 0; in a currency nobody knows the rate of, too."""
    found = lines(subscription(trial=True, tax=Decimal(3), currency="EUR"), on=[("pro", JULY, None)], plans=(plan(),))
    assert (bases(found), sums(found)[0]) == ({Basis.SUBSCRIPTION}, "0")
    assert [(line.tax_unknown, line.unconverted) for line in found] == [(False, "")]


def test_an_item_of_another_month_is_not_there() -> None:
    """A time that ends as the month begins, one that begins as it ends, and a moment at that very end."""
    others = [subscription(start=AUGUST, end=SEPTEMBER), subscription(start=OCTOBER, end=NOVEMBER), item(start=OCTOBER)]
    assert lines(*others) == []


def test_without_an_item_and_without_a_plan_there_is_nothing() -> None:
    """Nor with a plan that nobody knows."""
    assert lines() == lines(on=[("gone", JULY, None)]) == lines(on=[("pro", OCTOBER, None)], plans=(plan(),)) == []


def test_two_streams_of_payments_both_count_unless_they_tell_of_one_payment() -> None:
    """The same id and the same money is one payment, though a file was imported under two names."""
    told = [item(id="1"), item(id="1", source="other"), item(id="2", source="other"), item(id="1", amount="5")]
    assert sums(lines(*told))[0] == "45"


# --- fees -------------------------------------------------------------------------------------------------


def test_fees_count_whichever_basis_does() -> None:
    """A payment is no revenue beside its subscription, and its fee and those of the account were paid all the same."""
    found = lines(subscription(), item(fee=Decimal("0.88")), item(Kind.FEE, "2"))
    assert (sums(found)[:3], bases(found)) == (["30", "0", "2.88"], {Basis.SUBSCRIPTION})
    assert [(line.id, line.takings.fee) for line in found if line.takings.fee] == [
        ("cash", 88 * PICO // 100), ("fee", 2 * PICO),
    ]  # fmt: skip


def test_a_fee_that_an_invoice_and_its_payment_both_state_counts_once() -> None:
    """It is the same; where only the invoice states it, it counts when the invoice begins."""
    invoice = item(Kind.INVOICE, "60", start=SEPTEMBER, end=NOVEMBER, fee=Decimal(1))
    assert sums(lines(invoice, item(fee=Decimal(1))))[2] == "1"
    assert sums(lines(invoice, item()))[2] == "1"
    assert sums(lines(invoice, month=(OCTOBER, NOVEMBER)))[2] == "0"
    assert [(line.start, line.end) for line in lines(invoice)] == [(SEPTEMBER, OCTOBER), (SEPTEMBER, None)]


def test_a_payment_and_its_fee_are_one_line() -> None:
    """They are one transaction."""
    assert [line.takings for line in lines(item(fee=Decimal(1)))] == [Takings(20 * PICO, 0, PICO, 0, 0)]


# --- tax --------------------------------------------------------------------------------------------------


def test_stated_tax_is_no_revenue() -> None:
    """Of 119 paid 19 are the state's; of 11.90 given back 1.90."""
    found = lines(item(amount="119", tax=Decimal(19)), item(Kind.REFUND, "11.90", tax=Decimal("1.90")))
    assert sums(found) == ["100", "10", "0", "17.1", "0"]
    assert not any(line.tax_unknown for line in found)


def test_tax_that_nobody_states_is_flagged() -> None:
    """It may be in the revenue, and a fee has none of it."""
    found = lines(item(), item(Kind.REFUND, "5"), item(Kind.FEE, "1"), item(id="free", amount="0"))
    assert {line.id: line.tax_unknown for line in found} == {"cash": True, "refund": True, "fee": False, "free": False}


def test_a_plan_that_says_its_tax_takes_it_out_of_what_is_paid_for_it() -> None:
    """A rate of 0 says that there is none; what a source states goes before."""
    rates = {"pro": Decimal("0.19"), "free": Decimal(0)}
    said = [
        item(id="1", amount="119", plan="pro"),
        item(id="2", amount="10", plan="free"),
        item(Kind.REFUND, "11.90", plan="pro"),
        item(id="3", amount="107", plan="pro", tax=Decimal(7)),
    ]
    found = lines(*said, tax_rates=rates)
    assert sums(found) == ["210", "10", "0", "24.1", "0"]
    assert not any(line.tax_unknown for line in found)
    with pytest.raises(InvalidInput):
        lines(tax_rates={"pro": Decimal("-0.19")})


def test_net_and_tax_are_the_whole_to_the_last_digit() -> None:
    """A third cannot be written down, and nothing of it is lost."""
    (line,) = lines(item(amount="1", plan="pro"), tax_rates={"pro": Decimal(2)})
    assert line.takings == Takings(333_333_333_333, 0, 0, 666_666_666_667, 0)


# --- currencies -------------------------------------------------------------------------------------------


def test_the_rate_is_that_of_the_day_an_item_begins() -> None:
    """A year that was paid for in January is converted as it was then, in every month."""
    dear = FxRate("EUR", date(2026, 9, 1), Decimal(2))
    year = subscription("365", currency="EUR", start=YEAR[0], end=YEAR[12])
    assert sums(lines(year, fx=[EURO, dear]))[0] == "33"
    assert sums(lines(item(currency="EUR", amount="1", fee=Decimal(1)), fx=[EURO, dear]))[:3] == ["2", "0", "2"]
    night = datetime.fromisoformat("2026-09-01T01:00:00+02:00")
    assert (
        sums(lines(item(currency="EUR", amount="1", start=night), month=(AUGUST, SEPTEMBER), fx=[EURO, dear]))[0]
        == "1.1"
    )


def test_without_a_rate_an_amount_is_named_and_the_others_count() -> None:
    """It is no revenue of 0, and no reason to know nothing of the month."""
    found = lines(
        item(amount="3000", currency="JPY", fee=Decimal(138)),
        item(id="usd"),
        item(Kind.REFUND, "100", currency="JPY"),
        item(Kind.FEE, "7", currency="JPY"),
        item(id="tax", amount="110", currency="JPY", tax=Decimal(10)),
    )
    assert sums(found) == ["20", "0", "0", "0", "0"]
    assert {line.id: line.unconverted for line in found} == {
        "cash": "JPY 3000", "fee": "JPY -7", "refund": "JPY -100", "tax": "JPY 110", "usd": "",
    }  # fmt: skip
    (part,) = lines(subscription("365", currency="EUR", start=YEAR[0], end=YEAR[12]))
    assert part.unconverted == "EUR 30"


# --- which plan it is for ---------------------------------------------------------------------------------


def test_the_plan_is_that_of_the_price_else_of_the_item_else_of_the_customer() -> None:
    """What a person said a price means goes before what a source calls it."""
    said = [
        item(id="1", price="price_1", plan="tier-1"),
        item(id="2", price="price_2", plan="tier-1"),
        item(id="3", price="price_1", source="other"),
        item(id="4", start=SEPTEMBER),
    ]
    found = lines(*said, on=[("pro", NOON, None)], prices={("stripe", "price_1"): "team"})
    assert {line.id: line.plan for line in found} == {"1": "team", "2": "tier-1", "3": "pro", "4": ""}


def test_a_subscription_is_divided_where_the_customers_plan_changed() -> None:
    """By time: ten days of thirty without a plan, ten on one, ten on the other."""
    first, second = SEPTEMBER + timedelta(days=10), SEPTEMBER + timedelta(days=20)
    found = lines(subscription("30"), on=[("pro", first, second), ("team", second, None)])
    assert [(line.plan, line.start, line.takings.revenue // PICO) for line in found] == [
        ("", SEPTEMBER, 10), ("pro", first, 10), ("team", second, 10),
    ]  # fmt: skip


# --- the price of a plan ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("period", "price", "revenue"),
    [
        ("day", "1", "30"),
        ("week", "7", "30"),
        ("month", "30", "30"),
        ("quarter", "92", "30"),
        ("year", "365", "30"),
    ],
)
def test_a_plans_price_is_earned_over_the_calendar(period: str, price: str, revenue: str) -> None:
    """September has 30 days, of 92 in its quarter and 365 in its year."""
    found = lines(on=[("pro", JULY, None)], plans=(plan(price, period=period),))
    assert sums(found)[0] == revenue
    assert [(line.source, line.id, line.start, line.end) for line in found] == [("plan", "pro", SEPTEMBER, OCTOBER)]


@pytest.mark.parametrize("period", ["month", "quarter", "year"])
def test_the_months_of_a_year_add_up_to_its_price(period: str) -> None:
    """In one digit behind the point or in twelve."""
    paid = [
        lines(month=month, on=[("pro", YEAR[0], None)], plans=(plan("0.000000000007", period=period),))
        for month in pairwise(YEAR)
    ]
    total = sum(line.takings.revenue for month in paid for line in month)
    assert total == 7 * {"month": 12, "quarter": 4, "year": 1}[period]


def test_a_part_of_a_month_on_a_plan_is_that_part_of_its_price() -> None:
    """Ten days on one plan and then twenty on another."""
    changed = SEPTEMBER + timedelta(days=10)
    found = lines(on=[("pro", JULY, changed), ("team", changed, None)], plans=(plan(), plan("60", "team")))
    assert [(line.plan, line.takings.revenue // PICO) for line in found] == [("pro", 10), ("team", 40)]


def test_a_plan_assumes_the_fees_that_nobody_stated() -> None:
    """2.9 % of 119 with its tax and 0.30 for each of two charges, of every basis; so are other costs."""
    facts: dict[str, Any] = {
        "payment_fee_percent": Decimal("2.9"), "payment_fee_fixed_usd": Decimal("0.30"), "charges_per_period": 2,
        "other_costs_usd": Decimal("1.5"),
    }  # fmt: skip
    terms: dict[str, Any] = {"on": [("pro", JULY, None)], "plans": (plan("119", **facts),)}
    assert sums(lines(**terms, tax_rates={"pro": Decimal("0.19")})) == ["100", "0", "4.051", "19", "1.5"]
    beside = lines(subscription("20", plan="pro"), **terms)
    assert (sums(beside), bases(beside)) == (["20", "0", "1.18", "0", "1.5"], {Basis.SUBSCRIPTION})


def test_a_free_plan_has_a_line_and_no_fees() -> None:
    """It is known to bring nothing."""
    found = lines(on=[("pro", JULY, None)], plans=(plan("0", payment_fee_fixed_usd=Decimal("0.30")),))
    assert [(line.basis, line.takings, line.tax_unknown) for line in found] == [(Basis.PLAN, NOTHING, False)]


def test_the_price_of_a_plan_in_another_currency() -> None:
    """At the rate of the day its part of the month begins; without one it is named, and other costs are in dollars."""
    euros = plan("30", currency="EUR", other_costs_usd=Decimal(1))
    assert sums(lines(on=[("pro", JULY, None)], plans=(euros,), fx=[EURO]))[0] == "33"
    (line,) = lines(on=[("pro", JULY, None)], plans=(euros,))
    assert (line.unconverted, line.takings) == ("EUR 30", Takings(other=PICO))


@pytest.mark.parametrize(("period", "months"), [("month", 0), ("quarter", 2), ("year", 11)])
def test_a_payment_for_longer_than_a_month_stands_for_all_of_it(period: str, months: int) -> None:
    """A year that was paid in January is not paid once more, month by month, at the plan's price."""
    paid = item(start=YEAR[0] + timedelta(days=14))
    following = [*pairwise(YEAR[1:]), (YEAR[12], datetime(2027, 2, 1, tzinfo=UTC))]
    found = [lines(paid, month=month, on=[("pro", YEAR[0], None)], plans=(plan(period=period),)) for month in following]
    assert [bool(month) for month in found] == [False] * months + [True] * (12 - months)


# --- whatever is said -------------------------------------------------------------------------------------


@st.composite
def said(draw: st.DrawFn) -> Item:
    """Return an item in or around September."""
    start = draw(st.datetimes(datetime(2026, 7, 1), datetime(2026, 11, 1), timezones=st.just(UTC)))  # noqa: DTZ001  # the strategy adds the zone
    end = draw(st.none() | st.integers(1, 10**13).map(lambda ticks: start + timedelta(microseconds=ticks)))
    cents = st.integers(0, 10_000).map(lambda number: Decimal(number) / 100)
    return item(
        draw(st.sampled_from(Kind)), str(draw(cents)), id=draw(st.uuids()).hex, source=draw(st.sampled_from("ab")),
        currency=draw(st.sampled_from(["USD", "EUR", "JPY"])), start=start, end=end, fee=draw(st.none() | cents),
        tax=draw(st.none() | st.just(Decimal(0))), plan=draw(st.sampled_from([None, "pro"])), trial=draw(st.booleans()),
    )  # fmt: skip


ASSIGNED: list[Assignment] = [("pro", AUGUST, NOON), ("team", NOON, None)]
EVERYTHING = Known(
    plans={"pro": plan(), "team": plan("50", "team", period="year", other_costs_usd=Decimal(1))},
    tax_rates={"pro": Decimal("0.19")}, fx=[EURO],
)  # fmt: skip


@given(st.lists(said(), max_size=6), st.randoms())
def test_the_order_in_which_items_are_told_is_no_matter(items: list[Item], random: Any) -> None:
    """The lines are the same, and in the same order."""
    shuffled = list(items)
    random.shuffle(shuffled)
    one, other = (month_lines("acme", each, SEPTEMBER, OCTOBER, EVERYTHING, ASSIGNED) for each in (items, shuffled))
    assert one == other


@given(st.lists(said(), max_size=6))
def test_two_bases_are_never_added(items: list[Item]) -> None:
    """All revenue of a month is that of the items of one kind, as though there were no other."""
    found = month_lines("acme", items, SEPTEMBER, OCTOBER, EVERYTHING, ASSIGNED)
    assert len({line.basis for line in found}) <= 1
    for basis in {line.basis for line in found} - {Basis.PLAN}:
        alone = [one for one in items if one.kind.value == basis.value]
        again = month_lines("acme", alone, SEPTEMBER, OCTOBER, EVERYTHING, ASSIGNED)
        assert sum(line.takings.revenue for line in found) == sum(
            line.takings.revenue for line in again if line.basis is basis
        )


@given(said())
def test_the_months_of_an_item_add_up_to_the_whole(one: Item) -> None:
    """Whatever it is, nothing of it is lost between two months."""
    dollars = Known(fx=[EURO, FxRate("JPY", date(2026, 1, 1), Decimal("0.0067"))])
    months = [(YEAR[6], YEAR[7]), *pairwise(YEAR[7:]), (YEAR[12], datetime(2027, 2, 1, tzinfo=UTC))]
    parts = [line.takings for month in months for line in month_lines("acme", [one], *month, dollars)]
    rate = {"USD": Decimal(1), "EUR": Decimal("1.10"), "JPY": Decimal("0.0067")}[one.currency]
    total = sum(part.revenue + part.refund + part.tax for part in parts)
    if one.kind is Kind.FEE:
        total = sum(part.fee for part in parts) - int((one.fee or 0) * rate * PICO)
    assert total == (0 if one.trial else int(one.amount * rate * PICO))
