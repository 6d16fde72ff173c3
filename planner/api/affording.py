"""What finance asks of a plan: its minimum viable price, the tiers it affords, and how much text a task must lose."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BeforeValidator

from planner.api.asked import Moment, moment
from planner.api.body import DecimalText, Name, Sent, body_of, described, optional_body_of
from planner.api.figures import budget, costs, least, ratio, usd
from planner.api.guard import GuardedRoute, known_view
from planner.api.problem import documented
from planner.api.shapes import Shape, policy_shape, standing_shape
from planner.core import errors
from planner.core.affordable import TierOption, strongest_affordable
from planner.core.ask import Ask, Pick
from planner.core.cliff import Cliff
from planner.core.money import floor_text, plain, ratio_text, usd_text
from planner.core.sensitivity import Driver
from planner.core.trim import Trim
from planner.flows import affording as flow
from planner.flows.current import View
from planner.store.json_text import time_text

router = APIRouter(prefix="/v1/plans/{plan}", tags=["finance"], route_class=GuardedRoute)

_REFUSALS = documented(
    errors.NotFound, errors.UnknownModel, errors.UnknownPolicy, errors.Unpriced, errors.NothingCompliant,
    errors.TooLarge, errors.EncodedBody,
)  # fmt: skip
_Plan = Annotated[str, Path(max_length=63, description="id of a plan")]
_Text = Annotated[str | None, Query(max_length=400)]
_At = Annotated[datetime | None, BeforeValidator(moment), Query(description="RFC 3339 time with an offset")]
CENTS, FLOOR_PLACES, REQUEST_PLACES = 2, 4, 8


class PriceIn(Sent):
    """Which task, all without one; another target margin than the plan's; prices of a moment, as known at one."""

    task: Name | None = None
    margin: DecimalText | None = None
    at: Moment | None = None
    known_at: Moment | None = None


class TrimIn(PriceIn):
    """A task and what of its text may go; an offer, without one the task's own."""

    task: Name
    cut: Literal["input", "output", "both"] = "both"
    offer: Name | None = None


def pick_summary(pick: Pick | None, ask: Ask) -> Shape | None:
    """Write an offer as a choice of a task: who it is, and what it costs."""
    if pick is None:
        return None
    return {
        "offer": pick.offer.id,
        "model": pick.offer.model,
        "provider": pick.offer.facts.provider,
        "tier": pick.tier,
        "quality": None if pick.quality is None else plain(pick.quality),
        **costs(ask, pick.cost_usd),
        "price_version": pick.card.id,
    }


def driver_shape(driver: Driver) -> Shape:
    """Write one thing a margin hangs on: costs of a period and margins at a tenth less and a tenth more of it."""
    return {
        "driver": driver.name,
        "cost_usd_less": usd_text(driver.cost_usd_less),
        "cost_usd_more": usd_text(driver.cost_usd_more),
        "margin_less": ratio(driver.margin_less),
        "margin_more": ratio(driver.margin_more),
        "unit": None if driver.unit is None else driver.unit.value,
        "cost_usd": usd(driver.cost_usd),
        "margin_per_usd_per_mtok": usd(driver.margin_per_usd_per_mtok),
        "break_even_rise": None if driver.break_even_rise is None else floor_text(driver.break_even_rise, FLOOR_PLACES),
    }


def cliff_shape(cliff: Cliff) -> Shape:
    """Write a step of a price that prompts are just above."""
    return {
        "share": ratio_text(cliff.share),
        "input_tokens": cliff.input_tokens,
        "input_tokens_below": cliff.input_tokens_below,
        "tokens_over": cliff.tokens_over,
        "saving_usd_per_request": usd_text(cliff.saving_usd_per_request),
        "saving_usd_per_period": usd_text(cliff.saving_usd_per_period),
    }


def trim_shape(found: Trim, ask: Ask) -> Shape:
    """Write a cut: the share of the text rounded up, whole tokens of every kind of request, and what is left to pay.

    Without a ratio, the cost is what stays when all the text that may go is gone.
    """
    return {
        "cut": found.cut,
        "feasible": found.ratio is not None,
        "why_not": found.why_not,
        "ratio": least(found.ratio, FLOOR_PLACES),
        **costs(ask, found.cost_usd),
        "kinds": [
            {
                "share": ratio_text(loss.share),
                "input_tokens_cut": loss.input_tokens,
                "cached_tokens_cut": loss.cached_tokens,
                "output_tokens_cut": loss.output_tokens,
                "input_tokens_left": left.input_tokens,
                "output_tokens_left": left.output_tokens,
            }
            for loss, left in zip(found.losses, found.workload.usages, strict=False)
        ],
    }


def option_shape(option: TierOption, ask: Ask) -> Shape:
    """Write one tier as a choice."""
    return {
        "tier": option.tier,
        "allowed": option.allowed,
        "affordable": option.affordable,
        "refusal": option.refusal,
        "cheapest": pick_summary(option.cheapest, ask),
        "best": pick_summary(option.best, ask),
        "tokens_affordable": option.tokens_affordable,
        "requests_affordable": option.requests_affordable,
        "saving_usd_per_period": usd(option.saving_usd_per_period),
        "trims": [trim_shape(found, ask) for found in option.trims],
    }


def _task_price_shape(found: flow.TaskPrice) -> Shape:
    return {
        "task": found.task,
        "refusal": found.refusal,
        "choice": pick_summary(found.pick, found.ask),
        "keeps_margin": found.keeps_margin,
        "minimum_price_usd": least(found.minimum_price_usd, CENTS),
        "overage_usd_per_request": least(found.overage_usd_per_request, REQUEST_PLACES),
        "overage_usd_per_mtok": least(found.overage_usd_per_mtok, FLOOR_PLACES),
        "input_share": ratio(found.input_share),
        "sensitivity": [driver_shape(driver) for driver in found.drivers],
        "cliffs": [cliff_shape(cliff) for cliff in found.cliffs],
        **policy_shape(found.ask.policy),
    }


def _standing(view: View, at: datetime | None, now: datetime, picks: Iterable[Pick | None]) -> Shape:
    cards = [pick.card for pick in picks if pick is not None]
    return {"at": time_text(at or now), **standing_shape(view, now, at, cards)}


def price_answer(view: View, plan: str, body: PriceIn, now: datetime) -> Shape:
    """Answer what a plan must cost, from one view, in its written form."""
    found = flow.price_plan(view, plan, body.task, body.margin, body.at, now)
    economics = found.economics
    return {
        "plan": found.plan.id,
        "plan_version": found.plan.version,
        "revenue_usd": plain(economics.revenue_usd),
        "target_margin": None if economics.margin is None else plain(economics.margin),
        "budget_usd": budget(economics.budget_usd),
        "cost_usd_per_period": usd(found.cost_usd),
        "margin": ratio(found.margin),
        "keeps_margin": found.keeps_margin,
        "minimum_price_usd": least(found.minimum_price_usd, CENTS),
        "contribution_usd": usd(found.contribution_usd),
        "subscribers": found.plan.subscribers,
        "burn_usd": usd(found.burn_usd),
        "tasks": [_task_price_shape(task) for task in found.tasks],
        **_standing(view, body.at, now, (task.pick for task in found.tasks)),
    }


def tiers_answer(view: View, plan: str, task: str | None, at: datetime | None, now: datetime) -> Shape:
    """Answer which tiers the tasks of a plan afford, from one view, in its written form."""
    found, tasks = flow.plan_tiers(view, plan, task, at, now)
    return {
        "plan": found.id,
        "plan_version": found.version,
        "allow_tier1": found.allow_tier1,
        "items": [
            {
                "task": each.task,
                "budget_usd": budget(each.ask.budget_usd),
                "strongest_affordable": strongest_affordable(each.options),
                "tiers": [option_shape(option, each.ask) for option in each.options],
                **policy_shape(each.ask.policy),
            }
            for each in tasks
        ],
        "next_cursor": None,
        **_standing(view, at, now, (pick for each in tasks for o in each.options for pick in (o.cheapest, o.best))),
    }


def trim_answer(view: View, plan: str, body: TrimIn, now: datetime) -> Shape:
    """Answer how much text a task must lose, from one view, in its written form."""
    found = flow.trim_task(view, plan, body.task, body.cut, body.offer, body.margin, body.at, now)
    ask, drop = found.ask, found.drop
    saving = None if drop is None else ask.per_period_usd(found.pick.cost_usd - drop.cost_usd)
    return {
        "plan": plan,
        "task": found.task,
        "budget_usd": budget(ask.budget_usd),
        "now": pick_summary(found.pick, ask),
        "trim": trim_shape(found.trim, ask),
        "cliffs": [cliff_shape(cliff) for cliff in found.cliffs],
        "next_tier_down": pick_summary(drop, ask),
        "next_tier_saving_usd_per_period": usd(saving),
        **policy_shape(ask.policy),
        **_standing(view, body.at, now, (found.pick, drop)),
    }


@router.post("/price", responses=_REFUSALS, openapi_extra=described(PriceIn, {"margin": "0.70"}, required=False))
def post_price(
    request: Request, plan: _Plan, body: Annotated[PriceIn, Depends(optional_body_of(PriceIn))]
) -> dict[str, Any]:
    """Return the minimum viable price of a plan and of each task, overage floors, and what the margin hangs on.

    A task alone is held against the whole budget of the plan; all tasks together are in the plan's own figures.
    """
    view, now = known_view(request, body.known_at)
    return price_answer(view, plan, body, now)


@router.post("/trim", responses=_REFUSALS, openapi_extra=described(TrimIn, {"task": "chat", "cut": "input"}))
def post_trim(request: Request, plan: _Plan, body: Annotated[TrimIn, Depends(body_of(TrimIn))]) -> dict[str, Any]:
    """Return how much of prompts, completions or both a task must lose to fit the budget of its plan.

    The task is held against the whole budget of the plan, as in a recommendation.
    """
    view, now = known_view(request, body.known_at)
    return trim_answer(view, plan, body, now)


@router.get("/tiers", responses=_REFUSALS)
def get_tiers(
    request: Request, plan: _Plan, task: _Text = None, at: _At = None, known_at: _At = None
) -> dict[str, Any]:
    """Return for each task of a plan what every tier costs, which the revenue affords, and what would let more in."""
    view, now = known_view(request, known_at)
    return tiers_answer(view, plan, task, at, now)
