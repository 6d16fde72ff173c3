"""Budgets as rows: set by a person from a month on, taken off the record, never edited."""

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
    """Return what is on record of every plan: what held, what holds and what is to hold, in time order."""
    query = sa.select(budgets).where(known(budgets, None)).order_by(_b.from_month, _b.id)
    return [
        Budget(
            plan=row.plan_id,
            from_month=row.from_month,
            amount_usd=None if row.amount_usd is None else Decimal(row.amount_usd),
            thresholds_percent=tuple(json_text.load(row.thresholds)),
            recorded_from=row.recorded_from,
            recorded_by=row.recorded_by,
        )
        for row in connection.execute(query)
    ]


def add(connection: sa.Connection, budget: Budget) -> None:
    """Put a budget on record."""
    values = {
        "plan_id": budget.plan,
        "from_month": budget.from_month,
        "amount_usd": None if budget.amount_usd is None else plain(budget.amount_usd),
        "thresholds": json_text.dump(list(budget.thresholds_percent)),
        "recorded_from": budget.recorded_from,
        "recorded_by": budget.recorded_by,
    }
    connection.execute(sa.insert(budgets).values(values))


def close(connection: sa.Connection, plan: str | None, from_months: Iterable[str], at: datetime) -> None:
    """Take those of a plan that begin in some months off the record; what was on it until then stays readable."""
    mine = known(budgets, None), _b.plan_id == plan, _b.from_month.in_(list(from_months))
    connection.execute(sa.update(budgets).where(*mine).values(recorded_to=at))
