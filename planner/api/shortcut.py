"""The polled answer, given before the framework is asked: most requests of a backend are for bytes that are held."""

from starlette.datastructures import State
from starlette.types import ASGIApp, Receive, Scope, Send

from planner.access import ROLES, authenticate
from planner.api.polled import Polled, Written
from planner.api.polling import PATH
from planner.core.errors import TooManyRequests, Unauthenticated
from planner.flows.current import Current

_BEFORE, _BETWEEN, _AFTER = PATH.replace("{task}", "{plan}").split("{plan}")


class Shortcut:
    """Answers a backend that polls with its key for an answer that is held; everything else goes the whole way.

    The same four checks as on the whole way stand in front of the answer: the view is confirmed, the key holds, its
    role reaches the route, and it did not ask too often. Whoever fails one of them is refused on the whole way.
    """

    def __init__(self, app: ASGIApp, state: State) -> None:
        """Wrap an application; ``state`` is the one its routes use."""
        self._app, self._state = app, state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] == "http" and scope["method"] == "GET" and not scope["query_string"]:
            asked = _plan_and_task(scope["path"])
            if asked is not None:
                authorization = _first(scope, b"authorization")
                written = None if authorization is None else await self._held(*asked, authorization)
                if written is not None:
                    await written.response(_first(scope, b"if-none-match"))(scope, receive, send)
                    return
        await self._app(scope, receive, send)

    async def _held(self, plan: str, task: str, authorization: str) -> Written | None:
        state = self._state
        current: Current = state.current
        view = current.confirmed() if current.quick else await state.confirming.fresh(current)
        if view is None:
            return None
        now = current.now()
        polled: Polled = state.polled
        written = polled.kept(view, plan, task, now)
        if written is None:
            return None
        try:
            principal = authenticate(authorization, view.keys, now)
            roles = ROLES["GET", PATH]
            if roles is None or principal.role not in roles:
                return None
            state.paces.count(principal.actor)
        except (Unauthenticated, TooManyRequests):
            return None
        state.uses.note(principal.prefix, now)
        return written


def _plan_and_task(path: str) -> tuple[str, str] | None:
    if not path.endswith(_AFTER) or not path.startswith(_BEFORE):
        return None
    plan, between, task = path[len(_BEFORE) : -len(_AFTER)].partition(_BETWEEN)
    return (plan, task) if between and plan and task and "/" not in plan and "/" not in task else None


def _first(scope: Scope, name: bytes) -> str | None:
    return next((value.decode("latin-1") for header, value in scope["headers"] if header == name), None)
