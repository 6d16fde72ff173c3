"""Signing in at an OpenID provider: a browser is sent there, comes back with a code, and gets planner's own cookie."""

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, RedirectResponse, Response

from planner.api.browser import Site, give
from planner.api.guard import PathRoute, peer
from planner.api.problem import documented
from planner.core import errors
from planner.core.errors import NotFound, SignInRefused
from planner.flows import openid
from planner.flows.openid import Provider

router = APIRouter(prefix="/v1", tags=["people"])

_REFUSALS = documented(errors.SignInRefused, errors.NotFound)
_TEXT_MAX = 4_096
# The session's cookie goes to pages of ours only. A redirect would still count as coming from the provider, so this
# page, which is ours, leads on. It says nothing that anybody sent.
_ON = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Signed in</title>
<meta http-equiv="refresh" content="0;url=/"><p><a href="/">Signed in: go on</a></p></html>"""


async def get_oidc(request: Request) -> Response:
    """Send the browser to the OpenID provider."""
    provider, store = _provider(request), request.app.state.store
    away = await run_in_threadpool(openid.depart, store, provider, peer(request), request.app.state.current.now())
    response = RedirectResponse(away.url, 303)
    site: Site = request.app.state.site
    # Strict would not come back with a navigation that begins at the provider.
    response.set_cookie(
        _cookie(site), away.browser, max_age=int(openid.AWAY.total_seconds()), path="/", secure=site.secure,
        httponly=True, samesite="lax",
    )  # fmt: skip
    return response


async def get_callback(request: Request) -> Response:
    """Sign in whoever comes back from the provider with a code; whatever else it adds to the address is not read."""
    provider, site = _provider(request), request.app.state.site
    browser = request.cookies.get(_cookie(site))
    state, code, issuer = (_once(request, name) for name in ("state", "code", "iss"))
    # A provider that names itself must be ours: the code of another one is not shown to it.
    if browser is None or state is None or code is None or issuer not in (None, provider.issuer):
        raise SignInRefused
    begun = await run_in_threadpool(
        lambda: openid.arrive(
            request.app.state.store, provider, state=state, code=code, browser=browser, lasting=site.lasting,
            at=request.app.state.current.now(),
        )
    )  # fmt: skip
    response = HTMLResponse(_ON)
    response.delete_cookie(_cookie(site), path="/", secure=site.secure, httponly=True, samesite="lax")
    return give(request, response, begun.token)


def _cookie(site: Site) -> str:
    return f"{site.cookie}-openid"


def _provider(request: Request) -> Provider:
    provider: Provider | None = request.app.state.provider
    if provider is None:
        raise NotFound("sign_in", "oidc")
    return provider


def _once(request: Request, name: str) -> str | None:
    values = request.query_params.getlist(name)
    if len(values) > 1 or any(not value.isascii() or len(value) > _TEXT_MAX for value in values):
        raise SignInRefused
    return values[0] if values else None


for _path, _endpoint in (("/sessions/oidc", get_oidc), ("/sessions/oidc/callback", get_callback)):
    router.add_api_route(_path, _endpoint, methods=["GET"], responses=_REFUSALS, route_class_override=PathRoute)
