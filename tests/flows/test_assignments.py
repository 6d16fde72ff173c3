"""The plans customers are on: how far they reach, and that none of them keeps anything else from being booked."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from planner.core.errors import InvalidInput
from planner.flows import joining
from planner.flows.margin_report import statement_digest
from planner.flows.second import By
from planner.store import customers, plans, revenue, work
from planner.store.customers import Assignment
from planner.store.engine import Store
from tests.ledger_books import DAY, NOON, SEPTEMBER, catch_up

BY = By(actor="ada", at=NOON, reason="signed")
PRO = {"id": "pro", "name": "Pro", "price": "20", "currency": "USD", "period": "month", "policy": "x"}


@pytest.fixture
def customer(store: Store) -> Store:
    """A database with a plan of $20 a month, and a customer."""

    def story(connection: Any) -> None:
        plans.write(connection, "pro", PRO, at=datetime(2026, 8, 1, tzinfo=UTC), by="ada")
        joining.put(connection, "c1", "Acme", (), BY)

    store.tell(story)
    catch_up(store)
    return store


def months(store: Store) -> dict[str, Decimal]:
    """Return what stands of the customer, by month, in dollars."""
    with store.read() as connection:
        lines = revenue.standing(connection, ["c1"]).values()
    return {line.month: Decimal(line.takings.revenue) / 10**12 for line in lines}


@pytest.mark.parametrize(
    ("since", "until", "field"),
    [
        (datetime(1969, 1, 1, tzinfo=UTC), None, "valid_from"),
        (datetime(2100, 1, 2, tzinfo=UTC), None, "valid_from"),
        (SEPTEMBER, datetime(9999, 12, 31, tzinfo=UTC), "valid_to"),
    ],
)
def test_a_plan_since_ever_or_for_ever_is_refused(
    customer: Store, since: datetime, until: datetime | None, field: str
) -> None:
    """The refusal names the field and the moments there are."""
    with pytest.raises(InvalidInput, match=f"field={field}, problem=a moment from 2000-01-01 to 2100-01-01 is needed"):
        customer.tell(lambda connection: joining.assign(connection, "c1", Assignment("pro", since, until), BY))


def test_a_plan_for_a_hundred_years_counts_up_to_the_present_month(customer: Store) -> None:
    """Nobody has paid for what is still to come, whether an end was said or not."""
    said = Assignment("pro", SEPTEMBER, datetime(2100, 1, 1, tzinfo=UTC))
    customer.tell(lambda connection: joining.assign(connection, "c1", said, BY))
    catch_up(customer)
    assert months(customer) == {"2026-09": 20, "2026-10": 20, "2026-11": 20}


@pytest.mark.parametrize(
    "said",
    [
        Assignment("pro", SEPTEMBER, datetime(9999, 12, 31, tzinfo=UTC)),
        Assignment("pro", datetime(1969, 1, 1, tzinfo=UTC), SEPTEMBER + DAY),
    ],
)
def test_a_plan_on_record_for_ever_keeps_nothing_from_being_booked(customer: Store, said: Assignment) -> None:
    """It may have come before such a thing was refused: its months are booked as far as there are any."""

    def story(connection: Any) -> None:
        customers.assign(connection, "c1", said, NOON, "ada")
        work.add(connection, "revenue", {"everybody": True}, NOON)

    customer.tell(story)
    assert catch_up(customer).waiting == 0
    assert months(customer)["2026-09"] > 0
    with customer.read() as connection:
        assert statement_digest(connection, "2026-09")
