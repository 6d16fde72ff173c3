"""Who is told what: alerts on record, messages that could not be delivered, and webhooks."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BeforeValidator, Field, WithJsonSchema
from starlette.responses import Response

from planner.api.asked import moment
from planner.api.body import Name, ReasonIn, body_of, described, optional_body_of
from planner.api.guard import GuardedRoute, now_of
from planner.api.pages import Cursor, Limit, Number, cursor_of, read_cursor
from planner.api.problem import documented
from planner.api.shapes import Shape
from planner.api.writing import actor_of, tagged, written
from planner.core import errors
from planner.flows import deliver
from planner.store import alerts
from planner.store.engine import Connection
from planner.store.json_text import time_text

router = APIRouter(prefix="/v1", tags=["alerts"], route_class=GuardedRoute)

_REFUSALS = documented(errors.NotFound, errors.Conflict, errors.Changed)
_Text = Annotated[str | None, Query(max_length=400)]
_Why = Annotated[ReasonIn, Depends(optional_body_of(ReasonIn))]
_Kind = Annotated[Name, WithJsonSchema({"enum": list(alerts.KINDS)})]
_WHY = described(ReasonIn, {"reason": "the receiver is back"}, required=False)


class WebhookIn(ReasonIn):
    """A receiver of alerts: https on port 443, or a host the settings trust. ``kinds`` null is everything."""

    url: Name
    kinds: Annotated[list[_Kind], Field(max_length=len(alerts.KINDS))] | None = None


@router.get("/alerts", responses=_REFUSALS)
def get_alerts(  # one parameter per filter
    request: Request,
    kind: _Text = None,
    subject: _Text = None,
    since: Annotated[datetime | None, BeforeValidator(moment), Query()] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """List alerts, newest first."""
    before = read_cursor(cursor, r"[0-9]{1,18}")
    with request.app.state.store.read() as connection:
        rows = alerts.listed(
            connection, kind=kind, subject=subject, since=since, before=None if before is None else int(before),
            limit=limit + 1,
        )  # fmt: skip
    items = [
        {
            "id": row["id"],
            "at": time_text(row["at"]),
            "kind": row["kind"],
            "subject": row["subject"],
            "revision": row["revision"],
            "facts": row["facts"],
        }
        for row in rows[:limit]
    ]
    return {"items": items, "next_cursor": cursor_of(str(items[-1]["id"])) if len(rows) > limit else None}


@router.get("/alerts/deliveries", responses=_REFUSALS)
def get_deliveries(
    request: Request,
    state: Annotated[Literal["due", "delivered", "dead"] | None, Query()] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """List messages to targets, newest first; the dead ones wait for a person."""
    before = read_cursor(cursor, r"[0-9]{1,18}")
    with request.app.state.store.read() as connection:
        rows = alerts.messages(connection, state=state, before=None if before is None else int(before), limit=limit + 1)
    items = [_message(row) for row in rows[:limit]]
    return {"items": items, "next_cursor": cursor_of(str(items[-1]["id"])) if len(rows) > limit else None}


def _message(row: dict[str, Any]) -> Shape:
    return {
        "id": row["id"],
        "target": row["target"],
        "kind": row["kind"],
        "alerts": row["alerts"],
        "state": row["state"],
        "attempts": row["attempts"],
        "next_attempt_at": time_text(row["next_attempt_at"]) if row["state"] == alerts.DUE else None,
        "created_at": time_text(row["created_at"]),
        "finished_at": time_text(row["finished_at"]),
        "error": row["error"],
    }


@router.post("/alerts/deliveries/{id}/retry", responses=_REFUSALS, openapi_extra=_WHY)
def post_retry(request: Request, id: Number, body: _Why) -> Response:
    """Make a dead message due again."""
    at = now_of(request)

    def story(connection: Connection) -> Shape:
        alerts.retry(connection, id, at=at, actor=actor_of(request), reason=body.reason)
        return {"id": id, "state": alerts.DUE}

    return written(request, body.model_dump(), story)


@router.get("/webhooks", responses=_REFUSALS)
def get_webhooks(request: Request) -> Response:
    """List receivers; their secrets are not shown again."""
    with request.app.state.store.read() as connection:
        rows = alerts.receivers(connection, live=False)
    items = [
        {
            "id": row["id"],
            "url": row["url"],
            "kinds": row["kinds"],
            "created_at": time_text(row["created_at"]),
            "created_by": row["created_by"],
            "disabled_at": time_text(row["disabled_at"]),
        }
        for row in rows
    ]
    return tagged(request, {"items": items, "next_cursor": None})


@router.post(
    "/webhooks",
    responses=_REFUSALS,
    openapi_extra=described(WebhookIn, {"url": "https://alerts.example.com/planner", "kinds": ["price_rise"]}),
)
def post_webhook(request: Request, body: Annotated[WebhookIn, Depends(body_of(WebhookIn))]) -> Response:
    """Register a receiver. The answer holds its signing secret, shown this once (Standard Webhooks, symmetric)."""
    at, trusted = now_of(request), request.app.state.trusted_hosts
    return written(
        request,
        body.model_dump(),
        lambda connection: deliver.add_webhook(
            connection, body.url, body.kinds, trusted, at=at, actor=actor_of(request), reason=body.reason
        ),
        once="secret",
    )


@router.post("/webhooks/{id}/enable", responses=_REFUSALS, openapi_extra=_WHY)
def post_enable(request: Request, id: Number, body: _Why) -> Response:
    """Tell a disabled receiver again; messages that died meanwhile wait for a retry."""
    at = now_of(request)

    def story(connection: Connection) -> Shape:
        alerts.enable_webhook(connection, id, at=at, actor=actor_of(request), reason=body.reason)
        return {"id": id, "disabled_at": None}

    return written(request, body.model_dump(), story)


@router.post("/webhooks/{id}/disable", responses=_REFUSALS, openapi_extra=_WHY)
def post_disable(request: Request, id: Number, body: _Why) -> Response:
    """Stop telling a receiver."""
    at = now_of(request)

    def story(connection: Connection) -> Shape:
        alerts.disable_webhook(connection, id, at=at, actor=actor_of(request), reason=body.reason)
        return {"id": id, "disabled_at": time_text(at)}

    return written(request, body.model_dump(), story)
