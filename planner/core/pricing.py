"""Rates of many offers as columns: which offers cannot price a usage, and about what it costs on the others."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from planner.core.errors import Unpriced
from planner.core.money import PICO
from planner.core.offer import Offer
from planner.core.price import Context, PriceCard, Rate, RateTable, When
from planner.core.units import REGISTRY, Unit
from planner.core.usage import Usage

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(slots=True)
class Bands:
    """The bands of one unit in their order: offer, lowest prompt length at which each holds, window, rate."""

    offers: list[int] = field(default_factory=list)
    tokens_min: list[int] = field(default_factory=list)
    windows: list[int] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Column:
    """One unit: base rates in dollars per single unit, who has none, and the bands as arrays."""

    base: Floats
    missing: Flags
    band_offers: NDArray[np.intp]
    band_tokens_min: NDArray[np.int64]
    band_windows: NDArray[np.intp]
    band_rates: Floats


class Pricing:
    """The rates of every offer in one stretch of time, each in the service tier it would serve."""

    def __init__(self, columns: dict[Unit, Column], windows: Sequence[When], unpriced: Flags) -> None:
        """Keep the columns. ``unpriced`` marks the offers without any card."""
        self._columns, self._windows, self._unpriced = columns, windows, unpriced

    def missing(self, usage: Usage) -> Flags:
        """Tell which offers cannot price a usage: no card, or a used unit without a rate."""
        found = self._unpriced.copy()
        for unit, _count in usage.parts:
            if REGISTRY[unit].billed_without_rate:
                column = self._columns.get(unit)
                found |= True if column is None else column.missing
        return found

    def costs(self, usage: Usage, at: datetime, chosen: NDArray[np.intp]) -> Floats:
        """Return about what a usage costs at list price on chosen offers, all of which can price it."""
        total = np.zeros(len(chosen), np.float64)
        holding = np.array([window.holds(_ANY, 0, at) for window in self._windows], np.bool_)
        for unit, quantity in usage.parts:
            column = self._columns.get(unit)
            if column is None:
                continue
            rates = column.base
            if len(column.band_rates):
                holds = (column.band_tokens_min <= usage.input_tokens) & holding[column.band_windows]
                if holds.any():
                    rates = rates.copy()
                    # Of several bands of one offer the last that holds is the one that stays.
                    rates[column.band_offers[holds]] = column.band_rates[holds]
            total += rates[chosen] * quantity
        return total


_ANY = Context()
_ALWAYS = When()


def compile_pricing(offers: Sequence[Offer], cards: Sequence[PriceCard | None], tiers: Sequence[str]) -> Pricing:
    """Lay the rates of each offer's card out in columns, as seen in the service tier it is asked in.

    What a band asks of tier and region is decided here, once; length and hour are left for the question.
    """
    size = len(offers)
    base = {unit: np.zeros(size, np.float64) for unit in Unit}
    missing = {unit: np.ones(size, np.bool_) for unit in Unit}
    bands = {unit: Bands() for unit in Unit}
    windows: dict[When, int] = {_ALWAYS: 0}
    for i, (offer, card) in enumerate(zip(offers, cards, strict=True)):
        if card is None:
            continue
        context = Context(tiers[i], offer.facts.region)
        for unit in Unit:
            source = card.rates.rate_unit(unit)
            if source is None or not _priced_in(card.rates, unit, context):
                continue
            price = card.rates[source]
            base[unit][i], missing[unit][i] = _float(price.base), False
            for band in price.bands:
                when = band.when
                if when.service_tier not in (None, context.service_tier) or when.region not in (None, context.region):
                    continue
                clock = When(utc_start=when.utc_start, utc_end=when.utc_end, weekdays=when.weekdays)
                listed = bands[unit]
                listed.offers.append(i)
                listed.tokens_min.append(_tokens_min(when))
                listed.windows.append(windows.setdefault(clock, len(windows)))
                listed.rates.append(_float(band.rate))
    columns = {
        unit: Column(
            base[unit],
            missing[unit],
            np.array(bands[unit].offers, np.intp),
            np.array(bands[unit].tokens_min, np.int64),
            np.array(bands[unit].windows, np.intp),
            np.array(bands[unit].rates, np.float64),
        )
        for unit in Unit
        if not missing[unit].all()
    }
    return Pricing(columns, tuple(windows), np.array([card is None for card in cards], np.bool_))


def _priced_in(rates: RateTable, unit: Unit, context: Context) -> bool:
    if context.service_tier == "standard" or unit is Unit.REQUEST:
        return True
    try:
        rates.check_tier((unit,), context)
    except Unpriced:
        return False
    return True


def _float(rate: Rate) -> float:
    return rate.pico / rate.pico_per / PICO


def _tokens_min(when: When) -> int:
    above = -1 if when.input_tokens_gt is None else when.input_tokens_gt
    return max(above + 1, when.input_tokens_gte or 0)
