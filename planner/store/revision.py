"""Three numbers that say whether anything changed, moved in the transaction of the change."""

from typing import NamedTuple

import sqlalchemy as sa

from planner.store.tables import heads


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
