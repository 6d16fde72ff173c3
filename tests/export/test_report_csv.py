"""Reports as CSV: figures are numbers for every program, and no name of a customer is run by any."""

import csv
import io
from decimal import Decimal

from hypothesis import example, given
from hypothesis import strategies as st

from planner.core.sheet import guarded, unguarded
from planner.export.report_csv import csv_text
from tests.export.reports import DOLLAR, Document, report, statement

# What a file of UTF-8 can hold, and Python's reader of CSV takes.
names = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


def read(document: Document) -> list[dict[str, str]]:
    """Read the lines of the CSV of a report back."""
    return list(csv.DictReader(io.StringIO(csv_text(document), newline=""), strict=True))


def test_a_report_is_a_header_its_rows_and_its_total() -> None:
    """Lines end as RFC 4180 has it; what nobody knows is empty, and so are the other heads of the total."""
    document = {
        "by": ["plan", "month"],
        "rows": [
            {"plan": "pro", "month": "2026-09", "revenue_usd": "19.72", "margin": "0.5000", "rows": 3},
            {"plan": 'team, "EU"', "month": "2026-09", "revenue_usd": None, "margin": None, "rows": 0},
        ],
        "total": {"revenue_usd": "19.72", "margin": "0.5000", "rows": 3},
    }
    assert csv_text(document) == (
        "plan,month,revenue_usd,margin,rows\r\n"
        "pro,2026-09,19.72,0.5000,3\r\n"
        '"team, ""EU""",2026-09,,,0\r\n'
        "total,,19.72,0.5000,3\r\n"
    )


def test_the_columns_are_the_figures_there_are() -> None:
    """Whatever the statement has, in its order; nothing is listed here again."""
    figures = list(statement().shape())
    assert list(read(report((("pro", "2026-09"), statement())))[0]) == ["plan", "month", *figures]


def test_a_loss_is_a_number_and_a_customer_called_so_is_a_text() -> None:
    """What stands under a head is a name, whatever it looks like."""
    (line, _total) = read(report((("-0.28", "2026-09"), statement(cost=28 * DOLLAR // 100, revenue=0))))
    assert (line["plan"], line["gross_profit_usd"]) == ("'-0.28", "-0.28")


@given(plan=names, month=names)
@example(plan="=1+1", month="\t@x")
@example(plan="'=1", month="-1e5")
@example(plan="\uff1d1", month="\r\n|x")
def test_names_are_read_back_and_none_is_run(plan: str, month: str) -> None:
    """A guarded text is unguarded to what it was; every other cell is a plain decimal."""
    line, total = read(report(((plan, month), statement(cost=30 * DOLLAR))))
    assert (unguarded(line["plan"]), unguarded(line["month"])) == (plan, month)
    for name, cell in (*line.items(), *total.items()):
        if name in ("plan", "month"):
            assert cell == guarded(unguarded(cell))
        else:
            assert not cell or format(Decimal(cell), "f") == cell


@given(cost=st.integers(-(10**30), 10**30), revenue=st.integers(-(10**30), 10**30))
def test_amounts_keep_every_digit(cost: int, revenue: int) -> None:
    """As texts of decimals, in plain notation, however large or small."""
    document = report((("pro", "2026-09"), statement(cost=cost, revenue=revenue)))
    line, _total = read(document)
    for name in ("revenue_usd", "token_cost_usd", "gross_profit_usd"):
        assert line[name] == document["rows"][0][name]


def test_a_nested_figure_is_a_column_and_what_is_owed_elsewhere_a_text() -> None:
    """The reporting currency has columns of its own; currencies without a rate are as many as there are."""
    sums = statement()
    sums.take(sums.takings, tax_unknown=False, unconverted="EUR 46.85")
    sums.take(sums.takings, tax_unknown=False, unconverted="CHF -3")
    document = report((("pro", "2026-09"), sums))
    document["rows"][0]["reporting"] = {"currency": "EUR", "revenue": "17.5", "token_cost": None}
    line, total = read(document)
    assert (line["reporting_currency"], line["reporting_revenue"], line["reporting_token_cost"]) == ("EUR", "17.5", "")
    assert line["unconverted"] == "'-3 CHF, 46.85 EUR"
    assert total["reporting_currency"] == ""


def test_a_margin_that_may_have_tax_in_it_says_so_beside_it() -> None:
    """In a column after the margins; of exact figures it is empty."""
    marked, exact = (statement(tax_unknown=unknown) for unknown in (True, False))
    lines = read(report((("pro", "2026-09"), marked), (("team", "2026-09"), exact)))
    assert [(line["margin"], line["bounds"]) for line in lines[:2]] == [("0.6500", "tax_unknown"), ("0.6500", "")]


def test_headers_are_texts_too() -> None:
    """A figure could be called anything."""
    assert csv_text({"by": [], "rows": [{"=x": 1}]}) == "'=x\r\n1\r\n"


def test_a_report_may_have_no_rows_or_no_total() -> None:
    """A month without usage still says so; a report of costs has nothing that adds up to one line."""
    (total,) = read(report())
    assert (total["plan"], total["month"], total["revenue_usd"]) == ("total", "", "100")
    assert csv_text({"by": ["model"], "rows": []}) == "model\r\n"
    assert csv_text({"by": ["model"], "rows": [{"model": "a/b", "cost_usd": "1"}]}) == "model,cost_usd\r\na/b,1\r\n"


def test_a_report_without_heads_has_its_one_line_twice() -> None:
    """There is no head under which a total could say that it is one."""
    line, total = read(report(((), statement()), by=()))
    assert list(line) == list(total)
