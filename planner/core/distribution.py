"""How what customers used is spread over them: exact percentiles, Gini, and what the heaviest share of them used."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import accumulate, pairwise
from math import ceil, expm1, log, sqrt
from statistics import fmean, pvariance

SIGMA_G_MIN = 0.05
"""No history of a few months has seen whatever may move all customers: less than this is not believed."""
MONTHS_MIN = 6
"""Months that are needed before a common factor is measured rather than assumed."""
# A fit settles in two rounds where the same customers are there in all months, in a few dozen where many come and go.
_ROUNDS, _SETTLED = 100, 1e-6


@dataclass(frozen=True, slots=True)
class Distribution:
    """Whole numbers, one per customer and period, none below 0: tokens, or 1e-12 USD. All statistics are exact.

    Example:
        >>> seen = Distribution((0, 1, 1, 2, 96))
        >>> seen.mean, seen.percentile(Fraction(1, 2)), seen.gini, seen.top_share(Fraction(1, 5))
        (Fraction(20, 1), 1, Fraction(193, 250), Fraction(24, 25))
    """

    values: tuple[int, ...]
    _sums: tuple[int, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Put them in order."""
        ordered = tuple(sorted(self.values))
        object.__setattr__(self, "values", ordered)
        object.__setattr__(self, "_sums", tuple(accumulate(ordered, initial=0)))

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.values)

    @property
    def total(self) -> int:
        """Their sum."""
        return self._sums[-1]

    @property
    def mean(self) -> Fraction | None:
        """The mean; None of none."""
        return Fraction(self.total, self.count) if self.count else None

    @property
    def largest(self) -> int | None:
        """The largest; None of none."""
        return self.values[-1] if self.values else None

    def percentile(self, share: Fraction) -> int | None:
        """Return the smallest value that at least this share of all does not exceed: the nearest rank.

        It is one that somebody really used, never one between two of them. A share of 0 gives the smallest value; None
        of none.

        Args:
            share: from 0 to 1, as 19/20 for the 95th percentile.
        """
        return self.values[max(0, ceil(share * self.count) - 1)] if self.values else None

    @property
    def gini(self) -> Fraction | None:
        """The Gini coefficient: 0 where all used the same, (n - 1) / n where one used everything; None of no use.

        It is half the mean difference between any two (with each also against itself) over the mean.
        """
        if not self.total:
            return None
        ranked = sum((2 * rank - self.count - 1) * value for rank, value in enumerate(self.values, 1))
        return Fraction(ranked, self.count * self.total)

    def top_share(self, share: Fraction) -> Fraction | None:
        """Return which part of all was used by the heaviest share; their number is rounded up. None of no use."""
        heaviest = ceil(share * self.count)
        return Fraction(self.total - self._sums[self.count - heaviest], self.total) if self.total else None

    def share_above(self, bound: Fraction) -> Fraction | None:
        """Return which share used more than a bound; None of none."""
        above = self.count - bisect_right(self.values, bound)
        return Fraction(above, self.count) if self.count else None


def at_one_level(months: Sequence[Mapping[str, int]]) -> dict[str, tuple[int, ...]]:
    """Return what each customer used in every month, with what moves all customers taken out of it.

    Months differ by a factor common to all, which is no customer's own. Every month is divided by that factor, and all
    of them brought back to the overall mean: a spread made of these has no common factor in it. Whoever adds one
    (`planner.core.quota.Portfolio.sigma_g`) then counts it once. Who joins or leaves moves nobody else: the factor of a
    month is what its customers used in it over what they use at their own levels.

    Args:
        months: tokens by customer, whole months one after the other; who is there and used nothing has 0.

    Returns:
        Tokens by customer, a count per month in which he was there, rounded to whole tokens.

    Example:
        >>> at_one_level([{"a": 10, "b": 30}, {"a": 40, "b": 40}])
        {'a': (15, 30), 'b': (45, 30)}
        >>> at_one_level([{"a": 10, "whale": 970}, {"a": 10}])
        {'a': (10, 10), 'whale': (970,)}
    """
    factors, sums = _common_factors(months), [sum(month.values()) for month in months]
    levelled = sum(used / factor for used, factor in zip(sums, factors, strict=True))
    scale = sum(sums) / levelled if levelled else 1.0
    found = dict[str, list[int]]()
    for month, factor in zip(months, factors, strict=True):
        for customer, tokens in month.items():
            found.setdefault(customer, []).append(round(tokens * scale / factor))
    return {customer: tuple(observed) for customer, observed in found.items()}


def _common_factors(months: Sequence[Mapping[str, int]]) -> list[float]:
    """Fit a level of each customer times a factor of each month, so that the sums of both are those that were used.

    It is the Poisson fit of two effects by proportions in turn. A month without any use tells nothing and has 1.
    """
    factors = [1.0] * len(months)
    for _round in range(_ROUNDS):
        used, weight = dict[str, int](), dict[str, float]()
        for month, factor in zip(months, factors, strict=True):
            if any(month.values()):
                for customer, tokens in month.items():
                    used[customer] = used.get(customer, 0) + tokens
                    weight[customer] = weight.get(customer, 0.0) + factor
        before = factors
        factors = [
            sum(month.values()) / sum(used[one] / weight[one] for one in month) if any(month.values()) else 1.0
            for month in months
        ]
        if all(abs(now - was) <= _SETTLED * was for now, was in zip(factors, before, strict=True)):
            break
    return factors


def sigma_of_common_factor(months: Sequence[Mapping[str, int]]) -> float | None:
    """Return how far all customers move together from month to month, as the deviation of a factor of mean 1.

    From one month to the next the sum over those who were there in both changes by the common factor of both months,
    by growth, and by what each does for himself. Growth is the mean change and taken off. What is each one's own is
    estimated from how unevenly the change is made up, and taken off the variance: with few or uneven customers it is
    most of it. What is left is that of two factors.

    Args:
        months: tokens by customer, whole months one after the other; who is there and used nothing has 0.

    Returns:
        At least `SIGMA_G_MIN`; None where fewer than `MONTHS_MIN` months have use by the same customers.
    """
    changes, own = list[float](), list[float]()
    for before, after in pairwise(months):
        both = before.keys() & after.keys()
        was, now = sum(before[one] for one in both), sum(after[one] for one in both)
        if was and now:
            changes.append(log(now / was))
            own.append(sum((after[one] / now - before[one] / was) ** 2 for one in both))
    if len(changes) < MONTHS_MIN - 1:
        return None
    count = len(changes)
    variance = pvariance(changes) * count / (count - 1) - fmean(own)
    return max(SIGMA_G_MIN, sqrt(expm1(max(0.0, variance) / 2)))
