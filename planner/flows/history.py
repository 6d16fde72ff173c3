"""What was true and what we believed: the price cards of one offer, and what changed lately."""

from datetime import datetime

from planner.core.price import PriceCard
from planner.store import cards
from planner.store.engine import Store

KnownCard = tuple[PriceCard, datetime]


def prices(
    store: Store, offer: str, from_: datetime | None, to: datetime | None, known_at: datetime | None
) -> list[KnownCard]:
    """Return an offer's cards that hold somewhere in [from_, to), as known at a moment, with when each was recorded.

    ``known_at`` None is now. In time order.
    """
    with store.read() as connection:
        known = cards.of_offer(connection, offer, known_at)
    return [
        (card, recorded)
        for card, recorded in known
        if (to is None or card.valid_from < to) and (from_ is None or card.valid_to is None or card.valid_to > from_)
    ]


def price_changes(
    store: Store,
    since: datetime,
    *,
    by_record: bool,
    known_at: datetime | None,
    before: cards.Place | None,
    limit: int,
) -> list[cards.PriceChange]:
    """Return the prices that began or ended since a moment, or on the record since, newest first, a page at a time."""
    with store.read() as connection:
        return cards.changes(connection, since, by_record=by_record, known_at=known_at, before=before, limit=limit)
