"""What customers have used up of their plans, period by period, as last reported."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

import sqlalchemy as sa

from planner.core.errors import Conflict, InvalidInput
from planner.core.money import plain
from planner.store.tables import customer_spends


class Spend(NamedTuple):
    """What a customer has used up in one period of a plan, from its start (inclusive) to its end (exclusive)."""

    customer: str
    plan: str
    period_start: datetime
    period_end: datetime
    spent_usd: Decimal
    reported_at: datetime


def report(connection: sa.Connection, said: Spend, by: str) -> Spend:
    """Keep a total, and return the one that counts: that of the newest report, the larger of two of one moment.

    Raises:
        InvalidInput: the period ends before it begins.
        Conflict: it overlaps another period of the customer.
    """
    if said.period_end <= said.period_start:
        raise InvalidInput("period_end", "later than period_start is needed")
    c = customer_spends.c
    own = c.customer_id == said.customer, c.plan_id == said.plan
    over = sa.select(c.period_start).where(
        *own, c.period_start < said.period_end, c.period_end > said.period_start, c.period_start != said.period_start
    )
    other = connection.scalar(over.limit(1))
    if other is not None:
        raise Conflict("period", said.customer[:80], f"it overlaps the one that begins {other.isoformat()}")
    place = (*own, c.period_start == said.period_start)
    # The lock comes first: who reports at the same time waits, and then sees what this one said.
    found = connection.execute(sa.select(customer_spends).where(*place).with_for_update()).first()
    if found is not None:
        kept = _spend(found)
        if (kept.reported_at, kept.spent_usd) >= (said.reported_at, said.spent_usd):
            return kept
    values = {
        "period_end": said.period_end, "spent_usd": plain(said.spent_usd), "reported_at": said.reported_at,
        "reported_by": by,
    }  # fmt: skip
    if found is None:
        keys = {"customer_id": said.customer, "plan_id": said.plan, "period_start": said.period_start}
        connection.execute(sa.insert(customer_spends).values(**keys, **values))
    else:
        connection.execute(sa.update(customer_spends).where(*place).values(**values))
    return said


def current(connection: sa.Connection, customer: str, at: datetime, plan: str | None = None) -> list[Spend]:
    """Return what a customer has used up in the periods that a moment lies in, by plan."""
    c = customer_spends.c
    query = sa.select(customer_spends).where(c.customer_id == customer, c.period_start <= at, c.period_end > at)
    if plan is not None:
        query = query.where(c.plan_id == plan)
    return [_spend(row) for row in connection.execute(query.order_by(c.plan_id))]


def _spend(row: sa.Row[tuple[object, ...]]) -> Spend:
    return Spend(
        row.customer_id, row.plan_id, row.period_start, row.period_end, Decimal(row.spent_usd), row.reported_at
    )
