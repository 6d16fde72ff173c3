"""What a customer used of its plans in the present billing period, by the ledger, and what of the budget is left."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import floor

from planner.core.catalogue import Catalogue
from planner.core.money import PICO
from planner.core.periods import Window, billing_period
from planner.core.statement import Statement
from planner.flows.cost_basis import use_of
from planner.store import customers, report_sums
from planner.store.engine import Connection
from planner.store.report_sums import USAGE, Asked

_HEADS = ("cost_basis", "stated_by")
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What a customer used of a plan in a billing period so far, by the time of use; ``budget_usd`` None: no budget."""

    plan: str
    window: Window
    at: datetime
    budget_usd: Fraction | None
    sums: Statement

    @property
    def cost_usd(self) -> Fraction:
        """What it cost; at least that where a part of it has no price or has bounds."""
        return Fraction(self.sums.low, PICO)

    @property
    def left_usd(self) -> Fraction | None:
        """What is left of the budget; below 0 where more was used."""
        return None if self.budget_usd is None else self.budget_usd - self.cost_usd

    @property
    def left_tokens(self) -> int | None:
        """How many tokens the rest pays for at the mix and the prices that were used, rounded down; None: not known.

        Where costs have bounds, what was used cost the most it may have, and so will what is to come.
        """
        priced = self.sums.tokens - self.sums.unpriced_tokens
        if self.budget_usd is None or not priced or not self.sums.high:
            return None
        return max(0, floor((self.budget_usd * PICO - self.sums.high) * priced / self.sums.high))

    @property
    def projected_usd(self) -> Fraction:
        """What it comes to at the end of the period if it goes on as until now."""
        gone = (self.at - self.window.start) // _SECOND
        whole = (self.window.end - self.window.start) // _SECOND
        return self.cost_usd * whole / max(1, gone)


def used_of(
    connection: Connection, catalogue: Catalogue, customer: str, at: datetime, besides: Iterable[str] = ()
) -> list[Used]:
    """Return what a customer used of the plans it is on, and of others.

    Args:
        connection: one consistent read.
        catalogue: plans and exchange rates.
        customer: its id here.
        at: the present; billing periods are those of the calendar of UTC.
        besides: plans that are looked at, whether it is on them or not.
    """
    assigned = (one for one in customers.plans_of(connection, customer) if one.valid_from <= at)
    plans = {one.plan for one in assigned if one.valid_to is None or at < one.valid_to} | set(besides)
    return [_used(connection, catalogue, customer, plan, at) for plan in sorted(plans) if plan in catalogue.plans]


def _used(connection: Connection, catalogue: Catalogue, customer: str, plan_id: str, at: datetime) -> Used:
    plan, today = catalogue.plans[plan_id], at.astimezone(UTC).date()
    first, following = (
        datetime(day.year, day.month, day.day, tzinfo=UTC) for day in billing_period(today, plan.period)
    )
    window, sums = Window("period", first, following), Statement()
    asked = Asked(windows=[window], heads=_HEADS, basis=USAGE, where=(("customer", (customer,)), ("plan", (plan_id,))))
    for (_number, (best, stated_by)), measures in report_sums.facts(connection, asked).items():
        use_of(sums, measures, best, stated_by)
    return Used(plan=plan_id, window=window, at=at, budget_usd=plan.budget_usd(today, catalogue.fx), sums=sums)
