"""What a file comes to now is held against what is booked of it: the difference is what is still to be booked."""

from collections.abc import Callable, Mapping
from operator import add, sub

from planner.core.posting import Counted, Dims, Measures, Sums

_NOTHING, _NONE = Measures(), Counted()
_Use = tuple[int, Dims]
"""When something was used, whenever it is booked, and under which heads."""
_Unit = tuple[int, Dims, str]


def difference(new: Sums, booked: Sums, placed: Callable[[int], int]) -> Sums:
    """Return what is to be booked, cell by cell, so that a file comes to what it comes to now.

    Where only the version of a price is another one, and nothing costs or counts anything else, there is nothing to
    book: the same rates on a card that was only cut anew are no news.

    Args:
        new: what all rows of the file come to now; when they are booked is not looked at.
        booked: everything that is booked of it until now.
        placed: the slot of use -> the slot in which it is booked now.
    """
    facts: dict[_Use, Measures] = {}
    units: dict[_Unit, Counted] = {}
    for sums, change in ((new, add), (booked, sub)):
        for (slot, _booked, dims), measures in sums.facts.items():
            facts[slot, dims] = change(facts.get((slot, dims), _NOTHING), measures)
        for (slot, _booked, dims, unit), counted in sums.units.items():
            units[slot, dims, unit] = change(units.get((slot, dims, unit), _NONE), counted)
    news, found = _news(facts, units), Sums()
    for (slot, dims, unit), counted in units.items():
        if any(counted) and _unversioned(slot, dims) in news:
            found.units[slot, placed(slot), dims, unit] = counted
    moved = {(slot, dims) for slot, _placed, dims, _unit in found.units}
    for (slot, dims), measures in facts.items():
        if (any(measures) or (slot, dims) in moved) and _unversioned(slot, dims) in news:
            found.facts[slot, placed(slot), dims] = measures
    return found


def _news(facts: Mapping[_Use, Measures], units: Mapping[_Unit, Counted]) -> set[_Use]:
    """Return where something costs or counts something else, under whatever version of the price."""
    measured: dict[_Use, Measures] = {}
    for (slot, dims), measures in facts.items():
        place = _unversioned(slot, dims)
        measured[place] = measured.get(place, _NOTHING) + measures
    counted: dict[tuple[_Use, str], Counted] = {}
    for (slot, dims, unit), one in units.items():
        where = _unversioned(slot, dims), unit
        counted[where] = counted.get(where, _NONE) + one
    return {place for place, measures in measured.items() if any(measures)} | {
        place for (place, _unit), one in counted.items() if any(one)
    }


def _unversioned(slot: int, dims: Dims) -> _Use:
    return slot, dims._replace(price_version="")
