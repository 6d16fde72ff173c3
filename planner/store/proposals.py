"""Changes that would let more through and wait for a second person."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from planner.core.errors import Conflict, NotFound
from planner.store import json_text
from planner.store.tables import proposals

WAITING, APPROVED, REJECTED, OUTDATED = "waiting", "approved", "rejected", "outdated"

Proposal = dict[str, Any]
"""One proposal: the columns of its row, with what was written as JSON read."""


def add(
    connection: sa.Connection, kind: str, subject: str, body: dict[str, Any], widens: list[str], basis: str, *,
    at: datetime, actor: str, reason: str,
) -> int:  # fmt: skip
    """Keep a change until a second person decides, and return its number."""
    made = sa.insert(proposals).values(
        kind=kind, subject=subject, body=json_text.dump(body), widens=json_text.dump(widens), basis=basis,
        state=WAITING, proposed_at=at, proposed_by=actor, reason=reason,
    )  # fmt: skip
    (number,) = connection.execute(made).inserted_primary_key or (0,)
    return int(number)


def one(connection: sa.Connection, id_: int) -> Proposal:
    """Return a proposal.

    Raises:
        NotFound: there is none of this number.
    """
    row = connection.execute(sa.select(proposals).where(proposals.c.id == id_)).mappings().first()
    if row is None:
        raise NotFound("proposal", str(id_))
    return _read(row)


def listed(connection: sa.Connection, state: str | None, *, after: int = 0, limit: int = 100) -> list[Proposal]:
    """Return proposals in their order, of one state or of all."""
    query = sa.select(proposals).where(proposals.c.id > after).order_by(proposals.c.id).limit(limit)
    if state is not None:
        query = query.where(proposals.c.state == state)
    return [_read(row) for row in connection.execute(query).mappings()]


def decide(connection: sa.Connection, id_: int, state: str, *, at: datetime, actor: str, decision: str) -> None:
    """Decide a proposal that waits, once.

    Raises:
        Conflict: somebody else decided it first.
    """
    change = sa.update(proposals).where(proposals.c.id == id_, proposals.c.state == WAITING)
    done = connection.execute(change.values(state=state, decided_at=at, decided_by=actor, decision=decision))
    if not done.rowcount:
        raise Conflict("proposal", str(id_), "it was decided before")


def _read(row: Any) -> Proposal:  # noqa: ANN401  # SQLAlchemy's mapping of a row
    return {**row, "body": json_text.load(row["body"]), "widens": json_text.load(row["widens"])}
