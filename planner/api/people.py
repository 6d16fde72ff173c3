"""The people who may sign in, as an admin registers and changes them; every change ends where they are signed in.

Where the house asks for a second person, whatever makes or lets in an admin waits as a proposal.
"""

import hmac
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Request
from pydantic import AfterValidator, Field, SecretStr
from starlette.responses import Response

from planner.api.body import Name, body_of, described
from planner.api.desk import DecisionIn
from planner.api.guard import GuardedRoute
from planner.api.problem import documented
from planner.api.shapes import Shape
from planner.api.writing import by, changed, tagged, written
from planner.core import errors
from planner.flows import passwords
from planner.flows import person as flow
from planner.store import people

router = APIRouter(prefix="/v1", tags=["people"], route_class=GuardedRoute)

_REFUSALS = documented(errors.NotFound, errors.Conflict, errors.Changed)
_PATTERN = f"^{people.LOGIN.pattern}$"


def _login(value: str) -> str:
    if not people.LOGIN.fullmatch(value):
        raise ValueError("letters, digits and . _ @ + - are needed, 200 at most")
    return value


Login = Annotated[str, Path(pattern=_PATTERN)]
Role = Literal["backend", "finance", "admin"]
Password = Annotated[SecretStr, Field(min_length=passwords.CHARACTERS_MIN, max_length=passwords.CHARACTERS_MAX)]


class PersonIn(DecisionIn):
    """Somebody new. Without a password they sign in by OpenID, where the login is their address."""

    login: Annotated[str, AfterValidator(_login), Field(json_schema_extra={"pattern": _PATTERN})]
    name: Name
    role: Role
    password: Password | None = None


class RoleIn(DecisionIn):
    """Another role."""

    role: Role


class PasswordIn(DecisionIn):
    """Another password."""

    password: Password


@router.get("/people", responses=_REFUSALS)
def get_people(request: Request) -> Response:
    """List everybody who may sign in, or may not any more."""
    with request.app.state.store.read() as connection:
        found = people.listed(connection)
    return tagged(request, {"items": [flow.reply(person) for person in found]})


@router.post(
    "/people",
    status_code=201,
    responses=_REFUSALS,
    openapi_extra=described(
        PersonIn, {"login": "ada@example.com", "name": "Ada", "role": "finance", "reason": "joins the finance team"}
    ),
)
def post_person(request: Request, body: Annotated[PersonIn, Depends(body_of(PersonIn))]) -> Response:
    """Register somebody."""
    kept = None if body.password is None else passwords.hashed(body.password.get_secret_value())
    person = {"name": body.name, "role": body.role, "password_hash": kept}
    return _changed(request, body, flow.ADD, body.login, person, 201)


@router.post("/people/{login}/disable", responses=_REFUSALS, openapi_extra=described(DecisionIn, {"reason": "left"}))
def post_disable(request: Request, login: Login, body: Annotated[DecisionIn, Depends(body_of(DecisionIn))]) -> Response:
    """Let somebody sign in no more; where they are signed in ends before this answers."""
    who, doors = by(request, body.reason), request.app.state.doors
    return written(request, body.model_dump(), lambda connection: flow.disable(connection, login, who, doors))


@router.post("/people/{login}/enable", responses=_REFUSALS, openapi_extra=described(DecisionIn, {"reason": "is back"}))
def post_enable(request: Request, login: Login, body: Annotated[DecisionIn, Depends(body_of(DecisionIn))]) -> Response:
    """Let a disabled person sign in again."""
    return _changed(request, body, flow.ENABLE, login, {})


@router.post(
    "/people/{login}/role",
    responses=_REFUSALS,
    openapi_extra=described(RoleIn, {"role": "admin", "reason": "on call"}),
)
def post_role(request: Request, login: Login, body: Annotated[RoleIn, Depends(body_of(RoleIn))]) -> Response:
    """Give somebody another role; they sign in anew."""
    return _changed(request, body, flow.ROLE, login, {"role": body.role})


@router.post(
    "/people/{login}/password",
    responses=_REFUSALS,
    openapi_extra=described(PasswordIn, {"password": "correct horse battery", "reason": "forgot it"}),
)
def post_password(
    request: Request, login: Login, body: Annotated[PasswordIn, Depends(body_of(PasswordIn))]
) -> Response:
    """Give somebody another password; they sign in anew."""
    kept = passwords.hashed(body.password.get_secret_value())
    who, kind = by(request, body.reason), request.app.state.kinds[flow.PASSWORD]
    return written(
        request, _known(request, body), lambda connection: flow.set_password(connection, kind, login, kept, who)
    )


def _changed(
    request: Request, body: DecisionIn, kind: str, login: str, change: dict[str, Any], status: int = 200
) -> Response:  # fmt: skip
    return changed(request, _known(request, body), body.reason, kind, login, change, status=status)


def _known(request: Request, body: DecisionIn) -> Shape:
    """Return what a repeated request is recognised by, where the password is only a digest under the pepper.

    The store keeps a fast digest of it: one over the password itself could be searched for it.
    """
    known = body.model_dump()
    secret = known.get("password")
    if secret is not None:
        known["password"] = hmac.new(request.app.state.pepper, secret.get_secret_value().encode(), "sha256").hexdigest()
    return known
