"""A report as a workbook: its figures, the evidence for them, and what each of them means."""

import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import xlsxwriter

from planner.export.report_csv import Document, cell, columns, is_figure, title

_MADE = datetime(2026, 1, 1)  # noqa: DTZ001  # the property of a file that has no zone; the same bytes every time
_WIDTH_MAX = 60
# What a spreadsheet's double holds exactly.
_DIGITS_MAX = 15

_BLOCKS = (("prices", "Prices"), ("unpriced", "Unpriced"), ("revenue", "Revenue"), ("lines", "Changes"))
_MEANING = (
    ("revenue_usd", "what came in, net of tax and refunds, USD"),
    ("token_cost_usd", "what tokens cost at the price of the moment of use, after discount and fee, USD"),
    ("token_cost_max_usd", "the most they cost, where some rows only have bounds, USD"),
    ("list_cost_usd", "the same at list price, USD"),
    ("reported_cost_usd", "what who bills it stated, USD"),
    ("payment_fees_usd", "what payments cost, USD"),
    ("other_costs_usd", "what else the customers of a plan cost, as the plan says, USD"),
    ("gross_profit_usd", "revenue - token cost - payment fees - other costs, USD"),
    ("margin", "gross profit / revenue; empty where something is unknown or nothing came in"),
    ("margin_max", "the margin at most, where some costs are unknown or have bounds"),
    ("margin_min", "the margin at least, where costs have an upper bound"),
    ("markup", "gross profit / costs: not the margin"),
    ("contribution_usd", "revenue - token cost - payment fees, USD"),
    ("contribution_margin", "contribution / revenue"),
    ("coverage", "share of tokens whose cost is known; coverage_rows is the share of rows"),
    ("free_burn_usd", "token cost of plans without a price, USD"),
)


def xlsx_bytes(document: Document) -> bytes:
    """Return a report as a workbook with the same bytes every time.

    A spreadsheet keeps numbers as doubles. An amount that one cannot hold to the last digit stands there as text.
    """
    out = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(out, options) as book:
        book.set_properties({"title": f"{document['title']} report", "created": _MADE})
        bold = book.add_format({"bold": True})
        _report(book, bold, document)
        for key, name in _BLOCKS:
            _block(book, bold, name, document["evidence"][key])
        _about(book, bold, document)
    return out.getvalue()


def _report(book: Any, bold: Any, document: Document) -> None:  # noqa: ANN401  # the library has no types
    sheet = book.add_worksheet("Report")
    found = columns(document)
    _header(sheet, bold, [title(column) for column in found])
    rows = [*document["rows"], *([document["total"]] if "total" in document else [])]
    for number, row in enumerate(rows, start=1):
        style = bold if number > len(document["rows"]) else None
        for place, column in enumerate(found):
            _write(sheet, number, place, cell(row, column), style, figure=is_figure(document, column))
    if "total" in document and document["by"]:
        sheet.write_string(len(rows), 0, "total", bold)
    sheet.freeze_panes(1, len(document["by"]))
    sheet.autofilter(0, 0, max(len(document["rows"]), 1), max(len(found) - 1, 0))


def _block(book: Any, bold: Any, name: str, rows: Sequence[Mapping[str, Any]]) -> None:  # noqa: ANN401
    sheet = book.add_worksheet(name)
    if not rows:
        sheet.write_string(0, 0, "none", bold)
        return
    names = list(rows[0])
    _header(sheet, bold, names)
    for number, row in enumerate(rows, start=1):
        for place, key in enumerate(names):
            figure = key.endswith("_usd") or isinstance(row[key], int)
            _write(sheet, number, place, row[key], None, figure=figure)


def _about(book: Any, bold: Any, document: Document) -> None:  # noqa: ANN401  # the library has no types
    sheet = book.add_worksheet("About")
    sheet.set_column(0, 0, 24)
    sheet.set_column(1, 1, _WIDTH_MAX * 2)
    said = ("from", "to", "tz", "basis", "cost_basis", "known_at", "reporting_currency")
    lines = [(name, _plain(document.get(name))) for name in said]
    lines += [
        ("exactness", "amounts that a spreadsheet cannot hold to the last digit stand as text"),
        *_MEANING,
    ]
    for number, (name, text) in enumerate(lines):
        sheet.write_string(number, 0, name, bold)
        sheet.write_string(number, 1, text)


def _plain(value: object) -> str:
    return "" if value is None else str(value)


def _header(sheet: Any, bold: Any, names: Sequence[str]) -> None:  # noqa: ANN401  # the library has no types
    for place, name in enumerate(names):
        sheet.write_string(0, place, name, bold)
        sheet.set_column(place, place, min(max(len(name) + 2, 12), _WIDTH_MAX))


def _write(sheet: Any, row: int, place: int, value: object, style: Any, *, figure: bool) -> None:  # noqa: ANN401
    if value is None:
        return
    number = Decimal(str(value)) if figure and not isinstance(value, bool) else None
    if number is not None and _exact(number):
        sheet.write_number(row, place, float(number), style)
    else:
        sheet.write_string(row, place, str(value), style)


def _exact(number: Decimal) -> bool:
    return len(number.normalize().as_tuple().digits) <= _DIGITS_MAX
