"""A budget is what tokens may cost in a month: which one holds, which thresholds are reached, and what is news."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from planner.core.errors import InvalidInput
from planner.core.money import PICO

ALL_PLANS = "_all"
"""The name of the budget of all plans together, where one has to be named; no plan can be called so."""

THRESHOLDS_PERCENT = (50, 80, 100)
THRESHOLDS_MAX = 10
PERCENT_MAX = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What the tokens of a plan, or with ``plan`` None of all use together, may cost in a month of UTC.

    It holds from ``from_month`` on, until another one of the plan does. ``amount_usd`` None says that from then on
    there is no budget. ``thresholds_percent`` are percents of the amount to tell of, in ascending order.
    """

    plan: str | None
    from_month: str
    amount_usd: Decimal | None
    thresholds_percent: tuple[int, ...]
    recorded_from: datetime
    recorded_by: str


class Reached(NamedTuple):
    """A threshold that the cost of a month reached, of a plan's budget of so many dollars.

    This is what is told once. The amount is part of it: 80 % of another amount is other news.
    """

    plan: str | None
    month: str
    amount_usd: Decimal
    percent: int


class Holding(NamedTuple):
    """A budget in a month in which it holds, with its amount in USD."""

    budget: Budget
    month: str
    amount_usd: Decimal

    @property
    def plan(self) -> str | None:
        """Whose it is; None: of all use together."""
        return self.budget.plan

    @property
    def key(self) -> tuple[str | None, str, Decimal]:
        """What it is told of once: a plan, a month and an amount."""
        return self.plan, self.month, self.amount_usd

    def share(self, cost: int) -> Fraction:
        """Return how much of the amount a cost is, in 1e-12 USD; 1 is all of it."""
        return Fraction(cost, PICO) / Fraction(self.amount_usd)

    def left(self, cost: int) -> Fraction:
        """Return what is left of the amount after a cost in 1e-12 USD; in USD, below 0 where it is more."""
        return Fraction(self.amount_usd) - Fraction(cost, PICO)

    def reached(self, cost: int) -> list[Reached]:
        """Return the thresholds that a cost in 1e-12 USD reaches or passes, lowest first; nothing is rounded."""
        share = self.share(cost)
        return [Reached(*self.key, percent) for percent in self.budget.thresholds_percent if share * 100 >= percent]

    def news(self, cost: int, told: Collection[Reached]) -> list[Reached]:
        """Return the thresholds that a cost reaches and that nobody was told of yet.

        A threshold is told once for a plan, a month and an amount, also where the cost falls and rises again. After a
        change of the amount in mid-month its thresholds are told anew where they are reached: 80 % of 500 USD says
        nothing about 600. Back at an amount that held before, what was told of it then stays told.
        """
        return [one for one in self.reached(cost) if one not in told]


def holding(budgets: Iterable[Budget], month: str) -> list[Holding]:
    """Return the budgets that hold in a month such as ``2026-11``: that of all use first, then by plan."""
    newest: dict[str | None, Budget] = {}
    for one in sorted(budgets, key=lambda budget: budget.from_month):
        if one.from_month <= month:
            newest[one.plan] = one
    ordered = sorted(newest.values(), key=lambda budget: budget.plan or "")
    return [Holding(one, month, one.amount_usd) for one in ordered if one.amount_usd is not None]


def thresholds_of(percents: Iterable[int]) -> tuple[int, ...]:
    """Return thresholds that may be.

    Raises:
        InvalidInput: none, more than ten, not in ascending order, or one that is not within 1 and 1000 percent.
    """
    found = tuple(percents)
    ascending = all(one < other for one, other in pairwise(found))
    if not (0 < len(found) <= THRESHOLDS_MAX and ascending and found[0] >= 1 and found[-1] <= PERCENT_MAX):
        problem = f"1 to {THRESHOLDS_MAX} whole percents from 1 to {PERCENT_MAX} in ascending order are needed"
        raise InvalidInput("thresholds_percent", problem)
    return found
