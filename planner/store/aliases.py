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
from planner.store.tables import aliases, channels, models, offers, providers, sources

Settled = tuple[str, str, str | None]
"""(namespace, spelling, canonical model; None takes the alias back, and the spelling is pending again).

What was taken back stays on record as such: an upgrade does not bring it in again.
"""


def settle(connection: sa.Connection, rows: Sequence[Settled], *, at: datetime, actor: str, reason: str) -> int:
    """Settle spellings, all or none, and return how many changed.

    Raises:
        InvalidInput: a spelling no feed could send, a model that nobody registered, or one spelling with two meanings;
            nothing is written then.
    """
    wanted: dict[tuple[str, str], str | None] = {}
    known = {row.id: row.settled_by for row in connection.execute(sa.select(models.c.id, models.c.settled_by))}
    for place, (namespace, spelling, model) in enumerate(rows):
        field = f"aliases.{place} ({namespace[:40]!a} {spelling[:80]!a})"
        if not (valid_feed_id(namespace) and valid_feed_id(spelling)):
            raise InvalidInput(field, "not a spelling a feed may send")
        if model is not None and model not in known:
            raise InvalidInput(field, f"no model is registered as {model[:80]!a}")
        if wanted.setdefault((namespace, spelling), model) != model:
            raise InvalidInput(field, "it stands here twice, with two meanings")
    columns = aliases.c.namespace, aliases.c.spelling, aliases.c.model_id
    before = {(row.namespace, row.spelling): row.model_id for row in connection.execute(sa.select(*columns))}
    # Who says that a spelling means a model has looked at the model's name too, if only a feed had named it so far.
    unseen = {model for model in wanted.values() if model is not None and known[model] is None}
    changed = {place: model for place, model in wanted.items() if before.get(place) != model or model in unseen}
    if not changed:
        return 0
    same = aliases.c.namespace == sa.bindparam("b_namespace"), aliases.c.spelling == sa.bindparam("b_spelling")
    gone = [{"b_namespace": namespace, "b_spelling": spelling} for namespace, spelling in changed]
    connection.execute(sa.delete(aliases).where(*same), gone)
    settled = {"basis": reason, "settled_at": at, "settled_by": actor}
    written = [
        {"namespace": namespace, "spelling": spelling, "model_id": model, **settled}
        for (namespace, spelling), model in changed.items()
    ]
    connection.execute(sa.insert(aliases), written)
    connection.execute(sa.update(models).where(models.c.id.in_(unseen)).values(settled_by=actor))
    # One entry for what was one decision, with every spelling in it.
    subject = " ".join(next(iter(changed))) if len(changed) == 1 else f"{len(changed)} spellings"
    audit.record(
        connection, at=at, actor=actor, action="alias.settle", subject=subject, reason=reason,
        before=[[*place, before.get(place)] for place in changed],
        after=[[*place, model] for place, model in changed.items()],
    )  # fmt: skip
    bump(connection, policy=True)
    return len(changed)


def check_namespaces(connection: sa.Connection, rows: Sequence[Settled]) -> None:
    """Refuse a namespace that no provider and no channel has: nothing would ever be looked up in it.

    Raises:
        InvalidInput: names the first row.
    """
    known: set[str] = set()
    for column in (providers.c.id, channels.c.id, offers.c.provider_id, offers.c.channel_id, sources.c.name):
        known |= set(connection.execute(sa.select(column).distinct()).scalars())
    for place, (namespace, spelling, _model) in enumerate(rows):
        if namespace not in known:
            field = f"aliases.{place} ({namespace[:40]!a} {spelling[:80]!a})"
            raise InvalidInput(field, "no provider or channel has this id")


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
    connection.execute(sa.insert(models).values(id=id_, name=name, author=author, kind="chat", settled_by=actor))
    audit.record(
        connection, at=at, actor=actor, action="model.register", subject=id_, before=None, after=name, reason=reason
    )
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
