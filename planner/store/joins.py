"""Who a stream's customer is, and what plan a customer was on, as was said until now."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import NamedTuple

import sqlalchemy as sa

from planner.store.recall import BATCH
from planner.store.tables import ledger

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
        self._planless: set[str] = set()

    def expect(self, named: Iterable[tuple[str, str]]) -> None:
        """Read together who these are: (stream, how it spells a customer). One by one takes far longer."""
        wanted = set(named) - self._customers.keys()
        sources, spellings = {source for source, _spelled in wanted}, sorted({spelled for _source, spelled in wanted})
        i, c = ledger.customer_ids.c, ledger.customers.c
        said: dict[tuple[str, str], str] = {}
        own: set[str] = set()
        for start in range(0, len(spellings), BATCH):
            some = spellings[start : start + BATCH]
            query = sa.select(i.source, i.external_id, i.customer_id).where(
                i.source.in_(sources), i.external_id.in_(some), i.recorded_to.is_(None)
            )
            said |= {(source, spelled): id_ for source, spelled, id_ in self._connection.execute(query)}
            own |= set(self._connection.execute(sa.select(c.id).where(c.id.in_(some))).scalars())
        for key in wanted:
            id_ = said.get(key)
            known = Known(key[1], key[1] in own) if id_ is None else Known(id_, matched=True)
            self._customers[key] = known
            if known.matched and known.id not in self._plans:
                self._planless.add(known.id)

    def customer(self, source: str, spelled: str | None) -> Known:
        """Return who is meant: by what was said of this stream's ids, else the customer of exactly this id.

        Nobody named is nobody in particular, and is no mistake.
        """
        if not spelled:
            return Known("", matched=True)
        key = source, spelled
        if key not in self._customers:
            self.expect([key])
        return self._customers[key]

    def plan(self, customer: Known, at: datetime) -> str:
        """Return the plan a customer was on at a moment, or ""."""
        if not customer.matched or not customer.id:
            return ""
        if customer.id not in self._plans:
            self._read_plans({*self._planless, customer.id})
            self._planless.clear()
        for plan, since, until in self._plans[customer.id]:
            if since <= at and (until is None or at < until):
                return plan
        return ""

    def spells(self, customer: Known) -> Iterator[tuple[datetime | None, datetime | None, str]]:
        """Yield all of time, cut wherever a customer changed its plan, with the plan it was on, or ""."""
        self.plan(customer, _EPOCH)
        dated = self._plans.get(customer.id, [])
        edges = {moment for _plan, *bounds in dated for moment in bounds if moment is not None}
        for since, until in pairwise([None, *sorted(edges), None]):
            yield since, until, "" if since is None else self.plan(customer, since)

    def _read_plans(self, customers: set[str]) -> None:
        """Read the plans of everybody who was seen since the last time."""
        p, ids = ledger.customer_plans.c, sorted(customers)
        self._plans |= {id_: [] for id_ in ids}
        for start in range(0, len(ids), BATCH):
            query = sa.select(p.customer_id, p.plan_id, p.valid_from, p.valid_to).where(
                p.customer_id.in_(ids[start : start + BATCH]), p.recorded_to.is_(None)
            )
            for id_, *spell in self._connection.execute(query):
                self._plans[id_].append(tuple(spell))
