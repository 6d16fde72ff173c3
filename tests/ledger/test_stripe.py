"""Stripe's exports: what the balance, the subscriptions and the recognised revenue say, and that they say it once."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core.errors import InvalidInput
from planner.core.fx import FxRate
from planner.core.money import pico_text
from planner.core.revenue import Item, Kind, merge
from planner.core.revenue_lines import Known, month_lines
from planner.ledger.format import File, Format, Given, Read, Refused, Skipped
from planner.ledger.formats import guess
from planner.ledger.reading import DocumentFile, open_file
from planner.ledger.stripe import Balance, Itemized, Subscriptions
from planner.ledger.stripe_recognition import Recognition
from tests.data import shared
from tests.ledger.opened import WRONG
from tests.ledger.samples import csv_text, opened

SEPTEMBER, OCTOBER = datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC)
CHARGE = {
    "id": "txn_9",
    "Type": "charge",
    "Source": "ch_9",
    "Amount": "20.00",
    "Fee": "0.88",
    "Net": "19.12",
    "Currency": "usd",
    "Created (UTC)": "2026-09-03 10:00",
    "Available On (UTC)": "2026-09-05 00:00",
    "Description": "Subscription of a person with a name",
    "Customer Facing Amount": "20.00",
    "Customer Facing Currency": "usd",
    "Transfer": "po_9",
    "plan (metadata)": "team",
    "seat (metadata)": "7",
    "contact_email (metadata)": "somebody",
    "owner (metadata)": "a@example.com",
}
ACTIVITY = {
    "balance_transaction_id": "txn_9",
    "created_utc": "2026-09-03 10:00:37",
    "created": "2026-09-03 03:00:37",
    "currency": "usd",
    "gross": "20.00",
    "fee": "0.88",
    "net": "19.12",
    "reporting_category": "charge",
    "source_id": "ch_9",
    "description": "Subscription of a person with a name",
    "customer_id": "cus_9",
    "payment_metadata[tier]": "team",
    "payment_metadata[seat]": "7",
}
SUBSCRIPTION = {
    "id": "sub_9",
    "Customer ID": "cus_9",
    "Customer Name": "A person",
    "Customer Email": "a@example.com",
    "Plan": "price_team",
    "Quantity": "2",
    "Currency": "eur",
    "Interval": "month",
    "Amount": "10.50",
    "Status": "active",
    "Cancellation Reason": "",
    "Created (UTC)": "2026-07-03 10:00",
    "Start Date (UTC)": "2026-07-03 10:00",
    "Current Period Start (UTC)": "2026-09-03 10:00",
    "Current Period End (UTC)": "2026-10-03 10:00",
    "Trial Start (UTC)": "",
    "Trial End (UTC)": "",
    "Canceled At (UTC)": "",
    "Ended At (UTC)": "",
    "tier (metadata)": "team",
}
ENTRY = {
    "accounting_period": "2026-09",
    "open_accounting_period": "",
    "currency": "usd",
    "customer_id": "cus_9",
    "debit": "DeferredRevenue",
    "credit": "Revenue",
    "amount": "30.00",
}
FORMATS: dict[str, tuple[Format, dict[str, str]]] = {
    "balance": (Balance(), CHARGE),
    "itemized": (Itemized(), ACTIVITY),
    "subscriptions": (Subscriptions(), SUBSCRIPTION),
    "recognition": (Recognition(), ENTRY),
}


def table(*rows: Mapping[str, Any]) -> DocumentFile:
    """Open rows as a table in memory."""
    return DocumentFile("rows.json", tuple(rows[0]), [dict(row) for row in rows])


def read(form: Format, *rows: Mapping[str, Any], **words: str) -> list[Read | Refused | Skipped]:
    """Read rows; without a source the file is of the format's own, as an import has it."""
    return list(form.read(table(*rows), Given(**{"source": form.name, **words})))


def items(found: Iterable[Read | Refused | Skipped]) -> list[Item]:
    """Return what was read, where nothing was refused."""
    kept = list(found)
    assert not [row for row in kept if isinstance(row, Refused)]
    return [row.said for row in kept if isinstance(row, Read) and isinstance(row.said, Item)]


def reasons(found: Iterable[Read | Refused | Skipped]) -> list[tuple[str, str]]:
    """Return what was not read: whether it was refused or skipped, and the field this is for."""
    return [(type(row).__name__, row.reason.partition(":")[0]) for row in found if isinstance(row, Refused | Skipped)]


def charge(**cells: str) -> list[Read | Refused | Skipped]:
    """Read one transaction of the balance history."""
    return read(Balance(), {**CHARGE, **cells})


def activity(**cells: str) -> list[Read | Refused | Skipped]:
    """Read one transaction of the itemized report."""
    return read(Itemized(), {**ACTIVITY, **cells})


def subscription(**cells: str) -> list[Read | Refused | Skipped]:
    """Read one subscription."""
    return read(Subscriptions(), {**SUBSCRIPTION, **cells})


def entries(*rows: Mapping[str, str], **words: str) -> list[Read | Refused | Skipped]:
    """Read entries of the recognised revenue, each like the first one but for what is said of it."""
    return read(Recognition(), *({**ENTRY, **row} for row in rows), **words)


@pytest.mark.parametrize("name", FORMATS)
def test_each_export_is_told_by_its_columns(name: str, tmp_path: Path) -> None:
    """With a byte order mark, as the dashboard writes it; none is taken for another."""
    form, row = FORMATS[name]
    found, because = guess(opened(tmp_path, "\ufeff" + csv_text(row)))
    assert found.name == form.name
    assert "Stripe" in because


# --- the balance ------------------------------------------------------------------------------------------


def test_a_charge_is_a_payment_with_its_fee() -> None:
    """Its plan is among the metadata; who it was, and how to reach them, stays outside."""
    (item,) = items(charge())
    assert item == Item(
        source="stripe", id="txn_9", kind=Kind.CASH, amount=Decimal("20.00"), currency="USD",
        start=datetime(2026, 9, 3, 10, tzinfo=UTC), plan="team", fee=Decimal("0.88"),
        tags={"plan": "team", "seat": "7"},
    )  # fmt: skip


def test_an_amount_without_cents_is_in_whole_units() -> None:
    """3000 are 3,000 yen and no 30."""
    (item,) = items(charge(Amount="3000", Fee="138", Currency="jpy"))
    assert (item.amount, item.currency, item.fee) == (3000, "JPY", 138)


@pytest.mark.parametrize(
    ("cells", "kind", "amount"),
    [
        ({"Type": "payment"}, Kind.CASH, "20"),
        ({"Type": "refund", "Amount": "-20.00"}, Kind.REFUND, "20"),
        ({"Type": "payment_refund", "Amount": "-20.00"}, Kind.REFUND, "20"),
        ({"Type": "refund_failure"}, Kind.REFUND, "-20"),
        ({"Type": "payment_failure_refund", "Amount": "-20.00"}, Kind.CASH, "-20"),
        ({"Type": "payment_reversal", "Amount": "-20.00"}, Kind.CASH, "-20"),
        ({"Type": "stripe_fee", "Amount": "-2.00", "Source": ""}, Kind.FEE, "2"),
        ({"Type": "tax_fee", "Amount": "-2.00"}, Kind.FEE, "2"),
        ({"Type": "adjustment", "Amount": "-20.00", "Source": "du_1"}, Kind.REFUND, "20"),
        ({"Type": "adjustment", "Source": "dp_1"}, Kind.REFUND, "-20"),
        ({"Type": "adjustment", "Source": "re_1"}, Kind.REFUND, "-20"),
        ({"Type": "application_fee"}, Kind.CASH, "20"),
        ({"Type": "application_fee_refund", "Amount": "-20.00"}, Kind.REFUND, "20"),
    ],
)
def test_what_a_type_of_transaction_is(cells: dict[str, str], kind: Kind, amount: str) -> None:
    """A dispute is a refund and one that was won takes it back; a payment that failed was none."""
    (item,) = items(charge(**cells))
    assert (item.kind, item.amount) == (kind, Decimal(amount))


@pytest.mark.parametrize(
    ("category", "kind", "amount"),
    [
        ("refund", Kind.REFUND, "20"),
        ("partial_capture_reversal", Kind.REFUND, "20"),
        ("dispute", Kind.REFUND, "20"),
        ("charge_failure", Kind.CASH, "-20"),
        ("fee", Kind.FEE, "20"),
        ("tax", Kind.FEE, "20"),
        ("network_cost", Kind.FEE, "20"),
    ],
)
def test_what_a_reporting_category_is(category: str, kind: Kind, amount: str) -> None:
    """The same as the types they stand for, so that both reports agree on a transaction."""
    (item,) = items(activity(reporting_category=category, gross="-20.00"))
    assert (item.kind, item.amount) == (kind, Decimal(amount))


@pytest.mark.parametrize(
    "name",
    [
        "payout", "payout_cancel", "payout_failure", "payout_minimum_balance_hold", "transfer", "transfer_refund",
        "recipient_transfer", "topup", "topup_reversal", "reserved_funds", "reserve_transaction", "risk_reserved_funds",
        "connect_reserved_funds", "connect_collection_transfer", "payment_network_reserve_hold", "advance_funding",
        "climate_order_purchase", "contribution", "issuing_transaction", "obligation_outbound", "adjustment",
        "other_adjustment", "balance_transfer_outbound", "anticipation_repayment",
    ],
)  # fmt: skip
def test_money_that_is_only_moved_is_left_out(name: str) -> None:
    """Nothing is earned by a payout, and an adjustment of nothing that is named may be anything."""
    assert reasons(charge(Type=name)) == [("Skipped", "Type")]
    assert reasons(activity(reporting_category=name)) == [("Skipped", "reporting_category")]


@pytest.mark.parametrize(
    ("cells", "field"),
    [
        ({"Type": "unheard_of"}, "Type"),
        ({"Type": ""}, "Type"),
        ({"id": ""}, "id"),
        ({"Amount": ""}, "Amount"),
        ({"Amount": "20,00"}, "Amount"),
        ({"Fee": "x"}, "Fee"),
        ({"Currency": ""}, "Currency"),
        ({"Currency": "dollar"}, "currency"),
        ({"Created (UTC)": "yesterday"}, "Created (UTC)"),
    ],
)
def test_a_transaction_that_cannot_be_read_is_refused_by_its_field(cells: dict[str, str], field: str) -> None:
    """A type nobody has heard of may be revenue, and is not left out in silence."""
    assert reasons(charge(**cells)) == [("Refused", field)]


def test_a_fee_that_was_given_back_is_negative() -> None:
    """In old accounts a refund returned the fee of its charge."""
    (item,) = items(charge(Type="refund", Amount="-249.00", Fee="-7.52"))
    assert (item.amount, item.fee) == (Decimal(249), Decimal("-7.52"))


def test_both_reports_tell_of_one_transaction() -> None:
    """The ids meet in one source, and the itemized report adds who paid and the second, and no money."""
    (old,), (new,) = items(charge()), items(activity())
    assert (old.source, old.id) == (new.source, new.id) == ("stripe", "txn_9")
    merged = merge(old, new)
    assert merged is not None
    assert (merged.amount, merged.fee, merged.customer, merged.plan) == (old.amount, old.fee, "cus_9", "team")
    assert merged.start == datetime(2026, 9, 3, 10, 0, 37, tzinfo=UTC)
    assert merge(merged, old) == merge(merged, new) == merged


def test_a_source_that_a_person_names_is_kept() -> None:
    """Two accounts of Stripe are two sources."""
    for form, row in FORMATS.values():
        assert [item.source for item in items(read(form, row, source="stripe-eu"))] == ["stripe-eu"]


def test_who_paid_and_for_what_is_also_known_by_metadata_or_said_with_the_file() -> None:
    """Stripe's own id goes before the metadata, and these before what is said of every row."""
    plain = {name: cell for name, cell in CHARGE.items() if not name.endswith("(metadata)")}
    (said,) = items(read(Balance(), plain, customer="acme", plan="free"))
    assert (said.customer, said.plan) == ("acme", "free")
    (labelled,) = items(read(Balance(), {**CHARGE, "customer_id (metadata)": "u-1"}, customer="acme", plan="free"))
    assert (labelled.customer, labelled.plan) == ("u-1", "team")
    (known,) = items(read(Itemized(), {**ACTIVITY, "payment_metadata[user_id]": "u-1"}, customer="acme"))
    assert (known.customer, known.plan) == ("cus_9", "team")


# --- subscriptions ----------------------------------------------------------------------------------------


def test_a_subscription_is_worth_its_units_over_its_current_period() -> None:
    """2 units of EUR 10.50; names and addresses stay outside."""
    (item,) = items(subscription())
    assert item == Item(
        source="stripe", id="sub_9/2026-09-03T10:00:00Z", kind=Kind.SUBSCRIPTION, amount=Decimal(21), currency="EUR",
        start=datetime(2026, 9, 3, 10, tzinfo=UTC), end=datetime(2026, 10, 3, 10, tzinfo=UTC), customer="cus_9",
        plan="team", price="price_team", tags={"tier": "team"},
    )  # fmt: skip
    assert items(subscription(Quantity=""))[0].amount == Decimal("10.50")


def test_the_next_period_is_another_item() -> None:
    """So that every month's export adds one, and a later export of the same period takes the place of the first."""
    following = {_START: "2026-10-03 10:00", _END: "2026-11-03 10:00"}
    assert items(subscription(**following))[0].id == "sub_9/2026-10-03T10:00:00Z"
    assert items(subscription(Quantity="3"))[0].id == items(subscription())[0].id
    assert Subscriptions().mutable


_START, _END = "Current Period Start (UTC)", "Current Period End (UTC)"


@pytest.mark.parametrize(
    ("cells", "trial"),
    [
        ({"Status": "trialing"}, True),
        ({"Status": "canceled", "Trial End (UTC)": "2026-10-03 10:00", "Ended At (UTC)": "2026-09-09 10:00"}, True),
        ({"Trial End (UTC)": "2026-09-03 10:00"}, False),
        ({"Status": "past_due"}, False),
    ],
)
def test_a_period_within_a_trial_is_one(cells: dict[str, str], trial: bool) -> None:
    """Also where it was canceled before the trial was over; after it a period is paid."""
    assert [item.trial for item in items(subscription(**cells))] == [trial]


def test_one_that_was_canceled_is_earned_until_it_ended() -> None:
    """All of its amount: what of it is given back is a refund of its own."""
    canceled = {"Status": "canceled", "Canceled At (UTC)": "2026-09-05 10:00"}
    (item,) = items(subscription(**canceled, **{"Ended At (UTC)": "2026-09-13 10:00"}))
    assert (item.amount, item.end) == (Decimal(21), datetime(2026, 9, 13, 10, tzinfo=UTC))
    assert items(subscription(**canceled))[0].end == datetime(2026, 10, 3, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "cells",
    [
        {"Status": "incomplete"},
        {"Status": "incomplete_expired"},
        {"Status": "paused"},
        {"Status": "unpaid"},
        {"Status": "canceled", "Cancellation Reason": "payment_failed"},
        {"Status": "canceled", "Ended At (UTC)": "2026-09-03 10:00"},
    ],
)
def test_nothing_is_owed_for_what_was_never_paid_for(cells: dict[str, str]) -> None:
    """It is left out, and the file says why."""
    assert reasons(subscription(**cells)) == [("Skipped", "Status")]


@pytest.mark.parametrize(
    ("cells", "field"),
    [
        ({"Status": "new"}, "Status"),
        ({"Status": ""}, "Status"),
        ({"id": ""}, "id"),
        ({"Amount": ""}, "Amount"),
        ({"Amount": "-1"}, "Amount"),
        ({"Quantity": "1.5"}, "Quantity"),
        ({"Currency": "euro"}, "currency"),
        ({_START: ""}, _START),
        ({_END: "2026-09-03 10:00"}, "end"),
    ],
)
def test_a_subscription_that_cannot_be_read_is_refused_by_its_field(cells: dict[str, str], field: str) -> None:
    """A status nobody has heard of may mean that something is owed, or that nothing is."""
    assert reasons(subscription(**cells)) == [("Refused", field)]


def test_a_subscription_that_stands_there_twice_is_refused_the_second_time() -> None:
    """One would take the place of the other, and nobody knows which; a row that was refused does not stand there."""
    found = read(Subscriptions(), {**SUBSCRIPTION, "Currency": "euro"}, SUBSCRIPTION, SUBSCRIPTION)
    assert [type(row).__name__ for row in found] == ["Refused", "Read", "Refused"]


# --- recognised revenue -----------------------------------------------------------------------------------


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


# --- whatever is sent, and what was recorded --------------------------------------------------------------


@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data())
def test_a_broken_row_raises_nothing(name: str, data: st.DataObject) -> None:
    """One cell is another one, and the row beside it is read."""
    form, row = FORMATS[name]
    cell = data.draw(st.sampled_from(sorted(row)))
    found = read(form, row, {**row, cell: data.draw(WRONG)})
    assert any(isinstance(one, Read) for one in found)


def recorded(name: str) -> File:
    """Open a recorded export."""
    return open_file(shared("usage", "stripe", f"{name}.csv"))


def test_the_recorded_balance_and_what_the_itemized_report_adds() -> None:
    """Charges of $41.45, refunds of $20, fees of $3.80, and 3,000 yen with 138: from both files as from one."""
    account: dict[str, Item] = {}
    sums: list[dict[tuple[str, str], Decimal]] = []
    for name in ("balance_history", "balance_change_from_activity_itemized_3"):
        file = recorded(name)
        form, _because = guess(file)
        for item in items(form.read(file, Given(source=form.name))):
            merged = merge(account.get(item.id, item), item)
            assert merged is not None
            account[item.id] = merged
        total: dict[tuple[str, str], Decimal] = {}
        for item in account.values():
            for what, amount in ((item.kind.value, item.amount), ("fee", item.fee or Decimal(0))):
                total[what, item.currency] = total.get((what, item.currency), Decimal(0)) + amount
        sums.append({key: amount for key, amount in total.items() if amount})
    assert sums[0] == sums[1] == {
        ("cash", "USD"): Decimal("41.45"), ("refund", "USD"): Decimal(20), ("fee", "USD"): Decimal("3.80"),
        ("cash", "JPY"): Decimal(3000), ("fee", "JPY"): Decimal(138),
    }  # fmt: skip
    assert {id_: item.customer for id_, item in account.items() if item.customer} == {
        "txn_1": "cus_1",
        "txn_3": "cus_1",
    }


def test_the_recorded_subscriptions_in_september() -> None:
    """$19.72, EUR 46.85 of 3 x 190 a year, and a trial."""
    file = recorded("subscriptions")
    euro = Known(fx=[FxRate("EUR", date(2026, 1, 1), Decimal(1))])
    found = [
        line
        for item in items(Subscriptions().read(file, Given(source="stripe")))
        for line in month_lines(item.customer or "", [item], SEPTEMBER, OCTOBER, euro)
    ]
    assert [(line.customer, line.plan, pico_text(line.takings.revenue)) for line in found] == [
        ("cus_1", "pro", "19.722222222222"), ("cus_2", "pro", "46.849315068493"), ("cus_3", "pro", "0"),
    ]  # fmt: skip
