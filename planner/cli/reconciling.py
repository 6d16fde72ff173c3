"""The reconciliation on the command line: a waterfall from the ledger to the invoice, and the keys that differ."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from planner.api.reconciling import question
from planner.api.shapes import Shape
from planner.cli import show
from planner.cli.governing import read
from planner.cli.reporting import day_of
from planner.core.errors import InvalidInput
from planner.flows.reconciliation import flat, reconcile
from planner.flows.reconciliation_rows import DEFAULT_BY, OUTSIDE

_LEFT, _RIGHT = "left", "right"
_ROWS_SHOWN = 20
_SUMS = ("ledger_usd", "invoice_usd", "difference_usd")


def reconciliation(asked: Mapping[str, Any], output: Path | None, *, as_json: bool) -> None:
    """Print the reconciliation, or write it to a file."""
    days = {"since": day_of("from", asked["since"]), "until": day_of("to", asked["until"])}
    wanted = question(**{**asked, **days, "by": asked["by"] or ",".join(DEFAULT_BY)})
    document = read(lambda connection: reconcile(connection, wanted))
    if output is not None:
        _write(document, output)
    if as_json:
        show.json_out(document)
    elif output is None:
        _print(document)


def _write(document: Shape, output: Path) -> None:
    from planner.export.report_csv import csv_text

    if output.suffix.lower() != ".csv":
        raise InvalidInput("output", "a file ending in .csv is needed")
    output.write_bytes(csv_text(flat(document)).encode())
    show.note(f"wrote {output.name}: {len(document['rows'])} rows")


def _print(document: Shape) -> None:
    total = document["total"]
    zone = "" if document["tz"] == "UTC" else f" in {document['tz']}"
    steps = [["ledger", total["ledger_usd"]]]
    steps += [[_words(name), usd] for name, usd in total["waterfall"].items() if usd != "0" or name == "residual_usd"]
    show.line(f"from the ledger to the invoice, {document['from']} to {document['to']}{zone}")
    show.table("", [("cause", _LEFT), ("USD", _RIGHT)], [*steps, ["invoice", total["invoice_usd"]]])
    outside = [row for row in document["rows"] if row["verdict"] == OUTSIDE]
    outside.sort(key=lambda row: -abs(float(row["difference_usd"])))  # an order of rows, and no amount
    if outside:
        show.line("")
        heads = [name for name in document["by"] if name != "kind" and any(row[name] for row in outside)]
        columns = [*((name, _LEFT) for name in heads), *((_words(name), _RIGHT) for name in _SUMS), ("causes", _LEFT)]
        shown = [[*(row[name] for name in heads), *(row[name] for name in _SUMS), _causes(row)] for row in outside]
        show.table("keys beyond the tolerance, largest first", columns, shown[:_ROWS_SHOWN])
    show.line("")
    counts, coverage = total["rows"], document["coverage"]
    show.line(f"keys       {counts['within']} within tolerance, {counts['outside']} beyond, {counts['stated']} stated")
    if len(outside) > _ROWS_SHOWN:
        show.line(f"           {len(outside) - _ROWS_SHOWN} more beyond are in --json and --output")
    if coverage["matched"] is not None:
        show.line(
            f"coverage   {coverage['matched']} of what was billed for usage is matched, {coverage['counted']} is "
            "counted on both sides"
        )
    for one in document["evidence"]["statements"]:
        show.line(f"statement  {one['source']}: {one['lines']} lines, {one['invoice_usd']} USD")
    for one in document["other_providers"]:
        show.line(f"unstated   {one['provider']}: {one['ledger_usd']} USD are booked, and nothing was billed")
    for note in document["notes"]:
        show.line(f"note       {note}")


def _words(name: str) -> str:
    return name.removesuffix("_usd").replace("_", " ")


def _causes(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{_words(name)} {usd}" for name, usd in row["waterfall"].items() if usd != "0")
