"""What plans bring in under a scenario: other prices, subscribers and exchange rates beside what tokens cost then."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest

from planner.core.errors import InvalidInput, NotFound
from planner.core.scenario import (
    Caching,
    ChannelFee,
    Currency,
    Discount,
    Intensity,
    PlanChange,
    Repricing,
    Scenario,
    Swap,
)
from planner.flows import earnings
from planner.store import agreements, plans
from planner.store.engine import Connection, Store
from tests import make
from tests.flows.test_margin_report import subscription
from tests.ledger_books import NOON, OFFER, event, take
from tests.what_ifs import HALF, MONTH, asked, terms


def euro(connection: Connection, usd: str) -> None:
    """Say what a euro is worth from August on."""
    row = {"currency": "EUR", "day": date(2026, 8, 1), "usd": usd, "source": "ecb", "source_url": "https://e.test"}
    agreements.set_fx(connection, row, at=NOON, actor="ada", reason="told")


def sold(store: Store, currency: str = "USD", **facts: str) -> None:
    """Sell a plan of $20 to 10 subscribers, with a fee of 10 % and $1, and take a million tokens in for it."""
    document = {
        "id": "pro", "name": "Pro", "price": "20", "currency": currency, "payment_fee_percent": "10",
        "payment_fee_fixed_usd": "1", "subscribers": 10, "policy": "x", **facts,
    }  # fmt: skip
    store.tell(lambda connection: plans.write(connection, "pro", document, at=make.SINCE, by="ada"))
    item = subscription("c1", "200")
    store.tell(lambda connection: earnings.take(connection, [item], at=NOON, by="test"))
    take(store, event("1", plan="pro"))


def test_a_plan_at_another_price(books: Store) -> None:
    """A quarter more comes in of as many customers, and the share the payment fee takes of it grows."""
    sold(books)
    found = asked(books, Scenario(plans=(PlanChange(plan="pro", price=Decimal(25)),)), by=("plan",), **MONTH)
    before, after = found["before"], found["after"]
    assert (before["revenue_usd"], after["revenue_usd"]) == ("200", "250")
    fees = Decimal(after["payment_fees_usd"]) - Decimal(before["payment_fees_usd"])
    assert fees == Decimal(5)
    assert terms(found) == {"plan_price": "0"}
    assert found["profit"]["terms"] == [{"term": "plan_price", "usd": "45"}]
    assert found["profit"]["difference_usd"] == "45"
    # Token prices may rise so far that nothing is left: the plan has no target of its own.
    for side, rise in (("before", "break_even_rise_before"), ("after", "break_even_rise_after")):
        left = Fraction(found["profit"][f"{side}_usd"]) / Fraction(found[side]["token_cost_usd"])
        assert Fraction(found["profit"][rise]) == round(left, 4)
    assert Fraction(after["margin"]) > Fraction(before["margin"])
    (line,) = found["rows"]
    assert (line["plan"], line["after"]["revenue_usd"]) == ("pro", "250")


def test_a_target_is_kept_before_anything_may_rise(books: Store) -> None:
    """Of $200 with $80 to be kept, (200 - 80 - fees - 3) / 3 of the token cost; maths.md 2.6."""
    sold(books, margin="0.40")
    found = asked(books, Scenario(), **MONTH)
    fees = Fraction(found["before"]["payment_fees_usd"])
    assert Fraction(found["profit"]["break_even_rise_before"]) == round((200 - 80 - fees - 3) / 3, 4)


def test_more_subscribers_use_and_pay_more(books: Store) -> None:
    """Volume: half as many again, of tokens, of revenue and of fees per charge."""
    sold(books)
    found = asked(books, Scenario(plans=(PlanChange(plan="pro", subscribers=15),)), **MONTH)
    assert terms(found) == {"volume": "1.5"}
    for name in ("revenue_usd", "payment_fees_usd", "token_cost_usd"):
        assert Decimal(found["after"][name]) == Decimal(found["before"][name]) * Decimal("1.5")
    (profit,) = found["profit"]["terms"]
    assert Decimal(profit["usd"]) == Decimal(found["profit"]["before_usd"]) / 2


def test_nobody_pays_for_a_model(books: Store) -> None:
    """Asked about one, or by one, there is no revenue to set against it."""
    sold(books)
    found = asked(books, HALF, by=("model",), **MONTH)
    assert found["rows"][0]["before"]["revenue_usd"] is None
    assert found["before"]["revenue_usd"] == "200"
    alone = asked(books, HALF, where={"model": frozenset({"small"})}, **MONTH)
    assert (alone["before"]["revenue_usd"], alone["profit"]) == (None, None)
    customer = asked(books, HALF, by=("customer",), **MONTH)
    assert {line["customer"]: line["before"]["revenue_usd"] for line in customer["rows"]} == {None: "0", "c1": "200"}


def test_what_cannot_be_supposed_of_a_plan_is_refused(books: Store) -> None:
    """One that nobody wrote, a price for what was free, more of nobody knows how many."""
    sold(books)
    free = {"id": "free", "name": "Free", "price": "0", "policy": "x"}
    books.tell(lambda connection: plans.write(connection, "free", free, at=make.SINCE, by="ada"))
    with pytest.raises(NotFound):
        asked(books, Scenario(plans=(PlanChange(plan="x", price=Decimal(1)),)))
    with pytest.raises(InvalidInput, match="is free"):
        asked(books, Scenario(plans=(PlanChange(plan="free", price=Decimal(1)),)))
    with pytest.raises(InvalidInput, match="how many"):
        asked(books, Scenario(plans=(PlanChange(plan="free", subscribers=1),)))
    with pytest.raises(NotFound):
        asked(books, Scenario(swaps=(Swap(to="direct:acme/nobody"),)))


def test_another_exchange_rate(books: Store) -> None:
    """A dearer euro: plans sold in it bring in more dollars, and tokens paid in dollars cost fewer of it."""
    with books.write() as connection:
        euro(connection, "1.25")
    sold(books, "EUR")
    scenario = Scenario(prices=(Repricing(percent=Decimal(100)),), fx=Currency("EUR", Decimal("1.5")))
    found = asked(books, scenario, reporting_currency="EUR", **MONTH)
    assert terms(found) == {"price": "3", "fx": "0"}
    assert (found["before"]["revenue_usd"], found["after"]["revenue_usd"]) == ("200", "240")
    reporting = found["reporting"]
    assert [(one["term"], one["amount"]) for one in reporting["terms"]] == [("price", "2.4"), ("fx", "-0.8")]
    assert (reporting["token_cost_before"], reporting["token_cost_after"], reporting["difference"]) == (
        "2.4",
        "4",
        "1.6",
    )
    with pytest.raises(InvalidInput, match="reporting_currency"):
        asked(books, scenario, reporting_currency="GBP")
    with pytest.raises(NotFound):
        asked(books, reporting_currency="GBP")


def test_too_many_orders_are_refused(books: Store) -> None:
    """Nine changes have 512 states; one after the other they are ten."""
    scenario = Scenario(
        volume=Fraction(1), swaps=(Swap(to=OFFER),), intensities=(Intensity(),),
        caches=(Caching(hit_share=Fraction(0)),), prices=(Repricing(percent=Decimal(0)),),
        discounts=(Discount(share=Fraction(0)),),
        fees=(ChannelFee(channel="direct", share=Fraction(0)),), plans=(PlanChange(plan="pro", price=Decimal(20)),),
        fx=Currency("EUR", Decimal(1)),
    )  # fmt: skip
    with books.write() as connection:
        euro(connection, "1")
    sold(books)
    with pytest.raises(InvalidInput, match="too many orders"):
        asked(books, scenario, method="shapley")
    assert set(terms(asked(books, scenario)).values()) == {"0"}
