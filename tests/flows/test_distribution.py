"""What the customers of a plan use, period by period, and what one of them has left of it."""

from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

import pytest

from planner.flows.distribution import Measured, Question, measure
from planner.flows.headroom import Used, used_of
from planner.store import customers, plans
from planner.store.customers import Assignment
from planner.store.engine import Store
from planner.store.load import load_catalogue
from tests.ledger_books import DAY, NOON, SEPTEMBER, claim, event, listed, take
from tests.make import MTOK, rates

OCTOBER = datetime(2026, 10, 1, tzinfo=UTC)
PRO = {
    "id": "pro", "name": "Pro", "price": "20", "currency": "USD", "period": "month", "margin": "0.70",
    "payment_fee_percent": "2.9", "payment_fee_fixed_usd": "0.30", "other_costs_usd": "1", "policy": "no-training",
}  # fmt: skip


@pytest.fixture
def sold(books: Store) -> Store:
    """Books with a plan of $4.12 for tokens, and four customers on it: one of them from the middle of September on."""

    def told(connection: Any) -> None:
        plans.write(connection, "pro", PRO, at=SEPTEMBER - 31 * DAY, by="ada")
        for name in ("ada", "bob", "cyd", "dan"):
            customers.put(connection, name, name, SEPTEMBER, "ada")
            since = SEPTEMBER + 14 * DAY if name == "dan" else SEPTEMBER - 5 * DAY
            customers.assign(connection, name, Assignment("pro", since, None), SEPTEMBER, "ada")

    books.tell(told)
    return books


def used(store: Store, number: int, at: datetime, customer: str | None, millions: int, **facts: Any) -> None:
    """Take in so many million tokens of a customer, at $3 each."""
    row = event(f"e{number}", at, input_tokens=millions * MTOK, customer=customer, plan="pro", **facts)
    take(store, row)


def measured(store: Store, until: date = date(2026, 11, 1), **asked: Any) -> Measured:
    """Measure September and October."""
    question = Question(**{"plan": "pro", "since": date(2026, 9, 1), "until": until, **asked})
    with store.read() as connection:
        return measure(connection, question, NOON)


def test_who_used_nothing_counts_and_who_joined_within_a_period_does_not(sold: Store) -> None:
    """Strangers and use of nobody are counted apart; the heaviest of three used nine tenths of all."""
    used(sold, 1, SEPTEMBER + DAY, "ada", 9)
    used(sold, 2, SEPTEMBER + 2 * DAY, "bob", 1)
    used(sold, 3, SEPTEMBER + 20 * DAY, "dan", 5)
    used(sold, 4, SEPTEMBER + 3 * DAY, "u_99", 7)
    used(sold, 5, SEPTEMBER + 3 * DAY, None, 2)
    found = measured(sold, until=date(2026, 10, 1))
    (period,) = found.periods
    assert (sorted(period.whole), sorted(period.joined), sorted(period.strangers)) == (
        ["ada", "bob", "cyd"], ["dan"], [("backend", "u_99")],
    )  # fmt: skip
    assert found.tokens.values == (0, MTOK, 9 * MTOK)
    assert (found.tokens.percentile(Fraction(1, 2)), found.tokens.gini) == (MTOK, Fraction(3, 5))
    assert found.tokens.top_share(Fraction(1, 10)) == Fraction(9, 10)
    assert found.usd_per_token == Fraction(3, MTOK)
    assert found.budget_usd == Fraction("4.12")
    assert found.costs.share_above(Fraction("4.12") * 10**12) == Fraction(1, 3)
    assert measured(sold, until=date(2026, 10, 1), parts=True).tokens.count == 4


def test_a_month_is_measured_alike_whatever_else_is_asked_for(sold: Store) -> None:
    """Eve was on the plan in September and uses it in October: in October she is not on it, also where it is alone."""
    sold.tell(lambda connection: customers.put(connection, "eve", "eve", SEPTEMBER, "ada"))
    on_it = Assignment("pro", SEPTEMBER, OCTOBER)
    sold.tell(lambda connection: customers.assign(connection, "eve", on_it, SEPTEMBER, "ada"))
    used(sold, 1, OCTOBER + DAY, "eve", 5)
    used(sold, 2, OCTOBER + DAY, "ada", 1)
    (alone,) = measured(sold, since=date(2026, 10, 1)).periods
    (_september, beside) = measured(sold).periods
    assert set(alone.whole) == set(beside.whole) == {"ada", "bob", "cyd", "dan"}
    assert set(alone.joined) == set(beside.joined) == {"eve"}


def test_periods_that_are_cut_or_run_are_no_observations(sold: Store) -> None:
    """A range that ends within a month, and the running month; each says what it is."""
    used(sold, 1, OCTOBER + DAY, "ada", 4)
    found = measured(sold, until=date(2026, 12, 1))
    assert [(one.window.label, one.partial) for one in found.periods] == [
        ("2026-09", None), ("2026-10", None), ("2026-11", "running"),
    ]  # fmt: skip
    assert found.tokens.count == 3 + 4
    assert found.customers_now == 4
    assert [one.partial for one in measured(sold, until=date(2026, 10, 15)).periods] == [None, "cut"]


def test_customers_stay_together_with_what_moved_all_of_them_taken_out(sold: Store) -> None:
    """September is brought from 10 million tokens to 7, October from 4 to 7; that Dan joins and uses nothing is his."""
    used(sold, 1, SEPTEMBER + DAY, "ada", 9)
    used(sold, 2, SEPTEMBER + 2 * DAY, "bob", 1)
    used(sold, 3, OCTOBER + DAY, "ada", 4)
    assert sorted(measured(sold).customers) == [(0,), (0, 0), (700_000, 0), (6_300_000, 7 * MTOK)]


def test_what_has_no_price_is_a_bound(sold: Store) -> None:
    """Its tokens count; its cost is nobody's 0, and the coverage says so."""
    used(sold, 1, SEPTEMBER + DAY, "ada", 3)
    used(sold, 2, SEPTEMBER + DAY, "ada", 1, offer="direct:acme/unheard")
    found = measured(sold, until=date(2026, 10, 1))
    assert found.tokens.largest == 4 * MTOK
    assert (found.everything.coverage, found.everything.bounds(paid_for=False)) == (Fraction(3, 4), "unpriced")
    assert found.usd_per_token == Fraction(3, MTOK)


def left(store: Store, customer: str, at: datetime) -> list[Used]:
    """Return what a customer has left."""
    with store.read() as connection:
        return used_of(connection, load_catalogue(connection), customer, at)


def test_headroom_is_the_budget_less_what_the_ledger_has(sold: Store) -> None:
    """A third of the month gone and $3 used: $1.12 are left, 373,333 tokens, and $9 are to be expected."""
    used(sold, 1, OCTOBER + 2 * DAY, "ada", 1)
    used(sold, 2, SEPTEMBER + 2 * DAY, "ada", 50)
    (found,) = left(sold, "ada", OCTOBER + 31 * DAY / 3)
    assert (found.plan, found.cost_usd, found.left_usd) == ("pro", Fraction(3), Fraction("1.12"))
    assert found.left_tokens == 373_333
    assert found.projected_usd == Fraction(9)
    (nothing,) = left(sold, "cyd", OCTOBER + 10 * DAY)
    assert nothing.left_usd == Fraction("4.12")
    assert nothing.left_tokens is None
    assert left(sold, "u_99", OCTOBER) == []


def test_tokens_that_are_left_are_sure_where_costs_have_bounds(sold: Store) -> None:
    """A million cost $0.30 if a cache served all of it, and $3 if none: $3.82 are left at most, and 373,333 tokens."""
    listed(sold, claim("direct:acme/cached", rates("3", "15", cache_read="0.3")))
    used(sold, 1, OCTOBER + 2 * DAY, "ada", 1, offer="direct:acme/cached", cache_stated=False)
    (found,) = left(sold, "ada", OCTOBER + 3 * DAY)
    assert (found.left_usd, found.left_tokens) == (Fraction("3.82"), 373_333)


def test_past_the_budget_no_tokens_are_left(sold: Store) -> None:
    """Never fewer than none."""
    used(sold, 1, OCTOBER + 2 * DAY, "ada", 2)
    (found,) = left(sold, "ada", OCTOBER + 3 * DAY)
    assert (found.left_usd, found.left_tokens) == (Fraction("-1.88"), 0)
