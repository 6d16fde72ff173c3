"""Where an offer costs the same for every request: pieces of time, of prompt lengths and of the clock, side by side.

`planner.core.rating` asks for the rates of one row at a time. Engines that rate many rows at once look them up in a
table instead, and these are its rows: every moment and every prompt lies in exactly one piece.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise, product
from math import gcd
from typing import NamedTuple

from planner.core.errors import Unpriced
from planner.core.price import DAY_MINUTES, STANDARD, Context, PriceCard, Rate
from planner.core.rating import BASE, NO_BAND, band_of, candidates
from planner.core.units import REGISTRY, Unit
from planner.core.usage import COUNT_MAX

# The first of January 2024 was a Monday.
_MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
_WEEK = 7
_NO_TIER = "no_tier_price"


class Span(NamedTuple):
    """A stretch of time in which one card, or none, and one factor from list price to what is paid held.

    ``since`` None has no beginning, ``until`` None no end.
    """

    since: datetime | None
    until: datetime | None
    card: PriceCard | None
    factor: Fraction


class PerUnit(NamedTuple):
    """A price per unit, in lowest terms: ``pico`` / ``per`` of 1e-12 USD."""

    pico: int
    per: int

    @classmethod
    def of(cls, rate: Rate, factor: Fraction = Fraction(1)) -> "PerUnit":
        """Return a rate as it is paid."""
        if factor == 1:
            return cls(rate.pico, rate.pico_per)
        pico, per = rate.pico * factor.numerator, rate.pico_per * factor.denominator
        shared = gcd(pico, per)
        return cls(pico // shared, per // shared)


class Price(NamedTuple):
    """What one of a unit costs at least, at most, and at list price."""

    low: PerUnit
    high: PerUnit
    listed: PerUnit


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """The prices of every request of one context that begins in ``span``, in ``minutes`` of one of ``weekdays`` of UTC.

    ``tokens`` are the lengths of its prompt. ``prices`` has every unit asked for that costs something or nothing, and
    ``unpriced`` says of the others why a row that used them has no price. Without a card there is neither.
    """

    span: Span
    tokens: range = range(COUNT_MAX)
    minutes: range = range(DAY_MINUTES)
    weekdays: frozenset[int] = frozenset(range(1, _WEEK + 1))
    context: Context = STANDARD
    prices: Mapping[Unit, Price]
    unpriced: Mapping[Unit, str]

    def band(self, units: Sequence[Unit]) -> str:
        """Name the conditions under which the rates of these units were chosen."""
        card = self.span.card
        if card is None:
            return NO_BAND
        if not card.rates.banded:
            return BASE
        return band_of(card.rates, units, self.context, self.tokens.start, _moment(self.weekdays, self.minutes))

    def why_not(self, units: Iterable[Unit]) -> str | None:
        """Return why a row that used these units, in the order of `Usage.parts`, has no price; None: it has one."""
        reasons = [self.unpriced[unit] for unit in units if unit in self.unpriced]
        return next((reason for reason in reasons if reason != _NO_TIER), reasons[0] if reasons else None)


def pieces_of(
    spans: Iterable[Span], units: Collection[Unit], context: Context, *, cache_stated: bool = True
) -> Iterator[Piece]:
    """Yield the pieces of an offer for one context.

    Args:
        spans: of its prices, in any order, apart from each other.
        units: those that rows may have used.
        context: service tier and region of the rows.
        cache_stated: whether rows say what a cache served; otherwise prompts have bounds, as in `planner.core.rating`.
    """
    for span in spans:
        if span.card is None:
            yield Piece(span=span, context=context, prices={}, unpriced={})
            continue
        for tokens, minutes, weekdays in product(_lengths(span.card), _minutes(span.card), _weekdays(span.card)):
            chosen = span.card.rates.selected(context, tokens.start, _moment(weekdays, minutes))
            unpriced = dict(_unpriced(span.card, units, context))
            prices = {
                unit: _price(candidates(unit, chosen, cache_stated=cache_stated), span.factor)
                for unit in units
                if unit not in unpriced
            }
            yield Piece(
                span=span, tokens=tokens, minutes=minutes, weekdays=weekdays, context=context, prices=prices,
                unpriced=unpriced,
            )  # fmt: skip


def _price(rates: Sequence[Rate], factor: Fraction) -> Price:
    # Numbers are compared only where there is something to compare: most units have one rate.
    ordered = rates if len(rates) == 1 else sorted(rates, key=lambda rate: Fraction(rate.pico, rate.pico_per))
    low = PerUnit.of(ordered[0], factor)
    return Price(low, PerUnit.of(ordered[-1], factor) if len(ordered) > 1 else low, PerUnit.of(ordered[0]))


def _unpriced(card: PriceCard, units: Iterable[Unit], context: Context) -> Iterator[tuple[Unit, str]]:
    for unit in units:
        if card.rates.rate_unit(unit) is None and REGISTRY[unit].billed_without_rate:
            yield unit, f"no_rate:{unit}"
        elif context.service_tier != "standard" and unit is not Unit.REQUEST:
            try:
                card.rates.check_tier([unit], context)
            except Unpriced:
                yield unit, _NO_TIER


def _lengths(card: PriceCard) -> list[range]:
    edges = {band.when.tokens_min for price in card.rates.values() for band in price.bands}
    return [range(*pair) for pair in pairwise(sorted({0, COUNT_MAX, *edges}))]


def _minutes(card: PriceCard) -> list[range]:
    whens = [band.when for price in card.rates.values() for band in price.bands]
    edges = {minute for when in whens for minute in (when.utc_start, when.utc_end) if minute is not None}
    return [range(*pair) for pair in pairwise(sorted({0, DAY_MINUTES, *edges}))]


def _weekdays(card: PriceCard) -> list[frozenset[int]]:
    told = any(band.when.weekdays for price in card.rates.values() for band in price.bands)
    days = range(1, _WEEK + 1)
    return [frozenset({day}) for day in days] if told else [frozenset(days)]


def _moment(weekdays: frozenset[int], minutes: range) -> datetime:
    """Return one moment of a piece: all of them are alike."""
    return _MONDAY + timedelta(days=min(weekdays) - 1, minutes=minutes.start)
