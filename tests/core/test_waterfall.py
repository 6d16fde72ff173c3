"""Why an invoice differs from a ledger: each cause alone as counted by hand, and together to the last digit."""

from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core.fx import FxRate
from planner.core.invoice import InvoiceLine, Kind
from planner.core.units import Unit
from planner.core.waterfall import QUANTITIES, Booked, Pair, Stated, Terms, explain, indistinct, stated_terms, within

RATES = (FxRate("EUR", date(2026, 8, 1), Decimal("1.2")),)


def line(**more: Any) -> InvoiceLine:
    """Make a line of a million tokens at two and a half dollars, unless it says something else."""
    said = {
        "source": "bill", "id": "1", "kind": Kind.USAGE, "amount": Decimal("2.5"), "currency": "USD",
        "start": datetime(2026, 9, 1, tzinfo=UTC), "provider": "acme", "unit": Unit.INPUT, "quantity": 1_000_000,
    }  # fmt: skip
    return InvoiceLine(**{**said, **more})


def stated(quantity: int | None, amount: int, listed: int | None = None) -> Stated:
    """State an amount in our own currency."""
    return Stated(quantity, listed, amount, 0, amount, amount)


def ours(quantity: int, net: int, listed: int | None = None, **more: Any) -> Booked:
    """Book an amount without a fee."""
    return Booked(quantity=quantity, listed=net if listed is None else listed, net=net, paid=net, **more)


def one(pair: Pair) -> dict[str, int]:
    """Explain one key, and return the terms that are not 0."""
    (terms,) = explain([pair])
    return causes(terms)


def causes(terms: Terms) -> dict[str, int]:
    """Return the terms that are not 0."""
    return {name: pico for name, pico in terms._asdict().items() if pico}


# --- one line in dollars ----------------------------------------------------------------------------------


def test_a_line_in_dollars_is_what_it_says() -> None:
    """In 1e-12 USD, with its list price where it states one."""
    assert Stated.of(line(), ()) == Stated(
        1_000_000, None, 2_500_000_000_000, 0, 2_500_000_000_000, 2_500_000_000_000
    )  # fmt: skip
    listed = Stated.of(line(list_amount=Decimal(3)), ())
    assert listed is not None
    assert (listed.listed, listed.rate) == (3 * 10**12, (True, Fraction(3_000_000)))


def test_a_line_of_another_currency_has_its_own_rate_and_ours() -> None:
    """Without one, the other stands for both; without either it is in no sum."""
    euros = line(currency="EUR", amount=Decimal(1), usd_per_unit=Decimal("1.25"))
    both = Stated.of(euros, RATES)
    assert both is not None
    assert (both.amount, both.booked) == (1_250_000_000_000, 1_200_000_000_000)
    only_theirs, only_ours = Stated.of(euros, ()), Stated.of(line(currency="EUR", amount=Decimal(1)), RATES)
    assert only_theirs is not None
    assert only_ours is not None
    assert (only_theirs.booked, only_ours.amount) == (1_250_000_000_000, 1_200_000_000_000)
    assert Stated.of(line(currency="GBP"), RATES) is None


@pytest.mark.parametrize(
    ("amount", "rounded"), [("2.35", 4 * 10**9), ("2.346", 0), ("2.34", 0), ("2.3461", 0), ("2.36", 0)]
)
def test_an_amount_is_rounded_within_half_of_its_last_digit(amount: str, rounded: int) -> None:
    """2,346,000 tokens at a dollar for a million are 2.346; what differs more was not rounded, whatever it was."""
    found = Stated.of(line(amount=Decimal(amount), quantity=2_346_000, unit_price=Decimal(1), per=1_000_000), ())
    assert found is not None
    assert (found.rounded, found.net) == (rounded, 2_346_000_000_000)


def test_lines_of_one_rate_are_added_up() -> None:
    """Counts, list prices and amounts; what one does not state the sum does not."""
    assert stated(2, 6, 8).plus(stated(1, 3, 4)) == stated(3, 9, 12)
    assert stated(None, 6).plus(stated(None, 3)) == stated(None, 9)
    assert (stated(None, 6).rate, stated(2, 6).rate) == ((False, None), (False, Fraction(3)))


def test_lines_that_take_each_other_back_leave_what_they_differ_in() -> None:
    """Ten at list price 30 for 20, taken back at list price for 30: no tokens are left, and 10 less are a discount."""
    taken_back = stated(10, 20, 30).plus(stated(-10, -30, -30))
    assert (taken_back.quantity, taken_back.rate) == (0, (True, Fraction()))
    assert one(Pair(Unit.INPUT, ours(10, 30), [taken_back])) == {"volume": -30, "discount": -10}
    assert one(Pair(Unit.INPUT, None, [taken_back])) == {"missing": -10}


def test_a_line_before_discounts_is_at_list_price() -> None:
    """Where the invoice takes discounts off on lines of their own."""
    found = Stated.of(line(), (), before_discounts=True)
    assert found is not None
    assert found.listed == found.net == 2_500_000_000_000
    assert Stated.of(line(quantity=0), ()) == found._replace(listed=None, quantity=None)


# --- one key ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("booked", "lines", "expected"),
    [
        (ours(100, 300), [stated(100, 300)], {}),
        (None, [stated(100, 300)], {"missing": 300}),
        (ours(100, 300), [], {"extra": -300}),
        (ours(100, 300), [stated(103, 309)], {"volume": 9}),
        (ours(100, 300), [stated(103, 412)], {"volume": 9, "price": 103}),
        (ours(100, 300), [stated(100, 255, 300)], {"discount": -45}),
        (ours(100, 255, 300), [stated(100, 255, 300)], {}),
        # Negotiated and not granted: what we booked at 15 % off is billed in full.
        (ours(100, 255, 300), [stated(100, 300, 300)], {"discount": 45}),
        # All at once: 10 more, at 4 instead of 3, of which 15 % and not 10 % are taken off.
        (ours(100, 270, 300), [stated(110, 374, 440)], {"volume": 27, "price": 99, "discount": -22}),
        # A correction takes back what another line charged.
        (ours(100, 300), [stated(110, 330), stated(-10, -30)], {}),
        # Counted without a price: nothing else can be said. Counted in part: at the price of the others.
        (Booked(unpriced=50), [stated(50, 200)], {"unpriced": 200}),
        (ours(100, 300, unpriced=50), [stated(150, 450)], {"unpriced": 150}),
        (ours(100, 300, unpriced=50), [stated(None, 450)], {"residual": 150}),
        # No quantity on either side, or on one: only a discount shows.
        (ours(100, 300), [stated(None, 330)], {"residual": 30}),
        (ours(100, 300), [stated(None, 297, 330)], {"residual": 30, "discount": -33}),
        (ours(0, 300, whole=True), [stated(100, 330)], {"residual": 30}),
        # Charged and taken back, of what the ledger knows a cost and no count of.
        (ours(0, 300), [stated(10, 30), stated(-10, -30)], {"volume": -300}),
        # Free, and billed all the same.
        (ours(100, 0), [stated(100, 7)], {"price": 7}),
        (ours(100, 0, 300), [stated(100, 7)], {"price": 7}),
        # Some lines state a list price and some do not.
        (ours(100, 270, 300), [stated(50, 150, 150), stated(50, 135)], {"discount": 15}),
    ],
)
def test_a_key_is_explained_as_by_hand(booked: Booked | None, lines: list[Stated], expected: dict[str, int]) -> None:
    """(T_inv - T_led) * p_led is volume, (p_inv - p_led) * T_inv is price, and so on in their order."""
    assert one(Pair(Unit.INPUT, booked, lines)) == expected


def test_a_fee_that_was_booked_and_not_billed_is_a_fee() -> None:
    """It is apart from the price, and a line of fees stands against it."""
    booked = Booked(quantity=100, listed=300, net=300, paid=316)
    assert one(Pair(Unit.INPUT, booked, [stated(100, 300)])) == {"fee": -16}
    assert one(Pair(Unit.INPUT, booked, [])) == {"extra": -300, "fee": -16}


def test_another_rate_of_our_own_card_is_a_band() -> None:
    """Of all of the quantity or of one line; any other price is a price."""
    known = frozenset({Fraction(3), Fraction(6)})
    whole = Pair(Unit.INPUT, ours(100, 300), [stated(100, 600)], known)
    part = Pair(Unit.INPUT, ours(100, 300), [stated(60, 180), stated(40, 240)], known)
    assert (one(whole), one(part)) == ({"band": 300}, {"band": 120})
    listed = Pair(Unit.INPUT, ours(100, 270, 300), [stated(100, 510, 600)], known)
    assert one(listed) == {"band": 270, "discount": -30}
    assert one(Pair(Unit.INPUT, ours(100, 300), [stated(100, 500)], known)) == {"price": 200}


def test_a_cost_in_bounds_explains_what_lies_within_them() -> None:
    """Where the ledger could not tell the band, the invoice does; beyond the bounds it is a price."""
    booked = ours(100, 300, spread=50)
    assert one(Pair(Unit.INPUT, booked, [stated(100, 340)])) == {"band": 40}
    assert one(Pair(Unit.INPUT, booked, [stated(100, 360)])) == {"price": 60}


def test_what_an_invoice_multiplies_wrong_is_residual() -> None:
    """Its own quantity at its own price is not what it charges: no fact says why."""
    wrong = Stated(100, None, 330, 0, 400, 400)
    assert one(Pair(Unit.INPUT, ours(100, 300), [wrong])) == {"price": 30, "residual": 70}
    rounded = Stated(None, None, 330, 5, 335, 335)
    assert one(Pair(Unit.INPUT, ours(100, 330), [rounded])) == {"rounding": 5}


def test_exchange_rates_are_apart_from_everything_else() -> None:
    """What the invoice says at its own rate, and what it costs us at ours."""
    euros = Stated(100, None, 300, 0, 300, 288)
    assert one(Pair(Unit.INPUT, ours(100, 300), [euros])) == {"fx": -12}
    assert one(Pair(Unit.INPUT, None, [euros])) == {"missing": 300, "fx": -12}
    assert one(Pair(Unit.INPUT, Booked(unpriced=1), [euros])) == {"unpriced": 300, "fx": -12}


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.USAGE])
def test_a_line_that_is_no_usage_is_its_own_cause(kind: Kind) -> None:
    """At the rate of the invoice, with the difference of rates beside it."""
    assert causes(stated_terms(kind, Stated(None, None, -9, 0, -9, -8))) == {kind.value: -9, "fx": 1}


# --- prompts ----------------------------------------------------------------------------------------------


def prompts(read: Pair) -> list[dict[str, int]]:
    """Explain a prompt of 100 uncached and 100 read tokens, of which 80 are billed as uncached."""
    uncached = Pair(Unit.INPUT, ours(100, 1_000), [stated(80, 800)])
    return [causes(terms) for terms in explain([uncached, read, Pair(Unit.OUTPUT, ours(9, 90), [stated(10, 100)])])]


def test_the_same_prompts_divided_otherwise_are_a_cache_split() -> None:
    """Only where both sides have as many in all; what was written is another unit."""
    read = Pair(Unit.CACHE_READ, ours(100, 100), [stated(120, 120)])
    assert prompts(read) == [{"cache_split": -200}, {"cache_split": 20}, {"volume": 10}]
    more = Pair(Unit.CACHE_READ, ours(100, 100), [stated(121, 121)])
    assert prompts(more) == [{"volume": -200}, {"volume": 21}, {"volume": 10}]
    unknown = Pair(Unit.CACHE_READ, ours(100, 100), [stated(None, 120)])
    assert prompts(unknown)[:2] == [{"volume": -200}, {"residual": 20}]
    unpriced = Pair(Unit.CACHE_READ, ours(50, 50, unpriced=50), [stated(120, 120)])
    assert prompts(unpriced)[0] == {"volume": -200}


def test_a_part_that_only_the_invoice_has_is_at_our_cards_price() -> None:
    """The ledger saw no cache at all; without a card, it is at the invoice's own price."""

    def explained(base: Fraction | None) -> list[dict[str, int]]:
        uncached = Pair(Unit.INPUT, ours(100, 900, 1_000), [stated(80, 720, 800)])
        read = Pair(Unit.CACHE_READ, None, [stated(20, 27, 30)], base=base)
        return [causes(terms) for terms in explain([uncached, read])]

    assert explained(Fraction(1)) == [{"cache_split": -180}, {"cache_split": 18, "price": 9}]
    assert explained(None) == [{"cache_split": -180}, {"cache_split": 27}]
    gone = [Pair(Unit.INPUT, ours(80, 80), [stated(100, 100)]), Pair(Unit.CACHE_READ, ours(20, 2), [])]
    assert [causes(terms) for terms in explain(gone)] == [{"cache_split": 20}, {"cache_split": -2}]
    free = [Pair(Unit.INPUT, ours(100, 0), [stated(80, 0)]), Pair(Unit.CACHE_READ, None, [stated(20, 5)])]
    assert [causes(terms) for terms in explain(free)] == [{}, {"cache_split": 5}]


# --- all of it --------------------------------------------------------------------------------------------

AMOUNTS = st.integers(-(10**15), 10**15)
LINES = st.builds(
    Stated, st.none() | st.integers(-(10**9), 10**9).filter(bool), st.none() | AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS,
    AMOUNTS,
)  # fmt: skip
COUNTS, SUMS = st.integers(0, 10**9), st.integers(0, 10**15)
BOOKED = st.builds(Booked, COUNTS, COUNTS, SUMS, SUMS, SUMS, SUMS, st.booleans())
KNOWN = st.frozensets(st.fractions(0, 10**7, max_denominator=1_000), max_size=3)
PAIRS = st.builds(
    Pair, st.sampled_from([*Unit]), st.none() | BOOKED, st.lists(LINES, max_size=3), KNOWN,
    st.none() | st.fractions(0, 10**7, max_denominator=1_000),
)  # fmt: skip


@given(pairs=st.lists(PAIRS, max_size=5))
def test_the_terms_are_the_difference_whatever_is_said(pairs: list[Pair]) -> None:
    """Invoice less ledger, to the last digit, of every key, also of figures that no invoice ever had."""
    for pair, terms in zip(pairs, explain(pairs), strict=True):
        paid = 0 if pair.ours is None else pair.ours.paid
        assert terms.total == sum(line_.booked for line_ in pair.theirs) - paid


@given(
    tokens=st.lists(st.integers(1, 10**7), min_size=4, max_size=4), rate=st.integers(1, 10**7),
    share=st.integers(1, 100), wrong=st.booleans(),
)  # fmt: skip
def test_divided_prompts_add_up_too(tokens: list[int], rate: int, share: int, wrong: bool) -> None:
    """Whichever parts there are, and at whatever discount."""
    units = (Unit.INPUT, Unit.CACHE_READ, Unit.CACHE_WRITE_5M, Unit.CACHE_WRITE_1H)
    told = [*tokens[1:], tokens[0]]
    pairs = [
        Pair(unit, ours(had, had * rate * share // 100, had * rate), [stated(has, has * rate + wrong)])
        for unit, had, has in zip(units, tokens, told, strict=True)
    ]
    found = explain(pairs)
    assert sum(terms.total for terms in found) == sum(
        pair.theirs[0].booked - (pair.ours or Booked()).paid for pair in pairs
    )
    assert all(terms.volume == 0 for terms in found)


def test_what_cannot_be_told_apart_is_named() -> None:
    """Without quantities nearly everything; without a list price, a price from a discount."""
    booked = ours(100, 300)

    def named(*lines: Stated) -> tuple[str, ...]:
        pair = Pair(Unit.INPUT, booked, list(lines))
        return indistinct(pair, explain([pair])[0])

    assert named(stated(None, 330)) == (*QUANTITIES, "discount")
    assert named(stated(None, 297, 330)) == QUANTITIES
    assert named(stated(100, 330)) == ("price", "discount")
    assert named(stated(100, 300)) == named(stated(100, 270, 300)) == named() == ()
    assert indistinct(Pair(theirs=[stated(1, 1)]), Terms()) == ()


def test_a_difference_is_small_by_its_share_or_at_all() -> None:
    """Half a percent of the larger side, or a cent: exactly that is still small."""
    assert within(5, (1_000, 995), Fraction(5, 1_000), 0)
    assert not within(6, (1_000, 994), Fraction(5, 1_000), 0)
    assert within(-6, (1_000, 994), Fraction(5, 1_000), 6)
