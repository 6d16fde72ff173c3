"""A row of each of Stripe's exports, written by hand, and how rows are read in a test."""

from collections.abc import Iterable, Mapping
from typing import Any

from planner.core.revenue import Item
from planner.ledger.format import Format, Given, Read, Refused, Skipped
from planner.ledger.reading import DocumentFile
from planner.ledger.stripe import Balance, Itemized, Subscriptions
from planner.ledger.stripe_recognition import Recognition

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


def read(form: Format, *rows: Mapping[str, Any], **words: Any) -> list[Read | Refused | Skipped]:
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
