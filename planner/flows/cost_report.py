"""What tokens cost, by kind of token and every other head: the same sums as the margin report, without revenue."""

from typing import Any

from planner.core.money import pico_text
from planner.core.periods import UNITS, Window
from planner.core.posting import RATED, Counted, Measures
from planner.flows.margin_report import Question
from planner.flows.rebook import behind
from planner.store import json_text, report_sums
from planner.store.engine import Connection
from planner.store.report_sums import Asked

UNIT = "unit"


def cost_report(connection: Connection, asked: Question, *, by_unit: bool) -> dict[str, Any]:
    """Return the report as a JSON document.

    Args:
        connection: one consistent read.
        asked: heads, time and basis.
        by_unit: whether kinds of tokens and other units are told apart.
    """
    pieces = asked.windows()
    query = Asked(windows=pieces, heads=(*asked.heads, "cost_basis"), basis=asked.basis, known_at=asked.known_at)
    if by_unit:
        found = {
            (number, values, unit): _counted(counted, values[-1])
            for (number, values, unit), counted in report_sums.units(connection, query).items()
        }
    else:
        found = {
            (number, values, ""): _measured(measures, values[-1])
            for (number, values), measures in report_sums.facts(connection, query).items()
        }
    rows = [
        {**_heads(asked, pieces, number, values[:-1], unit if by_unit else None), "cost_basis": values[-1], **figures}
        for (number, values, unit), figures in sorted(found.items())
    ]
    return {
        "title": "costs",
        "by": [*asked.by, *([UNIT] if by_unit else [])],
        "from": asked.since.isoformat(),
        "to": asked.until.isoformat(),
        "tz": asked.tz,
        "basis": asked.basis,
        "known_at": json_text.time_text(asked.known_at),
        "pending_work": behind(connection),
        "rows": rows,
    }


def _heads(
    asked: Question, pieces: list[Window], number: int, values: tuple[Any, ...], unit: str | None
) -> dict[str, Any]:
    places = dict(zip(asked.heads, values, strict=True))
    heads = {name: pieces[number].label if name in UNITS else places[name] or None for name in asked.by}
    return heads if unit is None else {**heads, UNIT: unit}


def _counted(counted: Counted, basis: str) -> dict[str, Any]:
    priced = basis == RATED
    return {
        "quantity": counted.quantity,
        "cost_usd": pico_text(counted.cost) if priced else None,
        "cost_max_usd": pico_text(counted.high) if priced else None,
    }


def _measured(measures: Measures, basis: str) -> dict[str, Any]:
    priced = basis == RATED
    return {
        "rows": measures.rows,
        "requests": measures.requests,
        "input_tokens": measures.input_tokens,
        "output_tokens": measures.output_tokens,
        "cost_usd": pico_text(measures.cost) if priced else None,
        "cost_max_usd": pico_text(measures.high) if priced else None,
        "list_usd": pico_text(measures.list) if priced else None,
        "stated_usd": pico_text(measures.stated),
    }
