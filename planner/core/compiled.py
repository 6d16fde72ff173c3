"""What a compiled catalogue keeps between questions, and one question laid on it: columns by offer, and their sums."""

from collections.abc import Mapping
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from planner.core.ask import Ask
from planner.core.expected import AS_COUNTED, Traits
from planner.core.price import Context, PriceCard
from planner.core.pricing import Charges, Floats, Groups, Pricing
from planner.core.tier import ModelTier
from planner.core.units import Unit
from planner.core.usage import Usage
from planner.core.workload import PLAIN

Codes = NDArray[np.int32]
Indices = NDArray[np.intp]


class Stretch(NamedTuple):
    """A stretch of time without a change of cards, fees or retirements: what every question in it shares.

    ``fee_numerators`` over ``fee_denominator`` are the fee factors by offer, exactly where below ``NUMERATOR_BELOW``;
    ``fees`` are the same as doubles.
    """

    cards: tuple[PriceCard | None, ...]
    labels: Mapping[str, ModelTier]
    fees: Floats
    fee_numerators: NDArray[np.int64]
    fee_denominator: int
    fee_factors: tuple[Fraction, ...]
    standing: tuple[str | None, ...]


class Served(NamedTuple):
    """The service tier each offer would serve over one stretch, what its price is then selected by, and the prices.

    Most questions ask for the same tiers, and prices are the dearest part to lay out.
    """

    tiers: tuple[str | None, ...]
    contexts: tuple[Context, ...]
    pricing: Pricing


class Shape(NamedTuple):
    """One policy and one set of needs over one stretch: what does not depend on tokens or budget.

    ``first`` holds codes decided before limits are looked at, ``last`` those after; 0 passes.
    """

    first: Codes
    last: Codes
    served: Served


class Ways(NamedTuple):
    """The ways in which the offers run the requests of a workload, and which way each offer goes; None: all the one."""

    traits: tuple[Traits, ...]
    groups: Groups | None

    def of(self, i: int) -> int:
        """Return the way of one offer."""
        return 0 if self.groups is None else int(self.groups[i])


class Field(NamedTuple):
    """Who is left of a shape for every question that uses the same units, and who was refused on the way.

    ``context`` and ``output`` are limits in tokens, infinite where unknown. All columns go by ``left``.
    """

    stretch: Stretch
    shape: Shape
    ways: Ways
    left: Indices
    groups: Groups | None
    context: Floats
    output: Floats
    last: Codes
    fees: Floats
    charges: Charges
    refused: Mapping[str, int]


class Run(NamedTuple):
    """One question on its field: every kind of request, in each of the ways in which offers run it."""

    ask: Ask
    field: Field
    usages: tuple[tuple[Usage, ...], ...]

    def list_costs(self) -> Floats:
        """Return about what one attempt costs on everybody who is left, at list price, in 1e-12 USD."""
        field, at = self.field, self.ask.at
        if field.groups is None and len(self.usages[0]) == 1:
            return field.charges.costs(self.usages[0][0], at)
        total = np.zeros(len(field.left), np.float64)
        for place, request in enumerate(self.ask.workload.requests):
            each = [usages[place] for usages in self.usages]
            costs = (
                field.charges.costs(each[0], at)
                if field.groups is None
                else field.charges.costs_by(each, field.groups, at)
            )
            total += costs * float(request.share)
        return total

    @property
    def plain(self) -> bool:
        """Whether the costs are sums of rates and counts, and nothing else."""
        return self.field.groups is None and len(self.ask.workload.requests) == 1 and self.ask.workload.habits == PLAIN


class Eligible(NamedTuple):
    """Offers that pass everything before the margin, with about their effective cost in 1e-12 USD, and the refusals."""

    indices: Indices
    costs: Floats
    refused: dict[str, int]


ALL_AS_COUNTED = Ways((AS_COUNTED,), None)


def units_of(usages: tuple[Usage, ...]) -> tuple[Unit, ...]:
    """Return the units that some requests use, each once."""
    if len(usages) == 1:
        return tuple(unit for unit, _count in usages[0].parts)
    return tuple(dict.fromkeys(unit for usage in usages for unit, _count in usage.parts))
