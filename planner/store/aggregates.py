"""Aggregates on record, to be held against others of the same days."""

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from planner.core.event import Event
from planner.core.event_form import read_event
from planner.store import json_text
from planner.store.tables import ledger
from planner.store.usage import EVIDENCE, LIVE, LONGEST


def held_against(
    connection: sa.Connection, source: str, since: datetime, until: datetime, ids: Collection[str]
) -> tuple[set[str], list[Event]]:
    """Return which of these ids a stream has on record, and its other rows that may reach into a span of time.

    Only rows that count are looked at.
    """
    e = ledger.usage_events.c
    # The second condition says nothing new, and lets the index of ids be used, which begins with the stream.
    states = e.state == LIVE, e.state != sa.literal_column("'superseded'")
    query = sa.select(e.event_id, e.document).where(e.source == source, *states, e.at >= since - LONGEST, e.at < until)
    known, others = set[str](), list[Event]()
    for id_, document in connection.execute(query):
        if id_ in ids:
            known.add(id_)
        else:
            others.append(read_event(json_text.load(document)))
    return known, others


def within(connection: sa.Connection, source: str, since: datetime, until: datetime) -> list[Event]:
    """Return the aggregates a stream has on record that lie in a span of time as a whole, whether they count or not."""
    e = ledger.usage_events.c
    states = e.state.in_((LIVE, EVIDENCE)), e.state != sa.literal_column("'superseded'")
    query = sa.select(e.document).where(e.source == source, *states, e.at >= since, e.at < until).order_by(e.id)
    found = (read_event(json_text.load(document)) for document in connection.execute(query).scalars())
    return [event for event in found if event.until is not None and event.until <= until]


def stored_since(connection: sa.Connection, source: str, row: int) -> bool:
    """Tell whether a stream has rows that were stored under this number or a later one."""
    e = ledger.usage_events.c
    return connection.execute(sa.select(e.id).where(e.id >= row, e.source == source).limit(1)).first() is not None
