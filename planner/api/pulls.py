"""Pulls over HTTP: how every report of a vendor is, and what became of each pull of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request

from planner.api.guard import GuardedRoute, now_of
from planner.api.pages import Cursor, Limit, cursor_of, read_cursor
from planner.api.problem import documented
from planner.api.shapes import Shape
from planner.flows.pull import Pulled, kept, reason
from planner.store import pulls
from planner.store.json_text import time_text

router = APIRouter(prefix="/v1", tags=["finance"], route_class=GuardedRoute, responses=documented())


def pull_shape(row: Mapping[str, Any]) -> Shape:
    """Write what became of one pull. ``through``: everything before it is known, without a hole."""
    code = row["error_code"]
    return {
        "id": row["id"],
        "vendor": row["vendor"],
        "report": row["report"],
        "from": time_text(row["since"]),
        "to": time_text(row["until"]),
        "through": time_text(row["through"]),
        "started_at": time_text(row["started_at"]),
        "finished_at": time_text(row["finished_at"]),
        "outcome": row["outcome"],
        "import": row["import_id"],
        "summary": row["summary"],
        "error": None if code is None else {"code": code, "detail": row["error_detail"]},
        "by": row["by"],
    }


def state_shape(found: Mapping[str, Any], at: datetime) -> Shape:
    """Write how a report is: its last attempt, the last that was done, and why the last one failed, if it did."""
    last, done = found["last"], found["done"]
    code = last["error_code"]
    return {
        "vendor": last["vendor"],
        "report": last["report"],
        "state": pulls.state(found, at),
        "last_attempt": time_text(last["started_at"]),
        "last_success": None if done is None else time_text(done["finished_at"]),
        "from": None if done is None else time_text(done["since"]),
        "to": None if done is None else time_text(done["until"]),
        "through": None if done is None else time_text(done["through"]),
        "rows": None if done is None else done["summary"].get("rows"),
        "error": None if code is None else {"code": code, "detail": last["error_detail"]},
    }


def pulled_shape(done: Pulled) -> Shape:
    """Write what a pull that was just made came to."""
    why = None if done.error is None else reason(done.error)
    found = {} if done.answer is None or done.summary is None else kept(done.answer, done.summary)
    return {
        "vendor": done.vendor,
        "report": done.report,
        "from": time_text(done.window.since),
        "to": time_text(done.window.until),
        "lost_from": time_text(done.window.lost_since),
        "through": time_text(done.through),
        "outcome": pulls.DONE if why is None else pulls.FAILED,
        "stream": None if done.summary is None else done.summary.source,
        "role": done.role,
        "import": None if done.summary is None else done.summary.import_id,
        "summary": found,
        "error": None if why is None else {"code": why[0], "detail": why[1]},
    }


@router.get("/pulls")
def get_pulls(request: Request, limit: Limit = 100, cursor: Cursor = None) -> dict[str, Any]:
    """List pulls of vendors' usage and costs, newest first; `reports` says how each report is by now."""
    place, present = read_cursor(cursor, r"[0-9]{1,18}"), now_of(request)
    with request.app.state.store.read() as connection:
        found = pulls.every(connection, limit + 1, None if place is None else int(place))
        states = pulls.states(connection)
    return {
        "reports": [state_shape(one, present) for one in states],
        "items": [pull_shape(row) for row in found[:limit]],
        "next_cursor": cursor_of(str(found[limit - 1]["id"])) if len(found) > limit else None,
    }
