"""Every pull of a vendor's report: what was asked for, what came of it, and how far everything is known by now."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from planner.store import alerts, json_text
from planner.store.tables import alerts as told_alerts
from planner.store.tables import pulls

DONE, FAILED = "done", "failed"
STALE = "pull_stale"
"""The alert that tells of a report that could not be pulled for long."""
STALE_AFTER = timedelta(days=2)

_p = pulls.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """One pull of one report. ``error`` None: it was done, and ``through`` is how far everything is known after it."""

    vendor: str
    report: str
    since: datetime
    until: datetime
    started_at: datetime
    through: datetime | None
    import_id: int | None
    summary: Mapping[str, Any]
    error: tuple[str, str] | None
    by: str


def through(connection: sa.Connection, vendor: str, report: str) -> datetime | None:
    """Return until when a report was pulled without a hole; None where it never was."""
    query = sa.select(_p.through).where(_p.vendor == vendor, _p.report == report, _p.outcome == DONE)
    found: datetime | None = connection.scalar(query.order_by(_p.id.desc()).limit(1))
    return found


def note(connection: sa.Connection, pull: Pull, at: datetime) -> int:
    """Write what became of a pull, and return its number."""
    number: int = (connection.scalar(sa.select(sa.func.max(_p.id))) or 0) + 1
    code, detail = pull.error or (None, None)
    connection.execute(
        sa.insert(pulls).values(
            id=number, vendor=pull.vendor, report=pull.report, since=pull.since, until=pull.until,
            through=pull.through, started_at=pull.started_at, finished_at=at, outcome=FAILED if code else DONE,
            import_id=pull.import_id, summary=json_text.dump(dict(pull.summary)), error_code=code, error_detail=detail,
            by=pull.by,
        )
    )  # fmt: skip
    return number


def every(connection: sa.Connection, limit: int, before: int | None = None) -> list[dict[str, Any]]:
    """Return pulls, newest first."""
    query = sa.select(pulls).order_by(_p.id.desc()).limit(limit)
    if before is not None:
        query = query.where(_p.id < before)
    return [_row(row) for row in connection.execute(query).mappings()]


def states(connection: sa.Connection) -> list[dict[str, Any]]:
    """Return for every report that was ever pulled its last attempt, and the last that was done, if any was."""
    by = _p.vendor, _p.report
    newest = sa.func.max(_p.id).label("last"), sa.func.max(sa.case((_p.outcome == DONE, _p.id))).label("done")
    first = sa.func.min(_p.started_at).label("first")
    found = connection.execute(sa.select(*by, *newest, first).group_by(*by).order_by(*by)).all()
    numbers = {number for row in found for number in (row.last, row.done) if number is not None}
    rows = {row["id"]: _row(row) for row in connection.execute(sa.select(pulls).where(_p.id.in_(numbers))).mappings()}
    return [{"last": rows[row.last], "done": rows.get(row.done), "first_at": row.first} for row in found]


def state(found: Mapping[str, Any], at: datetime) -> str:
    """Say in a word how a report is: fresh, failing, or stale where nothing came for long."""
    since = found["first_at"] if found["done"] is None else found["done"]["finished_at"]
    if at - since > STALE_AFTER:
        return "stale"
    return "failing" if found["last"]["outcome"] == FAILED else "fresh"


def remind(connection: sa.Connection, at: datetime) -> int:
    """Write an alert for each report that is asked for and fails for long, once each time; return how many."""
    count = 0
    for found in states(connection):
        last, done = found["last"], found["done"]
        if last["outcome"] != FAILED or state(found, at) != "stale":
            continue
        subject, a = f"{last['vendor']} {last['report']}", told_alerts.c
        since = found["first_at"] if done is None else done["finished_at"]
        told = sa.select(a.id).where(a.kind == STALE, a.subject == subject, a.at > since).limit(1)
        if connection.execute(told).first() is None:
            reached = None if done is None else json_text.time_text(done["through"])
            alerts.add(connection, at, STALE, subject, {"error": last["error_code"], "through": reached}, None)
            count += 1
    return count


def _row(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {**row, "summary": json_text.load(row["summary"])}
