"""What tokens of the running month cost so far, to the last digit, and what the month is expected to come to.

So far is the sum of what is booked by the time of use, as the cost report of that month has it. Commitments are no
part of it. A plan is forecast by its own days and the total by all of them, so that plans need not add up to the total.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from planner.core.errors import InvalidInput
from planner.core.forecast import (
    METHOD,
    PAST_DAYS_MAX,
    PAST_DAYS_MIN,
    SURE_DAYS,
    Day,
    Forecast,
    Interval,
    Left,
    forecast,
)
from planner.core.money import half_even, pico_text
from planner.core.periods import Window, period_bounds, windows, zone_of
from planner.core.statement import Statement
from planner.flows.cost_basis import BEST, COST_BASES, basis_of, billed
from planner.flows.cost_report import figures_of
from planner.flows.margin_report import UNASSIGNED
from planner.flows.rebook import behind
from planner.store import json_text, report_sums
from planner.store.engine import Connection
from planner.store.report_sums import USAGE, Asked

BY = ("", "plan")
_DECIDING = ("cost_basis", "stated_by")
_DAY = timedelta(days=1)
# An estimate is no amount of 1e-12 USD: what is expected of the days left is said in millionths of a dollar.
_MICRO = 10**6


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastQuestion:
    """What is forecast: which month (None: the running one) of which zone, in total or by plan, by which figure."""

    now: datetime
    month: str | None = None
    by: str = "plan"
    tz: str = "UTC"
    cost_basis: str = BEST

    def __post_init__(self) -> None:
        """Refuse what is no question.

        Raises:
            InvalidInput: heads other than plan, or another basis than there is.
        """
        if self.by not in BY:
            raise InvalidInput("by", "plan is needed, or nothing for the total alone")
        if self.cost_basis not in COST_BASES:
            raise InvalidInput("cost_basis", "best, rated or reported is needed")


@dataclass(frozen=True, slots=True)
class _Time:
    """The days of a month and of the past before now, one window each, and which of them are which."""

    days: Sequence[Window]
    month: range
    past: range
    left: Sequence[Left]

    @classmethod
    def of(cls, asked: ForecastQuestion) -> "_Time":
        zone = zone_of(asked.tz)
        today = asked.now.astimezone(zone).date()
        try:
            start, end = (edge.date() for edge in period_bounds(asked.month or f"{today:%Y-%m}"))
        except InvalidInput as error:
            raise InvalidInput("month", error.problem) from None
        if start > today:
            raise InvalidInput("month", "the running month is needed, or one that is over")
        first = start if end <= today else min(start, today - PAST_DAYS_MAX * _DAY)
        days = windows(first, end, "day", zone)
        month = range((start - first).days, len(days))
        if end <= today:
            return cls(days, month, range(0), ())
        running = (today - first).days
        weekday = today.weekday()
        share = (days[running].end - asked.now) / (days[running].end - days[running].start)
        whole = [Left((weekday + n) % 7, 1.0) for n in range(1, len(days) - running)]
        return cls(days, month, range(running - PAST_DAYS_MAX, running), (Left(weekday, share), *whole))


@dataclass(slots=True)
class _Sums:
    """The days on which anything was used, by their number."""

    days: dict[int, Statement] = field(default_factory=dict)

    def of(self, numbers: range) -> Statement:
        """Add up some days."""
        found = Statement()
        for number, day in self.days.items():
            if number in numbers:
                _add(found, day)
        return found

    def past(self, time: _Time) -> list[tuple[int, Statement]]:
        """Return weekday and sums of the whole days since the first use: what was before is no history."""
        first = min((number for number in self.days if number in time.past), default=time.past.stop)
        running = time.left[0].weekday if time.left else 0
        return [
            ((running + number - time.past.stop) % 7, self.days.get(number, Statement()))
            for number in range(first, time.past.stop)
        ]


def _add(sums: Statement, more: Statement) -> None:
    sums.measures += more.measures
    sums.low, sums.high, sums.reported = sums.low + more.low, sums.high + more.high, sums.reported + more.reported
    sums.unpriced_rows += more.unpriced_rows
    sums.unpriced_tokens += more.unpriced_tokens


def forecast_report(connection: Connection, asked: ForecastQuestion) -> dict[str, Any]:
    """Return the report as a JSON document: sums so far, and what the month is expected to come to within bounds.

    Raises:
        InvalidInput: a month that has not begun, or no month or zone at all.
    """
    time = _Time.of(asked)
    total, plans = _read(connection, asked, time)
    return {
        "title": "forecast",
        "month": time.days[time.month.start].start.astimezone(zone_of(asked.tz)).strftime("%Y-%m"),
        "by": [asked.by] if asked.by else [],
        "tz": asked.tz,
        "basis": USAGE,
        "cost_basis": asked.cost_basis,
        "as_of": json_text.time_text(asked.now),
        "over": not time.left,
        "days_left": f"{sum(day.share for day in time.left):.2f}",
        "method": METHOD,
        "pending_work": behind(connection),
        "rows": [
            {"plan": plan or UNASSIGNED, **_figures(sums, time)} for plan, sums in sorted(plans.items()) if sums.days
        ],
        "total": _figures(total, time),
    }


def month_ends(connection: Connection, now: datetime, booked: Mapping[str | None, int]) -> dict[str | None, Forecast]:
    """Return what tokens of the running month of UTC will have cost in the end, in 1e-12 USD, by plan.

    A plan that was used for less than 14 whole days is left out, for bounds are still too wide to warn anybody by; so
    is one none of whose use has a price.

    Args:
        connection: one consistent read.
        now: the moment up to which something is booked.
        booked: what the month cost so far, in 1e-12 USD, by the plans that are asked about; None is all use together.
    """
    if not booked:
        return {}
    asked = ForecastQuestion(now=now)
    time = _Time.of(asked)
    total, plans = _read(connection, asked, time)
    found: dict[str | None, Forecast] = {}
    for plan, cost in booked.items():
        sums = total if plan is None else plans.get(plan, _Sums())
        past = sums.past(time)
        if len(past) < SURE_DAYS or _priceless(sums.of(time.month), sums.of(time.past)):
            continue
        if (end := _end(cost, past, time)) is not None:
            found[plan] = end
    return found


def _read(connection: Connection, asked: ForecastQuestion, time: _Time) -> tuple[_Sums, Mapping[str, _Sums]]:
    total, plans = _Sums(), dict[str, _Sums]()
    heads = (*([asked.by] if asked.by else []), *_DECIDING)
    query = Asked(windows=time.days, heads=heads, basis=USAGE)
    for (number, values), measures in report_sums.facts(connection, query).items():
        best, stated_by = values[-len(_DECIDING) :]
        reported = billed(stated_by)
        basis = basis_of(asked.cost_basis, best, reported=reported)
        for sums in (total, *([plans.setdefault(values[0], _Sums())] if asked.by else [])):
            sums.days.setdefault(number, Statement()).use(measures, basis, reported=reported, free=False)
    return total, plans


def _figures(sums: _Sums, time: _Time) -> dict[str, Any]:
    booked, past = sums.of(time.month), sums.past(time)
    before = sums.of(time.past)
    unpriced = booked.unpriced_rows or before.unpriced_rows
    cost = None if _priceless(booked, before) else _end(booked.low, past, time)
    tokens = forecast(booked.tokens, [Day(weekday, day.tokens) for weekday, day in past], time.left)
    return {
        "booked": {**figures_of(booked), "tokens": booked.tokens},
        "history_days": len(past),
        "history_coverage": figures_of(before)["coverage"],
        "expected_cost_usd": None if cost is None else _shape(cost, pico_text),
        "expected_tokens": None if tokens is None else _shape(tokens, int),
        "lower_bound": bool(unpriced),
        "notes": list(_notes(len(past), over=not time.left, unpriced=bool(unpriced), bounded=booked.low < booked.high)),
    }


def _priceless(*sums: Statement) -> bool:
    """Tell whether there was use, and none of it has a price."""
    unpriced = sum(one.unpriced_rows for one in sums)
    return bool(unpriced) and unpriced == sum(one.measures.rows for one in sums)


def _end(booked: int, past: Sequence[tuple[int, Statement]], time: _Time) -> Forecast | None:
    """Return the cost of a month in 1e-12 USD, what is expected of it in millionths of a dollar."""
    found = forecast(booked, [Day(weekday, day.low) for weekday, day in past], time.left)

    def rounded(pico: int) -> int:
        return booked + half_even(pico - booked, _MICRO) * _MICRO

    if found is None:
        return None
    within_80, within_95 = (Interval(*map(rounded, within)) for within in (found.within_80, found.within_95))
    return Forecast(rounded(found.expected), within_80, within_95)


def _shape(found: Forecast, write: Callable[[int], object]) -> dict[str, Any]:
    bounds = {"low_80": found.within_80.low, "high_80": found.within_80.high,
              "low_95": found.within_95.low, "high_95": found.within_95.high}  # fmt: skip
    return {"expected": write(found.expected), **{name: write(bound) for name, bound in bounds.items()}}


def _notes(days: int, *, over: bool, unpriced: bool, bounded: bool) -> Iterator[str]:
    history = f"{days} whole {'day' if days == 1 else 'days'} of history"
    if over:
        yield "the month is over: these are its sums"
    elif days < PAST_DAYS_MIN:
        yield f"{history}: nothing is forecast before {PAST_DAYS_MIN}"
    elif days < SURE_DAYS:
        wider = f"the intervals are wider, by the root of {SURE_DAYS}/{days}"
        yield f"{history}: below {SURE_DAYS} {wider}"
    if unpriced:
        yield "some use has no price: costs are a lower bound, of what has one"
    if bounded:
        yield "some costs are known between two bounds only: what is forecast is the lower one"
