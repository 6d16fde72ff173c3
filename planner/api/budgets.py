"""Budgets over HTTP: what the tokens of a plan may cost in a month, and how much of it is gone."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import Field
from starlette.responses import Response

from planner.api.body import UsdText, body_of, described
from planner.api.desk import DecisionIn
from planner.api.guard import GuardedRoute, now_of
from planner.api.problem import documented
from planner.api.writing import by, tagged, written
from planner.core import errors
from planner.core.budget import ALL_PLANS, PERCENT_MAX, THRESHOLDS_MAX, THRESHOLDS_PERCENT
from planner.flows import budget as flow

router = APIRouter(prefix="/v1", tags=["finance"], route_class=GuardedRoute)

_REFUSALS = documented(errors.NotFound, errors.Conflict, errors.Changed)
_Plan = Annotated[str, Path(max_length=63, description=f"id of a plan, or {ALL_PLANS} for all plans together")]
_Month = Annotated[
    str | None, Field(description="a month of UTC that is not over, such as 2026-11; the running one by default")
]
_Percent = Annotated[int, Field(ge=1, le=PERCENT_MAX)]


class BudgetIn(DecisionIn):
    """What tokens may cost per month of UTC from a month on, and at which percents of it somebody is told."""

    amount_usd: Annotated[UsdText, Field(gt=0)]
    from_month: _Month = None
    thresholds_percent: Annotated[list[_Percent], Field(min_length=1, max_length=THRESHOLDS_MAX)] = Field(
        default_factory=lambda: list(THRESHOLDS_PERCENT)
    )


class BudgetEndIn(DecisionIn):
    """From which month on there is no budget."""

    from_month: _Month = None


@router.get("/budgets", responses=_REFUSALS)
def get_budgets(request: Request) -> Response:
    """List budgets with what is spent of each this month, and of which thresholds somebody was told.

    ``plan`` null is all plans together, and counts the use of no plan as well. ``spent_usd`` is the token cost of the
    month as the cost report has it; where ``bounds`` is not null, it is at least that, and ``left_usd`` at most.
    ``expected_usd`` is what the month is expected to end at, null below 14 whole days of history.
    """
    with request.app.state.store.read() as connection:
        document = flow.listed(connection, now_of(request))
    return tagged(request, document)


@router.get("/budgets/{plan}", responses=_REFUSALS)
def get_budget(request: Request, plan: _Plan) -> Response:
    """Return the budget of a plan, with what is spent of it this month."""
    with request.app.state.store.read() as connection:
        document = flow.one_of(connection, plan, now_of(request))
    return tagged(request, document)


_BUDGET = {"amount_usd": "500", "from_month": "2026-12", "thresholds_percent": [50, 80, 100], "reason": "agreed"}


@router.put("/budgets/{plan}", responses=_REFUSALS, openapi_extra=described(BudgetIn, _BUDGET))
def put_budget(request: Request, plan: _Plan, body: Annotated[BudgetIn, Depends(body_of(BudgetIn))]) -> Response:
    """Set the budget of a plan from a month on; thresholds of another amount are told anew where they are reached."""
    who, percents = by(request, body.reason), body.thresholds_percent
    return written(
        request,
        body.model_dump(mode="json"),
        lambda connection: flow.set_budget(connection, plan, body.from_month, body.amount_usd, percents, who),
    )


@router.delete("/budgets/{plan}", responses=_REFUSALS, openapi_extra=described(BudgetEndIn, {"reason": "not needed"}))
def delete_budget(
    request: Request, plan: _Plan, body: Annotated[BudgetEndIn, Depends(body_of(BudgetEndIn))]
) -> Response:
    """Let a plan have no budget from a month on; of months that are over it stays on record."""
    who = by(request, body.reason)
    return written(
        request, body.model_dump(), lambda connection: flow.end_budget(connection, plan, body.from_month, who)
    )
