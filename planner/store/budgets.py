"""Budgets as rows: set with a person and a first month, ended, never edited."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

import sqlalchemy as sa

from planner.core.budget import Budget
from planner.core.money import plain
from planner.store import json_text
from planner.store.known import known
from planner.store.tables import budgets

_b = budgets.c


def live(connection: sa.Connection) -> list[Budget]:
    """Return what is on record of every plan: what held, what holds and what is to hold."""
    query = sa.select(budgets).where(known(budgets, None)).order_by(_b.id)
    return [
        Budget(
            id=row.id, plan=row.plan_id, from_month=row.from_month, amount_usd=Decimal(row.amount_usd or 0),
            thresholds=tuple(json_text.load(row.thresholds)), recorded_from=row.recorded_from,
            recorded_by=row.recorded_by,
        )
        for row in connection.execute(query)
    ]  # fmt: skip


def add(
    connection: sa.Connection, plan: str | None, from_month: str, amount_usd: Decimal, thresholds: Iterable[int], *,
    at: datetime, actor: str,
) -> None:  # fmt: skip
    """Record a budget; an amount of 0 says that from that month on there is none."""
    values = {
        "plan_id": plan,
        "from_month": from_month,
        "amount_usd": plain(amount_usd) if amount_usd else None,
        "thresholds": json_text.dump(list(thresholds)),
        "recorded_from": at,
        "recorded_by": actor,
    }
    connection.execute(sa.insert(budgets).values(values))


def close(connection: sa.Connection, ids: Iterable[int], at: datetime) -> None:
    """Take rows off the record; what was believed until then stays readable."""
    connection.execute(sa.update(budgets).where(_b.id.in_(list(ids))).values(recorded_to=at))
