"""Three numbers that say whether anything changed, moved in the transaction of the change."""

from datetime import UTC, datetime
from typing import NamedTuple

import sqlalchemy as sa

from planner.core.errors import Unavailable
from planner.store import audit
from planner.store.tables import heads

# By so much both numbers jump when somebody says that a restored database is to hold, and by nothing else.
LEAP = 300
_FIRST = datetime(2020, 1, 1, tzinfo=UTC)


class Heads(NamedTuple):
    """The newest revision of the catalogue, of policies, terms and plans, and of the keys."""

    catalogue: int
    policy: int
    keys: int


def bump(connection: sa.Connection, *, catalogue: int | None = None, policy: bool = False, keys: bool = False) -> None:
    """Move the numbers inside the transaction that changed what they stand for.

    ``catalogue`` is the new catalogue revision; ``policy`` and ``keys`` count up by one.
    """
    changes: dict[str, object] = {}
    if catalogue is not None:
        changes["catalogue"] = catalogue
    if policy:
        changes["policy"] = heads.c.policy + 1
    if keys:
        changes["keys"] = heads.c["keys"] + 1
    if changes:
        connection.execute(sa.update(heads).where(heads.c.id == 1).values(changes))


def read_heads(connection: sa.Connection) -> Heads:
    """Return the three numbers as this transaction sees them."""
    row = connection.execute(sa.select(heads.c.catalogue, heads.c.policy, heads.c["keys"])).one()
    return Heads(*row)


def restored(connection: sa.Connection, *, at: datetime, actor: str, reason: str) -> Heads:
    """Say that this database holds, although it may be older than what workers have seen, and return its numbers.

    Policies and keys go on from the seconds since 2020: further than any worker has seen them count, also in a later
    state of this database that nobody remembers.
    """
    before = read_heads(connection)
    seconds = int((at - _FIRST).total_seconds())
    number = max(seconds, before.policy + LEAP, before.keys + LEAP)
    connection.execute(sa.update(heads).where(heads.c.id == 1).values({"policy": number, "keys": number}))
    after = read_heads(connection)
    audit.record(
        connection, at=at, actor=actor, action="database.restored", subject="database",
        before=before._asdict(), after=after._asdict(), reason=reason,
    )  # fmt: skip
    return after


class Marks:
    """The highest numbers one worker has seen. Whoever shows lower ones is a restored backup."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self._seen: Heads | None = None
        self._refused = False

    def see(self, found: Heads) -> Heads:
        """Take note of the numbers of the database, and return them.

        Raises:
            Unavailable: they are lower than before, and nobody has said since that they are to hold. Changes made in a
                restored database move its numbers as well, so what was refused once stays refused until then.
        """
        seen = self._seen
        if seen is None or (found.policy >= seen.policy + LEAP and found.keys >= seen.keys + LEAP):
            self._seen, self._refused = found, False
            return found
        if self._refused or any(new < old for new, old in zip(found, seen, strict=True)):
            self._refused = True
            raise Unavailable(
                "the database is older than it was before, as a restored backup is; `planner db restored` lets it hold",
                retry_after_seconds=60,
            )
        self._seen = found
        return found

    def newest(self, held: Heads) -> bool:
        """Tell whether nothing newer was seen than these numbers, and the database was not refused."""
        return not self._refused and self._seen == held
