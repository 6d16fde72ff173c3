"""Who is signed in, and how often somebody tried to be: counted and looked up in the database by every worker."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from planner.store import audit
from planner.store.governing import attempts, people, sessions
from planner.store.people import Person

TOKEN_BYTES = 32
TOKEN_CHARACTERS_MAX = 100
# Written this seldom, so that reading a page is not a write; the idle limit is that much shorter at worst.
TOUCHED_EVERY = timedelta(minutes=1)
KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Session:
    """A session that holds, and whose it is."""

    digest: str
    login: str
    name: str
    role: str
    method: str
    created_at: datetime
    used_at: datetime
    expires_at: datetime


def digest_of(token: str) -> str:
    """Return what is stored of a random token; a long random one gains nothing from a slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()


def begin(
    connection: sa.Connection, person: Person, method: str, *, at: datetime, lasts: timedelta
) -> tuple[str, Session]:
    """Sign somebody in and return the token, which is nowhere else, with the session."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    digest, expires_at = digest_of(token), at + lasts
    connection.execute(sa.delete(sessions).where(sessions.c.expires_at < at - KEPT))
    times = {"created_at": at, "used_at": at, "expires_at": expires_at}
    connection.execute(sa.insert(sessions).values(digest=digest, person_id=person.id, method=method, **times))
    audit.record(
        connection, at=at, actor=f"person:{person.login}", action="session.begin", subject=person.login, before=None,
        after={"method": method, "expires_at": expires_at.isoformat()}, reason="signed in",
    )  # fmt: skip
    return token, Session(digest, person.login, person.name, person.role, method, at, at, expires_at)


def find(connection: sa.Connection, token: str, *, at: datetime, idle: timedelta) -> Session | None:
    """Return the session of a token, unless it was ended, expired or lay idle, or its person is disabled."""
    if not token.isascii() or len(token) > TOKEN_CHARACTERS_MAX:
        return None
    s, p = sessions.c, people.c
    query = (
        sa.select(s.digest, p.login, p.name, p.role, s.method, s.created_at, s.used_at, s.expires_at)
        .join(people, p.id == s.person_id)
        .where(s.digest == digest_of(token), s.ended_at.is_(None), p.disabled_at.is_(None))
        .where(s.expires_at > at, s.used_at > at - idle)
    )
    row = connection.execute(query).first()
    return None if row is None else Session(*row)


def touch(connection: sa.Connection, session: Session, at: datetime) -> None:
    """Note that a session was used."""
    holds = sessions.c.digest == session.digest, sessions.c.ended_at.is_(None)
    connection.execute(sa.update(sessions).where(*holds).values(used_at=at))


def end(connection: sa.Connection, token: str, *, at: datetime, reason: str) -> bool:
    """End the session of a token; False where none holds."""
    holds = sessions.c.digest == digest_of(token), sessions.c.ended_at.is_(None)
    columns = people.c.login, sessions.c.method, sessions.c.expires_at
    query = sa.select(*columns).join(sessions, people.c.id == sessions.c.person_id).where(*holds)
    row = connection.execute(query).first()
    if row is None:
        return False
    connection.execute(sa.update(sessions).where(*holds).values(ended_at=at))
    audit.record(
        connection, at=at, actor=f"person:{row.login}", action="session.end", subject=row.login, reason=reason,
        before={"method": row.method, "expires_at": row.expires_at.isoformat()}, after=None,
    )  # fmt: skip
    return True


def tried(connection: sa.Connection, bucket: str, start: datetime) -> int:
    """Return how often something was tried in a window."""
    here = attempts.c.bucket == bucket, attempts.c.window_start == start
    return connection.execute(sa.select(attempts.c.count).where(*here)).scalar() or 0


def count(connection: sa.Connection, bucket: str, start: datetime) -> int:
    """Count one more try, and return how many there are now: one statement, so that two workers never count as one."""
    insert: Any = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(attempts)
    statement = insert.values(bucket=bucket, window_start=start, count=1)
    key = [attempts.c.bucket, attempts.c.window_start]
    more = statement.on_conflict_do_update(index_elements=key, set_={"count": attempts.c.count + 1})
    return int(connection.execute(more.returning(attempts.c.count)).scalar_one())


def forgive(connection: sa.Connection, bucket: str, start: datetime) -> None:
    """Take one try back: it was the right one."""
    here = attempts.c.bucket == bucket, attempts.c.window_start == start
    connection.execute(sa.update(attempts).where(*here).values(count=attempts.c.count - 1))
    connection.execute(sa.delete(attempts).where(attempts.c.window_start < start - timedelta(days=1)))
