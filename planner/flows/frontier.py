"""Somebody weighs cost against quality: the frontier of a question, and the pair of offers at its two ends."""

from dataclasses import dataclass, replace
from typing import NamedTuple

from planner.core.ask import Ask, Pick, list_refusals
from planner.core.checks import index_of
from planner.core.errors import Unscored
from planner.core.frontier import Frontier, Point, frontier
from planner.core.offer import Offer
from planner.core.recommend import priced
from planner.flows.current import View


class Weighed(NamedTuple):
    """A frontier, and how many offers were refused by which first reason, the margin included."""

    frontier: Frontier
    refused: dict[str, int]


@dataclass(frozen=True, slots=True)
class Ends:
    """The two offers to mix, and from whom they were chosen.

    ``strong`` has the best score of all that pass everything but the margin; ``cheap`` is the cheapest that has a score
    and keeps the margin, or the cheapest that keeps it where none of those has a score. ``alone`` is the best score
    that keeps the margin by itself, None where nobody has one. ``everybody`` are the points without the margin.
    """

    strong: Pick
    cheap: Pick
    alone: Point | None
    everybody: Frontier
    eligible: int
    refused: dict[str, int]


def weigh(view: View, ask: Ask, index: str | None = None) -> Weighed:
    """Find the frontier of a question on a quality index, that of its needs by default.

    Raises:
        NoAnswer: no offer passes policy, needs and margin, as for the main question.
        Unscored: nobody who does has a score on the index.
    """
    named = index or index_of(ask.needs)
    ranked = view.snapshot.rank(ask)
    found = frontier(view.catalogue, ask, named, ranked, view.snapshot.labels(ask.at))
    if not found.eligible:
        # The main question has no answer either, and says best what would help.
        view.snapshot.recommend(ask)
    if not found.points:
        raise Unscored(named, found.eligible, view.catalogue.indexes)
    return Weighed(found, list_refusals({**ranked.refused, "margin": found.too_dear}))


def ends(view: View, ask: Ask, index: str | None = None) -> Ends:
    """Choose the strong and the cheap offer of a question.

    Raises:
        NoAnswer: no offer passes policy, needs and margin, as for the main question.
        Unscored: nobody who passes policy and needs has a score on the index.
    """
    everybody, refused = weigh(view, replace(ask, economics=None), index)
    ranked = view.snapshot.rank(ask)
    affordable = frontier(view.catalogue, ask, everybody.index, ranked, {})
    points = affordable.points
    cheapest = points[0].offer if points else view.snapshot.recommend(replace(ask, objective="cheapest")).choice.offer
    return Ends(
        strong=_picked(view, ask, everybody.points[-1].offer),
        cheap=_picked(view, ask, cheapest),
        alone=points[-1] if points else None,
        everybody=everybody,
        eligible=affordable.eligible,
        refused=list_refusals({**refused, "margin": affordable.too_dear}),
    )


def _picked(view: View, ask: Ask, offer: Offer) -> Pick:
    return priced(view.catalogue, ask, offer, view.snapshot.labels(ask.at))
