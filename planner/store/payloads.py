"""The bytes a source sent, kept compressed under their digest, so that a figure can be traced to its source."""

import zlib
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from planner.store.tables import payloads

BATCH = 500


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


def fetch(connection: sa.Connection, digests: Sequence[str]) -> dict[str, bytes]:
    """Return the bytes of digests; those that are not kept are absent."""
    columns = sa.select(payloads.c.digest, payloads.c.body)
    found: dict[str, bytes] = {}
    for start in range(0, len(digests), BATCH):
        rows = connection.execute(columns.where(payloads.c.digest.in_(digests[start : start + BATCH])))
        found |= {digest: zlib.decompress(body) for digest, body in rows}
    return found
