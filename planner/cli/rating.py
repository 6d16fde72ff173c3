"""A file rated where it lies, on the command line: a progress bar while it is read, a table of sums at the end."""

from pathlib import Path
from typing import Any

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from planner.api.shapes import Shape
from planner.cli import show
from planner.cli.importing import EXIT_STOPPED, read_mapping
from planner.cli.opened import now, read_settings, store_of
from planner.core.errors import InvalidInput
from planner.export.report_csv import csv_text
from planner.flows.rate_file import Asked, rate_file
from planner.ledger.format import Given

_SHOWN = ("rows", "input_tokens", "output_tokens", "cost_usd", "cost_max_usd", "list_usd", "coverage")


def rate(
    file: Path, format_: str | None, mapping: Path | None, by: str, *, strict: bool, given: dict[str, Any],
    output: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Rate a file and print what it comes to, or write it to a CSV file."""
    if not file.is_file():
        raise InvalidInput("file", "no such file")
    columns: dict[str, Any] = {}
    if mapping is not None:
        columns, format_ = read_mapping(mapping), format_ or "mapping"
    if output is not None and output.suffix != ".csv":
        raise InvalidInput("output", "a file that ends in .csv is needed")
    source = given.pop("source") or format_ or "file"
    asked = Asked(
        path=file, given=Given(source=source, mapping=columns, **given), format=format_, at=now(), strict=strict,
        by=tuple(head for head in by.split(",") if head),
    )  # fmt: skip
    bars = (TextColumn("{task.description:<8}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*bars, console=show.err, disable=not show.err.is_terminal, transient=True) as bar:
        task = bar.add_task("reading", total=None)
        found = rate_file(
            store_of(read_settings()), asked,
            lambda what, done, total: bar.update(task, description=what, completed=done, total=total),
        )  # fmt: skip
    if output is not None and not found["stopped"]:
        output.write_text(csv_text(found), newline="")
    if as_json:
        show.json_out(found)
    else:
        _print(found, written=output)
    if found["stopped"]:
        raise SystemExit(EXIT_STOPPED)


def _print(found: Shape, *, written: Path | None) -> None:
    if found["refused"]:
        show.line(f"refused    {found['refused_rows']} rows")
        show.table("", [("place", "left"), ("reason", "left")], [(r["place"], r["reason"]) for r in found["refused"]])
    if found["stopped"]:
        show.note("stopped    a row cannot be read, and nothing was rated; --skip leaves such rows out")
        return
    if written is None:
        rows = [*found["rows"], {**dict.fromkeys(found["by"]), **found["total"]}]
        names = (*found["by"], *_SHOWN)
        cells = [["" if row[name] is None else str(row[name]) for name in names] for row in rows]
        cells[-1][0] = "total" if found["by"] else cells[-1][0]
        headings = [(name.replace("_", " "), "left" if name in found["by"] else "right") for name in names]
        show.table(f"{found['file']}, rated in place, USD", headings, cells)
    counts = ", ".join(f"{name} {count}" for name, count in found["outcomes"].items())
    show.line(f"rows       {counts or 'none'}; nothing was booked: planner import --in-place does that")
