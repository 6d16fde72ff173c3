"""Who may know how to come in as somebody else: who made their key or account, saw the key, or set the password."""

import sqlalchemy as sa

from planner.store import json_text
from planner.store.governing import people, proposals
from planner.store.proposals import APPROVED
from planner.store.tables import audit, keys

KEY_CREATE, KEY_ROTATE, PASSWORD = "key.create", "key.rotate", "person.password"  # the names of changes


def makers(connection: sa.Connection, actor: str) -> set[str]:
    """Return who had to do with the secrets of ``key:NAME`` or ``person:LOGIN``; nobody for other actors."""
    kind, _, name = actor.partition(":")
    found = {"key": _of_key, "person": _of_person}.get(kind)
    return set() if found is None else found(connection, name)


def _of_key(connection: sa.Connection, name: str) -> set[str]:
    rows = connection.execute(sa.select(keys.c.prefix, keys.c.created_by).where(keys.c.name == name)).all()
    made = sa.and_(proposals.c.kind == KEY_CREATE, proposals.c.subject == name)
    rotated = sa.and_(proposals.c.kind == KEY_ROTATE, proposals.c.subject.in_([row.prefix for row in rows]))
    # Who approves a key is answered its secret.
    seen = sa.select(proposals.c.decided_by).where(proposals.c.state == APPROVED, sa.or_(made, rotated))
    return {row.created_by for row in rows if row.created_by is not None} | set(connection.execute(seen).scalars())


def _of_person(connection: sa.Connection, login: str) -> set[str]:
    made = set(connection.execute(sa.select(people.c.created_by).where(people.c.login == login)).scalars())
    query = sa.select(audit.c.actor, audit.c.after).where(audit.c.action == PASSWORD, audit.c.subject == login)
    last = connection.execute(query.order_by(audit.c.seq.desc()).limit(1)).first()
    return made if last is None else made | {json_text.load(last.after).get("wanted_by", last.actor)}
