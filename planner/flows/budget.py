"""Budgets by plan: set, ended, held against what tokens cost in a month, and told of when a threshold is reached.

What is spent is the token cost of the cost and margin reports of that month as they are unless told otherwise: rated,
else as who bills it reported it, by when it was booked. So what comes to light of a month after it was closed counts
against the budget of the month it is booked in, and of no other. Commitments are no part of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from planner.core.budget import ALL_PLANS, Budget, Holding, Reached, holding, thresholds_of
from planner.core.errors import InvalidInput, NotFound
from planner.core.forecast import Forecast
from planner.core.money import floor_text, pico_text, plain, ratio_text
from planner.core.periods import Window, period_bounds, period_of
from planner.core.statement import Statement
from planner.flows import forecast
from planner.flows.cost_basis import use_of
from planner.flows.rebook import behind
from planner.flows.second import By
from planner.store import alerts, audit, budgets, periods, plans, report_sums
from planner.store.engine import Connection
from planner.store.json_text import time_text
from planner.store.report_sums import BOOKED, Asked
from planner.store.revision import bump

Shape = dict[str, Any]

REACHED, FORECAST = "budget_reached", "budget_forecast"
_PICO_PLACES = 12
_Spent = Mapping[tuple[str, str | None], Statement]
"""What tokens cost, by month and plan; None is all use together, also that of no plan."""


def set_budget(
    connection: Connection, plan: str, from_month: str | None, amount_usd: Decimal, percents: Iterable[int], by: By
) -> Shape:
    """Let a budget hold from a month on, the running one by default, until another one that is on record begins.

    Where the budget that holds then says the same already, nothing is written.

    Args:
        connection: one write.
        plan: the id of a plan, or `ALL_PLANS`.
        from_month: a month of UTC that is not over, such as ``2026-11``.
        amount_usd: above 0.
        percents: of the amount, to tell of.
        by: who sets it, when and why.

    Raises:
        NotFound: there never was such a plan.
        InvalidInput: no amount, no month that may be, or no thresholds.
    """
    whose, month, thresholds = _whose(plan), _month(from_month, by.at), thresholds_of(percents)
    if amount_usd <= 0:
        raise InvalidInput("amount_usd", "more than 0 is needed; a budget is taken away by ending it")
    if whose is not None and whose not in plans.ever_written(connection):
        raise NotFound("plan", whose)
    before = next((_terms(one.budget) for one in holding(_of(connection, whose), month)), None)
    new = Budget(
        plan=whose, from_month=month, amount_usd=amount_usd, thresholds_percent=thresholds, recorded_from=by.at,
        recorded_by=by.actor,
    )  # fmt: skip
    if before is not None and before == {**_terms(new), "from_month": before["from_month"]}:
        return {"plan": whose, "changed": False, **before}
    budgets.close(connection, whose, [month], by.at)
    budgets.add(connection, new)
    _record(connection, "set", plan, before, _terms(new), by)
    return {"plan": whose, "changed": True, **_terms(new)}


def end_budget(connection: Connection, plan: str, from_month: str | None, by: By) -> Shape:
    """Let a plan have no budget from a month on, the running one by default; later ones are taken off the record.

    Raises:
        NotFound: it has none from then on.
        InvalidInput: no month that may be.
    """
    whose, month = _whose(plan), _month(from_month, by.at)
    live = _of(connection, whose)
    to_come = [one for one in live if one.from_month > month and one.amount_usd is not None]
    ended = [*(one.budget for one in holding(live, month)), *to_come]
    if not ended:
        raise NotFound("budget", plan)
    budgets.close(connection, whose, [one.from_month for one in live if one.from_month >= month], by.at)
    if holding([one for one in live if one.from_month < month], month):
        none = Budget(
            plan=whose, from_month=month, amount_usd=None, thresholds_percent=(), recorded_from=by.at,
            recorded_by=by.actor,
        )  # fmt: skip
        budgets.add(connection, none)
    _record(connection, "end", plan, [_terms(one) for one in ended], None, by)
    return {"plan": whose, "ended_from_month": month}


def _whose(plan: str) -> str | None:
    return None if plan == ALL_PLANS else plan


def _of(connection: Connection, plan: str | None) -> list[Budget]:
    return [one for one in budgets.live(connection) if one.plan == plan]


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
        raise InvalidInput("from_month", f"a month that is not over is needed: {running} or a later one")
    return sent


def _terms(one: Budget) -> Shape:
    return {
        "from_month": one.from_month,
        "amount_usd": None if one.amount_usd is None else plain(one.amount_usd),
        "thresholds_percent": list(one.thresholds_percent),
    }


def _record(connection: Connection, verb: str, plan: str, before: object, after: object, by: By) -> None:
    audit.record(
        connection, at=by.at, actor=by.actor, action=f"budget.{verb}", subject=f"budget {plan}", before=before,
        after=after, reason=by.reason,
    )  # fmt: skip
    bump(connection, policy=True)


def listed(connection: Connection, at: datetime) -> Shape:
    """Return every budget that holds or is to hold, with what is spent of it in the month of a moment.

    Where ``bounds`` is not null, ``spent_usd``, ``share`` and ``expected_usd`` are what they are at least, and
    ``left_usd`` at most.
    """
    live, month = budgets.live(connection), period_of(at)
    spent = _spent(connection, [month])
    held = {one.plan: one for one in holding(live, month)}
    later = [one for one in live if one.from_month > month]
    shown = sorted({*held, *(one.plan for one in later)}, key=lambda plan: plan or "")
    sums = {plan: spent.get((month, plan), Statement()) for plan in shown}
    ends = forecast.month_ends(connection, at, {plan: sums[plan].low for plan in held})
    told = _told(connection, month)
    return {
        "month": month,
        "items": [
            {
                "plan": plan,
                **_state(held.get(plan), sums[plan], ends.get(plan), told),
                "later": [_terms(one) for one in later if one.plan == plan],
            }
            for plan in shown
        ],
        "pending_work": behind(connection),
        "next_cursor": None,
    }


def _state(one: Holding | None, sums: Statement, end: Forecast | None, told: frozenset[Reached]) -> Shape:
    """Write the budget that holds, if any does, and what is spent of it."""
    figures = _figures(sums)
    if one is None:
        nothing = ("from_month", "amount_usd", "share", "left_usd", "expected_usd", "recorded_from", "recorded_by")
        return {**dict.fromkeys(nothing), "thresholds_percent": [], "told_percent": [], **figures}
    return {
        **_terms(one.budget),
        **figures,
        "share": ratio_text(one.share(sums.low)),
        "left_usd": floor_text(one.left(sums.low), _PICO_PLACES),
        "expected_usd": None if end is None else pico_text(end.expected),
        "told_percent": [percent for percent in one.budget.thresholds_percent if Reached(*one.key, percent) in told],
        "recorded_from": time_text(one.budget.recorded_from),
        "recorded_by": one.budget.recorded_by,
    }


def _figures(sums: Statement) -> Shape:
    return {
        "spent_usd": pico_text(sums.low),
        "coverage": ratio_text(sums.coverage),
        "unpriced_rows": sums.unpriced_rows,
        "bounds": sums.bounds(paid_for=False),
    }


def one_of(connection: Connection, plan: str, at: datetime) -> Shape:
    """Return the budget of a plan, or of `ALL_PLANS`, as `listed` does.

    Raises:
        NotFound: it has none, and none is to come.
    """
    document = listed(connection, at)
    for item in document["items"]:
        if item["plan"] == _whose(plan):
            return {"month": document["month"], **item, "pending_work": document["pending_work"]}
    raise NotFound("budget", plan)


def check(connection: Connection, at: datetime) -> int:
    """Write alerts of what is news of any budget; return how many.

    Each threshold that is reached is told once for a plan, month and amount, and once that the running month is
    expected to end above the amount. The month before counts while it is open: its last use is often heard of late.
    """
    running = period_of(at)
    shut, last = periods.closed(connection), period_of(period_bounds(running)[0] - timedelta(days=1))
    months = [month for month in (last, running) if month not in shut]
    live = budgets.live(connection)
    held = [one for month in months for one in holding(live, month)]
    if not held:
        return 0
    spent, told, count = _spent(connection, months), _told(connection, last), 0
    for one in held:
        sums = _of_month(spent, one)
        for news in one.news(sums.low, told):
            _tell(connection, at, REACHED, one, {"threshold_percent": news.percent}, sums)
            count += 1
    return count + _check_forecast(connection, at, [one for one in held if one.month == running], spent)


def _check_forecast(connection: Connection, at: datetime, held: Sequence[Holding], spent: _Spent) -> int:
    """Tell of the budgets that are expected to be exceeded; of those that are used up already it is no news."""
    told = {
        (facts["plan"], facts["month"], Decimal(facts["budget_usd"]))
        for facts in _facts_of(connection, FORECAST, period_of(at))
    }
    left = {one.plan: one for one in held if one.key not in told and one.share(_of_month(spent, one).low) < 1}
    ends = forecast.month_ends(connection, at, {plan: _of_month(spent, one).low for plan, one in left.items()})
    over = [(left[plan], end) for plan, end in ends.items() if left[plan].share(end.expected) > 1]
    for one, end in over:
        facts = {
            "expected_usd": pico_text(end.expected),
            "expected_low_80_usd": pico_text(end.within_80.low),
            "expected_high_80_usd": pico_text(end.within_80.high),
        }
        _tell(connection, at, FORECAST, one, facts, _of_month(spent, one))
    return len(over)


def _tell(connection: Connection, at: datetime, kind: str, one: Holding, more: Shape, sums: Statement) -> None:
    facts = {"plan": one.plan, "month": one.month, **more, "budget_usd": plain(one.amount_usd), **_figures(sums)}
    alerts.add(connection, at, kind, one.plan or "all plans", facts, None)


def _told(connection: Connection, since: str) -> frozenset[Reached]:
    """Return the thresholds that were told of the months from one on."""
    return frozenset(
        Reached(facts["plan"], facts["month"], Decimal(facts["budget_usd"]), facts["threshold_percent"])
        for facts in _facts_of(connection, REACHED, since)
    )


def _facts_of(connection: Connection, kind: str, since: str) -> list[Shape]:
    # Nobody was told of a month before it began.
    return alerts.facts_of(connection, kind, period_bounds(since)[0])


def _of_month(spent: _Spent, one: Holding) -> Statement:
    return spent.get((one.month, one.plan), Statement())


def _spent(connection: Connection, months: Sequence[str]) -> _Spent:
    """Sum up what tokens cost in months that follow each other."""
    windows = [Window(month, *period_bounds(month)) for month in months]
    asked = Asked(windows=windows, heads=("plan", "cost_basis", "stated_by"), basis=BOOKED)
    found: dict[tuple[str, str | None], Statement] = {}
    for (number, (plan, best, stated_by)), measures in report_sums.facts(connection, asked).items():
        for whose in (plan, None):
            use_of(found.setdefault((months[number], whose), Statement()), measures, best, stated_by)
    return found
