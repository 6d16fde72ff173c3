"""The forecast of a month on the command line: what is booked so far, and what is expected at its end."""

from collections.abc import Mapping
from typing import Any

from planner.cli import show
from planner.cli.governing import read
from planner.cli.opened import now
from planner.flows.forecast import ForecastQuestion, forecast_report

_COLUMNS = [("plan", "left")] + [
    (name, "right")
    for name in (
        "so far USD",
        "expected USD",
        "80 %",
        "95 %",
        "tokens so far",
        "expected tokens",
        "tokens 80 %",
        "coverage",
    )
]


def forecast(month: str | None, by: str, tz: str, cost_basis: str, *, as_json: bool) -> None:
    """Print the forecast."""
    asked = ForecastQuestion(now=now(), month=month, by=by, tz=tz, cost_basis=cost_basis)
    document = read(lambda connection: forecast_report(connection, asked))
    if as_json:
        show.json_out(document)
        return
    zone = "" if tz == "UTC" else f" in {tz}"
    rows = [_cells(row["plan"], row) for row in document["rows"]]
    title = f"forecast of {document['month']}{zone} as of {document['as_of']}, {document['days_left']} days left"
    show.table(title, _COLUMNS, [*rows, _cells("total", document["total"])])
    show.line("")
    noted = [("total", document["total"]), *((row["plan"], row) for row in document["rows"])]
    for name, figures in noted:
        for text in figures["notes"]:
            show.line(f"note       {name}: {text}")
    if not document["over"]:
        show.line(f"method     {document['method']}")
    if document["pending_work"]:
        show.line(f"waiting    {document['pending_work']} pieces of work: planner ledger catch-up")


def _cells(name: str, figures: Mapping[str, Any]) -> list[object]:
    booked, cost, tokens = figures["booked"], figures["expected_cost_usd"], figures["expected_tokens"]
    return [
        name, booked["cost_usd"], *_expected(cost, "80", "95"), booked["tokens"], *_expected(tokens, "80"),
        booked["coverage"],
    ]  # fmt: skip


def _expected(found: Mapping[str, Any] | None, *levels: str) -> list[object]:
    if found is None:
        return [None] * (1 + len(levels))
    return [found["expected"], *(f"{found[f'low_{level}']} to {found[f'high_{level}']}" for level in levels)]
