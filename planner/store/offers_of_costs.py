"""Through which channel offers are reached, asked for those that something was booked for."""

from collections.abc import Iterable

import sqlalchemy as sa

from planner.store.recall import of_offers
from planner.store.tables import offers


def channels(connection: sa.Connection, ids: Iterable[str]) -> dict[str, str]:
    """Return the channel of each offer."""
    columns = offers.c.id, offers.c.channel_id
    return {row.id: row.channel_id for row in of_offers(connection, columns, offers.c.id, sorted(set(ids)))}
