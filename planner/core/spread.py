"""How unevenly the customers of a plan use tokens, and what of it a cap lets through.

Tokens per customer and period are spread over orders of magnitude, so a mean says little: every question about a
quota is one about ``min(U, cap)``. These are statistics of estimates, in floats; money stays exact elsewhere.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from math import ceil, erfc, exp, expm1, inf, log, sqrt
from statistics import NormalDist
from typing import Protocol

from planner.core.errors import InvalidInput
from planner.core.usage import COUNT_MAX

SIGMA_MAX = 6.0
EXPONENT_MIN, EXPONENT_MAX = 0.1, 100.0


class Spread(Protocol):
    """How many tokens a customer drawn at random uses in a period."""

    @property
    def mean_tokens(self) -> float:
        """The mean without a cap; infinite where the tail is that heavy."""
        ...

    def capped_mean(self, cap_tokens: float) -> float:
        """Return the mean of ``min(U, cap)``."""
        ...

    def capped_square(self, cap_tokens: float) -> float:
        """Return the mean of ``min(U, cap)`` squared."""
        ...

    def share_above(self, cap_tokens: float) -> float:
        """Return the share of customers who use more than a cap, above 0."""
        ...

    def quantile(self, share: float) -> float:
        """Return the tokens that a share of customers does not exceed; the share lies between 0 and 1."""
        ...


@dataclass(frozen=True, slots=True)
class Lognormal:
    """A lognormal spread: its median in tokens, and the standard deviation of the logarithm.

    Source:
        ServeGen (Alibaba, arXiv 2505.09999) measured a spread of the logarithm of 2.3 between users.

    Example:
        >>> round(Lognormal(500_000, 2.3).share_above(4_266_666), 3)
        0.176
    """

    median_tokens: int
    sigma: float

    def __post_init__(self) -> None:
        """Refuse what is no such spread."""
        if not 1 <= self.median_tokens <= COUNT_MAX:
            raise InvalidInput("median_tokens", "at least one token is needed")
        if not 0 < self.sigma <= SIGMA_MAX:
            raise InvalidInput("sigma", f"above 0 and at most {SIGMA_MAX:g} is needed")

    @property
    def mean_tokens(self) -> float:
        """The mean without a cap."""
        return self.median_tokens * exp(self.sigma**2 / 2)

    def capped_mean(self, cap_tokens: float) -> float:
        """Return the mean of ``min(U, cap)``."""
        deviations = self._deviations(cap_tokens)
        return self.mean_tokens * _below(deviations - self.sigma) + cap_tokens * _below(-deviations)

    def capped_square(self, cap_tokens: float) -> float:
        """Return the mean of ``min(U, cap)`` squared."""
        deviations = self._deviations(cap_tokens)
        square = float(self.median_tokens) ** 2 * exp(2 * self.sigma**2)
        return square * _below(deviations - 2 * self.sigma) + cap_tokens**2 * _below(-deviations)

    def share_above(self, cap_tokens: float) -> float:
        """Return the share of customers who use more than a cap, above 0."""
        return _below(-self._deviations(cap_tokens))

    def quantile(self, share: float) -> float:
        """Return the tokens that a share of customers does not exceed."""
        return self.median_tokens * exp(self.sigma * NormalDist().inv_cdf(share))

    def _deviations(self, tokens: float) -> float:
        return log(tokens / self.median_tokens) / self.sigma


def _below(deviations: float) -> float:
    # erfc keeps its digits far out in the tail, where 1 - erf has none left.
    return erfc(-deviations / sqrt(2)) / 2


@dataclass(frozen=True, slots=True)
class Pareto:
    """A power law: nobody uses less than ``minimum_tokens``, and the share above x falls as x to the -``exponent``.

    Example:
        >>> round(Pareto(1_000, 1.0).capped_mean(10_000)), Pareto(1_000, 1.0).mean_tokens
        (3303, inf)
    """

    minimum_tokens: int
    exponent: float

    def __post_init__(self) -> None:
        """Refuse what is no such spread."""
        if not 1 <= self.minimum_tokens <= COUNT_MAX:
            raise InvalidInput("minimum_tokens", "at least one token is needed")
        if not EXPONENT_MIN <= self.exponent <= EXPONENT_MAX:
            raise InvalidInput("exponent", f"from {EXPONENT_MIN:g} to {EXPONENT_MAX:g} is needed")

    @property
    def mean_tokens(self) -> float:
        """The mean without a cap; infinite up to an exponent of 1."""
        return inf if self.exponent <= 1 else self.minimum_tokens * self.exponent / (self.exponent - 1)

    def capped_mean(self, cap_tokens: float) -> float:
        """Return the mean of ``min(U, cap)``."""
        if cap_tokens <= self.minimum_tokens:
            return cap_tokens
        return self.minimum_tokens * (1 + _grown(log(cap_tokens / self.minimum_tokens), 1 - self.exponent))

    def capped_square(self, cap_tokens: float) -> float:
        """Return the mean of ``min(U, cap)`` squared."""
        if cap_tokens <= self.minimum_tokens:
            return cap_tokens**2
        grown = _grown(log(cap_tokens / self.minimum_tokens), 2 - self.exponent)
        return float(self.minimum_tokens) ** 2 * (1 + 2 * grown)

    def share_above(self, cap_tokens: float) -> float:
        """Return the share of customers who use more than a cap, above 0."""
        if cap_tokens <= self.minimum_tokens:
            return 1.0
        return float((self.minimum_tokens / cap_tokens) ** self.exponent)

    def quantile(self, share: float) -> float:
        """Return the tokens that a share of customers does not exceed."""
        return float(self.minimum_tokens * (1 - share) ** (-1 / self.exponent))


def _grown(log_ratio: float, power: float) -> float:
    """Return the integral of x**(power - 1) from 1 to a ratio, exact in the limit of power 0, where it is the log."""
    return expm1(power * log_ratio) / power if power else log_ratio


@dataclass(frozen=True, slots=True)
class Observed:
    """What customers were seen to use in a period, one count each.

    Example:
        >>> Observed((100, 300, 5_000)).capped_mean(1_000)
        466.6666666666667
    """

    tokens_per_user: tuple[int, ...]
    _sums: tuple[int, ...] = field(init=False, repr=False)
    _squares: tuple[int, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Order the counts, and refuse those nobody uses anything in."""
        users = tuple(sorted(self.tokens_per_user))
        if not users or users[0] < 0 or not 0 < users[-1] <= COUNT_MAX:
            raise InvalidInput("tokens_per_user", "one count of tokens per customer is needed, not all of them 0")
        object.__setattr__(self, "tokens_per_user", users)
        object.__setattr__(self, "_sums", tuple(accumulate(users, initial=0)))
        object.__setattr__(self, "_squares", tuple(accumulate((user * user for user in users), initial=0)))

    @property
    def mean_tokens(self) -> float:
        """The mean without a cap."""
        return self._sums[-1] / len(self.tokens_per_user)

    def capped_mean(self, cap_tokens: float) -> float:
        """Return the mean of ``min(U, cap)``."""
        return self._capped(self._sums, cap_tokens, cap_tokens)

    def capped_square(self, cap_tokens: float) -> float:
        """Return the mean of ``min(U, cap)`` squared."""
        return self._capped(self._squares, cap_tokens, cap_tokens**2)

    def share_above(self, cap_tokens: float) -> float:
        """Return the share of customers who use more than a cap."""
        return 1 - bisect_right(self.tokens_per_user, cap_tokens) / len(self.tokens_per_user)

    def quantile(self, share: float) -> float:
        """Return the tokens that a share of customers does not exceed."""
        return float(self.tokens_per_user[max(0, ceil(share * len(self.tokens_per_user)) - 1)])

    def _capped(self, sums: Sequence[int], cap_tokens: float, at_cap: float) -> float:
        below = bisect_right(self.tokens_per_user, cap_tokens)
        return (sums[below] + (len(self.tokens_per_user) - below) * at_cap) / len(self.tokens_per_user)
