"""Dated exchange rates: an amount of another currency in dollars, at the rate of its day, exactly."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from planner.core.errors import NotFound
from planner.core.money import exactly


@dataclass(frozen=True, slots=True)
class FxRate:
    """``usd`` dollars for one unit of ``currency`` on a day, and until the next rate."""

    currency: str
    day: date
    usd: Decimal
    source: str = ""


def to_usd(amount: Decimal, currency: str, day: date, rates: Sequence[FxRate]) -> Decimal:
    """Return an amount in dollars at the newest rate on or before a day. Nothing is rounded.

    Raises:
        NotFound: no rate of this currency is known for that day. A guess would be a price nobody asked for.
    """
    if currency == "USD":
        return amount
    known = [rate for rate in rates if rate.currency == currency and rate.day <= day]
    if not known:
        raise NotFound("fx_rate", f"{currency} {day}")
    return exactly(amount, max(known, key=lambda rate: rate.day).usd)
