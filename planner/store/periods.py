"""Accounting periods: which are closed, and where what belongs to a closed one is booked instead."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from planner.core.periods import following, period_of, slot_start
from planner.store.tables import ledger

_p = ledger.ledger_periods.c


def closed(connection: sa.Connection) -> dict[str, str]:
    """Return each closed period, and the first open one after it."""
    shut = set(connection.execute(sa.select(_p.period).where(_p.state == "closed")).scalars())
    found = {}
    for period in shut:
        later = following(period)
        while later in shut:
            later = following(later)
        found[period] = later
    return found


def closings(connection: sa.Connection) -> dict[str, datetime]:
    """Return when each closed period was closed."""
    query = sa.select(_p.period, _p.changed_at).where(_p.state == "closed")
    return {row.period: row.changed_at for row in connection.execute(query)}


def every(connection: sa.Connection) -> list[dict[str, Any]]:
    """Return the periods that were ever closed, and those that something is booked in, in time order."""
    stated = {row["period"]: dict(row) for row in connection.execute(sa.select(ledger.ledger_periods)).mappings()}
    # By rows, or by files that were rated in place.
    months = connection.execute(sa.select(ledger.usage_months.c.booked_slot).distinct()).scalars()
    booked = {period_of(slot_start(slot)) for slot in months}
    booked |= set(connection.execute(sa.select(ledger.revenue_lines.c.booked_in).distinct()).scalars())
    empty = {"state": "open", "changed_at": None, "changed_by": None, "reason": None, "report_digest": None}
    return [stated.get(period, {"period": period, **empty}) for period in sorted({*stated, *booked})]


def turn(
    connection: sa.Connection, period: str, state: str, at: datetime, by: str, reason: str, digest: str | None
) -> None:
    """Close or open a period."""
    values = {"state": state, "changed_at": at, "changed_by": by, "reason": reason, "report_digest": digest}
    done = connection.execute(sa.update(ledger.ledger_periods).where(_p.period == period).values(**values))
    if done.rowcount == 0:
        connection.execute(sa.insert(ledger.ledger_periods).values(period=period, **values))
