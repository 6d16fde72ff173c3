"""Budgets by plan: set, ended, held against what tokens cost this month, and told of when a threshold is reached."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from planner.core.budget import ALL_PLANS, Budget, holding, thresholds_of
from planner.core.errors import InvalidInput, NotFound
from planner.core.money import pico_text, plain, ratio_text
from planner.core.periods import Window, period_bounds, period_of
from planner.core.statement import Statement
from planner.flows.cost_basis import BEST, basis_of, billed
from planner.flows.rebook import behind
from planner.flows.second import By
from planner.store import alerts, audit, budgets, plans, report_sums
from planner.store.engine import Connection
from planner.store.json_text import time_text
from planner.store.report_sums import USAGE, Asked
from planner.store.revision import bump

Shape = dict[str, Any]

REACHED = "budget_reached"
_NONE = Decimal(0)
_Spent = Mapping[tuple[str, str | None], Statement]
"""What tokens cost, by month and plan; None is all use together, also that of no plan."""


def put(
    connection: Connection, plan: str, from_month: str | None, amount_usd: Decimal, thresholds: Iterable[int], by: By
) -> Shape:
    """Let a budget hold from a month on, the running one by default, until another one that is on record begins.

    What says the same as the budget that holds then changes nothing, so that nothing is told a second time.

    Args:
        connection: one write.
        plan: the id of a plan, or `ALL_PLANS`.
        from_month: a month of UTC that is not over, such as ``2026-11``.
        amount_usd: above 0.
        thresholds: percents of the amount to tell of.
        by: who sets it, when and why.

    Raises:
        NotFound: there never was such a plan.
        InvalidInput: no amount, no month that may be, or no thresholds.
    """
    whose, month, percents = _whose(plan), _month(from_month, by.at), thresholds_of(thresholds)
    if amount_usd <= 0:
        raise InvalidInput("amount_usd", "more than 0 is needed; a budget is taken away by ending it")
    if whose is not None and whose not in plans.ever_written(connection):
        raise NotFound("plan", whose)
    live = [one for one in budgets.live(connection) if one.plan == whose]
    before = next(iter(holding(live, month)), None)
    if before is not None and (before.amount_usd, before.thresholds) == (amount_usd, percents):
        return {"plan": whose, "changed": False, **_terms(before)}
    budgets.close(connection, [one.id for one in live if one.from_month == month], by.at)
    budgets.add(connection, whose, month, amount_usd, percents, at=by.at, actor=by.actor)
    after = {"from_month": month, "amount_usd": plain(amount_usd), "thresholds_percent": list(percents)}
    _audit(connection, "set", plan, None if before is None else _terms(before), after, by)
    return {"plan": whose, "changed": True, **after}


def end(connection: Connection, plan: str, from_month: str | None, by: By) -> Shape:
    """Let a plan have no budget from a month on, the running one by default; later ones are off the record too.

    Raises:
        NotFound: it has none from then on.
        InvalidInput: no month that may be.
    """
    whose, month = _whose(plan), _month(from_month, by.at)
    live = [one for one in budgets.live(connection) if one.plan == whose]
    later = [one for one in live if one.from_month >= month]
    stays = [one for one in live if one.from_month < month]
    before = [*holding(stays, month), *(one for one in later if one.amount_usd)]
    if not before:
        raise NotFound("budget", plan)
    budgets.close(connection, [one.id for one in later], by.at)
    for one in holding(stays, month):
        budgets.add(connection, whose, month, _NONE, one.thresholds, at=by.at, actor=by.actor)
    _audit(connection, "end", plan, [_terms(one) for one in before], None, by)
    return {"plan": whose, "ended_from_month": month}


def _whose(plan: str) -> str | None:
    return None if plan == ALL_PLANS else plan


def _month(sent: str | None, at: datetime) -> str:
    """Return the month from which on something is to hold; what held in one that is over stays as it was."""
    running = period_of(at)
    if sent is None:
        return running
    try:
        period_bounds(sent)
    except InvalidInput as error:
        raise InvalidInput("from_month", error.problem) from None
    if sent < running:
        raise InvalidInput("from_month", "a month that is not over is needed")
    return sent


def _terms(one: Budget) -> Shape:
    amount = plain(one.amount_usd) if one.amount_usd else None
    return {"from_month": one.from_month, "amount_usd": amount, "thresholds_percent": list(one.thresholds)}


def _audit(connection: Connection, action: str, plan: str, before: Any, after: Any, by: By) -> None:  # noqa: ANN401  # JSON
    audit.record(
        connection, at=by.at, actor=by.actor, action=f"budget.{action}", subject=f"budget {plan}", before=before,
        after=after, reason=by.reason,
    )  # fmt: skip
    bump(connection, policy=True)


def listed(connection: Connection, at: datetime) -> Shape:
    """Return every budget that holds or is to hold, with what is spent of it in the month of a moment.

    ``spent_usd`` is at least what tokens cost where ``coverage`` is below 1 or rows are unpriced.
    """
    live, month = budgets.live(connection), period_of(at)
    spent, told = _spent(connection, [month]), _told(connection)
    held = {one.plan: one for one in holding(live, month)}
    later: dict[str | None, list[Budget]] = {}
    for one in sorted(live, key=lambda budget: budget.from_month):
        if one.from_month > month:
            later.setdefault(one.plan, []).append(one)
    return {
        "month": month,
        "items": [
            {
                "plan": plan,
                "month": month,
                **_holds(held.get(plan), spent.get((month, plan), Statement()), month, told),
                "later": [_terms(one) for one in later.get(plan, ())],
            }
            for plan in sorted(held.keys() | later.keys(), key=lambda plan: plan or "")
        ],
        "pending_work": behind(connection),
        "next_cursor": None,
    }


def _holds(one: Budget | None, sums: Statement, month: str, told: frozenset[tuple[int, str, int]]) -> Shape:
    """Write the budget that holds, if any does, with what is spent."""
    terms: Shape = {"from_month": None, "amount_usd": None, "thresholds_percent": []} if one is None else _terms(one)
    return {
        **terms,
        **_figures(sums),
        "share": None if one is None else ratio_text(one.share(sums.low)),
        "told_percent": [
            percent for percent in terms["thresholds_percent"] if one is not None and (one.id, month, percent) in told
        ],
        "recorded_from": None if one is None else time_text(one.recorded_from),
        "recorded_by": None if one is None else one.recorded_by,
    }


def _figures(sums: Statement) -> Shape:
    return {
        "spent_usd": pico_text(sums.low),
        "coverage": ratio_text(sums.coverage),
        "unpriced_rows": sums.unpriced_rows,
    }


def one_of(connection: Connection, plan: str, at: datetime) -> Shape:
    """Return the budget of a plan, or of `ALL_PLANS`, as `listed` does.

    Raises:
        NotFound: it has none, and none is to come.
    """
    whose = _whose(plan)
    for item in listed(connection, at)["items"]:
        if item["plan"] == whose:
            return dict(item)
    raise NotFound("budget", plan)


def check(connection: Connection, at: datetime) -> int:
    """Write an alert for every threshold that is reached, once for each budget, month and threshold; return how many.

    The month before is looked at as well: its last use is often heard of after it has ended.
    """
    live, running = budgets.live(connection), period_of(at)
    months = [period_of(period_bounds(running)[0] - timedelta(seconds=1)), running]
    held = [(month, one) for month in months for one in holding(live, month)]
    if not held:
        return 0
    spent, told, count = _spent(connection, months), _told(connection), 0
    for month, one in held:
        sums = spent.get((month, one.plan), Statement())
        for percent in one.reached(sums.low):
            if (one.id, month, percent) in told:
                continue
            facts = {
                "budget": one.id, "plan": one.plan, "month": month, "threshold_percent": percent,
                "budget_usd": plain(one.amount_usd), **_figures(sums),
            }  # fmt: skip
            alerts.add(connection, at, REACHED, one.plan or "all plans", facts, None)
            count += 1
    return count


def _told(connection: Connection) -> frozenset[tuple[int, str, int]]:
    """Return the budget, month and threshold of every alert there was."""
    return frozenset(
        (facts["budget"], facts["month"], facts["threshold_percent"]) for facts in alerts.facts_of(connection, REACHED)
    )


def _spent(connection: Connection, months: Sequence[str]) -> _Spent:
    """Sum up what the use of these months, which follow each other, cost: rated, else as who bills it reported it."""
    windows = [Window(month, *period_bounds(month)) for month in months]
    asked = Asked(windows=windows, heads=("plan", "cost_basis", "stated_by"), basis=USAGE)
    found: dict[tuple[str, str | None], Statement] = {}
    for (number, (plan, best, stated_by)), measures in report_sums.facts(connection, asked).items():
        reported = billed(stated_by)
        for whose in (plan, None):
            sums = found.setdefault((months[number], whose), Statement())
            sums.use(measures, basis_of(BEST, best, reported=reported), reported=reported, free=False)
    return found
