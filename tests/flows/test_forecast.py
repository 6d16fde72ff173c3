"""The forecast of a month over real books: exact sums so far, and what is said where little is known."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from planner.core.errors import InvalidInput
from planner.core.event import Event, StatedBy
from planner.flows.cost_report import cost_report
from planner.flows.forecast import ForecastQuestion, forecast_report
from planner.flows.margin_report import Question
from planner.store.engine import Store
from tests.ledger_books import DAY, NOON, close, event, take
from tests.make import MTOK

UNLISTED = "direct:acme/unlisted"


def asked(store: Store, **more: Any) -> dict[str, Any]:
    """Ask for the forecast on 24 November at noon, unless told otherwise."""
    with store.read() as connection:
        return forecast_report(connection, ForecastQuestion(**{"now": NOON, **more}))


def used(days: int, plan: str = "pro", last: datetime = NOON - timedelta(hours=3), **facts: Any) -> list[Event]:
    """A row of a plan each day up to the last one, $3 each."""
    return [event(f"{plan}{n}", last - n * DAY, plan=plan, **facts) for n in range(days)]


def test_steady_use_goes_on_in_total_and_by_plan(books: Store) -> None:
    """Of $3 and $6 a day 24 days are booked; six and a half are left."""
    take(books, *used(60), *used(60, "free", input_tokens=2 * MTOK))
    found = asked(books)
    assert (found["month"], found["days_left"], found["over"]) == ("2026-11", "6.50", False)
    rows = {row["plan"]: row for row in found["rows"]}
    assert rows["pro"]["booked"]["cost_usd"] == "72"
    assert rows["pro"]["expected_cost_usd"] == dict.fromkeys(
        ("expected", "low_80", "high_80", "low_95", "high_95"), "91.5"
    )
    assert rows["free"]["expected_cost_usd"]["expected"] == "183"
    assert found["total"]["booked"]["cost_usd"] == "216"
    assert found["total"]["expected_cost_usd"]["expected"] == "274.5"
    assert found["total"]["expected_tokens"]["expected"] == 91_500_000
    assert (found["total"]["history_days"], found["total"]["notes"]) == (56, [])
    assert asked(books, by="")["rows"] == []
    assert asked(books, by="")["total"] == found["total"]


def test_what_is_booked_is_what_the_cost_report_says_by_the_time_of_use(books: Store) -> None:
    """What came late, after its month was closed, is in the month of its use."""
    take(books, *used(60))
    close(books, "2026-10")
    take(books, event("late", NOON - 30 * DAY, plan="pro", input_tokens=7))
    for month, since, until in (("2026-10", (10, 1), (11, 1)), ("2026-11", (11, 1), (12, 1))):
        question = Question(by=(), since=date(2026, *since), until=date(2026, *until), basis="usage")
        with books.read() as connection:
            report = cost_report(connection, question, by_unit=False)["total"]
        booked = asked(books, month=month)["total"]["booked"]
        assert {name: booked[name] for name in report} == report


def test_a_month_that_is_over_answers_its_sums(books: Store) -> None:
    """Nothing is left to forecast."""
    take(books, *used(60))
    found = asked(books, month="2026-10")
    assert (found["over"], found["days_left"], found["total"]["booked"]["cost_usd"]) == (True, "0.00", "93")
    assert set(found["total"]["expected_cost_usd"].values()) == {"93"}
    assert found["total"]["notes"] == ["the month is over: these are its sums"]


def test_uneven_days_have_bounds_that_are_the_same_each_time(books: Store) -> None:
    """They are in order, and not below what is booked."""
    take(books, *(event(str(n), NOON - n * DAY, input_tokens=MTOK + MTOK // 10 * (n * n % 7)) for n in range(40)))
    found = asked(books)["total"]
    cost = {name: Decimal(value) for name, value in found["expected_cost_usd"].items()}
    assert Decimal(found["booked"]["cost_usd"]) < cost["low_95"] < cost["low_80"] < cost["expected"]
    assert cost["expected"] < cost["high_80"] < cost["high_95"]
    assert asked(books)["total"] == found
    assert found["history_days"] == 39


def test_days_and_months_are_those_of_the_zone(books: Store) -> None:
    """In Kolkata it is 17:30, and the evening of 31 October in London is November."""
    take(books, event("1", datetime(2026, 10, 31, 20, tzinfo=UTC)))
    assert asked(books)["total"]["booked"]["cost_usd"] == "0"
    found = asked(books, tz="Asia/Kolkata")
    assert (found["total"]["booked"]["cost_usd"], found["days_left"]) == ("3", "6.27")
    # There it is November already; in London it is not.
    midnight = datetime(2026, 10, 31, 18, 30, tzinfo=UTC)
    assert [asked(books, now=midnight, tz=tz)["month"] for tz in ("Asia/Kolkata", "UTC")] == ["2026-11", "2026-10"]
    assert asked(books, now=midnight, tz="Asia/Kolkata")["days_left"] == "30.00"


def test_use_without_a_price_makes_costs_a_lower_bound(books: Store) -> None:
    """Its tokens are forecast, its cost is not; where nothing has a price, neither is any cost."""
    take(books, *used(30), *used(30, "new", offer=UNLISTED))
    found = asked(books)
    new, pro = found["rows"]
    assert (new["expected_cost_usd"], new["booked"]["coverage"], new["lower_bound"]) == (None, "0.0000", True)
    assert new["expected_tokens"] == pro["expected_tokens"]
    assert (pro["lower_bound"], pro["notes"]) == (False, [])
    total = found["total"]
    assert (total["booked"]["coverage"], total["history_coverage"]) == ("0.5000", "0.5000")
    assert total["expected_cost_usd"] == pro["expected_cost_usd"]
    assert total["notes"] == ["some use has no price: costs are a lower bound, of what has one"]


def test_another_basis_is_another_cost(books: Store) -> None:
    """What a provider stated is what it costs as reported."""
    take(books, *used(20, stated_usd=Decimal(4), stated_by=StatedBy.PROVIDER))
    found = asked(books, cost_basis="reported")["total"]
    assert (found["booked"]["cost_usd"], found["expected_cost_usd"]["expected"]) == ("80", "106")


@pytest.mark.parametrize(
    ("days", "expected", "note"),
    [
        (0, None, "0 whole days of history: nothing is forecast before 3"),
        (2, None, "2 whole days of history: nothing is forecast before 3"),
        (5, "37.5", "5 whole days of history: below 14 the intervals are wider, by the root of 14/5"),
    ],
)
def test_little_history_is_said(books: Store, days: int, expected: str | None, note: str) -> None:
    """What was before the first use is no history; today is not over."""
    take(books, *used(days + 1))
    found = asked(books)["total"]
    cost = found["expected_cost_usd"]
    assert (cost and cost["expected"], found["history_days"], found["notes"]) == (expected, days, [note])


@pytest.mark.parametrize(
    ("question", "field"),
    [
        ({"month": "2026-12"}, "month"), ({"month": "november"}, "month"), ({"by": "model"}, "by"),
        ({"cost_basis": "guess"}, "cost_basis"), ({"tz": "Mars"}, "tz"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_refused(books: Store, question: dict[str, str], field: str) -> None:
    """With the field that is wrong."""
    with pytest.raises(InvalidInput) as refused:
        asked(books, **question)
    assert refused.value.field == field
