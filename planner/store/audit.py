"""Who changed what, when and why: written in the transaction of the change, each entry chained to the one before."""

from datetime import UTC, datetime

import sqlalchemy as sa

from planner.store import json_text
from planner.store.tables import audit

GENESIS = "0" * 64


def record(
    connection: sa.Connection,
    *,
    at: datetime,
    actor: str,
    action: str,
    subject: str,
    before: object = None,
    after: object = None,
    reason: str | None = None,
) -> int:
    """Append one entry and return its number. Two writers cannot both append it: the number is the primary key."""
    last = connection.execute(sa.select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)).first()
    entry = {
        "seq": 1 if last is None else last.seq + 1,
        "at": at.astimezone(UTC),
        "actor": actor,
        "action": action,
        "subject": subject,
        "before": None if before is None else json_text.dump(before),
        "after": None if after is None else json_text.dump(after),
        "reason": reason,
        "previous_hash": GENESIS if last is None else last.hash,
    }
    connection.execute(sa.insert(audit).values(**entry, hash=_hash(entry)))
    return int(str(entry["seq"]))


def happened(connection: sa.Connection, action: str, subject: str) -> bool:
    """Tell whether an action on a subject is on record."""
    query = sa.select(audit.c.seq).where(audit.c.action == action, audit.c.subject == subject).limit(1)
    return connection.execute(query).first() is not None


def verify(connection: sa.Connection) -> int | None:
    """Return the number of the first entry that is missing or was altered, or None when the chain is whole."""
    previous = GENESIS
    for number, row in enumerate(connection.execute(sa.select(audit).order_by(audit.c.seq)).mappings(), 1):
        entry = {name: row[name] for name in row if name != "hash"}
        if row["seq"] != number or row["previous_hash"] != previous or row["hash"] != _hash(entry):
            return number
        previous = row["hash"]
    return None


def _hash(entry: dict[str, object]) -> str:
    moment = entry["at"]
    if not isinstance(moment, datetime):
        raise TypeError("an audit entry has a moment")
    return json_text.digest(json_text.dump({**entry, "at": moment.astimezone(UTC).isoformat()}))
