"""What rows come to in every state of a scenario: which change is how much of the difference, and what none is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import NamedTuple

from planner.core.decompose import terms
from planner.core.event import Event
from planner.core.money import half_even
from planner.core.posting import RATED, Measures
from planner.core.replay import AS_COUNTED, COMPLETION, Way
from planner.core.statement import Statement
from planner.core.usage import Parts

INSEPARABLE, UNPRICED = "inseparable", "unpriced"
"""Terms that are no change: of rows without a price somewhere in between, and of rows with a price on one side only."""


class Side(NamedTuple):
    """Rows before anything changed, or after everything has: their tokens and what they cost, in 1e-12 USD.

    ``high`` is the most they may have cost. The ``unpriced`` have no cost and are in neither.
    """

    rows: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    low: int = 0
    high: int = 0
    unpriced_rows: int = 0
    unpriced_tokens: int = 0

    def plus(self, other: "Side") -> "Side":
        """Return the sum."""
        return Side._make(map(sum, zip(self, other, strict=True)))

    def more_often(self, volume: Fraction) -> "Side":
        """Return the same rows with the tokens of so many times as many requests; their costs are those already."""
        inward, outward, unpriced = (
            half_even(count * volume.numerator, volume.denominator)
            for count in (self.input_tokens, self.output_tokens, self.unpriced_tokens)
        )
        return self._replace(input_tokens=inward, output_tokens=outward, unpriced_tokens=unpriced)

    def statement(self) -> Statement:
        """Return this as the lines of a report."""
        found = Statement()
        whole = Measures(self.rows, 0, self.input_tokens, self.output_tokens, self.low, self.high, 0, 0)
        found.use(whole, RATED, reported=False, free=False)
        found.use(Measures(self.unpriced_rows, 0, self.unpriced_tokens), None, reported=False, free=False)
        return found


@dataclass(slots=True)
class Tally:
    """Sums over rows; amounts in 1e-12 USD, of the lower bound where a row has two.

    ``values`` are the costs in each state, of the rows that have a price in all of them. ``apart`` is what the others
    come to before and after that have one in both, ``one_sided`` those that have one in either.
    """

    values: list[int]
    before: Side = Side()  # noqa: RUF009  # immutable
    after: Side = Side()  # noqa: RUF009  # immutable
    apart: tuple[int, int, int] = (0, 0, 0)
    one_sided: tuple[int, int, int] = (0, 0, 0)

    def plus(self, other: "Tally") -> None:
        """Add another one's sums."""
        self.values = [one + more for one, more in zip(self.values, other.values, strict=True)]
        self.before, self.after = self.before.plus(other.before), self.after.plus(other.after)
        self.apart = _added(self.apart, other.apart)
        self.one_sided = _added(self.one_sided, other.one_sided)

    def odd(self, lows: Sequence[int | None]) -> None:
        """Add the costs of a row that has no price in some state."""
        begins, ends = lows[0], lows[-1]
        if begins is not None and ends is not None:
            self.apart = _added(self.apart, (1, begins, ends))
        elif begins is not None or ends is not None:
            self.one_sided = _added(self.one_sided, (1, begins or 0, ends or 0))

    def terms(self, changed: Sequence[str], method: str) -> dict[str, int]:
        """Return what each change adds to the cost, in their order; all together they are the difference."""
        found = dict(zip(changed, terms(self.values, len(changed), method), strict=True))
        for name, (rows, begins, ends) in ((INSEPARABLE, self.apart), (UNPRICED, self.one_sided)):
            if rows:
                found[name] = ends - begins
        return found


def _added(one: tuple[int, int, int], other: tuple[int, int, int]) -> tuple[int, int, int]:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


class Costs(NamedTuple):
    """What a row comes to: the least and the most in each way, None without a price, and its own tokens in and out."""

    lows: tuple[int | None, ...]
    highs: tuple[int | None, ...]
    before: tuple[int, int]
    after: tuple[int, int]


class Lane:
    """Rows that are priced in the same ways, and what they come to. States that are alike are gone through once."""

    def __init__(self, ways: Sequence[Way]) -> None:
        """Find out which states are alike."""
        distinct: list[Way] = []
        for way in ways:
            if way not in distinct:
                distinct.append(way)
        self._ways = distinct
        self._states = [distinct.index(way) for way in ways]
        self._shapes = list(dict.fromkeys(way.shape for way in distinct))
        self._plain = [(shape, shape == AS_COUNTED) for shape in self._shapes]
        self._shaped = [self._shapes.index(way.shape) for way in distinct]
        self._first, self._last = (self._shaped[self._states[place]] for place in (0, -1))
        self._volume = ways[-1].volume
        self._sums, self._tokens, self._rows = [0] * len(distinct), [0] * 4, 0
        self._unpriced, self._priceless = [0] * 3, (None,) * len(distinct)
        self._tally = Tally([0] * len(ways))
        self.clocked = any(way.clocked for way in distinct)

    def costs(self, parts: Parts, at: datetime) -> Costs:
        """Return what a single request whose cost is exact comes to."""
        counted = self._counted(parts)
        lows = tuple([way.exact_pico(counted[shape], at) for way, shape in zip(self._ways, self._shaped, strict=True)])
        return Costs(lows, lows, *self._both(counted))

    def bounds(self, event: Event, parts: Parts) -> Costs:
        """Return what any row comes to."""
        both = [way.bounds_pico(event, parts) for way in self._ways]
        lows, highs = (tuple(None if one is None else one[place] for one in both) for place in (0, 1))
        return Costs(lows, highs, *self._both(self._counted(parts)))

    def _counted(self, parts: Parts) -> list[Parts]:
        return [parts if plain else shape.counted(parts) for shape, plain in self._plain]

    def _both(self, counted: Sequence[Parts]) -> tuple[tuple[int, int], tuple[int, int]]:
        first, last = counted[self._first], counted[self._last]
        before = first.input_tokens, _completion(first)
        return before, before if first is last else (last.input_tokens, _completion(last))

    def add(self, costs: Costs) -> None:
        """Add what a row comes to."""
        if costs.lows == self._priceless:
            for place, count in enumerate((1, sum(costs.before), sum(costs.after))):
                self._unpriced[place] += count
            return
        if None in costs.lows or costs.lows is not costs.highs:
            self._add_oddly(costs)
            return
        sums = self._sums
        for place, low in enumerate(costs.lows):
            sums[place] += low  # type: ignore[operator]  # none is None
        self._rows += 1
        for place, count in enumerate((*costs.before, *costs.after)):
            self._tokens[place] += count

    def _add_oddly(self, costs: Costs) -> None:
        lows = [costs.lows[place] for place in self._states]
        highs = [costs.highs[place] for place in self._states]
        tally, priced = self._tally, [low for low in lows if low is not None]
        if len(priced) == len(lows):
            tally.values = [value + low for value, low in zip(tally.values, priced, strict=True)]
        else:
            tally.odd(lows)
        tally.before = tally.before.plus(_side(costs.before, lows[0], highs[0]))
        tally.after = tally.after.plus(_side(costs.after, lows[-1], highs[-1]))

    def tally(self) -> Tally:
        """Return what all rows come to."""
        sums = [self._sums[place] for place in self._states]
        found = Tally(list(self._tally.values), self._tally.before, self._tally.after, self._tally.apart,
                      self._tally.one_sided)  # fmt: skip
        (in_before, out_before, in_after, out_after), rows = self._tokens, self._rows
        unpriced, before, after = self._unpriced
        begins = Side(rows, in_before, out_before, sums[0], sums[0], unpriced, before)
        ends = Side(rows, in_after, out_after, sums[-1], sums[-1], unpriced, after)
        found.plus(Tally(sums, begins, ends))
        # Of all rows together: a hundredth more of ten tokens would be none of each.
        found.after = found.after.more_often(self._volume)
        return found


def _completion(parts: Parts) -> int:
    return sum([count for unit, count in parts.parts if unit in COMPLETION])


def _side(tokens: tuple[int, int], low: int | None, high: int | None) -> Side:
    if low is None or high is None:
        return Side(0, 0, 0, 0, 0, 1, sum(tokens))
    return Side(1, *tokens, low, high)
