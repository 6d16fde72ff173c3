"""Stripe's balance history and itemized report: each transaction as what it is, and once; and the recorded files."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core.fx import FxRate
from planner.core.money import pico_text
from planner.core.revenue import Item, Kind, merge
from planner.core.revenue_lines import Known, month_lines
from planner.ledger.format import File, Given, Read, Refused, Skipped
from planner.ledger.formats import guess
from planner.ledger.reading import open_file
from planner.ledger.stripe import Balance, Itemized, Subscriptions
from tests.data import shared
from tests.ledger.opened import WRONG
from tests.ledger.samples import csv_text, opened
from tests.ledger.stripe_files import ACTIVITY, CHARGE, FORMATS, items, read, reasons

SEPTEMBER, OCTOBER = datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC)


def charge(**cells: str) -> list[Read | Refused | Skipped]:
    """Read one transaction of the balance history."""
    return read(Balance(), {**CHARGE, **cells})


def activity(**cells: str) -> list[Read | Refused | Skipped]:
    """Read one transaction of the itemized report."""
    return read(Itemized(), {**ACTIVITY, **cells})


@pytest.mark.parametrize("name", FORMATS)
def test_each_export_is_told_by_its_columns(name: str, tmp_path: Path) -> None:
    """With a byte order mark, as the dashboard writes it; none is taken for another."""
    form, row = FORMATS[name]
    found, because = guess(opened(tmp_path, "\ufeff" + csv_text(row)))
    assert found.name == form.name
    assert "Stripe" in because


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
    assert (item.amount, item.currency, item.fee) == (Decimal(3000), "JPY", Decimal(138))


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
