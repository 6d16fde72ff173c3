"""Stripe's Revenue Recognition says what of all that was billed is earned in a month, in double entries."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, localcontext
from typing import Any

from planner.core.errors import InvalidInput
from planner.core.event import Role
from planner.core.periods import period_bounds, period_of
from planner.core.revenue import Item, Kind
from planner.ledger import cells
from planner.ledger.format import File, Given, Read, Refused, Row, Skipped
from planner.ledger.stripe_source import source_of
from planner.ledger.tables import columns, table

_COLUMNS = frozenset({"accounting_period", "open_accounting_period", "currency", "debit", "credit", "amount"})
_NAMES = ("customer_id", "price_id", "product_id")
_ENTRIES = "transaction_model_id"
# Accounts of Stripe's own chart, without blanks: of revenue and of what reduces it, and all others.
_REVENUE = frozenset(
    {
        *("revenue", "revenueshare", "refunds", "disputes", "creditnotes", "baddebt", "voids", "unbilledvoids"),
        *("transfer", "discounts", "revenuesharerefund", "externalassetrefunds", "contrarevenue"),
    }
)
_OTHERS = frozenset(
    {
        *("accountsreceivable", "cash", "pendingcash", "unbilledaccountsreceivable", "externalasset"),
        *("customercashbalance", "banktransactions", "stripepaymentsclearing", "stripesettlementclearing"),
        *("stripebalanceavailable", "stripebalancepending", "deferredfees", "customerbalanceadjustments"),
        *("externalcustomerbalanceadjustments", "underpayments", "fees", "networkcost"),
        *("otherstripebalanceadjustments", "recoverables", "exclusion", "overpayments", "gains", "fxloss"),
        *("fxclearing", "unrealizedfxloss", "otherloss", "connecttransferloss", "deferredrevenue"),
        *("longtermdeferredrevenue", "taxliability", "deferredtaxliability", "customerbalance"),
        *("externalcustomerbalance", "customercashadjustment", "passthroughfees", "deferreddiscounts"),
    }
)
_CURRENCY = re.compile("[A-Z]{3}", re.ASCII)
_MONTH_LENGTH = len("2026-09")
_DIGITS = 120


class Recognition:
    """The reports ``revenue_recognition.debit_credit_by_...``: by customer, invoice, line item, price and product.

    What counts are entries on accounts of revenue and of what reduces it, so that refunds, disputes and credit notes
    are in it, and tax is not. All entries of a customer and month are one item, whichever report they stand in: a later
    one takes its place, also of a month whose books are open. The reports by price and by product do not say whose
    revenue it is, so a month is to be imported from one of these or by customer, not both.

    Source: docs.stripe.com/revenue-recognition/api (columns) and /revenue-recognition/chart-of-accounts (accounts). How
    a period is written is not described; a month and its first day are read.
    """

    name = "stripe_recognition"
    title = "Stripe: recognised revenue, as debits and credits"
    role = Role.LEDGER
    mutable = True

    def knows(self, file: File) -> str | None:
        """Tell by the columns every one of these reports has."""
        found = columns(file)
        detailed = not found.isdisjoint((*_NAMES, _ENTRIES))
        return "it has the columns of Stripe's debits and credits" if found >= _COLUMNS and detailed else None

    def read(self, file: File, given: Given) -> Iterator[Read | Refused | Skipped]:
        """Yield what is not revenue as it comes, and after the last entry what each customer's come to in each month.

        Raises:
            InvalidInput: the report was run without the column that says whose revenue it is.
        """
        if columns(file).isdisjoint(_NAMES):
            raise InvalidInput("customer_id", "run the report again with this column: it says whose revenue it is")
        return _read(file, given)


@dataclass(slots=True)
class _Sum:
    place: str
    start: datetime
    end: datetime
    currency: str
    customer: str | None
    amount: Decimal = Decimal(0)
    prices: set[str | None] = field(default_factory=set)


def _read(file: File, given: Given) -> Iterator[Read | Refused | Skipped]:
    sums: dict[str, _Sum] = {}
    for row in table(file):
        if isinstance(row, Refused):
            yield row
            continue
        try:
            sign = _sign(row.values)
            if sign:
                _add(sums, row, sign)
            else:
                yield Skipped(row.place, "debit, credit: no account of revenue, or from one to another")
        except InvalidInput as error:
            yield Refused(row.place, f"{error.field}: {error.problem}")
    for id_, found in sums.items():
        price = next(iter(found.prices)) if len(found.prices) == 1 else None
        item = Item(
            source=source_of(given, Recognition.name),
            id=id_,
            kind=Kind.RECOGNISED,
            amount=found.amount,
            currency=found.currency,
            start=found.start,
            end=found.end,
            customer=found.customer or given.customer,
            plan=given.plan,
            price=price,
            tax=Decimal(0),
            net_of_refunds=True,
        )
        yield Read(found.place, item)


def _add(sums: dict[str, _Sum], row: Row, sign: int) -> None:
    values = row.values
    start, end = _period(values)
    currency = cells.needed(cells.text(values, "currency"), "currency").upper()
    if not _CURRENCY.fullmatch(currency):
        raise InvalidInput("currency", "three letters are needed, such as USD")
    customer, price, product = (cells.text(values, name) for name in _NAMES)
    amount = cells.needed(cells.decimal(values, "amount"), "amount")
    id_ = f"recognised/{period_of(start)}/{currency}/{customer or price or product or '-'}"
    found = sums.setdefault(id_, _Sum(row.place, start, end, currency, customer))
    found.prices.add(price or product)
    # The usual context rounds a sum to 28 digits.
    with localcontext(prec=_DIGITS):
        found.amount += sign * amount


def _sign(values: Mapping[str, Any]) -> int:
    """Return 1 for an entry that adds to the revenue, -1 for one that takes from it, and 0 for any other.

    Raises:
        InvalidInput: an account that is not of Stripe's own chart, which may be one of revenue or not.
    """
    sides = []
    for name in ("debit", "credit"):
        account = "".join(cells.needed(cells.text(values, name), name).lower().replace("-", " ").split())
        if account not in _REVENUE and account not in _OTHERS:
            raise InvalidInput(name, "an account of Stripe's own chart is needed, which says whether it is revenue")
        sides.append(account in _REVENUE)
    return sides[1] - sides[0]


def _period(values: Mapping[str, Any]) -> tuple[datetime, datetime]:
    """Return the bounds of the accounting period, which stands in one column while it is open and then in another."""
    names = ("accounting_period", "open_accounting_period")
    name = next((name for name in names if cells.said(values, name) is not None), names[0])
    text = cells.needed(cells.text(values, name), name)
    if len(text) == _MONTH_LENGTH:
        return period_bounds(text)
    start = cells.needed(cells.moment(values, name, UTC), name)
    bounds = period_bounds(period_of(start))
    if start != bounds[0]:
        raise InvalidInput(name, "the first day of a calendar month is needed")
    return bounds
