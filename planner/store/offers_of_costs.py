"""Through which channel offers are reached, asked for those that something was booked for, and which there are."""

from collections.abc import Iterable

import sqlalchemy as sa

from planner.store.recall import of_offers
from planner.store.tables import channels as known_channels
from planner.store.tables import offers


def channels(connection: sa.Connection, ids: Iterable[str]) -> dict[str, str]:
    """Return the channel of each offer."""
    columns = offers.c.id, offers.c.channel_id
    return {row.id: row.channel_id for row in of_offers(connection, columns, offers.c.id, sorted(set(ids)))}


def brokers(connection: sa.Connection) -> frozenset[str]:
    """Return the channels that are none of a provider's own."""
    ids = connection.execute(sa.select(known_channels.c.id)).scalars()
    return frozenset(id_ for id_ in ids if id_ != "direct")
