"""What each stored plan and task was last told."""

from collections.abc import Mapping
from typing import NamedTuple

import sqlalchemy as sa

from planner.store.tables import offers, plan_states


class PlanState(NamedTuple):
    """One answer in short: ``verdict`` is ``answered`` or a refusal's code; amounts per request in USD, as text."""

    verdict: str
    offer: str | None = None
    cost_usd: str | None = None
    margin: str | None = None


Key = tuple[str, str]
"""(plan, task)."""


def load(connection: sa.Connection) -> dict[Key, PlanState]:
    """Return what every plan and task was told last."""
    rows = connection.execute(sa.select(plan_states))
    return {(row.plan_id, row.task_id): PlanState(row.verdict, row.offer_id, row.cost_usd, row.margin) for row in rows}


def save(connection: sa.Connection, states: Mapping[Key, PlanState], revision: int, plan: str | None = None) -> None:
    """Remember what every plan and task is told at a revision, or every task of one plan."""
    connection.execute(sa.delete(plan_states).where(sa.true() if plan is None else plan_states.c.plan_id == plan))
    rows = [
        {
            "plan_id": plan, "task_id": task, "revision": revision, "verdict": state.verdict, "offer_id": state.offer,
            "cost_usd": state.cost_usd, "margin": state.margin,
        }
        for (plan, task), state in states.items()
    ]  # fmt: skip
    if rows:
        connection.execute(sa.insert(plan_states), rows)


class Told(NamedTuple):
    """Whom a plan and task was last told to use: the offer, and the provider and channel that see its prompts."""

    plan: str
    task: str
    offer: str
    provider: str
    channel: str


def told(connection: sa.Connection) -> list[Told]:
    """Return the recommendations that stand, by plan and task."""
    query = sa.select(
        plan_states.c.plan_id, plan_states.c.task_id, offers.c.id, offers.c.provider_id, offers.c.channel_id
    ).join(offers, offers.c.id == plan_states.c.offer_id)
    return [Told(*row) for row in connection.execute(query.order_by(plan_states.c.plan_id, plan_states.c.task_id))]
