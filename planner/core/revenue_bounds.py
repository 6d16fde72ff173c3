"""What no amount and no time of revenue is: beyond it a figure is a mistake, and would not fit where it is booked."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

from planner.core.revenue import Item

FIRST = datetime(2000, 1, 1, tzinfo=UTC)
LAST = datetime(2100, 1, 1, tzinfo=UTC)
"""Every month in between may have to be booked: a moment outside would be months that nobody asks for."""

LONGEST = timedelta(days=3653)
"""Ten years, with three leap days in them: each month of an item is booked for itself."""

USD_MAX = 10**10
"""More than anybody ever paid at once, and few enough that a million of them add up in 64 bits of 1e-3 USD."""
UNITS_MAX = 10**15
"""The same of a currency without a rate: of the least of them, 30,000 are a dollar."""

NEEDED = f"a moment from {FIRST:%Y-%m-%d} to {LAST:%Y-%m-%d} is needed"


def inside(moment: datetime) -> bool:
    """Tell whether a moment may be one of revenue."""
    return FIRST <= moment <= LAST


def refusal(item: Item, usd: Fraction | None) -> str | None:
    """Return why an item is not taken, or None where nothing is wrong with it.

    Args:
        item: what a source says.
        usd: the dollars for one unit of its currency when it begins; None: nobody knows.
    """
    end = item.start if item.end is None else item.end
    for field, moment in (("start", item.start), ("end", end)):
        if not inside(moment):
            return f"{field}: {NEEDED}"
    # Two moments of one zone are otherwise subtracted as its clocks show them.
    if end.astimezone(UTC) - item.start.astimezone(UTC) > LONGEST:
        return "end: one item is of 10 years at most"
    most, unit = (UNITS_MAX, item.currency) if usd is None else (USD_MAX, "USD")
    for field, amount in (("amount", item.amount), ("fee", item.fee), ("tax", item.tax)):
        if amount is not None and abs(Fraction(amount) * (1 if usd is None else usd)) > most:
            return f"{field}: more than {most} {unit} is a mistake"
    if item.tax is not None and abs(item.tax) > abs(item.amount):
        return "tax: more than the amount it is a part of is a mistake"
    return None
