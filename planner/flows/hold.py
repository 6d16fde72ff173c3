"""A person decides about a price that waits: it is published as of the day it was heard, or never believed."""

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
    """Approve, reject or reopen one hold, in the transaction it is given, and return it as it stands then.

    An approved price is published from the moment it was first heard. A rejected one leaves the record, and the age
    of what it says, as it is; the same price is not asked about again, unless somebody reopens it. Approving a whole
    feed lets its next reading through, once, within a day.

    Raises:
        NotFound: there is no such hold.
        Conflict: it was decided already, or the source says something else by now.
    """
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
    # Whoever looked at it before has not seen this decision.
    bump(connection, policy=True)
    if offer is None and verb == APPROVE:
        status.close_circuit(connection, before["source"])
    if offer is not None and verb != REOPEN:
        reconsider(connection, [offer], at=at, actor=actor, reason=f"hold {id_} {_STATES[verb]}", bounds=bounds)
        plans.review(connection, at)
    return holds.one(connection, id_)


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
