"""Stripe's exports: what went through the balance, what subscriptions are worth, and what was recognised as revenue."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from planner.core.errors import InvalidInput
from planner.core.event import Role
from planner.core.money import exactly
from planner.core.revenue import Item, Kind
from planner.ledger import cells
from planner.ledger.format import File, Format, Given, Read, Refused, Row, Skipped
from planner.ledger.stripe_recognition import Recognition
from planner.ledger.stripe_source import source_of
from planner.ledger.tables import columns, each, label, table, tags

# Types of balance transactions, and the reporting categories that replace them. What a payment that fails later takes
# back was no refund, and a dispute, won or lost, is one.
_KINDS = {
    **dict.fromkeys(("charge", "payment", "validation", "payment_failure_refund", "payment_reversal"), Kind.CASH),
    **dict.fromkeys(("charge_failure", "application_fee", "platform_earning"), Kind.CASH),
    **dict.fromkeys(("refund", "payment_refund", "refund_failure", "partial_capture_reversal"), Kind.REFUND),
    **dict.fromkeys(("dispute", "dispute_reversal", "adjusted_for_overdraft_transaction"), Kind.REFUND),
    **dict.fromkeys(("application_fee_refund", "platform_earning_refund"), Kind.REFUND),
    **dict.fromkeys(("stripe_fee", "stripe_fx_fee", "tax_fee", "fee", "tax", "network_cost"), Kind.FEE),
}
# Money that is moved, lent, held back or given away, and neither earned nor spent on payments.
_MOVED = re.compile(
    r"(?:advance|anticipation_repayment|balance_transfer|climate_|connect_|contribution|issuing_|minimum_balance"
    r"|obligation_|payment_network_reserve|payout|recipient_transfer|reserve|risk_reserved|topup|transfer)\w*",
    re.ASCII,
)
_ADJUSTMENTS = ("adjustment", "other_adjustment")
# Objects an adjustment is about: disputes, and refunds that failed.
_RETURNED = ("dp_", "du_", "re_", "pyr_")

_BALANCE = frozenset({"id", "Type", "Source", "Amount", "Fee", "Net", "Currency", "Created (UTC)"})
_ITEMIZED = frozenset({"balance_transaction_id", "created_utc", "currency", "gross", "fee", "reporting_category"})
_PERIOD_START, _PERIOD_END = "Current Period Start (UTC)", "Current Period End (UTC)"
_SUBSCRIPTIONS = frozenset(
    {"id", "Customer ID", "Plan", "Quantity", "Currency", "Amount", "Status", _PERIOD_START, _PERIOD_END}
)
_METADATA = re.compile(r"(.+) \(metadata\)|\w+_metadata\[(.+)\]")
# Whoever pays is known by an id; names and addresses stay outside.
_PERSONAL = re.compile("name|mail|phone|address|street|postal|zip", re.IGNORECASE)
_OWED = ("active", "past_due", "trialing", "canceled")
_NOT_OWED = ("incomplete", "incomplete_expired", "paused", "unpaid")


class Balance:
    """The balance history as the dashboard exports it: one row for each transaction.

    Charges are payments with their fees, refunds and disputes are refunds, and what Stripe charges for its services are
    fees of the account, of nobody in particular. Payouts and the like move money and are left out, and so is an
    adjustment of which the export does not say what it adjusts. Amounts are in whole units of their currency, also of
    one without cents. Who paid, the export says only where it is among the metadata.

    Source: docs.stripe.com/reports/balance-transaction-types and /reports/reporting-categories.
    """

    name = "stripe_balance"
    title = "Stripe: balance history"
    role = Role.LEDGER
    mutable = False

    def knows(self, file: File) -> str | None:
        """Tell by the columns of the export."""
        return "it has the columns of Stripe's balance history" if columns(file) >= _BALANCE else None

    def read(self, file: File, given: Given) -> Iterator[Read | Refused | Skipped]:
        """Yield every payment, refund and fee."""
        names = ("id", "Type", "Source", "Amount", "Fee", "Currency", "Created (UTC)")
        return each(table(file), lambda row: _transaction(row, given, self.name, *names))


class Itemized:
    """The report ``balance_change_from_activity.itemized.3``: the same transactions as the balance history has.

    They have the same ids, so that a transaction in both counts once; here it is known who paid. The report on payouts,
    ``payout_reconciliation.itemized.5``, has these columns too.

    Source: docs.stripe.com/reports/report-types/balance, /reports/reporting-categories.
    """

    name = "stripe_itemized"
    title = "Stripe: itemized balance change from activity"
    role = Role.LEDGER
    mutable = False

    def knows(self, file: File) -> str | None:
        """Tell by the columns of the report."""
        return "it has the columns of Stripe's itemized balance report" if columns(file) >= _ITEMIZED else None

    def read(self, file: File, given: Given) -> Iterator[Read | Refused | Skipped]:
        """Yield every payment, refund and fee."""
        names = ("balance_transaction_id", "reporting_category", "source_id", "gross", "fee", "currency", "created_utc")
        return each(table(file), lambda row: _transaction(row, given, self.name, *names))


class Subscriptions:
    """The export of subscriptions, each with its current period: what is owed for it, earned evenly over it.

    The amount is that of one unit, before any discount. The period is part of the id, so that next month's export adds
    the next period, and a later one of the same period takes its place. A trial is worth 0. One that was canceled is
    earned until it ended: a part that is given back is a refund. Nothing is owed for a period whose payment failed for
    good, nor for one that never began or is paused.

    Source: imports.md; states as in docs.stripe.com/billing/subscriptions/overview.
    """

    name = "stripe_subscriptions"
    title = "Stripe: subscriptions, each with its current period"
    role = Role.LEDGER
    mutable = True

    def knows(self, file: File) -> str | None:
        """Tell by the columns of the export."""
        return "it has the columns of Stripe's subscriptions" if columns(file) >= _SUBSCRIPTIONS else None

    def read(self, file: File, given: Given) -> Iterator[Read | Refused | Skipped]:
        """Yield the current period of every subscription; what stands there twice is refused the second time."""
        seen: set[str] = set()
        return each(table(file), lambda row: _subscription(row, given, seen))


FORMATS: tuple[Format, ...] = (Balance(), Itemized(), Subscriptions(), Recognition())


def _transaction(
    row: Row, given: Given, form: str, id_: str, type_: str, about: str, amount: str, fee: str, currency: str, at: str
) -> Item | Skipped:
    """Read a balance transaction; the arguments after the format are its columns in this kind of file."""
    values = row.values
    name = cells.needed(cells.text(values, type_), type_)
    kind = _KINDS.get(name)
    if name in _ADJUSTMENTS:
        if not (cells.text(values, about) or "").startswith(_RETURNED):
            return Skipped(row.place, f"{type_}: an adjustment of which nobody says what it adjusts")
        kind = Kind.REFUND
    elif _MOVED.fullmatch(name):
        return Skipped(row.place, f"{type_}: it moves money, and nothing is earned or spent by it")
    if kind is None:
        raise InvalidInput(type_, "not a kind of transaction that is known here")
    whole = cells.needed(cells.decimal(values, amount), amount)
    labels = _labels(values)
    return Item(
        source=source_of(given, form),
        id=cells.needed(cells.text(values, id_), id_),
        kind=kind,
        amount=whole if kind is Kind.CASH else -whole,
        currency=cells.needed(cells.text(values, currency), currency).upper(),
        start=_moment(values, at),
        customer=_customer(values, "customer_id", labels, given),
        plan=label(labels, "plan", "tier") or given.plan,
        fee=cells.decimal(values, fee),
        tags=_tags(labels),
    )


def _subscription(row: Row, given: Given, seen: set[str]) -> Item | Skipped:
    values = row.values
    status = cells.text(values, "Status")
    if status in _NOT_OWED:
        return Skipped(row.place, "Status: nothing is owed for this period")
    if status not in _OWED:
        raise InvalidInput("Status", f"one of {', '.join((*_OWED, *_NOT_OWED))} is needed")
    start, end = _moment(values, _PERIOD_START), _moment(values, _PERIOD_END)
    if status == "canceled":
        end = min(end, cells.moment(values, "Ended At (UTC)", UTC) or end)
        if values.get("Cancellation Reason") == "payment_failed" or end <= start:
            return Skipped(row.place, "Status: canceled, and nothing was paid for this period")
    trial_end = cells.moment(values, "Trial End (UTC)", UTC)
    id_ = f"{cells.needed(cells.text(values, 'id'), 'id')}/{start.isoformat().replace('+00:00', 'Z')}"
    if id_ in seen:
        raise InvalidInput("id", "this subscription stands in the file twice")
    each_ = cells.needed(cells.cost(values, "Amount"), "Amount")
    quantity = cells.count(values, "Quantity")
    labels = _labels(values)
    item = Item(
        source=source_of(given, Subscriptions.name),
        id=id_,
        kind=Kind.SUBSCRIPTION,
        amount=exactly(each_, Decimal(1 if quantity is None else quantity)),
        currency=cells.needed(cells.text(values, "Currency"), "Currency").upper(),
        start=start,
        end=end,
        customer=_customer(values, "Customer ID", labels, given),
        plan=label(labels, "plan", "tier") or given.plan,
        price=cells.text(values, "Plan"),
        trial=status == "trialing" or (trial_end is not None and trial_end >= end),
        tags=_tags(labels),
    )
    seen.add(id_)
    return item


def _moment(values: Mapping[str, Any], name: str) -> datetime:
    return cells.needed(cells.moment(values, name, UTC), name)


def _customer(values: Mapping[str, Any], name: str, labels: Mapping[str, str], given: Given) -> str | None:
    """Return who paid: as Stripe knows it, else as the metadata do."""
    return cells.text(values, name) or label(labels, "customer", "customer_id", "user_id") or given.customer


def _labels(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the metadata a row carries in columns of their own."""
    found = ((_METADATA.fullmatch(name), value) for name, value in values.items() if isinstance(value, str))
    return {match[1] or match[2]: value for match, value in found if match is not None and value}


def _tags(labels: Mapping[str, str]) -> dict[str, str]:
    return tags({key: value for key, value in labels.items() if "@" not in value and not _PERSONAL.search(key)})
