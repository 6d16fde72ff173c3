"""Tables for people and JSON for programs; results on stdout, everything else on stderr."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from planner.core.errors import PlannerError

# A file or a pipe has no width to wrap at.
out = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
err = Console(stderr=True, highlight=False)


def json_out(document: object) -> None:
    """Print one JSON document."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def refusal(error: PlannerError, *, as_json: bool) -> None:
    """Print a refusal: its title, its facts, and its code."""
    if as_json:
        json_out({"code": error.code, "title": error.title, **error.facts()})
        return
    err.print(Text.assemble((error.title, "bold red"), f"  ({error.code})"))
    for name, value in error.facts().items():
        if value not in (None, {}, (), ""):
            err.print(Text(f"  {name}: {_said(value)}"))


def _said(value: Any) -> str:  # noqa: ANN401  # any fact
    if isinstance(value, dict):
        return ", ".join(f"{key} {count}" for key, count in value.items())
    return str(value)


def table(title: str, columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; a column is (heading, "left" or "right"). Cells are plain text, never markup."""
    made = Table(title=title, title_justify="left", title_style="bold", header_style="bold", box=None, pad_edge=False)
    for heading, justify in columns:
        made.add_column(heading, justify="right" if justify == "right" else "left", overflow="fold")
    for row in rows:
        made.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    out.print(made)


def line(text: str) -> None:
    """Print one line of plain text."""
    out.print(Text(text))


def note(text: str) -> None:
    """Print one line for people on stderr."""
    err.print(Text(text))
