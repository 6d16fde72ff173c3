"""Quotas: the worked case, every spread against its own integral, and the rules against each other."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import exp, inf, log, log1p, sqrt
from random import Random
from statistics import fmean

import pytest

from planner.core import quota
from planner.core.errors import InvalidInput
from planner.core.quota import Load, Portfolio, breakage, expected_quota, portfolio_quota, worst_case_quota
from planner.core.spread import Lognormal, Observed, Pareto, Spread
from planner.core.usage import COUNT_MAX
from tests.quota_months import missed

# Median 500,000 tokens, spread 2.3, $1.20 a million, $20 a plan, 60 % to be kept, $2.88 of fees and other costs.
SERVEGEN = Lognormal(500_000, 2.3)
KAPPA = Fraction("0.0000012")
BUDGET = Fraction("5.12")
TOKENS = quota.tokens_of(BUDGET, KAPPA)


def case(subscribers: int = 10_000, sigma_g: float = 0.0, spread: Spread = SERVEGEN) -> Portfolio:
    """Make the portfolio of the worked case."""
    return Portfolio(spread=spread, subscribers=subscribers, sigma_g=sigma_g)


def margin(load_tokens: float) -> float:
    """Return the margin of the worked case at a load per subscriber."""
    return (20 - 2.88 - load_tokens * float(KAPPA)) / 20


def millions(found: int | None) -> float:
    """Return a quota in millions of tokens, to one place."""
    assert found is not None
    return round(found / 1e6, 1)


def test_without_a_cap_the_plan_loses_its_target() -> None:
    """$8.45 a customer, and 17.6 % of them cost more than the budget."""
    assert round(SERVEGEN.mean_tokens * float(KAPPA), 2) == 8.45
    assert round(SERVEGEN.share_above(float(TOKENS)), 3) == 0.176


def test_the_worst_case_leaves_margin_unused() -> None:
    """4.27 million tokens, at which no month misses and 77.5 % are kept instead of 60."""
    found = worst_case_quota(TOKENS)
    assert found == 4_266_666
    assert round(margin(case().load(found).mean_tokens), 3) == 0.775


def test_the_expected_value_misses_half_of_all_months() -> None:
    """74.0 million tokens keep 60 % on average; one month in twenty keeps less than 58.8 % of 10,000 subscribers."""
    found = expected_quota(case(), TOKENS)
    assert millions(found) == 74.0
    load = case().load(found or 0)
    assert round(margin(load.mean_tokens), 4) == 0.6
    assert abs(load.within(float(TOKENS)) - 0.5) < 1e-6
    assert round(margin(load.at_risk(0.05)), 3) == 0.588
    assert expected_quota(case(), TOKENS * 2) is None


@pytest.mark.parametrize(("subscribers", "quota_mtok"), [(100, 28.3), (1_000, 48.3), (10_000, 63.1), (100_000, 70.1)])
def test_the_quota_grows_with_the_number_of_subscribers(subscribers: int, quota_mtok: float) -> None:
    """At a risk of 5 %, of independent subscribers."""
    assert millions(portfolio_quota(case(subscribers), TOKENS, 0.05)) == quota_mtok


def test_subscribers_that_move_together_need_a_smaller_quota() -> None:
    """With a common factor of 20 %: 37.7 million instead of 63.1, and never more than 8.9 times the worst case."""
    assert millions(portfolio_quota(case(sigma_g=0.2), TOKENS, 0.05)) == 37.7
    limit = portfolio_quota(case(10**9, 0.2), TOKENS, 0.05)
    assert round((limit or 0) / worst_case_quota(TOKENS), 1) == 8.9


def test_simulated_months_miss_as_often_as_was_asked() -> None:
    """1,000 months of 10,000 subscribers: near 5 % at the right quota, about a third at the independent one."""
    world = case(10_000, 0.2)
    right, naive = (portfolio_quota(one, TOKENS, 0.05) or 0 for one in (world, case(10_000)))
    assert 0.03 <= missed(world, right, float(TOKENS), months=1_000, seed=1) <= 0.08
    assert 0.28 <= missed(world, naive, float(TOKENS), months=1_000, seed=1) <= 0.40
    assert missed(world, worst_case_quota(TOKENS), float(TOKENS), months=50, seed=1) == 0


@pytest.mark.parametrize("spread", [Pareto(500_000, 1.05), Observed(tuple(range(100_000, 9_000_000, 70_000)))])
def test_other_spreads_miss_no_more_often(spread: Spread) -> None:
    """A power law, and customers that were seen; a cap near the mean makes it less, since it cuts only bad news off."""
    world = case(1_000, 0.2, spread)
    found = portfolio_quota(world, Fraction(3_000_000), 0.05)
    assert found is not None
    assert 0.01 <= missed(world, found, 3e6, months=1_000, seed=1) <= 0.07


def integral(curve: Callable[[float], float], start: float, end: float, steps: int = 20_000) -> float:
    """Integrate on a logarithmic grid by the midpoint rule."""
    width = (log(end) - log(start)) / steps
    points = (start * exp((step + 0.5) * width) for step in range(steps))
    return sum(curve(point) * point * width for point in points)


@pytest.mark.parametrize(
    "spread",
    [SERVEGEN, Lognormal(2_000, 0.3), Pareto(1_000, 1.0), Pareto(1_000, 2.0), Pareto(1_000, 1.2), Pareto(1_000, 0.5)],
)
@pytest.mark.parametrize("cap", [3_000.0, 4_000_000.0])
def test_a_capped_mean_is_the_integral_of_the_tail(spread: Spread, cap: float) -> None:
    """E[min(U, Q)] is the area under the share above, and E[min(U, Q)^2] that of 2u times it."""
    start = 1e-3
    mean = start + integral(spread.share_above, start, cap)
    square = start**2 + integral(lambda tokens: 2 * tokens * spread.share_above(tokens), start, cap)
    assert spread.capped_mean(cap) == pytest.approx(mean, rel=1e-3)
    assert spread.capped_square(cap) == pytest.approx(square, rel=1e-3)


@pytest.mark.parametrize("spread", [SERVEGEN, Pareto(1_000, 1.5), Observed(tuple(range(1, 1_001)))])
def test_a_quantile_is_exceeded_by_the_rest(spread: Spread) -> None:
    """Half above the median, one in twenty above the 95th of a hundred."""
    for share in (0.5, 0.95):
        assert spread.share_above(spread.quantile(share)) == pytest.approx(1 - share)


def test_a_power_law_below_its_minimum() -> None:
    """A cap that everybody reaches is the load, whatever the exponent; the mean exists above an exponent of 1."""
    pareto = Pareto(1_000, 1.5)
    assert (pareto.capped_mean(10.0), pareto.capped_square(10.0), pareto.share_above(10.0)) == (10.0, 100.0, 1.0)
    assert (pareto.mean_tokens, Pareto(1_000, 1.0).mean_tokens) == (3_000.0, inf)
    assert quota.uncapped_mean(case(spread=pareto)) == 3_000.0
    assert quota.uncapped_mean(case(spread=Pareto(1_000, 1.0))) is None


def test_observed_customers_are_counted_one_by_one() -> None:
    """The mean of min(u, Q) and of its square, by hand."""
    seen = Observed((5, 0, 100, 20))
    for cap in (1.0, 20.0, 50.0, 1_000.0):
        capped = [min(user, cap) for user in (0, 5, 20, 100)]
        assert seen.capped_mean(cap) == fmean(capped)
        assert seen.capped_square(cap) == fmean(one * one for one in capped)
    assert (seen.mean_tokens, seen.share_above(20), seen.quantile(0.01)) == (31.25, 0.25, 0.0)


def test_many_observed_customers_are_their_distribution() -> None:
    """20,000 drawn from the worked case get nearly its quota."""
    dice = Random(7)
    drawn = Observed(tuple(int(dice.lognormvariate(log(500_000), 2.3)) for _ in range(20_000)))
    found = portfolio_quota(case(1_000, spread=drawn), TOKENS, 0.05)
    assert found == pytest.approx(48.3e6, rel=0.1)


def test_the_quadrature_is_the_closed_form() -> None:
    """A lognormal factor times a lognormal customer is a lognormal again."""
    for sigma in (0.1, 0.7, 2.3):
        own = Lognormal(500_000, sigma)
        both = Lognormal(1, sqrt(sigma**2 + log1p(0.04)))
        scale = 500_000 / sqrt(1.04)
        for cap in (1e5, 1e6, 1e8):
            mixed = case(sigma_g=0.2, spread=own)
            assert mixed.load(cap).mean_tokens == pytest.approx(scale * both.capped_mean(cap / scale), rel=1e-9)
            assert mixed.share_above(cap) == pytest.approx(both.share_above(cap / scale), rel=1e-9)


def test_one_subscriber_and_a_load_that_never_strays() -> None:
    """Everybody alike: the load is certain, and so is whether it fits."""
    alike = case(1, spread=Observed((500,)))
    assert alike.load(400) == Load(400.0, 0.0)
    assert (alike.load(400).within(400.0), alike.load(400).within(399.0)) == (1.0, 0.0)
    assert portfolio_quota(alike, Fraction(499), 0.05) == 499
    assert portfolio_quota(alike, Fraction(500), 0.05) is None
    assert expected_quota(alike, Fraction(1, 2)) == 0


def test_per_customer_there_is_the_worst_case_or_no_cap() -> None:
    """17.6 % exceed the budget: more than 5 % may not, 20 % may."""
    assert quota.per_user_quota(SERVEGEN, TOKENS, 0.05) == worst_case_quota(TOKENS)
    assert quota.per_user_quota(SERVEGEN, TOKENS, 0.20) is None
    assert quota.per_user_quota(SERVEGEN, Fraction(0), 0.5) == 0


def test_the_heaviest_customers_are_bounded_by_their_own_budget() -> None:
    """The heaviest 5 % of a thousand use 976 on average without a cap, and what is asked with one."""
    seen = Observed(tuple(range(1, 1_001)))
    assert quota.tail_mean(seen, 2_000.0, 0.05) == pytest.approx(975.5)
    assert quota.tail_mean(seen, 300.0, 0.05) == 300.0
    found = quota.tail_quota(SERVEGEN, TOKENS * 4, 0.05)
    assert found is not None
    assert quota.tail_mean(SERVEGEN, found, 0.05) <= TOKENS * 4 < quota.tail_mean(SERVEGEN, found + 2, 0.05)


def test_a_quota_is_the_largest_that_fits() -> None:
    """A thousand tokens more would not, for either rule that searches; a float holds no less of so large a load."""
    world = case(1_000, 0.2)
    mean, risky = expected_quota(world, TOKENS), portfolio_quota(world, TOKENS, 0.05)
    assert mean is not None
    assert risky is not None
    assert world.load(mean).mean_tokens <= TOKENS < world.load(mean + 1_000).mean_tokens
    assert world.load(risky).at_risk(0.05) <= TOKENS < world.load(risky + 1_000).at_risk(0.05)


def test_few_observed_customers_say_how_little_they_know() -> None:
    """Of 60 the quota may as well have been half; of a stated spread nothing is drawn; idle samples are drawn again."""
    dice = Random(3)
    few = Observed(tuple(int(dice.lognormvariate(log(500_000), 2.3)) for _ in range(60)))
    world = case(1_000, spread=few)
    scarce = Fraction(round(few.mean_tokens / 2))
    interval = quota.bootstrap(world, scarce, 0.05)
    assert interval == quota.bootstrap(world, scarce, 0.05)
    found = portfolio_quota(world, scarce, 0.05)
    assert interval is not None
    assert interval.low_tokens is not None
    assert found is not None
    assert interval.low_tokens < found
    assert interval.high_tokens is None or interval.high_tokens > found
    assert quota.bootstrap(case(), TOKENS, 0.05) is None
    assert quota.bootstrap(case(spread=Observed((0, 0, 0, 9))), Fraction(100), 0.05) == (None, None)


def test_what_is_not_used_is_breakage() -> None:
    """At 37.7 million hardly a fifteenth of the quota is used; a quota of nothing has none."""
    unused = breakage(case(sigma_g=0.2), 37_711_046)
    assert unused is not None
    assert 0.9 < unused < 0.93
    assert breakage(case(), 0) is None
    alike = case(spread=Observed((250,)))
    assert breakage(alike, 1_000) == 0.75


def test_credits_cost_what_of_them_is_redeemed() -> None:
    """A share of their sum."""
    assert quota.credit_liability_usd([Fraction(10), Fraction(30)], Fraction("0.62")) == Fraction("24.8")
    with pytest.raises(InvalidInput):
        quota.credit_liability_usd([], Fraction(2))


def test_no_budget_no_quota() -> None:
    """Fees and other costs may take everything; free tokens need no quota."""
    assert quota.tokens_of(Fraction(-3), KAPPA) == 0
    with pytest.raises(InvalidInput):
        quota.tokens_of(BUDGET, Fraction(0))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Lognormal(0, 1.0), lambda: Lognormal(1, 0.0), lambda: Lognormal(1, 7.0), lambda: Pareto(0, 1.0),
        lambda: Pareto(1, 0.0), lambda: Pareto(1, 101.0), lambda: Observed(()), lambda: Observed((0,)),
        lambda: Observed((-1, 1)), lambda: Observed((COUNT_MAX + 1,)), lambda: case(0), lambda: case(sigma_g=-0.1),
        lambda: case(sigma_g=2.1), lambda: portfolio_quota(case(), TOKENS, 0.0),
        lambda: portfolio_quota(case(), TOKENS, 0.6),
    ],
)  # fmt: skip
def test_what_is_no_spread_and_no_risk_is_refused(wrong: Callable[[], object]) -> None:
    """Each figure has its bounds."""
    with pytest.raises(InvalidInput):
        wrong()


@pytest.mark.parametrize("spread", [Lognormal(COUNT_MAX, 6.0), Pareto(COUNT_MAX, 100.0), Pareto(1, 0.1)])
def test_the_widest_spreads_stay_within_a_float(spread: Spread) -> None:
    """No overflow at the ends of what is taken."""
    world = replace(case(1, 2.0), spread=spread)
    assert portfolio_quota(world, Fraction(1_000), 0.0001) is not None
    assert quota.tail_quota(spread, Fraction(1_000), 0.0001) is not None


def test_a_portfolio_includes_what_the_budget_pays_for_in_full() -> None:
    """Three who use far more than a cap cannot use more than it, though a normal load could."""
    few = Portfolio(spread=Observed((10**7, 2 * 10**7, 3 * 10**7)), subscribers=3)
    assert portfolio_quota(few, Fraction(1_000_000), 0.05) == 1_000_000
    assert portfolio_quota(few, Fraction(0), 0.05) == 0
