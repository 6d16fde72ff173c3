"""Pieces of time: whatever they are read from, each slot counts once in its window, and few pieces are fine ones."""

from collections import Counter
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core.periods import UNITS, day_bounds, month_bounds, slot_of, windows
from planner.core.pieces import Grain, Piece, pieces_of

ZONES = ("UTC", "Asia/Kolkata", "Asia/Kathmandu", "America/St_Johns", "Pacific/Kiritimati", "Australia/Lord_Howe")
DAYS = st.dates(date(2000, 1, 1), date(2030, 12, 31))


def slots(*days: date) -> list[int]:
    """Return the first slots of days of UTC."""
    return [slot_of(datetime(day.year, day.month, day.day, tzinfo=UTC)) for day in days]


def steps(windows_: list[range], coarsest: Grain) -> list[dict[int, int]]:
    """Return by how much the count of slots rises or falls where, in each window, by its pieces."""
    found: list[Counter[int]] = [Counter() for _window in windows_]
    for piece in pieces_of(windows_, coarsest):
        for number, sign in piece.counts:
            found[number].update({piece.start: sign})
            found[number].update({piece.stop: -sign})
    return [{slot: step for slot, step in each.items() if step} for each in found]


@given(since=DAYS, days=st.integers(1, 70), unit=st.sampled_from(UNITS), zone=st.sampled_from(ZONES))
@pytest.mark.parametrize("coarsest", Grain)
def test_each_slot_counts_once_in_its_window(since: date, days: int, unit: str, zone: str, coarsest: Grain) -> None:
    """What is added and taken away leaves exactly the slots of each window."""
    until = date.fromordinal(since.toordinal() + days)
    cut = [window.slots for window in windows(since, until, unit, ZoneInfo(zone))]
    assert steps(cut, coarsest) == [{window.start: 1, window.stop: -1} for window in cut]


@given(since=DAYS, days=st.integers(1, 70), unit=st.sampled_from(UNITS), zone=st.sampled_from(ZONES))
def test_pieces_are_whole(since: date, days: int, unit: str, zone: str) -> None:
    """A piece of days begins and ends with a day of UTC, and one of months with a month."""
    until = date.fromordinal(since.toordinal() + days)
    for piece in pieces_of([w.slots for w in windows(since, until, unit, ZoneInfo(zone))], Grain.MONTH):
        bounds = {Grain.DAY: day_bounds, Grain.MONTH: month_bounds}.get(piece.grain)
        assert bounds is None or [bounds(piece.start)[0], bounds(piece.stop)[0]] == [piece.start, piece.stop]


def test_a_month_of_another_zone_is_the_month_and_its_edges() -> None:
    """A month of Kolkata: one month, the hours before it, and without its last ones, which belong to the next."""
    october, november = slots(date(2026, 10, 1), date(2026, 11, 1))
    cut = [w.slots for w in windows(date(2026, 10, 1), date(2026, 12, 1), "month", ZoneInfo("Asia/Kolkata"))]
    december = month_bounds(november)[1]
    assert pieces_of(cut, Grain.MONTH) == [
        Piece(october - 22, october, Grain.SLOT, ((0, 1),)),
        Piece(october, november, Grain.MONTH, ((0, 1),)),
        Piece(november - 22, november, Grain.SLOT, ((0, -1), (1, 1))),
        Piece(november, december, Grain.MONTH, ((1, 1),)),
        Piece(december - 22, december, Grain.SLOT, ((1, -1),)),
    ]


def test_most_of_a_month_is_the_month_without_the_rest() -> None:
    """Twenty days are a month less ten days or twenty days, whichever is read from fewer sums."""
    first, eleventh, twentieth, next_ = slots(
        date(2026, 10, 1), date(2026, 10, 11), date(2026, 10, 21), date(2026, 11, 1)
    )
    assert pieces_of([range(first, twentieth)], Grain.MONTH) == [
        Piece(first, next_, Grain.MONTH, ((0, 1),)),
        Piece(twentieth, next_, Grain.DAY, ((0, -1),)),
    ]
    assert pieces_of([range(first, eleventh)], Grain.MONTH) == [Piece(first, eleventh, Grain.DAY, ((0, 1),))]
