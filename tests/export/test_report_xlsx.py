"""Reports as workbooks: read here as the archive of XML they are, as no library of ours reads them."""

import io
import re
import zipfile
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from planner.core.errors import InvalidInput
from planner.core.statement import Statement
from planner.export.meanings import FIGURES, PARAMETERS
from planner.export.report_xlsx import xlsx_bytes
from tests.export.reports import DOLLAR, Document, report, statement

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)
amounts = st.integers(-(10**20), 10**20) | st.integers(-(10**12), 10**12)


class Cell(NamedTuple):
    """What a cell holds: a text, or a number as the file writes it."""

    text: str | None = None
    number: str | None = None
    format: str = ""
    bold: bool = False

    @property
    def exact(self) -> Decimal:
        """The number a spreadsheet shows, of 15 digits."""
        return Decimal(f"{float(self.number or 'nan'):.15g}")


class Sheet(NamedTuple):
    """The header of a sheet, its rows, each by the header, and the XML they come from."""

    header: list[str | None]
    rows: list[dict[str, Cell]]
    xml: ET.Element


def sheets(document: Document) -> dict[str, Sheet]:
    """Read every sheet of the workbook of a report."""
    with zipfile.ZipFile(io.BytesIO(xlsx_bytes(document))) as archive:
        parts = {name: ET.fromstring(archive.read(name)) for name in archive.namelist() if name.endswith(".xml")}  # noqa: S314  # of this test
    shared = ["".join(text.itertext()) for text in parts["xl/sharedStrings.xml"]]
    listed = parts["xl/workbook.xml"].iter(f"{MAIN}sheet")
    formats = list(_formats(parts["xl/styles.xml"]))
    return {
        sheet.attrib["name"]: _sheet(parts[f"xl/worksheets/sheet{number}.xml"], shared, formats)
        for number, sheet in enumerate(listed, start=1)
    }


def _sheet(xml: ET.Element, shared: list[str], formats: list[tuple[str, bool]]) -> Sheet:
    table = [
        {re.sub("[0-9]", "", cell.attrib["r"]): _cell(cell, shared, formats) for cell in row}
        for row in xml.iter(f"{MAIN}row")
    ]
    header = table[0] if table else {}
    rows = [{header[at].text or "": cell for at, cell in row.items() if at in header} for row in table[1:]]
    return Sheet([cell.text for cell in header.values()], rows, xml)


def _cell(cell: ET.Element, shared: list[str], formats: list[tuple[str, bool]]) -> Cell:
    value = cell.findtext(f"{MAIN}v")
    style = formats[int(cell.attrib.get("s", 0))]
    if value is None:
        return Cell(None, None, *style)
    return Cell(_spelled(shared[int(value)]), None, *style) if cell.get("t") == "s" else Cell(None, value, *style)


def _spelled(text: str) -> str:
    """Return a text whose signs that XML cannot hold are written as the format has it."""
    return re.sub("_x([0-9A-F]{4})_", lambda found: chr(int(found[1], 16)), text)


def _formats(styles: ET.Element) -> Iterator[tuple[str, bool]]:
    codes = {"10": "0.00%", "3": "#,##0", "49": "@", "0": ""}
    codes |= {one.attrib["numFmtId"]: one.attrib["formatCode"] for one in styles.iter(f"{MAIN}numFmt")}
    bold = [font.find(f"{MAIN}b") is not None for font in styles.iter(f"{MAIN}font")]
    for one in next(styles.iter(f"{MAIN}cellXfs")):
        yield codes[one.attrib["numFmtId"]], bold[int(one.attrib["fontId"])]


def test_figures_are_numbers_of_their_kind() -> None:
    """Dollars with every decimal they have, shares as per cent, counts with thousands apart; heads are texts."""
    line, _total = sheets(report((("pro", "2026-09"), statement(revenue=2 * DOLLAR, cost=DOLLAR // 2))))["Report"].rows
    assert line["plan"] == Cell("pro", None, "@")
    assert line["gross_profit_usd"] == Cell(None, "1.5", "#,##0.00##########")
    assert line["margin"] == Cell(None, "0.75", "0.00%")
    assert line["input_tokens"] == Cell(None, "1000", "#,##0")
    assert "margin_max" not in line


def test_why_a_figure_is_a_bound_is_a_text_beside_it() -> None:
    """Tax that may be in the revenue."""
    line, _total = sheets(report((("pro", "2026-09"), statement(tax_unknown=True))))["Report"].rows
    assert (line["margin"].number, line["bounds"]) == ("0.65", Cell("tax_unknown", None, "@"))


def test_the_header_stays_and_the_total_is_bold_and_outside_of_the_filter() -> None:
    """The heads stay at the left too; whoever filters rows still sees the total of all of them."""
    sheet = sheets(report((("pro", "2026-09"), statement()), (("team", "2026-09"), statement())))["Report"]
    pane = next(sheet.xml.iter(f"{MAIN}pane")).attrib
    assert (pane["state"], pane["xSplit"], pane["ySplit"]) == ("frozen", "2", "1")
    assert re.fullmatch("A1:[A-Z]+3", next(sheet.xml.iter(f"{MAIN}autoFilter")).attrib["ref"])
    first, second, total = sheet.rows
    assert total["plan"].text == "total"
    assert [{cell.bold for cell in row.values() if cell != Cell()} for row in (first, second, total)] == [
        {False}, {False}, {True},
    ]  # fmt: skip


@given(name=names)
@example(name='=HYPERLINK("http://x")')
@example(name="https://example.com")
@example(name="-0.28")
@example(name="{=1}")
@example(name="_x0041_\x00\ufffe\r")
def test_a_text_is_a_text_whatever_it_begins_with(name: str) -> None:
    """No formula, no link, no number; and it is what it was."""
    found = sheets(report(((name, "2026-09"), statement())))
    assert found["Report"].rows[0]["plan"].text == name
    for sheet in found.values():
        assert not {element.tag.removeprefix(MAIN) for element in sheet.xml.iter()} & {"f", "hyperlink"}


@given(cost=amounts, revenue=amounts)
@example(cost=10**15 + 1, revenue=10**16 + 1)
def test_an_amount_is_a_number_where_no_digit_is_lost_and_a_text_elsewhere(cost: int, revenue: int) -> None:
    """Both the double and the 15 digits that a spreadsheet shows of it are the amount."""
    document = report((("pro", "2026-09"), statement(cost=cost, revenue=revenue)))
    cells = sheets(document)["Report"].rows[0]
    for name in ("revenue_usd", "token_cost_usd", "gross_profit_usd"):
        amount, cell = document["rows"][0][name], cells[name]
        if cell.number is None:
            assert cell.text == amount
            assert len(amount.lstrip("-0.").replace(".", "")) > 15
        else:
            assert cell.exact == Decimal(repr(float(cell.number))) == Decimal(amount)


def test_every_kind_of_evidence_has_a_sheet() -> None:
    """Versions and ids of digits stay texts; amounts and counts are numbers; what there is none of says so."""
    found = sheets(report((("pro", "2026-09"), statement())))
    assert list(found) == ["Report", "Prices", "Unpriced", "Revenue", "Changes", "About"]
    (price,), (change,) = found["Prices"].rows, found["Changes"].rows
    assert (price["price_version"].text, price["rows"].number, price["token_cost_usd"].number) == ("41", "3", "7")
    assert price["source_url"].text == "https://openai.com/api/pricing"
    assert (change["id"].text, change["delta_usd"].number) == ("007", "-0.28")
    assert (found["Unpriced"].header, found["Unpriced"].rows) == (["none"], [])


def test_evidence_of_another_kind_has_a_sheet_too() -> None:
    """Nothing of a report is left out because nobody has described it yet."""
    found = sheets(report(evidence={"rates": [{"currency": "EUR", "usd": None}]}))
    assert found["Rates"].rows[0]["currency"].text == "EUR"


def test_the_last_sheet_says_what_was_asked_and_what_every_figure_means() -> None:
    """With its unit and formula, so that nobody takes the markup for the margin."""
    sheet = sheets(report((("pro", "2026-09"), statement()), rated_through_revision=2))["About"]
    said = {row["Parameter"].text: (row["Value"].text, row["Meaning"].text) for row in sheet.rows if "Value" in row}
    assert said["tz"] == ("Asia/Kolkata", PARAMETERS["tz"])
    assert said["by"][0] == "plan, month"
    assert said["known_at"] == ("", PARAMETERS["known_at"])
    assert said["rated_through_revision"][0] == "2"
    assert said["unmatched_token_cost_usd"][0] == "1.2"
    assert said["margin"] == tuple(FIGURES["margin"])
    assert said["markup"] == tuple(FIGURES["markup"])
    assert said["coverage"] == ("share of 1", "tokens whose cost is known / all tokens")
    assert "15 digits" in (said["Exactness"][1] or "")


def test_every_figure_and_parameter_has_a_meaning() -> None:
    """Whoever adds a figure to the statement says what it is."""
    assert set(Statement().shape()) <= set(FIGURES)
    assert set(report()) - {"rows", "total", "unmatched", "evidence"} <= set(PARAMETERS)


def test_the_same_report_is_the_same_file() -> None:
    """Whenever it is written; the moment it is of is the one it was created, where the report says one."""
    document = report((("pro", "2026-09"), statement()))
    assert xlsx_bytes(document) == xlsx_bytes(document)
    for as_of, created in (("2026-10-02T12:00:00+02:00", "2026-10-02T10:00:00Z"), (None, "2026-01-01T00:00:00Z")):
        with zipfile.ZipFile(io.BytesIO(xlsx_bytes({**document, "as_of": as_of}))) as archive:
            assert created in archive.read("docProps/core.xml").decode()
            assert {entry.date_time[0] for entry in archive.infolist()} == {1980}


def test_a_report_of_costs_has_no_total_and_no_evidence() -> None:
    """Its sheets are the table and what it means."""
    document = {"title": "costs", "by": ["unit"], "rows": [{"unit": "input_token", "cost_usd": "0.0035"}]}
    found = sheets(document)
    assert list(found) == ["Report", "About"]
    assert [row["cost_usd"].number for row in found["Report"].rows] == ["0.0035"]


def test_an_empty_report_has_its_total_alone() -> None:
    """A month in which nothing happened."""
    (total,) = sheets(report())["Report"].rows
    assert (total["plan"].text, total["revenue_usd"].number) == ("total", "100")


def test_what_a_cell_cannot_hold_is_refused() -> None:
    """Nothing is cut off, and nothing is missing without a word."""
    with pytest.raises(InvalidInput, match="32767"):
        xlsx_bytes(report((("x" * 32_768, "2026-09"), statement())))
