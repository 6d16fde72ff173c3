"""Reports on the command line: margins and costs as tables, JSON, CSV, XLSX or FOCUS."""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from planner.api.asked import moment
from planner.api.shapes import Shape
from planner.cli import show
from planner.cli.governing import read
from planner.cli.opened import now
from planner.core.errors import InvalidInput
from planner.flows.cost_report import UNIT, cost_report
from planner.flows.margin_report import Question, margin_report

_LEFT, _RIGHT = "left", "right"
_SHOWN = ("revenue_usd", "token_cost_usd", "payment_fees_usd", "other_costs_usd", "gross_profit_usd", "margin",
          "contribution_margin", "coverage")  # fmt: skip
_PRICES_SHOWN = 10


def day_of(field: str, text: str) -> date:
    """Read a day.

    Raises:
        InvalidInput: there is none of this name.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(field, "a day such as 2026-09-01 is needed") from None


def _question(asked: Mapping[str, Any]) -> tuple[Question, bool]:
    """Return what is asked, and whether units are told apart."""
    heads = [name for name in asked["by"].split(",") if name]
    known_at = asked["known_at"]
    if known_at is not None:
        try:
            known_at = moment(known_at)
        except ValueError as error:
            raise InvalidInput("known_at", str(error)) from None
        known_at = None if known_at >= now() else known_at
    more = {name: asked[name] for name in ("cost_basis", "reporting_currency") if name in asked}
    question = Question(
        by=tuple(name for name in heads if name != UNIT), since=day_of("from", asked["from"]),
        until=day_of("to", asked["to"]), tz=asked["tz"], basis=asked["basis"], known_at=known_at, **more,
    )  # fmt: skip
    return question, UNIT in heads


def margin(asked: Mapping[str, Any], output: Path | None, *, as_json: bool) -> None:
    """Print the margin report, or write it to a file."""
    question, by_unit = _question(asked)
    if by_unit:
        raise InvalidInput("by", "units have no margin; ask planner report costs")
    document = read(lambda connection: margin_report(connection, question))
    if output is not None:
        _write(document, output)
    if as_json:
        show.json_out(document)
    elif output is None:
        _print(document)


def _write(document: Shape, output: Path) -> None:
    from planner.export.report_csv import csv_text
    from planner.export.report_xlsx import xlsx_bytes

    kind = output.suffix.lower()
    if kind == ".csv":
        output.write_bytes(csv_text(document).encode())
    elif kind == ".xlsx":
        output.write_bytes(xlsx_bytes(document))
    elif kind == ".json":
        output.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", "utf-8")
    else:
        raise InvalidInput("output", "a file ending in .csv, .xlsx or .json is needed")
    show.note(f"wrote {output.name}: {len(document['rows'])} rows")


def _print(document: Shape) -> None:
    by = document["by"]
    zone = "" if document["tz"] == "UTC" else f" in {document['tz']}"
    title = f"margin from {document['from']} to {document['to']}{zone}, {document['basis']}, USD"
    columns = [*((name, _LEFT) for name in by), *((_heading(name), _RIGHT) for name in _SHOWN)]
    rows = [[*(row[name] for name in by), *map(_figure(row), _SHOWN)] for row in document["rows"]]
    total = document["total"]
    show.table(title, columns, [*rows, [*(["total"] + [""] * (len(by) - 1))[: len(by)], *map(_figure(total), _SHOWN)]])
    show.line("")
    if total["unpriced_rows"]:
        show.line(
            f"unpriced   {total['unpriced_rows']} rows with {total['unpriced_tokens']} tokens; margins are bounds"
        )
    for one in document["evidence"]["unpriced"]:
        show.line(f"           {one['rows']} of {one['provider']} {one['model']}: {one['reason']}")
    for currency, amount in (total["unconverted"] or {}).items():
        show.line(f"no rate    {amount} {currency} are not in the revenue; enter one: planner fx set")
    if total["tax_unknown_usd"] not in (None, "0"):
        show.line(
            f"tax        of {total['tax_unknown_usd']} USD nobody said how much is tax: margins are at most these"
        )
    if total["payment_fees_assumed_usd"] not in (None, "0"):
        show.line(
            f"assumed    {total['payment_fees_assumed_usd']} USD of payment fees, as plans say: nobody stated them"
        )
    for one in document["evidence"].get("commitments", ()):
        left = f"{one['amortised_usd']} amortised" if one["unused_usd"] is None else f"{one['unused_usd']} unused"
        when = "when it ended" if one["ended"] else "until then"
        promised = f"{one['name']}: {one['amount_usd']} USD {one['kind']}"
        show.line(f"committed  {promised}, {one['covered_usd']} of usage and {left} {when}")
    if total.get("commitments_usd"):
        show.line(f"           {total['commitments_usd']} USD beside the token cost are in gross profit and margins")
    unmatched = document["unmatched"]
    if unmatched["rows"] or unmatched["revenue_usd"] != "0":
        cost, revenue = unmatched["token_cost_usd"], unmatched["revenue_usd"]
        show.line(
            f"unmatched  {cost} USD of cost and {revenue} USD of revenue are of strangers: planner customers unmapped"
        )
    for one in document["evidence"]["unknown_plans"]:
        cost, revenue = one["token_cost_usd"], one["revenue_usd"]
        show.line(
            f"no plan    {one['plan']} was never written: {one['rows']} rows, {cost} USD of cost and {revenue} USD of "
            "revenue; see planner plans list"
        )
    _print_evidence(document)


def _print_evidence(document: Mapping[str, Any]) -> None:
    for one in document["evidence"]["revenue"]:
        if (one["revenue_usd"], one["refunds_usd"]) == ("0", "0") and one["payment_fees_usd"] != "0":
            show.line(f"fees       {one['payment_fees_usd']} USD beside {one['basis']} by {one['source']}")
            continue
        show.line(f"revenue    {one['revenue_usd']} USD by {one['basis']} of {one['source']}")
    for one in document["evidence"]["prices"][:_PRICES_SHOWN]:
        evidence = f"{one['source']}, observed {one['observed_at']}"
        show.line(
            f"price      {one['offer']}: {one['token_cost_usd']} USD at version {one['price_version']}, {evidence}"
        )
    later = len(document["evidence"]["lines"])
    if later:
        show.line(f"later      {later} lines changed what was booked: planner ledger lines --deltas")
    for one in document["evidence"]["stale_imports"]:
        show.line(
            f"stale      {one['file']} of {one['source']} is not where it was, or is another one: once it is back, "
            f"planner ledger rerate {one['import']}"
        )
    if document["pending_work"]:
        show.line(f"waiting    {document['pending_work']} pieces of work: planner ledger catch-up")


def _heading(name: str) -> str:
    return name.removesuffix("_usd").replace("_", " ")


def _figure(row: Mapping[str, Any]) -> Any:  # noqa: ANN401  # a function of a name
    def of(name: str) -> object:
        if name == "margin" and row["margin"] is None and row["margin_max"] is not None:
            return f"<= {row['margin_max']}"
        # What of the revenue is tax is nobody's profit.
        most = ("revenue_usd", "gross_profit_usd", "margin", "contribution_margin")
        if name in most and row[name] is not None and "tax_unknown" in (row["bounds"] or ""):
            return f"<= {row[name]}"
        if name == "token_cost_usd" and row["token_cost_max_usd"] not in (None, row["token_cost_usd"]):
            return f"{row['token_cost_usd']} to {row['token_cost_max_usd']}"
        return row[name]

    return of


def costs(asked: Mapping[str, Any], *, as_json: bool) -> None:
    """Print the cost report."""
    question, by_unit = _question(asked)
    document = read(lambda connection: cost_report(connection, question, by_unit=by_unit))
    if as_json:
        show.json_out(document)
        return
    from planner.export.report_csv import columns, lines, title, value_of

    words, found = (*document["by"], "cost_basis"), columns(document)
    shown = [(_heading(title(column)), _LEFT if title(column) in words else _RIGHT) for column in found]
    table = [[value_of(line, column) for column in found] for line in lines(document)]
    show.table(f"costs from {document['from']} to {document['to']}, USD", shown, table)
    total = document["total"]
    show.line("")
    show.line(f"coverage   {total['coverage']} of tokens, {total['coverage_rows']} of rows")
    if total["unpriced_rows"]:
        show.line(f"unpriced   {total['unpriced_rows']} rows with {total['unpriced_tokens']} tokens")


def focus(since: str, until: str, output: Path, *, as_json: bool) -> None:
    """Write costs in FOCUS."""
    from planner.flows.focus_report import focus_report

    text, counts = read(lambda connection: focus_report(connection, day_of("from", since), day_of("to", until)))
    output.write_bytes(text.encode())
    if as_json:
        show.json_out(counts)
    else:
        show.line(
            f"{output.name}: {counts['rows']} rows; {counts['unpriced']} rows of usage have no cost and are left out"
        )
