"""What no time of revenue is: beyond it a moment is a mistake, or a way to say never."""

from datetime import UTC, datetime

FIRST = datetime(2000, 1, 1, tzinfo=UTC)
LAST = datetime(2100, 1, 1, tzinfo=UTC)
"""Every month in between may have to be booked: a moment outside would be months that nobody asks for."""

NEEDED = f"a moment from {FIRST:%Y-%m-%d} to {LAST:%Y-%m-%d} is needed"


def inside(moment: datetime) -> bool:
    """Tell whether a moment may be one of revenue."""
    return FIRST <= moment <= LAST
