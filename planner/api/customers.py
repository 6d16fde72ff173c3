"""Customers of a plan over HTTP: what they have used up, as their backend reports it, and what is left."""

from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request

from planner.api.asked import Moment
from planner.api.body import Name, Sent, UsdText, body_of, described
from planner.api.figures import budget, ratio, usd
from planner.api.guard import GuardedRoute, now_of, view_of
from planner.api.problem import documented
from planner.api.shapes import Shape
from planner.api.writing import actor_of
from planner.core import errors
from planner.core.catalogue import Catalogue
from planner.core.errors import InvalidInput
from planner.core.money import pico_text, plain, ratio_text
from planner.flows import customer as flow
from planner.flows.customer import Headroom
from planner.flows.headroom import Used, used_of
from planner.store.engine import Connection
from planner.store.json_text import time_text
from planner.store.spends import Spend

router = APIRouter(prefix="/v1", tags=["customers"], route_class=GuardedRoute)

_REFUSALS = documented(errors.NotFound, errors.Conflict, errors.TooLarge, errors.EncodedBody)
CUSTOMER_CHARACTERS_MAX = 200
CustomerId = Annotated[str, Path(max_length=CUSTOMER_CHARACTERS_MAX, description="the backend's own id of a customer")]


class SpendIn(Sent):
    """What a customer has used up of a plan since the period began: a total, so that saying it twice is saying it once.

    ``at`` is the moment the total is of, by default the present; the newest one counts, whatever comes in last.
    """

    plan: Name
    period_start: Moment
    period_end: Moment
    spent_usd: UsdText
    at: Moment | None = None


def headroom_shape(found: Headroom) -> Shape:
    """Write what a customer has left; a budget is rounded down."""
    left = found.left_usd
    return {
        "id": found.customer,
        "plan": found.plan,
        "period_start": time_text(found.period_start),
        "period_end": time_text(found.period_end),
        "budget_usd": budget(found.budget_usd),
        "spent_usd": plain(found.spent_usd),
        "left_usd": usd(left),
        "over_budget": found.over,
        "reported_at": time_text(found.reported_at),
    }


_SPEND = {
    "plan": "pro",
    "period_start": "2026-11-01T00:00:00Z",
    "period_end": "2026-12-01T00:00:00Z",
    "spent_usd": "3.90",
}


@router.post("/customers/{id}/spend", responses=_REFUSALS, openapi_extra=described(SpendIn, _SPEND))
def post_spend(request: Request, id: CustomerId, body: Annotated[SpendIn, Depends(body_of(SpendIn))]) -> dict[str, Any]:
    """Report what a customer has used up of a plan in a period so far."""
    now = now_of(request)
    at = body.at or now
    if at > now:
        raise InvalidInput("at", "is yet to come")
    said = Spend(id, body.plan, body.period_start, body.period_end, body.spent_usd, at)
    catalogue, actor = view_of(request).catalogue, actor_of(request)
    found = request.app.state.store.tell(lambda connection: flow.report(connection, catalogue, said, actor))
    return headroom_shape(found)


def used_shape(found: Used) -> Shape:
    """Write what the ledger has of a customer and plan; figures are bounds where ``bounds`` says why."""
    sums = found.sums
    return {
        "period_start": time_text(found.window.start),
        "period_end": time_text(found.window.end),
        "cost_usd": pico_text(sums.low),
        "cost_max_usd": None if sums.unpriced_rows else pico_text(sums.high),
        "tokens": sums.tokens,
        "requests": sums.measures.requests,
        "coverage": ratio_text(sums.coverage),
        "unpriced_tokens": sums.unpriced_tokens,
        "bounds": sums.bounds(paid_for=False),
        "left_usd": usd(found.left_usd),
        "left_tokens": found.left_tokens,
        "projected_usd": usd(found.projected_usd),
    }


def headrooms_answer(connection: Connection, catalogue: Catalogue, customer: str, at: datetime) -> Shape:
    """Answer with every plan that something was reported of, or that the customer is on.

    What was reported counts, and the ledger stands beside it; where nothing was, the ledger counts. They are never
    added up: both tell of the same use.
    """
    reported = {one.plan: one for one in flow.headrooms(connection, catalogue, customer, at)}
    used = {one.plan: one for one in used_of(connection, catalogue, customer, at, reported)}
    return {"items": [_item(customer, reported.get(plan), one) for plan, one in used.items()], "next_cursor": None}


def _item(customer: str, reported: Headroom | None, used: Used) -> Shape:
    spent = used.cost_usd if reported is None else Fraction(reported.spent_usd)
    counts = reported or Headroom(
        customer=customer, plan=used.plan, budget_usd=used.budget_usd,
        spent_usd=Decimal(pico_text(used.sums.low)), period_start=used.window.start, period_end=used.window.end,
    )  # fmt: skip
    share = None if not counts.budget_usd or counts.budget_usd < 0 else spent / counts.budget_usd
    return {
        **headroom_shape(counts),
        "basis": "ledger" if reported is None else "reported",
        "share_used": ratio(share),
        "ledger": used_shape(used),
    }


@router.get("/customers/{id}/headroom", responses=_REFUSALS)
def get_headroom(request: Request, id: CustomerId) -> dict[str, Any]:
    """Return what a customer has left of each plan it is on, or that something was reported of, in the present period.

    ``basis`` says which figure counts: what its backend reported, or else what the ledger has.
    """
    with request.app.state.store.read() as connection:
        return headrooms_answer(connection, view_of(request).catalogue, id, now_of(request))
