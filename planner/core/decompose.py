"""One difference, many causes: a change told step by step, each step exact, and all of them together the difference.

A state is a set of causes that have happened already, written as a mask: bit 0 is the first cause. Sequential
substitution goes from no cause to all of them in one fixed order, so its terms are differences of neighbours and
add up by themselves. What a term is then depends on the order; Shapley's value is the average over every order.

Source:
    L. S. Shapley, A value for n-person games (1953): the only division that adds up, treats equal causes alike, gives
    nothing to a cause that changes nothing, and of two differences together gives what it gives of each.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from math import factorial, floor

SEQUENTIAL, SHAPLEY = "sequential", "shapley"
METHODS = (SEQUENTIAL, SHAPLEY)


def states(causes: int, method: str) -> tuple[int, ...]:
    """Return the states a method looks at, the one before any cause first and the one after all of them last.

    Example:
        >>> states(2, SEQUENTIAL), states(2, SHAPLEY)
        ((0, 1, 3), (0, 1, 2, 3))
    """
    if method == SEQUENTIAL:
        return tuple((1 << done) - 1 for done in range(causes + 1))
    return tuple(range(1 << causes))


def terms(values: Sequence[int], causes: int, method: str) -> tuple[int, ...]:
    """Return what each cause adds to a value, whole numbers whose sum is the whole difference.

    Args:
        values: one for each of `states`, in their order.
        causes: how many there are.
        method: one of `METHODS`.
    """
    if method == SEQUENTIAL:
        return tuple(after - before for before, after in pairwise(values))
    return whole(shapley(dict(enumerate(values)), causes), values[-1] - values[0])


def shapley(values: Mapping[int, int], causes: int) -> tuple[Fraction, ...]:
    """Return what each cause adds on average over all orders in which they may happen, exactly.

    Example:
        >>> shapley({0: 0, 1: 10, 2: 10, 3: 30}, 2)
        (Fraction(15, 1), Fraction(15, 1))
    """
    # So many of the orders have exactly these causes before this one.
    weights = [factorial(before) * factorial(causes - before - 1) for before in range(causes)]
    orders = factorial(causes)
    return tuple(
        Fraction(
            sum(
                weights[state.bit_count()] * (values[state | 1 << cause] - values[state])
                for state in range(1 << causes)
                if not state >> cause & 1
            ),
            orders,
        )
        for cause in range(causes)
    )


def whole(shares: Sequence[Fraction], total: int) -> tuple[int, ...]:
    """Round shares of a whole number to whole numbers that still add up to it, by the largest remainder.

    Of equal remainders the first is rounded up, and none is more than one away from its share.

    Example:
        >>> whole([Fraction(1, 3), Fraction(1, 3), Fraction(1, 3)], 1)
        (1, 0, 0)
    """
    found = [floor(share) for share in shares]
    by_remainder = sorted(range(len(shares)), key=lambda place: (found[place] - shares[place], place))
    for place in by_remainder[: total - sum(found)]:
        found[place] += 1
    return tuple(found)
