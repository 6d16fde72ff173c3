"""Budgets on the command line: set, listed with what is spent, ended, each also as JSON."""

from datetime import timedelta

import pytest

from planner.cli import budgeting
from planner.store.engine import Store, open_store
from tests.cli.test_commands import Planner, planner
from tests.cli.test_desk import desk
from tests.ledger_books import DAY, NOON, event, take

__all__ = ["desk", "planner"]

WHY = ("--reason", "agreed")


@pytest.fixture(autouse=True)
def at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is 24 November 2026, noon."""
    monkeypatch.setattr(budgeting, "now", lambda: NOON)


def use(installed_copy: Store, **more: str) -> None:
    """Let the plan pro cost 0.55 USD a day for forty days."""
    store, at = open_store(installed_copy.url), NOON - timedelta(hours=1)
    counts = {"input_tokens": 100_000, "output_tokens": 20_000}
    facts = {"offer": "direct:openai/gpt-5.4", "plan": "pro", **more}
    take(store, *(event(f"{facts}{n}", at - n * DAY, **facts, **counts) for n in range(40)))
    store.close()


def test_budgets_are_set_and_listed(desk: Planner, installed_copy: Store) -> None:
    """A line each with amounts in USD, and below them what is to come; the same as JSON."""
    use(installed_copy)
    said = desk("budgets", "set", "pro", "20", *WHY)
    assert (said.code, said.out) == (0, "pro: 20 USD a month from 2026-11 on, told at 50, 80, 100 %\n")
    again = desk("budgets", "set", "pro", "20.00", "--at", "50,80,100", *WHY)
    assert again.out == "pro: 20 USD a month from 2026-11 on, told at 50, 80, 100 %; nothing to change\n"
    every = desk("budgets", "set", "--all", "100", "--from", "2027-01", "--at", "90", *WHY)
    assert every.out == "all plans: 100 USD a month from 2027-01 on, told at 90 %\n"
    lines = [line.rstrip() for line in desk("budgets").out.splitlines()]
    assert lines[0] == "budgets of 2026-11 (UTC), token cost as booked"
    assert lines[2].split() == ["pro", "20", "13.2", "6.8", "0.6600", "16.775", "1.0000"]
    assert lines[4] == "later      all plans: 100 USD a month from 2027-01 on, told at 90 %"
    document = desk("budgets", "--json").json
    assert [item["plan"] for item in document["items"]] == [None, "pro"]
    assert document["items"][1]["spent_usd"] == "13.2"


def test_what_is_spent_is_said_to_be_at_least_that(desk: Planner, installed_copy: Store) -> None:
    """Where some use has no price, a line below the table says so."""
    use(installed_copy)
    use(installed_copy, offer="direct:acme/unlisted")
    desk("budgets", "set", "--all", "100", *WHY)
    assert "note       all plans: it is at least that: unpriced" in desk("budgets").out


def test_a_budget_is_ended(desk: Planner) -> None:
    """For a plan or for all together, from a month on; where there is none, it is refused."""
    desk("budgets", "set", "pro", "20", *WHY)
    assert desk("budgets", "set", "--all", "20", "--json", *WHY).json["plan"] is None
    said = desk("budgets", "end", "pro", "--from", "2026-12", *WHY)
    assert (said.code, said.out) == (0, "pro: no budget from 2026-12 on\n")
    assert "later      pro: no budget from 2026-12 on" in desk("budgets").out
    assert desk("budgets", "end", "--all", "--json", *WHY).json == {"plan": None, "ended_from_month": "2026-11"}
    gone = desk("budgets", "end", "--all", *WHY)
    assert (gone.code, "not_found" in gone.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("set", "nobody", "20"), "plan"),
        (("set", "pro", "0"), "amount_usd"),
        (("set", "pro", "20 USD"), "amount_usd"),
        (("set", "20"), "--all"),
        (("set", "pro", "20", "--all"), "--all"),
        (("set", "pro", "20", "--at", "50, 80"), "at"),
        (("set", "pro", "20", "--at", "80,50"), "thresholds_percent"),
        (("set", "pro", "20", "--from", "2026-10"), "from_month"),
        (("end",), "--all"),
        (("end", "pro"), "budget"),
    ],
)
def test_what_cannot_be_is_refused(desk: Planner, words: tuple[str, ...], said: str) -> None:
    """With what is wrong on stderr, and exit code 2."""
    refused = desk("budgets", *words, *WHY)
    assert (refused.code, refused.out, said in refused.err) == (2, "", True)


def test_a_reason_is_needed(desk: Planner) -> None:
    """As for every write of finance."""
    assert desk("budgets", "set", "pro", "20").code == 2
    assert "--reason" in desk("budgets", "end", "--help").out
