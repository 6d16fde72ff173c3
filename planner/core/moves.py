"""How one price differs from another: unit by unit, under every condition that either of them names."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import product
from typing import NamedTuple

from planner.core.money import PICO
from planner.core.price import STANDARD, Band, Context, Rate, RateTable, UnitPrice, When
from planner.core.units import REGISTRY, Unit

# Nobody's price has as many circumstances; a list that has was made to keep us busy.
POINTS_MAX = 5_000
# Any week will do: it begins on a Monday.
_WEEK = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Move:
    """How one rate moved: the base rate of a unit, or its rate under the conditions ``when``.

    ``repriced``: both tables state this very rate; otherwise a condition came or went, and what it replaced is the
    other side of the move.
    """

    unit: Unit
    when: When | None
    before: Rate
    after: Rate
    repriced: bool = True

    @property
    def rises(self) -> bool:
        """Whether the new rate is dearer."""
        return usd(self.after) > usd(self.before)


def usd(rate: Rate) -> Fraction:
    """Return a rate in USD per single unit, exact."""
    return Fraction(rate.pico, rate.pico_per * PICO)


def moves(before: RateTable, after: RateTable) -> tuple[Move, ...]:
    """Return how every unit that both tables price moved, at base and under each condition either of them names."""
    found = []
    for unit in _comparable(before, after):
        old, new = before.get(unit, _NOTHING), after.get(unit, _NOTHING)
        if old == new:
            continue
        stated = unit in before and unit in after
        whens = dict.fromkeys([None, *(band.when for band in old.bands), *(band.when for band in new.bands)])
        for when in whens:
            was, now = _under(old, when), _under(new, when)
            if usd(was) != usd(now):
                found.append(Move(unit, when, was, now, repriced=stated and _names(old, when) and _names(new, when)))
    return tuple(found)


# What is billed only where it has a rate costs nothing without one: a fee that is gone is a fall like any other.
_NOTHING = UnitPrice(Rate(Decimal(0)))


def _comparable(before: RateTable, after: RateTable) -> list[Unit]:
    both = set(before) & set(after)
    if before and after:
        both |= {unit for unit in {*before, *after} if not REGISTRY[unit].billed_without_rate}
    return sorted(both)


def _under(price: UnitPrice, when: When | None) -> Rate:
    """Return the rate under exactly these conditions, or the base rate where they are not named."""
    return next((band.rate for band in reversed(price.bands) if band.when == when), price.base)


def _names(price: UnitPrice, when: When | None) -> bool:
    return when is None or any(band.when == when for band in price.bands)


class Point(NamedTuple):
    """One circumstance of a request: all that a rate may depend on."""

    context: Context
    input_tokens: int
    at: datetime


PLAIN = Point(STANDARD, 0, _WEEK)


class TooManyConditions(Exception):
    """A price has more conditions than anybody's; it cannot be compared in reasonable time."""


def points(tables: Iterable[RateTable]) -> tuple[Point, ...]:
    """Return circumstances so that any rate of the tables is in force in one of them, whatever the others say.

    Raises:
        TooManyConditions: there are more than 5,000.
    """
    bands = [band for table in tables for price in table.values() for band in price.bands]
    if not bands:
        return (PLAIN,)
    axes = (_contexts(bands), _lengths(bands), _moments(bands))
    if len(axes[0]) * len(axes[1]) * len(axes[2]) > POINTS_MAX:
        raise TooManyConditions
    return tuple(Point(context, length, at) for context, length, at in product(*axes))


def _contexts(bands: Iterable[Band]) -> list[Context]:
    tiers = dict.fromkeys(["standard", *(band.when.service_tier or "standard" for band in bands)])
    regions = dict.fromkeys([None, *(band.when.region for band in bands)])
    return [Context(tier, region) for tier in tiers for region in regions]


def _lengths(bands: Iterable[Band]) -> list[int]:
    lengths = {0}
    for band in bands:
        if band.when.input_tokens_gt is not None:
            lengths.add(band.when.input_tokens_gt + 1)
        if band.when.input_tokens_gte is not None:
            lengths.add(band.when.input_tokens_gte)
    return sorted(lengths)


def _moments(bands: Iterable[Band]) -> list[datetime]:
    minutes, weekly = {0}, False
    for band in bands:
        minutes |= {minute for minute in (band.when.utc_start, band.when.utc_end) if minute is not None}
        weekly = weekly or bool(band.when.weekdays)
    days = range(7 if weekly else 1)
    return [_WEEK + timedelta(days=day, minutes=minute) for day in days for minute in sorted(minutes)]


def _priced(rates: RateTable, unit: Unit) -> UnitPrice | None:
    source = rates.rate_unit(unit)
    if source is None:
        return None if not rates or REGISTRY[unit].billed_without_rate else _NOTHING
    return rates[source]


class Fall(NamedTuple):
    """The deepest fall of one unit between two tables, and the circumstance in which it happens."""

    unit: Unit
    before: Rate
    after: Rate
    point: Point

    @property
    def share(self) -> Fraction:
        """The share of the old rate that is gone."""
        return 1 - usd(self.after) / usd(self.before)


def falls(before: RateTable, after: RateTable) -> Iterator[Fall]:
    """Yield the deepest fall of every unit, as a request would be billed: stand-ins count as the unit's own rate.

    A rate that is taken away leaves another one in its place, and one that is added takes another's.

    Raises:
        TooManyConditions: the tables cannot be compared in reasonable time.
    """
    where = points((before, after))
    for unit in sorted({*before, *after}):
        was, now = _priced(before, unit), _priced(after, unit)
        if was is None or now is None or was == now:
            continue
        deepest = None
        for point in where:
            fall = Fall(unit, was.select(*point), now.select(*point), point)
            if usd(fall.after) < usd(fall.before) and (deepest is None or fall.share > deepest.share):
                deepest = fall
        if deepest is not None:
            yield deepest
