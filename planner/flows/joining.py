"""Who is who: what sources call a customer, which plan it was on, which plan a price means; kept with the reason."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from planner.core import revenue_bounds
from planner.core.errors import Conflict, InvalidInput, NotFound
from planner.flows.second import By
from planner.store import audit, customers, plans, work
from planner.store.customers import Assignment
from planner.store.engine import Connection
from planner.store.json_text import time_text


def put(connection: Connection, id_: str, name: str, ids: Sequence[tuple[str, str]], by: By) -> dict[str, Any]:
    """Write a customer and what sources call it, and let everything that names it be booked anew.

    Raises:
        InvalidInput: an id stands there twice.
        Conflict: an id means another customer.
    """
    if len(set(ids)) != len(ids):
        raise InvalidInput("external_ids", "an id stands there twice")
    for source, external in ids:
        other = customers.owner(connection, source, external)
        if other not in (None, id_):
            raise Conflict("external_id", external[:80], f"in {source[:80]} it means customer {other}")
    before = customers.find(connection, id_)
    had = [] if before is None else before["external_ids"]
    customers.put(connection, id_, name, by.at, by.actor)
    customers.set_ids(connection, id_, ids, by.at, by.actor)
    found = required(connection, id_)
    audit.record(
        connection, at=by.at, actor=by.actor, action="customer.put", subject=id_, reason=by.reason,
        before=None if before is None else _written(before), after=_written(found),
    )  # fmt: skip
    _book_anew(connection, id_, [*had, *ids], by.at)
    return found


def assign(connection: Connection, id_: str, said: Assignment, by: By) -> dict[str, Any]:
    """Put a customer on a plan for a span of time.

    Raises:
        NotFound: no such customer, or no such plan.
        InvalidInput: the span ends before it begins, or lies beyond any time that is booked.
    """
    before = required(connection, id_)
    if said.plan not in plans.load(connection):
        raise NotFound("plan", said.plan[:80])
    for name, moment in (("valid_from", said.valid_from), ("valid_to", said.valid_to)):
        if moment is not None and not revenue_bounds.inside(moment):
            further = "; left out, it is until further notice" if name == "valid_to" else ""
            raise InvalidInput(name, revenue_bounds.NEEDED + further)
    if said.valid_to is not None and said.valid_to <= said.valid_from:
        raise InvalidInput("valid_to", "later than valid_from is needed")
    customers.assign(connection, id_, said, by.at, by.actor)
    found = required(connection, id_)
    audit.record(
        connection, at=by.at, actor=by.actor, action="customer.assign", subject=id_, reason=by.reason,
        before=_written(before), after=_written(found),
    )  # fmt: skip
    _book_anew(connection, id_, found["external_ids"], by.at)
    return found


def map_price(connection: Connection, source: str, price: str, plan: str, by: By) -> None:
    """Say which plan a price of a source means.

    Raises:
        NotFound: no such plan.
    """
    if plan not in plans.load(connection):
        raise NotFound("plan", plan[:80])
    before = next((p for s, one, p in customers.prices(connection) if (s, one) == (source, price)), None)
    customers.set_price(connection, source, price, plan, by.at, by.actor)
    audit.record(
        connection, at=by.at, actor=by.actor, action="price_plan.put", subject=f"{source} {price}"[:400],
        reason=by.reason, before=None if before is None else {"plan": before}, after={"plan": plan},
    )  # fmt: skip
    work.add(connection, "revenue", {"prices": [[source, price]]}, by.at)


def required(connection: Connection, id_: str) -> dict[str, Any]:
    """Return a customer.

    Raises:
        NotFound: there is none of this id.
    """
    found = customers.find(connection, id_)
    if found is None:
        raise NotFound("customer", id_[:80])
    return found


def _book_anew(connection: Connection, id_: str, ids: Sequence[tuple[str, str]], at: datetime) -> None:
    named = sorted({(source, external) for source, external in ids})
    work.add(connection, "customer", {"ids": [[None, id_], *map(list, named)]}, at)
    work.add(connection, "revenue", {"ids": [[None, id_], *map(list, named)]}, at)


def _written(customer: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": customer["name"],
        "external_ids": [list(pair) for pair in customer["external_ids"]],
        "plans": [[one.plan, time_text(one.valid_from), time_text(one.valid_to)] for one in customer["plans"]],
    }
