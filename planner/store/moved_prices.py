"""Which prices are other ones than at an earlier revision, and when."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from planner.core.changes import differing
from planner.store import cards
from planner.store.tables import price_cards, revisions

Span = tuple[datetime, datetime | None]


def published_at(connection: sa.Connection, revision: int) -> datetime:
    """Return when a revision was published; before the first one, the beginning of time."""
    query = sa.select(revisions.c.published_at).where(revisions.c.number == revision)
    found: datetime | None = connection.scalar(query)
    return _BEGINNING if found is None else found


_BEGINNING = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def _moved(revision: int, was: datetime) -> sa.ColumnElement[bool]:
    card = price_cards.c
    return sa.or_(card.revision > revision, card.recorded_to >= was)


def offers(connection: sa.Connection, revision: int, was: datetime) -> Sequence[str]:
    """Return the offers some card of which was opened or closed after a revision."""
    return connection.execute(sa.select(price_cards.c.offer_id).where(_moved(revision, was)).distinct()).scalars().all()


def spans(connection: sa.Connection, offer: str, revision: int, was: datetime) -> list[Span]:
    """Return when an offer's price is another one now than at a revision; perhaps more, and never less."""
    at_once = sa.select(revisions.c.number).where(revisions.c.number > revision, revisions.c.published_at == was)
    if connection.execute(at_once.limit(1)).first() is None:
        before = [card for card, _at in cards.of_offer(connection, offer, was)]
        return differing(before, [card for card, _at in cards.of_offer(connection, offer, None)])
    # Two revisions of one moment: which of them closed a card is not on record, so all that moved is looked at.
    card = price_cards.c
    query = sa.select(card.valid_from, card.valid_to).where(card.offer_id == offer, _moved(revision, was))
    return [(row.valid_from, row.valid_to) for row in connection.execute(query)]
