"""An admin's work on keys: making, rotating and revoking them, and saying which policies a backend may name."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from planner.core.errors import Conflict, InvalidInput, NotFound, readable
from planner.flows.second import By
from planner.flows.way_in import ADMIN, Doors, keep_open
from planner.store import keys, policies
from planner.store.engine import Connection
from planner.store.keys import Key

BACKEND = "backend"
ROLES = (BACKEND, "finance", ADMIN)
# The key of the settings goes by this name in the audit trail.
RESERVED = "PLANNER_ADMIN_KEY"
NAME_MAX = 100
OVERLAP_HOURS_MAX = 168

Reply = dict[str, Any]


def create(
    connection: Connection, pepper: bytes, name: str, role: str, granted: Sequence[str], expires_at: datetime | None,
    by: By,
) -> Reply:  # fmt: skip
    """Make a key and return it, once, with its prefix.

    Raises:
        InvalidInput: a name, role or end that cannot be, or policies for a key that may name all.
        NotFound: nobody published such a policy.
        Conflict: a key has or had this name; the trail would not say which of the two did something.
    """
    if role not in ROLES:
        raise InvalidInput("role", f"one of {', '.join(ROLES)} is needed")
    if not readable(name) or len(name) > NAME_MAX:
        raise InvalidInput("name", f"a name of at most {NAME_MAX} printable characters is needed")
    if expires_at is not None and expires_at <= by.at:
        raise InvalidInput("expires_at", "a moment to come is needed")
    _check_policies(connection, role, granted)
    plain = _plain(name)
    if plain == _plain(RESERVED) or any(_plain(key.name) == plain for key in keys.listed(connection)):
        raise Conflict("key", name, "a key has or had this name; rotate it, or take another name")
    made = keys.create(
        connection, pepper, name=name, role=role, policies=granted, expires_at=expires_at, actor=by.actor, at=by.at,
        reason=by.reason,
    )  # fmt: skip
    return {**reply(keys.one(connection, keys.prefix_of(made))), "key": made}


def rotate(
    connection: Connection, pepper: bytes, prefix: str, overlap_hours: int, by: By, doors: Doors | None
) -> Reply:  # fmt: skip
    """Make a key that takes another one's place, under its name, with its rights, for as long as it was made for.

    The old one ends after ``overlap_hours``, 0 at once, and in no case later than it would have.

    Raises:
        NotFound: no key has this prefix.
        InvalidInput: more hours than a week has.
        Conflict: it was revoked or rotated before or has expired, or no admin could come in any more.
    """
    if not 0 <= overlap_hours <= OVERLAP_HOURS_MAX:
        raise InvalidInput("overlap_hours", f"0 to {OVERLAP_HOURS_MAX} are needed")
    old = _live(connection, prefix, by.at)
    expires_at = None if old.expires_at is None else by.at + (old.expires_at - old.created_at)
    made = keys.create(
        connection, pepper, name=old.name, role=old.role, policies=old.policies, expires_at=expires_at,
        actor=by.actor, at=by.at, reason=by.reason,
    )  # fmt: skip
    new = keys.prefix_of(made)
    until = by.at + timedelta(hours=overlap_hours)
    until = until if old.expires_at is None else min(until, old.expires_at)
    keys.replace(connection, old, new, until, actor=by.actor, at=by.at, reason=by.reason)
    if old.role == ADMIN and overlap_hours == 0:
        keep_open(connection, by.at, doors, but=new)
    return {**reply(keys.one(connection, new)), "key": made, "rotated_from": prefix}


def revoke(connection: Connection, prefix: str, by: By, doors: Doors | None) -> Reply:
    """Let nobody in by a key any more, from now on.

    Raises:
        NotFound: no key has this prefix.
        Conflict: it was revoked before, or no admin could come in any more.
    """
    key = keys.one(connection, prefix)
    if not keys.revoke(connection, prefix, actor=by.actor, at=by.at, reason=by.reason):
        raise Conflict("key", prefix, "it was revoked before")
    if key.role == ADMIN:
        keep_open(connection, by.at, doors)
    return reply(keys.one(connection, prefix))


def grant(connection: Connection, prefix: str, granted: Sequence[str], by: By) -> Reply:
    """Say which policies a backend's key may name besides the default, from now on.

    Raises:
        NotFound: no key has this prefix, or nobody published such a policy.
        InvalidInput: the key may name all policies, or one is there twice.
        Conflict: the key lets nobody in any more.
    """
    key = _live(connection, prefix, by.at)
    _check_policies(connection, key.role, granted)
    keys.grant(connection, key, granted, actor=by.actor, at=by.at, reason=by.reason)
    return reply(keys.one(connection, prefix))


def reply(key: Key) -> Reply:
    """Write a key, without its secret; moments as they are stored."""
    return {
        "prefix": key.prefix,
        "name": key.name,
        "role": key.role,
        "policies": list(key.policies),
        "created_at": _text(key.created_at),
        "created_by": key.created_by,
        "expires_at": _text(key.expires_at),
        "revoked_at": _text(key.revoked_at),
        "rotated_to": key.rotated_to,
        "last_used_at": _text(key.last_used_at),
    }


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def _live(connection: Connection, prefix: str, at: datetime) -> Key:
    key = keys.one(connection, prefix)
    if key.rotated_to is not None:
        raise Conflict("key", prefix, f"{key.rotated_to} took its place")
    if not key.live(at):
        raise Conflict("key", prefix, "it was revoked or has expired")
    return key


def _check_policies(connection: Connection, role: str, names: Sequence[str]) -> None:
    if names and role != BACKEND:
        raise InvalidInput("policies", f"a key with the role {role} may name all of them")
    if len(set(names)) < len(names):
        raise InvalidInput("policies", "each is needed once")
    for name in names:
        if policies.newest(connection, name) is None:
            raise NotFound("policy", name[:64])


def _plain(name: str) -> str:
    """Return a name as people read it, who do not see capitals and spaces."""
    return " ".join(name.split()).casefold()
