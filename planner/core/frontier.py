"""The offers worth choosing between: for every cost the best quality, for every quality the lowest cost.

Of two offers the one that costs no more and scores no less, and is better in one of both, dominates the other;
whoever is dominated by nobody is a point of the frontier. The margin is no third dimension: for one question it falls
as the cost rises, and with nothing else.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import zip_longest
from typing import NamedTuple

from planner.core.ask import Ask
from planner.core.catalogue import Catalogue
from planner.core.claim import Score
from planner.core.offer import Offer
from planner.core.ranking import Ranked, Ranking
from planner.core.recommend import affordable_at
from planner.core.tier import ModelTier


@dataclass(frozen=True, slots=True)
class Point:
    """One offer nobody dominates.

    ``equals`` counts the offers with the same cost and the same score, of which this one has the first id.
    ``usd_per_quality_point`` is what each further point of quality costs per request on the way to the next offer of
    the frontier; None for the last one.
    """

    offer: Offer
    cost_usd: Fraction
    score: Score
    equals: int
    usd_per_quality_point: Fraction | None


@dataclass(frozen=True, slots=True)
class Bargain:
    """The cheapest eligible offer of a model whose quality label beats its price label; ``offers`` are all of them."""

    offer: Offer
    cost_usd: Fraction
    label: ModelTier
    offers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontier:
    """The points of one question, cheapest first, and what became of everybody else.

    ``eligible`` = the points and their equals + ``dominated`` + ``unscored``; ``too_dear`` offers pass everything but
    the margin.
    """

    index: str
    points: tuple[Point, ...]
    bargains: tuple[Bargain, ...]
    eligible: int
    dominated: int
    unscored: int
    too_dear: int


def frontier(
    catalogue: Catalogue, ask: Ask, index: str, ranked: Sequence[Ranked], labels: Mapping[str, ModelTier]
) -> Frontier:
    """Find the frontier among offers that pass everything but the margin.

    Args:
        catalogue: where scores are looked up.
        ask: the question; its margin decides who is eligible, its objective nothing.
        index: the quality index to draw the frontier on.
        ranked: what `rank` answers the question: cheapest first, equal costs by id.
        labels: the tier labels of models, from which bargains come.

    Returns:
        Points of rising cost and rising score. One walk along the ranking finds them: whoever comes later costs at
        least as much, and so is dominated unless it scores higher than everybody before.
    """
    eligible = count_affordable(ask, ranked)
    offers = offers_of(ranked)[:eligible]
    scores = {model: catalogue.score(model, index) for model in {offer.model for offer in offers}}
    best: list[tuple[int, Score, int]] = []
    top, unscored = Decimal("-Infinity"), 0
    for place, offer in enumerate(offers):
        score = scores[offer.model]
        if score is None:
            unscored += 1
        elif score.score > top:
            if best and ranked[best[-1][0]].cost_usd == ranked[place].cost_usd:
                best.pop()
            best.append((place, score, 0))
            top = score.score
        elif score.score == top and ranked[best[-1][0]].cost_usd == ranked[place].cost_usd:
            first, same, equals = best.pop()
            best.append((first, same, equals + 1))
    points = tuple(_points([(ranked[place], score, equals) for place, score, equals in best]))
    return Frontier(
        index=index,
        points=points,
        bargains=tuple(_bargains(offers, ranked, labels)),
        eligible=eligible,
        dominated=eligible - unscored - sum(1 + point.equals for point in points),
        unscored=unscored,
        too_dear=len(ranked) - eligible,
    )


class Blend(NamedTuple):
    """Two points of a frontier and the share of requests that goes to the dearer one."""

    cheap: Point
    strong: Point
    share: Fraction

    @property
    def cost_usd(self) -> Fraction:
        """What a request costs on average."""
        return self.share * self.strong.cost_usd + (1 - self.share) * self.cheap.cost_usd

    @property
    def score(self) -> Fraction:
        """The mean score, weighed by requests."""
        return self.share * Fraction(self.strong.score.score) + (1 - self.share) * Fraction(self.cheap.score.score)


def best_blend(points: Sequence[Point], budget_usd: Fraction) -> Blend | None:
    """Return the two offers, and their shares, that give the best mean score a budget per request buys.

    No blend of more offers, nor of others, scores higher: its ends are neighbours on the concave hull of the frontier,
    the line above which no mean of costs and scores lies. None where the budget is below the cheapest point; above the
    dearest one both ends are that point.
    """
    hull: list[Point] = []
    for point in points:
        while len(hull) > 1 and _gain(hull[-2], hull[-1]) <= _gain(hull[-1], point):
            hull.pop()
        hull.append(point)
    for cheap, strong in zip_longest(hull, hull[1:]):
        if strong is None and cheap.cost_usd <= budget_usd:
            return Blend(cheap, cheap, Fraction(1))
        if strong is not None and cheap.cost_usd <= budget_usd < strong.cost_usd:
            return Blend(cheap, strong, (budget_usd - cheap.cost_usd) / (strong.cost_usd - cheap.cost_usd))
    return None


def _gain(one: Point, other: Point) -> Fraction:
    """Return the points of quality that a dollar buys on the way from one point to a dearer one."""
    return Fraction(other.score.score - one.score.score) / (other.cost_usd - one.cost_usd)


def count_affordable(ask: Ask, ranked: Sequence[Ranked]) -> int:
    """Count who of a ranking keeps the margin: with the costs rising, those are the first so many."""
    return bisect_right(ranked, 0, key=lambda item: 0 if affordable_at(ask, item.cost_usd) else 1)


def offers_of(ranked: Sequence[Ranked]) -> list[Offer]:
    """Return the offers of a ranking in order."""
    return ranked.offers if isinstance(ranked, Ranking) else [item.offer for item in ranked]


def _points(found: Sequence[tuple[Ranked, Score, int]]) -> Iterable[Point]:
    for (item, score, equals), after in zip_longest(found, found[1:]):
        step = None
        if after is not None:
            step = (after[0].cost_usd - item.cost_usd) / Fraction(after[1].score - score.score)
        yield Point(item.offer, item.cost_usd, score, equals, step)


def _bargains(offers: Sequence[Offer], ranked: Sequence[Ranked], labels: Mapping[str, ModelTier]) -> Iterable[Bargain]:
    bargains = {model for model, label in labels.items() if label.bargain}
    places: dict[str, list[int]] = {}
    for place, offer in enumerate(offers):
        if offer.model in bargains:
            places.setdefault(offer.model, []).append(place)
    for model, found in places.items():
        yield Bargain(offers[found[0]], ranked[found[0]].cost_usd, labels[model], len(found))
