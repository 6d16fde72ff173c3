"""Keys of programs, as an admin makes, rotates and revokes them; a key is answered once and never kept.

Where the house asks for a second person, a key that reaches far waits as a proposal; who approves it is answered it.
"""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Request
from pydantic import Field
from starlette.responses import Response

from planner.api.asked import Moment
from planner.api.body import Name, body_of, described
from planner.api.desk import DecisionIn
from planner.api.guard import GuardedRoute
from planner.api.problem import documented
from planner.api.writing import by, changed, tagged, written
from planner.core import errors
from planner.flows import key as flow
from planner.store import keys

router = APIRouter(prefix="/v1", tags=["keys"], route_class=GuardedRoute)

_REFUSALS = documented(errors.NotFound, errors.Conflict, errors.Changed)
_POLICIES_MAX = 100

Prefix = Annotated[str, Path(max_length=40, description="public beginning of the key")]
Policies = Annotated[list[Name], Field(max_length=_POLICIES_MAX)]


class KeyIn(DecisionIn):
    """A key to make. ``policies`` are those a backend may name besides the default; other roles may name all."""

    name: Annotated[Name, Field(max_length=flow.NAME_MAX)]
    role: Literal["backend", "finance", "admin"]
    policies: Policies = Field(default_factory=list)
    expires_at: Moment | None = None


class RotateIn(DecisionIn):
    """For how long the old key goes on; 0 revokes it at once."""

    overlap_hours: Annotated[int, Field(ge=0, le=flow.OVERLAP_HOURS_MAX)] = 0


class PoliciesIn(DecisionIn):
    """The policies a backend's key may name from now on, besides the default."""

    policies: Policies


@router.get("/keys", responses=_REFUSALS)
def get_keys(request: Request) -> Response:
    """List every key by its public prefix, with who made it and when it was used last, give or take a minute."""
    with request.app.state.store.read() as connection:
        found = keys.listed(connection)
    return tagged(request, {"items": [flow.reply(key) for key in found]})


@router.post(
    "/keys",
    status_code=201,
    responses=_REFUSALS,
    openapi_extra=described(
        KeyIn, {"name": "shop", "role": "backend", "policies": ["any-terms"], "reason": "the shop asks for its chat"}
    ),
)
def post_key(request: Request, body: Annotated[KeyIn, Depends(body_of(KeyIn))]) -> Response:
    """Make a key. The answer holds it in `key`, this once; the same request repeated gets null there."""
    key = body.model_dump(mode="json", include={"role", "policies", "expires_at"})
    return _changed(request, body, flow.CREATE, body.name, key, 201)


@router.post(
    "/keys/{prefix}/rotate",
    status_code=201,
    responses=_REFUSALS,
    openapi_extra=described(RotateIn, {"overlap_hours": 24, "reason": "every quarter"}),
)
def post_rotate(request: Request, prefix: Prefix, body: Annotated[RotateIn, Depends(body_of(RotateIn))]) -> Response:
    """Make a key that takes another one's place, answered in `key` this once; the old one ends after the overlap."""
    return _changed(request, body, flow.ROTATE, prefix, {"overlap_hours": body.overlap_hours}, 201)


@router.post("/keys/{prefix}/revoke", responses=_REFUSALS, openapi_extra=described(DecisionIn, {"reason": "leaked"}))
def post_revoke(
    request: Request, prefix: Prefix, body: Annotated[DecisionIn, Depends(body_of(DecisionIn))]
) -> Response:
    """Let nobody in by a key any more, in every process, before this answers."""
    who, doors = by(request, body.reason), request.app.state.doors
    return written(request, body.model_dump(), lambda connection: flow.revoke(connection, prefix, who, doors))


@router.post(
    "/keys/{prefix}/policies",
    responses=_REFUSALS,
    openapi_extra=described(PoliciesIn, {"policies": ["any-terms"], "reason": "for its newsletter"}),
)
def post_policies(
    request: Request, prefix: Prefix, body: Annotated[PoliciesIn, Depends(body_of(PoliciesIn))]
) -> Response:
    """Say which policies a backend's key may name besides the default."""
    return _changed(request, body, flow.GRANT, prefix, {"policies": body.policies})


def _changed(
    request: Request, body: DecisionIn, kind: str, subject: str, change: dict[str, Any], status: int = 200
) -> Response:  # fmt: skip
    known = body.model_dump(mode="json")
    return changed(request, known, body.reason, kind, subject, change, status=status, once="key")
