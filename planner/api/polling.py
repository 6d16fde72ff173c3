"""The route backends poll, thousands of times a minute: the recommendation of a stored plan and task."""

from datetime import datetime

from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from planner.api.asked import moment
from planner.api.customers import CUSTOMER_CHARACTERS_MAX, headroom_shape
from planner.api.guard import PathRoute, admitted, check_query, known_view
from planner.api.polled import Polled
from planner.api.questions import REFUSALS
from planner.core.errors import InvalidInput, readable
from planner.flows.answer import Question
from planner.flows.customer import headroom

PATH = "/v1/plans/{plan}/tasks/{task}/recommendation"


async def get_recommendation(request: Request, plan: str, task: str) -> Response:
    """Return the recommendation of a stored plan and task, with an ETag for the next time."""
    polled: Polled = request.app.state.polled
    if request.scope["query_string"]:
        # Nobody polls for another moment, but many do for a customer.
        who = "customer" in request.query_params
        return await run_in_threadpool(_of_customer if who else _dated, request, plan, task)
    view, now, _principal = admitted(request)
    kept = polled.kept(view, plan, task, now)
    if kept is None:
        kept = await run_in_threadpool(polled.answer, view, plan, task, now)
    return kept.response(request.headers.get("if-none-match"))


def _of_customer(request: Request, plan: str, task: str) -> Response:
    """Answer for a customer of the plan: past the budget with a lower tier, and with what is left beside it."""
    check_query(request, frozenset({"customer"}))
    customer = request.query_params["customer"]
    if not (0 < len(customer) <= CUSTOMER_CHARACTERS_MAX and readable(customer)):
        raise InvalidInput("customer", f"1 to {CUSTOMER_CHARACTERS_MAX} printable characters are needed")
    view, now, _principal = admitted(request)
    with request.app.state.store.read() as connection:
        found = headroom(connection, view.catalogue, customer, plan, now)
    polled: Polled = request.app.state.polled
    kept = polled.kept(view, plan, task, now, over_budget=found.over)
    if kept is None:
        kept = polled.answer(view, plan, task, now, over_budget=found.over)
    return kept.beside({"customer": headroom_shape(found)}).response(request.headers.get("if-none-match"))


def _dated(request: Request, plan: str, task: str) -> Response:
    """Answer about another moment, or about what was believed then; nobody polls for that."""
    check_query(request, frozenset({"at", "known_at"}))
    said = {name: read_moment(request, name) for name in ("at", "known_at")}
    view, now = known_view(request, said["known_at"])
    polled: Polled = request.app.state.polled
    return JSONResponse(polled.shape(view, Question(plan=plan, task=task, at=said["at"]), now))


def read_moment(request: Request, name: str) -> datetime | None:
    """Read a moment from the query, or None where it is not given.

    Raises:
        InvalidInput: not an RFC 3339 time with an offset.
    """
    text = request.query_params.get(name)
    try:
        return None if text is None else moment(text)
    except ValueError as error:
        raise InvalidInput(name, str(error)) from None


_ASKED = [
    {
        "name": name,
        "in": "query",
        "required": False,
        "description": f"{meaning}, RFC 3339 time with an offset",
        "schema": {"type": "string", "format": "date-time"},
    }
    for name, meaning in (("at", "the moment it is about"), ("known_at", "answer with what was known then"))
]
_CUSTOMER = {
    "name": "customer",
    "in": "query",
    "required": False,
    "description": "a customer of the plan: past the plan's budget for one the answer is of a lower tier",
    "schema": {"type": "string", "minLength": 1, "maxLength": CUSTOMER_CHARACTERS_MAX},
}


def add_to(app: FastAPI) -> None:
    """Add the route to an application, before all others.

    Routes are tried in their order, and a router in between would be one more to match.
    """
    app.router.add_api_route(
        PATH,
        get_recommendation,
        methods=["GET"],
        tags=["questions"],
        responses={**REFUSALS, 304: {"description": "what `If-None-Match` names still holds"}},
        openapi_extra={"parameters": [*_ASKED, _CUSTOMER]},
        route_class_override=PathRoute,
    )
