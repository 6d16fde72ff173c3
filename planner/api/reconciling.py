"""Invoices over HTTP: their lines in, each once, and the ledger reconciled with everything that was billed."""

from datetime import date, datetime
from fractions import Fraction
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from planner.api import files
from planner.api.asked import Moment
from planner.api.body import DecimalText, Name, Sent, UsdText, checked, described
from planner.api.guard import GuardedRoute, now_of
from planner.api.problem import documented
from planner.api.reports import CSV, From, To, Zone, written_report
from planner.api.shapes import Shape
from planner.api.usage import EVENTS_MAX, VALUES_MAX, answered
from planner.api.writing import actor_of
from planner.core import errors, strict_json
from planner.core.errors import InvalidInput, PlannerError
from planner.core.invoice import QUANTITY_MAX, InvoiceLine, Kind
from planner.core.money import parse_decimal, to_pico
from planner.core.units import Unit
from planner.flows import invoices
from planner.flows.ingest import REFUSED, Result
from planner.flows.reconciliation import flat, reconcile
from planner.flows.reconciliation_rows import DEFAULT_BY, Question

router = APIRouter(prefix="/v1", tags=["finance"], route_class=GuardedRoute, responses=documented())

_REFUSALS = documented(errors.Conflict, errors.TooLarge, errors.EncodedBody)
_Quantity = Annotated[int, Field(ge=-QUANTITY_MAX, le=QUANTITY_MAX)]


class LineIn(Sent):
    """One line of an invoice, of ``start`` to ``end``, or of the moment ``start``; a credit or a discount has a minus.

    ``provider`` is who runs the models, ``channel`` a broker that bills for it. ``amount`` is in ``currency``, after
    discounts of the line itself; ``usd_per_unit`` is the exchange rate the invoice states. Of usage ``unit`` is the
    kind of token or other unit, ``quantity`` how many, ``list_amount`` what they cost before discounts, ``unit_price``
    what one ``per`` of them is charged at.
    """

    id: Name
    source: Name
    kind: Literal["usage", "credit", "discount", "fee", "tax", "adjustment", "rounding"]
    amount: DecimalText
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    start: Moment
    end: Moment | None = None
    provider: Name | None = None
    channel: Name = "direct"
    usd_per_unit: UsdText | None = None
    model: Name | None = None
    unit: Literal[tuple(unit.value for unit in Unit)] | None = None  # type: ignore[valid-type]  # the registry's units
    quantity: _Quantity | None = None
    list_amount: DecimalText | None = None
    unit_price: UsdText | None = None
    per: Annotated[int, Field(ge=1, le=QUANTITY_MAX)] = 1
    service_tier: Name | None = None
    project: Name | None = None
    key: Name | None = None
    description: Name | None = None

    def line(self) -> InvoiceLine:
        """Return what was sent as a line."""
        unit = None if self.unit is None else Unit(self.unit)
        return InvoiceLine(**{**self.model_dump(), "kind": Kind(self.kind), "unit": unit})


class InvoicesIn(Sent):
    """Up to 10,000 lines, of one invoice or several."""

    lines: Annotated[list[LineIn], Field(min_length=1, max_length=EVENTS_MAX)]


_EXAMPLE = {
    "lines": [
        {
            "id": "2026-09/tax", "source": "openai-invoices", "kind": "tax", "provider": "openai", "amount": "19.00",
            "currency": "EUR", "usd_per_unit": "1.16", "start": "2026-09-01T00:00:00Z", "end": "2026-10-01T00:00:00Z",
        }
    ]
}  # fmt: skip


@router.post("/invoices", responses=_REFUSALS, openapi_extra=described(InvoicesIn, _EXAMPLE))
async def post_invoices(request: Request) -> Response:
    """Take lines of invoices in, each once by its source and id; a line is answered for after it is committed.

    200: every line is on record. 207: some are, the others say why not. 409 or 422: none is.
    """
    body, now, actor = await request.body(), now_of(request), actor_of(request)
    return await run_in_threadpool(_taken, request.app.state.store, body, now, actor)


def _taken(store: Any, body: bytes, now: datetime, actor: str) -> Response:  # noqa: ANN401  # the application's store
    document = strict_json.read(body, values_max=VALUES_MAX)
    listed = document.get("lines") if isinstance(document, dict) and set(document) == {"lines"} else None
    if not isinstance(listed, list) or not 1 <= len(listed) <= EVENTS_MAX:
        raise InvalidInput("lines", f"a list of 1 to {EVENTS_MAX} lines is needed, and nothing beside it")
    rows: list[InvoiceLine | PlannerError] = [_line(written) for written in listed]
    lines = [row for row in rows if isinstance(row, InvoiceLine)]
    found = iter(store.tell(lambda connection: invoices.take(connection, lines, at=now, by=actor)) if lines else ())
    return answered([_shape(row, next(found) if isinstance(row, InvoiceLine) else None) for row in rows], "invoice")


def _line(written: object) -> InvoiceLine | PlannerError:
    try:
        return checked(LineIn, written).line()
    except PlannerError as error:
        return error


def _shape(row: InvoiceLine | PlannerError, result: Result | None) -> Shape:
    if isinstance(row, InvoiceLine) and result is not None:
        return {"source": row.source, "id": row.id, "status": result.status, "detail": result.detail}
    facts = {} if isinstance(row, InvoiceLine) else row.facts()
    code = "invalid" if isinstance(row, InvoiceLine) else row.code
    return {"status": REFUSED, "code": code, "detail": f"{facts.get('field')}: {facts.get('problem')}"}


def question(
    *, since: date, until: date, tz: str, provider: str | None, sources: tuple[str, ...], by: str, tolerance: str,
    tolerance_usd: str,
) -> Question:  # fmt: skip
    """Return what is asked, with the tolerances read from text.

    Raises:
        InvalidInput: a tolerance that is no decimal, or what is no question.
    """
    absolute = to_pico(Fraction(parse_decimal(tolerance_usd, field="tolerance_usd")))
    return Question(
        since=since, until=until, tz=tz, provider=provider, sources=sources,
        by=tuple(name for name in by.split(",") if name),
        relative=Fraction(parse_decimal(tolerance, field="tolerance")), absolute=absolute,
    )  # fmt: skip


RELATIVE, ABSOLUTE = "0.005", "0.01"
"""What is within tolerance unless somebody says otherwise: half a percent, or a cent."""


@router.get("/reports/reconciliation", responses={**_REFUSALS, **files.given("application/json", CSV)})
def get_reconciliation(  # one parameter per part of the question
    request: Request,
    since: From,
    until: To,
    provider: Annotated[str | None, Query(max_length=400, description="who is paid; by default whoever billed")] = None,
    source: Annotated[list[str] | None, Query(description="whose statements; by default all there are")] = None,
    by: Annotated[str, Query(max_length=400, description="heads that may be told apart")] = ",".join(DEFAULT_BY),
    tz: Zone = "UTC",
    tolerance: Annotated[str, Query(max_length=40, description="share of the larger side, such as 0.005")] = RELATIVE,
    tolerance_usd: Annotated[str, Query(max_length=40, description="or this much of each line")] = ABSOLUTE,
    format_: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
) -> Response:
    """Why what was billed differs from the ledger: a waterfall by cause, in total and by key, that adds up exactly.

    What no stated fact explains is the residual, and is shown as that.
    """
    asked = question(
        since=since, until=until, tz=tz, provider=provider, sources=tuple(source or ()), by=by, tolerance=tolerance,
        tolerance_usd=tolerance_usd,
    )  # fmt: skip
    with request.app.state.store.read() as connection:
        document = reconcile(connection, asked)
    return written_report(flat(document) if format_ == "csv" else document, format_)
