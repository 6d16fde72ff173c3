"""The audit trail over HTTP: who changed what, when and why, and whether nobody altered it since."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BeforeValidator
from starlette.responses import Response, StreamingResponse

from planner.api import files
from planner.api.asked import moment
from planner.api.guard import GuardedRoute
from planner.api.pages import Cursor, Limit, cursor_of, read_cursor
from planner.api.problem import documented
from planner.api.shapes import Shape
from planner.flows import trail
from planner.store.audit import Wanted
from planner.store.json_text import time_text

router = APIRouter(prefix="/v1", tags=["admin"], route_class=GuardedRoute, responses=documented())

_Text = Annotated[str | None, Query(max_length=400)]
_Moment = Annotated[datetime | None, BeforeValidator(moment), Query(description="RFC 3339 time with an offset")]
_Format = Annotated[Literal["jsonl", "csv"], Query(alias="format", description="jsonl or csv")]
_MEDIA = {"jsonl": "application/jsonl", "csv": "text/csv; charset=utf-8"}
_Expect = Annotated[
    str | None, Query(max_length=100, description="SEQ:HASH of an entry written down before: it must still be there")
]


@router.get("/audit")
def get_audit(  # one parameter per filter
    request: Request,
    actor: _Text = None,
    action: _Text = None,
    subject: _Text = None,
    since: _Moment = None,
    until: _Moment = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """List the entries of the audit trail, newest first; filters are exact, ``until`` is exclusive."""
    place = read_cursor(cursor, r"[0-9]{1,18}")
    wanted = Wanted(actor, action, subject, since, until)
    found = trail.entries(request.app.state.store, wanted, None if place is None else int(place), limit + 1)
    more = len(found) > limit
    return {
        "items": [entry_shape(entry) for entry in found[:limit]],
        "next_cursor": cursor_of(str(found[limit - 1]["seq"])) if more else None,
    }


@router.get("/audit/verify")
def get_audit_verify(request: Request, expect: _Expect = None) -> dict[str, Any]:
    """Check the whole chain, and that an entry written down before is still there as it was."""
    return chain_shape(trail.check(request.app.state.store, expect))


@router.get("/audit/export", responses=files.given(*_MEDIA.values()), response_class=Response)
def get_audit_export(  # one parameter per filter
    request: Request,
    format_: _Format = "jsonl",
    actor: _Text = None,
    action: _Text = None,
    subject: _Text = None,
    since: _Moment = None,
    until: _Moment = None,
) -> Response:
    """Give out entries as a file, oldest first. Each line of JSON holds what its hash covers, and the hash."""
    wanted = Wanted(actor, action, subject, since, until)
    parts = trail.export(request.app.state.store, wanted, format_)
    headers = {"Content-Disposition": f'attachment; filename="audit.{format_}"'}
    return StreamingResponse(parts, media_type=_MEDIA[format_], headers=headers)


def entry_shape(entry: dict[str, Any]) -> Shape:
    """Write one entry."""
    return {**entry, "at": time_text(entry["at"])}


def chain_shape(found: trail.Chain) -> Shape:
    """Write what checking the chain found."""
    return {
        "whole": found.broken_at is None,
        "entries": found.entries,
        "last_seq": found.last_seq,
        "last_hash": found.last_hash,
        "broken_at": found.broken_at,
    }
