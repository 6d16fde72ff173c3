"""Which model a spelling means: settled one by one or in bulk, each with who did it and why."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from planner.core.errors import InvalidInput
from planner.core.identity import CANONICAL
from planner.core.offer import valid_feed_id
from planner.store import audit
from planner.store.revision import bump
from planner.store.tables import aliases, models

Settled = tuple[str, str, str | None]
"""(namespace, spelling, canonical model; None takes the alias back, and the spelling is pending again).

What was taken back stays on record as such: an upgrade does not bring it in again.
"""


def settle(connection: sa.Connection, rows: Sequence[Settled], *, at: datetime, actor: str, reason: str) -> int:
    """Settle spellings, all or none, and return how many changed.

    Raises:
        InvalidInput: a spelling no feed could send, or a model that is not registered; nothing is written then.
    """
    wanted = {model for _namespace, _spelling, model in rows if model is not None}
    known = set(connection.execute(sa.select(models.c.id)).scalars())
    for place, (namespace, spelling, model) in enumerate(rows):
        if not (valid_feed_id(namespace) and valid_feed_id(spelling)):
            raise InvalidInput(f"aliases.{place}.spelling", "not a spelling a feed may send")
        if model is not None and model not in wanted & known:
            raise InvalidInput(f"aliases.{place}.model", "no such model is registered")
    changed = sum(_settle(connection, row, at, actor, reason) for row in rows)
    if changed:
        bump(connection, policy=True)
    return changed


def _settle(connection: sa.Connection, row: Settled, at: datetime, actor: str, reason: str) -> bool:
    namespace, spelling, model = row
    same = aliases.c.namespace == namespace, aliases.c.spelling == spelling
    row_before = connection.execute(sa.select(aliases.c.model_id).where(*same)).first()
    before = None if row_before is None else row_before.model_id
    if before == model:
        return False
    connection.execute(sa.delete(aliases).where(*same))
    values = {"model_id": model, "basis": reason, "settled_at": at, "settled_by": actor}
    connection.execute(sa.insert(aliases).values(namespace=namespace, spelling=spelling, **values))
    audit.record(
        connection, at=at, actor=actor, action="alias.settle", subject=f"{namespace} {spelling}", before=before,
        after=model, reason=reason,
    )  # fmt: skip
    return True


def register_model(connection: sa.Connection, id_: str, name: str, *, at: datetime, actor: str, reason: str) -> bool:
    """Register a canonical model, ``author/name``; False where it is registered already.

    Raises:
        InvalidInput: not such an id.
    """
    if not CANONICAL.fullmatch(id_):
        raise InvalidInput("model", "a canonical model is written author/name: a-z, 0-9, - and, in the name, . and _")
    if not name.isprintable():
        raise InvalidInput("name", "control characters and marks of writing direction are no part of a name")
    author = id_.partition("/")[0]
    if connection.execute(sa.select(models.c.id).where(models.c.id == id_)).first() is not None:
        return False
    connection.execute(sa.insert(models).values(id=id_, name=name, author=author, kind="chat"))
    audit.record(connection, at=at, actor=actor, action="model.register", subject=id_, after=name, reason=reason)
    bump(connection, policy=True)
    return True


def listed(
    connection: sa.Connection, *, namespace: str | None, model: str | None, after: tuple[str, str], limit: int
) -> list[dict[str, Any]]:
    """Return aliases in the order of namespace and spelling."""
    query = sa.select(aliases).where(aliases.c.model_id.is_not(None))
    query = query.order_by(aliases.c.namespace, aliases.c.spelling).limit(limit)
    query = query.where(sa.tuple_(aliases.c.namespace, aliases.c.spelling) > sa.tuple_(*map(sa.literal, after)))
    if namespace is not None:
        query = query.where(aliases.c.namespace == namespace)
    if model is not None:
        query = query.where(aliases.c.model_id == model)
    return [dict(row) for row in connection.execute(query).mappings()]
