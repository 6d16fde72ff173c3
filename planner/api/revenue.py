"""Revenue over HTTP: items as a billing system states them, each once, booked for its customer and month."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from planner.api.asked import Moment
from planner.api.body import DecimalText, Name, Sent, UsdText, checked, described
from planner.api.guard import GuardedRoute, now_of
from planner.api.problem import documented
from planner.api.shapes import Shape
from planner.api.usage import EVENTS_MAX, VALUES_MAX, Tags, answered
from planner.api.writing import actor_of
from planner.core import errors, strict_json
from planner.core.errors import InvalidInput, PlannerError
from planner.core.revenue import Item, Kind
from planner.flows import earnings
from planner.flows.ingest import REFUSED, Result

router = APIRouter(prefix="/v1", tags=["finance"], route_class=GuardedRoute, responses=documented())

_REFUSALS = documented(errors.Conflict, errors.TooLarge, errors.EncodedBody)


class ItemIn(Sent):
    """An amount in any currency, earned evenly from ``start`` to ``end``, or at ``start``; a refund is positive.

    ``customer`` is the source's own id, ``price`` the id of what was bought. ``tax`` is the part of the amount that is
    tax; left out, nobody knows. ``fee`` is what its payment cost. A trial is worth 0. ``net_of_refunds`` says that what
    was given back is taken off already: no refund is taken off beside it. Refused is what lies outside 2000 to 2100 or
    is longer than 10 years, more than 10,000,000,000 USD, and a tax that is more than its amount.
    """

    id: Name
    source: Name
    kind: Literal["recognised", "invoice", "subscription", "cash", "refund", "fee"]
    amount: DecimalText
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    start: Moment
    end: Moment | None = None
    customer: Name | None = None
    plan: Name | None = None
    price: Name | None = None
    fee: DecimalText | None = None
    tax: UsdText | None = None
    trial: bool = False
    net_of_refunds: bool = False
    tags: Tags = Field(default_factory=dict)

    def item(self) -> Item:
        """Return what was sent as an item."""
        return Item(**{**self.model_dump(), "kind": Kind(self.kind)})


class RevenueIn(Sent):
    """Up to 10,000 items, of one source or several."""

    items: Annotated[list[ItemIn], Field(min_length=1, max_length=EVENTS_MAX)]


_EXAMPLE = {
    "items": [
        {
            "id": "in_1/li_1", "source": "billing", "kind": "invoice", "amount": "20.00", "currency": "USD",
            "start": "2026-09-01T00:00:00Z", "end": "2026-10-01T00:00:00Z", "customer": "cust_42", "plan": "pro",
            "tax": "0",
        }
    ]
}  # fmt: skip


@router.post("/revenue", responses=_REFUSALS, openapi_extra=described(RevenueIn, _EXAMPLE))
async def post_revenue(request: Request) -> Response:
    """Take revenue in, each item once by its source and id; an item is answered for after it is committed.

    200: every item is on record. 207: some are, the others say why not. 409 or 422: none is.
    """
    body, now, actor = await request.body(), now_of(request), actor_of(request)
    return await run_in_threadpool(_taken, request.app.state.store, body, now, actor)


def _taken(store: Any, body: bytes, now: datetime, actor: str) -> Response:  # noqa: ANN401  # the application's store
    document = strict_json.read(body, values_max=VALUES_MAX)
    listed = document.get("items") if isinstance(document, dict) and set(document) == {"items"} else None
    if not isinstance(listed, list) or not 1 <= len(listed) <= EVENTS_MAX:
        raise InvalidInput("items", f"a list of 1 to {EVENTS_MAX} items is needed, and nothing beside it")
    rows: list[Item | PlannerError] = [_item(written) for written in listed]
    items = [row for row in rows if isinstance(row, Item)]
    found = iter(store.tell(lambda connection: earnings.take(connection, items, at=now, by=actor)) if items else ())
    return answered([_shape(row, next(found) if isinstance(row, Item) else None) for row in rows], "revenue")


def _item(written: object) -> Item | PlannerError:
    try:
        return checked(ItemIn, written).item()
    except PlannerError as error:
        return error


def _shape(row: Item | PlannerError, result: Result | None) -> Shape:
    if isinstance(row, Item) and result is not None:
        month = row.start.astimezone(UTC).strftime("%Y-%m")
        return {
            "source": row.source,
            "id": row.id,
            "status": result.status,
            "detail": result.detail,
            "first_month": month,
        }
    facts = {} if isinstance(row, Item) else row.facts()
    code = "invalid" if isinstance(row, Item) else row.code
    return {"status": REFUSED, "code": code, "detail": f"{facts.get('field')}: {facts.get('problem')}"}
