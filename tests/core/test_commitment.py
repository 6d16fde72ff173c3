"""Commitments: an amount is a cost once, whatever the usage it covers and however time is cut."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core.commitment import KINDS, PREPAID, SPEND, THROUGHPUT, Commitment, split

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def commitment(kind: str = PREPAID, amount: int = 365, **more: object) -> Commitment:
    """Make a commitment of a year."""
    fields = {
        "id": 1, "name": "c", "kind": kind, "channel": "direct", "provider": "acme", "model": None,
        "service_tier": None, "amount_pico": amount, "currency": "USD", "amount": "1", "valid_from": START,
        "valid_to": END, "reference": "r", "recorded_from": START,
    }  # fmt: skip
    return Commitment(**{**fields, **more})  # type: ignore[arg-type]  # fields by name


@pytest.mark.parametrize(("days", "pico"), [(-1, 0), (0, 0), (1, 1), (100, 100), (365, 365), (400, 365)])
def test_throughput_is_amortised_by_the_second(days: int, pico: int) -> None:
    """365 over a year is 1 a day, and nothing before and after."""
    assert commitment(THROUGHPUT).amortised(START + days * DAY) == pico


@pytest.mark.parametrize("kind", [PREPAID, SPEND])
def test_what_is_unused_is_a_cost_when_the_term_ends(kind: str) -> None:
    """Not a second before; and nothing where more was used than was promised."""
    one = commitment(kind)
    assert [one.beside(END - timedelta(seconds=1), 100), one.beside(END, 100), one.beside(END, 400)] == [0, 265, 0]


def test_throughput_replaces_the_usage_it_serves() -> None:
    """What is amortised less the usage: more usage than that is a saving."""
    one = commitment(THROUGHPUT)
    assert [one.beside(START + 10 * DAY, covered) for covered in (0, 4, 40)] == [10, 6, -30]


@given(
    kind=st.sampled_from(KINDS),
    amount=st.integers(0, 10**18),
    used=st.lists(st.tuples(st.integers(0, 366), st.integers(0, 10**17)), max_size=8),
    cuts=st.sets(st.integers(0, 400), max_size=6),
)
def test_the_stretches_of_a_term_come_to_the_whole(
    kind: str, amount: int, used: list[tuple[int, int]], cuts: set[int]
) -> None:
    """However it is cut: usage and commitment together cost the larger of both, or for throughput the amount."""
    one, edges = commitment(kind, amount), [START + day * DAY for day in sorted({0, 400, *cuts})]

    def covered(by: datetime) -> int:
        return sum(pico for day, pico in used if START + day * DAY < by)

    beside = sum(
        one.beside(until, covered(until)) - one.beside(since, covered(since)) for since, until in pairwise(edges)
    )
    total = covered(edges[-1])
    assert total + beside == (amount if kind == THROUGHPUT else max(amount, total))


@pytest.mark.parametrize(
    ("more", "overlaps"),
    [
        ({}, True),
        ({"model": "m"}, True),
        ({"model": "n"}, False),
        ({"service_tier": "batch"}, True),
        ({"provider": "bolt"}, False),
        ({"channel": "broker"}, False),
        ({"valid_from": END, "valid_to": END + DAY}, False),
        ({"valid_from": START - DAY, "valid_to": START}, False),
    ],
)
def test_two_overlap_where_they_cover_the_same_usage(more: dict[str, object], *, overlaps: bool) -> None:
    """The same provider and channel at the same time, and no model or tier that tells them apart."""
    one, other = commitment(model="m"), commitment(**more)  # type: ignore[arg-type]  # fields by name
    assert one.overlaps(other) is other.overlaps(one) is overlaps


@given(amount=st.integers(0, 10**15), weights=st.dictionaries(st.integers(), st.integers(0, 10**12), min_size=1))
def test_a_split_loses_no_digit(amount: int, weights: dict[int, int]) -> None:
    """Parts add up to the amount, and none is a digit away from its share."""
    if not sum(weights.values()):
        weights = {**weights, 0: 1}
    parts, total = split(amount, weights), sum(weights.values())
    assert sum(parts.values()) == amount
    assert all(abs(parts[key] * total - amount * weight) < total for key, weight in weights.items())


def test_the_largest_remainder_gets_the_digit() -> None:
    """Of ten in thirds and two thirds the larger remainder."""
    assert split(10, {"a": 1, "b": 2}) == {"a": 3, "b": 7}
