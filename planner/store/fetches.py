"""What was kept of each source's last good fetch, and what its last accepted reading looked like."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa

from planner.core.guards import Accepted
from planner.store import holds, json_text, payloads
from planner.store import tables as t


class Answer(NamedTuple):
    """One answer of a good fetch; ``kept`` where the last one stood in for it."""

    url: str
    etag: str | None
    digest: str
    body: bytes
    kept: bool


# An answer that cannot be had is replaced by the last one for so long, and not longer.
STANDS_IN_FOR = timedelta(days=7)
# A list that shrinks a little every day is held against what it was weeks ago.
COMPARED_WITH = timedelta(days=30)


def kept(connection: sa.Connection, source: str, at: datetime) -> dict[str, tuple[str, str, bytes, bool]]:
    """Return url -> (ETag or "", digest, bytes, whether they are recent) of a source's last good fetch."""
    fetches = t.fetches.c
    query = sa.select(fetches.url, fetches.etag, fetches.digest, fetches.fetched_at).where(fetches.source == source)
    rows = connection.execute(query).all()
    bodies = payloads.fetch(connection, [row.digest for row in rows])
    return {
        row.url: (row.etag or "", row.digest, bodies[row.digest], row.fetched_at > at - STANDS_IN_FOR) for row in rows
    }


def keep(connection: sa.Connection, source: str, answers: Sequence[Answer], at: datetime) -> None:
    """Keep a good fetch with its bytes, in place of the one before. What only stood in keeps its old date."""
    f = t.fetches.c
    payloads.keep(connection, {answer.digest: answer.body for answer in answers}, at)
    dates = {
        row.url: row.fetched_at for row in connection.execute(sa.select(f.url, f.fetched_at).where(f.source == source))
    }
    connection.execute(sa.delete(t.fetches).where(f.source == source))
    values = [
        {
            "url": answer.url, "source": source, "etag": answer.etag, "digest": answer.digest,
            "fetched_at": dates.get(answer.url, at) if answer.kept else at,
        }
        for answer in answers
    ]  # fmt: skip
    connection.execute(sa.insert(t.fetches), values)


def accepted(connection: sa.Connection, source: str, at: datetime) -> Accepted:
    """Return what a source's accepted readings of the last weeks looked like, at their largest, and what they named.

    They count since a person last let a reading through; the last one counts however old it is. Before the first,
    what the source is believed to say counts: the bundled catalogue has quotes of it.
    """
    r, h, q = t.refreshes.c, t.holds.c, t.quotes.c
    # A refresh that found nothing new was no reading, and counted nothing.
    read = r.source == source, r.outcome != "refused", r.summary != json_text.dump({})
    first = connection.scalar(sa.select(sa.func.min(r.finished_at)).where(*read))
    if first is None:
        priced = sa.func.count().filter(q.unpriced.is_(None))
        current = sa.select(sa.func.count(), priced).where(q.source == source, q.withdrawn_at.is_(None))
        rows, offers = connection.execute(current).one()
        return Accepted(rows, offers, live=False)
    used = connection.scalar(
        sa.select(sa.func.max(h.last_seen_at)).where(
            h.source == source, h.offer_id.is_(None), h.state == holds.USED
        )
    )  # fmt: skip
    since = max(moment for moment in (at - COMPARED_WITH, used) if moment is not None)
    query = sa.select(r.summary).where(*read).order_by(r.id.desc())
    looked = connection.scalars(query.where(r.finished_at >= since)).all() or connection.scalars(query.limit(1)).all()
    counts = [json_text.load(text) for text in looked]
    # What the bundle named alone is no loss.
    gone = q.withdrawn_at > max(since, first)
    named = sa.select(q.offer_id).where(
        q.source == source, q.unpriced.is_(None), sa.or_(q.withdrawn_at.is_(None), gone)
    )
    return Accepted(
        max(int(row["rows_read"]) for row in counts),
        max(int(row["offers_priced"]) for row in counts),
        names=frozenset(connection.scalars(named)),
    )


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
