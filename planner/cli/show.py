"""Tables for people and JSON for programs; results on stdout, everything else on stderr."""

import json
import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from planner.core.errors import PlannerError, Unavailable, in_words

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
    if isinstance(error, Unavailable):
        # A command asks once, so its reader needs the reason alone and not in how many seconds a program may ask again.
        err.print(Text.assemble((f"{error.title}: {error.reason}", "bold red"), f"  ({error.code})"), soft_wrap=True)
        return
    err.print(Text.assemble((error.title, "bold red"), f"  ({error.code})"))
    for name, value in error.facts().items():
        if value not in (None, {}, (), ""):
            err.print(Text(f"  {name}: {in_words(value)}"))


# A column of sentences may be as narrow as this; figures and ids are never broken.
SENTENCE_WIDTH_MIN = 30
_GAP = 2


def table(title: str, columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; a column is (heading, "left" or "right"). Cells are plain text, never markup.

    Only sentences are wrapped. Where the rest does not fit the terminal, every row is printed as a block of its own:
    half a figure on the next line reads as another figure.
    """
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    widths = [max([len(heading), *(len(row[i]) for row in cells)]) for i, (heading, _justify) in enumerate(columns)]
    wraps = [any(" " in row[i] and len(row[i]) > SENTENCE_WIDTH_MIN for row in cells) for i in range(len(columns))]
    least = sum(SENTENCE_WIDTH_MIN if wrap else width for width, wrap in zip(widths, wraps, strict=True))
    if least + _GAP * (len(columns) - 1) > out.width:
        _blocks(title, [heading for heading, _justify in columns], cells)
        return
    made = Table(title=title, title_justify="left", title_style="bold", header_style="bold", box=None, pad_edge=False)
    for (heading, justify), wrap in zip(columns, wraps, strict=True):
        made.add_column(heading, justify="right" if justify == "right" else "left", overflow="fold", no_wrap=not wrap)
    for row in cells:
        made.add_row(*map(Text, row))
    out.print(made)


def _blocks(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    label = max(map(len, headings)) + _GAP
    out.print(Text(title, "bold"))
    for row in rows:
        block = Table.grid(padding=0)
        block.add_column(width=label, no_wrap=True)
        block.add_column(overflow="fold")
        for heading, cell in zip(headings, row, strict=True):
            if cell:
                block.add_row(Text(heading, "bold"), Text(cell))
        out.print(block)
        out.print()


def line(text: str) -> None:
    """Print one line of plain text."""
    out.print(Text(text))


def note(text: str) -> None:
    """Print one line for people on stderr."""
    err.print(Text(text))
