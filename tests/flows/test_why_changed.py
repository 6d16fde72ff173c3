"""Two periods of the books set against each other: terms that are the difference of their two reports."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from planner.core.claim import Segment
from planner.core.errors import InvalidInput
from planner.core.event import StatedBy
from planner.flows import earnings
from planner.flows.margin_report import Question, margin_report
from planner.flows.why_changed import Comparison, why_changed
from planner.store.engine import Store
from tests import make
from tests.bulk_books import NEW, Pair, both, contract, usual, written
from tests.flows.test_margin_report import subscription
from tests.ledger_books import DAY, NOON, OFFER, SEPTEMBER, catch_up, claim, event, listed, take
from tests.make import MTOK, rates

OCTOBER = SEPTEMBER + 30 * DAY
MONTHS = (date(2026, 9, 1), date(2026, 10, 1), date(2026, 11, 1))


def asked(store: Store, **more: Any) -> dict[str, Any]:
    """Ask why October cost otherwise than September."""
    first, second, third = MONTHS
    words = {"since": second, "until": third, "before_since": first, "before_until": second, **more}
    with store.read() as connection:
        return why_changed(connection, Comparison(**words))


def report(store: Store, since: date, until: date) -> dict[str, Any]:
    """Return the total of the margin report of some days, by the time of use."""
    with store.read() as connection:
        document = margin_report(connection, Question(by=("plan",), since=since, until=until, basis="usage"))
    total: dict[str, Any] = document["total"]
    return total


def terms(found: dict[str, Any]) -> dict[str, str]:
    """Return the terms that are something."""
    return {one["term"]: one["usd"] for one in found["terms"] if one["usd"] != "0"}


def test_terms_are_the_difference_of_two_reports(pair: Pair, tmp_path: Path) -> None:
    """Of rows on record and in files, with late contracts and rows without a price: to the last digit."""
    for store in pair:
        listed(store, claim(NEW, rates("1.5", "7", cache_read="0.11")), at=NOON)
    both(pair, written(tmp_path / "log.csv", usual(60)))
    pair.each(contract)
    found = []
    for store in pair:
        catch_up(store)
        found.append(asked(store, by=("plan", "offer")))
        before, after = (report(store, *days)["token_cost_usd"] for days in (MONTHS[:2], MONTHS[1:]))
        sides = found[-1]["before"]["token_cost_usd"], found[-1]["after"]["token_cost_usd"]
        assert sides == (before, after)
        assert sum(Decimal(one["usd"]) for one in found[-1]["terms"]) == Decimal(after) - Decimal(before)
        for place, term in enumerate(found[-1]["terms"]):
            assert Decimal(term["usd"]) == sum(Decimal(line["terms"][place]["usd"]) for line in found[-1]["rows"])
    assert found[0] == found[1]
    assert found[0]["profit"] is None
    assert "unpriced" in found[0]["after"]["bounds"]
    assert any("without a price" in said for said in found[0]["notes"])


def test_each_cause_has_its_term(books: Store) -> None:
    """Twice the requests; one of two by a cheaper offer; then a dearer list."""
    take(books, event("1"), event("2", OCTOBER), event("3", OCTOBER))
    assert terms(asked(books)) == {"volume": "3"}
    listed(books, claim(NEW, rates("1", "1")), at=NOON)
    take(books, event("4", offer=NEW))
    assert terms(asked(books)) == {"mix": "2"}
    moved = Segment(make.SINCE, OCTOBER - DAY, rates("3", "15")), Segment(OCTOBER - DAY, None, rates("4", "15"))
    listed(books, claim(OFFER, *moved), at=NOON)
    catch_up(books)
    assert terms(asked(books)) == {"mix": "2", "price": "2"}


def test_longer_requests_and_a_cache_are_told_apart(books: Store) -> None:
    """Twice as long, and half of that read from a cache at a tenth of the price."""
    listed(books, claim(OFFER, rates("3", "15", cache_read="0.30")), at=NOON)
    take(books, event("1"), event("2", OCTOBER, input_tokens=2 * MTOK, cache_read_tokens=MTOK))
    assert terms(asked(books)) == {"token_intensity": "3", "cache": "-2.7"}


def test_what_is_left_changes_with_what_came_in(books: Store) -> None:
    """Revenue less all costs, term by term, is the difference of both reports' gross profits."""
    item = subscription("c1", "20")
    books.tell(lambda connection: earnings.take(connection, [item], at=NOON, by="test"))
    take(books, event("1", plan="pro"), event("2", OCTOBER, plan="pro"), event("3", OCTOBER, plan="pro"))
    found = asked(books)
    profit = found["profit"]
    before, after = (Decimal(report(books, *days)["gross_profit_usd"]) for days in (MONTHS[:2], MONTHS[1:]))
    assert (profit["before_usd"], profit["after_usd"]) == (str(before), str(after))
    assert sum(Decimal(one["usd"]) for one in profit["terms"]) == after - before == Decimal(profit["difference_usd"])
    told = {one["term"]: one["usd"] for one in profit["terms"] if one["usd"] != "0"}
    assert told == {"revenue": "-20", "volume": "-3"}
    only = asked(books, where={"model": frozenset({"small"})})
    assert (only["profit"], only["before"]["revenue_usd"]) == (None, None)


def test_what_is_only_reported_is_a_price_of_its_rows(books: Store) -> None:
    """It counts as in the report, and nothing in it is told apart."""
    stated = {"provider": "acme", "model": "x", "stated_by": StatedBy.PROVIDER}
    take(books, event("1", stated_usd=Decimal(1), **stated), event("2", OCTOBER, stated_usd=Decimal(3), **stated))
    assert terms(asked(books)) == {"price": "2"}


def test_coarse_rows_are_told_by_what_they_cost_at_least(books: Store) -> None:
    """And the answer says so; where nothing was used there is nothing to tell."""
    assert terms(asked(books)) == {}
    listed(books, claim(OFFER, rates("3", "15", cache_read="0.30")), at=NOON)
    take(books, event("1", OCTOBER, cache_stated=False))
    found = asked(books)
    assert (terms(found), found["after"]["token_cost_max_usd"]) == ({"volume": "0.3"}, "3")
    assert any("bounds" in said for said in found["notes"])


@pytest.mark.parametrize("words", [{"by": ("day",)}, {"by": ("plan", "plan")}, {"where": {"day": frozenset({"x"})}}])
def test_what_is_no_question_is_refused(books: Store, words: dict[str, Any]) -> None:
    """A head there is not, or one twice."""
    with pytest.raises(InvalidInput):
        asked(books, **words)
