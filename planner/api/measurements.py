"""What was measured of an offer, newest first, each beside what the feed claimed at the time."""

from fractions import Fraction
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from planner.api.figures import least, ratio, usd
from planner.api.guard import ReadRoute, known_view
from planner.api.pages import Cursor, Limit, cursor_of, read_cursor
from planner.api.problem import documented
from planner.api.shapes import Shape, standing_shape
from planner.core import errors
from planner.core.measurement import Comparison
from planner.core.measurement_form import TOKENS
from planner.core.money import ratio_text, usd_text
from planner.flows import answer as flow
from planner.store import measurements
from planner.store.json_text import time_text
from planner.store.measurements import Kept

router = APIRouter(prefix="/v1", tags=["catalogue"], route_class=ReadRoute)

_REFUSALS = documented(errors.NotFound)
_OfferId = Annotated[str, Query(min_length=1, max_length=400, description="the exact id of an offer")]
_HALF, _MOST = Fraction(1, 2), Fraction(95, 100)
_SPEED_PLACES, _SHARE_PLACES = 2, 4


@router.get("/offers/measurements", responses=_REFUSALS)
def get_measurements_by_query(
    request: Request, id: _OfferId, limit: Limit = 100, cursor: Cursor = None
) -> dict[str, Any]:
    """Return what was measured of an offer named by ``?id=``."""
    return _measurements(request, id, limit, cursor)


@router.get("/offers/{id:path}/measurements", responses=_REFUSALS)
def get_measurements(request: Request, id: str, limit: Limit = 100, cursor: Cursor = None) -> dict[str, Any]:
    """Return what was measured of an offer, newest first, each compared with what the feed claimed at the time."""
    return _measurements(request, id, limit, cursor)


def _measurements(request: Request, offer: str, limit: int, cursor: str | None) -> dict[str, Any]:
    view, now = known_view(request, None)
    flow.known_offer(view.catalogue, offer)
    place = read_cursor(cursor, r"[0-9]{1,18}")
    with request.app.state.store.read() as connection:
        found = measurements.newest(connection, offer, None if place is None else int(place), limit + 1)
    return {
        "offer": offer,
        "items": [measurement_shape(kept) for kept in found[:limit]],
        "next_cursor": cursor_of(str(found[limit - 1].id)) if len(found) > limit else None,
        **standing_shape(view, now),
    }


def measurement_shape(kept: Kept) -> Shape:
    """Write a measurement: its figures, the bill beside what was expected, and what was claimed beside both."""
    made = kept.measurement
    share, upper = made.failure_share, made.failure_share_max
    speed, listed, stated = made.throughput_tps(_HALF), made.list_usd, made.stated_usd
    return {
        "id": kept.id,
        "offer": made.offer,
        "measured_at": time_text(made.measured_at),
        "measured_by": kept.by,
        "counts_until": time_text(made.until),
        "prompts": made.prompts,
        "plan": made.plan,
        "task": made.task,
        "attempts": len(made.counted),
        "failures": made.failures,
        "errors": dict(sorted(made.errors.items())),
        "failure_share": ratio(share),
        "failure_share_max": least(upper, _SHARE_PLACES),
        "ttft_ms_p50": made.ttft_ms(_HALF),
        "ttft_ms_p95": made.ttft_ms(_MOST),
        "throughput_tps_p50": None if speed is None else ratio_text(speed, _SPEED_PLACES),
        "billed_attempts": len(made.billed),
        "billed": {name: made.billed_tokens(name) for name in TOKENS},
        "expected": {
            "input_tokens": sum(attempt.expected_input_tokens for attempt in made.billed),
            "output_tokens": sum(attempt.expected_output_tokens for attempt in made.billed),
        },
        "list_cost_usd": usd(listed),
        "stated_cost_usd": usd(stated),
        "price_version": made.claimed.price_version,
        "comparisons": [_comparison_shape(comparison) for comparison in made.comparisons()],
    }


def _comparison_shape(found: Comparison) -> Shape:
    write = usd_text if found.figure == "cost_usd" else ratio_text
    return {
        "figure": found.figure,
        "claimed": write(found.claimed),
        "measured": write(found.measured),
        "ratio": ratio(found.ratio),
        "factor": ratio_text(found.factor),
        "verdict": found.verdict,
    }
