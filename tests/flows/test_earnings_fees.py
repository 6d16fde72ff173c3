"""Payment fees that nobody states are those plans assume, until somebody states them; reports say how much that is."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from planner.core.money import pico_text
from planner.core.revenue import Item, Kind
from planner.flows.margin_report import Question, margin_report
from planner.store import plans
from planner.store.engine import Store
from tests.flows.test_earnings import OCTOBER, item, standing, take
from tests.ledger_books import catch_up

PRO = {
    "id": "pro", "name": "Pro", "price": "20", "currency": "USD", "period": "month", "policy": "x",
    "payment_fee_percent": "3", "payment_fee_fixed_usd": "0.30",
}  # fmt: skip


@pytest.fixture
def selling(store: Store) -> Store:
    """A database with a plan that assumes 3 % and 0.30 a charge."""
    august = datetime(2026, 8, 1, tzinfo=UTC)
    store.tell(lambda connection: plans.write(connection, "pro", PRO, at=august, by="ada"))
    return store


def invoice(**facts: Any) -> Item:
    """Make an invoice to c1 of $100 for September."""
    said = {"source": "billing", "end": OCTOBER, "plan": "pro", "tax": Decimal(0), **facts}
    return item("i", Kind.INVOICE, "100", **said)


def fees(store: Store, *customers: str) -> list[str]:
    """Return the payment fees that stand of some customers, in dollars."""
    return [pico_text(takings.fee) for takings in standing(store, *customers).values()]


def total(store: Store) -> dict[str, Any]:
    """Return September's report without heads."""
    with store.read() as connection:
        return margin_report(connection, Question(by=(), since=date(2026, 9, 1), until=date(2026, 10, 1)))


def test_assumed_fees_are_in_the_margin_and_marked(selling: Store) -> None:
    """3.30 of 100; they are in no source's evidence, but in the plan's."""
    take(selling, invoice())
    document = total(selling)
    names = ("payment_fees_usd", "payment_fees_assumed_usd", "gross_profit_usd", "margin")
    assert [document["total"][name] for name in names] == ["3.3", "3.3", "96.7", "0.9670"]
    assert [(one["basis"], one["source"], one["payment_fees_usd"]) for one in document["evidence"]["revenue"]] == [
        ("invoice", "billing", "0"), ("invoice", "plan", "3.3"),
    ]  # fmt: skip


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("payer", ["c1", None])
def test_stated_fees_take_the_place_of_assumed_ones_whenever_they_come(
    selling: Store, first: int, payer: str | None
) -> None:
    """Also where the history of payments does not say whose they are: they may be this customer's."""
    told = [invoice(), item("p", usd="100", fee=Decimal(2), customer=payer)]
    take(selling, told[first])
    take(selling, told[1 - first])
    catch_up(selling)
    figures = total(selling)["total"]
    assert (figures["payment_fees_usd"], figures["payment_fees_assumed_usd"]) == ("2", "0")


def test_payments_of_guests_are_not_those_of_customers(selling: Store) -> None:
    """The source names those who paid, so that its other payments are of somebody else."""
    take(selling, invoice(), item("guest", fee=Decimal(2), customer=None))
    catch_up(selling)
    assert fees(selling, "c1", "") == ["0", "2"]
    take(selling, item("named", fee=Decimal(1), customer="c2"))
    catch_up(selling)
    assert fees(selling, "c1", "c2", "") == ["3.3", "1", "2"]


@pytest.mark.parametrize("first", [0, 1])
def test_revenue_of_nobody_assumes_no_fees_that_are_stated_of_customers(selling: Store, first: int) -> None:
    """What is recognised by product is what the customers paid."""
    told = [invoice(customer=None, source="stripe"), item("p", usd="100", fee=Decimal(2))]
    take(selling, told[first])
    take(selling, told[1 - first])
    catch_up(selling)
    assert fees(selling, "", "c1") == ["0", "2"]


def test_a_tag_that_is_called_fee_states_none(selling: Store) -> None:
    """It is a label of the source's own."""
    take(selling, invoice(), item("p", customer=None, tags={"fee": "2"}))
    catch_up(selling)
    assert fees(selling, "c1") == ["3.3"]
