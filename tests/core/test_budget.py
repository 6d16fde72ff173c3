"""Budgets in the core: which one holds, what is reached to the last digit, and that each threshold is told once."""

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core.budget import Budget, Holding, Reached, holding, thresholds_of
from planner.core.errors import InvalidInput
from planner.core.money import PICO

MONTH = "2026-11"
SET_AT = datetime(2026, 11, 3, tzinfo=UTC)


def budget(
    amount: str | None = "500",
    plan: str | None = "pro",
    from_month: str = MONTH,
    percents: tuple[int, ...] = (50, 80, 100),
) -> Budget:
    """Make a budget."""
    return Budget(
        plan=plan, from_month=from_month, amount_usd=None if amount is None else Decimal(amount),
        thresholds_percent=percents, recorded_from=SET_AT, recorded_by="ada",
    )  # fmt: skip


def held(amount: str = "500", percents: tuple[int, ...] = (50, 80, 100)) -> Holding:
    """Make one that holds in November."""
    (one,) = holding([budget(amount, percents=percents)], MONTH)
    return one


def percents(found: list[Reached]) -> list[int]:
    """Return the thresholds alone."""
    return [one.percent for one in found]


@pytest.mark.parametrize(
    ("month", "amount"),
    [("2026-10", None), ("2026-11", "500"), ("2026-12", "500"), ("2027-01", "600"), ("2027-03", None)],
)
def test_the_latest_that_began_holds(month: str, amount: str | None) -> None:
    """In whatever order they are on record; one without an amount ends the one before it."""
    rows = [budget("600", from_month="2027-01"), budget(None, from_month="2027-03", percents=()), budget("500")]
    found = holding(rows, month)
    assert [str(one.amount_usd) for one in found] == ([] if amount is None else [amount])
    assert {one.month for one in found} <= {month}


def test_plans_have_budgets_of_their_own() -> None:
    """That of all use comes first, then plan by plan; the end of one ends no other."""
    rows = [budget("1", "pro"), budget("2", "free"), budget("3", None), budget(None, "team", percents=())]
    assert [(one.budget.plan, str(one.amount_usd)) for one in holding(rows, MONTH)] == [
        (None, "3"), ("free", "2"), ("pro", "1"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("cost", "reached"),
    [
        (-PICO, []),
        (0, []),
        (250 * PICO - 1, []),
        (250 * PICO, [50]),
        (400 * PICO - 1, [50]),
        (400 * PICO, [50, 80]),
        (500 * PICO, [50, 80, 100]),
        (9_000 * PICO, [50, 80, 100]),
    ],
)
def test_a_threshold_is_reached_at_the_very_digit(cost: int, reached: list[int]) -> None:
    """Not 1e-12 USD before it."""
    assert percents(held().reached(cost)) == reached


def test_an_amount_that_is_no_binary_fraction_is_compared_exactly() -> None:
    """0.087 USD are 29 % of 0.3 USD; as floats they are a little less."""
    assert 0.087 / 0.3 * 100 < 29
    assert percents(held("0.3", (29,)).reached(87 * PICO // 1000)) == [29]
    assert percents(held("0.3", (29,)).reached(87 * PICO // 1000 - 1)) == []


def test_a_share_and_what_is_left_are_exact() -> None:
    """A third is a third; more than all of it leaves less than nothing."""
    assert held("3").share(PICO) == Fraction(1, 3)
    assert held("3").left(PICO) == 2
    assert held("0.5").left(PICO) == Fraction(-1, 2)


def test_a_raised_budget_is_told_anew_where_it_is_reached() -> None:
    """450 of 500 told 50 and 80; of 900 it is 50 alone; back at 500, nothing is news."""
    first = held("500").news(450 * PICO, ())
    assert percents(first) == [50, 80]
    second = held("900").news(450 * PICO, first)
    assert percents(second) == [50]
    assert held("500").news(450 * PICO, [*first, *second]) == []
    assert held("2000").news(450 * PICO, first) == []


def test_another_threshold_of_the_same_amount_is_news_alone() -> None:
    """What was told before stays told."""
    first = held("500").news(450 * PICO, ())
    assert percents(held("500", (50, 90)).news(450 * PICO, first)) == [90]


def test_another_month_and_another_plan_are_told_of_themselves() -> None:
    """What November was told, December was not, nor any other plan."""
    first = held().news(500 * PICO, ())
    rows = [budget(), budget(plan=None)]
    for one in [*holding(rows, "2026-12"), *holding(rows[1:], MONTH)]:
        assert percents(one.news(500 * PICO, first)) == [50, 80, 100]


amounts = st.decimals(min_value="0.000001", max_value="1000000", places=6, allow_nan=False)
costs = st.integers(min_value=-PICO, max_value=2_000_000 * PICO)
thresholds = st.sets(st.integers(1, 1_000), min_size=1, max_size=10).map(lambda found: tuple(sorted(found)))


@given(amounts=st.lists(amounts, min_size=1, max_size=3), percents=thresholds, steps=st.lists(costs, max_size=20))
def test_each_is_told_once_whatever_the_cost_does(
    amounts: list[Decimal], percents: tuple[int, ...], steps: list[int]
) -> None:
    """Up, down, and with the amount changed to and fro: no threshold of an amount is told twice."""
    told: list[Reached] = []
    for number, cost in enumerate(steps):
        one = held(str(amounts[number % len(amounts)]), percents)
        told += one.news(cost, told)
        assert set(one.reached(cost)) <= set(told)
    assert len(told) == len(set(told))


@given(amount=amounts, percents=thresholds, steps=st.lists(costs, max_size=20))
def test_what_is_told_follows_the_highest_cost(amount: Decimal, percents: tuple[int, ...], steps: list[int]) -> None:
    """More is never told of less, and in the end it is what the highest cost alone would have told."""
    one, told = held(str(amount), percents), list[Reached]()
    for cost in steps:
        told += one.news(cost, told)
    assert sorted(told) == one.reached(max(steps, default=0))
    for less, more in pairwise(sorted(steps)):
        assert set(one.reached(less)) <= set(one.reached(more))


@pytest.mark.parametrize("wrong", [(), (50, 50), (80, 50), (0,), (1001,), (-5, 50), tuple(range(1, 12))])
def test_thresholds_that_may_not_be(wrong: tuple[int, ...]) -> None:
    """None, one twice, another order, out of range, too many."""
    with pytest.raises(InvalidInput) as refused:
        thresholds_of(wrong)
    assert refused.value.field == "thresholds_percent"


@pytest.mark.parametrize("right", [(1,), (1000,), (50, 80, 100), tuple(range(1, 11))])
def test_thresholds_that_may_be(right: tuple[int, ...]) -> None:
    """One to ten, up to a thousand percent."""
    assert thresholds_of(iter(right)) == right
