"""Price cards read straight from the tables: the history of one offer, and the changes of all."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from planner.core.price import Evidence, PriceCard
from planner.core.rate_form import read_rates
from planner.store.load import known
from planner.store.tables import price_cards, quotes

BATCH = 500
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
    query = (
        sa.select(*_COLUMNS)
        .join(quotes, quotes.c.id == price_cards.c.quote_id)
        .where(price_cards.c.offer_id == offer, known(price_cards, known_at))
        .order_by(price_cards.c.valid_from, price_cards.c.id)
    )
    return [(card_of(row), row.recorded_from.astimezone(UTC)) for row in connection.execute(query)]


class PriceChange(NamedTuple):
    """A card that came into force, or onto the record; the card before it, if any; and when it was recorded."""

    before: PriceCard | None
    after: PriceCard
    recorded_from: datetime


Place = tuple[datetime, int]
"""Where a page of changes ended: the moment its last card counts by, and the card's number."""


def changes(
    connection: sa.Connection,
    since: datetime,
    *,
    by_record: bool,
    known_at: datetime | None,
    before: Place | None,
    limit: int,
) -> list[PriceChange]:
    """Return cards since a moment, newest first.

    Args:
        connection: one consistent read.
        since: cards from this moment on.
        by_record: count a card by when it was recorded, so that corrections of the past appear on the day they were
            made; otherwise by when its price began to hold.
        known_at: what was believed at that moment instead of now.
        before: go on behind this place.
        limit: at most so many.
    """
    moment = price_cards.c.recorded_from if by_record else price_cards.c.valid_from
    query = (
        sa.select(*_COLUMNS)
        .join(quotes, quotes.c.id == price_cards.c.quote_id)
        .where(moment >= since, known(price_cards, known_at), *_said_something(by_record=by_record))
        .order_by(moment.desc(), price_cards.c.id.desc())
        .limit(limit)
    )
    if before is not None:
        at, number = before
        query = query.where(sa.or_(moment < at, sa.and_(moment == at, price_cards.c.id < number)))
    rows = connection.execute(query).all()
    earlier = _cards_of(connection, {row.offer_id for row in rows}, known_at)
    found = []
    for row in rows:
        card = card_of(row)
        last = [other for other in earlier[card.offer] if other.valid_from < card.valid_from]
        found.append(PriceChange(last[-1] if last else None, card, row.recorded_from.astimezone(UTC)))
    return found


def _said_something(*, by_record: bool) -> list[sa.ColumnElement[bool]]:
    """Leave out what was written anew only because it ends earlier now: the same rates from the same moment on."""
    if not by_record:
        return []
    older = price_cards.alias()
    return [
        ~sa.exists().where(
            older.c.offer_id == price_cards.c.offer_id,
            older.c.valid_from == price_cards.c.valid_from,
            older.c.rates == price_cards.c.rates,
            older.c.recorded_to == price_cards.c.recorded_from,
        )
    ]


def _cards_of(
    connection: sa.Connection, offers: Iterable[str], known_at: datetime | None
) -> dict[str, list[PriceCard]]:
    """Return the believed cards of offers, in time order."""
    ids, found = sorted(offers), dict[str, list[PriceCard]]()
    for start in range(0, len(ids), BATCH):
        query = (
            sa.select(*_COLUMNS)
            .join(quotes, quotes.c.id == price_cards.c.quote_id)
            .where(price_cards.c.offer_id.in_(ids[start : start + BATCH]), known(price_cards, known_at))
            .order_by(price_cards.c.valid_from)
        )
        for row in connection.execute(query):
            found.setdefault(row.offer_id, []).append(card_of(row))
    return found
