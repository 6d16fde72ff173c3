"""A person decides about a price that waits: it is published as of the day it was heard, or never believed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from planner.core.doubt import Bounds
from planner.flows import plans
from planner.store import audit, holds, status
from planner.store.engine import Connection, Store
from planner.store.publish import reconsider
from planner.store.revision import bump

APPROVE, REJECT, REOPEN = "approve", "reject", "reopen"
_STATES = {APPROVE: holds.APPROVED, REJECT: holds.REJECTED, REOPEN: holds.WAITING}


def decide(
    connection: Connection, id_: int, verb: str, *, at: datetime, actor: str, reason: str, bounds: Bounds
) -> dict[str, Any]:
    """Approve, reject or reopen one hold, as `decide_all` does."""
    (row,) = decide_all(connection, [id_], verb, at=at, actor=actor, reason=reason, bounds=bounds)
    return row


def decide_all(
    connection: Connection, ids: Sequence[int], verb: str, *, at: datetime, actor: str, reason: str, bounds: Bounds
) -> list[dict[str, Any]]:
    """Approve, reject or reopen holds, all or none and at once, and return them as they stand then.

    An approved price is published from the moment it was first heard. A rejected one leaves the record, and the age
    of what it says, as it is; the same price is not asked about again, unless somebody reopens it. Approving a whole
    feed lets its next reading through, once, within a day.

    Raises:
        NotFound: there is no such hold.
        Conflict: one was decided already, or its source says something else by now.
    """
    numbers = list(dict.fromkeys(ids))
    offers = [_decide(connection, id_, verb, at=at, actor=actor, reason=reason) for id_ in numbers]
    # Whoever looked at it before has not seen this decision.
    bump(connection, policy=True)
    prices = [offer for offer in dict.fromkeys(offers) if offer is not None]
    if prices and verb != REOPEN:
        which = f"hold {numbers[0]}" if len(numbers) == 1 else f"{len(numbers)} holds from {numbers[0]} on"
        reconsider(connection, prices, at=at, actor=actor, reason=f"{which} {_STATES[verb]}", bounds=bounds)
        plans.review(connection, at)
    return [holds.one(connection, id_) for id_ in numbers]


def _decide(connection: Connection, id_: int, verb: str, *, at: datetime, actor: str, reason: str) -> str | None:
    """Write one decision, and return the offer it is about (None: a list)."""
    before = holds.one(connection, id_)
    if verb == REOPEN:
        offer = holds.reopen(connection, id_, at=at)
    else:
        offer = holds.decide(connection, id_, _STATES[verb], at=at, actor=actor, reason=reason)
    audit.record(
        connection, at=at, actor=actor, action=f"hold.{verb}", subject=f"hold {id_}", reason=reason,
        before={"state": before["state"], "reasons": before["reasons"], "diff": before["diff"]},
        after={"state": _STATES[verb], "offer": offer, "source": before["source"]},
    )  # fmt: skip
    if offer is None and verb == APPROVE:
        status.close_circuit(connection, before["source"])
    return offer


def queue(
    store: Store, *, state: str | None = None, source: str | None = None, after: int = 0, limit: int = 100
) -> list[dict[str, Any]]:
    """Return holds in the order in which they were opened."""
    with store.read() as connection:
        return holds.listed(connection, state=state, source=source, after=after, limit=limit)


def one(store: Store, id_: int) -> dict[str, Any]:
    """Return one hold.

    Raises:
        NotFound: there is no such hold.
    """
    with store.read() as connection:
        return holds.one(connection, id_)
