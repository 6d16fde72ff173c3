"""The moments at which an answer may change by itself: cards, fees, retirements, hours of the day, evidence."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

from planner.core.catalogue import Catalogue


def of_prices(catalogue: Catalogue) -> tuple[datetime, ...]:
    """Return every moment when a card, fee, contract, retirement, tier's cut-off or exchange rate starts or ends."""
    found = {edge for cards in catalogue.cards.values() for card in cards for edge in (card.valid_from, card.valid_to)}
    found |= {edge for fee in catalogue.fees for edge in (fee.valid_from, fee.valid_to)}
    found |= {edge for contract in catalogue.contracts for edge in (contract.valid_from, contract.valid_to)}
    found |= {offer.facts.retires_at for offer in catalogue.offers}
    bands = catalogue.tier_bands
    days = {day for band in bands.prices for day in (band.valid_from, band.valid_to)}
    days |= {day for band in bands.qualities for day in (band.valid_from, band.valid_to)}
    days |= {rate.day for rate in catalogue.fx}
    found |= {_midnight(day) for day in days}
    return tuple(sorted(edge for edge in found if edge is not None))


def _midnight(day: date | None) -> datetime | None:
    return None if day in (None, date.min) else datetime.combine(day, time.min, UTC)


def of_terms(catalogue: Catalogue) -> tuple[datetime, ...]:
    """Return every moment at which evidence expires, a measurement ages or a source's words turn stale, in order."""
    found = {row.expires_at for rows in catalogue.terms.values() for row in rows} | {*catalogue.stale_from.values()}
    found |= {offer.measured.until for offer in catalogue.offers if offer.measured is not None}
    return tuple(sorted(edge for edge in found if edge is not None))


def of_the_day(catalogue: Catalogue) -> tuple[int, ...]:
    """Return the minutes of the UTC day at which some band begins or ends, in order; weekdays change at minute 0."""
    tables = {card.rates for cards in catalogue.cards.values() for card in cards}
    whens = {band.when for table in tables for price in table.values() for band in price.bands}
    minutes = {minute for when in whens for minute in (when.utc_start, when.utc_end)}
    minutes |= {0 for when in whens if when.weekdays}
    return tuple(sorted(minute for minute in minutes if minute is not None))


def after(edges: Sequence[datetime], at: datetime) -> datetime | None:
    """Return the first edge after a moment."""
    place = bisect_right(edges, at)
    return edges[place] if place < len(edges) else None


def minute_after(minutes: Sequence[int], at: datetime) -> datetime | None:
    """Return the first moment after ``at`` that is one of these minutes of a day."""
    if not minutes:
        return None
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    today = (midnight + timedelta(minutes=minute) for minute in minutes)
    return next((moment for moment in today if moment > at), midnight + timedelta(days=1, minutes=minutes[0]))
