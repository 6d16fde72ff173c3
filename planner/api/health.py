"""Is planner alive, is it ready, and how old is what it knows."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from planner.api.guard import GuardedRoute, now_of, view_of
from planner.api.operations import job_shape, source_shape
from planner.api.problem import documented
from planner.api.shapes import standing_shape
from planner.flows import status, turn
from planner.flows.current import Current

router = APIRouter(tags=["status"], route_class=GuardedRoute)


@router.get("/live")
async def get_live() -> dict[str, str]:
    """Answer that the process runs; nothing else is asked."""
    return {"status": "live"}


@router.get("/ready", responses=documented())
async def get_ready(request: Request) -> dict[str, Any]:
    """Answer that a confirmed revision is held, or 503."""
    current: Current = request.app.state.current
    view = await run_in_threadpool(current.view)
    return {"status": "ready", "revision": view.catalogue.revision}


@router.get("/v1/status", responses=documented())
def get_status(request: Request) -> dict[str, Any]:
    """Return the revision, and per source its last attempt, success and change, its counts, age and last failure."""
    view, now = view_of(request), now_of(request)
    store = request.app.state.store
    return {
        **standing_shape(view, now),
        "sources": [source_shape(row, now) for row in status.sources(store, request.app.state.enabled)],
        "jobs": [job_shape(row) for row in turn.jobs(store)],
    }
