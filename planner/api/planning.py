"""Plans and their tasks over HTTP: finance and admins read and write them; admins alone assign their policies."""

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Request
from pydantic import Field
from starlette.responses import Response

from planner.api.asked import NeedsIn, WorkloadIn
from planner.api.body import Count, DecimalText, Name, Sent, UsdText, body_of, described, written_form
from planner.api.desk import DecisionIn
from planner.api.figures import budget
from planner.api.guard import GuardedRoute, now_of, view_of
from planner.api.problem import documented
from planner.api.shapes import Shape
from planner.api.writing import by, tagged, written
from planner.core import errors
from planner.core.catalogue import Catalogue
from planner.core.money import plain, usd_text
from planner.core.plan import Plan
from planner.flows import plan as flow
from planner.store import plans
from planner.store.json_text import time_text

router = APIRouter(prefix="/v1", tags=["finance"], route_class=GuardedRoute)

_REFUSALS = documented(errors.NotFound, errors.Conflict, errors.Changed, errors.TooLarge, errors.EncodedBody)
PlanId = Annotated[str, Path(max_length=63, description="id of a plan")]
TaskId = Annotated[str, Path(max_length=63, description="id of a task of the plan")]
Objective = Literal["cheapest", "best_quality", "fastest", "balanced"]
Stage = Literal["prototype", "internal", "production"]


class TaskIn(Sent):
    """A workload profile of a plan, with what it needs of an offer."""

    workload: WorkloadIn
    needs: NeedsIn = NeedsIn()
    objective: Objective = "cheapest"
    fallbacks: Annotated[int, Field(ge=0, le=10)] = 2
    stage: Stage = "production"

    def document(self) -> dict[str, Any]:
        """Return the task in its written form."""
        document = written_form(self)
        document.pop("reason", None)
        needs = document.get("needs", {})
        kind = needs.pop("kind", None)
        return document if kind is None else {**document, "kind": kind}


class NamedTaskIn(TaskIn):
    """A task of a plan, by its id."""

    id: Name


class TaskWriteIn(TaskIn, DecisionIn):
    """A task as it is to be."""


class PlanIn(DecisionIn):
    """A plan as it is to be: what a customer pays per period, what is gone before tokens are, and its tasks.

    ``price`` is in ``currency``, ``price_usd`` in USD; one of the two. ``margin`` is the target after payment fees and
    other costs. ``customer_budget_usd`` is what one customer may use up in a period, where it is not what the margin
    leaves. Without ``allow_tier1`` a plan without a price gets no offer of the dearest tier.
    """

    name: Name
    price: UsdText | None = None
    price_usd: UsdText | None = None
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "USD"
    period: Literal["day", "week", "month", "quarter", "year"] = "month"
    margin: DecimalText | None = None
    payment_fee_percent: UsdText | None = None
    payment_fee_fixed_usd: UsdText | None = None
    charges_per_period: Count = 1
    other_costs_usd: UsdText | None = None
    customer_budget_usd: UsdText | None = None
    tax_inclusive_rate: Annotated[
        UsdText | None, Field(description="tax within the price: 0.19 of a price of 1.19")
    ] = None
    subscribers: Count | None = None
    allow_tier1: bool | None = None
    tasks: Annotated[list[NamedTaskIn], Field(max_length=flow.TASKS_MAX)] = Field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """Return the plan in its written form."""
        document = written_form(self)
        for name in ("reason", "tasks"):
            document.pop(name, None)
        return {**document, "task": [task.document() for task in self.tasks]}


# --- shapes -----------------------------------------------------------------------------------------------


def sent_form(document: dict[str, Any]) -> Shape:
    """Write a stored plan as it may be sent back: what it is called and who may see its prompts stand beside it."""
    body = {key: value for key, value in document.items() if key not in ("id", "policy", "demo", "task")}
    return {**body, "tasks": [sent_task(task) for task in document.get("task", ())]}


def sent_task(task: dict[str, Any]) -> Shape:
    """Write a stored task as it may be sent back."""
    body = {key: value for key, value in task.items() if key not in ("policy", "kind")}
    needs = {**task.get("needs", {}), **({"kind": task["kind"]} if "kind" in task else {})}
    return {**body, "needs": needs}


def plan_shape(plan: Plan, catalogue: Catalogue, day: date) -> Shape:
    """Write what a plan is in short: its price, its budget for tokens, and whom its prompts may be shown to."""
    return {
        "plan": plan.id,
        "name": plan.name,
        "demo": plan.demo,
        "version": plan.version,
        "price": plain(plan.price),
        "currency": plan.currency,
        "price_usd": plain(plan.economics(day, catalogue.fx).revenue_usd),
        "period": plan.period,
        "margin": None if plan.margin is None else plain(plan.margin),
        "tax_inclusive_rate": None if plan.tax_inclusive_rate is None else plain(plan.tax_inclusive_rate),
        "subscribers": plan.subscribers,
        "allow_tier1": plan.allow_tier1,
        "customer_budget_usd": budget(plan.budget_usd(day, catalogue.fx)),
        "policies": list(plan.policies),
        "tasks": [
            {
                "task": task.id,
                "policies": list(task.policies),
                "stage": task.stage,
                "objective": task.objective,
                "requests_per_period": task.workload.requests_per_period,
                "mean_input_tokens": usd_text(task.workload.mean_input_tokens),
                "mean_output_tokens": usd_text(task.workload.mean_output_tokens),
            }
            for task in plan.tasks
        ],
    }


# --- reading ----------------------------------------------------------------------------------------------


@router.get("/plans", responses=_REFUSALS)
def get_plans(request: Request) -> Response:
    """List the stored plans with their prices, their tasks and the policies each is decided under."""
    catalogue, day = view_of(request).catalogue, now_of(request).date()
    items = [plan_shape(catalogue.plans[id_], catalogue, day) for id_ in sorted(catalogue.plans)]
    return tagged(request, {"items": items, "next_cursor": None})


@router.get("/tasks", responses=_REFUSALS)
def get_tasks(request: Request) -> Response:
    """List the tasks of every plan."""
    catalogue, day = view_of(request).catalogue, now_of(request).date()
    shapes = [plan_shape(catalogue.plans[id_], catalogue, day) for id_ in sorted(catalogue.plans)]
    items = [{"plan": shape["plan"], **task} for shape in shapes for task in shape["tasks"]]
    return tagged(request, {"items": items, "next_cursor": None})


@router.get("/plans/{plan}", responses=_REFUSALS)
def get_plan(request: Request, plan: PlanId) -> Response:
    """Return a plan; its ``document`` is what a PUT takes."""
    with request.app.state.store.read() as connection:
        found, document = flow.stored(connection, plan)
        etag = flow.tag(plan)(connection)
    shape = plan_shape(found, view_of(request).catalogue, now_of(request).date())
    return tagged(request, {**shape, "document": sent_form(document)}, etag)


@router.get("/plans/{plan}/versions", responses=_REFUSALS)
def get_versions(request: Request, plan: PlanId) -> Response:
    """List every version of a plan, newest first, with who wrote it; null came with planner."""
    with request.app.state.store.read() as connection:
        rows = plans.versions(connection, plan)
        etag = flow.tag(plan)(connection)
    items = [
        {
            "version": row["version"],
            "recorded_from": time_text(row["recorded_from"]),
            "recorded_to": time_text(row["recorded_to"]),
            "recorded_by": row["recorded_by"],
            "document": sent_form(row["document"]),
        }
        for row in rows
    ]
    return tagged(request, {"items": items, "next_cursor": None}, etag)


# --- writing ----------------------------------------------------------------------------------------------

_TASK = {
    "workload": {"input_tokens": 1800, "output_tokens": 350, "cache_hit_share": "0.4", "requests_per_period": 400},
    "needs": {"context_tokens": 16000, "tiers": [2, 3]},
    "stage": "production",
    "reason": "measured over the last month",
}
_PLAN = {
    "name": "Starter", "price_usd": "9.00", "margin": "0.70", "payment_fee_percent": "2.9",
    "payment_fee_fixed_usd": "0.30", "other_costs_usd": "0.50", "subscribers": 1200,
    "tasks": [{"id": "chat", **{key: value for key, value in _TASK.items() if key != "reason"}}],
    "reason": "the new price list",
}  # fmt: skip


@router.put("/plans/{plan}", responses=_REFUSALS, openapi_extra=described(PlanIn, _PLAN))
def put_plan(request: Request, plan: PlanId, body: Annotated[PlanIn, Depends(body_of(PlanIn))]) -> Response:
    """Write a plan, new or in the place of what it was. Its policies stay; a new one has the default policy."""
    who, document, default = by(request, body.reason), body.document(), request.app.state.default_policy
    return written(
        request, document, lambda connection: flow.put(connection, plan, document, who, default), tagged=flow.tag(plan)
    )


@router.post("/plans/{plan}/remove", responses=_REFUSALS, openapi_extra=described(DecisionIn, {"reason": "unsold"}))
def post_remove(request: Request, plan: PlanId, body: Annotated[DecisionIn, Depends(body_of(DecisionIn))]) -> Response:
    """Take a plan away."""
    who = by(request, body.reason)
    return written(
        request, body.model_dump(), lambda connection: flow.remove(connection, plan, who), tagged=flow.tag(plan)
    )


@router.put("/plans/{plan}/tasks/{task}", responses=_REFUSALS, openapi_extra=described(TaskWriteIn, _TASK))
def put_task(
    request: Request, plan: PlanId, task: TaskId, body: Annotated[TaskWriteIn, Depends(body_of(TaskWriteIn))]
) -> Response:
    """Write one task of a plan, new or in the place of what it was. Its policies stay."""
    who, document = by(request, body.reason), body.document()
    return written(
        request, document, lambda connection: flow.put_task(connection, plan, task, document, who),
        tagged=flow.tag(plan),
    )  # fmt: skip


@router.post(
    "/plans/{plan}/tasks/{task}/remove", responses=_REFUSALS, openapi_extra=described(DecisionIn, {"reason": "unused"})
)
def post_remove_task(
    request: Request, plan: PlanId, task: TaskId, body: Annotated[DecisionIn, Depends(body_of(DecisionIn))]
) -> Response:
    """Take a task out of a plan."""
    who = by(request, body.reason)
    return written(
        request, body.model_dump(), lambda connection: flow.remove_task(connection, plan, task, who),
        tagged=flow.tag(plan),
    )  # fmt: skip
