"""Quotas that many worlds agree on: between two bounds, and never smaller for more subscribers or more risk taken."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from planner.core.quota import Portfolio, expected_quota, portfolio_quota, worst_case_quota
from planner.core.spread import Lognormal, Observed, Pareto, Spread
from planner.core.usage import COUNT_MAX

SPREADS: st.SearchStrategy[Spread] = st.one_of(
    st.builds(Lognormal, st.integers(10_000, 5_000_000), st.floats(0.3, 2.5)),
    st.builds(Pareto, st.integers(10_000, 5_000_000), st.floats(1.05, 3)),
    st.builds(Observed, st.lists(st.integers(1_000, 50_000_000), min_size=1, max_size=30).map(tuple)),
)
BUDGETS = st.integers(100_000, 20_000_000).map(Fraction)
COUNTS, RISKS, FACTORS = st.integers(1, 10**6), st.floats(0.001, 0.5), st.floats(0, 0.5)
# Floats of so large a load agree to so many digits; a quota on the edge may fall to either side.
EDGE = 1 - 1e-6


def tokens(found: int | None) -> int:
    """Return a quota as a number: no cap is the largest."""
    return COUNT_MAX if found is None else found


@settings(max_examples=60, deadline=None)
@given(spread=SPREADS, budget=BUDGETS, few=COUNTS, many=COUNTS, alpha=RISKS, sigma_g=FACTORS)
def test_more_subscribers_get_no_smaller_quota(
    spread: Spread, budget: Fraction, few: int, many: int, alpha: float, sigma_g: float
) -> None:
    """Their load per head strays less."""
    less, more = (
        tokens(portfolio_quota(Portfolio(spread=spread, subscribers=count, sigma_g=sigma_g), budget, alpha))
        for count in sorted((few, many))
    )
    assert more >= less * EDGE


@settings(max_examples=60, deadline=None)
@given(spread=SPREADS, budget=BUDGETS, count=COUNTS, one=RISKS, other=RISKS, sigma_g=FACTORS)
def test_who_risks_more_may_include_no_less(
    spread: Spread, budget: Fraction, count: int, one: float, other: float, sigma_g: float
) -> None:
    """A month that may miss more often may be fuller."""
    world = Portfolio(spread=spread, subscribers=count, sigma_g=sigma_g)
    safe, bold = (tokens(portfolio_quota(world, budget, alpha)) for alpha in sorted((one, other)))
    assert bold >= safe * EDGE


@settings(max_examples=60, deadline=None)
@given(spread=SPREADS, budget=BUDGETS, count=COUNTS, alpha=RISKS, sigma_g=FACTORS)
def test_a_quota_lies_between_the_worst_case_and_the_mean(
    spread: Spread, budget: Fraction, count: int, alpha: float, sigma_g: float
) -> None:
    """What the budget pays for in full is always included, and never more than it pays for on average."""
    world = Portfolio(spread=spread, subscribers=count, sigma_g=sigma_g)
    found = tokens(portfolio_quota(world, budget, alpha))
    assert worst_case_quota(budget) <= found
    assert found * EDGE <= tokens(expected_quota(world, budget))


@settings(max_examples=60, deadline=None)
@given(spread=SPREADS, budget=BUDGETS, one=FACTORS, other=FACTORS)
def test_a_wider_common_factor_takes_nothing_from_the_mean(
    spread: Spread, budget: Fraction, one: float, other: float
) -> None:
    """A cap cuts good months off and leaves bad ones, so the mean under it falls: only the risk makes a quota smaller.

    So "more common movement, smaller quota" is no law: at a risk of a half the quota grows with it.
    """
    calm, wild = (
        tokens(expected_quota(Portfolio(spread=spread, subscribers=1, sigma_g=sigma), budget))
        for sigma in sorted((one, other))
    )
    assert wild >= calm * EDGE


def test_a_wider_common_factor_shrinks_the_quota_of_many() -> None:
    """10,000 subscribers of the worked case at a risk of 5 %: half a dozen factors, each wider one includes less."""
    found = [
        tokens(
            portfolio_quota(
                Portfolio(spread=Lognormal(500_000, 2.3), subscribers=10_000, sigma_g=sigma),
                Fraction(12_800_000, 3),
                0.05,
            )
        )
        for sigma in (0, 0.05, 0.1, 0.2, 0.3, 0.5)
    ]
    assert found == sorted(found, reverse=True)
    assert found[3] == 37_711_046
