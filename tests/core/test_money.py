"""Exact dollars: what may come in, and the one place where something is rounded."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core import money
from planner.core.errors import InvalidInput


@pytest.mark.parametrize("text", ["1e9", "+1", " 1", "1.", ".5", "01", "1_000", "\u0661", "NaN", "", "-", "9" * 50])
def test_money_text_is_plain_or_refused(text: str) -> None:
    """Exponents, signs, spaces, other digits and endless numbers are refused."""
    with pytest.raises(InvalidInput):
        money.parse_decimal(text)


@pytest.mark.parametrize("text", ["1e999", "1e31", "x", "1e9999", "9" * 60])
def test_feed_numbers_have_bounds(text: str) -> None:
    """A feed's number beyond 40 digits or 1e±30 is refused before any arithmetic."""
    with pytest.raises(InvalidInput):
        money.parse_feed_decimal(text)


def test_feed_numbers_keep_every_digit() -> None:
    """The finest recorded price survives."""
    assert money.plain(money.parse_feed_decimal("0.000000075000000000000001")) == "0.000000075000000000000001"
    assert money.parse_feed_decimal("7.5E-8") == Decimal("0.000000075")


def test_plain_text_has_no_exponent_and_no_trailing_zeros() -> None:
    """One value has one spelling."""
    assert [money.plain(Decimal(text)) for text in ("7.50E-8", "-0", "100", "1E+3")] == [
        "0.000000075",
        "0",
        "100",
        "1000",
    ]
    with pytest.raises(TypeError):
        money.plain(0.1)  # type: ignore[arg-type]  # the guard is for callers without a type checker


@given(numerator=st.integers(-(10**30), 10**30), denominator=st.integers(1, 10**12))
def test_half_even_is_what_python_rounds_to(numerator: int, denominator: int) -> None:
    """The integer rounding is the rounding of exact fractions, ties to even."""
    assert money.half_even(numerator, denominator) == round(Fraction(numerator, denominator))


def test_amounts_are_written_in_plain_dollars() -> None:
    """Pico-dollars become text with at most twelve places."""
    assert [money.pico_text(n) for n in (62_850_000_000, 0, -1, 2 * 10**12)] == ["0.06285", "0", "-0.000000000001", "2"]
    assert money.usd_text(Fraction(1, 3)) == "0.333333333333"


def test_floors_round_up_and_budgets_down() -> None:
    """Rounded the other way a price floor would miss its margin."""
    assert money.ceiling_text(Fraction(2324724, 100000), 2) == "23.25"
    assert money.ceiling_text(Fraction(5), 2) == "5"
    assert money.floor_text(Fraction(41299, 10000), 2) == "4.12"


def test_ratios_are_shown_half_even() -> None:
    """Four places, the sign in front."""
    assert [money.ratio_text(r) for r in (Fraction(2, 3), Fraction(-1, 4), Fraction(0))] == [
        "0.6667",
        "-0.2500",
        "0.0000",
    ]
