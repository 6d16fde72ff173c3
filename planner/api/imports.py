"""Files over HTTP: the body of a request is taken in as an import, and the summary says what became of every row."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from planner.api.body import ReasonIn, described, optional_body_of
from planner.api.guard import GuardedRoute, now_of
from planner.api.ledger import caught_up
from planner.api.pages import Number
from planner.api.problem import documented, refusal
from planner.api.shapes import Shape
from planner.api.writing import actor_of, by, written
from planner.core import errors, strict_json
from planner.core.event import Role
from planner.core.money import pico_text, plain
from planner.core.posting import REPORTED, Measures
from planner.flows import bulk
from planner.flows.bulk import Rerated
from planner.flows.import_file import BAD_ROWS, Import, import_file
from planner.flows.survey import Summary
from planner.store.engine import Connection

router = APIRouter(prefix="/v1", tags=["finance"], route_class=GuardedRoute, responses=documented())

_REFUSALS = documented(errors.Conflict, errors.AlreadyImported, errors.TooLarge, errors.EncodedBody)
_MEDIA = ("text/csv", "application/json", "application/jsonl", "application/vnd.apache.parquet", "application/gzip")
_BODY = {"required": True, "content": {media: {"schema": {"type": "string"}} for media in _MEDIA}}


def summary_shape(summary: Summary) -> Shape:
    """Write what was found in a file, and what became of it."""
    measures = sum(summary.measures.values(), Measures())
    reported = summary.measures.get(REPORTED, Measures()).stated
    return {
        "file": summary.file,
        "format": summary.format,
        "format_because": summary.because,
        "source": summary.source,
        "role": summary.role,
        "import": summary.import_id,
        "repeats_import": summary.repeated,
        "dry_run": summary.dry_run,
        "in_place": summary.in_place,
        "bad_rows": "stop" if summary.strict else "skip",
        "stopped": summary.stopped,
        "rows": summary.rows,
        "previewed_rows": summary.previewed,
        "outcomes": dict(summary.outcomes),
        "refused_rows": summary.refused_rows,
        "refused": [{"place": one.place, "reason": one.reason} for one in summary.refused],
        "skipped": dict(summary.skipped),
        "containment": [
            {"provider": provider or None, "includes_cached": found.includes_cached, "because": found.because}
            for provider, found in summary.containment.items()
        ],
        "rated_usd": pico_text(measures.cost),
        "rated_max_usd": pico_text(measures.high),
        "stated_usd": pico_text(measures.stated),
        "reported_only_usd": pico_text(reported),
        "evidence_usd": plain(summary.evidence_usd),
        "input_tokens": measures.input_tokens,
        "output_tokens": measures.output_tokens,
        "requests": measures.requests,
        "unpriced": dict(summary.unpriced),
        "revenue": _amounts(summary.revenue),
        "invoiced": _amounts(summary.invoiced),
    }


def _amounts(found: Mapping[tuple[str, str], str]) -> list[Shape]:
    return [
        {"kind": kind, "currency": currency, "amount": amount} for (kind, currency), amount in sorted(found.items())
    ]


def answered(summary: Summary) -> Response:
    """Answer for a file; where nothing was stored the whole answer is a refusal, with the summary in it.

    Who looks at nothing but the status must not believe that something was.
    """
    shape, why = summary_shape(summary), summary.stopped
    if why is None:
        return JSONResponse(shape)
    error: errors.PlannerError = errors.Conflict("import", summary.file[:80], why)
    if why == BAD_ROWS:
        error = errors.InvalidInput("file", f"{why}; skip=true leaves such rows out")
    answer = refusal(error)
    document = {**strict_json.read(bytes(answer.body)), "summary": shape}
    return JSONResponse(document, answer.status_code, media_type=answer.media_type)


def rerated_shape(done: Rerated) -> Shape:
    """Write what rating a file again came to: what it costs more, or less, than what was booked of it."""
    return {
        "import": done.number, "file": done.file, "rows": done.rows, "cells": done.cells,
        "delta_usd": pico_text(done.delta.cost), "delta_max_usd": pico_text(done.delta.high),
    }  # fmt: skip


_Word = Annotated[str | None, Query(max_length=400)]


@router.post("/imports", response_model=dict[str, Any], responses=_REFUSALS, openapi_extra={"requestBody": _BODY})
async def post_import(
    request: Request,
    format: Annotated[str | None, Query(max_length=100, description="guessed from the file by default")] = None,
    source: Annotated[str | None, Query(max_length=400, description="the stream; by default the format")] = None,
    name: Annotated[str, Query(max_length=400, description="what the file is called")] = "upload",
    provider: _Word = None,
    channel: _Word = None,
    plan: _Word = None,
    customer: _Word = None,
    task: _Word = None,
    account: Annotated[str, Query(max_length=400)] = "",
    role: Annotated[Literal["ledger", "evidence"] | None, Query(description="chosen by a person")] = None,
    includes_cached: bool | None = None,
    skip: Annotated[bool, Query(description="leave rows out that cannot be read, instead of stopping")] = False,
    dry_run: bool = False,
) -> Response:
    """Take a file of usage, cost, revenue or an invoice in; the same file again changes nothing.

    422: a row cannot be read, and nothing was stored; `summary` names such rows, and `skip` leaves them out.
    """
    body, now, actor = await request.body(), now_of(request), actor_of(request)
    words = {
        "source": source, "provider": provider, "channel": channel, "plan": plan, "customer": customer, "task": task,
        "includes_cached": includes_cached,
    }  # fmt: skip

    def run() -> Response:
        with tempfile.TemporaryDirectory(prefix="planner-import-") as folder:
            path = Path(folder) / "body"
            path.write_bytes(body)
            asked = Import(
                path=path, name=name, words=words, format=format, role=None if role is None else Role(role),
                account=account, strict=not skip, dry_run=dry_run,
            )  # fmt: skip
            summary = import_file(request.app.state.store, asked, now=lambda: now, by=actor)
        caught_up(request)
        return answered(summary)

    return await run_in_threadpool(run)


_AGAIN = documented(errors.NotFound, errors.Conflict, errors.RowsUnavailable, errors.Changed, errors.Overtaken)
_WHY = described(ReasonIn, {"reason": "the file is back where it was"}, required=False)


@router.post("/imports/{id}/rerate", responses=_AGAIN, openapi_extra=_WHY)
def post_rerate(
    request: Request, id: Number, body: Annotated[ReasonIn, Depends(optional_body_of(ReasonIn))]
) -> Response:  # fmt: skip
    """Rate a file that was imported in place again, by what is known now, and book the difference."""
    state, who = request.app.state, by(request, body.reason)
    found, rating, then = bulk.again(state.store, id)

    def story(connection: Connection) -> Shape:
        return rerated_shape(bulk.book_again(connection, found, rating, then, state.current.now(), who))

    return written(request, body.model_dump(), story)
