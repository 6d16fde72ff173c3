"""Who changed what, when and why: written in the transaction of the change, each entry chained to the one before."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from planner.store import json_text
from planner.store.tables import audit

GENESIS = "0" * 64
# Rows that are in memory at a time while the whole trail is read.
_AT_ONCE = 500


def record(
    connection: sa.Connection,
    *,
    at: datetime,
    actor: str,
    action: str,
    subject: str,
    before: object,
    after: object,
    reason: str,
) -> int:
    """Append one entry and return its number. Two writers cannot both append it: the number is the primary key.

    ``before`` is None for what was not there, ``after`` for what is there no more. Neither may hold a secret, or a
    digest of one: the trail is exported, and nothing is ever taken out of it.
    """
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


def newest(connection: sa.Connection, action: str) -> str | None:
    """Return what an action was last about; None: it never was."""
    query = sa.select(audit.c.subject).where(audit.c.action == action).order_by(audit.c.seq.desc()).limit(1)
    return connection.execute(query).scalar()


class Chain(NamedTuple):
    """What checking the whole trail found: how many entries follow from each other, and the last of them."""

    entries: int
    last_seq: int
    last_hash: str
    broken_at: int | None
    """The number of the first entry that is missing or was altered; None: the chain is whole."""


def check(connection: sa.Connection, expected: tuple[int, str] | None = None) -> Chain:
    """Check every entry against the one before, in bounded memory.

    A chain whose end was cut off is whole in itself, so ``expected`` is the number and the hash of an entry that
    somebody wrote down elsewhere: it must still be there, as it was.
    """
    previous, number = GENESIS, 0
    query = sa.select(audit).order_by(audit.c.seq).execution_options(yield_per=_AT_ONCE)
    with connection.execute(query) as found:
        for row in found.mappings():
            entry = {name: row[name] for name in row if name != "hash"}
            follows = row["seq"] == number + 1 and row["previous_hash"] == previous and row["hash"] == _hash(entry)
            if not follows or (expected is not None and expected[0] == row["seq"] and expected[1] != row["hash"]):
                return Chain(number, number, previous, number + 1)
            previous, number = row["hash"], number + 1
    missing = expected is not None and expected[0] > number
    return Chain(number, number, previous, number + 1 if missing else None)


def verify(connection: sa.Connection) -> int | None:
    """Return the number of the first entry that is missing or was altered, or None when the chain is whole."""
    return check(connection).broken_at


class Wanted(NamedTuple):
    """Which entries are asked for; what is None is not asked. ``since`` is inclusive, ``until`` is not."""

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def entries(connection: sa.Connection, wanted: Wanted, before: int | None, limit: int) -> list[dict[str, Any]]:
    """Return entries, newest first, from before a number."""
    query = sa.select(audit).order_by(audit.c.seq.desc()).limit(limit)
    for column, value in ((audit.c.actor, wanted.actor), (audit.c.action, wanted.action)):
        query = query if value is None else query.where(column == value)
    if wanted.subject is not None:
        query = query.where(audit.c.subject == wanted.subject)
    if wanted.since is not None:
        query = query.where(audit.c.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(audit.c.at < wanted.until)
    if before is not None:
        query = query.where(audit.c.seq < before)
    return [
        {
            **row,
            "before": None if row["before"] is None else json_text.load(row["before"]),
            "after": None if row["after"] is None else json_text.load(row["after"]),
        }
        for row in map(dict, connection.execute(query).mappings())
    ]


def _hash(entry: dict[str, object]) -> str:
    moment = entry["at"]
    if not isinstance(moment, datetime):
        raise TypeError("an audit entry has a moment")
    return json_text.digest(json_text.dump({**entry, "at": moment.astimezone(UTC).isoformat()}))
