"""Reports in another currency: each time at the rate of its last day, and closed months at what was known then."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from planner.core.errors import Conflict, NotFound
from planner.flows import agreement, earnings
from planner.flows import close as closing
from planner.flows.cost_report import cost_report
from planner.flows.margin_report import Question, margin_report
from planner.flows.second import By
from planner.store.engine import Store
from tests import make
from tests.flows.test_margin_report import (
    NOVEMBER,
    OCTOBER,
    SEPTEMBER,
    caught_up,
    close,
    paid,
    priced,
    report,
    rows,
    subscription,
    used,
)

NAMES = ("revenue", "token_cost", "gross_profit", "contribution")
MONTH: dict[str, Any] = {"since": date(2026, 9, 1), "until": date(2026, 10, 1)}


@pytest.fixture
def sold(store: Store) -> Store:
    """A database with $20 of revenue and $2 of tokens in September."""
    priced(store, make.SINCE, (make.SINCE, None, make.rates("1", "2")))
    used(store, SEPTEMBER)
    paid(store, SEPTEMBER, subscription("c1", "20"))
    return store


def rate(store: Store, usd: str, day: date, at: datetime) -> None:
    """Enter what a euro is worth."""
    said = {"currency": "EUR", "day": day, "usd": usd, "source": "test", "source_url": "https://t.test"}
    store.tell(lambda connection: agreement.set_fx(connection, said, at=at, actor="test", reason="daily"))


def euros(document: dict[str, Any]) -> list[str | None]:
    """Return the total in euros."""
    total = document["total"]["reporting"]
    return [total[name] for name in NAMES]


def test_a_total_is_known_also_where_nobody_pays_for_the_rows(sold: Store) -> None:
    """A model earns nothing by itself, and all of them together what came in."""
    rate(sold, "1.25", date(2026, 9, 1), OCTOBER)
    document = report(sold, "model", reporting_currency="EUR")
    assert [row["reporting"]["revenue"] for row in document["rows"]] == [None]
    assert euros(document) == ["16", "1.6", "14.4", "14.4"]


def test_the_total_of_two_months_has_each_at_its_own_rate(sold: Store) -> None:
    """Also a month of which the rows know nothing but revenue."""
    rate(sold, "1.25", date(2026, 9, 1), OCTOBER)
    rate(sold, "2", date(2026, 10, 31), NOVEMBER)
    october = {"start": datetime(2026, 10, 1, tzinfo=UTC), "end": datetime(2026, 11, 1, tzinfo=UTC)}
    paid(sold, NOVEMBER, subscription("c2", "20", **october))
    document = report(sold, "model", "month", reporting_currency="EUR")
    assert rows(document, "month") == [("2026-09",)]
    assert euros(document) == ["26", "1.6", "24.4", "24.4"]


def test_a_total_whose_cost_is_known_by_now_is_no_bound(sold: Store) -> None:
    """What had no price in a closed month is booked in the next one: neither is whole without the other."""
    rate(sold, "1.25", date(2026, 9, 1), OCTOBER)
    used(sold, SEPTEMBER, 2, offer="direct:acme/later")
    caught_up(sold, OCTOBER)
    close(sold, "2026-09", OCTOBER)
    priced(sold, NOVEMBER, (make.SINCE, None, make.rates("1", "2")), offer="direct:acme/later")
    caught_up(sold, NOVEMBER)
    document = report(sold, "month", reporting_currency="EUR")
    assert [row["reporting"]["gross_profit"] for row in document["rows"]] == [None, None]
    assert (document["total"]["gross_profit_usd"], euros(document)) == ("16", ["16", "3.2", "12.8", "12.8"])


def test_what_is_unknown_in_dollars_is_so_in_another_currency(sold: Store) -> None:
    """A row without a cost leaves what is left unknown."""
    rate(sold, "1.25", date(2026, 9, 1), OCTOBER)
    used(sold, SEPTEMBER, 2, offer="direct:nobody/x")
    assert euros(report(sold, "plan", reporting_currency="EUR")) == ["16", "1.6", None, None]


def test_a_rate_that_comes_after_a_month_was_closed_is_named_as_the_reason(sold: Store) -> None:
    """Its report stays as it was: the refusal says since when, and what there is to do."""
    with pytest.raises(NotFound, match="EUR 2026-09-30"):
        report(sold, "plan", reporting_currency="EUR", **MONTH)
    caught_up(sold, OCTOBER)
    close(sold, "2026-09", OCTOBER)
    rate(sold, "1.25", date(2026, 9, 1), NOVEMBER)
    with pytest.raises(Conflict) as refused:
        report(sold, "plan", reporting_currency="EUR", **MONTH)
    assert (refused.value.kind, refused.value.id) == ("fx_rate", "EUR 2026-09-30")
    for words in ("2026-10-05T12:00:00Z", "reopen", "basis=usage"):
        assert words in refused.value.problem
    by_use = report(sold, "plan", reporting_currency="EUR", basis="usage", **MONTH)
    sold.tell(
        lambda connection: closing.reopen(connection, "2026-09", By(actor="test", at=NOVEMBER, reason="the rate"))
    )
    opened = report(sold, "plan", reporting_currency="EUR", **MONTH)
    assert euros(by_use) == euros(opened) == ["16", "1.6", "14.4", "14.4"]


def test_the_costs_of_a_closed_month_keep_the_rate_that_its_margin_has(sold: Store) -> None:
    """A nearer rate comes once it is closed: both stay as they were, and where none was known both are refused."""
    rate(sold, "1.25", date(2026, 9, 1), OCTOBER)
    caught_up(sold, OCTOBER)
    close(sold, "2026-09", OCTOBER)
    rate(sold, "1.6", date(2026, 9, 30), NOVEMBER)
    euro = Question(by=("month",), reporting_currency="EUR", **MONTH)
    with sold.read() as connection:
        costs = cost_report(connection, euro, by_unit=False)
        assert costs["total"]["reporting"]["cost"] == "1.6"
        assert costs["pending_work"] == 0
        assert margin_report(connection, euro)["total"]["reporting"]["token_cost"] == "1.6"
        with pytest.raises(Conflict, match="GBP 2026-09-30"):
            cost_report(connection, replace(euro, reporting_currency="GBP"), by_unit=False)


def test_what_is_not_in_dollars_is_not_so_once_it_is_taken_back_in_a_later_month(sold: Store) -> None:
    """September is closed and says 3000 yen for ever; they were 30 dollars, and the year has no yen."""
    paid(sold, OCTOBER, subscription("c2", "3000", id="j", currency="JPY"))
    caught_up(sold, OCTOBER)
    close(sold, "2026-09", OCTOBER)
    dollars = subscription("c2", "30", id="j")
    sold.tell(lambda connection: earnings.take(connection, [dollars], at=NOVEMBER, by="test", mutable=True))
    document = report(sold, "month")
    assert [row["unconverted"] for row in document["rows"]] == [{"JPY": "3000"}, {"JPY": "-3000"}]
    figures = {name: document["total"][name] for name in ("unconverted", "revenue_usd", "bounds", "gross_profit_usd")}
    assert figures == {name: report(sold)["total"][name] for name in figures}
    assert figures == {"unconverted": {}, "revenue_usd": "50", "bounds": None, "gross_profit_usd": "48"}


def test_what_is_not_in_dollars_is_earned_day_by_day(sold: Store) -> None:
    """Thirty days have a hundred yen each, and together what the month has."""
    paid(sold, OCTOBER, subscription("c2", "3000", id="j", currency="JPY"))
    document = report(sold, "day", **MONTH)
    assert {row["unconverted"]["JPY"] for row in document["rows"]} == {"100"}
    assert document["total"]["unconverted"] == report(sold, **MONTH)["total"]["unconverted"] == {"JPY": "3000"}
