"""An accounting period is closed: what becomes known of it later is booked in the next open one; and opened again."""

from typing import Any

from planner.core.errors import Conflict
from planner.core.periods import period_bounds
from planner.flows.rebook import behind
from planner.flows.second import By
from planner.store import audit, periods
from planner.store.engine import Connection


def close(connection: Connection, period: str, by: By, digest: str) -> dict[str, Any]:
    """Close a period.

    Args:
        connection: an open write transaction.
        period: a month such as ``2026-09``.
        by: who closes it, and why.
        digest: of its margin report as it is now, so that anybody can prove later that it is the same.

    Raises:
        InvalidInput: it is no month.
        Conflict: it is not over, closed already, an earlier one is open, or something still waits to be booked.
    """
    _start, end = period_bounds(period)
    known = periods.every(connection)
    if end > by.at:
        raise Conflict("period", period, "it is not over")
    if any(one["period"] == period and one["state"] == "closed" for one in known):
        raise Conflict("period", period, "it is closed")
    earlier = next((one["period"] for one in known if one["period"] < period and one["state"] == "open"), None)
    if earlier is not None:
        raise Conflict("period", period, f"{earlier} is still open, and goes first")
    if behind(connection):
        raise Conflict("period", period, "something still waits to be booked; ask again in a minute")
    periods.turn(connection, period, "closed", by.at, by.actor, by.reason, digest)
    return _told(connection, period, by, "period.close", {"state": "closed", "report_digest": digest})


def reopen(connection: Connection, period: str, by: By) -> dict[str, Any]:
    """Open a period again; only the last closed one, so that books are always closed up to one month.

    Raises:
        InvalidInput: it is no month.
        Conflict: it is not closed, or a later one is.
    """
    period_bounds(period)
    shut = sorted(one["period"] for one in periods.every(connection) if one["state"] == "closed")
    if period not in shut:
        raise Conflict("period", period, "it is not closed")
    if shut[-1] != period:
        raise Conflict("period", period, f"{shut[-1]} is closed too, and goes first")
    periods.turn(connection, period, "open", by.at, by.actor, by.reason, None)
    return _told(connection, period, by, "period.reopen", {"state": "open"})


def _told(connection: Connection, period: str, by: By, action: str, after: dict[str, Any]) -> dict[str, Any]:
    before = {"state": "open" if action == "period.close" else "closed"}
    audit.record(
        connection, at=by.at, actor=by.actor, action=action, subject=period, before=before, after=after,
        reason=by.reason,
    )  # fmt: skip
    found = next(one for one in periods.every(connection) if one["period"] == period)
    return dict(found)
