"""An admin's work on keys: making, rotating and revoking them, and saying which policies a backend may name."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from planner.core.errors import Conflict, InvalidInput, NotFound, readable
from planner.flows.second import By, Kind, Reply, Wish
from planner.flows.way_in import ADMIN, Doors, keep_open
from planner.store import keys, policies
from planner.store.engine import Connection
from planner.store.json_text import time_text
from planner.store.keys import Key
from planner.store.makers import KEY_CREATE, KEY_ROTATE

CREATE, ROTATE, GRANT = KEY_CREATE, KEY_ROTATE, "key.policies"
BACKEND = "backend"
ROLES = (BACKEND, "finance", ADMIN)
# The key of the settings goes by this name in the audit trail.
RESERVED = "PLANNER_ADMIN_KEY"
NAME_MAX = 100
OVERLAP_HOURS_MAX = 168


def kinds(pepper: bytes, doors: Doors | None) -> dict[str, Kind]:
    """Return the changes of keys that a second person may have to agree to: those that let somebody reach more.

    That is a key for an admin, also one that would have ended and is rotated, and a policy that a backend may name.
    """
    return {
        CREATE: Kind(_wish_create, partial(_do_create, pepper), plans=False),
        ROTATE: Kind(_wish_rotate, partial(_do_rotate, pepper, doors), plans=False),
        GRANT: Kind(_wish_grant, _do_grant, plans=False),
    }


def _wish_create(connection: Connection, name: str, body: dict[str, Any], at: datetime) -> Wish:
    """Read ``role``, ``policies`` and ``expires_at`` of a key to make.

    Raises:
        InvalidInput: a name, role or end that cannot be, or policies for a key that may name all.
        NotFound: nobody published such a policy.
        Conflict: a key has or had this name; the trail would not say which of the two did something.
    """
    role, granted, expires_at = body["role"], body["policies"], _moment(body["expires_at"])
    if role not in ROLES:
        raise InvalidInput("role", f"one of {', '.join(ROLES)} is needed")
    if not readable(name) or len(name) > NAME_MAX:
        raise InvalidInput("name", f"a name of at most {NAME_MAX} printable characters is needed")
    if expires_at is not None and expires_at <= at:
        raise InvalidInput("expires_at", "a moment to come is needed")
    _check_policies(connection, role, granted)
    plain = _plain(name)
    if plain == _plain(RESERVED) or any(_plain(key.name) == plain for key in keys.listed(connection)):
        raise Conflict("key", name, "a key has or had this name; rotate it, or take another name")
    widens = (ADMIN,) if role == ADMIN else tuple(granted)
    return Wish(kind=CREATE, subject=name, body=body, widens=widens, basis="")


def _do_create(pepper: bytes, connection: Connection, wish: Wish, by: By) -> Reply:
    made = keys.create(
        connection, pepper, name=wish.subject, role=wish.body["role"], policies=wish.body["policies"],
        expires_at=_moment(wish.body["expires_at"]), actor=by.actor, at=by.at, reason=by.reason,
        created_by=by.wanted_by,
    )  # fmt: skip
    return {**reply(keys.one(connection, keys.prefix_of(made))), "key": made}


def _wish_rotate(connection: Connection, prefix: str, body: dict[str, Any], at: datetime) -> Wish:
    """Read ``overlap_hours`` of a key that takes another one's place, under its name and with its rights.

    Raises:
        NotFound: no key has this prefix.
        InvalidInput: more hours than a week has.
        Conflict: it was revoked or rotated before, or has expired.
    """
    if not 0 <= body["overlap_hours"] <= OVERLAP_HOURS_MAX:
        raise InvalidInput("overlap_hours", f"0 to {OVERLAP_HOURS_MAX} are needed")
    old = _live(connection, prefix, at)
    # The new one lives as long as the old one was made for: an admin who would have been out stays in.
    widens = ("expires_at",) if old.role == ADMIN and old.expires_at is not None else ()
    return Wish(kind=ROTATE, subject=prefix, body=body, widens=widens, basis="")


def _do_rotate(pepper: bytes, doors: Doors | None, connection: Connection, wish: Wish, by: By) -> Reply:
    old = keys.one(connection, wish.subject)
    overlap = timedelta(hours=wish.body["overlap_hours"])
    made = keys.create(
        connection, pepper, name=old.name, role=old.role, policies=old.policies,
        expires_at=None if old.expires_at is None else by.at + (old.expires_at - old.created_at),
        actor=by.actor, at=by.at, reason=by.reason, created_by=by.wanted_by,
    )  # fmt: skip
    new = keys.prefix_of(made)
    until = by.at + overlap if old.expires_at is None else min(by.at + overlap, old.expires_at)
    keys.replace(connection, old, new, until, actor=by.actor, at=by.at, reason=by.reason)
    if old.role == ADMIN and not overlap:
        keep_open(connection, by.at, doors, but=new)
    return {**reply(keys.one(connection, new)), "key": made, "rotated_from": old.prefix}


def _wish_grant(connection: Connection, prefix: str, body: dict[str, Any], at: datetime) -> Wish:
    """Read the ``policies`` a backend's key may name besides the default, from now on.

    Raises:
        NotFound: no key has this prefix, or nobody published such a policy.
        InvalidInput: the key may name all policies, or one is there twice.
        Conflict: the key lets nobody in any more.
    """
    key = _live(connection, prefix, at)
    _check_policies(connection, key.role, body["policies"])
    more = tuple(name for name in body["policies"] if name not in key.policies)
    return Wish(kind=GRANT, subject=prefix, body=body, widens=more, basis=" ".join(("policies", *key.policies)))


def _do_grant(connection: Connection, wish: Wish, by: By) -> Reply:
    key = keys.one(connection, wish.subject)
    keys.grant(connection, key, wish.body["policies"], actor=by.actor, at=by.at, reason=by.reason)
    return reply(keys.one(connection, key.prefix))


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


def reply(key: Key) -> Reply:
    """Write a key, without its secret; moments as they are stored."""
    return {
        "prefix": key.prefix,
        "name": key.name,
        "role": key.role,
        "policies": list(key.policies),
        "created_at": time_text(key.created_at),
        "created_by": key.created_by,
        "expires_at": time_text(key.expires_at),
        "revoked_at": time_text(key.revoked_at),
        "rotated_to": key.rotated_to,
        "last_used_at": time_text(key.last_used_at),
    }


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


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
