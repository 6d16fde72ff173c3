"""Rates of many offers as columns: which offers cannot price a usage, and what it costs on the others, in doubles.

Rates are in 1e-12 USD per single unit, so most of them are whole numbers, and sums of whole numbers below 2**53 are
exact in doubles. Where a rate is not whole, or a sum is larger, the result is close, and is known to be no more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from planner.core.errors import Unpriced
from planner.core.price import ALWAYS, Context, PriceCard, Rate, RateTable, When
from planner.core.units import REGISTRY, Unit
from planner.core.usage import COUNT_MAX, Usage

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Groups = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Column:
    """One unit: base rates, who has none, whose rates are all whole, and the bands in their order.

    A band is an offer, the lowest prompt length at which it holds, a window of the clock, and a rate.
    """

    base: Floats
    missing: Flags
    whole: Flags
    band_offers: NDArray[np.intp]
    band_tokens_min: NDArray[np.int64]
    band_windows: NDArray[np.intp]
    band_rates: Floats

    def of(self, chosen: NDArray[np.intp]) -> "Column":
        """Return the same column of chosen offers alone, numbered by their place among the chosen."""
        places = np.full(len(self.base), -1, np.intp)
        places[chosen] = np.arange(len(chosen))
        offers = places[self.band_offers]
        kept = offers >= 0
        return Column(
            self.base[chosen],
            self.missing[chosen],
            self.whole[chosen],
            offers[kept],
            self.band_tokens_min[kept],
            self.band_windows[kept],
            self.band_rates[kept],
        )


class Charges:
    """The rates of chosen offers in the units of one kind of usage."""

    def __init__(self, columns: Mapping[Unit, Column], windows: Sequence[When], size: int) -> None:
        """Keep the columns of the units that are billed."""
        self._columns, self._windows, self._size = columns, windows, size
        self._whole = np.ones(size, np.bool_)
        for column in columns.values():
            self._whole &= column.whole

    def exact(self, costs: Floats) -> Flags:
        """Tell which of these costs are exact: sums of whole rates, and small enough."""
        return self._whole & (costs < EXACT_BELOW)

    def costs(self, usage: Usage, at: datetime) -> Floats:
        """Return what a usage costs on each chosen offer at list price, in 1e-12 USD, close or exact."""
        return self._total(dict(usage.parts), usage.input_tokens, at)

    def costs_by(self, usages: Sequence[Usage], groups: Groups, at: datetime) -> Floats:
        """Return the same where each offer runs the request in its own way: the usage of its group.

        The prompt is equally long in every group.
        """
        counts = [dict(usage.parts) for usage in usages]
        units = dict.fromkeys(unit for parts in counts for unit in parts)
        quantities = {unit: np.array([parts.get(unit, 0) for parts in counts], np.float64)[groups] for unit in units}
        return self._total(quantities, usages[0].input_tokens, at)

    def _total(self, quantities: Mapping[Unit, int | Floats], input_tokens: int, at: datetime) -> Floats:
        total = np.zeros(self._size, np.float64)
        holding = np.array([window.holds(_ANY, 0, at) for window in self._windows], np.bool_)
        for unit, quantity in quantities.items():
            column = self._columns.get(unit)
            if column is None:
                continue
            rates = column.base
            if len(column.band_rates):
                holds = (column.band_tokens_min <= input_tokens) & holding[column.band_windows]
                rates = rates.copy()
                # Of several bands of one offer the last that holds is the one that stays.
                rates[column.band_offers[holds]] = column.band_rates[holds]
            total += rates * quantity
        return total


class Pricing:
    """The rates of every offer in one stretch of time, each in the service tier it would serve."""

    def __init__(self, columns: Mapping[Unit, Column], windows: Sequence[When], unpriced: Flags) -> None:
        """Keep the columns. ``unpriced`` marks the offers without any card."""
        self._columns, self._windows, self._unpriced = columns, windows, unpriced

    def missing(self, units: Sequence[Unit]) -> Flags:
        """Tell which offers cannot price a usage of these units: no card, or a unit without a rate."""
        found = self._unpriced.copy()
        for unit in units:
            if REGISTRY[unit].billed_without_rate:
                column = self._columns.get(unit)
                found |= True if column is None else column.missing
        return found

    def of(self, units: Sequence[Unit], chosen: NDArray[np.intp]) -> Charges:
        """Return the rates of chosen offers, all of which can price these units."""
        columns = {unit: self._columns[unit].of(chosen) for unit in units if unit in self._columns}
        return Charges(columns, self._windows, len(chosen))


EXACT_BELOW = 2.0**53
_ANY = Context()


@dataclass(slots=True)
class _Draft:
    """A column while it is filled, bands offer by offer: (offer, lowest prompt length, window, rate)."""

    base: Floats
    missing: Flags
    whole: Flags
    bands: list[tuple[int, int, int, float]] = field(default_factory=list)

    def column(self) -> Column:
        offers, tokens_min, windows, rates = zip(*self.bands, strict=True) if self.bands else ((), (), (), ())
        return Column(
            self.base,
            self.missing,
            self.whole,
            np.array(offers, np.intp),
            np.array(tokens_min, np.int64),
            np.array(windows, np.intp),
            np.array(rates, np.float64),
        )


def compile_pricing(cards: Sequence[PriceCard | None], contexts: Sequence[Context]) -> Pricing:
    """Lay the rates of each offer's card out in columns, as seen in the context it is asked in.

    What a band asks of tier and region is decided here, once; length and hour are left for the question.
    """
    size = len(cards)
    drafts = {
        unit: _Draft(np.zeros(size, np.float64), np.ones(size, np.bool_), np.ones(size, np.bool_)) for unit in Unit
    }
    windows: dict[When, int] = {ALWAYS: 0}
    for i, (card, context) in enumerate(zip(cards, contexts, strict=True)):
        if card is None:
            continue
        for unit, source in card.rates.priced_units():
            if not _priced_in(card.rates, unit, context):
                continue
            draft, price = drafts[unit], card.rates[source]
            draft.base[i], draft.missing[i] = _pico(price.base), False
            draft.whole[i] = all(rate.pico_per == 1 for _when, rate in price.stated())
            for band in price.bands:
                when = band.when
                if when.service_tier not in (None, context.service_tier) or when.region not in (None, context.region):
                    continue
                tokens_min = when.tokens_min
                if tokens_min > COUNT_MAX:
                    # No prompt is that long, and no column of 64 bits holds the number.
                    continue
                clock = When(utc_start=when.utc_start, utc_end=when.utc_end, weekdays=when.weekdays)
                window = windows.setdefault(clock, len(windows))
                draft.bands.append((i, tokens_min, window, _pico(band.rate)))
    columns = {unit: draft.column() for unit, draft in drafts.items() if not draft.missing.all()}
    return Pricing(columns, tuple(windows), np.array([card is None for card in cards], np.bool_))


def _priced_in(rates: RateTable, unit: Unit, context: Context) -> bool:
    if context.service_tier == "standard" or unit is Unit.REQUEST:
        return True
    try:
        rates.check_tier((unit,), context)
    except Unpriced:
        return False
    return True


def _pico(rate: Rate) -> float:
    return rate.pico / rate.pico_per
