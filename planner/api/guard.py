"""Routes that cannot be registered without a row in the access table, and that ask it before they answer."""

from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, NamedTuple

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from planner.access import ROLES, Principal, authenticate, check_policy, check_role, person
from planner.api.browser import check_origin, token_of
from planner.api.pace import Paces
from planner.core.errors import InvalidInput, Unauthenticated, Unavailable
from planner.flows.current import Current, View
from planner.flows.sign_in import holding

_ADMITTED = "planner.admitted"


class Admitted(NamedTuple):
    """What a request was admitted under: the view it answers from, when it came, and who asks."""

    view: View
    now: datetime
    principal: Principal


Handler = Callable[[Request], Coroutine[Any, Any, Response]]


async def enter(request: Request, method: str, path: str, *, outlives: bool = False) -> None:
    """Confirm the view this request answers from, and refuse who may not be here.

    ``outlives`` are reads of the catalogue: without a database they go on from the last view, marked.

    Raises:
        Unauthenticated: no valid key, and nobody is signed in.
        CrossSite: a browser would change something, and no page of ours asked for it.
        TooManyRequests: the key or the person asked too often, or the address without a valid key did.
        Forbidden: the key's role does not reach this route.
        Unavailable: the view cannot be confirmed.
    """
    roles = ROLES[method, path]
    if roles is None:
        return
    state = request.app.state
    current: Current = state.current
    paces: Paces = state.paces
    view = current.confirmed() if current.quick else await state.confirming.fresh(current)
    # Loading and compiling a new revision takes too long for the event loop, and so does finding out who is gone.
    if view is None:
        view = await run_in_threadpool(current.last if outlives else current.view)
    now = current.now()
    header = request.headers.get("authorization")
    token = token_of(request) if header is None else None
    # A key says who asks, whatever cookie comes with it.
    try:
        if token is None:
            principal = authenticate(header, view.keys, now)
            state.uses.note(principal.prefix, now)
        else:
            principal = await _signed_in(request, token, now)
    except Unauthenticated:
        paces.count_failed(peer(request))
        raise
    paces.count(principal.actor)
    check_role(principal, roles)
    request.scope[_ADMITTED] = Admitted(view, now, principal)


async def _signed_in(request: Request, token: str, now: datetime) -> Principal:
    """Return who is signed in, as the database says at this moment: what was ended anywhere holds nowhere."""
    state = request.app.state
    session = await run_in_threadpool(holding, state.store, token, state.site.lasting, now)
    if session is None:
        raise Unauthenticated
    check_origin(request)
    return person(session.login, session.role)


def peer(request: Request) -> str:
    """Return the address a request came from, as the server sees it."""
    return "" if request.client is None else request.client.host


def query_names(dependant: Dependant) -> frozenset[str]:
    """Return the names a route reads from the query."""
    own = frozenset(field.alias for field in dependant.query_params)
    return own.union(*(query_names(inner) for inner in dependant.dependencies))


def check_query(request: Request, names: frozenset[str]) -> None:
    """Refuse a name nobody reads: who mistypes ``at`` must not believe that the answer is dated.

    Raises:
        InvalidInput: names the first one.
    """
    for name in request.query_params:
        if name not in names:
            raise InvalidInput(name[:80], f"not asked here; {', '.join(sorted(names)) or 'nothing'} may be")


class GuardedRoute(APIRoute):
    """A route that enforces its row of the access table."""

    outlives = False

    def get_route_handler(self) -> Handler:
        """Wrap the route's handler: access first, then the names of what is asked, then parsing."""
        handler, names = super().get_route_handler(), query_names(self.dependant)

        async def named(request: Request) -> Response:
            check_query(request, names)
            return await handler(request)

        return self.guarded(named)

    def guarded(self, handler: Handler) -> Handler:
        """Return a handler that enforces this route's row before another one answers."""
        path = self.path_format_of_table()

        async def guarded(request: Request) -> Response:
            await enter(request, request.method, path, outlives=self.outlives)
            return await handler(request)

        return guarded

    def path_format_of_table(self) -> str:
        """Return the path under which the access table lists this route.

        Raises:
            LookupError: the table does not list it.
        """
        for method in self.methods or ():
            if (method, self.path) not in ROLES:
                raise LookupError(f"{method} {self.path} has no row in the access table")
        return self.path


class ReadRoute(GuardedRoute):
    """A guarded route that reads the catalogue, and goes on without a database."""

    outlives = True


class PathRoute(GuardedRoute):
    """A guarded route whose endpoint takes the request and the texts in its path, and returns a response.

    Nothing has to be resolved or converted, which is a third of the framework's work on a small answer.
    """

    def get_route_handler(self) -> Handler:
        """Call the endpoint itself."""
        endpoint = self.endpoint

        async def direct(request: Request) -> Response:
            response: Response = await endpoint(request, **request.path_params)
            return response

        return self.guarded(direct)


def admitted(request: Request) -> Admitted:
    """Return what this request was admitted under; only guarded routes have it."""
    found: Admitted = request.scope[_ADMITTED]
    return found


def view_of(request: Request) -> View:
    """Return the view this request was admitted under."""
    return admitted(request).view


def known_view(request: Request, known_at: datetime | None) -> tuple[View, datetime]:
    """Return the view and the moment of decision of a question that may be about what was believed earlier."""
    admitted_ = admitted(request)
    if known_at is None or known_at >= admitted_.now:
        return admitted_.view, admitted_.now
    current: Current = request.app.state.current
    return current.known(admitted_.view, known_at), known_at


def now_of(request: Request) -> datetime:
    """Return the moment at which this request was admitted."""
    return admitted(request).now


def granted(request: Request, policy: str | None) -> None:
    """Refuse a policy the key may not name.

    Raises:
        PolicyNotGranted: the key was not granted it.
        Unavailable: the newest rules of the policy cannot be known right now.
    """
    if policy is not None:
        if view_of(request).cut_off:
            raise Unavailable("the database does not answer")
        check_policy(admitted(request).principal, policy, request.app.state.default_policy)
