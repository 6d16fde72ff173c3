"""The exact cost of one request on one rate table."""

from datetime import datetime
from fractions import Fraction
from typing import NamedTuple

from planner.core.errors import Unpriced
from planner.core.money import PICO
from planner.core.price import STANDARD, Context, Rate, RateTable
from planner.core.units import FALLBACK, REGISTRY, Direction, Unit
from planner.core.usage import Parts, Usage


class Line(NamedTuple):
    """One priced unit: ``quantity`` single units at ``rate``; ``amount_pico`` is rounded once to 1e-12 USD."""

    unit: Unit
    quantity: int
    rate: Rate
    amount_pico: int

    @property
    def exact_usd(self) -> Fraction:
        """The unrounded amount in dollars."""
        return Fraction(self.quantity * self.rate.pico, self.rate.pico_per * PICO)


class Cost(NamedTuple):
    """What a request costs: its lines and the sum of the rounded lines, in 1e-12 USD."""

    lines: tuple[Line, ...]
    total_pico: int

    @property
    def exact_usd(self) -> Fraction:
        """The unrounded total in dollars: what comparisons and margins use."""
        if all(line.rate.pico_per == 1 for line in self.lines):
            # No line was rounded, so the sum of the lines is the exact sum.
            return Fraction(self.total_pico, PICO)
        return sum((line.exact_usd for line in self.lines), Fraction())

    def direction_pico(self, direction: Direction) -> int:
        """Return the sum of the rounded lines of one direction, in 1e-12 USD."""
        return sum(line.amount_pico for line in self.lines if REGISTRY[line.unit].direction is direction)


def cost(usage: Usage | Parts, rates: RateTable, at: datetime, context: Context = STANDARD) -> Cost:
    """Price ``usage`` with the rates in force for this request.

    Args:
        usage: counts of one request, in the canonical form.
        rates: the table in force when the request ran; the caller picks it by time.
        at: when the request ran, in UTC: it decides time-of-day bands.
        context: service tier and region of the request.

    Returns:
        One line per used unit that is billed, and their total.

    Raises:
        Unpriced: a used unit has neither a rate nor a fallback, or the requested tier has no price.

    Source:
        Disjoint counts follow genai-prices (prices/units.yml, 2026-08-21): each unit is billed net of its
        more specific kin. The band is decided once, by the whole prompt, and covers the whole request.

    Example:
        >>> from datetime import UTC
        >>> from decimal import Decimal
        >>> rates = RateTable.flat({Unit.INPUT: Rate(Decimal("0.15"), 1_000_000)})
        >>> cost(Usage(input_tokens=2_600), rates, datetime(2026, 1, 1, tzinfo=UTC)).exact_usd
        Fraction(39, 100000)
    """
    if context.service_tier != "standard":
        rates.check_tier((unit for unit, _count in usage.parts if unit is not Unit.REQUEST), context)
    chosen = rates.selected(context, usage.input_tokens, at)
    lines: list[Line] = []
    missing: list[Unit] = []
    total = 0
    for unit, quantity in usage.parts:
        rate = chosen.get(unit)
        if rate is None:
            fallback = FALLBACK.get(unit)
            rate = chosen.get(fallback) if fallback is not None else None
            if rate is None:
                if REGISTRY[unit].billed_without_rate:
                    missing.append(unit)
                continue
        pico = quantity * rate.pico if rate.pico_per == 1 else rate.amount_pico(quantity)
        total += pico
        lines.append(Line(unit, quantity, rate, pico))
    if missing:
        raise Unpriced(units=tuple(missing), service_tier=context.service_tier)
    return Cost(tuple(lines), total)
