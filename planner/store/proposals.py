"""Changes that would let more through and wait for a second person."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from planner.core.errors import Conflict, NotFound
from planner.store import json_text
from planner.store.tables import proposals

WAITING, APPROVED, REJECTED, OUTDATED = "waiting", "approved", "rejected", "outdated"
# The digest of a password somebody is to get.
HIDDEN = "password_hash"

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


def body_of(connection: sa.Connection, id_: int) -> dict[str, Any]:
    """Return the body of a proposal as it was sent, for who is about to do it."""
    body: dict[str, Any] = json_text.load(
        connection.execute(sa.select(proposals.c.body).where(proposals.c.id == id_)).scalar_one()
    )
    return body


def shown(body: dict[str, Any]) -> dict[str, Any]:
    """Return a body as it may be shown and put on record: of a password only that there is one."""
    if body.get(HIDDEN) is None:
        return body
    return {**{name: value for name, value in body.items() if name != HIDDEN}, "password": True}


def one(connection: sa.Connection, id_: int) -> Proposal:
    """Return a proposal as it may be shown.

    Raises:
        NotFound: there is none of this number.
    """
    row = connection.execute(sa.select(proposals).where(proposals.c.id == id_)).mappings().first()
    if row is None:
        raise NotFound("proposal", str(id_))
    return _read(row)


def listed(connection: sa.Connection, state: str | None, *, after: int = 0, limit: int = 100) -> list[Proposal]:
    """Return proposals in their order, of one state or of all, as they may be shown."""
    query = sa.select(proposals).where(proposals.c.id > after).order_by(proposals.c.id).limit(limit)
    if state is not None:
        query = query.where(proposals.c.state == state)
    return [_read(row) for row in connection.execute(query).mappings()]


def decide(connection: sa.Connection, id_: int, state: str, *, at: datetime, actor: str, decision: str) -> None:
    """Decide a proposal that waits, once; what may not be shown of it is not kept any longer.

    Raises:
        Conflict: somebody else decided it first.
    """
    change = sa.update(proposals).where(proposals.c.id == id_, proposals.c.state == WAITING)
    kept = json_text.dump(one(connection, id_)["body"])
    done = connection.execute(change.values(state=state, decided_at=at, decided_by=actor, decision=decision, body=kept))
    if not done.rowcount:
        raise Conflict("proposal", str(id_), "it was decided before")


def _read(row: Any) -> Proposal:  # noqa: ANN401  # SQLAlchemy's mapping of a row
    return {**row, "body": shown(json_text.load(row["body"])), "widens": json_text.load(row["widens"])}
