"""The cost report: whose figure each cost is, what was reported beside it, and how much of everything is known."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from planner.core.errors import NotFound
from planner.core.event import StatedBy
from planner.flows import agreement
from planner.flows.cost_report import cost_report
from planner.flows.margin_report import Question, margin_report
from planner.store.engine import Store
from tests.ledger_books import NOON, OFFER, event, take
from tests.make import MTOK

UNLISTED = "direct:acme/unlisted"
TOTALS = (
    "reported_cost_usd", "coverage", "coverage_rows", "rows", "requests", "input_tokens", "output_tokens",
    "unpriced_rows", "unpriced_tokens",
)  # fmt: skip


def asked(store: Store, *by: str, unit: bool = False, **more: Any) -> dict[str, Any]:
    """Ask what September cost."""
    question = Question(by=by, since=date(2026, 9, 1), until=date(2026, 10, 1), **more)
    with store.read() as connection:
        return cost_report(connection, question, by_unit=unit)


def added(rows: list[Mapping[str, Any]]) -> Decimal:
    """Add up the rows that have a cost."""
    return sum((Decimal(row["cost_usd"]) for row in rows if row["cost_usd"] is not None), Decimal())


@pytest.fixture
def stated(books: Store) -> Store:
    """A row we rate at 3 dollars and its provider at 4, one it alone states at 2, one somebody guesses, one nobody."""
    by = {"stated_by": StatedBy.PROVIDER}
    take(
        books, event("1", stated_usd=Decimal(4), **by), event("2", offer=UNLISTED, stated_usd=Decimal(2), **by),
        event("3", offer=UNLISTED, stated_usd=Decimal(9)), event("4", offer=UNLISTED, input_tokens=2 * MTOK),
    )  # fmt: skip
    return books


@pytest.mark.parametrize(
    ("basis", "rows", "total", "coverage"),
    [
        ("best", {"rated": ("3", "4"), "reported": ("2", "2"), "unpriced": (None, "0")}, "5", "0.4000"),
        ("rated", {"rated": ("3", "4"), "unpriced": (None, "2")}, "3", "0.2000"),
        ("reported", {"reported": ("6", "6"), "unpriced": (None, "0")}, "6", "0.4000"),
    ],
)
def test_each_cost_is_of_one_basis_with_what_was_reported_beside_it(
    stated: Store, basis: str, rows: object, total: str, coverage: str
) -> None:
    """A guess is no report; rows add up to the total, which has what the margin report has."""
    document = asked(stated, cost_basis=basis)
    found = {row["cost_basis"]: (row["cost_usd"], row["reported_cost_usd"]) for row in document["rows"]}
    assert (found, document["cost_basis"]) == (rows, basis)
    assert (document["total"]["cost_usd"], document["total"]["coverage"]) == (total, coverage)
    assert (added(document["rows"]), document["total"]["cost_max_usd"]) == (Decimal(total), None)
    question = Question(by=("month",), since=date(2026, 9, 1), until=date(2026, 10, 1), cost_basis=basis)
    with stated.read() as connection:
        margins = margin_report(connection, question)["total"]
    assert margins["token_cost_usd"] == document["total"]["cost_usd"]
    assert {name: margins[name] for name in TOTALS} == {name: document["total"][name] for name in TOTALS}


@pytest.mark.parametrize("basis", ["best", "rated", "reported"])
def test_a_reported_cost_is_of_no_unit(stated: Store, basis: str) -> None:
    """It stands in a row of its own, so that the rows add up to the total by unit too."""
    document = asked(stated, "offer", unit=True, cost_basis=basis)
    assert added(document["rows"]) == Decimal(document["total"]["cost_usd"])
    whole = {row["offer"]: row["reported_cost_usd"] for row in document["rows"] if row["unit"] is None}
    assert whole == {OFFER: "4", None: "2"}
    assert {row["quantity"] for row in document["rows"] if row["unit"] is None} == {None}
    quantities = [row["quantity"] for row in document["rows"] if row["unit"] == "input_token"]
    assert sum(quantities) == 5 * MTOK


@pytest.mark.parametrize("unit", [False, True])
def test_costs_stand_beside_dollars_in_another_currency(stated: Store, unit: bool) -> None:
    """At the rate of the last day of the time; without one nothing is converted."""
    with pytest.raises(NotFound):
        asked(stated, unit=unit, reporting_currency="EUR")
    rate = {"currency": "EUR", "day": date(2026, 9, 30), "usd": "1.25", "source": "t", "source_url": "https://t.test"}
    stated.tell(lambda connection: agreement.set_fx(connection, rate, at=NOON, actor="test", reason="t"))
    document = asked(stated, unit=unit, reporting_currency="EUR")
    assert document["total"]["reporting"] == {"currency": "EUR", "usd_per_unit": None, "cost": "4"}
    costs = {row["reporting"]["cost"] for row in document["rows"]}
    assert (document["reporting_currency"], {"2.4", "1.6", None} <= costs) == ("EUR", True)


def test_a_report_of_nothing_has_a_total(books: Store) -> None:
    """Of nothing everything is known."""
    total = asked(books, "model")["total"]
    assert (total["cost_usd"], total["cost_max_usd"], total["coverage"]) == ("0", "0", "1.0000")
