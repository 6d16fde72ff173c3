"""What every meter of every offer cost, day by day, for FOCUS."""

from collections.abc import Iterator, Mapping
from datetime import date
from itertools import chain
from typing import Any

from planner.core.errors import InvalidInput
from planner.core.periods import Window, period_bounds, period_of, windows, zone_of
from planner.core.posting import RATED, REPORTED, Counted, Measures
from planner.core.units import Unit
from planner.export.focus import Cell, focus_csv
from planner.flows.focus_covered import Key, cover
from planner.store import offers_of_costs, report_sums
from planner.store.engine import Connection
from planner.store.report_sums import Asked

DAYS_MAX = 400
_HEADS = (
    "provider", "offer", "model", "price_version", "cost_basis", "service_tier", "region", "plan", "task", "project",
    "key",
)  # fmt: skip
_Sums = Mapping[tuple[int, tuple[Any, ...]], Measures]


def focus_report(connection: Connection, since: date, until: date) -> tuple[str, dict[str, int]]:
    """Return the costs of days of UTC in FOCUS, how many rows that are, and how many rows of usage have no cost.

    A cost is what the margin report takes for one: ours, or else what who bills it stated.

    Raises:
        InvalidInput: no range of days, or more than 400.
    """
    if (until - since).days > DAYS_MAX:
        raise InvalidInput("to", f"at most {DAYS_MAX} days are written at once")
    pieces = windows(since, until, "day", zone_of("UTC"))
    asked = Asked(windows=pieces, heads=_HEADS)
    units, facts = report_sums.units(connection, asked), report_sums.facts(connection, asked)
    metered = {key: counted for key, counted in units.items() if _said(key)["cost_basis"] == RATED}
    stated = {key: sums for key, sums in facts.items() if _said(key)["cost_basis"] == REPORTED}
    unpriced = sum(sums.rows for key, sums in facts.items() if _said(key)["cost_basis"] not in (RATED, REPORTED))
    channels = offers_of_costs.channels(connection, {_said(key)["offer"] for key in (*metered, *stated)})
    cells = dict(chain(_metered(pieces, metered, channels), _stated(pieces, stated, channels)))
    charges = cover(connection, pieces, _HEADS, cells, lambda heads: _said((0, heads)))
    text, rows = focus_csv(chain(charges, cells.values()))
    return text, {"rows": rows, "unpriced": unpriced}


def _said(key: tuple[Any, ...]) -> dict[str, str]:
    return dict(zip(_HEADS, key[1], strict=True))


def _metered(
    pieces: list[Window], found: Mapping[tuple[int, tuple[Any, ...], str], Counted], channels: Mapping[str, str]
) -> Iterator[tuple[Key, Cell]]:
    for (number, values, unit), counted in sorted(found.items()):
        # What is counted and never charged, such as requests without a fee, is no meter.
        if unit == Unit.REQUEST and not (counted.cost or counted.high or counted.list):
            continue
        yield Key(number, values, unit), Cell(
            **_heads(pieces[number], _said((number, values)), channels), unit=Unit(unit), quantity=counted.quantity,
            list_pico=counted.list, cost_pico=counted.cost, high_pico=counted.high,
        )  # fmt: skip


def _stated(pieces: list[Window], found: _Sums, channels: Mapping[str, str]) -> Iterator[tuple[Key, Cell]]:
    for (number, values), sums in sorted(found.items()):
        yield Key(number, values, None), Cell(
            **_heads(pieces[number], _said((number, values)), channels), unit=None, quantity=0, list_pico=sums.stated,
            cost_pico=sums.stated,
        )  # fmt: skip


def _heads(day: Window, said: Mapping[str, str], channels: Mapping[str, str]) -> dict[str, Any]:
    start, end = period_bounds(period_of(day.start))
    channel = channels.get(said["offer"], "direct")
    same = ("offer", "price_version", "service_tier", "region", "plan", "task", "project", "key")
    return {
        "period_start": day.start, "period_end": day.end, "billing_start": start, "billing_end": end,
        "account": "planner", "channel": channel, "provider": said["provider"] or "unknown",
        "model": said["model"] or "unknown", **{name: said[name] for name in same},
    }  # fmt: skip
