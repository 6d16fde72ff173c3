"""What a row of usage costs at its own time: exactly where its prices are known, in bounds where it is too coarse."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import product
from typing import NamedTuple

from planner.core.cost import cost
from planner.core.errors import ImpossibleUsage, InvalidInput, Unpriced
from planner.core.event import Event, Outcome
from planner.core.money import half_even
from planner.core.price import Context, PriceCard, Rate, RateTable, When
from planner.core.units import FALLBACK, REGISTRY, Unit
from planner.core.usage import Parts, Usage

BASE, UNKNOWN_BAND, NO_BAND = "base", "unknown", ""
# An aggregate longer than this shows every weekday.
_DAYS_MAX = 8
_FREE = Rate(Decimal(0))


class RatedUnit(NamedTuple):
    """One unit: how many, and what they cost at least and at most, in 1e-12 USD; ``list_pico`` before discount and fee.

    Each amount is rounded once. ``list_pico`` belongs to the lower bound.
    """

    unit: Unit
    quantity: int
    low_pico: int
    high_pico: int
    list_pico: int


@dataclass(frozen=True, slots=True)
class Rated:
    """A row with its cost. Without a price ``units`` have no amounts, and ``unpriced`` says why.

    ``price_version`` is the card, the last one where an aggregate saw several. ``band`` names the conditions under
    which the rates held.
    """

    units: tuple[RatedUnit, ...]
    price_version: str | None = None
    band: str = NO_BAND
    unpriced: str | None = None
    ttl_assumed: bool = False

    @property
    def low_pico(self) -> int:
        """The least it cost."""
        return sum(unit.low_pico for unit in self.units)

    @property
    def high_pico(self) -> int:
        """The most it cost: the same, unless the row is too coarse to tell."""
        return sum(unit.high_pico for unit in self.units)

    @property
    def list_pico(self) -> int:
        """What it cost at list price."""
        return sum(unit.list_pico for unit in self.units)


def rate(
    event: Event, cards: Sequence[PriceCard], factor: Fraction, *, includes_cached: bool, region: str | None
) -> Rated:
    """Price one row.

    Args:
        event: the row.
        cards: those of its offer that were in force at some moment of it, in time order; none: it is unpriced.
        factor: list price -> what is paid, after discount and with the channel's fee.
        includes_cached: whether its prompt contains its cached part.
        region: where its offer runs, where the row does not say.

    Raises:
        InvalidInput: its counts are none, or contradict each other.
    """
    return rate_usage(event, event.usage(includes_cached=includes_cached), cards, factor, region)


def rate_usage(
    event: Event, usage: Usage | Parts, cards: Sequence[PriceCard], factor: Fraction, region: str | None
) -> Rated:
    """Price a row as if it had counted something else than it says: see `rate`."""
    counted = tuple(RatedUnit(unit, quantity, 0, 0, 0) for unit, quantity in usage.parts)
    if event.outcome is Outcome.GATEWAY_CACHE or (event.outcome is Outcome.FAILED and not _charged(event, usage)):
        return Rated(counted, ttl_assumed=usage.ttl_assumed)
    if not event.rateable or not cards:
        return Rated(counted, unpriced="no_price" if event.rateable else "not_rateable")
    context = Context(event.service_tier, event.region or region)
    if counted and not _used(usage) and not any(card.rates.rate_unit(Unit.REQUEST) for card in cards):
        # A picture, say, of which only the request was told: what it cost is in no price of requests, and is not 0.
        return Rated(counted, unpriced="nothing_counted")
    try:
        if event.until is None and event.cache_stated:
            return _exact(usage, cards[-1], event.at.astimezone(UTC), context, factor)
        return _bounded(event, usage, cards, context, factor)
    except Unpriced:
        unit = _unrated(usage, cards)
        return Rated(counted, cards[-1].id, unpriced="no_tier_price" if unit is None else f"no_rate:{unit}")


def paid_pico(usage: Usage | Parts, rates: RateTable, at: datetime, context: Context, factor: Fraction) -> int:
    """Return what one request costs in 1e-12 USD, and nothing else of what `rate` says of it, in a tenth of the time.

    Raises:
        Unpriced: a used unit has no rate, or the tier has no price.
    """
    priced = cost(usage, rates, at, context)
    if factor == 1:
        return priced.total_pico
    return sum(_amount(line.quantity, line.rate, factor) for line in priced.lines)


def unreadable(event: Event, *, includes_cached: bool) -> str | None:
    """Return why a row cannot be a request: its counts, or a service tier nobody knows. None if it can."""
    try:
        event.usage(includes_cached=includes_cached)
        Context(event.service_tier)
    except ImpossibleUsage as error:
        return f"impossible_usage: {error.field}: {error.problem}"
    except InvalidInput as error:
        return f"{error.field}: {error.problem}"
    return None


def _charged(event: Event, usage: Usage | Parts) -> bool:
    return _used(usage) or bool(event.stated_usd)


def _used(usage: Usage | Parts) -> bool:
    return any(unit is not Unit.REQUEST for unit, _quantity in usage.parts)


def _exact(usage: Usage | Parts, card: PriceCard, at: datetime, context: Context, factor: Fraction) -> Rated:
    priced = cost(usage, card.rates, at, context)
    charged = {line.unit: line for line in priced.lines}
    units = []
    for unit, quantity in usage.parts:
        line = charged.get(unit)
        listed = 0 if line is None else line.amount_pico
        paid = listed if line is None or factor == 1 else _amount(quantity, line.rate, factor)
        units.append(RatedUnit(unit, quantity, paid, paid, listed))
    band = band_of(card.rates, [unit for unit, _quantity in usage.parts], context, usage.input_tokens, at)
    return Rated(tuple(units), card.id, band, ttl_assumed=usage.ttl_assumed)


def _amount(quantity: int, rate_: Rate, factor: Fraction) -> int:
    return half_even(quantity * rate_.pico * factor.numerator, rate_.pico_per * factor.denominator)


def _bounded(
    event: Event, usage: Usage | Parts, cards: Sequence[PriceCard], context: Context, factor: Fraction
) -> Rated:
    """Price a row under every price that may have held for a part of it, unit by unit."""
    asked = [unit for unit, _quantity in usage.parts]
    for card in cards:
        if context.service_tier != "standard":
            card.rates.check_tier((unit for unit in asked if unit is not Unit.REQUEST), context)
    unrated = _unrated(usage, cards)
    if unrated is not None:
        raise Unpriced(units=(unrated,), service_tier=context.service_tier)
    found: dict[Unit, list[Rate]] = {unit: [] for unit in asked}
    bands: set[str] = set()
    for card in cards:
        for tokens, moment in product(_lengths(card.rates, event, usage), _moments(card, event)):
            chosen = card.rates.selected(context, tokens, moment)
            for unit in asked:
                found[unit] += candidates(unit, chosen, cache_stated=event.cache_stated)
            bands.add(band_of(card.rates, asked, context, tokens, moment))
    units = []
    for unit, quantity in usage.parts:
        amounts = [_amount(quantity, one, factor) for one in found[unit]]
        listed = [one.amount_pico(quantity) for one in found[unit]]
        units.append(RatedUnit(unit, quantity, min(amounts), max(amounts), min(listed)))
    certain = all(unit.low_pico == unit.high_pico for unit in units)
    band = min(bands) if certain and len(bands) == 1 else BASE if certain else UNKNOWN_BAND
    return Rated(tuple(units), cards[-1].id, band, ttl_assumed=usage.ttl_assumed)


def _unrated(usage: Usage | Parts, cards: Sequence[PriceCard]) -> Unit | None:
    """Return a unit that may have been used under a card that has no rate for it, if there is one."""
    billed = [unit for unit, _quantity in usage.parts if REGISTRY[unit].billed_without_rate]
    return next((unit for unit in billed for card in cards if card.rates.rate_unit(unit) is None), None)


def candidates(unit: Unit, rates: Mapping[Unit, Rate], *, cache_stated: bool) -> list[Rate]:
    """Return the rates at which one of a unit may have been billed: its own, or else its fallback's; free without any.

    Of a stream that cannot tell, any text of a prompt may have been read from a cache, or written to one.
    """
    names = (unit, Unit.CACHE_READ, Unit.CACHE_WRITE_5M) if unit is Unit.INPUT and not cache_stated else (unit,)
    found = [rates.get(name) or rates.get(FALLBACK.get(name, name)) for name in names]
    return [one for one in found if one is not None] or [_FREE]


def _lengths(rates: RateTable, event: Event, usage: Usage | Parts) -> Iterable[int]:
    """Return one prompt length for every band that a single prompt of the row may have fallen into."""
    if event.until is None:
        return (usage.input_tokens,)
    # No prompt is longer than all of them together.
    longest = usage.input_tokens if event.prompt_max is None else min(event.prompt_max, usage.input_tokens)
    shortest = event.prompt_min or 0
    edges = {band.when.tokens_min for price in rates.values() for band in price.bands}
    return sorted({shortest, *(edge for edge in edges if shortest < edge <= longest)})


def _moments(card: PriceCard, event: Event) -> list[datetime]:
    """Return one moment for every window of the clock that some part of the row may have fallen into."""
    begins = max(event.at, card.valid_from).astimezone(UTC)
    if event.until is None:
        return [begins]
    clocks = [band.when for price in card.rates.values() for band in price.bands if _clocked(band.when)]
    if not clocks:
        return [begins]
    minutes = {0, *(minute for when in clocks for minute in (when.utc_start, when.utc_end) if minute is not None)}
    midnight = begins.replace(hour=0, minute=0, second=0, microsecond=0)
    edges = [midnight + timedelta(days=day, minutes=minute) for day in range(_DAYS_MAX) for minute in minutes]
    ends = event.until if card.valid_to is None else min(event.until, card.valid_to)
    return [begins, *(edge for edge in sorted(edges) if begins < edge < ends)]


def _clocked(when: When) -> bool:
    return when.utc_start is not None or bool(when.weekdays)


def band_of(rates: RateTable, units: Sequence[Unit], context: Context, tokens: int, at: datetime) -> str:
    """Name the conditions of length and clock under which the rates of these units were chosen."""
    held: set[str] = set()
    for unit in units:
        source = rates.rate_unit(unit)
        if source is None:
            continue
        bands = (band for band in reversed(rates[source].bands) if band.when.holds(context, tokens, at))
        band = next(bands, None)
        if band is not None:
            held |= set(_conditions(band.when))
    return " ".join(sorted(held)) or BASE


def _conditions(when: When) -> Iterator[str]:
    if when.input_tokens_gt is not None:
        yield f"input_tokens>{when.input_tokens_gt}"
    if when.input_tokens_gte is not None:
        yield f"input_tokens>={when.input_tokens_gte}"
    if when.utc_start is not None and when.utc_end is not None:
        yield f"utc={_clock(when.utc_start)}-{_clock(when.utc_end)}"
    if when.weekdays:
        yield f"weekdays={''.join(map(str, sorted(when.weekdays)))}"


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
