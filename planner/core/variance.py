"""Why tokens cost more, or less, than in another period: sums of two periods, taken apart cause by cause.

Nothing is priced again. What a request of a group took, how its prompts were cached, what a unit cost by the list and
what was paid of that are averages of each period, exact as fractions, and one cause after the other is put in the place
of what was: the terms are differences of neighbours, and add up to the difference of the two sums to the last digit.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeVar

from planner.core.money import half_even
from planner.core.posting import Counted
from planner.core.scenario import Dimension
from planner.core.units import Unit

CAUSES = (
    Dimension.VOLUME, Dimension.MIX, Dimension.TOKENS, Dimension.CACHE, Dimension.PRICE, Dimension.FEE,
)  # fmt: skip
"""In the order in which they are put in place; the fee is all that is paid over or under the list price."""

REPORTED = "reported"
"""The unit of what is only reported of requests as a whole: there is nothing in it to be told apart."""

_TEXT = frozenset({Unit.INPUT, Unit.CACHE_READ, Unit.CACHE_WRITE_5M, Unit.CACHE_WRITE_1H})
Key = TypeVar("Key", bound=Hashable)


@dataclass(slots=True)
class Group:
    """Requests that were served alike in one period, and what they took, by unit; amounts in 1e-12 USD."""

    requests: int = 0
    units: dict[str, Counted] = field(default_factory=dict)

    def add(self, unit: str, counted: Counted) -> None:
        """Add some of a unit."""
        self.units[unit] = self.units.get(unit, Counted()) + counted

    @property
    def cost(self) -> int:
        """What all of it cost."""
        return sum(counted.cost for counted in self.units.values())

    @property
    def text(self) -> int:
        """Tokens of text in its prompts."""
        return sum(counted.quantity for unit, counted in self.units.items() if unit in _TEXT)


def values(before: Mapping[Key, Group], after: Mapping[Key, Group]) -> dict[Key, tuple[int, ...]]:
    """Return what each group costs in every state: as it was, after each cause in turn, and as it is.

    What one of the periods cannot say, because it has no such requests or no such unit, is taken from the other one:
    the first of the causes that needs it has all of it, and the rest of them nothing. So a new offer is mix, and the
    first reading from a cache is cache.
    """
    totals = _requests(before), _requests(after)
    found = {}
    for key in {**before, **after}:
        pair = before.get(key, Group()), after.get(key, Group())
        middle = [_value(pair, totals, done) for done in range(1, len(CAUSES))]
        found[key] = (pair[0].cost, *middle, pair[1].cost)
    return found


def _value(pair: tuple[Group, Group], totals: tuple[int, int], done: int) -> int:
    """Return what a group costs when so many causes have happened."""
    volume, mix, tokens, cache, price, fee = (int(place < done) for place in range(len(CAUSES)))
    requests = totals[volume] * _ratio(
        [(group.requests, total) for group, total in zip(pair, totals, strict=True)], mix
    )
    text = _ratio([(group.text, group.requests) for group in pair], tokens)
    total = Fraction()
    for unit in pair[0].units.keys() | pair[1].units.keys():
        counted = [group.units.get(unit, Counted()) for group in pair]
        if unit in _TEXT:
            each = text * _ratio([(one.quantity, group.text) for one, group in zip(counted, pair, strict=True)], cache)
        else:
            each = _ratio([(one.quantity, group.requests) for one, group in zip(counted, pair, strict=True)], tokens)
        listed = _ratio([(one.list, one.quantity) for one in counted], price)
        total += each * listed * _ratio([(one.cost, one.list) for one in counted], fee)
    exact = requests * total
    return half_even(exact.numerator, exact.denominator)


def _requests(period: Mapping[Key, Group]) -> int:
    return sum(group.requests for group in period.values())


def _ratio(pairs: list[tuple[int, int]], place: int) -> Fraction:
    """Return a ratio of one period, or of the other one where it has none; 0 where neither has."""
    for part, whole in (pairs[place], pairs[1 - place]):
        if whole:
            return Fraction(part, whole)
    return Fraction()
