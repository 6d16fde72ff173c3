"""Which figure counts as the cost of usage, and what a figure of a window is in another currency."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from planner.core.errors import Conflict, NotFound
from planner.core.event import StatedBy
from planner.core.fx import FxRate, to_usd
from planner.core.periods import Window
from planner.core.posting import RATED, REPORTED, Measures
from planner.core.statement import Statement
from planner.store import json_text

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


def use_of(sums: Statement, measures: Measures, best: str, stated_by: str) -> None:
    """Add use by the best figure there is of its cost: ``best`` is how it was booked."""
    reported = billed(stated_by)
    sums.use(measures, basis_of(BEST, best, reported=reported), reported=reported, free=False)


def usd_per_unit(currency: str, window: Window, fx: Sequence[FxRate], closed_at: datetime | None = None) -> Fraction:
    """Return the dollars for one unit of a currency on the last day of a window.

    Args:
        currency: three capital letters.
        window: some time of a report.
        fx: the rates that are known.
        closed_at: as of when, where all months of the report are closed.

    Raises:
        NotFound: no rate of that day is known.
        Conflict: none was known when the months were closed.
    """
    day = (window.end - timedelta(seconds=1)).astimezone(UTC).date()
    try:
        return Fraction(to_usd(Decimal(1), currency, day, fx))
    except NotFound as error:
        if closed_at is None:
            raise
        # Whoever enters the rate now and still gets no answer has to be told why.
        problem = (
            f"no rate of that day was known at {json_text.time_text(closed_at)}, and what was closed then stays as it "
            "was: reopen the month once the rate is entered, or ask for basis=usage, which is not closed"
        )
        raise Conflict(error.kind, error.id, problem) from None
