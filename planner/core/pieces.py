"""Time put together from the months and days that sums exist of, so that little is read one quarter hour at a time.

A month of Kolkata is the month of UTC, with the hours that only it has, and without those that only UTC's has: sums of
whole numbers are added and taken away without a loss.
"""

from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple

from planner.core.periods import day_bounds, month_bounds


class Grain(IntEnum):
    """How much time one sum is of: a quarter hour, a day or a month of UTC."""

    SLOT = 0
    DAY = 1
    MONTH = 2


class Piece(NamedTuple):
    """A stretch of slots that is read at one grain, and the windows it counts in, each with 1 or -1."""

    start: int
    stop: int
    grain: Grain
    counts: tuple[tuple[int, int], ...]


def pieces_of(windows: Sequence[range], coarsest: Grain) -> list[Piece]:
    """Cut windows of slots into pieces that are read at the coarsest grain that helps, each piece once, in time order.

    What lies between two windows and is added to one and taken away from the other is one piece.

    Example:
        >>> [(p.grain.name, p.counts) for p in pieces_of([range(96, 192)], Grain.DAY)]
        [('DAY', ((0, 1),))]
    """
    found: dict[tuple[int, int, Grain], list[tuple[int, int]]] = {}
    for number, window in enumerate(windows):
        for start, stop, grain, sign in _cover(window.start, window.stop, Grain.SLOT, coarsest):
            found.setdefault((start, stop, grain), []).append((number, sign))
    return [Piece(*place, tuple(counts)) for place, counts in sorted(found.items())]


def _cover(start: int, stop: int, grain: Grain, coarsest: Grain) -> Iterator[tuple[int, int, Grain, int]]:
    if grain < coarsest:
        coarser = Grain(grain + 1)
        first, last = (_nearest(slot, _BOUNDS[coarser]) for slot in (start, stop))
        if first < last and abs(first - start) + abs(last - stop) < stop - start:
            yield from _cover(first, last, coarser, coarsest)
            for low, high, sign in ((start, first, 1), (first, start, -1), (last, stop, 1), (stop, last, -1)):
                if low < high:
                    yield low, high, grain, sign
            return
    yield start, stop, grain, 1


def _nearest(slot: int, bounds: Callable[[int], tuple[int, int]]) -> int:
    before, after = bounds(slot)
    return before if slot - before <= after - slot else after


_BOUNDS = {Grain.DAY: day_bounds, Grain.MONTH: month_bounds}
