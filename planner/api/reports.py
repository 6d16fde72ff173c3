"""Reports over HTTP: margins and costs by any head and time zone, as JSON, CSV, XLSX or FOCUS."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BeforeValidator
from starlette.responses import JSONResponse, Response

from planner.api import files
from planner.api.agreements import Day
from planner.api.asked import moment
from planner.api.guard import GuardedRoute, now_of
from planner.api.problem import documented
from planner.core import errors
from planner.export.report_csv import csv_text
from planner.export.report_xlsx import xlsx_bytes
from planner.flows.cost_report import UNIT, cost_report
from planner.flows.focus_report import focus_report
from planner.flows.forecast import ForecastQuestion, forecast_report
from planner.flows.margin_report import Question, margin_report

router = APIRouter(prefix="/v1", tags=["finance"], route_class=GuardedRoute, responses=documented())

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV = "text/csv; charset=utf-8"
_REFUSALS = documented(errors.NotFound)

By = Annotated[str, Query(max_length=400, description="heads, such as plan,month")]
From = Annotated[Day, Query(alias="from", description="the first day, such as 2026-09-01")]
To = Annotated[Day, Query(alias="to", description="the day after the last one")]
Zone = Annotated[str, Query(max_length=100, description="an IANA time zone: of days, weeks and months")]
Basis = Annotated[
    Literal["booked", "usage"],
    Query(description="booked: what became known after a month was closed is booked later; usage: by the time of use"),
]
CostBasis = Annotated[
    Literal["best", "rated", "reported"], Query(description="best: rated, else reported by who bills it, else unpriced")
]
KnownAt = Annotated[
    datetime | None, BeforeValidator(moment), Query(description="answer with what was known then, RFC 3339 with offset")
]
Format = Annotated[Literal["json", "csv", "xlsx"], Query(alias="format")]
Currency = Annotated[str, Query(pattern="^[A-Z]{3}$", description="amounts in this currency beside dollars")]


@router.get(
    "/reports/margin",
    responses={**_REFUSALS, **documented(errors.Conflict), **files.given("application/json", CSV, XLSX)},
)
def get_margin(  # one parameter per part of the question
    request: Request,
    since: From,
    until: To,
    by: By = "plan,month",
    tz: Zone = "UTC",
    cost_basis: CostBasis = "best",
    basis: Basis = "booked",
    known_at: KnownAt = None,
    reporting_currency: Currency = "USD",
    format_: Format = "json",
) -> Response:
    """Revenue, token cost and margin by any heads, with coverage and the evidence behind every figure."""
    asked = Question(
        by=tuple(filter(None, by.split(","))), since=since, until=until, tz=tz, cost_basis=cost_basis, basis=basis,
        known_at=earlier(known_at, now_of(request)), reporting_currency=reporting_currency,
    )  # fmt: skip
    with request.app.state.store.read() as connection:
        document = margin_report(connection, asked)
    return written_report(document, format_)


def earlier(known_at: datetime | None, now: datetime) -> datetime | None:
    """Return the moment that is asked about, or None where that is the present."""
    return None if known_at is None or known_at >= now else known_at


def written_report(document: dict[str, Any], format_: str) -> Response:
    """Answer with a report in one of its forms."""
    name = f"{document['title']}_{document['from']}_{document['to']}.{format_}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    if format_ == "csv":
        return Response(csv_text(document), media_type=CSV, headers=headers)
    if format_ == "xlsx":
        return Response(xlsx_bytes(document), media_type=XLSX, headers=headers)
    return JSONResponse(document)


@router.get("/reports/costs", responses={**_REFUSALS, **documented(errors.Conflict)})
def get_costs(
    request: Request,
    since: From,
    until: To,
    by: By = "model,unit",
    tz: Zone = "UTC",
    cost_basis: CostBasis = "best",
    basis: Basis = "booked",
    known_at: KnownAt = None,
    reporting_currency: Currency = "USD",
    format_: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
) -> Response:
    """Token cost by kind of token and any other head, with its total, coverage, and what was reported beside ours."""
    heads = [name for name in by.split(",") if name]
    asked = Question(
        by=tuple(name for name in heads if name != UNIT), since=since, until=until, tz=tz, cost_basis=cost_basis,
        basis=basis, known_at=earlier(known_at, now_of(request)), reporting_currency=reporting_currency,
    )  # fmt: skip
    with request.app.state.store.read() as connection:
        document = cost_report(connection, asked, by_unit=UNIT in heads)
    return written_report(document, format_)


@router.get("/reports/forecast")
def get_forecast(
    request: Request,
    month: Annotated[str | None, Query(max_length=7, description="such as 2026-11; by default the running one")] = None,
    by: Annotated[Literal["plan", ""], Query(description="plan, or nothing for the total alone")] = "plan",
    tz: Zone = "UTC",
    cost_basis: CostBasis = "best",
) -> JSONResponse:
    """Token cost and tokens of a month: what is booked so far, and what is expected at its end, at 80 % and 95 %."""
    asked = ForecastQuestion(now=now_of(request), month=month, by=by, tz=tz, cost_basis=cost_basis)
    with request.app.state.store.read() as connection:
        return JSONResponse(forecast_report(connection, asked))


@router.get("/reports/focus", responses={**_REFUSALS, **files.given(CSV)}, response_class=Response)
def get_focus(request: Request, since: From, until: To) -> Response:
    """Costs in FOCUS 1.4 with the token keys of 1.5: a row for each day of UTC, offer and meter, or stated cost."""
    with request.app.state.store.read() as connection:
        text, counts = focus_report(connection, since, until)
    headers = {
        "Content-Disposition": f'attachment; filename="focus_{since}_{until}.csv"',
        "Planner-Unpriced-Rows": str(counts["unpriced"]),
    }
    return Response(text, media_type=CSV, headers=headers)
