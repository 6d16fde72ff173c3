"""Budgets over real books: what is spent is what the reports say, and each threshold is told once, by one worker."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest

from planner.core.budget import ALL_PLANS
from planner.core.event import Event, StatedBy
from planner.flows import budget, deliver, turn, void
from planner.flows.cost_report import cost_report
from planner.flows.forecast import ForecastQuestion, forecast_report
from planner.flows.margin_report import Question, margin_report
from planner.flows.second import By
from planner.store import alerts, plans
from planner.store.engine import Store
from tests.ledger_books import DAY, HOUR, NOON, close, event, take
from tests.make import MTOK

UNLISTED = "direct:acme/unlisted"
OCTOBER = datetime(2026, 10, 20, tzinfo=UTC)
FIRST = datetime(2026, 11, 1, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture
def sold(books: Store) -> Store:
    """Those books, and two plans that are sold."""
    with books.write() as connection:
        for plan in ("pro", "free"):
            document = {"id": plan, "name": plan, "price_usd": "20", "policy": "any-terms"}
            plans.write(connection, plan, document, at=OCTOBER, by="ada")
    return books


def say(
    store: Store,
    amount: str,
    plan: str = "pro",
    month: str | None = None,
    at: datetime = FIRST,
    percents: tuple[int, ...] = (50, 80, 100),
) -> dict[str, Any]:
    """Set a budget on the first of November, unless told otherwise."""
    by = By(actor="ada", at=at, reason="agreed")
    return store.tell(lambda connection: budget.set_budget(connection, plan, month, Decimal(amount), percents, by))


def check(store: Store, at: datetime = NOON) -> int:
    """Look for what is news."""
    return store.tell(lambda connection: budget.check(connection, at))


def facts(store: Store, kind: str = budget.REACHED) -> list[dict[str, Any]]:
    """Return the facts of the alerts of a kind, oldest first."""
    with store.read() as connection:
        return [alert["facts"] for alert in alerts.listed(connection, kind=kind)[::-1]]


def told(store: Store) -> list[tuple[str | None, str, int]]:
    """Return plan, month and threshold of what was told, oldest first."""
    return [(one["plan"], one["month"], one["threshold_percent"]) for one in facts(store)]


def items(store: Store, at: datetime = NOON) -> dict[str | None, dict[str, Any]]:
    """Return what is listed, by plan."""
    with store.read() as connection:
        return {item["plan"]: item for item in budget.listed(connection, at)["items"]}


def used(usd: int, id_: str, at: datetime = NOON - HOUR, plan: str = "pro", **more: Any) -> Event:
    """A row of so many dollars, which are 3 per million tokens."""
    return event(id_, at, plan=plan, input_tokens=usd * MTOK // 3, **more)


def test_each_threshold_is_told_once_in_the_hour_it_is_reached(sold: Store) -> None:
    """At 49.50 USD of 99 the first one, later the others, and nothing in between."""
    say(sold, "99")
    assert check(sold) == 0
    take(sold, used(48, "1"))
    assert check(sold) == 0
    take(sold, event("2", NOON - HOUR, plan="pro", input_tokens=MTOK // 2))
    assert [check(sold), check(sold), check(sold, NOON + HOUR)] == [1, 0, 0]
    assert facts(sold) == [
        {
            "plan": "pro", "month": "2026-11", "threshold_percent": 50, "budget_usd": "99", "spent_usd": "49.5",
            "coverage": "1.0000", "unpriced_rows": 0, "bounds": None,
        }
    ]  # fmt: skip
    take(sold, used(60, "3"))
    assert [check(sold), check(sold)] == [2, 0]
    assert told(sold) == [("pro", "2026-11", percent) for percent in (50, 80, 100)]


def test_what_is_spent_is_what_the_reports_say(sold: Store) -> None:
    """To the digit, of each plan and of everything: rated, reported, without a price, late, and of no plan."""
    for plan in ("pro", "free", ALL_PLANS):
        say(sold, "7", plan)
    take(
        sold, event("1", NOON - HOUR, plan="pro", input_tokens=1_234_567), used(9, "0", OCTOBER),
        event("2", NOON - DAY, plan="free", input_tokens=7, output_tokens=11), event("3", NOON - DAY, input_tokens=13),
        event("4", NOON, plan="pro", offer=UNLISTED),
        event("5", NOON, plan="pro", offer=UNLISTED, stated_usd=Decimal("0.123456789012"), stated_by=StatedBy.PROVIDER),
    )  # fmt: skip
    close(sold, "2026-10")
    take(sold, event("late", OCTOBER, plan="pro", input_tokens=17))
    found = items(sold)
    question = Question(by=("plan",), since=date(2026, 11, 1), until=date(2026, 12, 1))
    with sold.read() as connection:
        costs = cost_report(connection, question, by_unit=False)
        margins = margin_report(connection, question)
    for row in margins["rows"]:
        if row["plan"] in found:
            assert (found[row["plan"]]["spent_usd"], found[row["plan"]]["coverage"]) == (
                row["token_cost_usd"], row["coverage"],
            )  # fmt: skip
    assert found["pro"]["spent_usd"] == "3.827208789012"
    for plan in ("pro", "free"):
        rows = [
            Decimal(row["cost_usd"]) for row in costs["rows"] if row["plan"] == plan and row["cost_usd"] is not None
        ]
        assert sum(rows) == Decimal(found[plan]["spent_usd"])
    assert found[None]["spent_usd"] == costs["total"]["cost_usd"] == margins["total"]["token_cost_usd"]
    assert (found[None]["coverage"], found[None]["bounds"]) == (costs["total"]["coverage"], margins["total"]["bounds"])
    assert Decimal(found[None]["spent_usd"]) > sum(Decimal(found[plan]["spent_usd"]) for plan in ("pro", "free"))


def test_unpriced_use_makes_what_is_spent_a_lower_bound(sold: Store) -> None:
    """It is never 0 dollars in silence: the alert and the list both say how much of it is known."""
    say(sold, "6")
    take(sold, used(3, "1"), event("2", NOON - HOUR, plan="pro", offer=UNLISTED))
    check(sold)
    [one] = facts(sold)
    assert (one["spent_usd"], one["coverage"], one["unpriced_rows"], one["bounds"]) == ("3", "0.5000", 1, "unpriced")
    listed = items(sold)["pro"]
    assert (listed["share"], listed["left_usd"], listed["bounds"]) == ("0.5000", "3", "unpriced")


def test_late_use_is_told_of_its_own_month_while_that_is_open(sold: Store) -> None:
    """Once October is closed, what comes late is booked in November and counts there."""
    say(sold, "12", at=OCTOBER)
    take(sold, used(6, "1", OCTOBER))
    assert check(sold, OCTOBER + DAY) == 1
    take(sold, used(6, "2", OCTOBER), at=NOON)
    assert check(sold) == 2
    close(sold, "2026-10")
    take(sold, used(9, "3", OCTOBER), at=NOON + HOUR)
    assert check(sold, NOON + 2 * HOUR) == 1
    october = [("pro", "2026-10", percent) for percent in (50, 80, 100)]
    assert told(sold) == [*october, ("pro", "2026-11", 50)]
    assert items(sold)["pro"]["spent_usd"] == "9"


def test_a_new_month_begins_anew(sold: Store) -> None:
    """What November was told, December is told of itself; two months back nobody looks."""
    say(sold, "6")
    take(sold, used(6, "1"))
    assert check(sold) == 3
    assert check(sold, DECEMBER) == 0
    assert (items(sold, DECEMBER)["pro"]["spent_usd"], items(sold, DECEMBER)["pro"]["told_percent"]) == ("0", [])
    take(sold, used(3, "2", DECEMBER), at=DECEMBER)
    assert check(sold, DECEMBER + HOUR) == 1
    assert told(sold)[3:] == [("pro", "2026-12", 50)]
    take(sold, used(30, "3", OCTOBER), used(30, "4", NOON), at=DECEMBER)
    assert check(sold, DECEMBER + 32 * DAY) == 0


def test_a_raised_budget_is_told_anew_where_it_is_reached(sold: Store) -> None:
    """9 of 10 USD told 50 and 80; of 18 it is 50; back at 10 nothing is news, nor with the same set again."""
    say(sold, "10")
    take(sold, used(9, "1"))
    assert check(sold) == 2
    say(sold, "18")
    assert items(sold)["pro"]["told_percent"] == []
    assert [check(sold), check(sold)] == [1, 0]
    say(sold, "10.00")
    assert check(sold) == 0
    assert items(sold)["pro"]["told_percent"] == [50, 80]
    say(sold, "10", percents=(50, 90))
    assert check(sold) == 1
    assert [(one["budget_usd"], one["threshold_percent"]) for one in facts(sold)] == [
        ("10", 50), ("10", 80), ("18", 50), ("10", 90),
    ]  # fmt: skip


def test_what_falls_and_rises_again_is_told_once(sold: Store) -> None:
    """A row that was a slip is taken back, and others come up to the same threshold, and past the next one."""
    say(sold, "6")
    take(sold, used(3, "1"))
    assert check(sold) == 1
    by = By(actor="ada", at=NOON, reason="a slip")
    sold.tell(lambda connection: void.void(connection, "backend", "1", by))
    assert (check(sold), items(sold)["pro"]["spent_usd"], items(sold)["pro"]["told_percent"]) == (0, "0", [50])
    take(sold, used(3, "2"))
    assert check(sold) == 0
    take(sold, used(3, "3"))
    assert check(sold) == 2


def test_all_plans_together_count_use_of_no_plan(sold: Store) -> None:
    """Of the 6 USD that were used, nobody knows whose half is; what there is of a plan's own is told beside."""
    say(sold, "6", ALL_PLANS)
    say(sold, "6")
    take(sold, used(3, "1"), used(3, "2", plan=""))
    assert check(sold) == 4
    assert told(sold) == [*((None, "2026-11", percent) for percent in (50, 80, 100)), ("pro", "2026-11", 50)]
    with sold.read() as connection:
        subjects = [alert["subject"] for alert in alerts.listed(connection, kind=budget.REACHED)[::-1]]
    assert subjects == ["all plans", "all plans", "all plans", "pro"]


def steady(days: int, last: datetime = NOON - HOUR) -> list[Event]:
    """A row of 3 USD a day up to the last one."""
    return [used(3, f"d{n}", last - n * DAY) for n in range(days)]


def test_a_month_that_will_exceed_its_budget_is_told_of_once(sold: Store) -> None:
    """Of 3 USD a day 24 days are booked and six and a half left: 91.50 USD, as the forecast report has it."""
    say(sold, "91.5")
    say(sold, "91.49", ALL_PLANS)
    take(sold, *steady(60))
    with sold.read() as connection:
        report = forecast_report(connection, ForecastQuestion(now=NOON))
    found = items(sold)
    assert found["pro"]["expected_usd"] == report["rows"][0]["expected_cost_usd"]["expected"] == "91.5"
    assert [check(sold), check(sold), check(sold, NOON + HOUR)] == [3, 0, 0]
    assert facts(sold, budget.FORECAST) == [
        {
            "plan": None, "month": "2026-11", "expected_usd": "91.5", "expected_low_80_usd": "91.5",
            "expected_high_80_usd": "91.5", "budget_usd": "91.49", "spent_usd": "72", "coverage": "1.0000",
            "unpriced_rows": 0, "bounds": None,
        }
    ]  # fmt: skip
    say(sold, "80")
    assert check(sold) == 3
    assert [one["budget_usd"] for one in facts(sold, budget.FORECAST)] == ["91.49", "80"]


@pytest.mark.parametrize(("days", "count"), [(14, 0), (15, 1)])
def test_a_forecast_needs_fourteen_whole_days_of_history(sold: Store, days: int, count: int) -> None:
    """The running day is none of them."""
    say(sold, "50")
    take(sold, *steady(days))
    check(sold)
    assert len(facts(sold, budget.FORECAST)) == count
    assert (items(sold)["pro"]["expected_usd"] is not None) == bool(count)


def test_of_a_budget_that_is_used_up_no_forecast_is_told(sold: Store) -> None:
    """That it will be exceeded is no news then."""
    say(sold, "72")
    take(sold, *steady(60))
    check(sold)
    assert (told(sold)[-1][2], facts(sold, budget.FORECAST)) == (100, [])


def test_a_plan_without_any_price_has_no_forecast(sold: Store) -> None:
    """Of what it cost nobody knows anything."""
    say(sold, "1")
    take(sold, *(event(f"d{n}", NOON - HOUR - n * DAY, plan="pro", offer=UNLISTED) for n in range(40)))
    assert (check(sold), items(sold)["pro"]["expected_usd"], items(sold)["pro"]["coverage"]) == (0, None, "0.0000")


def test_the_hourly_turn_tells_it_to_whoever_listens(books: Store) -> None:
    """The worker that has the turn writes the alert, and it goes out with its facts."""
    with books.read() as connection:
        now = books.clock(connection)
    say(books, "6", ALL_PLANS, at=now)
    take(books, used(5, "1", now - timedelta(seconds=1)), at=now)
    assert [turn.hourly(books, "remind", owner, deliver.remind) for owner in ("a", "b")] == [True, False]
    heard: list[tuple[str, list[dict[str, Any]]]] = []
    deliver.deliver(books, deliver.Ways(lambda kind, _count, said: heard.append((kind, said))), books.clock)
    [said] = [said for kind, said in heard if kind == budget.REACHED]
    assert [(one["subject"], one["facts"]["threshold_percent"]) for one in said] == [
        ("all plans", 50), ("all plans", 80),
    ]  # fmt: skip


def test_two_workers_at_once_tell_it_once(sold: Store) -> None:
    """Both look in the same moment, without the hour's turn between them; one waits and finds it told."""
    say(sold, "6")
    take(sold, *steady(30))
    start = Barrier(4)

    def look(_worker: int) -> int:
        start.wait()
        return check(sold)

    with ThreadPoolExecutor(4) as workers:
        counts = sorted(workers.map(look, range(4)))
    assert counts == [0, 0, 0, 3]
    assert told(sold) == [("pro", "2026-11", percent) for percent in (50, 80, 100)]


def test_the_kinds_are_such_as_a_receiver_may_ask_for() -> None:
    """A webhook can be registered for them alone."""
    assert {budget.REACHED, budget.FORECAST} <= set(alerts.KINDS)
