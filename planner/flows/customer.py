"""A customer of a plan: what was used up, what is left, and the tier below once nothing is."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from planner.core.ask import Answer, Ask
from planner.core.catalogue import Catalogue
from planner.core.errors import NoAnswer, NotFound
from planner.store import spends
from planner.store.engine import Connection
from planner.store.spends import Spend


@dataclass(frozen=True, slots=True, kw_only=True)
class Headroom:
    """What a customer may use up in a period, has used up, and has left, in USD; None: no budget is set.

    ``spent_usd`` is 0 where nothing was reported for the present period.
    """

    customer: str
    plan: str
    budget_usd: Fraction | None
    spent_usd: Decimal
    period_start: datetime | None = None
    period_end: datetime | None = None
    reported_at: datetime | None = None

    @property
    def left_usd(self) -> Fraction | None:
        """What is left; below zero where more was used up."""
        return None if self.budget_usd is None else self.budget_usd - Fraction(self.spent_usd)

    @property
    def over(self) -> bool:
        """Whether the budget is used up."""
        return self.left_usd is not None and self.left_usd <= 0


def report(connection: Connection, catalogue: Catalogue, said: Spend, by: str) -> Headroom:
    """Keep what a customer has used up so far, and return what is left.

    Raises:
        NotFound: there is no such plan.
        InvalidInput: the period ends before it begins.
        Conflict: it overlaps another period of the customer.
    """
    if said.plan not in catalogue.plans:
        raise NotFound("plan", said.plan)
    return _headroom(catalogue, spends.report(connection, said, by), said.reported_at)


def headroom(connection: Connection, catalogue: Catalogue, customer: str, plan: str, at: datetime) -> Headroom:
    """Return what a customer of a plan has left in the period that a moment lies in.

    Raises:
        NotFound: there is no such plan.
    """
    if plan not in catalogue.plans:
        raise NotFound("plan", plan)
    found = spends.current(connection, customer, at, plan)
    if found:
        return _headroom(catalogue, found[0], at)
    budget = catalogue.plans[plan].budget_usd(at.date(), catalogue.fx)
    return Headroom(customer=customer, plan=plan, budget_usd=budget, spent_usd=Decimal(0))


def headrooms(connection: Connection, catalogue: Catalogue, customer: str, at: datetime) -> list[Headroom]:
    """Return what a customer has left of every plan that something was reported for."""
    found = spends.current(connection, customer, at)
    return [_headroom(catalogue, spend, at) for spend in found if spend.plan in catalogue.plans]


def _headroom(catalogue: Catalogue, spend: Spend, at: datetime) -> Headroom:
    return Headroom(
        customer=spend.customer,
        plan=spend.plan,
        budget_usd=catalogue.plans[spend.plan].budget_usd(at.date(), catalogue.fx),
        spent_usd=spend.spent_usd,
        period_start=spend.period_start,
        period_end=spend.period_end,
        reported_at=spend.reported_at,
    )


TIERS_MAX = 9


def step_down(ask: Ask, answer: Answer, search: Callable[[Ask], Answer]) -> tuple[Ask, Answer]:
    """Return the question and answer for a customer whose budget is used up: the nearest lower tier that is cheaper.

    Only the tier gives way. Policy, needs, quality and margin hold as before, so that there may be nothing lower:
    then the customer keeps what everybody gets.
    """
    tier, cost_usd = answer.choice.tier, answer.choice.cost_usd
    if tier is None:
        return ask, answer
    for lower in range(tier + 1, TIERS_MAX + 1):
        below = replace(ask, needs=replace(ask.needs, tiers=(lower,)))
        try:
            found = search(below)
        except NoAnswer:
            continue
        if found.choice.cost_usd < cost_usd:
            return below, found
    return ask, answer
