"""A bucket of usage that was pulled under one grouping is not pulled under another one beside it."""

from collections.abc import Iterable

from planner.core.errors import Conflict
from planner.core.event import Event, Role
from planner.core.grouping import may_share
from planner.flows.successors import days_of
from planner.store import aggregates, streams
from planner.store.engine import Connection
from planner.store.streams import Stream


def refuse(connection: Connection, stream: Stream, pulled: Iterable[Event]) -> None:
    """Refuse aggregates that count again what a stream has on record, before any of them is taken in.

    What is pulled once more under the same grouping has every row again that is on record, and newer ones perhaps. So
    only where a row is not told again do the new ones beside it tell of its requests under another grouping or width.

    Args:
        connection: one consistent read.
        stream: the stream as it is asked for.
        pulled: all rows of the file.

    Raises:
        Conflict: a person has to say that these are others, or to take those on record back.
    """
    found = streams.find(connection, stream.source)
    by_id = {event.id: event for event in pulled}
    if found is None or Role.EVIDENCE in (found.role, stream.role) or not by_id:
        return
    since = min(event.at for event in by_id.values())
    until = max(event.until or event.at for event in by_id.values())
    known, others = aggregates.held_against(connection, stream.source, since, until, by_id.keys())
    new: dict[int, list[Event]] = {}
    for id_ in by_id.keys() - known:
        for day in days_of(by_id[id_]):
            new.setdefault(day, []).append(by_id[id_])
    for other in others:
        if any(may_share(other, event) for day in days_of(other) for event in new.get(day, ())):
            raise Conflict(
                "stream_overlap", stream.source[:80],
                f"usage of {other.at:%Y-%m-%d} was pulled grouped otherwise, or in other buckets, before: pull it as "
                "then, void those rows, or say with role=ledger that these are others",
            )  # fmt: skip
