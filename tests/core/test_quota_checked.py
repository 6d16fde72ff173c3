"""The table of the worked case, month by simulated month: how often each rule misses, and what a bad month keeps."""

from fractions import Fraction

import numpy as np
import pytest

from planner.core.quota import Portfolio, expected_quota, portfolio_quota, tokens_of
from planner.core.spread import Lognormal
from tests.quota_months import customers, missed

# Median 500,000 tokens, spread 2.3, $1.20 a million, $20 a plan, 60 % to be kept, $2.88 of fees and other costs.
TOKENS = tokens_of(Fraction("5.12"), Fraction("0.0000012"))


def case(subscribers: int) -> Portfolio:
    """Make the portfolio of independent subscribers."""
    return Portfolio(spread=Lognormal(500_000, 2.3), subscribers=subscribers, sigma_g=0.0)


@pytest.mark.parametrize(
    ("subscribers", "least", "most", "fifth_percentile"), [(100, 0.43, 0.50, 0.476), (10_000, 0.47, 0.51, 0.589)]
)
def test_the_expected_value_misses_every_other_month(
    subscribers: int, least: float, most: float, fifth_percentile: float
) -> None:
    """48 to 50 % of months keep less than 60 %, fewer of 100 subscribers; one in twenty less than 47.6 or 58.9 %."""
    world = case(subscribers)
    cap = expected_quota(world, TOKENS)
    assert cap is not None
    dice = np.random.default_rng(1)
    loads = [float(np.minimum(customers(world, dice), cap).mean()) for _month in range(2_000)]
    assert least <= sum(load > float(TOKENS) for load in loads) / len(loads) <= most
    margins = sorted((20 - 2.88 - load * 0.0000012) / 20 for load in loads)
    assert margins[len(margins) // 20] == pytest.approx(fifth_percentile, abs=0.01)


@pytest.mark.parametrize(
    ("subscribers", "months", "miss"), [(100, 8_000, 0.058), (1_000, 4_000, 0.051), (10_000, 2_000, 0.048),
                                        (100_000, 400, 0.043)],
)  # fmt: skip
def test_a_portfolio_misses_as_often_as_it_says(subscribers: int, months: int, miss: float) -> None:
    """5.8, 5.1, 4.8 and 4.3 % of months, for a risk of 5 %: few heavy tails are not quite normal."""
    world = case(subscribers)
    cap = portfolio_quota(world, TOKENS, 0.05)
    assert cap is not None
    assert missed(world, cap, float(TOKENS), months=months, seed=2) == pytest.approx(miss, abs=0.015)
