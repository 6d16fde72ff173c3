"""The costs in FOCUS are those of the margin report, to the last digit."""

import csv
import io
from datetime import date
from decimal import Decimal

from planner.core.claim import Segment
from planner.core.event import StatedBy
from planner.core.money import pico_text
from planner.flows.focus_report import focus_report
from planner.flows.margin_report import Question, margin_report
from planner.store.engine import Store
from tests.ledger_books import DAY, HOUR, SEPTEMBER, claim, event, listed, take
from tests.ledger_books import SINCE as JANUARY
from tests.make import MTOK, rates

SINCE, UNTIL = date(2026, 9, 1), date(2026, 10, 1)


def test_every_cost_of_the_margin_report_is_there(books: Store) -> None:
    """Ours, the least of what is known in bounds, and what who bills it stated; what has none is counted."""
    listed(books, claim("direct:acme/cached", rates("3", "15", cache_read="0.3")), at=SEPTEMBER - DAY)
    take(
        books,
        event("1"),
        event("2", stated_usd=Decimal(7), stated_by=StatedBy.PROVIDER, rateable=False),
        event("3", offer="direct:acme/cached", cache_stated=False, input_tokens=MTOK),
        event("4", offer="direct:acme/nobody", stated_usd=Decimal(5), stated_by=StatedBy.ESTIMATE),
    )
    with books.read() as connection:
        text, counts = focus_report(connection, SINCE, UNTIL)
        total = margin_report(connection, Question(by=("month",), since=SINCE, until=UNTIL))["total"]
    rows = list(csv.DictReader(io.StringIO(text)))
    assert sum(Decimal(row["BilledCost"]) for row in rows) == Decimal(total["token_cost_usd"])
    assert [(row["x_CostBasis"], row["BilledCost"]) for row in rows] == [
        ("bounds", "0.3"), ("rated", "3"), ("reported", "7"),
    ]  # fmt: skip
    assert counts == {"rows": 3, "unpriced": 1}


def test_a_fee_that_may_have_been_charged_is_in_the_most(books: Store) -> None:
    """Requests became a dollar each within the bucket: they cost nothing at the least, and as much as every one did."""
    before, after = rates("3", "15"), rates("3", "15", request="1000000")
    noon = SEPTEMBER + 12 * HOUR
    listed(books, claim("direct:acme/fee", Segment(JANUARY, noon, before), Segment(noon, None, after)))
    take(books, event("1", offer="direct:acme/fee", until=SEPTEMBER + DAY, input_tokens=MTOK, requests=4))
    with books.read() as connection:
        text, _counts = focus_report(connection, SINCE, UNTIL)
        total = margin_report(connection, Question(by=("month",), since=SINCE, until=UNTIL))["total"]
    most = sum(int(row["x_PicoUsdMax"]) for row in csv.DictReader(io.StringIO(text)))
    assert (pico_text(most), total["token_cost_max_usd"]) == ("7", "7")
