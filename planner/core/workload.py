"""What one task sends: the kinds of its requests, how often a customer sends them, and how they really run."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from math import exp
from statistics import NormalDist
from typing import NamedTuple

from planner.core.errors import InvalidInput
from planner.core.usage import COUNT_MAX, Usage

STRATA = 20
SIGMA_MAX = 6
MULTIPLIER_MAX = 1_000


class Request(NamedTuple):
    """One kind of request of a task, and which share of its requests are of this kind."""

    usage: Usage
    share: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What makes a request cost something else than its bare counts; all shares from 0 to 1.

    ``cache_hit_share`` is the share of a prompt's text that is read from a cache, ``cache_write_share`` the share
    that is written to one, for 5 minutes or, with ``writes_for_an_hour``, for 1 hour. With ``cache_hit_observed`` the
    share a feed observed on an offer goes before the stated one. ``reasoning_multiplier`` is whole output over
    visible output on a model that reasons. ``failed_share`` of the attempts fail and are tried again;
    ``failed_billed_share`` of what a failed attempt would have cost is billed all the same.
    """

    cache_hit_share: Fraction | None = None
    cache_hit_observed: bool = False
    cache_write_share: Fraction = Fraction(0)
    writes_for_an_hour: bool = False
    reasoning_multiplier: Fraction = Fraction(1)
    failed_share: Fraction = Fraction(0)
    failed_billed_share: Fraction = Fraction(1)

    def __post_init__(self) -> None:
        """Refuse shares that are none."""
        shares = ("cache_hit_share", "cache_write_share", "failed_share", "failed_billed_share")
        for name in shares:
            value: Fraction | None = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise InvalidInput(name, "a share from 0 to 1 is needed")
        if (self.cache_hit_share or 0) + self.cache_write_share > 1:
            raise InvalidInput("cache_write_share", "more is read and written than the prompt holds")
        if self.failed_share == 1:
            raise InvalidInput("failed_share", "below 1 is needed: something has to succeed")
        if not 1 <= self.reasoning_multiplier <= MULTIPLIER_MAX:
            raise InvalidInput("reasoning_multiplier", f"from 1 to {MULTIPLIER_MAX} is needed")

    @property
    def cached(self) -> bool:
        """Whether cache reads and writes come from shares, not from the counts."""
        return self.cache_hit_share is not None or self.cache_hit_observed or self.cache_write_share > 0

    @property
    def retry_factor(self) -> Fraction:
        """What every success costs over one attempt; exact, however often a request may be tried again."""
        return 1 + self.failed_billed_share * self.failed_share / (1 - self.failed_share)


PLAIN = Habits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One task as its customers use it: its kinds of requests, and how many requests per billing period.

    The shares of ``requests`` add up to 1. Counts of a request are before `Habits`: where caching comes from
    shares, the counts state no cached tokens; where output is multiplied, they state no reasoning tokens.
    """

    requests: tuple[Request, ...]
    requests_per_period: int = 1
    habits: Habits = field(default=PLAIN)

    def __post_init__(self) -> None:
        """Refuse shares that are not the whole, and figures that are given twice."""
        if sum((request.share for request in self.requests), Fraction()) != 1:
            raise InvalidInput("mix", "the shares of all kinds of requests must add up to 1")
        if any(request.share <= 0 for request in self.requests):
            raise InvalidInput("mix", "every share must be above 0")
        usages = [request.usage for request in self.requests]
        if self.habits.cached and any(usage.cache_read_tokens or _written(usage) for usage in usages):
            raise InvalidInput("cache_hit_share", "cached tokens are either counted or stated as shares, not both")
        if self.habits.reasoning_multiplier != 1 and any(usage.reasoning_tokens for usage in usages):
            raise InvalidInput("reasoning_multiplier", "reasoning tokens are either counted or multiplied, not both")

    @classmethod
    def of(cls, usage: Usage, requests_per_period: int = 1) -> "Workload":
        """Make the workload of a task all of whose requests are alike."""
        return cls(requests=(Request(usage),), requests_per_period=requests_per_period)

    @property
    def usages(self) -> tuple[Usage, ...]:
        """The counts of every kind of request."""
        return tuple(request.usage for request in self.requests)

    @property
    def longest_input_tokens(self) -> int:
        """The longest prompt among the kinds."""
        return max(usage.input_tokens for usage in self.usages)

    @property
    def mean_input_tokens(self) -> Fraction:
        """The mean prompt of a request."""
        return sum((request.share * request.usage.input_tokens for request in self.requests), Fraction())

    @property
    def mean_output_tokens(self) -> Fraction:
        """The mean completion of a request, before reasoning is multiplied in."""
        return sum((request.share * request.usage.output_tokens for request in self.requests), Fraction())


def _written(usage: Usage) -> int:
    return usage.cache_write_tokens + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens


def lognormal_requests(median_input_tokens: int, sigma: float, output_tokens: int) -> tuple[Request, ...]:
    """Cut a log-normal prompt length into equally likely strata, each at its mean.

    What is billed depends on the output only by its mean, and on the prompt by its mean and by the bands it crosses:
    strata keep the first and find the second, a mean alone hides it.

    Raises:
        InvalidInput: a spread nobody measures, or prompts beyond counting.
    """
    if not 0 <= sigma <= SIGMA_MAX:
        raise InvalidInput("sigma", f"from 0 to {SIGMA_MAX} is needed")
    return tuple(
        Request(Usage(input_tokens=tokens, output_tokens=output_tokens), Fraction(1, STRATA))
        for tokens in _strata(median_input_tokens, sigma)
    )


def _strata(median: int, sigma: float) -> Iterator[int]:
    normal = NormalDist()
    edges = [normal.inv_cdf(i / STRATA) for i in range(1, STRATA)]
    # The mean of a log-normal between two edges is the whole mean times the normal mass between both, moved by sigma.
    below = [0.0, *(normal.cdf(edge - sigma) for edge in edges), 1.0]
    mean = median * Fraction(exp(sigma * sigma / 2))
    for low, high in pairwise(below):
        tokens = round(mean * STRATA * Fraction(high - low))
        if tokens > COUNT_MAX:
            raise InvalidInput("sigma", "prompts of this spread are beyond counting")
        yield tokens
