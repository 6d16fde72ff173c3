"""Signing in and out: a browser gets a cookie, and says with it who asks until the session ends."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import Field, SecretStr
from starlette.responses import JSONResponse, Response

from planner.api.body import Name, Sent, body_of, checked, described, read_json
from planner.api.browser import check_entrance, give, take_back, token_of
from planner.api.guard import GuardedRoute, now_of, peer
from planner.api.problem import documented
from planner.api.shapes import Shape
from planner.core import errors
from planner.core.errors import NotFound
from planner.flows import sign_in
from planner.flows.passwords import CHARACTERS_MAX, CHARACTERS_MIN
from planner.store.json_text import time_text
from planner.store.sessions import Session

router = APIRouter(prefix="/v1", tags=["people"], route_class=GuardedRoute)

_REFUSALS = documented(errors.SignInRefused, errors.CrossSite)


class SignInIn(Sent):
    """Who signs in."""

    login: Name
    password: Annotated[SecretStr, Field(min_length=1, max_length=CHARACTERS_MAX)]


class OwnPasswordIn(Sent):
    """The password somebody has, and the one they want."""

    password: Annotated[SecretStr, Field(min_length=1, max_length=CHARACTERS_MAX)]
    new_password: Annotated[SecretStr, Field(min_length=CHARACTERS_MIN, max_length=CHARACTERS_MAX)]


async def _sign_in_of(request: Request) -> SignInIn:
    # Before the body is looked at: whoever is sent here by another site learns nothing about it.
    check_entrance(request)
    return checked(SignInIn, await read_json(request))


def session_shape(session: Session) -> Shape:
    """Write who is signed in, since when and until when at most."""
    return {
        "login": session.login,
        "name": session.name,
        "role": session.role,
        "method": session.method,
        "created_at": time_text(session.created_at),
        "expires_at": time_text(session.expires_at),
    }


@router.post(
    "/sessions",
    status_code=201,
    responses=_REFUSALS,
    openapi_extra=described(SignInIn, {"login": "ada@example.com", "password": "correct horse battery"}),
)
def post_session(request: Request, body: Annotated[SignInIn, Depends(_sign_in_of)]) -> Response:
    """Sign in by password; the session's cookie comes with the answer."""
    begun = sign_in.by_password(
        request.app.state.store, body.login, body.password.get_secret_value(), peer(request),
        request.app.state.site.lasting, request.app.state.current.now(), former=token_of(request),
    )  # fmt: skip
    return give(request, JSONResponse(session_shape(begun.session), 201), begun.token)


@router.get("/sessions/current", responses=documented(errors.NotFound))
def get_session(request: Request) -> Response:
    """Return who is signed in; a key is not a session."""
    return JSONResponse(session_shape(_current(request)))


@router.delete("/sessions/current", status_code=204, responses=documented(errors.NotFound, errors.CrossSite))
def delete_session(request: Request) -> Response:
    """Sign out: the session ends everywhere at once."""
    _current(request)
    sign_in.end(request.app.state.store, token_of(request) or "", now_of(request))
    return take_back(request, Response(status_code=204))


@router.post(
    "/sessions/current/password",
    responses=documented(errors.NotFound, errors.SignInRefused, errors.CrossSite, errors.TooManyRequests),
    openapi_extra=described(
        OwnPasswordIn, {"password": "correct horse battery", "new_password": "staple correct horse"}
    ),
)
def post_password(request: Request, body: Annotated[OwnPasswordIn, Depends(body_of(OwnPasswordIn))]) -> Response:
    """Give oneself another password; one is signed in anew here, and nowhere else any more."""
    begun = sign_in.change_password(
        request.app.state.store, _current(request).login, body.password.get_secret_value(),
        body.new_password.get_secret_value(), request.app.state.site.lasting, now_of(request),
    )  # fmt: skip
    return give(request, JSONResponse(session_shape(begun.session)), begun.token)


def _current(request: Request) -> Session:
    # With a key the request is the key's, whatever cookie it carries besides.
    token = None if "authorization" in request.headers else token_of(request)
    if token is not None:
        session = sign_in.holding(request.app.state.store, token, request.app.state.site.lasting, now_of(request))
        if session is not None:
            return session
    raise NotFound("session", "current")
