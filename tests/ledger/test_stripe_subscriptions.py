"""Stripe's subscriptions: what is owed for the current period of each, and when nothing is."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from planner.core.revenue import Item, Kind
from planner.ledger.format import Read, Refused, Skipped
from planner.ledger.stripe import Subscriptions
from tests.ledger.stripe_files import SUBSCRIPTION, items, read, reasons

_START, _END = "Current Period Start (UTC)", "Current Period End (UTC)"


def subscription(**cells: str) -> list[Read | Refused | Skipped]:
    """Read one subscription."""
    return read(Subscriptions(), {**SUBSCRIPTION, **cells})


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
