"""A report as a workbook: its figures, a sheet for each kind of evidence, and what every figure means."""

import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, auto
from typing import Any, NamedTuple

from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

from planner.core.errors import InvalidInput
from planner.export.meanings import FIGURES, PARAMETERS
from planner.export.report_csv import Column, Document, columns, lines, number_of, plain_number, title, value_of

# The library would write the time of writing. A file of the same report has the same bytes.
_MADE = datetime(2026, 1, 1, tzinfo=UTC)
_WIDTH_MIN, _WIDTH_MAX = 10, 60
# Room for the button of a filter, and for commas between thousands.
_MARGIN = 3
# A spreadsheet shows and keeps 15 digits of a number; the double behind it holds some with 16 or 17, not all.
_DIGITS_MAX = 15
_EXACTNESS = (
    "A spreadsheet keeps 15 digits of a number. An amount that has more stands as a text, with all its digits, on the "
    "right of its cell, and sums of the spreadsheet leave it out; the totals here are exact."
)
_SHEETS = {
    "prices": ("Prices", "each version of a price that was used: where it comes from, and what was booked by it"),
    "unpriced": ("Unpriced", "usage without a price of ours, and why; reported_usd is what who bills it stated"),
    "revenue": ("Revenue", "revenue by how it was recognised and where it comes from"),
    "unknown_plans": (
        "Unknown plans",
        "plans that usage or revenue names and nobody ever wrote, such as a slip of the pen",
    ),
    "lines": ("Changes", "what came late, or was priced again after it was booked"),
    "stale_imports": ("Missing files", "files rated in place that were not there when they had to be rated again"),
}


class _Kind(Enum):
    """What is written in a cell, and so in which format."""

    TEXT = auto()
    NOTE = auto()
    LONG = auto()
    AMOUNT = auto()
    SHARE = auto()
    COUNT = auto()


_FORMATS: dict[_Kind, dict[str, object]] = {
    _Kind.TEXT: {"num_format": "@"},
    _Kind.NOTE: {"num_format": "@", "text_wrap": True, "valign": "top"},
    _Kind.LONG: {"num_format": "@", "align": "right"},
    _Kind.AMOUNT: {"num_format": "#,##0.00##########"},
    _Kind.SHARE: {"num_format": "0.00%"},
    _Kind.COUNT: {"num_format": "#,##0"},
}


class _Cell(NamedTuple):
    """The text of a cell, and its number where it is written as one."""

    text: str
    number: Decimal | None
    kind: _Kind


class _Styles:
    """The formats of a workbook, each made once."""

    def __init__(self, book: Workbook) -> None:
        self._book = book
        self._made: dict[tuple[_Kind, bool], Any] = {}

    def of(self, kind: _Kind, *, bold: bool = False) -> Any:  # noqa: ANN401  # the library has no types
        if (kind, bold) not in self._made:
            self._made[kind, bold] = self._book.add_format({**_FORMATS[kind], "bold": bold})
        return self._made[kind, bold]


def xlsx_bytes(document: Document) -> bytes:
    """Return a report as a workbook, with the same bytes every time; a text is a text, whatever it begins with.

    Raises:
        InvalidInput: more rows, or a longer text, than a sheet holds.
    """
    out = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with Workbook(out, options) as book:
        book.set_properties({"title": f"{document['title']} report", "created": _made(document)})
        styles = _Styles(book)
        _report(book, styles, document)
        for key, rows in document.get("evidence", {}).items():
            _evidence(book, styles, _sheet(key)[0], rows)
        _about(book, styles, document)
    return out.getvalue()


def _made(document: Document) -> datetime:
    said = document.get("as_of")
    return _MADE if said is None else datetime.fromisoformat(said).astimezone(UTC)


def _report(book: Workbook, styles: _Styles, document: Document) -> None:
    sheet = book.add_worksheet("Report")
    found = columns(document)
    rows = [[_figure(document, column, line) for column in found] for line in lines(document)]
    _table(sheet, styles, [title(column) for column in found], rows, last=len(document["rows"]))
    heads = len(document["by"])
    sheet.freeze_panes(1, heads)
    if heads:
        sheet.repeat_columns(0, heads - 1)


def _figure(document: Document, column: Column, line: Mapping[str, Any]) -> _Cell | None:
    value = value_of(line, column)
    if value is None:
        return None
    kind = _Kind.SHARE
    if isinstance(value, int):
        kind = _Kind.COUNT
    elif len(column) > 1 or title(column).endswith("_usd"):
        kind = _Kind.AMOUNT
    return _cell(str(value), number_of(document, column, value), kind)


def _sheet(key: str) -> tuple[str, str]:
    """Return the name of the sheet for a kind of evidence, and what it holds."""
    return _SHEETS.get(key, (key.capitalize(), ""))


def _evidence(book: Workbook, styles: _Styles, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    sheet = book.add_worksheet(name)
    if not rows:
        sheet.write_string(0, 0, "none")
        return
    names = list(rows[0])
    _table(sheet, styles, names, [[_said(key, row[key]) for key in names] for row in rows], last=len(rows))
    sheet.freeze_panes(1, 0)
    sheet.fit_to_pages(1, 0)


def _said(key: str, value: str | int | None) -> _Cell | None:
    """Return a cell of evidence: a count, an amount, or a text such as a version, whatever digits it has."""
    if value is None:
        return None
    amount = key.endswith("_usd")
    number = plain_number(value) if amount or type(value) is int else None
    return _cell(str(value), number, _Kind.AMOUNT if amount else _Kind.COUNT)


def _cell(text: str, number: Decimal | None, kind: _Kind) -> _Cell:
    if number is None:
        return _Cell(text, None, _Kind.TEXT)
    if Decimal(f"{number:.{_DIGITS_MAX}g}") != number:
        return _Cell(text, None, _Kind.LONG)
    return _Cell(text, number, kind)


def _table(
    sheet: Worksheet, styles: _Styles, names: Sequence[str], rows: Sequence[Sequence[_Cell | None]], last: int
) -> None:
    """Write a header and rows; those after the ``last`` one are totals: bold, and no part of the filter."""
    for place, name in enumerate(names):
        _write(sheet, (0, place), _Cell(name, None, _Kind.TEXT), styles.of(_Kind.TEXT, bold=True))
        longest = max([len(name), *(len(cell.text) for row in rows if (cell := row[place]) is not None)])
        sheet.set_column(place, place, min(max(longest + _MARGIN, _WIDTH_MIN), _WIDTH_MAX))
    for number, row in enumerate(rows, start=1):
        for place, cell in enumerate(row):
            if cell is not None:
                _write(sheet, (number, place), cell, styles.of(cell.kind, bold=number > last))
    if names:
        sheet.autofilter(0, 0, last, len(names) - 1)
    # On paper, the header stands on every page.
    sheet.set_landscape()
    sheet.repeat_rows(0)


def _write(sheet: Worksheet, place: tuple[int, int], cell: _Cell, style: object) -> None:
    # The library leaves out what does not fit and says so in a number.
    if cell.number is None:
        failed = sheet.write_string(*place, cell.text, style)
    else:
        failed = sheet.write_number(*place, float(cell.number), style)
    if failed:
        raise InvalidInput("format", "a sheet holds 1048576 rows and 32767 characters a cell; CSV holds more")


def _about(book: Workbook, styles: _Styles, document: Document) -> None:
    sheet = book.add_worksheet("About")
    for place, width in enumerate((28, 28, 100)):
        sheet.set_column(place, place, width)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    for number, (*said, heading) in enumerate(_words(document)):
        for place, text in enumerate(said):
            cell = _Cell(text, None, _Kind.NOTE)
            _write(sheet, (number, place), cell, styles.of(cell.kind, bold=heading or not place))


def _words(document: Document) -> Iterator[tuple[str, str, str, bool]]:
    """Yield the lines of the last sheet; true: a heading."""
    yield "Parameter", "Value", "Meaning", True
    for name, value in _parameters(document):
        yield name, value, PARAMETERS.get(name, ""), False
    yield "", "", "", False
    yield "Figure", "Unit", "Meaning", True
    for column in columns(document):
        found = FIGURES.get(title(column))
        if found is not None:
            yield title(column), *found, False
    yield "", "", "", False
    yield "Sheet", "", "Meaning", True
    for key in document.get("evidence", {}):
        name, text = _sheet(key)
        yield name, "", text, False
    yield "", "", "", False
    yield "Exactness", "", _EXACTNESS, False


def _parameters(document: Document, before: str = "") -> Iterator[tuple[str, str]]:
    """Yield what a report says of itself besides rows, total and evidence."""
    for name, value in document.items():
        if isinstance(value, Mapping):
            if name not in ("total", "evidence"):
                yield from _parameters(value, f"{name}_")
        elif name != "rows" or before:
            text = ", ".join(value) if isinstance(value, list) else "" if value is None else str(value)
            yield before + name, text
