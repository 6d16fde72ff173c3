"""Price cards read straight from the tables: the history of one offer, and the changes of all."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from planner.core.changes import BEGAN, ENDED, Change, differences
from planner.core.price import Evidence, PriceCard
from planner.core.rate_form import read_rates
from planner.store.known import known
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


def of_offers(connection: sa.Connection, offers: Iterable[str]) -> dict[str, list[PriceCard]]:
    """Return the cards of offers that are believed now, in time order."""
    ids = sorted(set(offers))
    found: dict[str, list[PriceCard]] = {id_: [] for id_ in ids}
    for start in range(0, len(ids), BATCH):
        query = (
            sa.select(*_COLUMNS)
            .join(quotes, quotes.c.id == price_cards.c.quote_id)
            .where(price_cards.c.offer_id.in_(ids[start : start + BATCH]), known(price_cards, None))
            .order_by(price_cards.c.valid_from, price_cards.c.id)
        )
        for row in connection.execute(query):
            found[row.offer_id].append(card_of(row))
    return found


def by_ids(connection: sa.Connection, ids: Iterable[int]) -> dict[str, PriceCard]:
    """Return cards by their ids, also those that are believed no longer."""
    wanted = sorted(set(ids))
    found: dict[str, PriceCard] = {}
    for start in range(0, len(wanted), BATCH):
        query = (
            sa.select(*_COLUMNS)
            .join(quotes, quotes.c.id == price_cards.c.quote_id)
            .where(price_cards.c.id.in_(wanted[start : start + BATCH]))
        )
        found |= {str(row.id): card_of(row) for row in connection.execute(query)}
    return found


class PriceChange(NamedTuple):
    """One change of a price (`planner.core.changes.Change`), when it was recorded, and where a page may go on."""

    change: Change
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
    """Return what changed since a moment, newest first.

    Args:
        connection: one consistent read.
        since: changes from this moment on.
        by_record: count a change by when it was recorded, so that corrections of the past, and what was planned and
            taken back, appear on the day that was done; otherwise by when a price began to hold, or ceased to.
        known_at: what was believed at that moment instead of now.
        before: go on behind this place.
        limit: at most so many.
    """
    read = _recorded_changes if by_record else _valid_changes
    return read(connection, since, known_at, before, limit)


def _valid_changes(
    connection: sa.Connection, since: datetime, known_at: datetime | None, before: Place | None, limit: int
) -> list[PriceChange]:
    card, following = price_cards.c, price_cards.alias()
    counted = known(price_cards, known_at)
    goes_on = sa.exists().where(
        following.c.offer_id == card.offer_id, following.c.valid_from == card.valid_to, known(following, known_at)
    )
    begun = sa.select(card.id, card.valid_from.label("moment"), (card.id * 2).label("number")).where(counted)
    ended = sa.select(card.id, card.valid_to.label("moment"), (card.id * 2 + 1).label("number")).where(
        counted, card.valid_to.is_not(None), ~goes_on
    )
    either = sa.union_all(begun, ended).subquery()
    query = (
        sa.select(either.c.moment, either.c.number, *_COLUMNS)
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
    return [_valid_change(row, recorded[row.offer_id], known_at) for row in rows]


class _Recorded(NamedTuple):
    """A card, and when it was on record."""

    card: PriceCard
    began: datetime
    ended: datetime | None

    def known(self, at: datetime | None) -> bool:
        """Tell whether it was on record at a moment, or is now."""
        return self.ended is None if at is None else self.began <= at and (self.ended is None or self.ended > at)

    def known_before(self, at: datetime) -> bool:
        """Tell whether it was on record until just before a moment."""
        return self.began < at and (self.ended is None or self.ended >= at)


def _valid_change(row: Any, recorded: Iterable[_Recorded], known_at: datetime | None) -> PriceChange:  # noqa: ANN401  # a row of the query above
    own, place = card_of(row), (row.moment, row.number)
    since = row.recorded_from.astimezone(UTC)
    if row.number % 2 and own.valid_to is not None:
        return PriceChange(Change(ENDED, own.valid_to, own, None), since, place)
    last = [other.card for other in recorded if other.known(known_at) and other.card.valid_from < own.valid_from]
    return PriceChange(Change(BEGAN, own.valid_from, last[-1] if last else None, own), since, place)


# More changes of one price, recorded in one moment, than any list was ever seen to make.
CHANGES_MAX = 10_000


def _recorded_changes(
    connection: sa.Connection, since: datetime, known_at: datetime | None, before: Place | None, limit: int
) -> list[PriceChange]:
    """Hold the record of each offer against what it was just before, at every moment at which it was written."""
    card = price_cards.c
    written = sa.union_all(
        sa.select(card.offer_id, card.recorded_from.label("moment"), card.id),
        sa.select(card.offer_id, card.recorded_to, card.id).where(card.recorded_to.is_not(None)),
    ).subquery()
    newest = sa.func.max(written.c.id)
    query = (
        sa.select(written.c.offer_id, written.c.moment, newest.label("number"))
        .where(written.c.moment >= since)
        .group_by(written.c.offer_id, written.c.moment)
        .order_by(written.c.moment.desc(), newest.desc())
        .limit(BATCH)
    )
    if known_at is not None:
        query = query.where(written.c.moment <= known_at)
    found: list[PriceChange] = []
    place = before
    while len(found) < limit:
        page = query
        if place is not None:
            at, number = place
            same = sa.and_(written.c.moment == at, newest * CHANGES_MAX < number)
            page = query.having(sa.or_(written.c.moment < at, same))
        rows = connection.execute(page).all()
        recorded = _recorded(connection, {row.offer_id for row in rows})
        for row in rows:
            made = _written(row, recorded[row.offer_id])
            found += [change for change in reversed(made) if before is None or change.place < before]
        if len(rows) < BATCH:
            break
        place = rows[-1].moment, rows[-1].number * CHANGES_MAX
    return found[:limit]


def _written(row: Any, recorded: Sequence[_Recorded]) -> list[PriceChange]:  # noqa: ANN401  # a row of the query above
    moment = row.moment
    was = [one.card for one in recorded if one.known_before(moment)]
    found = differences(was, [one.card for one in recorded if one.known(moment)], moment)
    since = moment.astimezone(UTC)
    return [PriceChange(change, since, (moment, row.number * CHANGES_MAX + n)) for n, change in enumerate(found)]


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
