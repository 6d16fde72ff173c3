"""Stripe's recognised revenue: what the entries of a customer and month come to, whichever report they stand in."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from itertools import product

import pytest

from planner.core.errors import InvalidInput
from planner.core.revenue import Item, Kind
from planner.ledger.format import Given, Read, Refused, Skipped
from planner.ledger.reading import DocumentFile
from planner.ledger.stripe_recognition import Recognition
from tests.ledger.stripe_files import ENTRY, items, read, reasons, table

SEPTEMBER, OCTOBER = datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC)


def entries(*rows: Mapping[str, str], **words: str) -> list[Read | Refused | Skipped]:
    """Read entries of the recognised revenue, each like the first one but for what is said of it."""
    return read(Recognition(), *({**ENTRY, **row} for row in rows), **words)


def test_what_is_recognised_is_what_the_accounts_of_revenue_come_to() -> None:
    """30 earned, 5 given back, 2 in credit notes, 1 corrected: 22 in September, with no tax in it."""
    found = entries(
        {},
        {"debit": "AccountsReceivable", "credit": "DeferredRevenue", "amount": "360"},
        {"debit": "Refunds", "credit": "Cash", "amount": "5"},
        {"debit": "Credit notes", "credit": "CustomerBalance", "amount": "2.00"},
        {"debit": "Revenue", "credit": "UnbilledAccountsReceivable", "amount": "1"},
        {"debit": "Voids", "credit": "BadDebt", "amount": "9"},
        {"debit": "AccountsReceivable", "credit": "TaxLiability", "amount": "68"},
    )
    (item,) = items(found)
    assert item == Item(
        source="stripe", id="recognised/2026-09/USD/cus_9", kind=Kind.RECOGNISED, amount=Decimal(22), currency="USD",
        start=SEPTEMBER, end=OCTOBER, customer="cus_9", tax=Decimal(0),
        net_of_refunds=True,
    )  # fmt: skip
    assert reasons(found) == [("Skipped", "debit, credit")] * 3


def test_every_report_that_names_the_customer_gives_the_same_item() -> None:
    """So that a month imported from two of them counts once; a later one takes the place of the first."""
    by_line = [
        {"transaction_model_id": f"il_{number}", "invoice_id": "in_1", "price_id": "price_team", "amount": "15"}
        for number in range(2)
    ]
    (coarse,), (fine,) = items(entries({})), items(entries(*by_line))
    assert (coarse.id, coarse.amount) == (fine.id, fine.amount)
    assert (coarse.price, fine.price) == (None, "price_team")
    (mixed,) = items(entries(by_line[0], {**by_line[1], "price_id": "price_other"}))
    assert mixed.price is None
    assert Recognition().mutable


def test_customers_months_and_currencies_are_items_of_their_own() -> None:
    """Each in the place of its first entry."""
    rows = [
        {"customer_id": customer, "accounting_period": month, "currency": currency}
        for customer, month, currency in product(("cus_1", "cus_2"), ("2026-08", "2026-09"), ("usd", "eur"))
    ]
    found = entries(*rows, *rows)
    assert {item.amount for item in items(found)} == {Decimal(60)}
    assert [row.place for row in found] == [f"[{number}]" for number in range(8)]


@pytest.mark.parametrize(("column", "name"), [("price_id", "price_team"), ("product_id", "prod_team")])
def test_the_reports_by_price_and_by_product_name_nobody(column: str, name: str) -> None:
    """What was bought is known, and so is the plan it means; for what no price is stated, nothing is."""
    rows = [{key: cell for key, cell in ENTRY.items() if key != "customer_id"} | {column: said} for said in (name, "")]
    found = items(read(Recognition(), *rows))
    assert [(item.id, item.customer, item.price) for item in found] == [
        (f"recognised/2026-09/USD/{name}", None, name), ("recognised/2026-09/USD/-", None, None),
    ]  # fmt: skip
    (said,) = items(read(Recognition(), rows[0], customer="acme", plan="team"))
    assert (said.customer, said.plan) == ("acme", "team")


def test_entries_that_do_not_say_whose_they_are_are_refused_as_a_whole() -> None:
    """The report by invoice names the customer only where it is asked to."""
    row = {**ENTRY, "transaction_model_id": "il_1"}
    del row["customer_id"]
    assert Recognition().knows(table(row)) is not None
    with pytest.raises(InvalidInput) as refused:
        read(Recognition(), row)
    assert refused.value.field == "customer_id"
    del row["transaction_model_id"]
    assert Recognition().knows(table(row)) is None


@pytest.mark.parametrize("written", ["2026-09", "2026-09-01", "2026-09-01 00:00:00", "2026-09-01T00:00:00Z"])
@pytest.mark.parametrize("open_", [False, True])
def test_an_open_period_is_a_period(written: str, open_: bool) -> None:
    """It stands in a column of its own until the books are closed, and is the same item then."""
    cells = {"accounting_period": "" if open_ else written, "open_accounting_period": written if open_ else ""}
    (item,) = items(entries(cells))
    assert (item.id, item.start, item.end) == ("recognised/2026-09/USD/cus_9", SEPTEMBER, OCTOBER)


@pytest.mark.parametrize(
    ("cells", "field"),
    [
        ({"accounting_period": ""}, "accounting_period"),
        ({"accounting_period": "2026-13"}, "period"),
        ({"accounting_period": "2026-09-02"}, "accounting_period"),
        ({"accounting_period": "", "open_accounting_period": "Sep 2026"}, "open_accounting_period"),
        ({"currency": "dollar"}, "currency"),
        ({"amount": ""}, "amount"),
        ({"debit": ""}, "debit"),
        ({"credit": "Sales of our own"}, "credit"),
    ],
)
def test_an_entry_that_cannot_be_read_is_refused_and_the_others_count(cells: dict[str, str], field: str) -> None:
    """A company's own account may be one of revenue or not, and a period of four weeks is no month."""
    found = entries(cells, {})
    assert reasons(found) == [("Refused", field)]
    assert [row.said.amount for row in found if isinstance(row, Read) and isinstance(row.said, Item)] == [30]


def test_a_file_that_is_broken_in_the_middle_gives_the_rest() -> None:
    """A row that is no row is refused by its place."""
    file = DocumentFile("rows.json", tuple(ENTRY), [dict(ENTRY), 7])
    found = list(Recognition().read(file, Given(source="s")))
    assert [(type(row).__name__, row.place) for row in found] == [("Refused", "[1]"), ("Read", "[0]")]
