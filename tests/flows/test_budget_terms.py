"""What a budget says and from when on: set, followed by another one, ended; and what is no budget."""

from datetime import UTC, datetime
from typing import Any

import pytest

from planner.core.errors import InvalidInput, NotFound
from planner.flows import budget
from planner.flows.second import By
from planner.store import audit, plans
from planner.store.audit import Wanted
from planner.store.engine import Store
from tests.flows.test_budget import FIRST, OCTOBER, check, items, say, sold, told, used
from tests.ledger_books import NOON, take

__all__ = ["sold"]


def end(store: Store, plan: str = "pro", month: str | None = None, at: datetime = FIRST) -> dict[str, Any]:
    """End a budget."""
    by = By(actor="ada", at=at, reason="no need")
    return store.tell(lambda connection: budget.end_budget(connection, plan, month, by))


def test_a_budget_holds_until_the_next_one_begins(sold: Store) -> None:
    """The later one is listed with it; the same words again change nothing, and leave no entry."""
    assert say(sold, "5.50") == {
        "plan": "pro", "changed": True, "from_month": "2026-11", "amount_usd": "5.5",
        "thresholds_percent": [50, 80, 100],
    }  # fmt: skip
    assert say(sold, "5.5", at=NOON)["changed"] is False
    assert say(sold, "5.5", month="2026-12", at=NOON)["changed"] is False
    assert say(sold, "8", month="2027-01", percents=(90,))["changed"] is True
    found = items(sold)["pro"]
    assert (found["amount_usd"], found["from_month"], found["recorded_by"]) == ("5.5", "2026-11", "ada")
    assert found["later"] == [{"from_month": "2027-01", "amount_usd": "8", "thresholds_percent": [90]}]
    assert items(sold, datetime(2027, 3, 5, tzinfo=UTC))["pro"]["amount_usd"] == "8"
    with sold.read() as connection:
        entries = audit.entries(connection, Wanted(action="budget.set"), None, 100)
    assert [(entry["subject"], entry["actor"], entry["reason"]) for entry in entries] == [
        ("budget pro", "ada", "agreed")
    ] * 2  # fmt: skip


def test_a_month_that_is_over_stays_as_it_was(sold: Store) -> None:
    """A budget that is set or ended now changes nothing of what was held against the last one."""
    say(sold, "6", at=OCTOBER)
    for month in ("2026-10", "2025-01"):
        with pytest.raises(InvalidInput) as refused:
            say(sold, "7", month=month)
        assert (refused.value.field, "2026-11 or a later one" in refused.value.problem) == ("from_month", True)
        with pytest.raises(InvalidInput):
            end(sold, month=month)
    end(sold)
    take(sold, used(3, "1", OCTOBER), used(6, "2"))
    assert check(sold) == 1
    assert told(sold) == [("pro", "2026-10", 50)]
    assert items(sold) == {}


def test_an_end_takes_what_was_to_come_along(sold: Store) -> None:
    """From December on there is none, whatever was to hold; a second end finds nothing, a new beginning is possible."""
    say(sold, "6")
    say(sold, "7", month="2026-12")
    say(sold, "8", month="2027-02")
    assert end(sold, month="2026-12") == {"plan": "pro", "ended_from_month": "2026-12"}
    later: list[dict[str, Any]] = [{"from_month": "2026-12", "amount_usd": None, "thresholds_percent": []}]
    assert (items(sold)["pro"]["amount_usd"], items(sold)["pro"]["later"]) == ("6", later)
    for month in ("2026-12", "2027-05"):
        with pytest.raises(NotFound):
            end(sold, month=month)
    say(sold, "9", month="2027-01")
    assert items(sold, datetime(2027, 1, 1, tzinfo=UTC))["pro"]["amount_usd"] == "9"
    end(sold)
    assert items(sold) == {}
    with pytest.raises(NotFound):
        end(sold)


def test_a_budget_to_come_is_listed_without_one_that_holds(sold: Store) -> None:
    """What is spent is known already; ended before it began, it leaves nothing."""
    say(sold, "6", month="2027-01")
    take(sold, used(3, "1"))
    found = items(sold)["pro"]
    assert (found["amount_usd"], found["spent_usd"], found["share"], found["expected_usd"]) == (None, "3", None, None)
    assert check(sold) == 0
    with sold.read() as connection:
        assert budget.one_of(connection, "pro", NOON)["later"][0]["amount_usd"] == "6"
    end(sold, month="2026-12")
    assert items(sold) == {}
    with sold.read() as connection, pytest.raises(NotFound):
        budget.one_of(connection, "pro", NOON)


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"amount": "0"}, "amount_usd"),
        ({"amount": "-1"}, "amount_usd"),
        ({"month": "2026-13"}, "from_month"),
        ({"month": "11/2026"}, "from_month"),
        ({"percents": (80, 50)}, "thresholds_percent"),
        ({"percents": ()}, "thresholds_percent"),
    ],
)
def test_what_is_no_budget_is_refused(sold: Store, more: dict[str, Any], field: str) -> None:
    """And nothing is on record."""
    with pytest.raises(InvalidInput) as refused:
        say(sold, **{"amount": "5", **more})
    assert (refused.value.field, items(sold)) == (field, {})


def test_a_plan_nobody_knows_has_no_budget(sold: Store) -> None:
    """One that was taken off the record may have one: its customers may still use tokens."""
    with pytest.raises(NotFound):
        say(sold, "5", "nobody")
    with sold.write() as connection:
        plans.close(connection, "free", at=NOON)
    assert say(sold, "5", "free")["changed"] is True
