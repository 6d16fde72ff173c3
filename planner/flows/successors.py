"""A request that several streams told counts once: by the row that was told first, or else the first one with a cost.

A row without a cost gives way to one that has a cost, whichever of them came first, and also where a cost becomes known
or is lost later. A row with a cost gives way to none: of two prices for one request the first that was known counts, so
that nothing goes back and forth. Once the row that counts is taken out, another one counts by the same rule.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from planner.core.event import Event
from planner.core.posting import UNPRICED, Posting
from planner.flows.posting import Anew, Judged
from planner.store import streams, usage
from planner.store.engine import Connection
from planner.store.usage import Change, Stored

_EPOCH_DAY = datetime(1970, 1, 1, tzinfo=UTC).toordinal()


def has_cost(posting: Posting) -> bool:
    """Tell whether it is known what a row cost: by our own rating, or by what who bills it reported."""
    return posting.dims.cost_basis != UNPRICED


def succeed(connection: Connection, requests: Collection[str]) -> list[Change]:
    """Let a row of each request count that no row counts for any more; return what is to be booked.

    Args:
        connection: an open write transaction, in which the rows that counted are marked already.
        requests: the provider's own ids of the requests of those rows.
    """
    held = set(usage.by_requests(connection, requests))
    return [_counts(connection, *one) for one in _best(connection, set(requests) - held).values()]


class Handover(NamedTuple):
    """A row without a cost that counted, and the one with a cost that counts in its place."""

    gives_way: Stored
    counts: Stored
    judged: Judged


def contested(connection: Connection, requests: Collection[str]) -> list[Handover]:
    """Return which of these requests count by a row without a cost while one with a cost waits."""
    counting = {one.event.request_id or "": one for one in usage.counting(connection, requests)}
    poor = {name: one for name, one in counting.items() if one.posting is not None and not has_cost(one.posting)}
    best = _best(connection, poor)
    return [Handover(poor[name], *one) for name, one in best.items() if has_cost(one[1].posting)]


def hand_over(connection: Connection, found: Iterable[Handover]) -> list[Change]:
    """Let the rows with a cost count, and the others wait; return what is to be booked."""
    changes = list[Change]()
    for old, new, judged in found:
        usage.mark(connection, old.row, usage.DUPLICATE)
        changes.append(Change("superseded", old.row, old.event.at, old.posting, None, old.booked_in))
        changes.append(_counts(connection, new, judged))
    return changes


def _best(connection: Connection, requests: Collection[str]) -> dict[str, tuple[Stored, Judged]]:
    """Return the first row that waits for each request, or else the first one with a cost."""
    found = dict[str, tuple[Stored, Judged]]()
    waiting = usage.waiting(connection, requests)
    if not waiting:
        # Prices and customers are not read for nothing.
        return found
    anew = Anew(connection)
    for stored in waiting:
        name = stored.event.request_id or ""
        if name in found and has_cost(found[name][1].posting):
            continue
        judged = anew.judge(stored.event)
        if name not in found or has_cost(judged.posting):
            found[name] = stored, judged
    return found


def _counts(connection: Connection, stored: Stored, judged: Judged) -> Change:
    usage.mark(connection, stored.row, usage.LIVE)
    usage.served_by(connection, {stored.row: judged.served.offer})
    note_days(connection, stored.event.source, [(judged.served.party, stored.event)])
    return Change("usage", stored.row, stored.event.at, None, judged.posting)


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
