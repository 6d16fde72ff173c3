"""The times and amounts that revenue may have."""

from datetime import UTC, datetime, timedelta

import pytest

from planner.core.revenue_bounds import inside

TICK = timedelta(microseconds=1)
FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "may_be"), [(FIRST - TICK, False), (FIRST, True), (LAST, True), (LAST + TICK, False)]
)
def test_a_moment_lies_in_this_century_or_is_a_mistake(moment: datetime, may_be: bool) -> None:  # noqa: FBT001  # a table
    """Both ends are moments that may be."""
    assert inside(moment) is may_be
