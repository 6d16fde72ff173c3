"""What every meter of every offer cost, day by day, for FOCUS."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from planner.core.errors import InvalidInput
from planner.core.periods import Window, period_bounds, period_of, windows, zone_of
from planner.core.posting import RATED, Counted
from planner.core.units import Unit
from planner.export.focus import Cell, focus_csv
from planner.store import offers_of_costs, report_sums
from planner.store.engine import Connection
from planner.store.report_sums import Asked

DAYS_MAX = 400
_HEADS = (
    "provider", "offer", "model", "price_version", "cost_basis", "service_tier", "region", "plan", "task", "project",
    "key",
)  # fmt: skip


def focus_report(connection: Connection, since: date, until: date) -> tuple[str, dict[str, Any]]:
    """Return the costs of days of UTC in FOCUS, and how many rows that are; what has no price is counted.

    Raises:
        InvalidInput: no range of days, or more than 400.
    """
    if (until - since).days > DAYS_MAX:
        raise InvalidInput("to", f"at most {DAYS_MAX} days are written at once")
    pieces = windows(since, until, "day", zone_of("UTC"))
    found = report_sums.units(connection, Asked(windows=pieces, heads=_HEADS))
    priced = {
        key: counted for key, counted in found.items() if dict(zip(_HEADS, key[1], strict=True))["cost_basis"] == RATED
    }
    channels = offers_of_costs.channels(connection, {values[1] for _number, values, _unit in priced})
    text, counts = focus_csv(_cells(pieces, priced, channels))
    return text, {"rows": counts.rows, "unpriced": len(found) - len(priced)}


def _cells(
    pieces: list[Window], found: dict[tuple[int, tuple[Any, ...], str], Counted], channels: dict[str, str]
) -> Iterator[Cell]:
    for (number, values, unit), counted in sorted(found.items()):
        # What is counted and never charged, such as requests without a fee, is no meter.
        if not (counted.cost or counted.list) and unit == Unit.REQUEST:
            continue
        said = dict(zip(_HEADS, values, strict=True))
        start, end = period_bounds(period_of(pieces[number].start))
        channel = channels.get(said["offer"], "direct")
        yield Cell(
            period_start=pieces[number].start, period_end=pieces[number].end, billing_start=start, billing_end=end,
            account="planner", provider=said["provider"], channel=channel, model=said["model"], offer=said["offer"],
            unit=Unit(unit), quantity=counted.quantity, list_pico=counted.list, cost_pico=counted.cost,
            price_version=said["price_version"], service_tier=said["service_tier"], region=said["region"],
            plan=said["plan"], task=said["task"], project=said["project"], key=said["key"],
        )  # fmt: skip
