"""The bytes a source sent, kept compressed under their digest, so that a figure can be traced to its source."""

import zlib
from datetime import datetime

import sqlalchemy as sa

from planner.store.tables import payloads


def keep(connection: sa.Connection, bodies: dict[str, bytes], at: datetime) -> None:
    """Store payloads by digest; those already kept are left alone."""
    known = set(connection.execute(sa.select(payloads.c.digest)).scalars()) if bodies else set()
    rows = [
        {"digest": digest, "size": len(body), "body": zlib.compress(body, 3), "stored_at": at}
        for digest, body in bodies.items()
        if digest not in known
    ]
    if rows:
        connection.execute(sa.insert(payloads), rows)


def fetch(connection: sa.Connection, digest: str) -> bytes | None:
    """Return the bytes of a digest, or None where they are not kept."""
    body = connection.execute(sa.select(payloads.c.body).where(payloads.c.digest == digest)).scalar()
    return None if body is None else zlib.decompress(body)
