"""One difference, many causes: terms that add up, whatever the order, and the division that has none."""

from collections.abc import Callable
from fractions import Fraction
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core.decompose import METHODS, SEQUENTIAL, SHAPLEY, shapley, states, terms, whole

AMOUNTS = st.integers(-(10**24), 10**24)


def worth(causes: int) -> st.SearchStrategy[list[int]]:
    """Draw what every set of causes is worth."""
    return st.lists(AMOUNTS, min_size=1 << causes, max_size=1 << causes)


def test_one_step_after_the_other() -> None:
    """Each term is the difference of two neighbours: what a change is depends on what was changed before."""
    assert states(3, SEQUENTIAL) == (0, 1, 3, 7)
    assert terms([100, 110, 80, 95], 3, SEQUENTIAL) == (10, -30, 15)


def test_the_average_over_every_order() -> None:
    """Two changes that matter together only share what they do; three orders of three are six."""
    assert terms([0, 0, 0, 10], 2, SHAPLEY) == (5, 5)
    value = {0: 0, 1: 6, 2: 12, 3: 42, 4: 0, 5: 6, 6: 12, 7: 42}
    assert shapley(value, 3) == (Fraction(18), Fraction(24), Fraction(0))


@pytest.mark.parametrize("method", METHODS)
def test_nothing_changed_has_no_terms(method: str) -> None:
    """One state, no term."""
    assert states(0, method) == (0,)
    assert terms([7], 0, method) == ()


@given(data=st.data(), causes=st.integers(1, 4), method=st.sampled_from(METHODS))
def test_terms_are_the_whole_difference(data: st.DataObject, causes: int, method: str) -> None:
    """To the last digit, by either method."""
    seen = states(causes, method)
    values = data.draw(st.lists(AMOUNTS, min_size=len(seen), max_size=len(seen)))
    assert sum(terms(values, causes, method)) == values[-1] - values[0]


@given(worth(3))
def test_shapley_is_the_mean_of_sequential_terms(values: list[int]) -> None:
    """Over all six orders, worked out one by one."""
    sums = [Fraction()] * 3
    for order in permutations(range(3)):
        state = 0
        for cause in order:
            sums[cause] += values[state | 1 << cause] - values[state]
            state |= 1 << cause
    assert shapley(dict(enumerate(values)), 3) == tuple(one / 6 for one in sums)


def moved(values: list[int], name: Callable[[int], int]) -> list[int]:
    """Give the causes other names."""
    return [values[sum(1 << name(cause) for cause in range(3) if state >> cause & 1)] for state in range(8)]


@given(worth(3))
def test_shapley_does_not_look_at_names(values: list[int]) -> None:
    """Causes called in another order have the same terms, and two that do the same have the same term."""
    first, second, third = shapley(dict(enumerate(values)), 3)
    assert shapley(dict(enumerate(moved(values, lambda cause: (cause + 1) % 3))), 3) == (second, third, first)
    alike = [values[state.bit_count()] for state in range(8)]
    assert len(set(shapley(dict(enumerate(alike)), 3))) == 1


@given(worth(2))
def test_a_cause_that_changes_nothing_gets_nothing(values: list[int]) -> None:
    """Whatever the others do."""
    beside = [values[state & 3] for state in range(8)]
    assert shapley(dict(enumerate(beside)), 3)[2] == 0
    assert terms(beside, 3, SHAPLEY)[2] == 0


@given(worth(3), worth(3))
def test_shapley_of_two_together_is_the_sum(one: list[int], other: list[int]) -> None:
    """So groups of rows add up to all rows, before anything is rounded."""
    both = shapley({state: one[state] + other[state] for state in range(8)}, 3)
    apart = zip(shapley(dict(enumerate(one)), 3), shapley(dict(enumerate(other)), 3), strict=True)
    assert both == tuple(first + second for first, second in apart)


@given(st.lists(st.fractions(max_denominator=720), min_size=1, max_size=6), st.integers(-(10**15), 10**15))
def test_rounded_shares_add_up(shares: list[Fraction], total: int) -> None:
    """And none is a whole one away from its share."""
    shares[-1] = total - sum(shares[:-1], Fraction())
    found = whole(shares, total)
    assert sum(found) == total
    assert all(abs(one - share) < 1 for one, share in zip(found, shares, strict=True))
