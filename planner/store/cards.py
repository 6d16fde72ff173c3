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


BEGAN, ENDED, CANCELLED, PROLONGED = "began", "ended", "cancelled", "prolonged"
KINDS = BEGAN, ENDED, CANCELLED, PROLONGED


class PriceChange(NamedTuple):
    """A price that began, with the one before it, if any; or one that ended without a next, ``after`` None.

    On record, also a price that was cancelled before it began, with the one that holds then instead, if any; and one
    that was to end and goes on, ``before`` None. ``at`` is when it began or ended, or was to; ``recorded_from`` when
    that was recorded, ``place`` where a page may go on.
    """

    kind: str
    before: PriceCard | None
    after: PriceCard | None
    at: datetime
    recorded_from: datetime
    place: "Place"


Place = tuple[datetime, int]
"""Where a page of changes ended: the moment its last change counts by, and a number of its own."""


def changes(
    connection: sa.Connection,
    since: datetime,
    *,
    by_record: bool,
    known_at: datetime | None,
    before: Place | None,
    limit: int,
) -> list[PriceChange]:
    """Return what began and what ended since a moment, or was recorded to since, newest first.

    Args:
        connection: one consistent read.
        since: changes from this moment on.
        by_record: count a change by when it was recorded, so that corrections of the past appear on the day they were
            made; otherwise by when the price began to hold, or ceased to.
        known_at: what was believed at that moment instead of now.
        before: go on behind this place.
        limit: at most so many.
    """
    card, following = price_cards.c, price_cards.alias()
    if by_record:
        # What was recorded stays recorded, also where it was written anew since.
        counted = sa.true() if known_at is None else card.recorded_from <= known_at
        followed = known(following, card.recorded_from)
    else:
        counted, followed = known(price_cards, known_at), known(following, known_at)
    goes_on = sa.exists().where(
        following.c.offer_id == card.offer_id, following.c.valid_from == card.valid_to, followed
    )
    began, ended = (card.recorded_from,) * 2 if by_record else (card.valid_from, card.valid_to)
    arms = [
        _arm(BEGAN, began, counted, *_said_something(by_record=by_record)),
        _arm(ENDED, ended, counted, card.valid_to.is_not(None), ~goes_on),
        *(_taken_back(known_at) if by_record else ()),
    ]
    either = sa.union_all(*arms).subquery()
    query = (
        sa.select(either.c.moment, either.c.number, card.recorded_to, *_COLUMNS)
        .join(price_cards, card.id == either.c.id)
        .join(quotes, quotes.c.id == card.quote_id)
        .where(either.c.moment >= since)
        .order_by(either.c.moment.desc(), either.c.number.desc())
        .limit(limit)
    )
    if before is not None:
        at, number = before
        query = query.where(sa.or_(either.c.moment < at, sa.and_(either.c.moment == at, either.c.number < number)))
    rows = connection.execute(query).all()
    recorded = _recorded(connection, {row.offer_id for row in rows})
    return [_change(row, recorded[row.offer_id], row.moment if by_record else known_at) for row in rows]


def _arm(kind: str, moment: sa.ColumnElement[Any], *where: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Select cards of which one kind of change is told, with the moment it counts by and a number of its own."""
    number = price_cards.c.id * len(KINDS) + KINDS.index(kind)
    return sa.select(price_cards.c.id, moment.label("moment"), number.label("number")).where(*where)


def _taken_back(known_at: datetime | None) -> tuple[sa.Select[Any], sa.Select[Any]]:
    """Select cards whose beginning, or whose end, was still to come when it was taken off the record."""
    card, other = price_cards.c, price_cards.alias()
    off = card.recorded_to.is_not(None) if known_at is None else card.recorded_to <= known_at
    same = other.c.offer_id == card.offer_id

    def stands(edge: sa.ColumnElement[Any]) -> tuple[sa.ColumnElement[bool], ...]:
        holds = other.c.valid_from <= edge, sa.or_(other.c.valid_to.is_(None), other.c.valid_to > edge)
        return same, known(other, card.recorded_to), *holds

    followed = sa.exists().where(
        same, other.c.valid_from == card.valid_to, other.c.recorded_from < card.recorded_to,
        sa.or_(other.c.recorded_to.is_(None), other.c.recorded_to >= card.recorded_to),
    )  # fmt: skip
    goes_on = sa.exists().where(*stands(card.valid_from), other.c.rates == card.rates)
    prolonged = sa.exists().where(*stands(card.valid_to))
    return (
        _arm(CANCELLED, card.recorded_to, off, card.valid_from >= card.recorded_to, ~goes_on),
        _arm(PROLONGED, card.recorded_to, off, card.valid_to >= card.recorded_to, ~followed, prolonged),
    )


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


class _Recorded(NamedTuple):
    """A card, and when it was on record."""

    card: PriceCard
    began: datetime
    ended: datetime | None

    def known(self, at: datetime | None) -> bool:
        """Tell whether it was on record at a moment, or is now."""
        return self.ended is None if at is None else self.began <= at and (self.ended is None or self.ended > at)


def _change(row: Any, recorded: Iterable[_Recorded], known_at: datetime | None) -> PriceChange:  # noqa: ANN401  # a row of the query above
    own, place, kind = card_of(row), (row.moment, row.number), KINDS[row.number % len(KINDS)]
    known_cards = [other.card for other in recorded if other.known(known_at)]
    if kind in (CANCELLED, PROLONGED):
        edge = own.valid_from if kind == CANCELLED else own.valid_to
        if edge is None:
            raise AssertionError("what is prolonged had an end")
        instead = next((card for card in known_cards if card.in_force(edge)), None)
        return PriceChange(
            kind, own if kind == CANCELLED else None, instead, edge, row.recorded_to.astimezone(UTC), place
        )
    since = row.recorded_from.astimezone(UTC)
    if kind == ENDED and own.valid_to is not None:
        return PriceChange(kind, own, None, own.valid_to, since, place)
    last = [card for card in known_cards if card.valid_from < own.valid_from]
    return PriceChange(kind, last[-1] if last else None, own, own.valid_from, since, place)


def _recorded(connection: sa.Connection, offers: Iterable[str]) -> dict[str, list[_Recorded]]:
    """Return every card that was ever on record of offers, in time order."""
    ids, found = sorted(offers), dict[str, list[_Recorded]]()
    for start in range(0, len(ids), BATCH):
        query = (
            sa.select(price_cards.c.recorded_to, *_COLUMNS)
            .join(quotes, quotes.c.id == price_cards.c.quote_id)
            .where(price_cards.c.offer_id.in_(ids[start : start + BATCH]))
            .order_by(price_cards.c.valid_from, price_cards.c.id)
        )
        for row in connection.execute(query):
            made = _Recorded(card_of(row), row.recorded_from, row.recorded_to)
            found.setdefault(row.offer_id, []).append(made)
    return found
