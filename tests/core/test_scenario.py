"""What may be supposed: rules that hold or do not, prices that stay exact, and what nobody can suppose."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core.errors import InvalidInput
from planner.core.price import Band, Rate, RateTable, UnitPrice, When
from planner.core.scenario import (
    NOTHING_ELSE,
    Caching,
    ChannelFee,
    Currency,
    Dimension,
    Discount,
    Heads,
    Intensity,
    PlanChange,
    Repricing,
    Scenario,
    Swap,
    Where,
    first,
)
from planner.core.units import Unit
from tests import make

EVERYTHING = Scenario(
    volume=Fraction(2), swaps=(Swap(to="o"),), intensities=(Intensity(),), caches=(Caching(hit_share=Fraction(0)),),
    prices_at=make.NOON, discounts=(Discount(share=Fraction(0)),), fees=(ChannelFee(channel="c", share=Fraction(0)),),
    plans=(PlanChange(plan="p", price=Decimal(1)),), fx=Currency("EUR", Decimal(1)),
)  # fmt: skip


def test_changes_come_in_one_order() -> None:
    """Volume, mix, token intensity, cache, price, discount, fee, the plan's price, exchange; nothing is nothing."""
    assert EVERYTHING.changed == tuple(Dimension)
    assert [one.value for one in Dimension][:4] == ["volume", "mix", "token_intensity", "cache"]
    assert NOTHING_ELSE.changed == ()
    assert Scenario(plans=(PlanChange(plan="p", subscribers=3),)).changed == (Dimension.VOLUME,)
    assert Scenario(prices=(Repricing(percent=Decimal(0)),)).changed == (Dimension.PRICE,)


def test_a_rule_is_of_what_it_names_byte_for_byte() -> None:
    """The first that holds counts, and one that names nothing holds always."""
    rules = (Swap(where=Where(plan="pro", model="acme/x"), to="1"), Swap(where=Where(plan="pro"), to="2"))
    assert first(rules, Heads(plan="pro", model="acme/x")) == rules[0]
    assert first(rules, Heads(plan="pro", model="acme/X")) == rules[1]
    assert first(rules, Heads(plan="Pro")) is None
    assert first((*rules, Swap(to="3")), Heads()) == Swap(to="3")


def test_a_percentage_moves_every_rate_and_band() -> None:
    """12.5 % more, exactly, of the units that are named or of all; those that are not named stay."""
    table = RateTable({
        Unit.INPUT: UnitPrice(Rate(Decimal("0.15"), 1_000_000), (Band(When(input_tokens_gt=10), make.rate("0.30")),)),
        Unit.OUTPUT: UnitPrice(Rate(Decimal(1), 3_600)),
    })  # fmt: skip
    dearer = Repricing(percent=Decimal("12.5"), units=frozenset({Unit.INPUT})).applied(table)
    assert dearer[Unit.INPUT].base == Rate(Decimal("0.16875"), 1_000_000)
    assert dearer[Unit.INPUT].bands[0].rate.usd == Decimal("0.3375")
    assert dearer[Unit.OUTPUT] == table[Unit.OUTPUT]
    assert Repricing(percent=Decimal(-100)).applied(table)[Unit.OUTPUT].base.usd == 0


def test_rates_that_are_given_take_the_place_of_their_own() -> None:
    """The others stay."""
    table = Repricing(rates=make.rates(None, "7")).applied(make.rates("1", "2"))
    assert (table[Unit.INPUT].base, table[Unit.OUTPUT].base) == (make.rate("1"), make.rate("7"))


@given(st.decimals("-100", "900", places=6), st.decimals("0", "1000", places=20))
def test_a_percentage_is_exact(percent: Decimal, usd: Decimal) -> None:
    """Against fractions; a price of too many digits is refused and never rounded."""
    table = RateTable.flat({Unit.INPUT: Rate(usd, 1_000_000)})
    try:
        found = Repricing(percent=percent).applied(table)[Unit.INPUT].base
    except InvalidInput:
        return
    assert Fraction(found.usd) == Fraction(usd) * (1 + Fraction(percent) / 100)


def test_a_price_of_endless_digits_is_refused() -> None:
    """Forty decimals are the most that any price has."""
    with pytest.raises(InvalidInput, match="decimals"):
        Repricing(percent=Decimal("0." + "0" * 30 + "1")).applied(
            RateTable.flat({Unit.INPUT: Rate(Decimal("0." + "0" * 20 + "1"))})
        )


def test_who_names_a_customer_is_known() -> None:
    """Rows of all others need not be told from each other."""
    assert not EVERYTHING.names_customers
    assert Scenario(caches=(Caching(where=Where(customer="c"), hit_share=Fraction(0)),)).names_customers


@pytest.mark.parametrize(
    ("make_it", "field"),
    [
        (lambda: Intensity(input_factor=Fraction(0)), "input_token_factor"),
        (lambda: Intensity(output_factor=Fraction(10**7)), "output_token_factor"),
        (lambda: Intensity(reasoning_multiplier=Fraction(1, 2)), "reasoning_multiplier"),
        (lambda: Caching(hit_share=Fraction(2)), "hit_share"),
        (lambda: Caching(hit_share=Fraction(1, 2), write_share=Fraction(2, 3)), "write_share"),
        (Repricing, "prices"),
        (lambda: Repricing(percent=Decimal(1), rates=make.rates()), "prices"),
        (lambda: Repricing(percent=Decimal(-101)), "percent"),
        (lambda: Discount(share=Fraction(3, 2)), "percent"),
        (lambda: ChannelFee(channel="c", share=Fraction(-1)), "percent"),
        (lambda: Scenario(volume=Fraction(-1)), "volume"),
        (lambda: Scenario(plans=(PlanChange(plan="p"), PlanChange(plan="p"))), "plans"),
        (lambda: Scenario(fx=Currency("EUR", Decimal(0))), "fx"),
    ],
)
def test_what_nobody_can_suppose_is_refused(make_it: Any, field: str) -> None:
    """By its field."""
    with pytest.raises(InvalidInput) as refused:
        make_it()
    assert refused.value.field == field
