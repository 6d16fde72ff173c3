"""What was paid or promised in advance, over HTTP: listed, entered, and taken off the record."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import Field
from starlette.responses import Response

from planner.api.agreements import KnownAt
from planner.api.asked import Moment
from planner.api.body import Name, UsdText, body_of, described
from planner.api.desk import DecisionIn
from planner.api.guard import GuardedRoute, now_of
from planner.api.pages import Number
from planner.api.problem import documented
from planner.api.shapes import Shape
from planner.api.writing import actor_of, tagged, written
from planner.core import errors
from planner.core.commitment import Commitment
from planner.core.money import pico_text, plain
from planner.flows import commitments
from planner.store import commitments as rows
from planner.store.engine import Connection
from planner.store.json_text import time_text

router = APIRouter(prefix="/v1", tags=["admin"], route_class=GuardedRoute)

_REFUSALS = documented(errors.NotFound, errors.Conflict, errors.Changed)


class CommitmentIn(DecisionIn):
    """An amount for usage of one provider over a term: prepaid, a promised spend, or provisioned throughput."""

    name: Name
    kind: Literal["prepaid", "spend", "throughput"]
    channel: Name = "direct"
    provider: Name
    model: Name | None = None
    service_tier: Name | None = None
    amount: Annotated[UsdText, Field(description="a decimal string in the currency", gt=0)]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "USD"
    valid_from: Moment
    valid_to: Moment
    reference: Name

    def row(self) -> dict[str, Any]:
        """Return the commitment as it is recorded."""
        return {
            "name": self.name, "kind": self.kind, "channel_id": self.channel, "provider_id": self.provider,
            "model_id": self.model, "service_tier": self.service_tier, "amount": plain(self.amount),
            "currency": self.currency, "valid_from": self.valid_from, "valid_to": self.valid_to,
            "reference": self.reference,
        }  # fmt: skip


def commitment_shape(one: Commitment) -> Shape:
    """Write a commitment."""
    return {
        "id": one.id,
        "name": one.name,
        "kind": one.kind,
        "channel": one.channel,
        "provider": one.provider,
        "model": one.model,
        "service_tier": one.service_tier,
        "amount": one.amount,
        "currency": one.currency,
        "amount_usd": pico_text(one.amount_pico),
        "valid_from": time_text(one.valid_from),
        "valid_to": time_text(one.valid_to),
        "reference": one.reference,
        "recorded_from": time_text(one.recorded_from),
    }


@router.get("/contracts/commitments", responses=_REFUSALS)
def get_commitments(request: Request, known_at: KnownAt = None) -> Response:
    """List what was paid or promised in advance."""
    with request.app.state.store.read() as connection:
        found = rows.known_by(connection, known_at)
    items = [commitment_shape(one) for one in found if one.recorded_to is None]
    return tagged(request, {"items": items, "next_cursor": None})


_COMMITMENT = {
    "name": "Acme tokens 2026", "kind": "prepaid", "provider": "openai", "amount": "500000", "currency": "USD",
    "valid_from": "2026-01-01T00:00:00Z", "valid_to": "2027-01-01T00:00:00Z", "reference": "order 2026-18",
    "reason": "signed",
}  # fmt: skip


@router.post("/contracts/commitments", responses=_REFUSALS, openapi_extra=described(CommitmentIn, _COMMITMENT))
def post_commitment(request: Request, body: Annotated[CommitmentIn, Depends(body_of(CommitmentIn))]) -> Response:
    """Record an amount that was paid or promised in advance; reports count it once, with the usage it covers."""
    at, row = now_of(request), body.row()

    def story(connection: Connection) -> Shape:
        return commitments.add(connection, row, at=at, actor=actor_of(request), reason=body.reason)

    return written(request, body.model_dump(mode="json"), story)


@router.post(
    "/contracts/commitments/{id}/void", responses=_REFUSALS, openapi_extra=described(DecisionIn, {"reason": "a slip"})
)
def post_commitment_void(
    request: Request, id: Number, body: Annotated[DecisionIn, Depends(body_of(DecisionIn))]
) -> Response:
    """Take a commitment off the record; what it cost in closed months is taken back in the first open one."""
    at, actor = now_of(request), actor_of(request)

    def story(connection: Connection) -> Shape:
        return commitments.void(connection, id, at=at, actor=actor, reason=body.reason)

    return written(request, body.model_dump(), story)
