"""What is still to be booked of a file: the difference to what is booked, wherever that is booked."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from planner.core.posting import Counted, Dims, Measures, Posting, Sums
from planner.core.restating import difference

TOKENS = "input_token"


def posting(rows: int = 1, cost: int = 5, *, quantity: int = 10, **heads: Any) -> Posting:
    """Make what is booked for some rows: tokens in, at one price."""
    dims = Dims(offer="o", price_version="1", cost_basis="rated")._replace(**heads)
    return Posting(dims, Measures(rows, rows, quantity, 0, cost, cost, cost), ((TOKENS, Counted(quantity, cost)),))


def sums(*cells: tuple[int, int, Posting]) -> Sums:
    """Add cells up: slot of use, slot of booking, and what is booked."""
    found = Sums()
    for slot, booked, one in cells:
        found.add(slot, booked, one)
    return found


def own(slot: int) -> int:
    """Book everything in its own slot."""
    return slot


def test_of_a_new_file_everything_is_to_be_booked() -> None:
    """Nothing is booked of it yet, so the difference is the whole."""
    new = sums((1, 1, posting()), (2, 2, posting(plan="pro")))
    found = difference(new, Sums(), own)
    assert (found.facts, found.units) == (new.facts, new.units)


def test_what_is_booked_already_is_not_booked_again() -> None:
    """In its own slot, or in a later one because its month was closed."""
    new = sums((1, 1, posting()), (2, 2, posting()))
    assert difference(new, sums((1, 1, posting()), (2, 9, posting())), own).facts == {}


def test_what_costs_something_else_is_moved_to_its_new_price() -> None:
    """The old version loses its rows, the new one gets them, and both are booked where that is possible now."""
    old, new = posting(cost=5), posting(cost=7, price_version="2")
    found = difference(sums((1, 1, new)), sums((1, 1, old)), lambda slot: slot + 100)
    assert found.facts == {(1, 101, new.dims): new.measures, (1, 101, old.dims): Measures() - old.measures}
    assert found.units[1, 101, new.dims, TOKENS] == Counted(10, 7)


def test_another_version_of_the_same_price_is_no_news() -> None:
    """A card that was only cut anew: what was booked by the old one stays there."""
    old, cut, late = posting(), posting(price_version="2"), posting(cost=9, price_version="2")
    found = difference(sums((1, 1, cut), (2, 2, late)), sums((1, 1, old), (2, 2, old)), own)
    assert {slot for slot, _booked, _dims in found.facts} == {2}


def test_a_unit_that_makes_up_for_another_is_news() -> None:
    """The sums of a cell are the same, and its units are not; the cell comes along, with nothing in it."""
    one = posting()
    other = one._replace(units=(("output_token", Counted(10, 5)),))
    found = difference(sums((1, 1, other)), sums((1, 1, one)), own)
    assert found.facts == {(1, 1, one.dims): Measures()}
    assert {unit for *_cell, unit in found.units} == {TOKENS, "output_token"}


CELLS = st.lists(
    st.tuples(
        st.integers(0, 3), st.integers(0, 3),
        st.builds(posting, st.integers(0, 3), st.integers(0, 3), price_version=st.sampled_from("12"),
                  plan=st.sampled_from(["", "pro"])),
    ),
    max_size=8,
)  # fmt: skip


def unversioned(found: Sums) -> dict[tuple[int, str], Measures]:
    """Add up by slot of use and plan."""
    total: dict[tuple[int, str], Measures] = {}
    for (slot, _booked, dims), measures in found.facts.items():
        total[slot, dims.plan] = total.get((slot, dims.plan), Measures()) + measures
    return {place: measures for place, measures in total.items() if any(measures)}


@given(CELLS, CELLS)
def test_what_is_booked_and_the_difference_are_what_the_file_comes_to(new: list, booked: list) -> None:  # type: ignore[type-arg]  # cells
    """Under every head but the version of the price; and booked once more, nothing is left."""
    wanted, had = sums(*new), sums(*booked)
    delta = difference(wanted, had, own)
    for cell, measures in delta.facts.items():
        had.facts[cell] = had.facts.get(cell, Measures()) + measures
    for place, counted in delta.units.items():
        had.units[place] = had.units.get(place, Counted()) + counted
    assert unversioned(had) == unversioned(wanted)
    assert difference(wanted, had, own).facts == {}
