"""Who changed what, when and why: written in the transaction of the change, each entry chained to the one before."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from planner.store import json_text
from planner.store.tables import audit

GENESIS = "0" * 64
# Rows that are in memory at a time while the whole trail is read.
_AT_ONCE = 500

Entry = dict[str, Any]
"""An entry; written, its moment is a text in UTC, and ``before`` and ``after`` are the stored JSON, byte for byte."""
FIELDS = tuple(audit.c.keys())


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
    entry: Entry = {
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
    connection.execute(sa.insert(audit).values(**entry, hash=_hash(_written(entry))))
    return int(entry["seq"])


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


def follow(written: Iterable[Mapping[str, Any]], expected: tuple[int, str] | None = None) -> Chain:
    """Check written entries, oldest first, each against the one before.

    A chain whose end was cut off is whole in itself, so ``expected`` is the number and the hash of an entry that
    somebody wrote down elsewhere: it must still be there, as it was.
    """
    previous, number = GENESIS, 0
    for entry in written:
        hashed = {name: value for name, value in entry.items() if name != "hash"}
        follows = entry["seq"] == number + 1 and entry["previous_hash"] == previous and entry["hash"] == _hash(hashed)
        if not follows or (expected is not None and expected[0] == entry["seq"] and expected[1] != entry["hash"]):
            return Chain(number, number, previous, number + 1)
        previous, number = entry["hash"], number + 1
    missing = expected is not None and expected[0] > number
    return Chain(number, number, previous, number + 1 if missing else None)


def check(connection: sa.Connection, expected: tuple[int, str] | None = None) -> Chain:
    """Check the whole trail as `follow` does, in bounded memory."""
    query = sa.select(audit).order_by(audit.c.seq).execution_options(yield_per=_AT_ONCE)
    with connection.execute(query) as found:
        return follow((_written(dict(row)) for row in found.mappings()), expected)


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


def last(connection: sa.Connection) -> int:
    """Return the number of the newest entry, 0 where there is none."""
    return connection.execute(sa.select(sa.func.max(audit.c.seq))).scalar() or 0


def stretch(connection: sa.Connection, wanted: Wanted, after: int, to: int) -> list[Entry]:
    """Return the next entries as their hashes cover them, oldest first, with the hash; none: there are no more.

    Entries are only ever added, so stretch by stretch up to one number is one consistent read, and nobody's
    transaction is kept open for it.
    """
    query = sa.select(audit).where(audit.c.seq > after, audit.c.seq <= to).order_by(audit.c.seq).limit(_AT_ONCE)
    return [_written(dict(row)) for row in connection.execute(_narrowed(query, wanted)).mappings()]


def _narrowed(query: sa.Select[Any], wanted: Wanted) -> sa.Select[Any]:
    a = audit.c
    for column, value in ((a.actor, wanted.actor), (a.action, wanted.action), (a.subject, wanted.subject)):
        query = query if value is None else query.where(column == value)
    if wanted.since is not None:
        query = query.where(a.at >= wanted.since)
    return query if wanted.until is None else query.where(a.at < wanted.until)


def entries(connection: sa.Connection, wanted: Wanted, before: int | None, limit: int) -> list[Entry]:
    """Return entries, newest first, from before a number."""
    query = _narrowed(sa.select(audit).order_by(audit.c.seq.desc()).limit(limit), wanted)
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


def _written(row: Mapping[str, Any]) -> Entry:
    return {**row, "at": row["at"].astimezone(UTC).isoformat()}


def _hash(written: Mapping[str, Any]) -> str:
    return json_text.digest(json_text.dump(dict(written)))
