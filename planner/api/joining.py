"""Who is who over HTTP: customers with their ids in every source, their plans, and which plan a price means."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from pydantic import Field
from starlette.responses import Response

from planner.api.asked import Moment
from planner.api.body import Name, Reason, Sent, body_of, described
from planner.api.guard import GuardedRoute
from planner.api.ledger import caught_up
from planner.api.pages import Cursor, Limit, cursor_of, read_cursor
from planner.api.problem import documented
from planner.api.shapes import Shape
from planner.api.writing import by, tagged, written
from planner.core import errors
from planner.core.errors import UNSAID
from planner.core.money import pico_text
from planner.flows import joining
from planner.store import customers
from planner.store.customers import Assignment, Stranger
from planner.store.json_text import time_text

router = APIRouter(prefix="/v1", tags=["finance"], route_class=GuardedRoute, responses=documented())

_REFUSALS = documented(errors.NotFound, errors.Conflict, errors.Changed, errors.TooLarge, errors.EncodedBody)
CustomerId = Annotated[str, Path(max_length=200, description="the id a customer is known by here")]


class ExternalIdIn(Sent):
    """What a source calls a customer."""

    source: Name
    id: Name


class CustomerIn(Sent):
    """A customer and all its ids in other sources; an id that is left out is no longer its own."""

    name: Name
    external_ids: Annotated[list[ExternalIdIn], Field(max_length=100)] = Field(default_factory=list)
    reason: Reason = UNSAID


class AssignmentIn(Sent):
    """The plan a customer is on from a moment on, until another one or until further notice."""

    plan: Name
    valid_from: Moment
    valid_to: Moment | None = None
    reason: Reason = UNSAID


class PricePlanIn(Sent):
    """Which plan a price of a source means, such as Stripe's ``price_pro``."""

    source: Name
    price: Name
    plan: Name
    reason: Reason = UNSAID


def customer_shape(customer: dict[str, Any]) -> Shape:
    """Write a customer."""
    return {
        "id": customer["id"],
        "name": customer["name"],
        "external_ids": [{"source": source, "id": external} for source, external in customer["external_ids"]],
        "plans": [
            {"plan": one.plan, "valid_from": time_text(one.valid_from), "valid_to": time_text(one.valid_to)}
            for one in customer["plans"]
        ],
        "recorded_at": time_text(customer["recorded_at"]),
    }


def stranger_shape(stranger: Stranger) -> Shape:
    """Write an id nobody knows, and what hangs on it."""
    return {
        "source": stranger.source,
        "id": stranger.external_id,
        "token_cost_usd": pico_text(stranger.cost_pico),
        "revenue_usd": pico_text(stranger.revenue_pico),
        "rows": stranger.rows,
    }


@router.get("/customers")
def get_customers(request: Request, limit: Limit = 100, cursor: Cursor = None) -> dict[str, Any]:
    """List customers by id."""
    with request.app.state.store.read() as connection:
        found = customers.every(connection, read_cursor(cursor) or "", limit + 1)
    more = len(found) > limit
    return {
        "items": [customer_shape(one) for one in found[:limit]],
        "next_cursor": cursor_of(found[limit - 1]["id"]) if more else None,
    }


@router.get("/customers/unmapped")
def get_unmapped(request: Request, limit: Limit = 100) -> dict[str, Any]:
    """List the ids nobody said the customer of, the one most dollars hang on first."""
    with request.app.state.store.read() as connection:
        found = customers.strangers(connection)
    return {"items": [stranger_shape(one) for one in found[:limit]], "total": len(found), "next_cursor": None}


@router.get("/customers/{id}", responses=_REFUSALS)
def get_customer(request: Request, id: CustomerId) -> Response:
    """Return a customer."""
    with request.app.state.store.read() as connection:
        return tagged(request, customer_shape(joining.required(connection, id)))


_CUSTOMER = {"name": "Acme", "external_ids": [{"source": "stripe", "id": "cus_1"}], "reason": "signed up"}


@router.put("/customers/{id}", responses=_REFUSALS, openapi_extra=described(CustomerIn, _CUSTOMER))
def put_customer(
    request: Request, id: CustomerId, body: Annotated[CustomerIn, Depends(body_of(CustomerIn))]
) -> Response:
    """Write a customer; what it used and paid before is booked anew under it."""
    who, ids = by(request, body.reason), [(one.source, one.id) for one in body.external_ids]
    answer = written(
        request,
        body.model_dump(mode="json"),
        lambda connection: customer_shape(joining.put(connection, id, body.name, ids, who)),
    )
    caught_up(request)
    return answer


_ASSIGNMENT = {"plan": "pro", "valid_from": "2026-09-01T00:00:00Z", "reason": "upgraded"}


@router.post("/customers/{id}/plans", responses=_REFUSALS, openapi_extra=described(AssignmentIn, _ASSIGNMENT))
def post_plan(
    request: Request, id: CustomerId, body: Annotated[AssignmentIn, Depends(body_of(AssignmentIn))]
) -> Response:
    """Put a customer on a plan from a moment on; usage without a plan of its own is booked anew under it."""
    who, said = by(request, body.reason), Assignment(body.plan, body.valid_from, body.valid_to)
    answer = written(
        request,
        body.model_dump(mode="json"),
        lambda connection: customer_shape(joining.assign(connection, id, said, who)),
    )
    caught_up(request)
    return answer


@router.get("/price-plans")
def get_price_plans(request: Request) -> dict[str, Any]:
    """List which plan each price of a source means."""
    with request.app.state.store.read() as connection:
        found = customers.prices(connection)
    return {
        "items": [{"source": source, "price": price, "plan": plan} for source, price, plan in found],
        "next_cursor": None,
    }


_PRICE = {"source": "stripe", "price": "price_pro", "plan": "pro", "reason": "price list of September"}


@router.post("/price-plans", responses=_REFUSALS, openapi_extra=described(PricePlanIn, _PRICE))
def post_price_plan(request: Request, body: Annotated[PricePlanIn, Depends(body_of(PricePlanIn))]) -> Response:
    """Say which plan a price of a source means; revenue at this price is booked anew under it."""
    who = by(request, body.reason)

    def story(connection: Any) -> Shape:  # noqa: ANN401  # a connection of the store
        joining.map_price(connection, body.source, body.price, body.plan, who)
        return {"source": body.source, "price": body.price, "plan": body.plan}

    answer = written(request, body.model_dump(mode="json"), story)
    caught_up(request)
    return answer
