"""The route backends poll, thousands of times a minute: the recommendation of a stored plan and task."""

from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from planner.api.guard import PathRoute, admitted
from planner.api.polled import Polled
from planner.api.questions import REFUSALS


async def get_recommendation(request: Request, plan: str, task: str) -> Response:
    """Return the recommendation of a stored plan and task, with an ETag for the next time."""
    polled: Polled = request.app.state.polled
    view, now, _principal = admitted(request)
    kept = polled.kept(view, plan, task, now)
    if kept is None:
        kept = await run_in_threadpool(polled.answer, view, plan, task, now)
    return kept.response(request.headers.get("if-none-match"))


def add_to(app: FastAPI) -> None:
    """Add the route to an application, before all others.

    Routes are tried in their order, and a router in between would be one more to match.
    """
    app.router.add_api_route(
        "/v1/plans/{plan}/tasks/{task}/recommendation",
        get_recommendation,
        methods=["GET"],
        tags=["questions"],
        responses=REFUSALS,
        route_class_override=PathRoute,
    )
