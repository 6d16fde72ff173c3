"""The people who may sign in, as an admin registers and changes them; every change ends where they are signed in."""

import hmac
from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Request
from pydantic import AfterValidator, Field, SecretStr
from starlette.responses import Response

from planner.api.body import Name, body_of, described
from planner.api.desk import DecisionIn
from planner.api.guard import GuardedRoute, now_of
from planner.api.problem import documented
from planner.api.shapes import Shape, time_text
from planner.api.writing import actor_of, tagged, written
from planner.core import errors
from planner.flows import passwords
from planner.store import people
from planner.store.engine import Connection
from planner.store.people import Person

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


def person_shape(person: Person) -> Shape:
    """Write a person; of a password only that there is one."""
    return {
        "login": person.login,
        "name": person.name,
        "role": person.role,
        "has_password": person.password_hash is not None,
        "issuer": person.issuer,
        "created_at": time_text(person.created_at),
        "created_by": person.created_by,
        "disabled_at": time_text(person.disabled_at),
    }


@router.get("/people", responses=_REFUSALS)
def get_people(request: Request) -> Response:
    """List everybody who may sign in, or may not any more."""
    with request.app.state.store.read() as connection:
        found = people.listed(connection)
    return tagged(request, {"items": [person_shape(person) for person in found]})


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
    login, name, role = body.login, body.name, body.role
    return _told(
        request, body,
        lambda connection, how: people.add(connection, login=login, name=name, role=role, password_hash=kept, **how),
        201,
    )  # fmt: skip


@router.post("/people/{login}/disable", responses=_REFUSALS, openapi_extra=described(DecisionIn, {"reason": "left"}))
def post_disable(request: Request, login: Login, body: Annotated[DecisionIn, Depends(body_of(DecisionIn))]) -> Response:
    """Let somebody sign in no more; where they are signed in ends before this answers."""
    return _told(request, body, lambda connection, how: people.disable(connection, login, **how))


@router.post("/people/{login}/enable", responses=_REFUSALS, openapi_extra=described(DecisionIn, {"reason": "is back"}))
def post_enable(request: Request, login: Login, body: Annotated[DecisionIn, Depends(body_of(DecisionIn))]) -> Response:
    """Let a disabled person sign in again."""
    return _told(request, body, lambda connection, how: people.enable(connection, login, **how))


@router.post(
    "/people/{login}/role",
    responses=_REFUSALS,
    openapi_extra=described(RoleIn, {"role": "admin", "reason": "on call"}),
)
def post_role(request: Request, login: Login, body: Annotated[RoleIn, Depends(body_of(RoleIn))]) -> Response:
    """Give somebody another role; they sign in anew."""
    return _told(request, body, lambda connection, how: people.set_role(connection, login, body.role, **how))


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
    return _told(request, body, lambda connection, how: people.set_password(connection, login, kept, **how))


def _told(
    request: Request,
    body: DecisionIn,
    change: Callable[[Connection, dict[str, Any]], Person],
    status: int = 200,
) -> Response:
    how = {"at": now_of(request), "actor": actor_of(request), "reason": body.reason}
    return written(request, _known(request, body), lambda c: person_shape(change(c, how)), status)


def _known(request: Request, body: DecisionIn) -> Shape:
    """Return what a repeated request is recognised by, where the password is only a digest under the pepper.

    The store keeps a fast digest of it: one over the password itself could be searched for it.
    """
    known = body.model_dump()
    secret = known.get("password")
    if secret is not None:
        known["password"] = hmac.new(request.app.state.pepper, secret.get_secret_value().encode(), "sha256").hexdigest()
    return known
