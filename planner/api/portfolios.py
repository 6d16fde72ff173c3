"""The portfolio optimiser at the door: which offers all plans together should use, and what each rule costs."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from planner.api.asked import LIST_MAX, Moment
from planner.api.body import Count, DecimalText, Name, Sent, UsdText, body_of, described
from planner.api.figures import budget, least, ratio, usd
from planner.api.guard import GuardedRoute, now_of, view_of
from planner.api.problem import documented
from planner.api.shapes import Shape, standing_shape
from planner.core import errors
from planner.core.catalogue import DEFAULT_QUALITY_INDEX
from planner.core.money import budget_text, ceiling_text, floor_text, ratio_text, usd_text
from planner.core.optimise import SOLVER
from planner.core.plan import MONTHS
from planner.core.portfolio import (
    FREE_BURN,
    MARGIN,
    PROVIDER_SHARE,
    Candidate,
    Constraint,
    Customers,
    Option,
    Portfolio,
    Rules,
    Slot,
    shares_of,
)
from planner.core.relax import Price, Relaxation
from planner.flows import portfolio as flow
from planner.flows.current import View
from planner.store.json_text import time_text

router = APIRouter(prefix="/v1", tags=["finance"], route_class=GuardedRoute)

SECONDS_MAX = 30
CENTS = 2


class OverrideIn(Sent):
    """What to take instead of what is stored of a plan."""

    subscribers: Count | None = None
    margin: DecimalText | None = None


class PortfolioIn(Sent):
    """Which plans to serve, under which rules. A period is a month: a twelfth of a year of 365 days.

    ``fallback_quality_drop_max`` is by how many points a fallback may be worse than its primary, null by any; ``gap``
    the share of quality within which the search may end, 0 for the very best; ``explain`` solves anew without each
    rule.
    """

    plans: Annotated[list[Name], Field(min_length=1, max_length=LIST_MAX)] | None = None
    overrides: Annotated[dict[Name, OverrideIn], Field(max_length=LIST_MAX)] = Field(default_factory=dict)
    free_burn_usd_per_period: UsdText | None = None
    provider_share_max: DecimalText | None = None
    share_by: Literal["requests", "spend"] = "requests"
    monotone: bool = False
    fallback: bool = True
    fallback_quality_drop_max: UsdText | None = Decimal(10)
    quality_index: Name = DEFAULT_QUALITY_INDEX
    at: Moment | None = None
    time_limit_seconds: Annotated[int, Field(ge=1, le=SECONDS_MAX)] = 10
    gap: UsdText = Decimal("0.001")
    explain: bool = True

    def wish(self) -> flow.Wish:
        """Return what is asked in terms of the flow."""

        def exact(amount: Decimal | None) -> Fraction | None:
            return None if amount is None else Fraction(amount)

        return flow.Wish(
            plans=None if self.plans is None else tuple(self.plans),
            overrides={plan: flow.Override(one.subscribers, one.margin) for plan, one in self.overrides.items()},
            rules=Rules(
                fallback=self.fallback,
                fallback_drop_max=exact(self.fallback_quality_drop_max),
                free_burn_usd=exact(self.free_burn_usd_per_period),
                provider_share_max=exact(self.provider_share_max),
                shared_by=self.share_by,
                monotone=self.monotone,
            ),
            quality_index=self.quality_index,
            at=self.at,
            seconds=self.time_limit_seconds,
            gap=float(self.gap),
            explain=self.explain,
        )


_EXAMPLE = {
    "overrides": {"free": {"subscribers": 20000}, "starter": {"subscribers": 3000}, "pro": {"subscribers": 800}},
    "free_burn_usd_per_period": "400",
    "provider_share_max": "0.6",
    "monotone": True,
}


@router.post(
    "/portfolios",
    responses=documented(errors.NotFound, errors.UnknownPolicy, errors.Unavailable),
    openapi_extra=described(PortfolioIn, _EXAMPLE),
)
def post_portfolio(request: Request, body: Annotated[PortfolioIn, Depends(body_of(PortfolioIn))]) -> dict[str, Any]:
    """Assign every task of every plan an offer: the best quality the rules allow, and of that the cheapest."""
    view, now = view_of(request), now_of(request)
    wish = body.wish()
    return portfolio_shape(view, wish, flow.plan_portfolio(view, wish, now), now)


def portfolio_shape(view: View, wish: flow.Wish, planned: flow.Planned, now: datetime) -> Shape:
    """Write the answer; amounts are per month, of all customers unless they say per customer."""
    portfolio, outcome = planned.portfolio, planned.outcome
    at, chosen = wish.at or now, outcome.chosen
    offers = [link.offer for option in chosen or () for link in (option.primary, option.fallback) if link is not None]
    policies = {part.name: part.version for ask in planned.asks.values() for part in (ask.policy, *ask.policy.parts)}
    return {
        "status": outcome.status,
        "gap": _gap(portfolio, planned),
        "gap_max": f"{wish.gap:f}",
        "cheapest": outcome.cheapest,
        "cost_gap": _cost_gap(portfolio, planned),
        "period": "month",
        "quality_index": wish.quality_index,
        "quality": None if chosen is None else ratio_text(portfolio.quality(chosen)),
        "plans": [_plan_shape(view, planned, one) for one in portfolio.customers],
        "totals": _totals_shape(planned),
        "providers": []
        if chosen is None
        else [{"provider": group, "share": ratio_text(share)} for group, share in shares_of(portfolio, chosen).items()],
        "share_by": wish.rules.shared_by,
        "constraints": [_constraint_shape(planned, one, price) for one, price in planned.prices.items()],
        "relaxations": _relaxations_shape(planned),
        "unserved": [
            {"plan": slot.plan, "task": slot.task, "refused": dict(planned.refused.get((slot.plan, slot.task), {}))}
            for slot in (portfolio.slots[number] for number in outcome.unserved)
        ],
        "left_out": list(planned.left_out),
        "considered": {
            "offers": len(view.catalogue.offers),
            "candidates": sum(len(slot.candidates) for slot in portfolio.slots),
            "unscored": planned.unscored,
            "options": outcome.options,
            "options_kept": outcome.kept,
        },
        "solver": {"name": SOLVER, "solves": outcome.solves, "seconds": f"{planned.seconds:.2f}"},
        "policies": dict(sorted(policies.items())),
        "policy_version": view.catalogue.policy_revision,
        "at": time_text(at),
        **standing_shape(view, now, at, [view.catalogue.card(offer, at) for offer in offers]),
    }


def _gap(portfolio: Portfolio, planned: flow.Planned) -> str | None:
    outcome = planned.outcome
    if outcome.chosen is None or outcome.quality_bound is None:
        return None
    quality = portfolio.quality(outcome.chosen)
    return ratio_text(max(outcome.quality_bound - quality, Fraction()) / quality if quality else Fraction(), 6)


def _cost_gap(portfolio: Portfolio, planned: flow.Planned) -> str | None:
    """Return which share of the bill, at most, the same quality could be had without."""
    outcome = planned.outcome
    if outcome.chosen is None or outcome.cost_bound is None:
        return None
    cost_usd = portfolio.cost_usd(outcome.chosen)
    return ratio_text(max(1 - outcome.cost_bound / cost_usd, Fraction()) if cost_usd else Fraction(), 6)


def _chosen(planned: flow.Planned) -> Mapping[tuple[str, str], Option]:
    pairs = zip(planned.portfolio.slots, planned.outcome.chosen or (), strict=False)
    return {(slot.plan, slot.task): option for slot, option in pairs}


def _spent(planned: flow.Planned, plan: str) -> Fraction | None:
    """Return what a customer of a plan costs in a month; None without an assignment."""
    chosen = planned.outcome.chosen
    return (
        None if chosen is None else flow.spent_of(planned.portfolio, plan, [option.cost_usd for option in chosen])
    )  # fmt: skip


def _plan_shape(view: View, planned: flow.Planned, one: Customers) -> Shape:
    spent, economics, times = _spent(planned, one.plan), planned.economics[one.plan], _times(planned, one.plan)
    margin = None if spent is None else economics.margin_at(spent / times)
    chosen = _chosen(planned)
    return {
        "plan": one.plan,
        "subscribers": one.count,
        "price_usd": usd_text(one.price_usd),
        "budget_usd": budget(one.budget_usd),
        "cost_usd_per_customer": usd(spent),
        "cost_usd_per_period": None if spent is None else usd_text(spent * one.count),
        "revenue_usd_per_period": usd_text(one.price_usd * one.count),
        "margin": ratio(margin),
        "margin_target": None if economics.margin is None else ratio_text(Fraction(economics.margin)),
        "tasks": [
            _task_shape(view, planned.portfolio, slot, chosen.get((slot.plan, slot.task)))
            for slot in planned.portfolio.slots
            if slot.plan == one.plan
        ],
    }


def _task_shape(view: View, portfolio: Portfolio, slot: Slot, option: Option | None) -> Shape:
    requests = portfolio.requests(slot)
    return {
        "task": slot.task,
        "candidates": len(slot.candidates),
        "requests_per_period": usd_text(requests),
        "primary": None if option is None else _link_shape(view, option.primary),
        "fallback": None if option is None or option.fallback is None else _link_shape(view, option.fallback),
        "expected_cost_usd": None if option is None else usd_text(option.cost_usd),
        "cost_usd_per_period": None if option is None else usd_text(option.cost_usd * requests),
    }


def _link_shape(view: View, link: Candidate) -> Shape:
    offer = view.catalogue.offers_by_id[link.offer]
    return {
        "offer": link.offer,
        "model": offer.model,
        "provider": offer.facts.provider,
        "upstream": link.group,
        "channel": offer.facts.channel,
        "cost_usd": usd_text(link.cost_usd),
        "quality": usd_text(link.quality),
        "failure_share": ratio_text(link.failure_share),
    }


def _times(planned: flow.Planned, plan: str) -> Fraction:
    return 1 / MONTHS[planned.plans[plan].period]


def _totals_shape(planned: flow.Planned) -> Shape:
    portfolio, chosen = planned.portfolio, planned.outcome.chosen
    burn = _burn(planned)
    return {
        "requests_per_period": usd_text(portfolio.all_requests),
        "revenue_usd_per_period": usd_text(
            sum((one.price_usd * one.count for one in portfolio.customers), Fraction())
        ),
        "cost_usd_per_period": None if chosen is None else usd_text(portfolio.cost_usd(chosen)),
        "free_burn_usd_per_period": usd(burn),
    }  # fmt: skip


def _burn(planned: flow.Planned) -> Fraction | None:
    if planned.outcome.chosen is None:
        return None
    free = [one for one in planned.portfolio.customers if one.price_usd == 0]
    return sum(((_spent(planned, one.plan) or Fraction()) * one.count for one in free), Fraction())


def _constraint_shape(planned: flow.Planned, one: Constraint, price: Price) -> Shape:
    limit, used = _limit_and_use(planned, one)
    points, saving = price
    known = points is not None and saving is not None
    return {
        "constraint": one.kind,
        "plan": one.plan,
        "limit": limit,
        "used": used,
        "binding": bool(points or saving) if known else None,
        "quality_points": ratio(points),
        "saving_usd_per_period": usd(saving),
        "says": _says(one, price),
    }


def _limit_and_use(planned: flow.Planned, one: Constraint) -> tuple[str | None, str | None]:
    portfolio, rules = planned.portfolio, planned.portfolio.rules
    if one.kind == MARGIN and one.plan is not None:
        customers = portfolio.customers_of(one.plan)
        return budget_text(customers.budget_usd or Fraction()), usd_text(_spent(planned, one.plan) or Fraction())
    if one.kind == FREE_BURN:
        return usd_text(rules.free_burn_usd or Fraction()), usd_text(_burn(planned) or Fraction())
    if one.kind == PROVIDER_SHARE:
        shares = shares_of(portfolio, planned.outcome.chosen or ())
        return ratio_text(rules.provider_share_max or Fraction()), ratio_text(max(shares.values()))
    return None, None


_WORDS = {
    "margin": "the margin", "free_burn": "the limit on what free plans burn",
    "provider_share": "the limit on a provider's share", "monotone": "no worse quality in dearer plans",
    "fallback": "a fallback at another provider", "policy": "privacy",
}  # fmt: skip


def _says(one: Constraint, price: Price) -> str:
    name = _WORDS[one.kind] + ("" if one.plan is None else f" of plan {one.plan}")
    points, saving = price
    if points is None and saving is None:
        return f"{name}: the time was over before its price was known"
    costs = []
    if points:
        costs.append(f"{ratio_text(points, 2)} quality points")
    if saving:
        costs.append(f"${ceiling_text(saving, CENTS)} a month at the same quality")
    return f"{name} costs {' or '.join(costs)}" if costs else f"{name} costs nothing"


def _relaxations_shape(planned: flow.Planned) -> Shape | None:
    found = planned.remedies
    if found is None:
        return None
    together = found.together
    return {
        "alone": [_relaxation_shape(planned, one) for one in found.alone],
        "together": None if together is None else [_relaxation_shape(planned, one) for one in together],
        "complete": found.complete,
    }


def _relaxation_shape(planned: flow.Planned, one: Relaxation) -> Shape:
    """Write by how much a constraint gives way; limits up, prices up, and cuts up, so that what is written suffices."""
    kind, plan = one.constraint
    shape: Shape = {"constraint": kind, "plan": plan}
    if one.amount is None:
        return {**shape, "says": f"give up {_WORDS[kind]}" + (f" of plan {plan}" if plan else "")}
    if kind == FREE_BURN:
        limit = ceiling_text((planned.portfolio.rules.free_burn_usd or Fraction()) + one.amount, CENTS)
        return {**shape, "limit_usd_per_period": limit, "says": f"let free plans burn ${limit} a month"}
    if kind == PROVIDER_SHARE:
        share = ceiling_text((planned.portfolio.rules.provider_share_max or Fraction()) + one.amount, 4)
        return {**shape, "limit": share, "says": f"let one provider serve {share} of the requests"}
    customers = planned.portfolio.customers_of(plan)
    economics, times, allowed = planned.economics[customers.plan], _times(planned, customers.plan), customers.budget_usd
    cost = (allowed or Fraction()) + one.amount
    price = economics.minimum_price_usd(cost / times)
    rise = None if price is None else price - Fraction(economics.revenue_usd)
    cut = None if allowed is None or allowed < 0 else ceiling_text((1 - allowed / cost) * 100, CENTS)
    margin = economics.margin_at(cost / times)
    return {
        **shape,
        "cost_usd_per_customer": usd_text(cost),
        "price_usd": least(price, CENTS),
        "price_rise_usd": least(rise, CENTS),
        "cut_percent": cut,
        "margin": None if margin is None else floor_text(margin, 4),
        "says": f"plan {plan}: "
        + ("" if price is None else f"ask ${ceiling_text(price, CENTS)} a {planned.plans[customers.plan].period}, or ")
        + ("" if cut is None else f"allow {cut} % fewer requests, or trim as much off each, or ")
        + f"aim at a margin of {'' if margin is None else floor_text(margin, 4)}",
    }
