"""What product owners weigh: every offer worth choosing between, cost against quality, and the bargains among them."""

from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from planner.api.asked import QuestionIn
from planner.api.body import Name, body_of, described
from planner.api.figures import budget, costs, usd
from planner.api.guard import GuardedRoute, granted, known_view
from planner.api.problem import documented
from planner.api.shapes import (
    Shape,
    evidence_shape,
    policy_shape,
    quality_shape,
    standing_shape,
)
from planner.core import errors
from planner.core.ask import Ask
from planner.core.frontier import Bargain, Frontier, Point
from planner.core.money import usd_text
from planner.core.offer import Offer
from planner.core.price import PriceCard
from planner.core.tier import ModelTier
from planner.flows import answer as questions
from planner.flows.current import View
from planner.flows.frontier import weigh
from planner.store.json_text import time_text

router = APIRouter(prefix="/v1", tags=["questions"], route_class=GuardedRoute)

REFUSALS = documented(
    errors.NotFound, errors.UnknownModel, errors.UnknownPolicy, errors.Unpriced, errors.PolicyNotGranted,
    errors.NothingCompliant, errors.MarginUnreachable, errors.Unscored, errors.ImpossibleUsage, errors.TooLarge,
    errors.EncodedBody,
)  # fmt: skip


class FrontierIn(QuestionIn):
    """A question, and the quality index to weigh by: by default the one its needs name, else the default index."""

    index: Name | None = None


def frontier_answer(view: View, body: FrontierIn, default_policy: str, now: datetime) -> Shape:
    """Answer with the frontier of a question, in its written form."""
    ask = questions.ask_of(view.catalogue, body.question(), default_policy, now)
    found, refused = weigh(view, ask, body.index)
    labels = view.snapshot.labels(ask.at)
    cards = [view.catalogue.card(point.offer.id, ask.at) for point in found.points]
    return {
        "index": found.index,
        "points": [
            point_shape(point, ask, labels, card) for point, card in zip(found.points, cards, strict=True)
        ],
        "bargains": [bargain_shape(bargain, ask, found) for bargain in found.bargains],
        "budget_usd": budget(ask.budget_usd),
        "considered": found.eligible + sum(refused.values()),
        "eligible": found.eligible,
        "dominated": found.dominated,
        "unscored": found.unscored,
        "refused": refused,
        **policy_shape(ask.policy),
        "at": time_text(ask.at),
        **standing_shape(view, now, ask.at, cards),
    }  # fmt: skip


def point_shape(point: Point, ask: Ask, labels: Mapping[str, ModelTier], card: PriceCard | None) -> Shape:
    """Write one offer of the frontier, and what each further point of quality costs on the way to the next one."""
    label = labels.get(point.offer.model or "")
    step = point.usd_per_quality_point
    return {
        **place_shape(point.offer, point.cost_usd, ask),
        "tier": None if label is None else label.tier,
        "quality_tier": None if label is None else label.quality_tier,
        "quality": quality_shape(point.score),
        "equals": point.equals,
        "usd_per_quality_point": usd(step),
        "usd_per_quality_point_per_period": None if step is None else usd_text(ask.per_period_usd(step)),
        "price_version": None if card is None else card.id,
        "evidence": None if card is None else evidence_shape(card),
    }


def bargain_shape(bargain: Bargain, ask: Ask, found: Frontier) -> Shape:
    """Write the cheapest offer of a model whose quality label beats its price label."""
    return {
        **place_shape(bargain.offer, bargain.cost_usd, ask),
        "tier": bargain.label.tier,
        "quality_tier": bargain.label.quality_tier,
        "quality": quality_shape(bargain.label.quality),
        "offers": bargain.offers,
        "on_frontier": any(point.offer.model == bargain.label.model for point in found.points),
    }


def place_shape(offer: Offer, cost_usd: Fraction, ask: Ask) -> Shape:
    """Write an offer with what it costs and the margin it leaves."""
    return {
        "offer": offer.id,
        "model": offer.model,
        "provider": offer.facts.provider,
        "channel": offer.facts.channel,
        "region": offer.facts.region,
        **costs(ask, cost_usd),
    }


_FRONTIER = {"plan": "pro", "task": "chat", "index": "artificial_analysis_intelligence"}


@router.post("/frontier", responses=REFUSALS, openapi_extra=described(FrontierIn, _FRONTIER))
def post_frontier(request: Request, body: Annotated[FrontierIn, Depends(body_of(FrontierIn))]) -> dict[str, Any]:
    """Return the eligible offers that no other beats in both cost and quality, cheapest first, and the bargains."""
    granted(request, body.policy)
    view, now = known_view(request, body.known_at)
    return frontier_answer(view, body, request.app.state.default_policy, now)
