"""Offers in the order of their exact cost, as light as thousands of them can be."""

from bisect import bisect_left
from collections.abc import Sequence
from fractions import Fraction
from typing import overload

from planner.core.money import PICO
from planner.core.offer import Offer

NUMERATOR_BELOW = 2**10
"""Factors over a shared denominator are exact below this; sums below 2**53 times one of them fit 64 bits."""


def numerator(factor: Fraction, denominator: int) -> int:
    """Return a factor over the shared denominator, or a mark that it has no exact place there."""
    scaled = factor * denominator
    return int(scaled) if scaled.denominator == 1 and scaled < NUMERATOR_BELOW else NUMERATOR_BELOW


class Ranking(Sequence[tuple[Offer, Fraction]]):
    """Offers with their exact cost in USD, cheapest first, ties by id; each pair is made when it is asked for."""

    def __init__(self, offers: Sequence[Offer], places: list[int], costs: list[int | Fraction], per: int) -> None:
        """Keep places in ``offers``, which are in the order of their ids, and costs in 1e-12 USD divided by ``per``."""
        self._offers, self._places, self._costs, self._per = offers, places, costs, per * PICO

    def insert(self, place: int, cost_usd: Fraction) -> None:
        """Put one more offer where its cost belongs."""
        cost = cost_usd * self._per
        at = bisect_left(self._costs, cost)
        while at < len(self._costs) and self._costs[at] == cost and self._places[at] < place:
            at += 1
        self._costs.insert(at, cost)
        self._places.insert(at, place)

    def __len__(self) -> int:
        """Count the ranked offers."""
        return len(self._costs)

    @overload
    def __getitem__(self, place: int) -> tuple[Offer, Fraction]: ...
    @overload
    def __getitem__(self, place: slice) -> list[tuple[Offer, Fraction]]: ...
    def __getitem__(self, place: int | slice) -> tuple[Offer, Fraction] | list[tuple[Offer, Fraction]]:
        """Return the offer at a place, or those in a range of places, with its cost."""
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        return self._offers[self._places[place]], Fraction(self._costs[place]) / self._per
