"""How often an offer fails: never less often than its measurement proves."""

from decimal import Decimal
from fractions import Fraction
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core.uptime import ASSUMED_MINUTES, UNMEASURED, Basis, failure_of, lower_bound
from tests import make

Z = 1.644854
shares = st.fractions(0, 1, max_denominator=10_000)
windows = st.integers(1, 50_000)


def wilson(uptime: float, minutes: int) -> float:
    """The lower Wilson bound by its textbook formula, in floats."""
    centre = uptime + Z * Z / (2 * minutes)
    spread = Z * sqrt(uptime * (1 - uptime) / minutes + Z * Z / (4 * minutes**2))
    return (centre - spread) / (1 + Z * Z / minutes)


@given(shares, windows)
def test_the_bound_is_wilsons_and_rounded_down(uptime: Fraction, minutes: int) -> None:
    """Within the rounding of 1e-9, never above it, and never above what was measured."""
    bound, expected = lower_bound(uptime, minutes), wilson(float(uptime), minutes)
    assert expected - 2e-9 <= float(bound) <= expected + 1e-12 or bound == 0
    assert 0 <= bound <= uptime


@given(shares, windows, windows)
def test_a_shorter_window_proves_less(uptime: Fraction, one: int, other: int) -> None:
    """The bound never falls as the window grows."""
    assert lower_bound(uptime, min(one, other)) <= lower_bound(uptime, max(one, other))


@given(shares, shares, windows)
def test_a_worse_uptime_proves_less(one: Fraction, other: Fraction, minutes: int) -> None:
    """The bound never falls as the uptime grows."""
    assert lower_bound(min(one, other), minutes) <= lower_bound(max(one, other), minutes)


@pytest.mark.parametrize(
    ("uptime", "minutes", "basis", "share"),
    [
        ("1", 1_440, Basis.MEASURED, 1 - lower_bound(Fraction(1), 1_440)),
        ("0", 1_440, Basis.MEASURED, Fraction(1)),
        ("0.99", None, Basis.WINDOW_ASSUMED, 1 - lower_bound(Fraction(99, 100), ASSUMED_MINUTES)),
        (None, 1_440, Basis.UNMEASURED, UNMEASURED),
        ("1", 0, Basis.UNMEASURED, UNMEASURED),
    ],
)
def test_a_failure_share_says_what_it_rests_on(
    uptime: str | None, minutes: int | None, basis: Basis, share: Fraction
) -> None:
    """Measured with its window, measured without, and not measured at all."""
    stated = None if uptime is None else Decimal(uptime)
    offer = make.offer("direct:acme/small", uptime=stated, uptime_minutes=minutes)
    found = failure_of(offer.facts)
    assert (found.basis, found.share) == (basis, share)


def test_silence_is_not_better_than_a_flawless_half_hour() -> None:
    """An offer of which nobody states an uptime counts as worse than one that was up all of the assumed window."""
    assert 1 - lower_bound(Fraction(1), ASSUMED_MINUTES) < UNMEASURED
