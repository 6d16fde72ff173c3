"""What a request of a task really costs on one offer: its cache, its reasoning, its failed attempts and its mix.

Source:
    The formulas are those of every bill: a hit costs the rate of cache reads, a write that of writes, a model that
    reasons bills what nobody sees, and a failed attempt is billed in part. Rounding of counts never makes an offer
    cheaper: hits are rounded down, writes and reasoning up.
"""

from datetime import datetime
from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

from planner.core.cost import Cost, cost
from planner.core.offer import Offer
from planner.core.price import Context, RateTable
from planner.core.units import Unit
from planner.core.usage import Usage
from planner.core.workload import Habits, Workload


class Traits(NamedTuple):
    """How one offer runs the requests of a workload: whether, and how far, its habits apply there.

    ``hit_share`` None leaves the counts as they are; ``cacheable_tokens_min`` is the shortest prompt that is cached.
    """

    hit_share: Fraction | None = None
    cacheable_tokens_min: int = 0
    writes: bool = False
    reasons: bool = False


AS_COUNTED = Traits()


def traits_of(offer: Offer, rates: RateTable, habits: Habits) -> Traits:
    """Tell how an offer runs a workload's requests.

    An offer that cannot cache has no hits; one without a rate for writes takes them as plain input. Only an offer
    that is known not to reason is spared the multiplier: what is unknown is not cheap.
    """
    facts = offer.facts
    reasons = habits.reasoning_multiplier != 1 and facts.capabilities.get("reasoning") is not False
    if not habits.cached:
        return Traits(reasons=reasons)
    hits = habits.cache_hit_share or Fraction(0)
    if habits.cache_hit_observed and facts.cache_hit_share is not None:
        hits = Fraction(facts.cache_hit_share)
    if facts.capabilities.get("prompt_caching") is False:
        return Traits(Fraction(0), reasons=reasons)
    written = Unit.CACHE_WRITE_1H if habits.writes_for_an_hour else Unit.CACHE_WRITE_5M
    writes = habits.cache_write_share > 0 and written in rates
    return Traits(hits, facts.cacheable_tokens_min or 0, writes, reasons)


def expected_usage(usage: Usage, habits: Habits, traits: Traits) -> Usage:
    """Return what a request of these counts comes to on an offer with these traits.

    Example:
        >>> habits = Habits(cache_hit_share=Fraction(3, 5), cache_write_share=Fraction(1, 10))
        >>> found = expected_usage(Usage(input_tokens=1_001), habits, Traits(Fraction(3, 5), 0, writes=True))
        >>> found.cache_read_tokens, found.cache_write_tokens
        (600, 101)
    """
    changed: dict[str, int] = {}
    if traits.hit_share is not None and usage.input_tokens >= traits.cacheable_tokens_min:
        text = usage.text_input_tokens
        changed["cache_read_tokens"] = floor(traits.hit_share * text)
        if traits.writes:
            name = "cache_write_1h_tokens" if habits.writes_for_an_hour else "cache_write_5m_tokens"
            changed[name] = min(ceil(habits.cache_write_share * text), text - changed["cache_read_tokens"])
            changed["cache_write_tokens"] = changed[name]
    if traits.reasons:
        changed["output_tokens"] = ceil(habits.reasoning_multiplier * usage.output_tokens)
        changed["reasoning_tokens"] = changed["output_tokens"] - usage.output_tokens
    return usage.changed(changed) if changed else usage


class Priced(NamedTuple):
    """One kind of request with its share of all requests, as it runs on an offer, and its cost at list price."""

    share: Fraction
    usage: Usage
    cost: Cost


def usages_on(workload: Workload, traits: Traits) -> tuple[Usage, ...]:
    """Return every kind of request as it runs on an offer."""
    if traits == AS_COUNTED:
        return workload.usages
    return tuple(expected_usage(usage, workload.habits, traits) for usage in workload.usages)


def price_kinds(
    workload: Workload, usages: tuple[Usage, ...], rates: RateTable, at: datetime, context: Context
) -> tuple[Priced, ...]:
    """Price every kind of request of a workload as it runs on an offer, one attempt each, at list price.

    Raises:
        Unpriced: a used unit has no rate.
    """
    return tuple(
        Priced(request.share, usage, cost(usage, rates, at, context))
        for request, usage in zip(workload.requests, usages, strict=True)
    )


def list_usd(kinds: tuple[Priced, ...]) -> Fraction:
    """Return what one attempt costs at list price, over all kinds of requests."""
    if len(kinds) == 1:
        return kinds[0].cost.exact_usd
    return sum((kind.share * kind.cost.exact_usd for kind in kinds), Fraction())
