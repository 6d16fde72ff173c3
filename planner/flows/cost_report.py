"""What tokens cost, by kind of token and every other head: the same sums as the margin report, without revenue."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any

from planner.core.fx import FxRate
from planner.core.money import pico_text, ratio_text, usd_text
from planner.core.periods import UNITS, Window
from planner.core.posting import RATED, REPORTED, UNPRICED, Counted
from planner.core.statement import Statement
from planner.flows.cost_basis import basis_of, billed, usd_per_unit
from planner.flows.margin_report import Question, known_closed
from planner.flows.rebook import behind
from planner.store import json_text, report_sums
from planner.store.engine import Connection
from planner.store.load import load_fx
from planner.store.report_sums import Asked, Place

UNIT = "unit"
_DECIDING = ("cost_basis", "stated_by")
_Rows = dict[tuple[int, tuple[Any, ...], str], dict[str, Any]]
"""The figures of each row by its window, its heads with the basis of its cost last, and its unit."""


def cost_report(connection: Connection, asked: Question, *, by_unit: bool) -> dict[str, Any]:
    """Return the report as a JSON document.

    Each row is of one basis, and so is its cost: by our own rating, or as who bills it reported it, whichever was asked
    for. A reported cost is of a row of usage as a whole, so that by unit it stands in a row of no unit. Rows add up to
    the total; what has no cost is counted there and is never 0 dollars.

    Args:
        connection: one consistent read.
        asked: heads, time and basis.
        by_unit: whether kinds of tokens and other units are told apart.

    Raises:
        InvalidInput: the question cannot be answered.
        NotFound: no exchange rate is known for the reporting currency.
        Conflict: none was known when the months were closed.
    """
    pieces = asked.windows()
    query = Asked(windows=pieces, heads=(*asked.heads, *_DECIDING), basis=asked.basis, known_at=asked.known_at)
    total, sums = Statement(), dict[Place, Statement]()
    for (number, values), measures in report_sums.facts(connection, query).items():
        basis, reported = _figure(asked, values)
        for one in (sums.setdefault((number, _place(values, basis)), Statement()), total):
            one.use(measures, basis, reported=reported, free=False)
    found: _Rows = {}
    if by_unit:
        found = _units(connection, asked, query)
        found |= {(*place, ""): _whole(one, place[1][-1]) for place, one in sums.items() if one.reported}
    else:
        found = {(*place, ""): _summed(one, place[1][-1]) for place, one in sums.items()}
    closed_at = known_closed(connection, asked, pieces)
    fx = load_fx(connection, closed_at or asked.known_at) if asked.reporting_currency != "USD" else ()
    rows = [
        {
            **_heads(asked, pieces, number, values[:-1], unit if by_unit else None), "cost_basis": values[-1],
            **figures, **_reporting(asked, figures["cost_usd"], pieces[number], fx, closed_at),
        }
        for (number, values, unit), figures in sorted(found.items(), key=lambda pair: pair[0])
    ]  # fmt: skip
    return {
        "title": "costs",
        "by": [*asked.by, *([UNIT] if by_unit else [])],
        "from": asked.since.isoformat(),
        "to": asked.until.isoformat(),
        "tz": asked.tz,
        "basis": asked.basis,
        "cost_basis": asked.cost_basis,
        "known_at": json_text.time_text(asked.known_at),
        "reporting_currency": asked.reporting_currency,
        "pending_work": 0 if closed_at else behind(connection),
        "rows": rows,
        "total": {**figures_of(total), **_reported(asked, rows)},
    }


def _figure(asked: Question, values: tuple[Any, ...]) -> tuple[str | None, bool]:
    """Return which figure is the cost of sums, None where none is, and whether who bills them reported one."""
    best, stated_by = values[-len(_DECIDING) :]
    reported = billed(stated_by)
    return basis_of(asked.cost_basis, best, reported=reported), reported


def _place(values: tuple[Any, ...], basis: str | None) -> tuple[Any, ...]:
    return *values[: -len(_DECIDING)], basis or UNPRICED


def _heads(
    asked: Question, pieces: Sequence[Window], number: int, values: tuple[Any, ...], unit: str | None
) -> dict[str, Any]:
    places = dict(zip(asked.heads, values, strict=True))
    heads = {name: pieces[number].label if name in UNITS else places[name] or None for name in asked.by}
    return heads if unit is None else {**heads, UNIT: unit or None}


def _units(connection: Connection, asked: Question, query: Asked) -> _Rows:
    sums: dict[tuple[int, tuple[Any, ...], str], Counted] = {}
    for (number, values, unit), counted in report_sums.units(connection, query).items():
        key = number, _place(values, _figure(asked, values)[0]), unit
        sums[key] = sums.get(key, Counted()) + counted
    return {key: _counted(counted, key[1][-1]) for key, counted in sums.items()}


def _counted(counted: Counted, basis: str) -> dict[str, Any]:
    priced = basis == RATED
    return {
        "quantity": counted.quantity,
        "cost_usd": pico_text(counted.cost) if priced else None,
        "cost_max_usd": pico_text(counted.high) if priced else None,
        "reported_cost_usd": None,
    }


def _whole(sums: Statement, basis: str) -> dict[str, Any]:
    """Write what was reported of rows of usage as a whole, beside the units of them that were rated."""
    cost = pico_text(sums.low) if basis == REPORTED else None
    return {"quantity": None, "cost_usd": cost, "cost_max_usd": cost, "reported_cost_usd": pico_text(sums.reported)}


def _summed(sums: Statement, basis: str) -> dict[str, Any]:
    figures = figures_of(sums)
    unknown = ("cost_usd", "cost_max_usd", "list_usd") if basis == UNPRICED else ()
    return {**figures, **dict.fromkeys(unknown), **({"list_usd": None} if basis == REPORTED else {})}


def figures_of(sums: Statement) -> dict[str, Any]:
    """Write sums of usage: their cost by the figure that was asked for, and how much of it is known."""
    return {
        "rows": sums.measures.rows,
        "requests": sums.measures.requests,
        "input_tokens": sums.measures.input_tokens,
        "output_tokens": sums.measures.output_tokens,
        "cost_usd": pico_text(sums.low),
        "cost_max_usd": None if sums.unpriced_rows else pico_text(sums.high),
        "list_usd": pico_text(sums.measures.list),
        "reported_cost_usd": pico_text(sums.reported),
        "stated_usd": pico_text(sums.measures.stated),
        "coverage": ratio_text(sums.coverage),
        "coverage_rows": ratio_text(sums.coverage_rows),
        "unpriced_rows": sums.unpriced_rows,
        "unpriced_tokens": sums.unpriced_tokens,
    }


def _reporting(
    asked: Question, cost: str | None, window: Window, fx: Sequence[FxRate], closed_at: datetime | None
) -> dict[str, Any]:
    """Write the cost of a row in the reporting currency, at the rate of the last day of its time."""
    if asked.reporting_currency == "USD":
        return {}
    usd = usd_per_unit(asked.reporting_currency, window, fx, closed_at)
    converted = None if cost is None else usd_text(Fraction(cost) / usd)
    return {"reporting": {"currency": asked.reporting_currency, "usd_per_unit": usd_text(usd), "cost": converted}}


def _reported(asked: Question, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Write the total in the reporting currency: the sum of the rows that have a cost, each at its own rate."""
    if asked.reporting_currency == "USD":
        return {}
    costs = [Fraction(row["reporting"]["cost"]) for row in rows if row["reporting"]["cost"] is not None]
    return {
        "reporting": {
            "currency": asked.reporting_currency, "usd_per_unit": None, "cost": usd_text(sum(costs, Fraction())),
        }
    }  # fmt: skip
