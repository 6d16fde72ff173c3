"""What is different when a browser asks: the cookie that says who is signed in, and proof that our own page sent it."""

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from fastapi import Request
from starlette.responses import Response

from planner.core.errors import CrossSite
from planner.flows.sign_in import Lasting

# A form or a script of another site can send these without asking first; it cannot send the others.
_SIMPLE = frozenset({"POST"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Site:
    """Where browsers meet planner. ``url`` is its public origin, None where nobody said; ``lasting`` is a session's."""

    url: str | None
    secure: bool
    lasting: Lasting

    @property
    def cookie(self) -> str:
        """Return the name of the session's cookie. ``__Host-`` keeps other hosts of a domain from setting it."""
        return "__Host-planner" if self.secure else "planner"


def site_of(url: str | None, host: str, lasting: Lasting) -> Site:
    """Return the site at a public URL, or on a machine's own address.

    Only where planner is met over http on the machine itself does the cookie go without ``Secure``: browsers keep no
    secure cookie there. Anywhere else a session never travels in the clear.
    """
    plain = is_loopback(host) if url is None else urlsplit(url).scheme == "http"
    return Site(url, not plain, lasting)


def is_loopback(host: str) -> bool:
    """Tell whether a host is the machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def token_of(request: Request) -> str | None:
    """Return the session's token a browser sent, if any."""
    site: Site = request.app.state.site
    return request.cookies.get(site.cookie) or None


def check_origin(request: Request) -> None:
    """Refuse a change that a page of another site asks a browser for.

    Raises:
        CrossSite: the browser names another origin, or none, or the body is not declared as JSON.
    """
    if request.method in _SAFE:
        return
    if not _own(request, unsaid=False):
        raise CrossSite
    check_json(request)


def check_entrance(request: Request) -> None:
    """Refuse a sign-in that a page of another site asks a browser for; a program, which names no origin, may.

    Raises:
        CrossSite: the browser names another origin, or the body is not declared as JSON.
    """
    if not _own(request, unsaid=True):
        raise CrossSite
    check_json(request)


def check_json(request: Request) -> None:
    """Refuse what a form could send.

    Raises:
        CrossSite: the content type is not JSON's.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method in _SIMPLE and kind != "application/json":
        raise CrossSite


def _own(request: Request, *, unsaid: bool) -> bool:
    """Tell whether a page of ours sent a request; ``unsaid`` is the answer where nothing says so."""
    site: Site = request.app.state.site
    # No page can set either header. Where both are sent the first is the one a proxy in between does not confuse.
    fetched = request.headers.get("sec-fetch-site")
    if fetched is not None:
        return fetched == "same-origin"
    origin = request.headers.get("origin")
    if origin is None:
        return unsaid
    return origin == (site.url or f"{request.url.scheme}://{request.headers.get('host', '')}")


def give(request: Request, response: Response, token: str) -> Response:
    """Hand a session's token to the browser, for the pages of this site alone."""
    site: Site = request.app.state.site
    response.set_cookie(
        site.cookie, token, max_age=int(site.lasting.whole.total_seconds()), path="/", secure=site.secure,
        httponly=True, samesite="strict",
    )  # fmt: skip
    return response


def take_back(request: Request, response: Response) -> Response:
    """Let the browser forget the session."""
    site: Site = request.app.state.site
    response.delete_cookie(site.cookie, path="/", secure=site.secure, httponly=True, samesite="strict")
    return response
