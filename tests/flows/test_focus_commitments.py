"""Commitments in FOCUS: billed once when they are bought, and a cost with the usage they cover."""

import csv
import io
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from planner.core.event import StatedBy
from planner.flows.focus_report import focus_report
from planner.flows.import_file import Import, import_file
from planner.store.engine import Store
from tests.flows.test_commitments import NOVEMBER, OCTOBER, enter, report, void
from tests.ledger_books import BROKERED, DAY, HOUR, NOON, SEPTEMBER, claim, close, event, listed, take
from tests.make import MTOK, rates

SINCE, UNTIL = date(2026, 9, 1), date(2026, 12, 1)
Line = dict[str, str]


def focus(store: Store, since: date = SINCE, until: date = UNTIL) -> list[Line]:
    """Write costs in FOCUS and read the rows back."""
    with store.read() as connection:
        text, counts = focus_report(connection, since, until)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert counts["rows"] == len(rows)
    return rows


def said(rows: list[Line]) -> list[tuple[str, ...]]:
    """Return day, category, status, what is billed and what it costs, row by row."""
    names = ("ChargeCategory", "CommitmentDiscountStatus", "BilledCost", "EffectiveCost")
    return [(row["ChargePeriodStart"][5:10], *(row[name] for name in names)) for row in rows]


def summed(rows: list[Line], name: str) -> Decimal:
    """Return the sum of a column."""
    return sum((Decimal(row[name]) for row in rows), Decimal(0))


def effective_is_the_cost_of_the_margin_report(store: Store, rows: list[Line]) -> None:
    """What usage and commitments cost in both is the same, to the last digit."""
    total = report(store, until=UNTIL)["total"]
    cost = Decimal(total["token_cost_usd"]) + Decimal(total.get("commitments_usd", 0))
    assert summed(rows, "EffectiveCost") == cost


def test_a_prepayment_is_billed_once_and_drawn_down(books: Store) -> None:
    """5 dollars of 9: the second day runs out of it and is billed by 4, the third as if there were none."""
    take(books, event("1"), event("2", SEPTEMBER + DAY, input_tokens=2 * MTOK), event("3", SEPTEMBER + 2 * DAY))
    enter(books, "prepaid", "5")
    rows = focus(books)
    assert said(rows) == [
        ("09-01", "Purchase", "", "5", "0"),
        ("09-01", "Usage", "Used", "0", "3"),
        ("09-02", "Usage", "Used", "4", "6"),
        ("09-03", "Usage", "Used", "3", "3"),
    ]  # fmt: skip
    assert {row["CommitmentDiscountId"] for row in rows} == {"commitment-1"}
    assert (rows[0]["ChargePeriodEnd"], rows[0]["ContractedCost"]) == ("2026-11-01T00:00:00Z", "5")
    assert (rows[1]["PricingCategory"], rows[1]["ContractedCost"]) == ("Committed", "3")
    assert (summed(rows, "BilledCost"), summed(rows, "EffectiveCost")) == (Decimal(12), Decimal(12))
    effective_is_the_cost_of_the_margin_report(books, rows)


def test_what_is_left_of_a_prepayment_is_unused(books: Store) -> None:
    """On the last day of its term: a cost that nobody bills any more."""
    take(books, event("1"))
    enter(books, "prepaid", "10")
    rows = focus(books)
    assert said(rows)[1] == ("10-31", "Usage", "Unused", "0", "7")
    assert (summed(rows, "BilledCost"), summed(rows, "EffectiveCost")) == (Decimal(10), Decimal(10))
    effective_is_the_cost_of_the_margin_report(books, rows)


def test_a_promised_spend_is_billed_as_it_is_used_and_the_rest_at_the_end(books: Store) -> None:
    """Nothing is bought in advance."""
    take(books, event("1"))
    enter(books, "spend", "10")
    assert said(focus(books)) == [("10-31", "Usage", "Unused", "7", "7"), ("09-01", "Usage", "Used", "3", "3")]


def test_throughput_costs_its_day_whatever_it_served(books: Store) -> None:
    """A dollar a day: shared by what was served on it, or unused."""
    take(books, event("1", plan="pro", input_tokens=2 * MTOK), event("2", plan="free"), event("3", OCTOBER))
    enter(books, "throughput", "3", valid_to=SEPTEMBER + 3 * DAY)
    rows = focus(books)
    assert said(rows) == [
        ("09-01", "Purchase", "", "3", "0"),
        ("09-02", "Usage", "Unused", "0", "1"),
        ("09-03", "Usage", "Unused", "0", "1"),
        ("09-01", "Usage", "Used", "0", "0.333333333333"),
        ("09-01", "Usage", "Used", "0", "0.666666666667"),
        ("10-01", "Usage", "", "3", "3"),
    ]  # fmt: skip
    assert rows[3]["CommitmentDiscountCategory"] == "Usage"
    effective_is_the_cost_of_the_margin_report(books, rows)


@pytest.mark.parametrize("kind", ["prepaid", "spend", "throughput"])
def test_what_comes_late_is_in_the_first_open_month(books: Store, kind: str) -> None:
    """Entered after a month was closed, with usage that came later still, and taken back: September stays."""
    listed(books, claim(BROKERED, rates("3", "15")))
    nameless = event(
        "5", SEPTEMBER + DAY, offer=None, model="m", provider="acme", stated_usd=Decimal(2), rateable=False
    )
    take(books, event("1"), event("2", OCTOBER + DAY, output_tokens=MTOK), event("3", NOVEMBER), nameless)
    take(books, event("4", offer=BROKERED, stated_by=StatedBy.PROVIDER, stated_usd=Decimal(7), rateable=False))
    before = said(focus(books, until=date(2026, 10, 1)))
    close(books, "2026-09")
    id_ = enter(books, kind, "61", at=NOON + HOUR)
    take(books, event("6", SEPTEMBER + 3 * DAY), at=NOON + 2 * HOUR)
    assert said(focus(books, until=date(2026, 10, 1))) == before
    effective_is_the_cost_of_the_margin_report(books, focus(books))
    close(books, "2026-10", NOON + 3 * HOUR)
    closed = focus(books, until=date(2026, 11, 1))
    void(books, id_, NOON + 4 * HOUR)
    rows = focus(books)
    effective_is_the_cost_of_the_margin_report(books, rows)
    assert summed(closed, "EffectiveCost") == summed(
        [row for row in rows if row["BillingPeriodStart"] < "2026-11-01"], "EffectiveCost"
    )
    assert summed(rows, "BilledCost") >= 0


@pytest.mark.parametrize("kind", ["prepaid", "spend", "throughput"])
def test_what_comes_late_is_billed_once(books: Store, kind: str) -> None:
    """Usage of a closed month was billed, and was paid in advance: the first open month gives that back, or asks again.

    61 dollars are billed in all while they are promised, and the usage once they are not.
    """
    take(books, event("1"), event("2", OCTOBER + DAY), event("3", OCTOBER + 2 * DAY))
    close(books, "2026-09")
    id_ = enter(books, kind, "61", at=NOON + HOUR)
    assert (summed(focus(books), "BilledCost"), summed(focus(books), "EffectiveCost")) == (Decimal(61), Decimal(61))
    close(books, "2026-10", NOON + 2 * HOUR)
    void(books, id_, NOON + 3 * HOUR)
    rows = focus(books)
    assert (summed(rows, "BilledCost"), summed(rows, "EffectiveCost")) == (Decimal(9), Decimal(9))
    assert {row["ChargeClass"] for row in rows if row["ChargePeriodStart"].startswith("2026-11-01")} == {"Correction"}


def test_what_was_written_is_read_back_as_what_it_costs(books: Store, tmp_path: Path) -> None:
    """The purchase is no cost of its day; usage is evidence of three dollars, and what was unused a fee of seven."""
    take(books, event("1"))
    enter(books, "prepaid", "10")
    with books.read() as connection:
        path = tmp_path / "focus.csv"
        path.write_text(focus_report(connection, SINCE, UNTIL)[0])
    summary = import_file(books, Import(path=path, name="f", words={}), now=lambda: NOON, by="test")
    assert (summary.format, summary.evidence_usd, summary.skipped.total()) == ("focus", Decimal(3), 1)
    assert summary.invoiced == {("fee", "USD"): "7"}
