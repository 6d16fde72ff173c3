"""Which aggregates may count the same requests."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from planner.core.event import Event
from planner.core.grouping import NOT_GROUPED_BY, may_share

START, HOUR = datetime(2026, 9, 1, tzinfo=UTC), timedelta(hours=1)


def bucket(hours: int = 24, at: datetime = START, **facts: Any) -> Event:
    """Make an aggregate of some hours."""
    return Event(source="s", id="1", at=at, until=at + hours * HOUR, counts={}, **facts)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (bucket(), bucket(project="p")),
        (bucket(project="p"), bucket(key="k")),
        (bucket(model="m"), bucket(1, START + 23 * HOUR, model="m")),
        (bucket(tags={"kind": "completions"}), bucket(tags={"kind": "completions", "user_id": "u"})),
        (bucket(service_tier="batch"), bucket(tags={NOT_GROUPED_BY: "batch"})),
    ],
)
def test_what_only_one_of_them_says_the_other_may_have_summed_over(one: Event, other: Event) -> None:
    """A project, a key, a shorter while, a member, a tier that the other is not grouped by: whichever comes first."""
    assert may_share(one, other)
    assert may_share(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (bucket(project="p"), bucket(project="q")),
        (bucket(tags={"kind": "completions"}), bucket(tags={"kind": "embeddings"})),
        (bucket(service_tier="batch"), bucket()),
        (bucket(1), bucket(1, START + HOUR)),
        (bucket(), Event(source="s", id="2", at=START, counts={})),
    ],
)
def test_what_differs_in_what_both_say_is_counted_apart(one: Event, other: Event) -> None:
    """Two projects, two kinds, two tiers, two hours; and a single request is no aggregate."""
    assert not may_share(one, other)
    assert not may_share(other, one)
