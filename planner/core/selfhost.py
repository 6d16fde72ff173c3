"""What a model costs on machines you rent, and from which volume on that is less than its API.

A rented machine costs the same, busy or idle. So utilisation divides its throughput and never multiplies its rent:
half as busy is twice as dear per token. Months have 730 hours. All figures are exact; callers round prices up and
capacities down.

Source:
    The allocation basis is NVIDIA's ("LLM inference benchmarking: how much does your LLM inference cost?", 2025) and
    OpenCost's, which splits a cost between input and output by the time spent on each.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

from planner.core.errors import InvalidInput
from planner.core.tier import MTOK

HOURS_PER_MONTH = 730
SECONDS_PER_MONTH = 3_600 * HOURS_PER_MONTH
OUTPUT_OVER_INPUT = Fraction(5, 2)


class Mix(NamedTuple):
    """The tokens of a mean request: its whole prompt, and its whole completion."""

    input_tokens: Fraction
    output_tokens: Fraction

    @property
    def tokens(self) -> Fraction:
        """Tokens in and out."""
        return self.input_tokens + self.output_tokens


class Speeds(NamedTuple):
    """How many tokens per second a replica reads when it only reads, and writes when it only writes."""

    prefill_tps: Fraction
    decode_tps: Fraction

    def seconds(self, mix: Mix) -> tuple[Fraction, Fraction]:
        """Return the seconds that the prompt and the completion of a request take."""
        return mix.input_tokens / self.prefill_tps, mix.output_tokens / self.decode_tps

    def tokens_per_second(self, mix: Mix) -> Fraction:
        """Return tokens in and out per second at a mix."""
        return mix.tokens / sum(self.seconds(mix))


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosting:
    """What a replica of the model runs on, what that costs, and how much it serves; amounts in USD.

    ``tokens_per_second`` counts input and output of one replica at the workload's own mix. ``utilisation_max`` is
    how busy it may be at peak before requests wait. ``ops_usd_per_month`` is paid whatever the number of replicas,
    ``variable_usd_per_mtok`` per million tokens. With ``on_demand_gpu_hourly_usd`` the replicas that only the peak
    needs may be rented by the hour, for the ``peak_hours_per_month`` it lasts; without, all are rented for the month.
    """

    gpu_hourly_usd: Fraction
    tokens_per_second: Fraction
    gpus_per_replica: int = 1
    utilisation_max: Fraction = Fraction(7, 10)
    ops_usd_per_month: Fraction = Fraction(0)
    variable_usd_per_mtok: Fraction = Fraction(0)
    on_demand_gpu_hourly_usd: Fraction | None = None
    peak_hours_per_month: Fraction | None = None

    def __post_init__(self) -> None:
        """Refuse machines nobody can rent."""
        for name in ("gpu_hourly_usd", "ops_usd_per_month", "variable_usd_per_mtok"):
            if getattr(self, name) < 0:
                raise InvalidInput(name, "must not be negative")
        if self.tokens_per_second <= 0:
            raise InvalidInput("tokens_per_second", "above 0 is needed")
        if self.gpus_per_replica < 1:
            raise InvalidInput("gpus_per_replica", "at least one is needed")
        if not 0 < self.utilisation_max <= 1:
            raise InvalidInput("utilisation_max", "above 0 and at most 1 is needed")
        if (self.on_demand_gpu_hourly_usd is None) != (self.peak_hours_per_month is None):
            raise InvalidInput("peak_hours_per_month", "goes together with on_demand_gpu_hourly_usd")
        if self.on_demand_gpu_hourly_usd is not None and self.on_demand_gpu_hourly_usd < 0:
            raise InvalidInput("on_demand_gpu_hourly_usd", "must not be negative")
        if self.peak_hours_per_month is not None and not 0 < self.peak_hours_per_month < HOURS_PER_MONTH:
            raise InvalidInput("peak_hours_per_month", f"above 0 and below {HOURS_PER_MONTH} is needed")

    @property
    def capacity_tokens(self) -> Fraction:
        """What one replica serves in a month in which it is never idle."""
        return self.tokens_per_second * SECONDS_PER_MONTH

    @property
    def replica_usd_per_month(self) -> Fraction:
        """The rent of one replica for a month."""
        return self.gpus_per_replica * self.gpu_hourly_usd * HOURS_PER_MONTH

    def usd_per_mtok(self, utilisation: Fraction) -> Fraction:
        """Return the rent per million tokens at a utilisation.

        Raises:
            InvalidInput: what is never used has no price per token.

        Example:
            >>> hosting = Hosting(gpu_hourly_usd=Fraction("2.50"), tokens_per_second=Fraction(2_400))
            >>> [float(round(hosting.usd_per_mtok(busy), 3)) for busy in (Fraction("0.4"), Fraction(1))]
            [0.723, 0.289]
        """
        if not 0 < utilisation <= 1:
            raise InvalidInput("utilisation", "above 0 and at most 1 is needed")
        return self.replica_usd_per_month / (self.capacity_tokens * utilisation) * MTOK

    def fixed_usd_per_month(self, replicas: int) -> Fraction:
        """Return what so many replicas cost in a month, whatever they serve."""
        return replicas * self.replica_usd_per_month + self.ops_usd_per_month

    def replicas(self, peak_tokens: Fraction) -> int:
        """Return how many replicas serve a peak, stated as the tokens of a month that were all peak; at least one."""
        return max(1, ceil(peak_tokens / (self.capacity_tokens * self.utilisation_max)))


class Split(NamedTuple):
    """What a million tokens of input, and of output, cost; ``by_time`` False where their ratio was assumed."""

    input_usd_per_mtok: Fraction
    output_usd_per_mtok: Fraction
    by_time: bool


def split(usd_per_mtok: Fraction, mix: Mix, speeds: Speeds | None = None) -> Split:
    """Split a price of all tokens into one of input and one of output that come to the same at a mix.

    The cost of a request is shared out by the seconds its prompt and its completion take. Without speeds, an output
    token is taken to cost 2.5 times an input token (OpenCost's fallback).
    """
    whole = usd_per_mtok * mix.tokens
    if speeds is None:
        base = whole / (mix.input_tokens + OUTPUT_OVER_INPUT * mix.output_tokens)
        return Split(base, OUTPUT_OVER_INPUT * base, by_time=False)
    prefill, decode = speeds.seconds(mix)
    each = whole / (prefill + decode)
    # The seconds of a token are those of its kind, so a mix without any of one kind still has a price for it.
    return Split(each / speeds.prefill_tps, each / speeds.decode_tps, by_time=True)


class Fleet(NamedTuple):
    """What serves a demand: replicas rented for the month, those rented by the hour, and what all of it costs."""

    committed: int
    on_demand: int
    usd_per_month: Fraction
    capacity_tokens: Fraction
    utilisation: Fraction

    @property
    def replicas(self) -> int:
        """Replicas at the peak."""
        return self.committed + self.on_demand


def fleet(hosting: Hosting, tokens: Fraction, peak_to_mean: Fraction = Fraction(1)) -> Fleet:
    """Return what serves so many tokens a month at least cost.

    ``peak_to_mean`` is how many times the mean load the peak is, at least 1. Replicas come whole, so the cost is a
    step function of the volume. ``capacity_tokens`` and ``utilisation`` are those of a month of what is rented.

    Raises:
        InvalidInput: a negative volume, a peak below the mean, or one that lasts longer than its height allows.
    """
    if tokens < 0:
        raise InvalidInput("tokens_per_month", "must not be negative")
    if peak_to_mean < 1:
        raise InvalidInput("peak_to_mean", "at least 1 is needed: no peak lies below the mean")
    peak, variable = hosting.replicas(tokens * peak_to_mean), tokens * hosting.variable_usd_per_mtok / MTOK
    capacity = peak * hosting.capacity_tokens
    whole = Fleet(peak, 0, hosting.fixed_usd_per_month(peak) + variable, capacity, tokens / capacity)
    hourly, hours = hosting.on_demand_gpu_hourly_usd, hosting.peak_hours_per_month
    if hourly is None or hours is None:
        return whole
    # A load of two levels: its peak for so many hours, and what is left of the mean for all others.
    base = (HOURS_PER_MONTH - hours * peak_to_mean) / (HOURS_PER_MONTH - hours)
    if base < 0:
        longest = HOURS_PER_MONTH / peak_to_mean
        raise InvalidInput("peak_hours_per_month", f"at most {floor(longest)}, or the peak alone is above the mean")
    committed = hosting.replicas(tokens * base)
    by_hour = peak - committed
    rent = hosting.fixed_usd_per_month(committed) + by_hour * hosting.gpus_per_replica * hourly * hours
    capacity = hosting.capacity_tokens * (committed + by_hour * hours / HOURS_PER_MONTH)
    mixed = Fleet(committed, by_hour, rent + variable, capacity, tokens / capacity)
    return mixed if mixed.usd_per_month < whole.usd_per_month else whole


class BreakEven(NamedTuple):
    """The least volume at which renting costs no more than the API, and what that asks of the machines.

    ``required_utilisation`` is that volume over the capacity of ``replicas``; ``reachable_utilisation`` is what a load
    of this shape can reach.
    """

    tokens: Fraction
    replicas: int
    capacity_tokens: Fraction
    required_utilisation: Fraction
    reachable_utilisation: Fraction

    @property
    def feasible(self) -> bool:
        """Whether the replicas serve that volume at all."""
        return self.required_utilisation <= self.reachable_utilisation


def reachable_utilisation(hosting: Hosting, peak_to_mean: Fraction) -> Fraction:
    """Return how busy replicas sized for the peak are on average: a bursty load leaves them idle in between."""
    return hosting.utilisation_max / peak_to_mean


def break_even(hosting: Hosting, api_usd_per_mtok: Fraction, peak_to_mean: Fraction = Fraction(1)) -> BreakEven | None:
    """Return the break-even volume against a price per million tokens at the same mix, all replicas rented monthly.

    That of one replica, where it can serve it; else that of the fewest replicas that can, since rent that does not
    grow with them is shared by more; else that of one replica again, not feasible. None: the API costs less than
    what every token costs here beside the rent, so no volume ever pays.
    """
    saved = (api_usd_per_mtok - hosting.variable_usd_per_mtok) / MTOK
    if saved <= 0:
        return None
    reachable = reachable_utilisation(hosting, peak_to_mean)
    gained = saved * reachable * hosting.capacity_tokens - hosting.replica_usd_per_month
    replicas = max(1, ceil(hosting.ops_usd_per_month / gained)) if gained > 0 else 1
    tokens, capacity = hosting.fixed_usd_per_month(replicas) / saved, replicas * hosting.capacity_tokens
    return BreakEven(tokens, replicas, capacity, tokens / capacity, reachable)


class Point(NamedTuple):
    """What one volume costs a month, here and by the API."""

    tokens: Fraction
    fleet: Fleet
    api_usd_per_month: Fraction | None


def curve(
    hosting: Hosting,
    api_usd_per_mtok: Fraction | None,
    volumes: Iterable[Fraction],
    peak_to_mean: Fraction = Fraction(1),
) -> tuple[Point, ...]:
    """Return what each of several monthly volumes costs, in tokens; the API's part is None without an offer."""
    return tuple(
        Point(
            tokens,
            fleet(hosting, tokens, peak_to_mean),
            None if api_usd_per_mtok is None else tokens * api_usd_per_mtok / MTOK,
        )
        for tokens in volumes
    )
