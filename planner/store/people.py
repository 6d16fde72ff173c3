"""People who may sign in: who they are, what they may do, and what an admin changed about them."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from planner.core.errors import Conflict, NotFound
from planner.store import audit, revision
from planner.store.governing import people, sessions

# Compared byte for byte, and readable at a glance: what could be taken for another letter is not one here.
LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,199}")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may sign in. ``password_hash`` None: signs in elsewhere, as ``subject`` of ``issuer``."""

    id: int
    login: str
    name: str
    role: str
    password_hash: str | None
    issuer: str | None
    subject: str | None
    created_at: datetime
    created_by: str
    disabled_at: datetime | None


def find(connection: sa.Connection, login: str) -> Person | None:
    """Return who has exactly this login."""
    row = connection.execute(sa.select(people).where(people.c.login == login)).first()
    return None if row is None else Person(*row)


def bound(connection: sa.Connection, issuer: str, subject: str) -> Person | None:
    """Return who an OpenID provider knows by a subject."""
    query = sa.select(people).where(people.c.issuer == issuer, people.c.subject == subject)
    row = connection.execute(query).first()
    return None if row is None else Person(*row)


def listed(connection: sa.Connection) -> list[Person]:
    """Return everybody, by login."""
    return [Person(*row) for row in connection.execute(sa.select(people).order_by(people.c.login))]


def add(
    connection: sa.Connection, *, login: str, name: str, role: str, password_hash: str | None, at: datetime,
    actor: str, reason: str, created_by: str | None = None,
) -> Person:  # fmt: skip
    """Register somebody. ``created_by`` is who wanted them, where somebody else did it.

    Raises:
        Conflict: somebody has this login, or one that a person would read as the same.
    """
    check_free(connection, login)
    row = {"login": login, "name": name, "role": role, "password_hash": password_hash}
    connection.execute(sa.insert(people).values(**row, created_at=at, created_by=created_by or actor))
    after = {"name": name, "role": role, "password": password_hash is not None}
    _told(connection, "add", login, None, after, at=at, actor=actor, reason=reason)
    return known(connection, login)


def check_free(connection: sa.Connection, login: str) -> None:
    """Refuse a login that somebody has, or that a person would read as the same.

    Raises:
        Conflict: names who has it.
    """
    same = connection.execute(sa.select(people.c.login).where(sa.func.lower(people.c.login) == login.lower())).scalar()
    if same is not None:
        raise Conflict("person", login, f"{same} is registered")


def disable(connection: sa.Connection, login: str, *, at: datetime, actor: str, reason: str) -> Person:
    """Let somebody sign in no more, and end where they are signed in.

    Raises:
        NotFound: nobody has this login.
        Conflict: they are disabled already.
    """
    person = known(connection, login)
    if person.disabled_at is not None:
        raise Conflict("person", login, "disabled already")
    facts: dict[str, Any] = {"disabled_at": at}
    return _changed(connection, person, "disable", facts, {"disabled": False}, {"disabled": True}, at, actor, reason)


def enable(connection: sa.Connection, login: str, *, at: datetime, actor: str, reason: str) -> Person:
    """Let a disabled person sign in again; what was ended stays ended.

    Raises:
        NotFound: nobody has this login.
        Conflict: they are not disabled.
    """
    person = known(connection, login)
    if person.disabled_at is None:
        raise Conflict("person", login, "not disabled")
    facts: dict[str, Any] = {"disabled_at": None}
    return _changed(connection, person, "enable", facts, {"disabled": True}, {"disabled": False}, at, actor, reason)


def set_role(connection: sa.Connection, login: str, role: str, *, at: datetime, actor: str, reason: str) -> Person:
    """Give somebody another role; they sign in anew.

    Raises:
        NotFound: nobody has this login.
        Conflict: they have the role.
    """
    person = known(connection, login)
    if person.role == role:
        raise Conflict("person", login, f"{role} already")
    facts = {"role": role}
    return _changed(connection, person, "role", facts, {"role": person.role}, facts, at, actor, reason)


def set_password(
    connection: sa.Connection, login: str, password_hash: str, *, at: datetime, actor: str, reason: str,
    wanted_by: str | None = None,
) -> Person:  # fmt: skip
    """Give somebody another password; they sign in anew. ``wanted_by`` is who chose it, where that is somebody else.

    Raises:
        NotFound: nobody has this login.
    """
    person = known(connection, login)
    facts: dict[str, Any] = {"password_hash": password_hash}
    # That there is one is on record; neither it nor its digest ever is.
    before = {"password": person.password_hash is not None}
    after = {"password": True, **({} if wanted_by in (None, actor) else {"wanted_by": wanted_by})}
    return _changed(connection, person, "password", facts, before, after, at, actor, reason)


def rehash(connection: sa.Connection, person: Person, password_hash: str) -> None:
    """Store the same password under newer parameters; for its owner nothing changes."""
    same = people.c.id == person.id, people.c.password_hash == person.password_hash
    connection.execute(sa.update(people).where(*same).values(password_hash=password_hash))


def bind(connection: sa.Connection, person: Person, issuer: str, subject: str, *, at: datetime, actor: str) -> None:
    """Remember by which subject an OpenID provider knows somebody: from now on that counts, not the address."""
    connection.execute(sa.update(people).where(people.c.id == person.id).values(issuer=issuer, subject=subject))
    before, after = {"issuer": person.issuer, "subject": person.subject}, {"issuer": issuer, "subject": subject}
    _told(connection, "bind", person.login, before, after, at=at, actor=actor, reason="the first sign-in there")


def known(connection: sa.Connection, login: str) -> Person:
    """Return who has exactly this login.

    Raises:
        NotFound: nobody has.
    """
    person = find(connection, login)
    if person is None:
        raise NotFound("person", login)
    return person


def _changed(
    connection: sa.Connection, person: Person, verb: str, facts: dict[str, Any], before: object, after: object,
    at: datetime, actor: str, reason: str,
) -> Person:  # fmt: skip
    connection.execute(sa.update(people).where(people.c.id == person.id).values(**facts))
    theirs = sessions.c.person_id == person.id, sessions.c.ended_at.is_(None)
    connection.execute(sa.update(sessions).where(*theirs).values(ended_at=at))
    _told(connection, verb, person.login, before, after, at=at, actor=actor, reason=reason)
    return known(connection, person.login)


def _told(
    connection: sa.Connection, verb: str, login: str, before: object, after: object, *, at: datetime, actor: str,
    reason: str,
) -> None:  # fmt: skip
    audit.record(
        connection, at=at, actor=actor, action=f"person.{verb}", subject=login, before=before, after=after,
        reason=reason,
    )  # fmt: skip
    # Who looked at an earlier state of anything admins write hears that it moved.
    revision.bump(connection, keys=True)
