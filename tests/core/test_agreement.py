"""Discounts and fees: which counts when, and what is left of a list price, exactly."""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from planner.core.agreement import CREDIT, OWN_KEY, Contract, Fee, Payment, as_paid, discount, gross_up
from planner.core.errors import NotFound
from planner.core.fx import FxRate, to_usd
from tests import make
from tests.make import NOON, SINCE, rates

LATER = NOON + timedelta(days=1)
NONE: tuple[Fraction, Contract | None] = (Fraction(), None)


def fee(percent: str = "5.5", **parts: object) -> Fee:
    """Make a fee of the broker."""
    stated = {
        "basis": "markup",
        "valid_from": SINCE,
        "valid_to": None,
        "source": "t",
        "source_url": "https://t",
        **parts,
    }
    return Fee(channel="broker", percent=Fraction(percent), **stated)  # type: ignore[arg-type]  # fields by name


def contract(percent: str, model: str | None = None, **parts: object) -> Contract:
    """Make a contract with acme."""
    stated = {"id": 1, "name": "c", "valid_from": SINCE, "valid_to": None, "reference": "r", **parts}
    return Contract(channel="direct", provider="acme", model=model, discount_percent=Fraction(percent), **stated)  # type: ignore[arg-type]  # fields by name


def test_a_fee_counts_for_our_way_of_paying_while_it_is_charged() -> None:
    """5.5 % added to credit makes 1.055; before it began, after it ended, or with another way of paying it is 1."""
    assert gross_up([fee()], "broker", NOON) == Fraction(1055, 1000)
    assert gross_up([fee()], "direct", NOON) == 1
    assert gross_up([fee(valid_from=LATER)], "broker", NOON) == 1
    assert gross_up([fee(valid_to=NOON)], "broker", NOON) == 1
    assert gross_up([fee(payment=OWN_KEY, chosen=False), fee("1")], "broker", NOON) == Fraction(101, 100)


def test_a_fee_of_list_price_is_charged_whatever_the_discount() -> None:
    """Half the price and 5 % of list are 0.55; 5 % on the price, half of 1.05; at 100 % off the fee is left."""
    of_list, markup = fee("5", basis="of_list_price"), fee("5")
    assert gross_up([of_list], "broker", NOON, Fraction(1, 2)) == Fraction(55, 100)
    assert gross_up([markup], "broker", NOON, Fraction(1, 2)) == Fraction(525, 1000)
    assert gross_up([of_list], "broker", NOON, Fraction()) == Fraction(5, 100)


def test_an_allowance_is_averaged_over_the_month_and_never_counted_on_without_a_volume() -> None:
    """5 % above 25,000 a month: nothing at 20,000, 2.5 % at 50,000, the full 5 % where nobody said how much."""
    byok = {"percent": "5", "allowance_usd_per_month": Fraction(25_000)}
    assert fee(**byok, list_usd_per_month=Fraction(20_000)).share == 0  # type: ignore[arg-type]  # fields by name
    assert fee(**byok, list_usd_per_month=Fraction(50_000)).share == Fraction(25, 1000)  # type: ignore[arg-type]
    assert fee(**byok).share == Fraction(5, 100)  # type: ignore[arg-type]


def test_the_contract_for_the_model_counts_and_of_two_equals_the_smaller_discount() -> None:
    """A model's own contract outranks one for all models; dates and ids are exact."""
    general, own = contract("10"), contract("20", "acme/small")
    assert discount([general, own], "direct", "acme", "acme/small", NOON) == (Fraction(1, 5), own)
    assert discount([general, own], "direct", "acme", "acme/large", NOON) == (Fraction(1, 10), general)
    assert discount([contract("10"), contract("5")], "direct", "acme", None, NOON)[0] == Fraction(1, 20)
    for other in (("broker", "acme"), ("direct", "Acme")):
        assert discount([general], *other, "acme/small", NOON) == NONE
    assert discount([contract("10", valid_to=NOON)], "direct", "acme", None, NOON) == NONE
    assert discount([contract("10", valid_from=LATER)], "direct", "acme", None, NOON) == NONE


def test_effective_cost_is_list_price_less_discount_times_fees() -> None:
    """10 % off and 5.5 % on top: 0.9 x 1.055 of the list price."""
    offer = make.offer("broker:acme/small", channel="broker")
    signed = Contract(
        id=1, name="c", channel="broker", provider="acme", model=None, discount_percent=Fraction(10), valid_from=SINCE,
        valid_to=None, reference="r",
    )  # fmt: skip
    catalogue = make.catalogue({offer: rates()}, fees=(fee(),), contracts=(signed,))
    assert catalogue.factor(offer, NOON) == Fraction(9, 10) * Fraction(1055, 1000)


def test_money_of_another_currency_takes_the_rate_of_its_day() -> None:
    """The newest rate on or before the day; none before the first one, and none for another currency."""
    known = [FxRate("EUR", date(2026, 1, 1), Decimal("1.1")), FxRate("EUR", date(2026, 2, 1), Decimal("1.2"))]
    assert to_usd(Decimal(10), "EUR", date(2026, 1, 31), known) == 11
    assert to_usd(Decimal(10), "EUR", date(2026, 2, 1), known) == 12
    assert to_usd(Decimal(10), "USD", date(1999, 1, 1), []) == 10
    for currency, day in (("EUR", date(2025, 12, 31)), ("CHF", date(2026, 2, 1))):
        with pytest.raises(NotFound):
            to_usd(Decimal(10), currency, day, known)


def test_a_fee_is_cut_where_the_way_of_paying_changes() -> None:
    """Credit until the first word, then own keys, then credit again; each part knows whether it counts."""
    own = Payment("broker", OWN_KEY, Fraction(50_000), NOON)
    back = Payment("broker", CREDIT, None, LATER)
    parts = as_paid([fee(), fee("1", payment=OWN_KEY, valid_to=LATER)], [own, back])
    assert [(part.percent, part.valid_from, part.valid_to, part.chosen) for part in parts] == [
        (Fraction(55, 10), SINCE, NOON, True),
        (Fraction(55, 10), NOON, LATER, False),
        (Fraction(55, 10), LATER, None, True),
        (Fraction(1), SINCE, NOON, False),
        (Fraction(1), NOON, LATER, True),
    ]
    assert parts[1].list_usd_per_month == 50_000
    before = as_paid([fee(valid_from=LATER)], [own])
    assert [(part.valid_from, part.valid_to, part.chosen) for part in before] == [(LATER, None, True)]


def test_a_way_of_paying_nobody_knows_a_fee_of_is_charged_like_credit() -> None:
    """Unknown is not free."""
    (first, second) = as_paid([fee()], [Payment("broker", OWN_KEY, None, NOON)])
    assert (first.chosen, second.chosen) == (True, True)
