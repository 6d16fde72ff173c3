"""How much of its text a task must lose so that an offer's cost fits a budget: prompts, completions, or both alike.

The last text goes first: of a prompt what no cache holds, then what is written to one, then what is read from one, each
saved at its own price. Where a task states its cache as shares, the shares hold for the shorter prompt too. Fees of
requests, searches and media are never trimmed. What is left is priced like every other workload, so a trim can be
checked by asking again. A price that depends on the length of the prompt changes for the whole request where the
prompt gets short enough: the cost falls in straight pieces with jumps between them, and each piece is solved by itself.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor
from typing import NamedTuple

from planner.core.errors import InvalidInput, Unpriced
from planner.core.expected import Traits
from planner.core.tariff import Tariff
from planner.core.units import Unit
from planner.core.usage import Usage
from planner.core.workload import Habits, Request, Workload

CUTS = ("input", "output", "both")
_TEXT = {Unit.INPUT, Unit.CACHE_READ, Unit.CACHE_WRITE_5M, Unit.CACHE_WRITE_1H, Unit.OUTPUT, Unit.REASONING}
_WHOLE = Fraction(1)


class Loss(NamedTuple):
    """What one kind of request loses: as it runs on the offer before and after, and tokens of the stated completion."""

    share: Fraction
    before: Usage
    after: Usage
    output_tokens: int

    def of(self, *units: Unit) -> int:
        """Return how many tokens of some units go."""
        before, after = dict(self.before.parts), dict(self.after.parts)
        return sum(before.get(unit, 0) - after.get(unit, 0) for unit in units)

    @property
    def input_tokens(self) -> int:
        """Tokens of the prompt that go, cached or not."""
        return self.before.input_tokens - self.after.input_tokens

    @property
    def cached_tokens(self) -> int:
        """How many of them are read from a cache or written to one; as the offer runs it."""
        return self.of(Unit.CACHE_READ, Unit.CACHE_WRITE_5M, Unit.CACHE_WRITE_1H)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trim:
    """The smallest cut that fits a budget, or why there is none.

    ``ratio`` is the share of the text that goes, exact: as if tokens could be split where that comes to a fitting whole
    number of them, else the share of whole tokens. ``workload`` is what is left in whole tokens, ``cost_usd`` what a
    request of it costs. Without a ratio both are of a task that has lost all the text that may be cut, and ``why_not``
    says why that is not enough: ``no_budget`` leaves nothing for tokens, ``too_dear`` is what cannot be cut,
    ``unpriced`` a shorter prompt is billed in a unit without a rate.
    """

    cut: str
    ratio: Fraction | None
    workload: Workload
    cost_usd: Fraction
    losses: tuple[Loss, ...] = ()
    why_not: str | None = None


def trim(tariff: Tariff, workload: Workload, budget_usd: Fraction, cut: str) -> Trim:
    """Return the smallest cut of ``cut`` after which a workload costs at most ``budget_usd`` per period.

    Every kind of request loses the same share of its text, rounded up to whole tokens. With shares of a cache,
    counts of cached tokens are rounded as everywhere; on a card where a written token costs less than a plain one
    over a read one, that rounding can make a cut one token larger than it had to be.

    Raises:
        InvalidInput: ``cut`` is none of input, output, both.

    Source:
        500 requests of 1,500 + 400 tokens at $3 and $15 a million cost $5.25; for $4.12 prompts lose 50.2 %, or
        completions 37.7 %, or both 21.5 %.
    """
    if cut not in CUTS:
        raise InvalidInput("cut", f"one of {', '.join(CUTS)} is needed")
    piece = _Piecewise(tariff, workload, cut)
    try:
        return piece.smallest(budget_usd)
    except Unpriced:
        return Trim(cut=cut, ratio=None, workload=workload, cost_usd=tariff.cost_usd(workload), why_not="unpriced")


class _Kind(NamedTuple):
    """One kind of request: how long its text is, and what of it is not text."""

    request: Request
    input_tokens: int
    output_tokens: int
    fixed: tuple[tuple[Unit, int], ...]

    @classmethod
    def of(cls, request: Request) -> "_Kind":
        usage = request.usage
        fixed = tuple(part for part in usage.parts if part[0] not in _TEXT)
        return cls(request, usage.text_input_tokens, usage.text_output_tokens, fixed)


class _Piecewise:
    """The cost of a workload on an offer as a function of the share of its text that goes."""

    def __init__(self, tariff: Tariff, workload: Workload, cut: str) -> None:
        self._tariff, self._workload, self._cut = tariff, workload, cut
        self._habits = workload.habits
        self._traits = tariff.traits(self._habits)
        self._kinds = tuple(_Kind.of(request) for request in workload.requests)
        self._input, self._output = cut != "output", cut != "input"
        self._rates: dict[tuple[Unit, int], Fraction] = {}
        self._lengths = tariff.lengths()
        cached_from = self._traits.cacheable_tokens_min if self._traits.hit_share is not None else 0
        self._steps = tuple(sorted({*self._lengths, cached_from} - {0}))
        self._falls = not cached_from and self._rates_fall()

    def _rates_fall(self) -> bool:
        """Tell whether no rate rises where a prompt gets shorter, so that a shorter request never costs more."""
        units = {unit for request in self._workload.requests for unit, _count in request.usage.parts} | _TEXT
        usd = self._tariff.usd
        return all(usd(unit, step - 1) <= usd(unit, step) for step in self._lengths for unit in units)

    def smallest(self, budget_usd: Fraction) -> Trim:
        """Return the smallest cut that fits."""
        requests = self._workload.requests_per_period
        limit = budget_usd / requests if requests else budget_usd
        nothing_fits = budget_usd < 0

        def fits(ratio: Fraction) -> bool:
            return self._in_whole(ratio) <= limit

        ratio: Fraction | None = Fraction()
        whole: Fraction | None = None if nothing_fits else Fraction()
        if requests and not nothing_fits:
            ratio = self._ratio(limit)
            whole = self._in_tokens(fits, ratio)
        if whole is None:
            left = self._shorter(_WHOLE)
            why = "no_budget" if nothing_fits else "too_dear"
            return Trim(cut=self._cut, ratio=None, workload=left, cost_usd=self._tariff.cost_usd(left), why_not=why)
        left = self._shorter(whole)
        # A share that is not, within one token of the shortest text, what whole tokens come to is no advice.
        if ratio is None or abs(ratio - whole) * min(self._counts(), default=0) > 1 or not fits(ratio):
            ratio = whole
        before, after = self._tariff.kinds(self._workload), self._tariff.kinds(left)
        losses = tuple(
            Loss(was.share, was.usage, now.usage, stated.output_tokens - kept.output_tokens)
            for was, now, stated, kept in zip(before, after, self._workload.usages, left.usages, strict=True)
        )
        cost_usd = self._tariff.cost_usd(left)
        return Trim(cut=self._cut, ratio=ratio, workload=left, cost_usd=cost_usd, losses=losses)

    # --- in whole tokens ----------------------------------------------------------------------------------

    def _shorter(self, ratio: Fraction) -> Workload:
        """Return the workload without this share of its text, rounded up to whole tokens."""
        requests = tuple(Request(self._left(kind, ratio), kind.request.share) for kind in self._kinds)
        return replace(self._workload, requests=requests)

    def _left(self, kind: _Kind, ratio: Fraction) -> Usage:
        gone = ceil(ratio * kind.input_tokens) if self._input else 0
        return shortened(kind.request.usage, gone, ceil(ratio * kind.output_tokens) if self._output else 0)

    def _in_whole(self, ratio: Fraction) -> Fraction:
        """Return what a request costs without this share of its text, rounded up to whole tokens."""
        tariff, habits, traits = self._tariff, self._habits, self._traits
        listed = (
            kind.request.share * tariff.listed_usd(self._left(kind, ratio), habits, traits) for kind in self._kinds
        )
        return sum(listed, Fraction()) * tariff.scale(habits)

    def _in_tokens(self, fits: Callable[[Fraction], bool], near: Fraction | None) -> Fraction | None:
        """Return the smallest share that fits once whole tokens go, probably the one just above ``near``.

        Between two steps of a price more never costs more. Tokens are rounded up, so a prompt is below a step as soon
        as the share is above its last token before it.
        """
        counts = sorted(self._counts())
        if fits(Fraction()):
            return Fraction()
        edges = {Fraction(), _WHOLE}
        for kind in self._kinds if self._input and not self._falls else ():
            total = kind.request.usage.input_tokens
            edges |= {Fraction(total - step, kind.input_tokens) for step in self._steps if self._reaches(kind, step)}
        for low, high in pairwise(sorted(edges)):
            if counts and fits(high):
                return _first(low, high, counts, fits, near)
        return None

    def _counts(self) -> Iterator[int]:
        for kind in self._kinds:
            if self._input and kind.input_tokens:
                yield kind.input_tokens
            if self._output and kind.output_tokens:
                yield kind.output_tokens

    def _reaches(self, kind: _Kind, step: int) -> bool:
        """Tell whether cutting text takes a kind's prompt below a step of the price."""
        total = kind.request.usage.input_tokens
        return total - kind.input_tokens < step <= total

    # --- as if tokens could be split ----------------------------------------------------------------------

    def _ratio(self, limit: Fraction) -> Fraction | None:
        """Return the smallest share that fits, exactly; each piece begins with the prompt that is short enough."""
        points = sorted({Fraction(), _WHOLE, *(point for kind in self._kinds for point in self._bends(kind))})
        if self._falls:
            # The first point that fits is looked up; what fits before it lies in the piece that ends there.
            place = bisect_left(points, 1, key=lambda point: int(self._at(point) <= limit))
            if place == len(points):
                return None
            points = points[max(place - 1, 0) : place + 1]
        for low, high in pairwise(points):
            start = self._at(low)
            if start <= limit:
                return low
            middle = (low + high) / 2
            slope = (self._at(middle) - start) / (middle - low)
            if slope < 0 and (root := low + (limit - start) / slope) < high:
                return root
        return points[-1] if self._at(points[-1]) <= limit else None

    def _bends(self, kind: _Kind) -> Iterator[Fraction]:
        if not self._input or not kind.input_tokens:
            return
        total = kind.request.usage.input_tokens
        for step in self._steps:
            if self._reaches(kind, step):
                yield Fraction(total - step + 1, kind.input_tokens)
        gone = 0
        for count in _layers(kind.request.usage)[:-1]:
            gone += count
            yield Fraction(gone, kind.input_tokens)

    def _at(self, ratio: Fraction) -> Fraction:
        """Return what a request costs without this share of its text."""
        listed = sum((kind.request.share * self._listed(kind, ratio) for kind in self._kinds), Fraction())
        return listed * self._tariff.scale(self._habits)

    def _listed(self, kind: _Kind, ratio: Fraction) -> Fraction:
        gone = ratio * kind.input_tokens if self._input else Fraction()
        gone_out = ratio * kind.output_tokens if self._output else Fraction()
        # A prompt between two whole lengths is priced as the longer one.
        length = ceil(kind.request.usage.input_tokens - gone)
        parts = _parts(kind, self._habits, self._traits, gone, gone_out, length)
        priced = ((unit, count) for unit, count in parts.items() if count)
        text = sum((count * self._rate(unit, length) for unit, count in priced), Fraction())
        return text + sum((count * self._rate(unit, length) for unit, count in kind.fixed), Fraction())

    def _rate(self, unit: Unit, length: int) -> Fraction:
        place = sum(step <= length for step in self._lengths)
        if (unit, place) not in self._rates:
            self._rates[unit, place] = self._tariff.usd(unit, length)
        return self._rates[unit, place]


def _first(
    low: Fraction, high: Fraction, counts: list[int], fits: Callable[[Fraction], bool], near: Fraction | None
) -> Fraction:
    """Return the smallest share above ``low`` that fits, where ``high`` fits and more never costs more."""
    most = counts[-1]

    def grid(place: int) -> Fraction:
        return min(Fraction(place, most), high)

    bottom, top = floor(low * most) + 1, ceil(high * most)
    guess = top if near is None else ceil(near * most)
    if bottom <= guess < top:
        bottom, top = (bottom, guess) if fits(grid(guess)) else (guess + 1, top)
        if bottom < top == guess and not fits(grid(guess - 1)):
            bottom = guess
    while bottom < top:
        middle = (bottom + top) // 2
        bottom, top = (bottom, middle) if fits(grid(middle)) else (middle + 1, top)
    found, before = grid(bottom), max(Fraction(bottom - 1, most), low)
    # Between two tokens of the longest text there is at most one of every other.
    between = {Fraction(floor(before * count) + 1, count) for count in counts}
    return next((ratio for ratio in sorted(between) if ratio < found and fits(ratio)), found)


def _layers(usage: Usage) -> tuple[int, int, int, int]:
    """Return the text of a prompt from its end: uncached, written for 5 minutes, for 1 hour, read from a cache."""
    parts = dict(usage.parts)
    units = Unit.INPUT, Unit.CACHE_WRITE_5M, Unit.CACHE_WRITE_1H, Unit.CACHE_READ
    plain, short, long, read = (parts.get(unit, 0) for unit in units)
    return plain, short, long, read


def shortened(usage: Usage, input_tokens: int, output_tokens: int) -> Usage:
    """Return a request without so many tokens of its prompt's text and of its completion's.

    A prompt loses its end first; a completion loses reasoning and visible text alike.

    Example:
        >>> left = shortened(Usage(input_tokens=1_000, cache_read_tokens=600, output_tokens=10), 500, 0)
        >>> left.input_tokens, left.cache_read_tokens
        (500, 500)
    """
    changed: dict[str, int] = {"input_tokens": usage.input_tokens - input_tokens}
    layers = _layers(usage)
    if sum(layers[1:]):
        left = [*_taken(layers, Fraction(input_tokens))]
        lost = [layer - ceil(rest) for layer, rest in zip(layers, left, strict=True)]
        changed["cache_read_tokens"] = usage.cache_read_tokens - lost[3]
        changed["cache_write_5m_tokens"], changed["cache_write_1h_tokens"] = ceil(left[1]), ceil(left[2])
        changed["cache_write_tokens"] = ceil(left[1]) + ceil(left[2])
    changed["output_tokens"] = usage.output_tokens - output_tokens
    if usage.reasoning_tokens:
        text = usage.text_output_tokens
        changed["reasoning_tokens"] = usage.reasoning_tokens * (text - output_tokens) // text
    return usage.changed(changed)


def _taken(layers: tuple[int, ...], gone: Fraction) -> Iterator[Fraction]:
    """Yield what is left of each layer once so much is gone from the first ones."""
    for layer in layers:
        lost = min(gone, Fraction(layer))
        gone -= lost
        yield layer - lost


def _parts(  # one argument per thing that decides them
    kind: _Kind, habits: Habits, traits: Traits, gone: Fraction, gone_out: Fraction, length: int
) -> Mapping[Unit, Fraction]:
    """Return the billed text of one kind of request after a cut, as if tokens could be split."""
    usage, text = kind.request.usage, kind.input_tokens - gone
    output = kind.output_tokens - gone_out
    if traits.reasons:
        whole, reasoning = output * habits.reasoning_multiplier, output * (habits.reasoning_multiplier - 1)
    else:
        stated = Fraction(usage.reasoning_tokens, kind.output_tokens) if kind.output_tokens else Fraction()
        whole, reasoning = output, output * stated
    made = {Unit.OUTPUT: whole - reasoning, Unit.REASONING: reasoning}
    if traits.hit_share is None or length < traits.cacheable_tokens_min:
        plain, short, long, read = _taken(_layers(usage), gone)
        return {
            **made, Unit.INPUT: plain, Unit.CACHE_WRITE_5M: short, Unit.CACHE_WRITE_1H: long, Unit.CACHE_READ: read,
        }  # fmt: skip
    written = min(habits.cache_write_share, 1 - traits.hit_share) if traits.writes else Fraction()
    unit = Unit.CACHE_WRITE_1H if habits.writes_for_an_hour else Unit.CACHE_WRITE_5M
    read_share = traits.hit_share
    return {
        **made, Unit.INPUT: text * (1 - read_share - written), Unit.CACHE_READ: text * read_share, unit: text * written
    }  # fmt: skip
