"""How many tokens a plan may include per customer and period, so that its margin holds; five rules for "holds".

A quota is a cap on tokens that keeps ``usd_per_token * tokens`` within the plan's token budget: for every single
customer, on average, or for all subscribers together with a stated risk of missing. Budgets and prices are exact;
what is spread is estimated in floats, and a quota is the largest whole number of tokens that still fits.

Subscribers are not independent: one launch moves all of them at once. So use is ``G * V``, a factor common to all
of mean 1 times a customer's own, and more subscribers make only the second part certain.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import exp, floor, isinf, log1p, sqrt
from random import Random
from statistics import NormalDist
from typing import NamedTuple

from planner.core.errors import InvalidInput
from planner.core.spread import Observed, Spread
from planner.core.usage import COUNT_MAX

SIGMA_G = 0.2
SIGMA_G_MAX = 2.0
ALPHA_MIN, ALPHA_MAX = 0.0001, 0.5
FEW_USERS = 200
RESAMPLES = 100
_NORMAL = NormalDist()

# The trapezoidal rule over a normal density converges as fast as Gauss-Hermite does, without any roots to find:
# at a quarter of a deviation its error lies below the precision of a float, for a smooth integrand.
_STEP, _REACH = 0.25, 32
_NODES = tuple(_STEP * step for step in range(-_REACH, _REACH + 1))
_MASS = sum(exp(-node * node / 2) for node in _NODES)
_WEIGHTS = tuple(exp(-node * node / 2) / _MASS for node in _NODES)


class Load(NamedTuple):
    """Tokens per subscriber, over all subscribers of one period: the mean, and how far a period strays from it."""

    mean_tokens: float
    sd_tokens: float

    def within(self, tokens: float) -> float:
        """Return the probability that a period stays within so many tokens per subscriber."""
        if not self.sd_tokens:
            return 1.0 if self.mean_tokens <= tokens else 0.0
        return _NORMAL.cdf((tokens - self.mean_tokens) / self.sd_tokens)

    def at_risk(self, alpha: float) -> float:
        """Return the tokens per subscriber that all but a share ``alpha`` of the periods stay within."""
        return self.mean_tokens + _NORMAL.inv_cdf(1 - alpha) * self.sd_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Portfolio:
    """The subscribers of a plan: how many, how unevenly they use it, and how far all of them move together.

    ``sigma_g`` is the standard deviation of the lognormal factor common to all, whose mean is 1; 0 makes subscribers
    independent.
    """

    spread: Spread
    subscribers: int
    sigma_g: float = SIGMA_G
    _factors: tuple[tuple[float, float], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse a plan without subscribers, and factors nobody can plan with."""
        if self.subscribers < 1:
            raise InvalidInput("subscribers", "at least one is needed")
        if not 0 <= self.sigma_g <= SIGMA_G_MAX:
            raise InvalidInput("sigma_g", f"from 0 to {SIGMA_G_MAX:g} is needed")
        spread = sqrt(log1p(self.sigma_g**2))
        nodes = zip(_NODES, _WEIGHTS, strict=True) if spread else ((0.0, 1.0),)
        object.__setattr__(
            self, "_factors", tuple((exp(spread * node - spread**2 / 2), weight) for node, weight in nodes)
        )

    def load(self, cap_tokens: float) -> Load:
        """Return the mean load per subscriber under a cap, and its standard deviation.

        The variance is that of the mean given the common factor, plus the mean of the variance given it, which
        alone shrinks with the number of subscribers.
        """
        mean = square = own = 0.0
        for factor, weight in self._factors:
            # min(gV, Q) = g min(V, Q/g)
            given = factor * self.spread.capped_mean(cap_tokens / factor)
            whole = factor * factor * self.spread.capped_square(cap_tokens / factor)
            mean += weight * given
            square += weight * given * given
            own += weight * max(0.0, whole - given * given)
        together = max(0.0, square - mean * mean) if self.sigma_g else 0.0
        return Load(mean, sqrt(together + own / self.subscribers))

    def share_above(self, cap_tokens: float) -> float:
        """Return the share of customers who reach a cap."""
        return sum(weight * self.spread.share_above(cap_tokens / factor) for factor, weight in self._factors)


def check_alpha(alpha: float) -> None:
    """Refuse a risk that is none, or that is a coin's.

    Raises:
        InvalidInput: it lies outside of 0.0001 to 0.5.
    """
    if not ALPHA_MIN <= alpha <= ALPHA_MAX:
        raise InvalidInput("alpha", f"from {ALPHA_MIN:g} to {ALPHA_MAX:g} is needed")


def tokens_of(budget_usd: Fraction, usd_per_token: Fraction) -> Fraction:
    """Return how many tokens a budget pays for, exactly.

    Raises:
        InvalidInput: tokens that cost nothing need no quota.
    """
    if usd_per_token <= 0:
        raise InvalidInput("usd_per_token", "above 0 is needed: free tokens need no quota")
    return max(Fraction(), budget_usd / usd_per_token)


def worst_case_quota(tokens: Fraction) -> int:
    """Return the cap at which the margin holds even if every customer reaches it.

    Example:
        >>> worst_case_quota(tokens_of(Fraction("5.12"), Fraction("0.0000012")))
        4266666
    """
    return floor(tokens)


def expected_quota(portfolio: Portfolio, tokens: Fraction) -> int | None:
    """Return the largest cap whose expected load fits; half of all periods will miss. None: no cap is needed."""
    return _largest(lambda cap: portfolio.load(cap).mean_tokens <= tokens, tokens)


def portfolio_quota(portfolio: Portfolio, tokens: Fraction, alpha: float, *, grain: int | None = None) -> int | None:
    """Return the largest cap at which a period misses with a probability of at most ``alpha``. None: none is needed.

    The load of a period is taken as normal, which many subscribers make true; see `bootstrap` for few customers
    observed. A ``grain`` of 1,000 is satisfied with a quota a thousandth too small.
    """
    check_alpha(alpha)
    # What the budget pays for in full cannot miss, whatever the normal curve says of few subscribers.
    return _largest(lambda cap: cap <= tokens or portfolio.load(cap).at_risk(alpha) <= tokens, tokens, grain=grain)


def per_user_quota(spread: Spread, tokens: Fraction, alpha: float) -> int | None:
    """Return the cap at which at most a share ``alpha`` of customers costs more than the budget. None: none is needed.

    Who reaches a cap above the budget costs more than it, so there is nothing between the worst case and no cap.
    """
    check_alpha(alpha)
    quota = worst_case_quota(tokens)
    return None if quota and spread.share_above(quota) <= alpha else quota


def tail_mean(spread: Spread, cap_tokens: float, alpha: float) -> float:
    """Return the mean of ``min(U, cap)`` among the heaviest share ``alpha`` of customers: conditional value at risk."""
    threshold = spread.quantile(1 - alpha)
    if cap_tokens <= threshold:
        return cap_tokens
    return threshold + (spread.capped_mean(cap_tokens) - spread.capped_mean(threshold)) / alpha


def tail_quota(spread: Spread, tail_tokens: Fraction, alpha: float) -> int | None:
    """Return the largest cap at which the heaviest share ``alpha`` uses at most so many tokens on average."""
    check_alpha(alpha)
    return _largest(lambda cap: tail_mean(spread, cap, alpha) <= tail_tokens, tail_tokens)


def _largest(fits: Callable[[int], bool], tokens: Fraction, *, grain: int | None = None) -> int | None:
    """Return the largest cap that fits, 0 where one token is too many; every smaller one fits as well.

    It is looked for around the budget's own tokens.
    """
    if fits(COUNT_MAX):
        return None
    low, high = 0, min(COUNT_MAX, max(1, floor(tokens)))
    while fits(high):
        low, high = high, min(COUNT_MAX, 2 * high)
    while high - low > (1 if grain is None else max(1, low // grain)):
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


class Interval(NamedTuple):
    """Between which quotas nine of ten samples of customers like these would have put it; None is no cap at all."""

    low_tokens: int | None
    high_tokens: int | None


def bootstrap(
    portfolio: Portfolio,
    tokens: Fraction,
    alpha: float,
    *,
    customers: Sequence[Sequence[int]] | None = None,
    seed: int = 1,
) -> Interval | None:
    """Return how far `portfolio_quota` would have strayed had other customers been observed.

    Customers are drawn again, not their requests and not their months: who is heavy is heavy month after month, and
    twelve months of ten customers are no 120 customers. Nothing is drawn from a stated spread, which has no sampling
    error, and None is returned then. The tail beyond the heaviest customer seen stays unseen: below some 200 customers
    use the low end, and expect worse.

    The common factor is in ``portfolio.sigma_g`` alone. Months that are drawn must be at one level
    (`planner.core.distribution.at_one_level`), or what moved all customers in the past would count here as well.

    Args:
        portfolio: the subscribers, with the spread of all observations.
        tokens: what the budget pays for, per subscriber.
        alpha: the share of periods that may miss.
        customers: what each customer used in every month he was observed in; None: the spread has one count of each.
        seed: of the dice.
    """
    if not isinstance(portfolio.spread, Observed):
        return None
    each = [(used,) for used in portfolio.spread.tokens_per_user] if customers is None else customers
    dice = Random(seed)  # noqa: S311  # the same sample every time, no secret
    found: list[int | None] = []
    while len(found) < RESAMPLES:
        drawn = tuple(used for observed in dice.choices(each, k=len(each)) for used in observed)
        if any(drawn):
            others = replace(portfolio, spread=Observed(drawn))
            # No sample knows its quota to a thousandth.
            found.append(portfolio_quota(others, tokens, alpha, grain=1_000))
    found.sort(key=lambda quota: COUNT_MAX if quota is None else quota)
    tail = RESAMPLES // 20
    return Interval(found[tail - 1], found[-tail])


def breakage(portfolio: Portfolio, quota_tokens: int) -> float | None:
    """Return the share of a quota that stays unused, on average; None where there is no quota to use."""
    return 1 - portfolio.load(quota_tokens).mean_tokens / quota_tokens if quota_tokens else None


def credit_liability_usd(credits_usd: Iterable[Fraction], redeemed_share: Fraction) -> Fraction:
    """Return what unexpired credits will still cost: their sum times the share that is expected to be redeemed.

    Example:
        >>> credit_liability_usd([Fraction(120), Fraction(30)], Fraction("0.62"))
        Fraction(93, 1)
    """
    if not 0 <= redeemed_share <= 1:
        raise InvalidInput("redeemed_share", "a share from 0 to 1 is needed")
    return redeemed_share * sum(credits_usd, Fraction())


def uncapped_mean(portfolio: Portfolio) -> float | None:
    """Return the mean load per subscriber without a cap; None where the tail is too heavy to have a mean."""
    mean = portfolio.spread.mean_tokens
    return None if isinf(mean) else mean
