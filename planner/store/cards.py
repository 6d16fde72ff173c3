"""Price cards read straight from the tables: the history of one offer, and the changes of all."""

import json
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from planner.core.price import Evidence, PriceCard
from planner.core.rate_form import read_rates
from planner.store.tables import price_cards, quotes

_COLUMNS = (
    price_cards.c.id,
    price_cards.c.offer_id,
    price_cards.c.rates,
    price_cards.c.valid_from,
    price_cards.c.valid_to,
    price_cards.c.recorded_from,
    quotes.c.source,
    quotes.c.source_url,
    quotes.c.observed_at,
    quotes.c.payload_digest,
)


def card_of(row: Any) -> PriceCard:  # noqa: ANN401  # a row of the columns above
    """Build a card from a row of `_COLUMNS`."""
    return PriceCard(
        id=str(row.id),
        offer=row.offer_id,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        rates=read_rates(json.loads(row.rates)),
        evidence=Evidence(row.source, row.source_url, row.observed_at, row.payload_digest),
    )


def of_offer(connection: sa.Connection, offer: str, known_at: datetime | None) -> list[tuple[PriceCard, datetime]]:
    """Return an offer's cards believed at ``known_at`` (None: now), in time order, with when each was recorded."""
    known: sa.ColumnElement[bool] = price_cards.c.recorded_to.is_(None)
    if known_at is not None:
        open_then = sa.or_(price_cards.c.recorded_to.is_(None), price_cards.c.recorded_to > known_at)
        known = sa.and_(price_cards.c.recorded_from <= known_at, open_then)
    query = (
        sa.select(*_COLUMNS)
        .join(quotes, quotes.c.id == price_cards.c.quote_id)
        .where(price_cards.c.offer_id == offer, known)
        .order_by(price_cards.c.valid_from, price_cards.c.id)
    )
    return [(card_of(row), row.recorded_from.astimezone(UTC)) for row in connection.execute(query)]


def changes(connection: sa.Connection, since: datetime, limit: int) -> list[tuple[PriceCard | None, PriceCard]]:
    """Return (card before or None, card after) for cards in force since a moment, newest first."""
    query = (
        sa.select(*_COLUMNS)
        .join(quotes, quotes.c.id == price_cards.c.quote_id)
        .where(price_cards.c.valid_from > since, price_cards.c.recorded_to.is_(None))
        .order_by(price_cards.c.valid_from.desc(), price_cards.c.id.desc())
        .limit(limit)
    )
    after = [card_of(row) for row in connection.execute(query)]
    return [(_before(connection, card), card) for card in after]


def _before(connection: sa.Connection, card: PriceCard) -> PriceCard | None:
    query = (
        sa.select(*_COLUMNS)
        .join(quotes, quotes.c.id == price_cards.c.quote_id)
        .where(
            price_cards.c.offer_id == card.offer,
            price_cards.c.recorded_to.is_(None),
            price_cards.c.valid_from < card.valid_from,
        )
        .order_by(price_cards.c.valid_from.desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    return None if row is None else card_of(row)
