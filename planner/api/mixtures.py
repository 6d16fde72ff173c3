"""Two offers for one task: which share of its requests may go to the strong one, and whether to try cheap first."""

from datetime import datetime
from fractions import Fraction
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from planner.api.asked import QuestionIn
from planner.api.body import Count, DecimalText, Name, UsdText, body_of, described
from planner.api.figures import budget, costs, ratio
from planner.api.frontier import REFUSALS, place_shape
from planner.api.guard import GuardedRoute, granted, known_view
from planner.api.shapes import (
    SECONDS_PLACES,
    Shape,
    pick_shape,
    policy_shape,
    quality_shape,
    standing_shape,
)
from planner.core.ask import Ask, Pick
from planner.core.errors import InvalidInput
from planner.core.frontier import Blend, Point, best_blend
from planner.core.mixture import Aim, Arm, Decider, Pair, Way, advise
from planner.core.money import floor_text, ratio_text, usd_text
from planner.flows import answer as questions
from planner.flows.current import View
from planner.flows.frontier import Ends, ends
from planner.store.json_text import time_text

router = APIRouter(prefix="/v1", tags=["questions"], route_class=GuardedRoute)

SHARE_PLACES = 4
ASSUMPTIONS = (
    "a score of a mixture is the mean of both scores, weighed by requests",
    "accepted answers of a cascade count with the cheap offer's own score",
    "escalated requests cost both answers, and wait for both",
)


class MixtureIn(QuestionIn):
    """A question, and what is known of who decides between the strong and the cheap offer.

    ``escalated_share`` is the share of requests that need the strong offer, from 0 to 1. A router looks at every
    request, the judge of a cascade at every cheap answer; ``*_cost_usd`` is per look.
    """

    index: Name | None = None
    escalated_share: DecimalText | None = None
    router_cost_usd: UsdText | None = None
    router_ms: Count = 0
    judge_cost_usd: UsdText | None = None
    judge_ms: Count = 0

    def aim(self, ask: Ask) -> Aim:
        """Return what the pair is weighed for, in core terms.

        Raises:
            InvalidInput: a share that is none, or no requests to share.
        """
        budget, requests = ask.budget_usd, ask.workload.requests_per_period
        if not requests:
            raise InvalidInput("requests_per_period", "at least 1 is needed, there is nothing to share")
        return Aim(
            budget_usd=None if budget is None else budget / requests,
            escalated_share=None if self.escalated_share is None else Fraction(self.escalated_share),
            router=Decider(cost_usd=Fraction(self.router_cost_usd or 0), seconds=Fraction(self.router_ms, 1000)),
            judge=Decider(cost_usd=Fraction(self.judge_cost_usd or 0), seconds=Fraction(self.judge_ms, 1000)),
        )


def mixture_answer(view: View, body: MixtureIn, default_policy: str, now: datetime) -> Shape:
    """Answer how to serve a question with two offers, in its written form."""
    ask = questions.ask_of(view.catalogue, body.question(), default_policy, now)
    aim = body.aim(ask)
    found = ends(view, ask, body.index)
    pair = Pair(strong=_arm(view, found, found.strong), cheap=_arm(view, found, found.cheap))
    labels = view.snapshot.labels(ask.at)
    alone, index = found.alone, found.everybody.index
    advice = advise(pair, aim, None if alone is None else Arm(alone.cost_usd, Fraction(alone.score.score)))

    def link(pick: Pick) -> Shape:
        return pick_shape(pick, ask, view.catalogue, labels.get(pick.offer.model or ""))

    return {
        "index": index,
        "strong": link(found.strong),
        "cheap": link(found.cheap),
        "alone": None if alone is None else _scored(alone, ask),
        "budget_usd": budget(ask.budget_usd),
        "budget_usd_per_request": budget(aim.budget_usd),
        **_affordable(pair, aim, ask),
        **_cascades(pair, aim),
        "comparison": _comparison(pair, aim, ask),
        "best_mixture": _best(found, aim, ask),
        "verdict": advice.verdict,
        "reasons": list(advice.reasons),
        "assumptions": list(ASSUMPTIONS),
        "considered": found.eligible + sum(found.refused.values()),
        "eligible": found.eligible,
        "refused": found.refused,
        **policy_shape(ask.policy),
        "at": time_text(ask.at),
        **standing_shape(view, now, ask.at, [found.strong.card, found.cheap.card]),
    }


def _scored(point: Point, ask: Ask) -> Shape:
    return {**place_shape(point.offer, point.cost_usd, ask), "quality": quality_shape(point.score)}


def _arm(view: View, found: Ends, pick: Pick) -> Arm:
    score = view.catalogue.score(pick.offer.model, found.everybody.index)
    return Arm(pick.cost_usd, None if score is None else Fraction(score.score), pick.expected_seconds)


def _affordable(pair: Pair, aim: Aim, ask: Ask) -> Shape:
    """Write the share that the budget affords, rounded down, and what a mixture at exactly this share comes to."""
    most = None if aim.budget_usd is None else pair.share_max(aim.budget_usd, aim.router)
    if most is None:
        return {"share_max": None, "requests_max": None, "mixture": None}
    text = floor_text(most, SHARE_PLACES)
    share = Fraction(text)
    left = pair.cost_left(share)
    return {
        "share_max": text,
        "requests_max": int(most * ask.workload.requests_per_period),
        "mixture": {
            "share": text,
            **way_shape(pair.routed(share, aim.router), aim, ask),
            "cost_left": ratio(left),
        },
    }


def _cascades(pair: Pair, aim: Aim) -> Shape:
    most = None if aim.budget_usd is None else pair.escalated_share_max(aim.budget_usd, aim.judge)
    edge = pair.escalated_share_break_even(aim.judge)
    return {
        "escalated_share_max": None if most is None else floor_text(most, SHARE_PLACES),
        "escalated_share_break_even": floor_text(max(edge, Fraction(0)), SHARE_PLACES),
    }


def _comparison(pair: Pair, aim: Aim, ask: Ask) -> Shape | None:
    """Write every way of serving at the stated share; null where none was stated."""
    share = aim.escalated_share
    if share is None:
        return None
    ways = {
        "router": pair.routed(share, aim.router),
        "cascade": pair.cascaded(share, aim.judge),
        "strong_alone": pair.routed(Fraction(1)),
        "cheap_alone": pair.routed(Fraction(0)),
    }
    return {
        "escalated_share": usd_text(share),
        **{name: way_shape(way, aim, ask) for name, way in ways.items()},
    }


def _best(found: Ends, aim: Aim, ask: Ask) -> Shape | None:
    """Write the best mixture of any two offers under the budget, with free routing; null where nothing is asked."""
    blend = None if aim.budget_usd is None else best_blend(found.everybody.points, aim.budget_usd)
    if blend is None:
        return None
    # The share that is shown is the one that is counted with.
    text = floor_text(blend.share, SHARE_PLACES)
    blend = Blend(blend.cheap, blend.strong, Fraction(text))
    return {
        "strong": _scored(blend.strong, ask),
        "cheap": _scored(blend.cheap, ask),
        "share": text,
        **way_shape(Way(blend.cost_usd, blend.score, None), aim, ask),
    }


def way_shape(way: Way, aim: Aim, ask: Ask) -> Shape:
    """Write what one way of serving comes to."""
    return {
        **costs(ask, way.cost_usd),
        "keeps_margin": None if aim.budget_usd is None else aim.affords(way.cost_usd),
        "quality": ratio(way.score),
        "expected_seconds": None if way.seconds is None else ratio_text(way.seconds, SECONDS_PLACES),
    }


_MIXTURE = {"plan": "pro", "task": "chat", "escalated_share": "0.3", "judge_cost_usd": "0.00005"}


@router.post("/mixtures", responses=REFUSALS, openapi_extra=described(MixtureIn, _MIXTURE))
def post_mixture(request: Request, body: Annotated[MixtureIn, Depends(body_of(MixtureIn))]) -> dict[str, Any]:
    """Return the share of requests that may go to the best offer under the margin, and router against cascade."""
    granted(request, body.policy)
    view, now = known_view(request, body.known_at)
    return mixture_answer(view, body, request.app.state.default_policy, now)
