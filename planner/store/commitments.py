"""What was promised in advance, as rows: entered with its paper and a person, taken off the record, never edited."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import sqlalchemy as sa

from planner.core.commitment import Commitment
from planner.core.errors import Conflict, NotFound
from planner.core.money import plain, to_pico
from planner.store import audit
from planner.store.agreements import check_channel
from planner.store.revision import bump
from planner.store.tables import commitments, models, providers

_c = commitments.c


def add(connection: sa.Connection, row: Mapping[str, Any], *, at: datetime, actor: str, reason: str) -> int:
    """Record a commitment and return its number.

    Raises:
        NotFound: there is no such channel, provider or model: it would cover nothing.
        Conflict: another one covers a part of the same usage at the same time.
    """
    check_channel(connection, row["channel_id"])
    for word, table, id_ in (("provider", providers, row["provider_id"]), ("model", models, row["model_id"])):
        if id_ is not None and connection.execute(sa.select(table.c.id).where(table.c.id == id_)).first() is None:
            raise NotFound(word, id_)
    number: int = (connection.scalar(sa.select(sa.func.max(_c.id))) or 0) + 1
    values = {**row, "id": number, "recorded_from": at, "recorded_to": None, "recorded_by": actor}
    made = _commitment(values)
    for other in known_by(connection, None):
        if other.recorded_to is None and other.overlaps(made):
            raise Conflict("commitment", str(other.id), "it covers a part of the same usage at the same time")
    connection.execute(sa.insert(commitments).values(values))
    _audit(connection, "add", number, None, row, at=at, actor=actor, reason=reason)
    return number


def void(connection: sa.Connection, id_: int, *, at: datetime, actor: str, reason: str) -> None:
    """Take a commitment off the record; what closed months say of it stays, and is taken back in the next open one.

    Raises:
        NotFound: there is none with this number.
        Conflict: it is off the record.
    """
    row = connection.execute(sa.select(commitments).where(_c.id == id_)).mappings().first()
    if row is None:
        raise NotFound("commitment", str(id_))
    if row["recorded_to"] is not None:
        raise Conflict("commitment", str(id_), "it is off the record")
    connection.execute(sa.update(commitments).where(_c.id == id_).values(recorded_to=at))
    _audit(connection, "void", id_, dict(row), None, at=at, actor=actor, reason=reason)


def known_by(connection: sa.Connection, known_at: datetime | None) -> list[Commitment]:
    """Return the commitments that were ever on record by a moment, or by now, as they were then."""
    query = sa.select(commitments).order_by(_c.id)
    if known_at is not None:
        query = query.where(_c.recorded_from <= known_at)
    rows = (dict(row) for row in connection.execute(query).mappings())
    later = known_at is not None
    return [
        _commitment({**row, "recorded_to": None} if later and _after(row["recorded_to"], known_at) else row)
        for row in rows
    ]


def _after(ended: datetime | None, known_at: datetime | None) -> bool:
    return ended is not None and known_at is not None and ended > known_at


def _commitment(row: Mapping[str, Any]) -> Commitment:
    return Commitment(
        id=row["id"], name=row["name"], kind=row["kind"], channel=row["channel_id"], provider=row["provider_id"],
        model=row["model_id"], service_tier=row["service_tier"],
        amount_pico=to_pico(Fraction(Decimal(row["amount_usd"]))), currency=row["currency"], amount=row["amount"],
        valid_from=row["valid_from"], valid_to=row["valid_to"], reference=row["reference"],
        recorded_from=row["recorded_from"], recorded_to=row["recorded_to"],
    )  # fmt: skip


def _audit(
    connection: sa.Connection, action: str, id_: int, before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None, *, at: datetime, actor: str, reason: str,
) -> None:  # fmt: skip
    said = [None if row is None else {name: _plain(value) for name, value in row.items()} for row in (before, after)]
    audit.record(
        connection, at=at, actor=actor, action=f"commitment.{action}", subject=f"commitment {id_}", before=said[0],
        after=said[1], reason=reason,
    )  # fmt: skip
    bump(connection, policy=True)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return plain(value) if isinstance(value, Decimal) else value
