"""What is booked for one row of usage: under which heads, how much of everything, and what it cost."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from operator import add, sub
from typing import Any, NamedTuple, Self

from planner.core.event import Event, StatedBy
from planner.core.money import PICO, half_even
from planner.core.rating import Rated

RATED, REPORTED, UNPRICED = "rated", "reported", "unpriced"
MILLI = 10**9
"""Units of 1e-12 USD in a thousandth of a dollar: how sums are stored in two whole numbers of 64 bits."""


class Dims(NamedTuple):
    """The heads a row is booked under; "" is what the row does not say.

    ``customer`` is the one we know, where ``matched``; else as the stream spells it. ``cost_basis`` says which figure
    is the best there is: our own rating, what was reported, or none.
    """

    plan: str = ""
    task: str = ""
    customer: str = ""
    matched: bool = True
    project: str = ""
    key: str = ""
    model: str = ""
    provider: str = ""
    offer: str = ""
    price_version: str = ""
    cost_basis: str = UNPRICED
    stated_by: str = ""
    unpriced: str = ""
    service_tier: str = "standard"
    region: str = ""
    band: str = ""
    status: str = "ok"
    source: str = ""


class Measures(NamedTuple):
    """What is summed up; amounts in 1e-12 USD. ``high`` is the most it may have cost, ``list`` before discount and fee.

    Example:
        >>> one = Measures(1, 1, 10, 5, 7, 7, 7, 0)
        >>> one + one - one == one
        True
    """

    rows: int = 0
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: int = 0
    high: int = 0
    list: int = 0
    stated: int = 0

    def __add__(self, other: tuple[Any, ...]) -> "Measures":
        return Measures._make(map(add, self, other))

    def __sub__(self, other: "Measures") -> "Measures":
        return Measures._make(map(sub, self, other))


class Counted(NamedTuple):
    """One kind of token or other unit: how many, what they cost at least, at most, and at list price, in 1e-12 USD."""

    quantity: int = 0
    cost: int = 0
    high: int = 0
    list: int = 0

    def __add__(self, other: tuple[Any, ...]) -> "Counted":
        return Counted._make(map(add, self, other))

    def __sub__(self, other: "Counted") -> "Counted":
        return Counted._make(map(sub, self, other))


_NOTHING, _NONE = Measures(), Counted()


class Posting(NamedTuple):
    """What is booked for a row."""

    dims: Dims
    measures: Measures
    units: tuple[tuple[str, Counted], ...]

    @classmethod
    def of(cls, event: Event, rated: Rated, dims: Dims) -> Self:
        """Return what is to be booked for a rated row under these heads; those of its cost are filled in."""
        stated = 0 if event.stated_usd is None else to_pico_exactly(event)
        reported = event.stated_usd is not None and event.stated_by is not StatedBy.ESTIMATE
        priced = rated.unpriced is None
        counts = event.counts
        booked = dims._replace(
            price_version=rated.price_version or "" if priced else "",
            cost_basis=RATED if priced else REPORTED if reported else UNPRICED,
            stated_by="" if event.stated_usd is None else event.stated_by.value,
            unpriced=rated.unpriced or "",
            service_tier=event.service_tier,
            band=rated.band,
            status=event.outcome.value,
            source=event.source,
        )
        tokens = _tokens(rated)
        amounts = (rated.low_pico, rated.high_pico, rated.list_pico) if priced else (0, 0, 0)
        measures = Measures(1, counts.get("requests", 1), *tokens, *amounts, stated)
        units = tuple(
            (one.unit.value, Counted(one.quantity, one.low_pico, one.high_pico, one.list_pico)) for one in rated.units
        )
        return cls(booked, measures, units)

    def form(self) -> dict[str, Any]:
        """Return this as JSON, whole numbers as they are."""
        return {
            "dims": list(self.dims),
            "measures": list(self.measures),
            "units": [[unit, *counted] for unit, counted in self.units],
        }

    @classmethod
    def read(cls, form: Mapping[str, Any]) -> Self:
        """Read what `form` gave."""
        units = tuple((unit, Counted(*rest)) for unit, *rest in form["units"])
        return cls(Dims(*form["dims"]), Measures(*form["measures"]), units)


def to_pico_exactly(event: Event) -> int:
    """Return a stated cost in 1e-12 USD, rounded once, half-even."""
    value = Fraction(event.stated_usd or 0) * PICO
    return half_even(value.numerator, value.denominator)


def _tokens(rated: Rated) -> tuple[int, int]:
    inward = outward = 0
    for one in rated.units:
        name = one.unit.value
        if name.endswith("_token"):
            if name.startswith(("output", "reasoning")):
                outward += one.quantity
            else:
                inward += one.quantity
    return inward, outward


Cell = tuple[int, int, Dims]
"""A slot, the slot it is booked in, and the heads."""


class Sums:
    """What a batch of changes adds to the sums, cell by cell."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.facts: dict[Cell, Measures] = {}
        self.units: dict[tuple[int, int, Dims, str], Counted] = {}

    def add(self, slot: int, booked_slot: int, posting: Posting, sign: int = 1) -> None:
        """Add a posting, or with -1 take it away."""
        cell = slot, booked_slot, posting.dims
        if sign > 0 and cell not in self.facts:
            # Of millions of cells most are new, and nothing has to be added to nothing.
            self.facts[cell] = posting.measures
            self.units |= {(*cell, unit): counted for unit, counted in posting.units}
            return
        change = add if sign > 0 else sub
        self.facts[cell] = change(self.facts.get(cell, _NOTHING), posting.measures)
        for unit, counted in posting.units:
            place = (*cell, unit)
            self.units[place] = change(self.units.get(place, _NONE), counted)

    def take(self, cells: Iterable[tuple[Cell, Measures]]) -> None:
        """Add sums that were made elsewhere."""
        for cell, measures in cells:
            self.facts[cell] = self.facts.get(cell, Measures()) + measures


def split(pico: int) -> tuple[int, int]:
    """Split an amount into thousandths of a dollar and the rest of 1e-12; the rest is never negative.

    Example:
        >>> split(-1), split(62_850_000_000)
        ((-1, 999999999), (62, 850000000))
    """
    return divmod(pico, MILLI)
