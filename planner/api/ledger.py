"""The ledger over HTTP: streams and their roles, files that were taken in, lines, and accounting periods."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from planner.api.body import Reason, Sent, body_of, described
from planner.api.guard import GuardedRoute
from planner.api.pages import Cursor, Limit, cursor_of, read_cursor
from planner.api.problem import documented
from planner.api.shapes import Shape
from planner.api.writing import by, written
from planner.core import errors
from planner.core.errors import UNSAID
from planner.core.event import Role
from planner.flows import close as closing
from planner.flows import rebook, roles
from planner.flows.margin_report import statement_digest
from planner.store import imports, periods, streams, usage
from planner.store.engine import Connection
from planner.store.json_text import time_text
from planner.store.streams import Stream

router = APIRouter(prefix="/v1", tags=["finance"], route_class=GuardedRoute, responses=documented())

_REFUSALS = documented(errors.NotFound, errors.Conflict, errors.Changed, errors.TooLarge, errors.EncodedBody)
# What a write makes necessary is done before it is answered, up to so many pieces; the rest follows on the timer.
TURNS_MAX = 5


def caught_up(request: Request) -> None:
    """Book what waits anew, some pieces of it, after a change that made it necessary."""
    state = request.app.state
    rebook.catch_up(state.store, state.current.now, TURNS_MAX)


class StreamIn(Sent):
    """Whether the rows of a stream count (``ledger``), or are only held against what counts (``evidence``)."""

    role: Literal["ledger", "evidence"]
    reason: Reason = UNSAID


class WhyIn(Sent):
    """Why a period is closed or opened again."""

    reason: Reason


def stream_shape(stream: Stream) -> Shape:
    """Write a stream."""
    return {
        "source": stream.source, "role": stream.role.value, "chosen": stream.chosen, "account": stream.account or None,
        "spellings_of": stream.feed or None, "may_say_newer": stream.mutable, "own": stream.own,
    }  # fmt: skip


@router.get("/streams")
def get_streams(request: Request) -> dict[str, Any]:
    """List the streams that ever sent usage, with their roles."""
    with request.app.state.store.read() as connection:
        found = streams.every(connection)
    return {"items": [stream_shape(stream) for stream in found], "next_cursor": None}


_STREAM_REFUSALS = {**_REFUSALS, **documented(errors.Conflict, errors.AlreadyImported)}
_STREAM = {"role": "evidence", "reason": "the gateway's log counts"}


@router.put("/streams/{source}", responses=_STREAM_REFUSALS, openapi_extra=described(StreamIn, _STREAM))
def put_stream(
    request: Request,
    source: Annotated[str, Path(max_length=400)],
    body: Annotated[StreamIn, Depends(body_of(StreamIn))],
) -> Response:
    """Choose the role of a stream; what it sent before is booked, or booked back."""
    who = by(request, body.reason)
    answer = written(
        request,
        body.model_dump(mode="json"),
        lambda connection: stream_shape(roles.choose(connection, source, Role(body.role), who)),
    )
    caught_up(request)
    return answer


def import_shape(row: dict[str, Any]) -> Shape:
    """Write an import. Where a file lies is nobody's business over HTTP, but that its rows stay there is."""
    kept = ("id", "file", "digest", "format", "source", "summary", "by")
    return {**{name: row[name] for name in kept}, "at": time_text(row["at"]), "in_place": row["path"] is not None}


@router.get("/imports")
def get_imports(request: Request, limit: Limit = 100, cursor: Cursor = None) -> dict[str, Any]:
    """List the files that were taken in, newest first."""
    place = read_cursor(cursor, r"[0-9]{1,18}")
    with request.app.state.store.read() as connection:
        found = imports.every(connection, limit + 1, None if place is None else int(place))
    return {
        "items": [import_shape(row) for row in found[:limit]],
        "next_cursor": cursor_of(str(found[limit - 1]["id"])) if len(found) > limit else None,
    }


def line_shape(row: Any) -> Shape:  # noqa: ANN401  # a row of lines
    """Write a line: what was booked for a row of usage, and what is instead."""
    return {
        "line": row.id, "kind": row.kind, "source": row.source, "id": row.event_id,
        "usage_at": time_text(row.usage_at), "booked_in": row.booked_in, "recorded_at": time_text(row.recorded_at),
        "price_version_old": row.price_version_old, "price_version_new": row.price_version_new,
        "delta_usd": row.delta_usd,
    }  # fmt: skip


_Text = Annotated[str | None, Query(max_length=400)]


@router.get("/ledger/lines")
def get_lines(
    request: Request,
    source: _Text = None,
    id: _Text = None,
    booked_in: Annotated[str | None, Query(max_length=7, description="a month such as 2026-09")] = None,
    deltas: Annotated[bool, Query(description="only what changed something that was booked before")] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """List what was booked, oldest first: each row of usage, and each change of it."""
    place = read_cursor(cursor, r"[0-9]{1,18}")
    wanted = usage.Wanted(source, id, booked_in, deltas, 0 if place is None else int(place))
    with request.app.state.store.read() as connection:
        found = list(usage.lines(connection, wanted, limit + 1))
    return {
        "items": [line_shape(row) for row in found[:limit]],
        "next_cursor": cursor_of(str(found[limit - 1].id)) if len(found) > limit else None,
    }


def period_shape(row: dict[str, Any]) -> Shape:
    """Write an accounting period."""
    return {
        "period": row["period"], "state": row["state"], "changed_at": time_text(row["changed_at"]),
        "changed_by": row["changed_by"], "reason": row["reason"], "report_digest": row["report_digest"],
    }  # fmt: skip


@router.get("/periods")
def get_periods(request: Request) -> dict[str, Any]:
    """List the months that something is booked in, and whether they are closed."""
    with request.app.state.store.read() as connection:
        found = periods.every(connection)
    return {"items": [period_shape(row) for row in found], "next_cursor": None}


PeriodId = Annotated[str, Path(max_length=10, description="a month such as 2026-09")]
_WHY = {"reason": "the books of September are done"}


@router.post("/periods/{id}/close", responses=_REFUSALS, openapi_extra=described(WhyIn, _WHY))
def post_close(request: Request, id: PeriodId, body: Annotated[WhyIn, Depends(body_of(WhyIn))]) -> Response:
    """Close a month: what becomes known of it later is booked in the next open one, and its report stays what it is."""
    who = by(request, body.reason)
    # Nothing may wait when the books are closed.
    rebook.catch_up(request.app.state.store, request.app.state.current.now)

    def story(connection: Connection) -> Shape:
        return period_shape(closing.close(connection, id, who, statement_digest(connection, id)))

    return written(request, body.model_dump(mode="json"), story)


@router.post("/periods/{id}/reopen", responses=_REFUSALS, openapi_extra=described(WhyIn, _WHY))
def post_reopen(request: Request, id: PeriodId, body: Annotated[WhyIn, Depends(body_of(WhyIn))]) -> Response:
    """Open the last closed month again."""
    who = by(request, body.reason)
    return written(
        request, body.model_dump(mode="json"), lambda connection: period_shape(closing.reopen(connection, id, who))
    )
