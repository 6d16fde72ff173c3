"""A report as CSV that no spreadsheet runs: figures are plain numbers, texts are guarded."""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from planner.core.sheet import guarded

Document = Mapping[str, Any]
"""A report as it is answered in JSON: amounts and ratios are texts, counts are whole numbers, null is not known."""
Column = tuple[str, ...]
"""The key of a figure, or the keys on the way to it."""

TOTAL = "total"
# What is owed in other currencies has as many parts as there are currencies: one cell of text.
_ONE_CELL = "unconverted"
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)


def columns(document: Document) -> list[Column]:
    """Return the columns of a report: its heads, and the figures of its rows in their order."""
    heads: list[Column] = [(name,) for name in document["by"]]
    first = document["rows"][0] if document["rows"] else document.get("total") or {}
    return heads + [column for column in _columns(first) if column not in heads]


def _columns(row: Mapping[str, Any], before: Column = ()) -> Iterator[Column]:
    for name, value in row.items():
        if isinstance(value, Mapping) and name != _ONE_CELL:
            yield from _columns(value, (*before, name))
        else:
            yield (*before, name)


def title(column: Column) -> str:
    """Return what a column is called."""
    return "_".join(column)


def lines(document: Document) -> list[Mapping[str, Any]]:
    """Return the rows of a report, and its total if it has one, which says so under the first head."""
    if "total" not in document:
        return list(document["rows"])
    return [*document["rows"], {**dict.fromkeys(document["by"][:1], TOTAL), **document["total"]}]


def value_of(line: Mapping[str, Any], column: Column) -> str | int | None:
    """Return what stands in a cell; None where nobody knows, and where a total has no such head."""
    value: Any = line
    for name in column:
        value = value.get(name) if isinstance(value, Mapping) else None
    if isinstance(value, Mapping):
        return ", ".join(f"{amount} {currency}" for currency, amount in value.items()) or None
    return value if value is None or type(value) is int else str(value)


def number_of(document: Document, column: Column, value: str | int | None) -> Decimal | None:
    """Return the number of a cell; None where it is a text, as whatever stands under a head is.

    Example:
        >>> number_of({"by": ["customer"]}, ("customer",), "-0.28"), number_of({"by": ["customer"]}, ("fee",), "-0.28")
        (None, Decimal('-0.28'))
    """
    return None if title(column) in document["by"] else plain_number(value)


def plain_number(value: str | int | None) -> Decimal | None:
    """Return what is a whole number, or a decimal in plain notation; None for anything else."""
    if value is None or (isinstance(value, str) and not _NUMBER.fullmatch(value)):
        return None
    return Decimal(value)


def csv_text(document: Document) -> str:
    """Return a report as CSV: a header, its rows, and the total if it has one; null is an empty cell.

    Lines end as RFC 4180 has it. A customer called ``-1`` is a text and gets an apostrophe, a loss of 1 is a number.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    found = columns(document)
    writer.writerow([guarded(title(column)) for column in found])
    for line in lines(document):
        writer.writerow([_text(document, column, value_of(line, column)) for column in found])
    return out.getvalue()


def _text(document: Document, column: Column, value: str | int | None) -> str:
    if value is None:
        return ""
    return guarded(str(value)) if number_of(document, column, value) is None else str(value)
