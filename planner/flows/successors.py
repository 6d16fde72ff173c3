"""A request that several streams told counts by another row once the row that counted is taken out."""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta

from planner.core.event import Event
from planner.flows.posting import Anew
from planner.store import streams, usage
from planner.store.engine import Connection
from planner.store.usage import Change

_EPOCH_DAY = datetime(1970, 1, 1, tzinfo=UTC).toordinal()


def succeed(connection: Connection, requests: Collection[str]) -> list[Change]:
    """Let the oldest row of each request count that no row counts for any more; return what is to be booked.

    Args:
        connection: an open write transaction, in which the rows that counted are marked already.
        requests: the provider's own ids of the requests of those rows.
    """
    held = set(usage.by_requests(connection, requests))
    anew, changes = Anew(connection), list[Change]()
    for stored in usage.waiting(connection, set(requests) - held):
        event = stored.event
        if event.request_id in held:
            continue
        held.add(event.request_id or "")
        judged = anew.judge(event)
        usage.mark(connection, stored.row, usage.LIVE)
        note_days(connection, event.source, [(judged.served.party, event)])
        changes.append(Change("usage", stored.row, event.at, None, judged.posting))
    return changes


def note_days(connection: Connection, source: str, told: Iterable[tuple[str, Event]]) -> None:
    """Note of which provider and days a stream has rows that count: who is paid for each, and the row."""
    streams.note_days(connection, streams.required(connection, source), days_told(told))


def days_told(told: Iterable[tuple[str, Event]]) -> Mapping[streams.Day, bool]:
    """Return on which days who is paid for rows that count, and whether all of these name the request."""
    return streams.days_of(
        (party, day, event.request_id is not None) for party, event in told for day in days_of(event)
    )


def days_of(event: Event) -> range:
    """Return the days of UTC a row is about, counted from 1970."""
    last = event.at if event.until is None else event.until - timedelta.resolution
    first_day, last_day = (moment.astimezone(UTC).toordinal() - _EPOCH_DAY for moment in (event.at, last))
    return range(first_day, last_day + 1)
