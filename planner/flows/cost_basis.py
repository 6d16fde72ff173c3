"""Which figure counts as the cost of usage, and what a figure of a window is in another currency."""

from collections.abc import Sequence
from datetime import UTC, timedelta
from decimal import Decimal
from fractions import Fraction

from planner.core.event import StatedBy
from planner.core.fx import FxRate, to_usd
from planner.core.periods import Window
from planner.core.posting import RATED, REPORTED

BEST = "best"
COST_BASES = (BEST, RATED, REPORTED)
# A client's own estimate is no bill.
_BILLED = frozenset({StatedBy.PROVIDER.value, StatedBy.GATEWAY.value})


def billed(stated_by: str) -> bool:
    """Tell whether a cost was stated by who bills it."""
    return stated_by in _BILLED


def basis_of(asked: str, best: str, *, reported: bool) -> str | None:
    """Return which of its figures counts as the cost of a row; None: it is unpriced.

    Args:
        asked: one of `COST_BASES`.
        best: how the row was booked.
        reported: whether who bills it stated a cost.
    """
    if asked == REPORTED:
        return REPORTED if reported else None
    if best == RATED:
        return RATED
    return REPORTED if asked == BEST and reported else None


def usd_per_unit(currency: str, window: Window, fx: Sequence[FxRate]) -> Fraction:
    """Return the dollars for one unit of a currency on the last day of a window.

    Raises:
        NotFound: no rate of that day is known.
    """
    day = (window.end - timedelta(seconds=1)).astimezone(UTC).date()
    return Fraction(to_usd(Decimal(1), currency, day, fx))
