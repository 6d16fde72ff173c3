"""One row of usage in every state of a scenario: who serves it, what it counts, at which prices, and what it costs."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction
from functools import cached_property
from math import ceil, floor
from typing import NamedTuple, Protocol

from planner.core.agreement import Contract, Fee, discount, gross_up
from planner.core.errors import Unpriced
from planner.core.event import Event
from planner.core.money import half_even
from planner.core.price import STANDARD, Context, PriceCard, RateTable
from planner.core.rating import paid_pico, rate_usage
from planner.core.scenario import Caching, ChannelFee, Dimension, Discount, Heads, Intensity, Scenario, first
from planner.core.units import Unit
from planner.core.usage import Parts

_BEGINNING = datetime.min.replace(tzinfo=UTC)
_TEXT = Unit.INPUT, Unit.CACHE_READ, Unit.CACHE_WRITE_5M, Unit.CACHE_WRITE_1H
_WRITES = frozenset({Unit.CACHE_WRITE_5M, Unit.CACHE_WRITE_1H})
_CACHED = _WRITES | {Unit.CACHE_READ}
_NOTHING: frozenset[Unit] = frozenset()


class Offering(NamedTuple):
    """An offer as far as a replay looks at it. ``caches`` False: it is known to have no cache."""

    offer: str
    provider: str
    model: str
    channel: str
    region: str | None = None
    caches: bool = True
    cacheable_tokens_min: int = 0

    def heads(self) -> Heads:
        """Return what rules about offers look at."""
        return Heads(model=self.model, provider=self.provider, offer=self.offer, channel=self.channel)


class Book(Protocol):
    """What is on record of offers and their prices."""

    def offering(self, offer: str) -> Offering:
        """Return an offer."""
        ...

    def listed(self, offer: str) -> Sequence[PriceCard]:
        """Return every card of an offer."""
        ...

    def cards(self, offer: str, since: datetime, until: datetime | None) -> Sequence[PriceCard]:
        """Return the cards in force at a moment or in a span; none where a part of it has no price."""
        ...

    def agreed(self, channel: str, provider: str, model: str) -> tuple[Sequence[Contract], Sequence[Fee]]:
        """Return the contracts about a model of a provider, and the fees of its channel."""
        ...


class Shape(NamedTuple):
    """How a row counts in a state: its text made longer or shorter, its cache as supposed, or none where none is."""

    intensity: Intensity | None = None
    caching: Caching | None = None
    cacheable_tokens_min: int = 0
    uncached: frozenset[Unit] = _NOTHING

    def counted(self, parts: Parts) -> Parts:
        """Return what a row counts then. Rounding never makes it cheaper: text up, what is read from a cache down."""
        counts, prompt = dict(parts.parts), parts.input_tokens
        if self.intensity is not None:
            prompt += _lengthen(counts, self.intensity)
        if self.caching is not None and prompt >= self.cacheable_tokens_min:
            _cache(counts, self.caching, self.uncached)
        elif self.uncached:
            counts[Unit.INPUT] = counts.get(Unit.INPUT, 0) + sum(counts.pop(unit, 0) for unit in self.uncached)
        return Parts(prompt, tuple([pair for pair in counts.items() if pair[1]]), parts.ttl_assumed)


AS_COUNTED = Shape()
PROMPT = frozenset(unit for unit in Unit if unit.endswith("_token") and not unit.startswith(("output", "reasoning")))
"""Kinds of tokens that are part of a prompt."""

COMPLETION = frozenset(unit for unit in Unit if unit.endswith("_token")) - PROMPT
"""Kinds of tokens that are part of an answer."""


def _lengthen(counts: dict[Unit, int], by: Intensity) -> int:
    """Make the text longer or shorter, and return how much longer the prompt is."""
    before = _text(counts)
    text = _up(before, by.input_factor)
    for unit in _CACHED & counts.keys():
        counts[unit] = _down(counts[unit], by.input_factor)
    counts[Unit.INPUT] = text - sum(counts.get(unit, 0) for unit in _CACHED)
    visible, hidden = (_up(counts.get(unit, 0), by.output_factor) for unit in (Unit.OUTPUT, Unit.REASONING))
    if by.reasoning_multiplier is not None and visible:
        hidden = _up(visible, by.reasoning_multiplier) - visible
    counts[Unit.OUTPUT], counts[Unit.REASONING] = visible, hidden
    return text - before


def _cache(counts: dict[Unit, int], caching: Caching, uncached: frozenset[Unit]) -> None:
    text = _text(counts)
    written = Unit.CACHE_WRITE_1H if caching.for_an_hour else Unit.CACHE_WRITE_5M
    read = 0 if Unit.CACHE_READ in uncached else _down(text, caching.hit_share)
    write = 0 if written in uncached else min(_up(text, caching.write_share), text - read)
    for unit in _CACHED & counts.keys():
        del counts[unit]
    counts[Unit.CACHE_READ], counts[written], counts[Unit.INPUT] = read, write, text - read - write


def _text(counts: Mapping[Unit, int]) -> int:
    return sum([counts[unit] for unit in _TEXT if unit in counts])


def _up(count: int, times: Fraction) -> int:
    return -(-count * times.numerator // times.denominator)


def _down(count: int, times: Fraction) -> int:
    return count * times.numerator // times.denominator


@dataclass(frozen=True)  # without slots, so that what is worked out once is kept
class Way:
    """A row in a state: the prices that hold, in time order, what of them is paid, and how it counts."""

    cards: tuple[PriceCard, ...]
    factor: Fraction
    context: Context
    shape: Shape
    volume: Fraction

    def exact_pico(self, parts: Parts, at: datetime) -> int | None:
        """Return what a single request costs, counted as it is counted then; None: it has no price."""
        if not self.cards:
            return None
        edges, tables = self._by_length
        table = tables[bisect_right(edges, parts.input_tokens)]
        try:
            pico = paid_pico(parts, table, at, self.context, self.factor)
        except Unpriced:
            return None
        return pico if self._as_often else half_even(pico * self.volume.numerator, self.volume.denominator)

    @cached_property
    def _as_often(self) -> bool:
        return self.volume == 1

    @cached_property
    def clocked(self) -> bool:
        """Whether a rate depends on when within the time of its card a request was."""
        whens = (band.when for card in self.cards for price in card.rates.values() for band in price.bands)
        return any(when.utc_start is not None or when.weekdays for when in whens)

    @cached_property
    def _by_length(self) -> tuple[list[int], list[RateTable]]:
        """The rates of every band of prompt lengths, each chosen once; the lengths are where the next one begins."""
        card = self.cards[-1]
        if self.clocked or self.context.service_tier != STANDARD.service_tier:
            return [], [card.rates]
        edges = sorted({band.when.tokens_min for price in card.rates.values() for band in price.bands} - {0})
        chosen = (card.rates.selected(self.context, tokens, _BEGINNING) for tokens in (0, *edges))
        return edges, [RateTable.flat(rates) for rates in chosen]

    def bounds_pico(self, event: Event, parts: Parts) -> tuple[int, int] | None:
        """Return what any row costs at least and at most, counted as it was; None: it has no price."""
        rated = rate_usage(self._told(event), self.shape.counted(parts), self.cards, self.factor, self.context.region)
        if rated.unpriced is not None:
            return None
        low, high = (
            half_even(pico * self.volume.numerator, self.volume.denominator)
            for pico in (rated.low_pico, rated.high_pico)
        )
        return low, high

    def _told(self, event: Event) -> Event:
        """Return what is said of a row besides its counts: a cache that is supposed is stated, bounds grow with it."""
        intensity, caching = self.shape.intensity, self.shape.caching
        told = replace(event, region=self.context.region)
        if caching is not None:
            told = replace(told, cache_stated=True)
        if intensity is not None and event.until is not None:
            # Pictures and sounds in a prompt stay what they are, so a bound moves at most as its text does.
            less, more = min(intensity.input_factor, Fraction(1)), max(intensity.input_factor, Fraction(1))
            told = replace(
                told, prompt_min=None if event.prompt_min is None else floor(less * event.prompt_min),
                prompt_max=None if event.prompt_max is None else ceil(more * event.prompt_max),
            )  # fmt: skip
        return told


class Kind(NamedTuple):
    """What rows have in common that are priced alike: their heads, the offer that served them, and how they ran."""

    heads: Heads
    offering: Offering | None
    service_tier: str
    region: str | None


class Replay:
    """A scenario over the record, asked row by row; what several rows have in common is worked out once."""

    def __init__(
        self, scenario: Scenario, book: Book, subscribers: Mapping[str, Fraction], states: Sequence[int]
    ) -> None:
        """Look at some states of a scenario.

        Args:
            scenario: what is supposed to be otherwise.
            book: what is on record.
            subscribers: how many times as many subscribers each plan has that is supposed to have others.
            states: sets of changes as masks, bit 0 being the first of ``scenario.changed``.
        """
        self._scenario, self._book, self._subscribers = scenario, book, subscribers
        self._states = tuple(
            frozenset(one for place, one in enumerate(scenario.changed) if state >> place & 1) for state in states
        )
        self._supposed: dict[str, PriceCard] = {}

    def edges(self, kind: Kind) -> tuple[datetime, ...]:
        """Return every moment at which something that a row of a kind is priced by becomes something else."""
        found: set[datetime] = set()
        swap = first(self._scenario.swaps, kind.heads)
        offers = [*([] if kind.offering is None else [kind.offering.offer]), *([] if swap is None else [swap.to])]
        for offering in map(self._book.offering, offers):
            cards = self._book.listed(offering.offer)
            contracts, fees = self._book.agreed(offering.channel, offering.provider, offering.model)
            dated: tuple[PriceCard | Contract | Fee, ...] = (*cards, *contracts, *fees)
            found |= {edge for one in dated for edge in (one.valid_from, one.valid_to) if edge is not None}
        return tuple(sorted(found))

    def ways(self, kind: Kind, at: datetime, until: datetime | None = None) -> tuple[Way, ...]:
        """Return how a row of a kind is priced in each state."""
        return tuple(self._way(kind, state, at, until) for state in self._states)

    def _way(self, kind: Kind, state: frozenset[Dimension], at: datetime, until: datetime | None) -> Way:
        scenario, heads = self._scenario, kind.heads
        swap = first(scenario.swaps, heads) if Dimension.MIX in state else None
        serving = kind.offering if swap is None else self._book.offering(swap.to)
        region = kind.region or (None if serving is None else serving.region)
        if swap is not None and serving is not None:
            # Another offer runs where it runs, wherever the one before did.
            region = serving.region or kind.region
        context = Context(kind.service_tier, region)
        volume = self._volume(heads.plan) if Dimension.VOLUME in state else Fraction(1)
        intensity = scenario.intensity(heads) if Dimension.TOKENS in state else None
        if serving is None:
            return Way((), Fraction(1), context, Shape(intensity), volume)
        cards = self._cards(serving, state, at, until)
        caching = first(scenario.caches, heads) if Dimension.CACHE in state else None
        uncached = _NOTHING if caching is None and swap is None else _uncached(serving, cards)
        least = 0 if caching is None else serving.cacheable_tokens_min
        return Way(cards, self._factor(serving, state, at), context, Shape(intensity, caching, least, uncached), volume)

    def _volume(self, plan: str) -> Fraction:
        times = self._scenario.volume
        return self._subscribers.get(plan, Fraction(1)) * (1 if times is None else times)

    def _cards(
        self, serving: Offering, state: frozenset[Dimension], at: datetime, until: datetime | None
    ) -> tuple[PriceCard, ...]:
        if Dimension.PRICE not in state:
            return tuple(self._book.cards(serving.offer, at, until))
        then = self._scenario.prices_at
        listed = (
            self._book.cards(serving.offer, at, until) if then is None else self._book.cards(serving.offer, then, None)
        )
        return tuple(self._as_supposed(card, serving) for card in listed)

    def _as_supposed(self, card: PriceCard, serving: Offering) -> PriceCard:
        if card.id not in self._supposed:
            table: RateTable = card.rates
            for change in self._scenario.prices:
                if change.where.holds(serving.heads()):
                    table = change.applied(table)
            supposed = replace(card, rates=table)
            if self._scenario.prices_at is not None:
                # The list of another moment is supposed to hold always.
                supposed = replace(supposed, valid_from=_BEGINNING, valid_to=None)
            self._supposed[card.id] = supposed
        return self._supposed[card.id]

    def _factor(self, serving: Offering, state: frozenset[Dimension], at: datetime) -> Fraction:
        contracts, fees = self._book.agreed(serving.channel, serving.provider, serving.model)
        off, _contract = discount(contracts, serving.channel, serving.provider, serving.model, at)
        if Dimension.DISCOUNT in state:
            supposed: Discount | None = first(self._scenario.discounts, serving.heads())
            off = off if supposed is None else supposed.share
        if Dimension.FEE in state:
            fee = next((one for one in self._scenario.fees if one.channel == serving.channel), None)
            if fee is not None:
                return _with_fee(1 - off, fee)
        return gross_up(fees, serving.channel, at, 1 - off)


def _uncached(serving: Offering, cards: Sequence[PriceCard]) -> frozenset[Unit]:
    """Return what an offer takes as plain input: everything where it has no cache, writes it has no price for."""
    if not serving.caches:
        return _CACHED
    return frozenset(unit for unit in _WRITES if any(unit not in card.rates for card in cards))


def _with_fee(kept: Fraction, fee: ChannelFee) -> Fraction:
    return kept + fee.share if fee.of_list else kept * (1 + fee.share)
