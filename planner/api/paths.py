"""Direct, broker or gateway: the same workload along every way, and which one to take."""

from datetime import datetime
from fractions import Fraction
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from planner.api.asked import RecommendationIn
from planner.api.body import Count, UsdText, body_of, described
from planner.api.figures import ratio, usd
from planner.api.guard import GuardedRoute, granted, known_view
from planner.api.questions import REFUSALS
from planner.api.shapes import Shape, policy_shape, standing_shape
from planner.core.controls import CONTROLS, GATEWAY, WORDS
from planner.core.money import usd_text
from planner.core.path_verdict import Verdict, verdict
from planner.core.paths import FeeHere, Gateway, Paths, Reach, Way
from planner.flows import paths as flow
from planner.flows.answer import ask_of
from planner.flows.current import View
from planner.store.json_text import time_text

router = APIRouter(prefix="/v1", tags=["questions"], route_class=GuardedRoute)

OVERHEAD_MS_MAX = 60_000


class PathsIn(RecommendationIn):
    """The main question, and what the comparison is for.

    ``stage`` and ``customers`` are those of a stored task and plan unless said; without customers, figures are per
    customer only. ``gateway_usd_per_month`` is what a gateway of your own costs to run for everybody together.
    """

    stage: Literal["prototype", "internal", "production"] | None = None
    customers: Annotated[Count, Field(ge=1)] | None = None
    gateway_usd_per_month: UsdText | None = None
    gateway_overhead_ms: Annotated[int, Field(ge=0, le=OVERHEAD_MS_MAX)] | None = None

    def gateway(self) -> Gateway:
        """Return the gateway in core terms; a time of one's own has no published percentile beside it."""
        monthly = None if self.gateway_usd_per_month is None else Fraction(self.gateway_usd_per_month)
        if self.gateway_overhead_ms is None:
            return Gateway(monthly)
        return Gateway(monthly, self.gateway_overhead_ms, None, None)


_QUESTION = {"plan": "pro", "task": "chat", "stage": "production", "customers": 500, "gateway_usd_per_month": "120"}


@router.post("/paths", responses=REFUSALS, openapi_extra=described(PathsIn, _QUESTION))
def post_paths(request: Request, body: Annotated[PathsIn, Depends(body_of(PathsIn))]) -> dict[str, Any]:
    """Return what every way to the recommended model costs, adds and enforces, and which one to take."""
    granted(request, body.policy)
    view, now = known_view(request, body.known_at)
    return paths_answer(view, body, request.app.state.default_policy, now)


def paths_answer(view: View, body: PathsIn, default_policy: str, now: datetime) -> Shape:
    """Answer from one view, in its written form."""
    question = body.question()
    ask = ask_of(view.catalogue, question, default_policy, now)
    setting = flow.setting_of(view, question, body.stage, body.customers, body.gateway())
    found = flow.ways(view, ask, setting)
    cards = [view.catalogue.card(way.same.offer.id, ask.at) for way in found.ways if way.same is not None]
    return {
        "model": found.choice.model,
        "offer": found.choice.id,
        "stage": setting.stage,
        "period": setting.period,
        "customers": setting.customers,
        "verdict": verdict_shape(found, verdict(found)),
        "ways": [_way_shape(found, way) for way in found.ways],
        "gateway": _gateway_shape(found),
        "objective": ask.objective,
        **policy_shape(ask.policy),
        "at": time_text(ask.at),
        **standing_shape(view, now, ask.at, cards),
    }


def verdict_shape(found: Paths, said: Verdict) -> Shape:
    """Write which way to take, and why."""
    return {
        "take": said.take,
        "run": said.run,
        "chain": [_reach_shape(found, reach) for reach in said.chain],
        "reasons": list(said.reasons),
        "cautions": list(said.cautions),
    }


def _reach_shape(found: Paths, reach: Reach | None) -> Shape | None:
    if reach is None:
        return None
    return {
        "offer": reach.offer.id,
        "model": reach.offer.model,
        "provider": reach.offer.facts.provider,
        "channel": reach.offer.facts.channel,
        "cost_usd": usd_text(reach.cost_usd),
        "list_cost_usd": usd_text(reach.list_usd),
        "cost_usd_per_period": usd_text(found.per_period(reach)),
        "margin": ratio(found.ask.margin_at(reach.cost_usd)),
        "within_budget": reach.affordable,
    }


def _way_shape(found: Paths, way: Way) -> Shape:
    surcharge = found.surcharge(way)
    return {
        "channel": way.channel.id,
        "name": way.channel.name,
        "same_model": _reach_shape(found, way.same),
        "best": _reach_shape(found, way.best),
        "refused": dict(way.refused),
        "independent_upstreams": len(way.upstreams),
        "surcharge_usd_per_period": usd(surcharge),
        **_together(found, None if way.same is None else found.per_period(way.same)),
        "fee_known": way.fee_known,
        "fees": [_fee_shape(fee) for fee in way.fees],
        "overhead_ms": way.overhead_ms,
        "overhead_source_url": way.channel.overhead_source_url,
        "overhead_observed_at": time_text(way.channel.overhead_observed_at),
        "enforces": _controls_shape(way.channel.id),
        "not_enforced": list(way.not_enforced),
    }


def _together(found: Paths, per_customer: Fraction | None) -> Shape:
    customers = found.setting.customers
    total = None if per_customer is None or customers is None else per_customer * customers
    return {"total_usd_per_period": usd(total)}


def _fee_shape(here: FeeHere) -> Shape:
    fee = here.fee
    return {
        "payment": fee.payment,
        "percent": usd_text(fee.percent),
        "basis": fee.basis,
        "counts": fee.chosen,
        "usd_per_period": usd_text(here.usd_per_period),
        "allowance_usd_per_month": usd(fee.allowance_usd_per_month),
        "minimum_usd": usd(fee.minimum_usd),
        "purchase_usd_min": usd(here.purchase_usd_min),
        "source_url": fee.source_url,
    }


def _controls_shape(channel: str) -> Shape:
    """Write what a way can be held to; null is not known."""
    row = CONTROLS.get(channel, {})
    return {word: {"how": row[word].how, "source_url": row[word].source_url} if word in row else None for word in WORDS}


def _gateway_shape(found: Paths) -> Shape:
    gateway, direct = found.setting.gateway, found.direct
    running = found.gateway_usd_per_period
    total = None
    if running is not None and direct is not None and found.setting.customers is not None:
        total = found.cost(direct) * found.setting.customers + running
    return {
        "runs_usd_per_period": usd(running),
        "total_usd_per_period": usd(total),
        "customers_min": found.gateway_customers_min(found.brokers),
        "overhead_ms": gateway.overhead_ms,
        "overhead_ms_p95": gateway.overhead_ms_p95,
        "overhead_source_url": gateway.overhead_source_url,
        "enforces": _controls_shape(GATEWAY),
    }
