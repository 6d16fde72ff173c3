"""A budget is what tokens may cost in a month: which one holds, and which of its thresholds are reached."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from planner.core.errors import InvalidInput
from planner.core.money import PICO

ALL_PLANS = "_all"
"""The name of the budget of all plans together, where one has to be named; no plan can be called so."""

THRESHOLDS = (50, 80, 100)
THRESHOLDS_MAX = 10
PERCENT_MAX = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """An amount in USD per month of UTC for the token cost of a plan; ``plan`` None is all plans together.

    It holds from ``from_month`` on, until another one of the plan does. An amount of 0 says that from then on there is
    none. ``thresholds`` are percent of the amount, in ascending order.
    """

    id: int
    plan: str | None
    from_month: str
    amount_usd: Decimal
    thresholds: tuple[int, ...]
    recorded_from: datetime
    recorded_by: str

    def share(self, spent_pico: int) -> Fraction:
        """Return how much of it is used, 1 being all of it.

        Args:
            spent_pico: what tokens cost, in 1e-12 USD.
        """
        return Fraction(spent_pico, PICO) / Fraction(self.amount_usd)

    def reached(self, spent_pico: int) -> tuple[int, ...]:
        """Return the thresholds that are reached or passed, in percent."""
        share = self.share(spent_pico)
        return tuple(percent for percent in self.thresholds if share * 100 >= percent)


def holding(budgets: Iterable[Budget], month: str) -> list[Budget]:
    """Return the budgets that hold in a month such as ``2026-11``: that of all plans first, then by plan."""
    newest: dict[str | None, Budget] = {}
    for one in sorted(budgets, key=lambda budget: budget.from_month):
        if one.from_month <= month:
            newest[one.plan] = one
    return sorted((one for one in newest.values() if one.amount_usd), key=lambda budget: budget.plan or "")


def thresholds_of(percents: Iterable[int]) -> tuple[int, ...]:
    """Return thresholds in ascending order.

    Raises:
        InvalidInput: none, more than ten, one twice, or one that is not within 1 and 1000 percent.
    """
    found = sorted(percents)
    if not 0 < len(found) <= THRESHOLDS_MAX or len(set(found)) < len(found) or found[0] < 1 or found[-1] > PERCENT_MAX:
        problem = f"1 to {THRESHOLDS_MAX} different whole percents from 1 to {PERCENT_MAX} are needed"
        raise InvalidInput("thresholds_percent", problem)
    return tuple(found)
