"""Where two statements price one thing, the dearer of them counts, circumstance by circumstance."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import TypeVar

from planner.core.price import ALWAYS, DAY_MINUTES, Band, Rate, RateTable, UnitPrice, When
from planner.core.units import Unit

Key = TypeVar("Key")


def dearer(one: Rate, other: Rate) -> Rate:
    """Return the dearer of two rates."""
    return max(one, other, key=lambda rate: Fraction(rate.pico, rate.pico_per))


def keep_dearer(rates: dict[Key, Rate], key: Key, rate: Rate) -> None:
    """Put a rate in its place; of two for one place the dearer stays."""
    rates[key] = dearer(rate, rates.get(key, rate))


def dearest(one: RateTable, other: RateTable) -> RateTable:
    """Price every request as the dearer of two tables would; what only one of them prices is taken from it.

    A table without a rate of its own for a unit prices it by another unit's where it can: reading a cache as input.
    """
    made: dict[Unit, UnitPrice] = {}
    for unit in dict.fromkeys((*one, *other)):
        here, there = one.rate_unit(unit), other.rate_unit(unit)
        if here is not None and there is not None:
            made[unit] = dearest_price(one[here], other[there])
        else:
            made[unit] = one[unit] if unit in one else other[unit]
    return RateTable(made)


def dearest_price(one: UnitPrice, other: UnitPrice) -> UnitPrice:
    """Price every request as the dearer of two statements of one unit's price would."""
    if one == other:
        return one
    rates: dict[When, Rate] = {}
    # Of several that hold the last counts: going through one within the other, that is the last of both.
    for first, rate in one.stated():
        for second, other_rate in other.stated():
            for when in both(first, second):
                rates.pop(when, None)
                if _alone(one, first, other, second):
                    rates[when] = rate
                elif _alone(other, second, one, first):
                    rates[when] = other_rate
                else:
                    rates[when] = dearer(rate, other_rate)
    base = rates.pop(ALWAYS)
    return UnitPrice(base, tuple(Band(when, rate) for when, rate in rates.items()))


def _alone(price: UnitPrice, when: When, other: UnitPrice, other_when: When) -> bool:
    """Tell whether a price under a service tier counts alone, because the other statement does not know the tier.

    Its price for long prompts still counts there, unless the one that knows the tier says what long prompts cost in it.
    """
    tier = when.service_tier
    if tier in (None, "standard") or other.offers_tier(tier):
        return False
    return not _by_length(other_when) or any(
        _by_length(band.when) for band in price.bands if band.when.service_tier == tier
    )


def _by_length(when: When) -> bool:
    return when.input_tokens_gt is not None or when.input_tokens_gte is not None


def both(one: When, other: When) -> Iterator[When]:
    """Yield conditions of which one holds exactly where both do: none, one, or two where windows overlap twice."""
    for name in ("service_tier", "region"):
        if None not in (getattr(one, name), getattr(other, name)) and getattr(one, name) != getattr(other, name):
            return
    weekdays = one.weekdays & other.weekdays if one.weekdays and other.weekdays else one.weekdays | other.weekdays
    if one.weekdays and other.weekdays and not weekdays:
        return
    made = When(
        input_tokens_gt=_longer(one.input_tokens_gt, other.input_tokens_gt),
        input_tokens_gte=_longer(one.input_tokens_gte, other.input_tokens_gte),
        service_tier=one.service_tier or other.service_tier,
        region=one.region or other.region,
        weekdays=weekdays,
    )
    if one.utc_start is None or (one.utc_start, one.utc_end) == (other.utc_start, other.utc_end):
        yield replace(made, utc_start=other.utc_start, utc_end=other.utc_end)
    elif other.utc_start is None:
        yield replace(made, utc_start=one.utc_start, utc_end=one.utc_end)
    else:
        for start, end in _hours(one):
            for other_start, other_end in _hours(other):
                low, high = max(start, other_start), min(end, other_end)
                if low < high:
                    yield replace(made, utc_start=low, utc_end=high % DAY_MINUTES)


def _longer(one: int | None, other: int | None) -> int | None:
    return max((bound for bound in (one, other) if bound is not None), default=None)


def _hours(when: When) -> Iterator[tuple[int, int]]:
    """Yield a window's stretches of one day, in minutes; the end of the day is 1,440."""
    start, end = when.utc_start or 0, when.utc_end or 0
    if start < end:
        yield start, end
    elif start == end:
        yield 0, DAY_MINUTES
    else:
        yield start, DAY_MINUTES
        yield 0, end
