"""Streams of usage: whether their rows count, what their prompts contain, and on which days two told the same."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from planner.core.errors import NotFound
from planner.core.event import Containment, Role
from planner.store.tables import ledger


class Stream(NamedTuple):
    """A stream: its role, whether a person chose it, the account it is of, and whose spellings it uses.

    ``mutable``: it may say something newer of a row it sent. ``own``: it is sent by a backend that made the requests
    itself, so that two such streams never tell of the same one. ``in_place``: its rows are not on record, but lie in
    files that were rated where they are.
    """

    source: str
    role: Role
    chosen: bool = False
    account: str = ""
    feed: str = ""
    mutable: bool = False
    own: bool = False
    in_place: bool = False


def find(connection: sa.Connection, source: str) -> Stream | None:
    """Return a stream, if it ever sent anything."""
    s = ledger.streams.c
    row = connection.execute(sa.select(ledger.streams).where(s.source == source)).first()
    if row is None:
        return None
    return _stream(row)


def _stream(row: Any) -> Stream:  # noqa: ANN401  # a row of the table
    return Stream(row.source, Role(row.role), row.chosen, row.account, row.feed, row.mutable, row.own, row.in_place)


def every(connection: sa.Connection) -> list[Stream]:
    """Return all streams by name."""
    rows = connection.execute(sa.select(ledger.streams).order_by(ledger.streams.c.source))
    return [_stream(row) for row in rows]


def keep(connection: sa.Connection, stream: Stream, at: datetime, by: str) -> None:
    """Write a stream as it is now."""
    values = {
        "role": stream.role.value, "chosen": stream.chosen, "account": stream.account, "feed": stream.feed,
        "mutable": stream.mutable, "own": stream.own, "in_place": stream.in_place, "recorded_at": at, "recorded_by": by,
    }  # fmt: skip
    place = ledger.streams.c.source == stream.source
    if find(connection, stream.source) is None:
        connection.execute(sa.insert(ledger.streams).values(source=stream.source, **values))
    else:
        connection.execute(sa.update(ledger.streams).where(place).values(**values))


def required(connection: sa.Connection, source: str) -> Stream:
    """Return a stream.

    Raises:
        NotFound: nothing was ever sent under this name.
    """
    stream = find(connection, source)
    if stream is None:
        raise NotFound("stream", source[:80])
    return stream


def containments(connection: sa.Connection, source: str) -> dict[str, Containment]:
    """Return what is known of the prompts of a stream, by provider as it spells them."""
    c = ledger.stream_containments.c
    rows = connection.execute(sa.select(ledger.stream_containments).where(c.source == source))
    return {row.provider: Containment(row.includes_cached, row.because) for row in rows}


def settle(connection: sa.Connection, source: str, provider: str, found: Containment, at: datetime) -> None:
    """Write what is known of the prompts of a stream."""
    c = ledger.stream_containments.c
    values = {"includes_cached": found.includes_cached, "because": found.because, "recorded_at": at}
    place = c.source == source, c.provider == provider
    if connection.execute(sa.update(ledger.stream_containments).where(*place).values(**values)).rowcount == 0:
        connection.execute(sa.insert(ledger.stream_containments).values(source=source, provider=provider, **values))


Day = tuple[str, int]
"""Who is paid, and a day of UTC counted from 1970."""


def told_twice(connection: sa.Connection, stream: Stream, days: Mapping[Day, bool]) -> str | None:
    """Return another stream that counts and may have told the same, or None.

    Args:
        connection: an open transaction.
        stream: the one that tells now.
        days: for each day it tells of, whether all its rows name the provider's id of the request.
    """
    d, s = ledger.stream_days.c, ledger.streams.c
    query = (
        sa.select(d.source, d.party, d.day, d.named)
        .join(ledger.streams, s.source == d.source)
        .where(d.account == stream.account, d.source != stream.source, s.role == Role.LEDGER.value)
    )
    if not days:
        return None
    if stream.own:
        query = query.where(s.own.is_(False))
    first, last = min(day for _party, day in days), max(day for _party, day in days)
    query = query.where(d.day.between(first, last), d.party.in_({party for party, _day in days})).order_by(d.source)
    for source, party, day, named in connection.execute(query):
        if (party, day) in days and not (named and days[party, day]):
            return str(source)
    return None


def told_before(connection: sa.Connection, source: str, days: Iterable[Day]) -> Day | None:
    """Return the first of these days that a stream told something of before, or None."""
    d = ledger.stream_days.c
    known = {(row.party, row.day) for row in connection.execute(sa.select(d.party, d.day).where(d.source == source))}
    return min((day for day in days if day in known), key=lambda pair: pair[::-1], default=None)


def note_days(connection: sa.Connection, stream: Stream, days: Mapping[Day, bool]) -> None:
    """Write on which days a stream told something."""
    d = ledger.stream_days.c
    for (party, day), named in days.items():
        place = d.party == party, d.account == stream.account, d.day == day, d.source == stream.source
        found = connection.execute(sa.select(d.named).where(*place)).first()
        if found is None:
            connection.execute(
                sa.insert(ledger.stream_days).values(
                    party=party, account=stream.account, day=day, source=stream.source, named=named
                )
            )
        elif found.named and not named:
            connection.execute(sa.update(ledger.stream_days).where(*place).values(named=False))


def days_of(parties: Iterable[tuple[str, int, bool]]) -> dict[Day, bool]:
    """Gather, for each day, whether all rows name the request."""
    days: dict[Day, bool] = {}
    for party, day, named in parties:
        days[party, day] = days.get((party, day), True) and named
    return days
