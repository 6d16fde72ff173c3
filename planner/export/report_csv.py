"""A report as CSV that no spreadsheet runs: figures are plain numbers, texts are guarded."""

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

from planner.core.sheet import guarded

Document = Mapping[str, Any]
Column = tuple[str, ...]
"""The key of a figure, or the keys on the way to it."""


def columns(document: Document) -> list[Column]:
    """Return the columns of a report: its heads, and the figures of its rows in their order."""
    heads = [(name,) for name in document["by"]]
    rows = document["rows"] or [document.get("total") or {}]
    return heads + [column for column in _columns(rows[0]) if column not in heads]


def _columns(row: Mapping[str, Any], before: Column = ()) -> Iterator[Column]:
    for name, value in row.items():
        # What is owed in other currencies has as many parts as there are currencies: one cell of text.
        if isinstance(value, Mapping) and name != "unconverted":
            yield from _columns(value, (*before, name))
        else:
            yield (*before, name)


def title(column: Column) -> str:
    """Return what a column is called."""
    return "_".join(column)


def cell(row: Mapping[str, Any], column: Column) -> object:
    """Return the value of a cell; None where the row has none."""
    value: Any = row
    for name in column:
        value = value.get(name) if isinstance(value, Mapping) else None
    if isinstance(value, Mapping):
        return ", ".join(f"{amount} {currency}" for currency, amount in value.items()) or None
    return value


def is_figure(document: Document, column: Column) -> bool:
    """Tell whether a column holds figures: everything but heads, and words such as a currency."""
    return title(column) not in document["by"] and column[-1] not in ("currency", "cost_basis", "unconverted")


def csv_text(document: Document) -> str:
    """Return a report as CSV: a header, its rows, and the total if it has one; null is an empty cell.

    Lines end as RFC 4180 has it. A customer called ``-1`` is a text and gets an apostrophe, a loss of 1 is a number.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    found = columns(document)
    writer.writerow([guarded(title(column)) for column in found])
    for row in _rows(document):
        writer.writerow([_text(document, row, column) for column in found])
    return out.getvalue()


def _rows(document: Document) -> Iterator[Mapping[str, Any]]:
    yield from document["rows"]
    if "total" in document:
        # The first head says what the line is; a report without heads has no other line.
        heads = document["by"]
        yield {**document["total"], **({heads[0]: "total"} if heads else {})}


def _text(document: Document, row: Mapping[str, Any], column: Column) -> str:
    value = cell(row, column)
    if value is None:
        return ""
    return str(value) if is_figure(document, column) else guarded(str(value))
