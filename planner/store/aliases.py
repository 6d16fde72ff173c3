"""Which model a spelling means: settled one by one or in bulk, each with who did it and why."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from planner.core.errors import InvalidInput
from planner.core.offer import valid_feed_id
from planner.store import audit
from planner.store.revision import bump
from planner.store.tables import aliases, models

Settled = tuple[str, str, str | None]
"""(namespace, spelling, canonical model; None takes the alias back, and the spelling is pending again)."""


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
    before = connection.execute(sa.select(aliases.c.model_id).where(*same)).scalar()
    if before == model:
        return False
    connection.execute(sa.delete(aliases).where(*same))
    if model is not None:
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
    author, slash, rest = id_.partition("/")
    if not (valid_feed_id(id_) and slash and author and rest):
        raise InvalidInput("model", "a canonical model is written author/name")
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
    query = sa.select(aliases).order_by(aliases.c.namespace, aliases.c.spelling).limit(limit)
    query = query.where(sa.tuple_(aliases.c.namespace, aliases.c.spelling) > sa.tuple_(*map(sa.literal, after)))
    if namespace is not None:
        query = query.where(aliases.c.namespace == namespace)
    if model is not None:
        query = query.where(aliases.c.model_id == model)
    return [dict(row) for row in connection.execute(query).mappings()]
