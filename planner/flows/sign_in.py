"""Somebody signs in with a password: not too often, with the same answer whoever does not exist, and a new session."""

import contextlib
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from planner.core.errors import SignInRefused, TooManyRequests, Unavailable
from planner.flows import passwords
from planner.store import people, sessions
from planner.store.engine import Connection, Store
from planner.store.people import Person
from planner.store.sessions import Session

WINDOW = timedelta(minutes=15)
# A window ends, so nobody is locked out for good by somebody who tries in their name.
LOGIN_TRIES_MAX = 10
# Colleagues behind one address share it.
PEER_TRIES_MAX = 50


@dataclass(frozen=True, slots=True)
class Lasting:
    """How long a session lasts: from the last request, and from the sign-in."""

    idle: timedelta
    whole: timedelta


@dataclass(frozen=True, slots=True)
class Begun:
    """A session that has begun, with the token only its owner gets."""

    token: str
    session: Session


def by_password(
    store: Store, login: str, password: str, peer: str, lasting: Lasting, at: datetime, *, former: str | None = None
) -> Begun:
    """Sign somebody in by password. ``former`` is the token the browser had; its session ends.

    Raises:
        SignInRefused: nobody signs in with this.
        TooManyRequests: the login or the peer was tried too often.
        Unavailable: too many sign in at once, or the database does not answer.
    """
    # A login may be as long as somebody likes, and may be a password typed into the wrong field: a digest is kept.
    limits = {_bucket(login): LOGIN_TRIES_MAX, f"peer:{peer_of(peer)}": PEER_TRIES_MAX}
    counted(store, limits, at)
    stored = _checked(store, login, password)
    newer = passwords.hashed(password) if passwords.outdated(stored) else None

    def story(connection: Connection) -> Begun:
        found = _still(connection, login, stored)
        for bucket in limits:
            sessions.forgive(connection, bucket, window_start(at))
        if newer is not None:
            people.rehash(connection, found, newer)
        return begun(connection, found, "password", lasting, at, former)

    return store.tell(story)


def change_password(store: Store, login: str, password: str, new: str, lasting: Lasting, at: datetime) -> Begun:
    """Give somebody who knows their password another one; every session of theirs ends, and a new one begins.

    Raises:
        SignInRefused: the password is not theirs; whoever found a browser open cannot keep it.
        InvalidInput: the new one is too short or too long.
        TooManyRequests: the login was tried too often.
        Unavailable: too many sign in at once, or the database does not answer.
    """
    bucket = _bucket(login)
    counted(store, {bucket: LOGIN_TRIES_MAX}, at)
    stored = _checked(store, login, password)
    kept = passwords.hashed(new)

    def story(connection: Connection) -> Begun:
        _still(connection, login, stored)
        who = f"person:{login}"
        person = people.set_password(connection, login, kept, at=at, actor=who, reason="changed by its owner")
        sessions.forgive(connection, bucket, window_start(at))
        return begun(connection, person, "password", lasting, at, None)

    return store.tell(story)


def _bucket(login: str) -> str:
    return f"login:{sessions.digest_of(login)}"


def _checked(store: Store, login: str, password: str) -> str:
    """Return the stored form of somebody's password, if this is it."""
    with store.read() as connection:
        person = people.find(connection, login)
    # Disabled people cost the same work and hear the same as those nobody knows.
    right = passwords.matches(None if person is None else person.password_hash, password)
    if person is None or person.password_hash is None or not right or person.disabled_at is not None:
        raise SignInRefused
    return person.password_hash


def _still(connection: Connection, login: str, stored: str) -> Person:
    """Return who was checked. It took a while: who got another password meanwhile does not come in."""
    found = people.find(connection, login)
    if found is None or found.password_hash != stored:
        raise SignInRefused
    return found


def begun(
    connection: Connection, person: Person, method: str, lasting: Lasting, at: datetime, former: str | None
) -> Begun:
    """Begin a session under a token nobody had before; what the browser was signed in as ends.

    Raises:
        SignInRefused: the person is disabled.
    """
    if person.disabled_at is not None:
        raise SignInRefused
    if former is not None:
        sessions.end(connection, former, at=at, reason="signed in anew")
    return Begun(*sessions.begin(connection, person, method, at=at, lasts=lasting.whole))


def holding(store: Store, token: str, lasting: Lasting, at: datetime) -> Session | None:
    """Return the session of a token if it holds right now, and note that it was used."""
    with store.read() as connection:
        session = sessions.find(connection, token, at=at, idle=lasting.idle)
    if session is not None and at - session.used_at >= sessions.TOUCHED_EVERY:
        # Whoever may read goes on reading while nothing can be written.
        with contextlib.suppress(Unavailable):
            store.tell(lambda connection: sessions.touch(connection, session, at))
    return session


def end(store: Store, token: str, at: datetime) -> None:
    """Sign somebody out."""
    store.tell(lambda connection: sessions.end(connection, token, at=at, reason="signed out"))


def window_start(at: datetime) -> datetime:
    """Return when the stretch of time began in which tries are counted together."""
    seconds = int(WINDOW.total_seconds())
    return datetime.fromtimestamp(int(at.timestamp()) // seconds * seconds, UTC)


def peer_of(address: str) -> str:
    """Return under which name an address is counted; who has one of IPv6 has a whole /64 of them.

    Example:
        >>> peer_of("2001:db8::7"), peer_of("192.0.2.7")
        ('2001:db8::/64', '192.0.2.7')
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        mapped = found.ipv4_mapped
        return str(ipaddress.ip_network((found.packed, 64), strict=False)) if mapped is None else str(mapped)
    return address


def counted(store: Store, limits: Mapping[str, int], at: datetime) -> None:
    """Count a try before anything is checked, so that many at once do not slip through together.

    Raises:
        TooManyRequests: one of the buckets was tried more often than its limit.
    """
    start = window_start(at)
    over = TooManyRequests(max(1, int((start + WINDOW - at).total_seconds()) + 1))
    with store.read() as connection:
        # Who is over the limit already costs no write.
        if any(sessions.tried(connection, bucket, start) >= most for bucket, most in limits.items()):
            raise over

    def story(connection: Connection) -> bool:
        # Both are counted, also where the first is over its limit already.
        counts = [sessions.count(connection, bucket, start) for bucket in limits]
        return all(count <= most for count, most in zip(counts, limits.values(), strict=True))

    if not store.tell(story):
        raise over
