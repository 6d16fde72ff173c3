"""API keys: a public prefix to find one by, and a digest to check it with; the key itself is shown once."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from planner.core.errors import UNSAID
from planner.store import audit, json_text, revision
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
) -> str:
    """Make a key, store its digest, write the audit entry, and return the key: nobody can ask for it again."""
    prefix = f"pk_{secrets.token_hex(PREFIX_CHARACTERS // 2)}"
    key = f"{prefix}_{secrets.token_urlsafe(SECRET_BYTES)}"
    row = {
        "prefix": prefix,
        "mac": mac_of(pepper, key),
        "name": name,
        "role": role,
        "policies": json_text.dump(list(policies)) if policies else None,
        "created_at": at,
        "expires_at": expires_at,
    }
    connection.execute(sa.insert(keys).values(row))
    audit.record(
        connection, at=at, actor=actor, action="key.create", subject=prefix, before=None, reason=reason,
        after={"name": name, "role": role, "policies": list(policies or ()),
               "expires_at": None if expires_at is None else expires_at.isoformat()},
    )  # fmt: skip
    revision.bump(connection, keys=True)
    return key


def revoke(connection: sa.Connection, prefix: str, *, actor: str, at: datetime, reason: str = UNSAID) -> bool:
    """Revoke a key; False where no live key has this prefix."""
    done = connection.execute(
        sa.update(keys).where(keys.c.prefix == prefix, keys.c.revoked_at.is_(None)).values(revoked_at=at)
    )
    if not done.rowcount:
        return False
    audit.record(
        connection, at=at, actor=actor, action="key.revoke", subject=prefix, before={"revoked_at": None},
        after={"revoked_at": at.isoformat()}, reason=reason,
    )  # fmt: skip
    revision.bump(connection, keys=True)
    return True


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


def listed(connection: sa.Connection) -> list[dict[str, Any]]:
    """Return every key without its digest; times as text."""
    rows = connection.execute(sa.select(keys).order_by(keys.c.created_at, keys.c.prefix))
    return [
        {
            "prefix": row.prefix,
            "name": row.name,
            "role": row.role,
            "policies": json_text.load(row.policies or "[]"),
            "created_at": row.created_at.isoformat(),
            "expires_at": None if row.expires_at is None else row.expires_at.isoformat(),
            "revoked_at": None if row.revoked_at is None else row.revoked_at.isoformat(),
        }
        for row in rows
    ]
