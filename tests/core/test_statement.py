"""The figures of a line of a report: ratios of sums, and bounds where not every cost is known."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core.money import PICO, ratio_text
from planner.core.posting import RATED, REPORTED, Measures
from planner.core.statement import Statement, Takings

pico = st.integers(0, 10**15)


def used(cost: float = 0, high: float | None = None, *, tokens: int = 100, stated: float = 0) -> Measures:
    """Make one row of usage that cost so many dollars, at most ``high`` of them."""
    low, most, said = (int(Fraction(str(usd)) * PICO) for usd in (cost, cost if high is None else high, stated))
    return Measures(1, 1, tokens, 0, low, most, low, said)


def statement(*rows: tuple[Measures, str | None], revenue: int = 20, **takings: int) -> Statement:
    """Make a statement of rows with the basis of their cost, and of so many dollars of revenue."""
    found = Statement()
    for measures, basis in rows:
        found.use(measures, basis, reported=basis == REPORTED, free=False)
    came = {name: usd * PICO for name, usd in {"revenue": revenue, **takings}.items()}
    found.take(Takings(**came), tax_unknown=False, unconverted="")
    return found


def shape(*rows: tuple[Measures, str | None], **takings: int) -> dict[str, Any]:
    """Return the figures of such a statement."""
    return statement(*rows, **takings).shape()


@pytest.mark.parametrize(
    ("revenue", "cost", "margin", "markup"),
    [
        (13, 10, "0.2308", "0.3000"), (12, 10, "0.1667", "0.2000"), (5, 2, "0.6000", "1.5000"),
        (10, 3, "0.7000", "2.3333"), (5, 1, "0.8000", "4.0000"), (10, 20, "-1.0000", "-0.5000"),
    ],
)  # fmt: skip
def test_margin_and_markup_of_the_published_figures(revenue: int, cost: int, margin: str, markup: str) -> None:
    """30 % on cost are 23.08 % of revenue."""
    found = shape((used(cost), RATED), revenue=revenue)
    assert (found["margin"], found["markup"]) == (margin, markup)
    assert (found["margin_max"], found["margin_min"]) == (None, None)


def test_what_is_taken_off_before_a_margin() -> None:
    """Of 100 with 10 given back: 20 for tokens, 5 for payments, 11 for others; the contribution knows no others."""
    found = shape((used(20), RATED), revenue=100, refund=10, fee=5, other=11, tax=19)
    assert (found["revenue_usd"], found["gross_revenue_usd"], found["refunds_usd"]) == ("90", "119", "10")
    assert (found["gross_profit_usd"], found["margin"]) == ("54", "0.6000")
    assert (found["contribution_usd"], found["contribution_margin"]) == ("65", "0.7222")


def test_with_a_row_that_has_no_cost_a_margin_is_only_what_it_is_at_most() -> None:
    """Unknown is not free."""
    found = shape((used(5, tokens=300), RATED), (used(), None))
    assert (found["margin"], found["margin_max"], found["margin_min"]) == (None, "0.7500", None)
    assert (found["coverage"], found["coverage_rows"]) == ("0.7500", "0.5000")
    assert (found["unpriced_rows"], found["unpriced_tokens"], found["token_cost_max_usd"]) == (1, 100, None)
    assert [found[name] for name in ("gross_profit_usd", "markup", "contribution_usd", "contribution_margin")] == [
        None
    ] * 4


def test_with_bounds_of_a_cost_a_margin_has_bounds() -> None:
    """What a coarse row cost at least and at most, both are known."""
    found = shape((used(5, 10), RATED))
    assert (found["margin"], found["margin_max"], found["margin_min"]) == (None, "0.7500", "0.5000")
    assert (found["token_cost_usd"], found["token_cost_max_usd"]) == ("5", "10")


def test_revenue_that_is_not_in_dollars_leaves_no_margin() -> None:
    """It is named, and neither 0 nor left out."""
    found = statement((used(5), RATED))
    found.take(Takings(), tax_unknown=True, unconverted="EUR 30")
    shown = found.shape()
    assert (shown["margin"], shown["margin_min"], shown["unconverted"]) == (None, None, {"EUR": "30"})


def test_a_margin_of_revenue_with_unknown_tax_is_marked_as_the_most_there_is() -> None:
    """A fifth of it may be the state's: the figure is there, and says that it is no exact one."""
    found = statement((used(5), RATED), revenue=0)
    found.take(Takings(revenue=20 * PICO), tax_unknown=True, unconverted="")
    assert [found.shape()[name] for name in ("margin", "bounds", "tax_unknown_usd")] == ["0.7500", "tax_unknown", "20"]
    found.use(used(5, 10), RATED, reported=False, free=False)
    assert [found.shape()[name] for name in ("margin_max", "margin_min", "bounds")] == [
        "0.5000", None, "tax_unknown, cost_bounds",
    ]  # fmt: skip


def test_whatever_keeps_figures_from_being_exact_is_named() -> None:
    """Nothing of it where everything is known, and of revenue nothing where nobody pays for the line."""
    assert shape((used(5), RATED))["bounds"] is None
    found = statement((used(5, 10), RATED), (used(), None))
    found.take(Takings(revenue=PICO), tax_unknown=True, unconverted="EUR 30")
    assert found.shape()["bounds"] == "tax_unknown, unpriced, cost_bounds, unconverted"
    assert found.shape(paid_for=False)["bounds"] == "unpriced, cost_bounds"


@pytest.mark.parametrize("takings", [{"revenue": 0}, {"revenue": 5, "refund": 5}, {"revenue": 5, "refund": 6}])
def test_without_revenue_there_is_no_margin(takings: dict[str, int]) -> None:
    """A free plan costs what it costs."""
    found = shape((used(1), RATED), **takings)
    assert (found["margin"], found["contribution_margin"], found["token_cost_usd"]) == (None, None, "1")


def test_without_costs_there_is_no_markup() -> None:
    """And all of the revenue is left."""
    found = shape()
    assert (found["margin"], found["markup"], found["coverage"]) == ("1.0000", None, "1.0000")


def test_a_line_that_nobody_pays_for_has_costs_alone() -> None:
    """A model earns nothing by itself."""
    found = statement((used(5), RATED)).shape(paid_for=False)
    assert (found["revenue_usd"], found["margin"], found["margin_max"], found["token_cost_usd"]) == (
        None,
        None,
        None,
        "5",
    )


def test_a_reported_cost_has_no_bounds_and_what_free_plans_use_is_told_apart() -> None:
    """What tax nobody stated is a part of the revenue."""
    found = Statement()
    assert found.empty
    found.use(used(1, 2, stated=3), REPORTED, reported=True, free=True)
    found.take(Takings(revenue=10 * PICO), tax_unknown=True, unconverted="")
    shown = found.shape()
    assert (shown["token_cost_usd"], shown["token_cost_max_usd"], shown["reported_cost_usd"]) == ("3", "3", "3")
    assert (shown["free_burn_usd"], shown["tax_unknown_usd"], found.empty) == ("3", "10", False)


@given(st.lists(st.tuples(pico, pico, pico), min_size=1, max_size=5))
def test_a_margin_of_many_is_the_ratio_of_their_sums(rows: list[tuple[int, int, int]]) -> None:
    """Never the mean of their ratios."""
    found = Statement()
    for revenue, fee, cost in rows:
        found.use(Measures(1, 1, 1, 0, cost, cost, cost, 0), RATED, reported=False, free=False)
        found.take(Takings(revenue=revenue, fee=fee), tax_unknown=False, unconverted="")
    earned, fees, costs = (sum(column) for column in zip(*rows, strict=True))
    expected = None if not earned else ratio_text(Fraction(earned - fees - costs, earned))
    assert found.shape()["margin"] == expected


@given(pico, pico, pico, pico)
def test_takings_are_added_and_taken_away(revenue: int, refund: int, fee: int, tax: int) -> None:
    """One by one."""
    one = Takings(revenue, refund, fee, tax, 1)
    assert one.plus(one).plus(one, -1) == one


def test_more_fees_given_back_than_paid_leave_no_margin() -> None:
    """A cost below nothing is no share of revenue."""
    sums = Statement()
    sums.take(Takings(revenue=10 * PICO, fee=-PICO), tax_unknown=False, unconverted="")
    assert (sums.shape()["margin"], sums.shape()["markup"], sums.shape()["gross_profit_usd"]) == (None, None, "11")


def test_amounts_without_a_rate_add_up_by_currency() -> None:
    """Two customers who owe the same are two."""
    sums = Statement()
    sums.take(Takings(), tax_unknown=False, unconverted="EUR 20", lines=2)
    sums.take(Takings(), tax_unknown=False, unconverted="JPY 3000")
    assert sums.shape()["unconverted"] == {"EUR": "40", "JPY": "3000"}
    assert sums.shape()["margin_max"] is None


def test_what_commitments_cost_is_a_cost_beside_the_tokens() -> None:
    """Three dollars more, or what they save: all margins count it, and it is a figure where it is asked for."""
    sums = statement((used(5), RATED))
    sums.commit(3 * PICO, 3 * PICO)
    figures = sums.shape(commitments=True)
    assert (figures["token_cost_usd"], figures["commitments_usd"], figures["gross_profit_usd"]) == ("5", "3", "12")
    assert (figures["margin"], figures["contribution_margin"], figures["bounds"]) == ("0.6000", "0.6000", None)
    sums.commit(-6 * PICO, -6 * PICO)
    assert (sums.shape(commitments=True)["commitments_usd"], sums.shape()["margin"]) == ("-3", "0.9000")
    assert "commitments_usd" not in sums.shape()


def test_bounds_of_usage_may_be_none_of_its_cost() -> None:
    """Usage of two to five dollars that a commitment covers costs what the commitment does."""
    sums = statement((used(2, 5), RATED))
    sums.commit(2 * PICO, -1 * PICO)
    assert (sums.shape()["bounds"], sums.shape()["margin"], sums.empty) == (None, "0.8000", False)
    alone = Statement()
    alone.commit(PICO, PICO)
    assert (alone.empty, alone.shape()["gross_profit_usd"]) == (False, "-1")
