"""The service: settings in, one ASGI application out."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from planner import __version__
from planner.api import (
    affording,
    agreements,
    alerting,
    budgets,
    commitments,
    customers,
    desk,
    distribution,
    evidence,
    evidence_queue,
    frontier,
    gateway,
    health,
    impacts,
    imports,
    joining,
    keys,
    ledger,
    measurements,
    mixtures,
    openid,
    own,
    paths,
    people,
    planning,
    policies,
    polling,
    portfolios,
    pulls,
    questions,
    quota,
    reads,
    reconciling,
    reports,
    revenue,
    selfhost,
    sessions,
    trail,
    usage,
    what_if,
)
from planner.api.browser import site_of
from planner.api.confirming import Confirming
from planner.api.description import answered, described
from planner.api.guard import enter
from planner.api.hosts import Hosts
from planner.api.limits import HEADERS, NOT_KEPT, Limits
from planner.api.operations import summary_shape
from planner.api.pace import Paces
from planner.api.polled import Polled
from planner.api.problem import problem, refusal
from planner.api.shapes import Shape
from planner.api.shortcut import Shortcut
from planner.configured import enabled, mapped_of
from planner.core.errors import InvalidInput, NotFound, PlannerError, what_is_wrong
from planner.flows.current import Current
from planner.flows.intake import Intake
from planner.flows.kinds import every
from planner.flows.openid import Provider
from planner.flows.refresh import refresh
from planner.flows.setup import know_layouts
from planner.flows.sign_in import Lasting
from planner.flows.uses import Uses
from planner.flows.way_in import Doors
from planner.settings import Settings
from planner.store.engine import Store, open_store

_TITLES = {404: ("not_found", "Nothing is here"), 405: ("method_not_allowed", "This method is not answered here")}


def build(settings: Settings, store: Store | None = None, now: Callable[[], datetime] | None = None) -> FastAPI:
    """Build the application. The database is opened here and its schema checked; the network is not touched."""
    opened = store or open_store(settings.url(), by_query=settings.by_query)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.uses.start()
        app.state.intake.start()
        yield
        await run_in_threadpool(app.state.intake.close)
        await run_in_threadpool(app.state.uses.close)
        app.state.confirming.close()
        app.state.current.close()
        if store is None:
            opened.close()

    app = FastAPI(
        title="planner",
        version=__version__,
        summary="The cheapest compliant model for a plan at a margin",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    admin = None if settings.admin_key is None else settings.admin_key.get_secret_value()
    app.state.store = opened
    app.state.current = Current(opened, settings.pepper(), now or _utc_now, admin_key=admin, server_clock=now is None)
    app.state.confirming = Confirming()
    app.state.uses = Uses(opened)
    app.state.intake = Intake(opened, app.state.current.now)
    app.state.paces = Paces(settings.requests_per_minute, settings.failed_requests_per_minute)
    app.state.pepper = settings.pepper()
    app.state.doors = Doors(admin is not None, settings.oidc_issuer)
    lasting = Lasting(timedelta(minutes=settings.session_idle_minutes), timedelta(hours=settings.session_hours))
    app.state.site = site_of(settings.public_url, settings.host, lasting)
    app.state.provider = _provider(settings)
    app.state.default_policy = settings.default_policy
    app.state.polled = Polled(questions.answered, settings.default_policy)
    app.state.bounds = settings.bounds()
    app.state.enabled = tuple(settings.source_urls())
    app.state.two_people = settings.two_people
    app.state.kinds = every(app.state.pepper, app.state.doors)
    app.state.trusted_hosts = settings.trusted_hosts()
    app.state.refresh = _refresher(opened, settings)
    polling.add_to(app)
    # Routes are tried in their order, so fixed paths of offers stand before those that take any id.
    for router in (
        health.router,
        usage.router,
        questions.router,
        paths.router,
        selfhost.router,
        what_if.router,
        quota.router,
        distribution.router,
        gateway.router,
        desk.router,
        agreements.router,
        commitments.router,
        own.router,
        policies.router,
        planning.router,
        imports.router,
        pulls.router,
        reconciling.router,
        revenue.router,
        reports.router,
        budgets.router,
        ledger.router,
        joining.router,
        customers.router,
        frontier.router,
        impacts.router,
        mixtures.router,
        portfolios.router,
        affording.router,
        evidence_queue.router,
        evidence.router,
        alerting.router,
        sessions.router,
        openid.router,
        people.router,
        keys.router,
        trail.router,
        measurements.router,
        reads.router,
    ):
        app.include_router(router)
    app.add_api_route("/openapi.json", _openapi, methods=["GET"], include_in_schema=False)
    app.add_exception_handler(PlannerError, _planner_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _mistake)
    app.add_middleware(Shortcut, state=app.state)
    app.add_middleware(Hosts, allowed=settings.hosts())
    app.add_middleware(Limits)
    return app


def _provider(settings: Settings) -> Provider | None:
    """Return where people sign in elsewhere, if the settings name a place."""
    if settings.oidc_issuer is None:
        return None
    if settings.oidc_client_id is None or settings.public_url is None:
        raise InvalidInput("PLANNER_OIDC_ISSUER", "PLANNER_OIDC_CLIENT_ID and PLANNER_PUBLIC_URL are needed with it")
    secret = None if settings.oidc_client_secret is None else settings.oidc_client_secret.get_secret_value()
    return Provider(settings.oidc_issuer, settings.oidc_client_id, secret, settings.public_url)


def _refresher(store: Store, settings: Settings) -> Callable[[str, str, datetime], Shape]:
    def run(name: str, actor: str, at: datetime) -> Shape:
        know_layouts(store, [mapped.layout for mapped in mapped_of(settings)])
        sources = enabled(settings)
        if name not in sources:
            raise NotFound("source", name)
        chosen = {name: sources[name]}
        return summary_shape(refresh(store, chosen, at, lambda *_: None, actor=actor, bounds=settings.bounds()))

    return run


def _utc_now() -> datetime:
    return datetime.now(UTC)


async def _openapi(request: Request) -> JSONResponse:
    """Describe the contract, for anybody with a key."""
    await enter(request, "GET", "/openapi.json")
    app: FastAPI = request.app
    return JSONResponse(described(app))


async def _planner_error(_request: Request, error: Exception) -> Response:
    if not isinstance(error, PlannerError):
        raise error
    return refusal(error)


async def _validation_error(_request: Request, error: Exception) -> Response:
    """Refuse a path or query parameter; the value is not repeated."""
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    field = ".".join(str(step) for step in first["loc"][1:]) or str(first["loc"][0])
    return refusal(InvalidInput(field, what_is_wrong(first["msg"])))


async def _mistake(_request: Request, _error: Exception) -> Response:
    """Answer for a mistake of planner's own. The server writes it to its log; nothing of it is told to the caller."""
    answer = problem(500, "mistake", "planner made a mistake; its log says more")
    # This one is answered outside of every layer, so that nothing adds them.
    answer.raw_headers.extend((*HEADERS, NOT_KEPT))
    return answer


async def _http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    # Where an id may be any text, a path with a slash too many is one of another method.
    status = 404 if request.url.path.endswith("/") else error.status_code
    code, title = _TITLES.get(status, ("refused", "Refused"))
    answer = problem(status, code, title)
    if status == 405:  # noqa: PLR2004  # the one status that must name what would be answered
        answer.headers["Allow"] = ", ".join(answered(request.app, request.url.path))
    return answer
