"""Customers: their ids in every source, the plans they were on, the prices that mean a plan, and who nobody knows."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from planner.core.posting import MILLI
from planner.store.tables import ledger

_c, _i, _p, _m = ledger.customers.c, ledger.customer_ids.c, ledger.customer_plans.c, ledger.price_plans.c


class Assignment(NamedTuple):
    """A plan a customer is on, from ``valid_from`` on until before ``valid_to``; None: until further notice."""

    plan: str
    valid_from: datetime
    valid_to: datetime | None


def find(connection: sa.Connection, id_: str) -> dict[str, Any] | None:
    """Return a customer with its ids and plans, or None."""
    row = connection.execute(sa.select(ledger.customers).where(_c.id == id_)).mappings().first()
    if row is None:
        return None
    return {**row, "external_ids": ids_of(connection, id_), "plans": plans_of(connection, id_)}


def every(connection: sa.Connection, after: str, limit: int) -> list[dict[str, Any]]:
    """Return customers by id, from after one on."""
    query = sa.select(_c.id).where(_c.id > after).order_by(_c.id).limit(limit)
    found = (find(connection, id_) for id_ in connection.execute(query).scalars().all())
    return [customer for customer in found if customer is not None]


def ids_of(connection: sa.Connection, id_: str) -> list[tuple[str, str]]:
    """Return what sources call a customer: (source, id there)."""
    query = sa.select(_i.source, _i.external_id).where(_i.customer_id == id_, _i.recorded_to.is_(None))
    return [(row.source, row.external_id) for row in connection.execute(query.order_by(_i.source, _i.external_id))]


def plans_of(connection: sa.Connection, id_: str) -> list[Assignment]:
    """Return the plans a customer was, is and will be on, in time order."""
    query = sa.select(_p.plan_id, _p.valid_from, _p.valid_to).where(_p.customer_id == id_, _p.recorded_to.is_(None))
    return [Assignment(*row) for row in connection.execute(query.order_by(_p.valid_from))]


def on_plan(connection: sa.Connection, plan: str) -> dict[str, list[tuple[datetime, datetime | None]]]:
    """Return who was ever on a plan by what was said, each with the spans of it in time order."""
    query = sa.select(_p.customer_id, _p.valid_from, _p.valid_to).where(_p.plan_id == plan, _p.recorded_to.is_(None))
    found: dict[str, list[tuple[datetime, datetime | None]]] = {}
    for customer, valid_from, valid_to in connection.execute(query.order_by(_p.customer_id, _p.valid_from)):
        found.setdefault(customer, []).append((valid_from, valid_to))
    return found


def assigned(connection: sa.Connection) -> list[str]:
    """Return the customers that were ever on a plan."""
    query = sa.select(_p.customer_id).where(_p.recorded_to.is_(None)).distinct().order_by(_p.customer_id)
    return list(connection.execute(query).scalars())


def put(connection: sa.Connection, id_: str, name: str, at: datetime, by: str) -> None:
    """Write a customer."""
    done = connection.execute(sa.update(ledger.customers).where(_c.id == id_).values(name=name))
    if done.rowcount == 0:
        connection.execute(sa.insert(ledger.customers).values(id=id_, name=name, recorded_at=at, recorded_by=by))


def owner(connection: sa.Connection, source: str, external_id: str) -> str | None:
    """Return the customer that a source's id means by what was said."""
    query = sa.select(_i.customer_id).where(
        _i.source == source, _i.external_id == external_id, _i.recorded_to.is_(None)
    )
    found: str | None = connection.scalar(query)
    return found


def set_ids(connection: sa.Connection, id_: str, ids: Sequence[tuple[str, str]], at: datetime, by: str) -> None:
    """Say what sources call a customer; what was said before and is not said now ends."""
    had = set(ids_of(connection, id_))
    for source, external in had - set(ids):
        gone = _i.source == source, _i.external_id == external, _i.recorded_to.is_(None)
        connection.execute(sa.update(ledger.customer_ids).where(*gone).values(recorded_to=at))
    fresh = [
        {"source": source, "external_id": external, "customer_id": id_, "recorded_from": at, "recorded_by": by}
        for source, external in ids
        if (source, external) not in had
    ]
    if fresh:
        connection.execute(sa.insert(ledger.customer_ids), fresh)


def assign(connection: sa.Connection, id_: str, said: Assignment, at: datetime, by: str) -> None:
    """Put a customer on a plan for a span; what was said of a part of it before ends for that part."""
    for row in connection.execute(
        sa.select(ledger.customer_plans).where(_p.customer_id == id_, _p.recorded_to.is_(None))
    ).all():
        ends_before = row.valid_to is not None and row.valid_to <= said.valid_from
        begins_after = said.valid_to is not None and row.valid_from >= said.valid_to
        if ends_before or begins_after:
            continue
        connection.execute(sa.update(ledger.customer_plans).where(_p.id == row.id).values(recorded_to=at))
        if row.valid_from < said.valid_from:
            _insert(connection, id_, Assignment(row.plan_id, row.valid_from, said.valid_from), at, by)
        if said.valid_to is not None and (row.valid_to is None or row.valid_to > said.valid_to):
            _insert(connection, id_, Assignment(row.plan_id, said.valid_to, row.valid_to), at, by)
    _insert(connection, id_, said, at, by)


def _insert(connection: sa.Connection, id_: str, said: Assignment, at: datetime, by: str) -> None:
    connection.execute(
        sa.insert(ledger.customer_plans).values(
            customer_id=id_, plan_id=said.plan, valid_from=said.valid_from, valid_to=said.valid_to, recorded_from=at,
            recorded_by=by,
        )
    )  # fmt: skip


def prices(connection: sa.Connection) -> list[tuple[str, str, str]]:
    """Return which plan each price of a source means: (source, price, plan)."""
    query = sa.select(_m.source, _m.price_id, _m.plan_id).where(_m.recorded_to.is_(None))
    return [tuple(row) for row in connection.execute(query.order_by(_m.source, _m.price_id))]


def set_price(connection: sa.Connection, source: str, price: str, plan: str, at: datetime, by: str) -> None:
    """Say which plan a price of a source means."""
    place = _m.source == source, _m.price_id == price, _m.recorded_to.is_(None)
    connection.execute(sa.update(ledger.price_plans).where(*place).values(recorded_to=at))
    connection.execute(
        sa.insert(ledger.price_plans).values(
            source=source, price_id=price, plan_id=plan, recorded_from=at, recorded_by=by
        )
    )


class Stranger(NamedTuple):
    """An id that nobody said the customer of: where it was seen, and what hangs on it in 1e-12 USD."""

    source: str
    external_id: str
    cost_pico: int
    revenue_pico: int
    rows: int

    @property
    def weight(self) -> int:
        """The dollars that hang on it."""
        return self.cost_pico + self.revenue_pico


def strangers(connection: sa.Connection) -> list[Stranger]:
    """Return the ids that nobody said the customer of, the one most dollars hang on first."""
    d, f, r = ledger.usage_dims.c, ledger.usage_facts.c, ledger.revenue_lines.c
    costs = (
        sa.select(d.source, d.customer, sa.func.sum(f.rows), sa.func.sum(f.cost_milli), sa.func.sum(f.cost_pico))
        .join(ledger.usage_facts, f.dim == d.id)
        .where(d.matched.is_(False))
        .group_by(d.source, d.customer)
    )
    found: dict[tuple[str, str], Stranger] = {}
    for source, external, rows, milli, pico in connection.execute(costs):
        found[source, external] = Stranger(source, external, int(milli) * MILLI + int(pico), 0, int(rows))
    paid = (
        sa.select(r.source, r.customer, sa.func.count(), sa.func.sum(r.revenue_milli), sa.func.sum(r.revenue_pico))
        .where(r.matched.is_(False), r.reverses.is_(None), r.reversed_at.is_(None))
        .group_by(r.source, r.customer)
    )
    for source, external, rows, milli, pico in connection.execute(paid):
        had = found.get((source, external), Stranger(source, external, 0, 0, 0))
        revenue = int(milli) * MILLI + int(pico)
        found[source, external] = had._replace(revenue_pico=revenue, rows=had.rows + int(rows))
    kept = (stranger for stranger in found.values() if stranger.rows)
    return sorted(kept, key=lambda one: (-one.weight, one.source, one.external_id))
