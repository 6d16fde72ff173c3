"""What was kept of each source's last good fetch, and what its last accepted reading looked like."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from planner.core.guards import Accepted
from planner.store import payloads
from planner.store import tables as t


def kept(connection: sa.Connection, source: str) -> dict[str, tuple[str, str, bytes]]:
    """Return url -> (ETag or "", digest, bytes) of a source's last good fetch."""
    fetches = t.fetches.c
    query = sa.select(fetches.url, fetches.etag, fetches.digest).where(fetches.source == source)
    rows = connection.execute(query).all()
    bodies = payloads.fetch(connection, [row.digest for row in rows])
    return {row.url: (row.etag or "", row.digest, bodies[row.digest]) for row in rows}


def keep(
    connection: sa.Connection, source: str, rows: Sequence[tuple[str, str | None, str]], bodies: Mapping[str, bytes],
    at: datetime,
) -> None:  # fmt: skip
    """Keep a good fetch, given as (url, ETag, digest), with its bytes by digest, in place of the one before."""
    payloads.keep(connection, dict(bodies), at)
    connection.execute(sa.delete(t.fetches).where(t.fetches.c.source == source))
    values = [
        {"url": url, "source": source, "etag": etag, "digest": digest, "fetched_at": at} for url, etag, digest in rows
    ]
    connection.execute(sa.insert(t.fetches), values)


def accepted(connection: sa.Connection, source: str) -> Accepted:
    """Return what the last accepted reading of a source looked like."""
    state = t.source_states.c
    row = connection.execute(sa.select(state.rows_read, state.offers_priced).where(state.source == source)).first()
    return Accepted() if row is None else Accepted(row.rows_read or 0, row.offers_priced or 0)


def seen(connection: sa.Connection, source: str) -> dict[str, datetime]:
    """Return the whole readings a source was accepted with: digest of their bytes -> when it was last said."""
    columns = t.seen_readings.c
    query = sa.select(columns.digest, columns.last_seen_at).where(columns.source == source)
    return {row.digest: row.last_seen_at for row in connection.execute(query)}


def note_seen(connection: sa.Connection, source: str, digest: str, at: datetime) -> None:
    """Remember that a source said this; what it said last is what was seen last."""
    row = t.seen_readings
    done = connection.execute(
        sa.update(row).where(row.c.source == source, row.c.digest == digest).values(last_seen_at=at)
    )
    if not done.rowcount:
        connection.execute(sa.insert(row).values(source=source, digest=digest, first_seen_at=at, last_seen_at=at))


def spoken(connection: sa.Connection) -> frozenset[str]:
    """Return the sources that were read live at least once."""
    state = t.source_states.c
    return frozenset(connection.execute(sa.select(state.source).where(state.last_success_at.is_not(None))).scalars())


def free_offers(connection: sa.Connection) -> frozenset[str]:
    """Return the offers that are curated as free."""
    return frozenset(connection.execute(sa.select(t.free_offers.c.offer_id)).scalars())
