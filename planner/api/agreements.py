"""What was agreed beyond the list price: fees, contracts and exchange rates."""

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BeforeValidator, Field, WithJsonSchema
from starlette.responses import Response

from planner.api.asked import Moment, moment
from planner.api.body import Name, ReasonIn, UsdText, body_of, described
from planner.api.desk import DecisionIn
from planner.api.figures import usd
from planner.api.guard import GuardedRoute, now_of
from planner.api.pages import Number
from planner.api.problem import documented
from planner.api.shapes import Shape
from planner.api.writing import actor_of, tagged, written
from planner.core import errors
from planner.core.agreement import Contract, Fee
from planner.core.errors import InvalidInput
from planner.core.money import plain, usd_text
from planner.flows import agreement
from planner.store.engine import Connection
from planner.store.json_text import time_text

KnownAt = Annotated[
    datetime | None, BeforeValidator(moment), Query(description="answer with what was known then, RFC 3339 with offset")
]

router = APIRouter(prefix="/v1", tags=["admin"], route_class=GuardedRoute)

_REFUSALS = documented(errors.NotFound, errors.Conflict, errors.Changed)


_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def _day(value: object) -> date:
    # A week's day (2026-W01-1) or the beginning of something longer is a date to the library, and none to people.
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError("a day such as 2026-11-23 is needed")
    return date.fromisoformat(value)


Day = Annotated[date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]
Percent = Annotated[UsdText, Field(description="percent, a decimal string")]


class FeeIn(DecisionIn):
    """A channel's fee on list price, in percent, for one way of paying it."""

    channel: Name
    percent: Percent
    basis: Literal["added_to_top_up", "markup", "of_list_price"]
    payment: Literal["credit", "own_key"] = "credit"
    allowance_usd_per_month: UsdText | None = None
    minimum_usd: UsdText | None = None
    valid_from: Moment
    valid_to: Moment | None = None
    source_url: Name

    def row(self) -> dict[str, Any]:
        """Return the fee as it is recorded.

        Raises:
            InvalidInput: more than 100 percent.
        """
        return {
            "channel_id": self.channel,
            "percent": _percent("percent", self.percent),
            "basis": self.basis,
            "payment": self.payment,
            "allowance_usd_per_month": _text(self.allowance_usd_per_month),
            "minimum_usd": _text(self.minimum_usd),
            "valid_from": self.valid_from,
            "valid_to": self.valid_to,
            "source": "entered",
            "source_url": self.source_url,
        }


class PaymentIn(ReasonIn):
    """How a channel is paid here, and how much list-price usage a month is expected."""

    channel: Name
    payment: Literal["credit", "own_key"]
    list_usd_per_month: UsdText | None = None
    valid_from: Moment | None = None


class EndIn(DecisionIn):
    """When a fee or a contract ends, now by default."""

    valid_to: Moment | None = None


class ContractIn(DecisionIn):
    """A negotiated discount, with what was promised for it."""

    name: Name
    channel: Name = "direct"
    provider: Name
    model: Name | None = None
    discount_percent: Percent
    commitment_usd: UsdText | None = None
    commitment_period: Literal["month", "quarter", "year"] | None = None
    valid_from: Moment
    valid_to: Moment | None = None
    reference: Name


class FxIn(DecisionIn):
    """Dollars for one unit of a currency on a day."""

    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    day: Day
    usd: UsdText
    source: Name
    source_url: Name


def fee_shape(fee: Fee) -> Shape:
    """Write a fee; ``chosen`` tells whether it counts in costs."""
    return {
        "id": fee.id,
        "channel": fee.channel,
        "percent": usd_text(fee.percent),
        "basis": fee.basis,
        "payment": fee.payment,
        "chosen": fee.chosen,
        "allowance_usd_per_month": usd(fee.allowance_usd_per_month),
        "list_usd_per_month": usd(fee.list_usd_per_month),
        "share_of_list_price": usd_text(fee.share),
        "minimum_usd": usd(fee.minimum_usd),
        "valid_from": time_text(fee.valid_from),
        "valid_to": time_text(fee.valid_to),
        "source": fee.source,
        "source_url": fee.source_url,
    }


def contract_shape(contract: Contract) -> Shape:
    """Write a contract."""
    return {
        "id": contract.id,
        "name": contract.name,
        "channel": contract.channel,
        "provider": contract.provider,
        "model": contract.model,
        "discount_percent": usd_text(contract.discount_percent),
        "commitment_usd": usd(contract.commitment_usd),
        "commitment_period": contract.commitment_period,
        "valid_from": time_text(contract.valid_from),
        "valid_to": time_text(contract.valid_to),
        "reference": contract.reference,
    }


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)


def _percent(field: str, percent: Decimal) -> str:
    if percent > 100:  # noqa: PLR2004  # percent
        raise InvalidInput(field, "at most 100 percent")
    return plain(percent)


@router.get("/fees", responses=_REFUSALS)
def get_fees(request: Request, known_at: KnownAt = None) -> Response:
    """List what channels charge on top of list prices, cut where the way each is paid here changes."""
    store = request.app.state.store
    return tagged(
        request,
        {
            "items": [fee_shape(fee) for fee in agreement.fees(store, known_at)],
            "payments": [
                {
                    "channel": row["channel_id"],
                    "payment": row["payment"],
                    "list_usd_per_month": row["list_usd_per_month"],
                    "valid_from": time_text(row["valid_from"]),
                }
                for row in agreement.payments(store, known_at)
            ],
            "next_cursor": None,
        },
    )


_FEE = {
    "channel": "openrouter", "percent": "5", "basis": "of_list_price", "payment": "own_key",
    "allowance_usd_per_month": "25000", "valid_from": "2026-08-10T00:00:00Z",
    "source_url": "https://openrouter.ai/docs", "reason": "the vendor's page",
}  # fmt: skip


@router.post("/fees", responses=_REFUSALS, openapi_extra=described(FeeIn, _FEE))
def post_fee(request: Request, body: Annotated[FeeIn, Depends(body_of(FeeIn))]) -> Response:
    """Record a channel's fee from a day on."""
    at, row = now_of(request), body.row()

    def story(connection: Connection) -> Shape:
        return {"id": agreement.add_fee(connection, row, at=at, actor=actor_of(request), reason=body.reason)}

    return written(request, body.model_dump(mode="json"), story)


@router.post("/fees/{id}/end", responses=_REFUSALS, openapi_extra=described(EndIn, {"reason": "replaced"}))
def post_fee_end(request: Request, id: Number, body: Annotated[EndIn, Depends(body_of(EndIn))]) -> Response:
    """Let a fee end at a moment; until then it goes on being charged."""
    return _ended(request, "fee", id, body)


@router.post("/fees/{id}/void", responses=_REFUSALS, openapi_extra=described(DecisionIn, {"reason": "a mistake"}))
def post_fee_void(request: Request, id: Number, body: Annotated[DecisionIn, Depends(body_of(DecisionIn))]) -> Response:
    """Take a fee off the record as if it had never been."""
    return _voided(request, "fee", id, body)


@router.post(
    "/fees/payments",
    responses=_REFUSALS,
    openapi_extra=described(PaymentIn, {"channel": "openrouter", "payment": "credit", "list_usd_per_month": "1000"}),
)
def post_payment(request: Request, body: Annotated[PaymentIn, Depends(body_of(PaymentIn))]) -> Response:
    """Say how a channel is paid here from a moment on, now by default."""
    at, volume = now_of(request), _text(body.list_usd_per_month)
    begins = body.valid_from or at

    def story(connection: Connection) -> Shape:
        return agreement.pay(
            connection, body.channel, body.payment, volume, begins, at=at, actor=actor_of(request), reason=body.reason
        )

    return written(request, body.model_dump(mode="json"), story)


@router.get("/contracts", responses=_REFUSALS)
def get_contracts(request: Request, known_at: KnownAt = None) -> Response:
    """List negotiated discounts and commitments."""
    found = agreement.contracts(request.app.state.store, known_at)
    return tagged(request, {"items": [contract_shape(contract) for contract in found], "next_cursor": None})


_CONTRACT = {
    "name": "Acme frame contract", "provider": "openai", "discount_percent": "12.5", "commitment_usd": "100000",
    "commitment_period": "year", "valid_from": "2026-01-01T00:00:00Z", "reference": "contract 2026-17",
    "reason": "signed",
}  # fmt: skip


@router.post("/contracts", responses=_REFUSALS, openapi_extra=described(ContractIn, _CONTRACT))
def post_contract(request: Request, body: Annotated[ContractIn, Depends(body_of(ContractIn))]) -> Response:
    """Record a negotiated discount; effective costs take it off the list price from its first day."""
    at = now_of(request)
    if body.valid_to is not None and body.valid_to <= body.valid_from:
        raise InvalidInput("valid_to", "later than valid_from is needed")
    row = {
        "name": body.name,
        "channel_id": body.channel,
        "provider_id": body.provider,
        "model_id": body.model,
        "discount_percent": _percent("discount_percent", body.discount_percent),
        "commitment_usd": _text(body.commitment_usd),
        "commitment_period": body.commitment_period,
        "valid_from": body.valid_from,
        "valid_to": body.valid_to,
        "reference": body.reference,
    }

    def story(connection: Connection) -> Shape:
        return {"id": agreement.add_contract(connection, row, at=at, actor=actor_of(request), reason=body.reason)}

    return written(request, body.model_dump(mode="json"), story)


@router.post("/contracts/{id}/end", responses=_REFUSALS, openapi_extra=described(EndIn, {"reason": "cancelled"}))
def post_contract_end(request: Request, id: Number, body: Annotated[EndIn, Depends(body_of(EndIn))]) -> Response:
    """Let a contract end at a moment; until then its discount goes on being granted."""
    return _ended(request, "contract", id, body)


@router.post("/contracts/{id}/void", responses=_REFUSALS, openapi_extra=described(DecisionIn, {"reason": "a mistake"}))
def post_contract_void(
    request: Request, id: Number, body: Annotated[DecisionIn, Depends(body_of(DecisionIn))]
) -> Response:
    """Take a contract off the record as if it had never been."""
    return _voided(request, "contract", id, body)


def _ended(request: Request, word: str, id_: int, body: EndIn) -> Response:
    at = now_of(request)
    ends, actor = body.valid_to or at, actor_of(request)
    return written(
        request,
        body.model_dump(mode="json"),
        lambda connection: agreement.end(connection, word, id_, ends, at=at, actor=actor, reason=body.reason),
    )


def _voided(request: Request, word: str, id_: int, body: DecisionIn) -> Response:
    at, actor = now_of(request), actor_of(request)
    return written(
        request,
        body.model_dump(),
        lambda connection: agreement.void(connection, word, id_, at=at, actor=actor, reason=body.reason),
    )


@router.get("/fx", responses=_REFUSALS)
def get_fx(
    request: Request, currency: Annotated[str | None, Query(pattern="^[A-Z]{3}$")] = None, known_at: KnownAt = None
) -> Response:
    """List exchange rates, newest first: dollars for one unit of a currency from a day on."""
    items = [
        {"currency": rate.currency, "day": rate.day.isoformat(), "usd": plain(rate.usd), "source": rate.source}
        for rate in agreement.fx_rates(request.app.state.store, currency, known_at)
    ]
    return tagged(request, {"items": items, "next_cursor": None})


_FX = {
    "currency": "EUR", "day": "2026-11-23", "usd": "1.1", "source": "European Central Bank",
    "source_url": "https://www.ecb.europa.eu/stats/eurofxref", "reason": "daily",
}  # fmt: skip


@router.post("/fx", responses=_REFUSALS, openapi_extra=described(FxIn, _FX))
def post_fx(request: Request, body: Annotated[FxIn, Depends(body_of(FxIn))]) -> Response:
    """Record the exchange rate of a day."""
    at = now_of(request)
    row = {
        "currency": body.currency,
        "day": body.day,
        "usd": plain(body.usd),
        "source": body.source,
        "source_url": body.source_url,
    }

    def story(connection: Connection) -> Shape:
        agreement.set_fx(connection, row, at=at, actor=actor_of(request), reason=body.reason)
        return {"currency": body.currency, "day": body.day.isoformat(), "usd": row["usd"]}

    return written(request, body.model_dump(mode="json"), story)
