"""Offers in the order of their exact cost, as light as thousands of them can be."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple, overload

from planner.core.money import PICO
from planner.core.offer import Offer

NUMERATOR_BELOW = 2**10
"""Factors over a shared denominator are exact below this; sums below 2**53 times one of them fit 64 bits."""


def numerator(factor: Fraction, denominator: int) -> int:
    """Return a factor over the shared denominator, or a mark that it has no exact place there."""
    scaled = factor * denominator
    return int(scaled) if scaled.denominator == 1 and scaled < NUMERATOR_BELOW else NUMERATOR_BELOW


class Ranked(NamedTuple):
    """An offer with its exact cost per request in USD, effective and at list price."""

    offer: Offer
    cost_usd: Fraction
    list_usd: Fraction


class Ranking(Sequence[Ranked]):
    """Offers with their exact cost in USD, cheapest first, ties by id; each row is made when it is asked for."""

    def __init__(
        self,
        offers: Sequence[Offer],
        per: int,
        costs: list[int | Fraction],
        places: list[int],
        lists: list[float | Fraction],
        *,
        refused: Mapping[str, int],
    ) -> None:
        """Keep places in ``offers``, which are in the order of their ids.

        ``costs`` are in 1e-12 USD divided by ``per``, ``lists`` in 1e-12 USD, exact. ``refused`` counts who is not
        ranked by the first reason; the margin is none of them.
        """
        self.refused = refused
        self._offers, self._per = offers, per * PICO
        self._costs, self._places, self._lists = costs, places, lists

    def insert(self, place: int, cost_usd: Fraction, list_usd: Fraction) -> None:
        """Put one more offer where its cost belongs."""
        cost = cost_usd * self._per
        at = bisect_left(self._costs, cost)
        while at < len(self._costs) and self._costs[at] == cost and self._places[at] < place:
            at += 1
        self._costs.insert(at, cost)
        self._places.insert(at, place)
        self._lists.insert(at, list_usd * PICO)

    @property
    def offers(self) -> list[Offer]:
        """The ranked offers in order, without the work of writing down their costs."""
        return [self._offers[place] for place in self._places]

    def __len__(self) -> int:
        """Count the ranked offers."""
        return len(self._costs)

    @overload
    def __getitem__(self, place: int) -> Ranked: ...
    @overload
    def __getitem__(self, place: slice) -> list[Ranked]: ...
    def __getitem__(self, place: int | slice) -> Ranked | list[Ranked]:
        """Return the offer at a place, or those in a range of places, with its cost."""
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        offer, cost_usd = self._offers[self._places[place]], Fraction(self._costs[place]) / self._per
        return Ranked(offer, cost_usd, Fraction(self._lists[place]) / PICO)
