"""Routes that cannot be registered without a row in the access table, and that ask it before they answer."""

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from planner.access import ROLES, Principal, authenticate, check_policy, check_role
from planner.flows.current import Current, View

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


async def enter(request: Request, method: str, path: str) -> None:
    """Confirm the view this request answers from, and refuse who may not be here.

    Raises:
        Unauthenticated: no valid key.
        Forbidden: the key's role does not reach this route.
        Unavailable: the view cannot be confirmed.
    """
    roles = ROLES[method, path]
    if roles is None:
        return
    current: Current = request.app.state.current
    view = current.fresh() if current.quick else None
    # Asking a server, and loading and compiling a new revision, takes too long for the event loop.
    if view is None:
        view = await run_in_threadpool(current.view)
    request.state.now = datetime.now(UTC)
    principal = authenticate(request.headers.get("authorization"), view.keys, request.state.now)
    check_role(principal, roles)
    request.state.view, request.state.principal = view, principal


class GuardedRoute(APIRoute):
    """A route that enforces its row of the access table."""

    def get_route_handler(self) -> Handler:
        """Wrap the route's handler: access first, then parsing."""
        handler = super().get_route_handler()
        path = self.path_format_of_table()

        async def guarded(request: Request) -> Response:
            await enter(request, request.method, path)
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


def view_of(request: Request) -> View:
    """Return the view this request was admitted under."""
    view: View = request.state.view
    return view


def now_of(request: Request) -> datetime:
    """Return the moment at which this request was admitted."""
    now: datetime = request.state.now
    return now


def granted(request: Request, policy: str | None) -> None:
    """Refuse a policy the key may not name.

    Raises:
        PolicyNotGranted: the key was not granted it.
    """
    if policy is not None:
        principal: Principal = request.state.principal
        check_policy(principal, policy, request.app.state.default_policy)
