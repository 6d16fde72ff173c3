"""Who a stream's customer is, and what plan a customer was on: asked one by one, as they were said until now."""

from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from planner.store.tables import ledger


class Known(NamedTuple):
    """A customer: the id it is known by here, and whether anybody said so."""

    id: str
    matched: bool


class Joins:
    """Customers and their plans as they are on record in one transaction; each is read once."""

    def __init__(self, connection: sa.Connection) -> None:
        """Read nothing yet."""
        self._connection = connection
        self._customers: dict[tuple[str, str], Known] = {}
        self._plans: dict[str, list[tuple[str, datetime, datetime | None]]] = {}

    def customer(self, source: str, spelled: str | None) -> Known:
        """Return who is meant: by what was said of this stream's ids, else the customer of exactly this id.

        Nobody named is nobody in particular, and is no mistake.
        """
        if not spelled:
            return Known("", matched=True)
        key = source, spelled
        if key not in self._customers:
            self._customers[key] = self._find(source, spelled)
        return self._customers[key]

    def plan(self, customer: Known, at: datetime) -> str:
        """Return the plan a customer was on at a moment, or ""."""
        if not customer.matched or not customer.id:
            return ""
        if customer.id not in self._plans:
            p = ledger.customer_plans.c
            query = sa.select(p.plan_id, p.valid_from, p.valid_to).where(
                p.customer_id == customer.id, p.recorded_to.is_(None)
            )
            self._plans[customer.id] = [tuple(row) for row in self._connection.execute(query)]
        for plan, since, until in self._plans[customer.id]:
            if since <= at and (until is None or at < until):
                return plan
        return ""

    def _find(self, source: str, spelled: str) -> Known:
        i, c = ledger.customer_ids.c, ledger.customers.c
        said = self._connection.scalar(
            sa.select(i.customer_id).where(i.source == source, i.external_id == spelled, i.recorded_to.is_(None))
        )
        if said is not None:
            return Known(said, matched=True)
        own = self._connection.scalar(sa.select(c.id).where(c.id == spelled))
        return Known(spelled, matched=own is not None)
