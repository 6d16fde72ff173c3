"""What backends ask: the main question, what a request costs, and why an offer was refused."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from planner.api.asked import CostIn, ExplanationIn, RankIn, RecommendationIn
from planner.api.body import body_of, described
from planner.api.figures import usd
from planner.api.guard import GuardedRoute, granted, known_view
from planner.api.problem import documented
from planner.api.shapes import Shape, answer_shape, cost_shape, evidence_shape, policy_shape, standing_shape
from planner.core import errors
from planner.core.errors import InvalidInput
from planner.core.money import usd_text
from planner.core.workload import Workload
from planner.flows import answer as flow
from planner.flows.current import View
from planner.flows.customer import step_down
from planner.store.json_text import time_text

router = APIRouter(prefix="/v1", tags=["questions"], route_class=GuardedRoute)

_WORKLOAD = {"input_tokens": 2600, "cache_read_tokens": 1200, "output_tokens": 450, "requests_per_period": 900}
_QUESTION: dict[str, Any] = {
    "workload": _WORKLOAD,
    "revenue_usd": "20.00",
    "payment_fee_percent": "2.9",
    "payment_fee_fixed_usd": "0.30",
    "other_costs_usd": "1.00",
    "margin": "0.70",
    "policy": "no-training",
    "needs": {"capabilities": ["tools"], "context_tokens": 16000},
}
_COST = {"offer": "direct:openai/gpt-5.4", "usage": {"input_tokens": 271999, "output_tokens": 1000}}

REFUSALS = documented(
    errors.NotFound, errors.UnknownModel, errors.UnknownPolicy, errors.Unpriced, errors.PolicyNotGranted,
    errors.NothingCompliant, errors.MarginUnreachable, errors.ImpossibleUsage, errors.TooLarge, errors.EncodedBody,
)  # fmt: skip


def answered(view: View, question: flow.Question, default_policy: str, now: datetime) -> Shape:
    """Answer the main question from one view, in its written form."""
    ask = flow.ask_of(view.catalogue, question, default_policy, now)
    found = flow.recommend(view, ask)
    stepped: Shape = {}
    if question.over_budget:
        below, found = step_down(ask, found, view.snapshot.recommend)
        stepped, ask = {"stepped_down": below != ask}, below
    return {**answer_shape(found, ask, view, view.snapshot.labels(ask.at)), **stepped}


@router.post("/recommendations", responses=REFUSALS, openapi_extra=described(RecommendationIn, _QUESTION))
def post_recommendation(
    request: Request, body: Annotated[RecommendationIn, Depends(body_of(RecommendationIn))]
) -> dict[str, Any]:
    """Return the cheapest compliant offer that keeps the margin, its fallbacks, and why the others were refused."""
    granted(request, body.policy)
    view, now = known_view(request, body.known_at)
    return answered(view, body.question(), request.app.state.default_policy, now)


@router.post(
    "/explanations",
    responses=REFUSALS,
    openapi_extra=described(ExplanationIn, {**_QUESTION, "offer": "direct:openai/gpt-5.4"}),
)
def post_explanation(
    request: Request, body: Annotated[ExplanationIn, Depends(body_of(ExplanationIn))]
) -> dict[str, Any]:
    """Return every check of one offer with its outcome."""
    granted(request, body.policy)
    view, now = known_view(request, body.known_at)
    ask = flow.ask_of(view.catalogue, body.question(), request.app.state.default_policy, now)
    checks, cost_usd, list_usd = flow.explain(view, ask, body.offer)
    return {
        "offer": body.offer,
        "eligible": all(check.passed for check in checks),
        "checks": [
            {"check": check.name, "outcome": "pass" if check.passed else "refuse", "codes": list(check.codes)}
            for check in checks
        ],
        "cost_usd": usd(cost_usd),
        "list_cost_usd": usd(list_usd),
        **policy_shape(ask.policy),
        "at": time_text(ask.at),
        **standing_shape(view, now, ask.at, [view.catalogue.card(body.offer, ask.at)]),
    }


@router.post("/costs", responses=REFUSALS, openapi_extra=described(CostIn, _COST))
def post_cost(request: Request, body: Annotated[CostIn, Depends(body_of(CostIn))]) -> dict[str, Any]:
    """Price one usage on one offer, or on a card given inline."""
    view, now = known_view(request, body.known_at)
    return cost_answer(view, body, now)


def cost_answer(view: View, body: CostIn, now: datetime) -> Shape:
    """Answer a cost question from one view, in its written form.

    Raises:
        InvalidInput: neither an offer nor a card, or both.
    """
    at, usage, context = body.at or now, body.usage.usage(), body.context.context()
    if body.offer is not None and body.card is None:
        card, found = flow.price_offer(view.catalogue, body.offer, usage, at, context)
        factor = view.catalogue.factor(flow.known_offer(view.catalogue, body.offer), at)
        return {
            **cost_shape(found),
            # The total is at list price; beside it what is left after a contract's discount, with the channel's fees.
            "effective_usd": usd_text(found.exact_usd * factor),
            "effective_factor": usd_text(factor),
            "offer": body.offer,
            "price_version": card.id,
            "evidence": evidence_shape(card),
            "at": time_text(at),
            "ttl_assumed": usage.ttl_assumed,
            **standing_shape(view, now, at, [card]),
        }
    if body.card is None or body.offer is not None:
        raise InvalidInput("offer", "either an offer or a card is needed")
    found = flow.price_inline(body.card.table(), usage, at, context)
    return {
        **cost_shape(found),
        "offer": None,
        "price_version": None,
        "evidence": None,
        "at": time_text(at),
        "ttl_assumed": usage.ttl_assumed,
        **standing_shape(view, now, at),
    }


@router.post(
    "/costs/rank",
    responses=REFUSALS,
    openapi_extra=described(RankIn, {"usage": {"input_tokens": 2600, "output_tokens": 450}}),
)
def post_rank(request: Request, body: Annotated[RankIn, Depends(body_of(RankIn))]) -> dict[str, Any]:
    """Price one usage on every offer that passes the policy and the needs, cheapest first, channel fees included."""
    granted(request, body.policy)
    view, now = known_view(request, body.known_at)
    question = flow.Question(
        workload=Workload.of(body.usage.usage()), policy=body.policy, needs=body.needs.needs(), at=body.at
    )
    ask = flow.ask_of(view.catalogue, question, request.app.state.default_policy, now)
    ranked = view.snapshot.rank(ask)
    return {
        "items": [
            {
                "offer": offer.id,
                "model": offer.model,
                "provider": offer.facts.provider,
                "channel": offer.facts.channel,
                "total_usd": usd_text(cost_usd),
                "list_total_usd": usd_text(list_usd),
            }
            for offer, cost_usd, list_usd in ranked
        ],
        "next_cursor": None,
        **policy_shape(ask.policy),
        "at": time_text(ask.at),
        **standing_shape(view, now, ask.at, [view.catalogue.card(offer.id, ask.at) for offer, _cost, _list in ranked]),
    }
