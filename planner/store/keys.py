"""API keys: a public prefix to find one by, and a digest to check it with; the key itself is shown once."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from planner.core.errors import UNSAID, NotFound
from planner.store import audit, json_text, revision
from planner.store.json_text import time_text
from planner.store.tables import keys

PREFIX_CHARACTERS = 8
SECRET_BYTES = 32
KEY_CHARACTERS_MAX = 200


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What a valid key stands for. ``policies`` are those a backend key may name besides the default."""

    prefix: str
    name: str
    role: str
    policies: tuple[str, ...]
    mac: bytes
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key as it is kept, without its digest. ``rotated_to`` is the prefix of the one that takes its place."""

    prefix: str
    name: str
    role: str
    policies: tuple[str, ...]
    created_at: datetime
    created_by: str | None
    expires_at: datetime | None
    revoked_at: datetime | None
    rotated_to: str | None
    last_used_at: datetime | None

    def live(self, at: datetime) -> bool:
        """Tell whether it lets somebody in."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


class KeyRing:
    """The keys of one revision; looking one up takes the same time whether its prefix exists or not."""

    def __init__(self, pepper: bytes, found: Mapping[str, KeyFacts]) -> None:
        """Keep the keys that are not revoked."""
        self._pepper, self._found = pepper, found
        self._nobody = KeyFacts("", "", "", (), bytes(hashlib.sha256().digest_size))

    def find(self, key: str, at: datetime) -> KeyFacts | None:
        """Return what a key stands for, or None for a wrong, revoked or expired one."""
        if not key.isascii() or len(key) > KEY_CHARACTERS_MAX:
            return None
        facts = self._found.get(prefix_of(key), self._nobody)
        # The digest is computed and compared for unknown prefixes too: the difference could be measured outside.
        same = hmac.compare_digest(mac_of(self._pepper, key), facts.mac)
        if not same or facts is self._nobody:
            return None
        return None if facts.expires_at is not None and facts.expires_at <= at else facts


def prefix_of(key: str) -> str:
    """Return the public part of a key, ``pk_`` and eight characters."""
    return key[: len("pk_") + PREFIX_CHARACTERS]


def mac_of(pepper: bytes, key: str) -> bytes:
    """Return the digest under which a key is stored. A long random key gains nothing from a slow hash."""
    return hmac.digest(pepper, key.encode(), "sha256")


def create(
    connection: sa.Connection,
    pepper: bytes,
    *,
    name: str,
    role: str,
    policies: Sequence[str] | None,
    expires_at: datetime | None,
    actor: str,
    at: datetime,
    reason: str = UNSAID,
    created_by: str | None = None,
) -> str:
    """Make a key, store its digest, write the audit entry, and return the key: nobody can ask for it again.

    ``created_by`` is who wanted it, where somebody else is on record as the one who made it.
    """
    prefix = f"pk_{secrets.token_hex(PREFIX_CHARACTERS // 2)}"
    key = f"{prefix}_{secrets.token_urlsafe(SECRET_BYTES)}"
    row = {
        "prefix": prefix,
        "mac": mac_of(pepper, key),
        "name": name,
        "role": role,
        "policies": json_text.dump(list(policies)) if policies else None,
        "created_at": at,
        "created_by": created_by or actor,
        "expires_at": expires_at,
    }
    connection.execute(sa.insert(keys).values(row))
    after = {
        "name": name,
        "role": role,
        "policies": list(policies or ()),
        "expires_at": time_text(expires_at),
    }
    _told(connection, "create", prefix, None, after, at=at, actor=actor, reason=reason)
    return key


def revoke(
    connection: sa.Connection, prefix: str, *, actor: str, at: datetime, reason: str = UNSAID
) -> bool:  # fmt: skip
    """Revoke a key; False where no live key has this prefix."""
    done = connection.execute(
        sa.update(keys).where(keys.c.prefix == prefix, keys.c.revoked_at.is_(None)).values(revoked_at=at)
    )
    if not done.rowcount:
        return False
    _told(connection, "revoke", prefix, {"revoked": False}, {"revoked": True}, at=at, actor=actor, reason=reason)
    return True


def replace(
    connection: sa.Connection, key: Key, by: str, until: datetime, *, actor: str, at: datetime, reason: str
) -> None:  # fmt: skip
    """Let a key end at a moment, now or later, in favour of the one with the prefix ``by``."""
    facts: dict[str, Any] = {"rotated_to": by, **({"expires_at": until} if until > at else {"revoked_at": at})}
    connection.execute(sa.update(keys).where(keys.c.prefix == key.prefix).values(facts))
    before = {"rotated_to": None, "expires_at": time_text(key.expires_at)}
    after = {"rotated_to": by, "expires_at": time_text(until)}
    _told(connection, "rotate", key.prefix, before, after, at=at, actor=actor, reason=reason)


def grant(
    connection: sa.Connection, key: Key, policies: Sequence[str], *, actor: str, at: datetime, reason: str
) -> None:  # fmt: skip
    """Let a key name these policies besides the default, and no others."""
    stored = json_text.dump(list(policies)) if policies else None
    connection.execute(sa.update(keys).where(keys.c.prefix == key.prefix).values(policies=stored))
    before, after = {"policies": list(key.policies)}, {"policies": list(policies)}
    _told(connection, "policies", key.prefix, before, after, at=at, actor=actor, reason=reason)


def used(connection: sa.Connection, moments: Mapping[str, datetime]) -> None:
    """Note when keys were used last, by prefix; what another process noted later stands."""
    for prefix, at in sorted(moments.items()):
        earlier = sa.or_(keys.c.last_used_at.is_(None), keys.c.last_used_at < at)
        connection.execute(sa.update(keys).where(keys.c.prefix == prefix, earlier).values(last_used_at=at))


def _told(
    connection: sa.Connection, verb: str, prefix: str, before: object, after: object, *, at: datetime, actor: str,
    reason: str,
) -> None:  # fmt: skip
    audit.record(
        connection, at=at, actor=actor, action=f"key.{verb}", subject=prefix, before=before, after=after, reason=reason
    )
    revision.bump(connection, keys=True)


def load_keys(connection: sa.Connection, pepper: bytes, admin_key: str | None = None) -> KeyRing:
    """Load every key that is not revoked; ``admin_key`` is the one of the settings, valid without a row."""
    found = {
        row.prefix: KeyFacts(
            row.prefix, row.name, row.role, tuple(json_text.load(row.policies or "[]")), row.mac, row.expires_at
        )
        for row in connection.execute(sa.select(keys).where(keys.c.revoked_at.is_(None)))
    }
    if admin_key is not None:
        prefix = prefix_of(admin_key)
        found[prefix] = KeyFacts(prefix, "PLANNER_ADMIN_KEY", "admin", (), mac_of(pepper, admin_key))
    return KeyRing(pepper, found)


def listed(connection: sa.Connection) -> list[Key]:
    """Return every key, also those that let nobody in any more, in the order in which they were made."""
    return [_read(row) for row in connection.execute(sa.select(keys).order_by(keys.c.created_at, keys.c.prefix))]


def one(connection: sa.Connection, prefix: str) -> Key:
    """Return a key.

    Raises:
        NotFound: none has this prefix.
    """
    row = connection.execute(sa.select(keys).where(keys.c.prefix == prefix)).first()
    if row is None:
        raise NotFound("key", prefix[: len("pk_") + PREFIX_CHARACTERS])
    return _read(row)


def _read(row: sa.Row[Any]) -> Key:
    return Key(
        prefix=row.prefix, name=row.name, role=row.role, policies=tuple(json_text.load(row.policies or "[]")),
        created_at=row.created_at, created_by=row.created_by, expires_at=row.expires_at, revoked_at=row.revoked_at,
        rotated_to=row.rotated_to, last_used_at=row.last_used_at,
    )  # fmt: skip
