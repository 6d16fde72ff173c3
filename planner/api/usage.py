"""Usage over HTTP: events from backends and spans from collectors, each row answered for after it is committed."""

import asyncio
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Literal, ParamSpec, TypeVar

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from planner.api.asked import Moment, Tier, UsageIn
from planner.api.body import Name, Reason, Sent, UsdText, body_of, checked, described
from planner.api.guard import GuardedRoute
from planner.api.problem import documented, refusal
from planner.api.shapes import Shape
from planner.api.writing import actor_of, by, written
from planner.core import errors, strict_json
from planner.core.errors import Conflict, InvalidInput, PlannerError
from planner.core.event import Event, Outcome, Role, StatedBy
from planner.core.money import pico_text
from planner.core.usage import Usage
from planner.flows import void as voiding
from planner.flows.ingest import CONFLICT, REFUSED, Result
from planner.flows.intake import Batch
from planner.ledger import otel, otlp_message
from planner.ledger.format import Given, Read, Refused
from planner.store.streams import Stream

router = APIRouter(prefix="/v1", tags=["usage"], route_class=GuardedRoute)

EVENTS_MAX = 10_000
VALUES_MAX = 1_000_000
# A dozen rows or so.
AT_ONCE_BYTES_MAX = 4_096
INFLATED_BYTES_MAX = 64 << 20
P = ParamSpec("P")
T = TypeVar("T")
_REFUSALS = documented(errors.Conflict, errors.TooLarge, errors.EncodedBody)

Tags = Annotated[
    dict[Annotated[str, Field(max_length=100)], Annotated[str, Field(max_length=400)]], Field(max_length=50)
]


class EventIn(Sent):
    """One request that used tokens, or with ``until`` an aggregate of many.

    Who served it is an exact ``offer``, or ``provider`` and ``model`` (and ``channel``, a broker) as they are spelled.
    ``request_id`` is the provider's own id of the response: the same request is counted once, whatever it came through.
    ``stated_cost_usd`` is a cost the sender was told: by the provider, by a gateway, or its own estimate.
    """

    id: Name
    source: Name
    at: Moment
    usage: UsageIn
    until: Moment | None = None
    offer: Name | None = None
    channel: Name = "direct"
    provider: Name | None = None
    model: Name | None = None
    service_tier: Tier = "standard"
    region: Name | None = None
    plan: Name | None = None
    customer: Name | None = None
    task: Name | None = None
    project: Name | None = None
    key: Name | None = None
    request_id: Name | None = None
    tags: Tags = Field(default_factory=dict)
    outcome: Literal["ok", "failed", "gateway_cache"] = "ok"
    stated_cost_usd: UsdText | None = None
    stated_by: Literal["provider", "gateway", "estimate"] = "estimate"

    def event(self) -> Event:
        """Return what was sent as an event.

        Raises:
            InvalidInput: neither an offer nor a provider and a model.
        """
        if self.offer is None and (self.provider is None or self.model is None):
            raise InvalidInput("offer", "an offer, or a provider and a model, is needed")
        counts = self.usage.counts()
        Usage.of(counts)
        return Event(
            source=self.source, id=self.id, at=self.at, until=self.until, counts=counts, offer=self.offer,
            channel=self.channel, provider=self.provider, model=self.model, service_tier=self.service_tier,
            region=self.region, plan=self.plan, customer=self.customer, task=self.task, project=self.project,
            key=self.key, request_id=self.request_id, tags=self.tags, outcome=Outcome(self.outcome),
            stated_usd=self.stated_cost_usd, stated_by=StatedBy(self.stated_by),
        )  # fmt: skip


class WhyIn(Sent):
    """Why a row is taken back."""

    reason: Reason


class EventsIn(Sent):
    """Up to 10,000 events, of one stream or several."""

    events: Annotated[list[EventIn], Field(min_length=1, max_length=EVENTS_MAX)]


_EXAMPLE = {
    "events": [
        {
            "id": "req-1", "source": "backend", "at": "2026-11-23T12:00:00Z", "offer": "direct:openai/gpt-5.4",
            "usage": {"input_tokens": 2600, "cache_read_tokens": 1200, "output_tokens": 450}, "plan": "pro",
            "task": "chat", "customer": "cust_42", "request_id": "chatcmpl-1",
        }
    ]
}  # fmt: skip
_STATUS = {CONFLICT: 409, REFUSED: 422}


@router.post("/usage", responses=_REFUSALS, openapi_extra=described(EventsIn, _EXAMPLE))
async def post_usage(request: Request) -> Response:
    """Take events in, each once by its source and id; a row is answered for after it is committed.

    200: every row is on record. 207: some are, the others say why not. 409 or 422: none is.
    """
    body, actor = await request.body(), actor_of(request)
    # What is read in no time is read here; what is not must not keep everybody else waiting.
    aside = run_in_threadpool if len(body) > AT_ONCE_BYTES_MAX else _at_once
    rows = await aside(_rows, body)
    streams: dict[str, list[int]] = {}
    for number, (_place, row) in enumerate(rows):
        if isinstance(row, Event):
            streams.setdefault(row.source, []).append(number)
    batches = [
        Batch(
            Stream(source, Role.LEDGER, own=True),
            [row for n in numbers if isinstance(row := rows[n][1], Event)],
            actor,
        )
        for source, numbers in streams.items()
    ]
    found = await asyncio.wrap_future(request.app.state.intake.send(batches)) if batches else []
    return await aside(_answered, rows, streams, found)


async def _at_once(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    return call(*args, **kwargs)


def _answered(
    rows: Sequence[tuple[Shape, Event | PlannerError]], streams: Mapping[str, Sequence[int]],
    found: Sequence[Sequence[Result]],
) -> Response:  # fmt: skip
    results: list[Shape] = [_refused_shape(place, row) for place, row in rows]
    for numbers, outcomes in zip(streams.values(), found, strict=True):
        for number, outcome in zip(numbers, outcomes, strict=True):
            results[number] = {**rows[number][0], **result_shape(outcome)}
    return answered(results, "usage")


def _rows(body: bytes) -> list[tuple[Shape, Event | PlannerError]]:
    document = strict_json.read(body, values_max=VALUES_MAX)
    listed = document.get("events") if isinstance(document, dict) and set(document) == {"events"} else None
    if not isinstance(listed, list) or not 1 <= len(listed) <= EVENTS_MAX:
        raise InvalidInput("events", f"a list of 1 to {EVENTS_MAX} events is needed, and nothing beside it")
    return [_row(written) for written in listed]


def _row(written: object) -> tuple[Shape, Event | PlannerError]:
    place = {name: _name(written, name) for name in ("source", "id")}
    try:
        return place, checked(EventIn, written).event()
    except PlannerError as error:
        return place, error


def _name(written: object, name: str) -> str | None:
    found = written.get(name) if isinstance(written, dict) else None
    return found[:400] if isinstance(found, str) and found.isprintable() else None


def _refused_shape(place: Shape, row: Event | PlannerError) -> Shape:
    if isinstance(row, Event):
        return place
    facts = row.facts()
    return {**place, "status": REFUSED, "code": row.code, "detail": f"{facts.get('field')}: {facts.get('problem')}"}


def result_shape(result: Result) -> Shape:
    """Write what became of a row, and what was booked for it."""
    shape: Shape = {"status": result.status, "detail": result.detail}
    posting = result.posting
    if posting is None:
        return shape
    priced = posting.dims.cost_basis == "rated"
    low, high = posting.measures.cost, posting.measures.high
    return {
        **shape,
        "cost_usd": pico_text(low) if priced and low == high else None,
        "cost_min_usd": pico_text(low) if priced else None,
        "cost_max_usd": pico_text(high) if priced else None,
        "cost_basis": posting.dims.cost_basis,
        "unpriced": posting.dims.unpriced or None,
        "offer": posting.dims.offer or None,
        "price_version": posting.dims.price_version or None,
        "plan": posting.dims.plan or None,
        "ttl_assumed": result.ttl_assumed,
    }


def answered(results: Sequence[Shape], kind: str) -> Response:
    """Answer for rows, each for itself; where none was taken the whole answer is a refusal."""
    bad = [result for result in results if result["status"] in _STATUS]
    if len(bad) == len(results):
        # Nothing was taken: who looks at nothing but the status must not believe that something was.
        conflict = next((result for result in bad if result["status"] == CONFLICT), None)
        first = conflict or bad[0]
        error: PlannerError = InvalidInput(kind, str(first["detail"]))
        if conflict is not None:
            error = Conflict(kind, str(conflict.get("id"))[:80], str(conflict["detail"]))
        answer = refusal(error)
        document = {**strict_json.read(bytes(answer.body)), "code": _code(first, error), "items": list(results)}
        return JSONResponse(document, answer.status_code, media_type=answer.media_type)
    return JSONResponse({"items": list(results)}, 207 if bad else 200)


def _code(first: Shape, error: PlannerError) -> str:
    return str(first.get("code") or error.code)


_Source = Annotated[str, Query(max_length=200, description="the name of the stream")]


@router.post("/otlp/v1/traces", responses=_REFUSALS, openapi_extra={"requestBody": {"required": True, "content": {
    media: {"schema": {"type": "string"}} for media in ("application/json", "application/x-protobuf")
}}})  # fmt: skip
async def post_traces(request: Request, source: _Source = "otel") -> Response:
    """Take OTLP spans of the GenAI conventions in, as JSON or protobuf; what is no leaf inference span is left out."""
    body, actor = await request.body(), actor_of(request)
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "", "gzip"):
        raise errors.EncodedBody
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    binary = media == "application/x-protobuf"
    if not binary and media != "application/json":
        raise InvalidInput("content-type", "application/json or application/x-protobuf is needed")
    events, refused = await run_in_threadpool(_spans, body, source, binary=binary, packed=encoding == "gzip")
    outcomes: list[Result] = []
    if events:
        batch = Batch(Stream(source, Role.LEDGER), events, actor)
        (outcomes,) = await asyncio.wrap_future(request.app.state.intake.send([batch]))
    refused += [result.detail or "" for result in outcomes if result.status in _STATUS]
    return otel_answer(refused, binary=binary)


def _spans(body: bytes, source: str, *, binary: bool, packed: bool) -> tuple[list[Event], list[str]]:
    body = inflated(body) if packed else body
    message = otlp_message.decode(body) if binary else strict_json.read(body, values_max=VALUES_MAX)
    if not isinstance(message, Mapping):
        raise InvalidInput("body", "an OTLP trace export is needed")
    events, refused = [], []
    for read in otel.spans(message, Given(source=source)):
        if isinstance(read, Read) and isinstance(read.said, Event):
            events.append(read.said)
        elif isinstance(read, Refused):
            refused.append(f"{read.place}: {read.reason}")
    return events, refused


def otel_answer(refused: Sequence[str], *, binary: bool) -> Response:
    """Answer an exporter in its own form: how many spans were refused, and why the first one was."""
    if binary:
        return Response(
            otlp_message.answer(len(refused), refused[0] if refused else ""), media_type="application/x-protobuf"
        )
    partial = {"rejectedSpans": str(len(refused)), "errorMessage": refused[0]} if refused else {}
    return JSONResponse({"partialSuccess": partial} if refused else {})


@router.post("/usage/{source}/{id:path}/void", responses=documented(errors.NotFound, errors.Conflict),
             openapi_extra=described(WhyIn, {"reason": "sent by a test"}))  # fmt: skip
def post_void(
    request: Request,
    source: Annotated[str, Path(max_length=400)],
    id: Annotated[str, Path(max_length=400)],
    body: Annotated[WhyIn, Depends(body_of(WhyIn))],
) -> Response:
    """Take a row of usage back: what was booked for it is booked back, and its id stays used."""
    who = by(request, body.reason)
    return written(
        request,
        body.model_dump(mode="json"),
        lambda connection: {"source": source, "id": id, **result_shape(voiding.void(connection, source, id, who))},
    )


def inflated(body: bytes) -> bytes:
    """Return a gzip body as it is inside, within a bound.

    Raises:
        InvalidInput: it is none, or larger inside than any export.
    """
    inflater = zlib.decompressobj(wbits=31)
    try:
        inside = inflater.decompress(body, INFLATED_BYTES_MAX)
    except zlib.error:
        raise InvalidInput("body", "not gzip") from None
    if inflater.unconsumed_tail or not inflater.eof:
        raise InvalidInput("body", "not a whole gzip body of at most 64 MiB")
    return inside
