"""The margin report: the price of the moment of use, what came in, and closed months that stay what they were."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from planner.core.claim import Claim, Reading, Segment
from planner.core.event import Event, Role
from planner.core.offer import OfferFacts
from planner.core.price import RateTable
from planner.core.revenue import Item, Kind
from planner.flows import agreement, earnings, joining, rebook
from planner.flows import close as closing
from planner.flows.ingest import ingest
from planner.flows.margin_report import Question, margin_report, statement_digest
from planner.flows.second import By
from planner.store import plans
from planner.store.customers import Assignment
from planner.store.engine import Store
from planner.store.publish import publish
from planner.store.streams import Stream
from tests import make

OFFER = "direct:acme/small"
SEPTEMBER = datetime(2026, 9, 10, 12, tzinfo=UTC)
OCTOBER = datetime(2026, 10, 5, 12, tzinfo=UTC)
NOVEMBER = datetime(2026, 11, 5, 12, tzinfo=UTC)


def priced(store: Store, at: datetime, *spans: tuple[datetime, datetime | None, RateTable], offer: str = OFFER) -> None:
    """Publish what one offer costs, span by span."""
    facts = OfferFacts(model_spelling=offer.rpartition("/")[2], provider="acme", channel="direct")
    segments = tuple(Segment(since, until, table) for since, until, table in spans)
    claim = Claim(offer_id=offer, facts=facts, segments=segments)
    reading = Reading(
        source="test", source_url="https://t.test", observed_at=at, rows_read=1, claims=(claim,), whole=False
    )
    with store.write() as connection:
        publish(connection, [reading], at=at, actor="test", reason="test")


def used(store: Store, at: datetime, number: int = 1, **facts: Any) -> None:
    """Take in one request of 1,000,000 tokens in and 500,000 out."""
    counts = {"input_tokens": 1_000_000, "output_tokens": 500_000}
    event = Event(source="backend", id=f"e{number}", at=at, counts=counts, **{"offer": OFFER, "plan": "pro", **facts})
    stream = Stream("backend", Role.LEDGER, own=True)
    (result,) = store.tell(lambda connection: ingest(connection, stream, [event], at=at, by="test"))
    assert result.status == "stored"


def paid(store: Store, at: datetime, *items: Item) -> None:
    """Take revenue in."""
    store.tell(lambda connection: earnings.take(connection, items, at=at, by="test"))


def subscription(customer: str, usd: str, **facts: Any) -> Item:
    """Make the subscription of September."""
    said = {"source": "stripe", "id": f"sub_{customer}", "kind": Kind.SUBSCRIPTION, "currency": "USD", "plan": "pro"}
    span = {"start": datetime(2026, 9, 1, tzinfo=UTC), "end": datetime(2026, 10, 1, tzinfo=UTC)}
    return Item(**{**said, **span, "amount": Decimal(usd), "customer": customer, "tax": Decimal(0), **facts})


def report(store: Store, *by: str, **asked: Any) -> dict[str, Any]:
    """Return the report of September to November."""
    question = Question(by=by, **{"since": date(2026, 9, 1), "until": date(2026, 12, 1), **asked})
    with store.read() as connection:
        return margin_report(connection, question)


def rows(document: dict[str, Any], *names: str) -> list[tuple[Any, ...]]:
    """Return some columns of a report."""
    return [tuple(row[name] for name in names) for row in document["rows"]]


def september(store: Store, **asked: Any) -> str:
    """Return the bytes of September's report by plan."""
    document = report(store, "plan", "month", since=date(2026, 9, 1), until=date(2026, 10, 1), **asked)
    return json.dumps(document)


def close(store: Store, period: str, at: datetime) -> dict[str, Any]:
    """Close a month."""

    def story(connection: Any) -> dict[str, Any]:
        digest = statement_digest(connection, period)
        return closing.close(connection, period, By(actor="test", at=at, reason="done"), digest)

    return store.tell(story)


def caught_up(store: Store, at: datetime) -> int:
    """Book what waits, and return the lines it made."""
    return rebook.catch_up(store, lambda: at).lines


@pytest.fixture
def priced_store(store: Store) -> Store:
    """A database in which the offer costs $1 in and $2 out per million from the beginning of 2026."""
    priced(store, make.SINCE, (make.SINCE, None, make.rates("1", "2")))
    return store


def test_a_margin_is_what_is_left_of_revenue(priced_store: Store) -> None:
    """$2 of $20 are tokens: 90 % are left, which is a markup of 900 %."""
    used(priced_store, SEPTEMBER)
    paid(priced_store, SEPTEMBER, subscription("c1", "20"))
    document = report(priced_store, "plan", "month")
    assert rows(document, "plan", "month", "revenue_usd", "token_cost_usd", "margin", "markup") == [
        ("pro", "2026-09", "20", "2", "0.9000", "9.0000")
    ]
    assert document["evidence"]["prices"][0]["source_url"] == "https://t.test"


def test_without_a_price_the_margin_is_a_bound(priced_store: Store) -> None:
    """Half the tokens cost nobody knows what: never $0, and no margin."""
    used(priced_store, SEPTEMBER)
    used(priced_store, SEPTEMBER, 2, offer="direct:nobody/x")
    paid(priced_store, SEPTEMBER, subscription("c1", "20"))
    (row,) = report(priced_store, "plan", "month")["rows"]
    assert (row["margin"], row["margin_max"], row["margin_min"], row["coverage"]) == (None, "0.9000", None, "0.5000")
    assert (row["unpriced_rows"], row["unpriced_tokens"], row["gross_profit_usd"]) == (1, 1_500_000, None)


def test_a_margin_of_revenue_that_may_have_tax_in_it_says_so(priced_store: Store) -> None:
    """In its row and in the total; 0.90 is what it is at most."""
    used(priced_store, SEPTEMBER)
    paid(priced_store, SEPTEMBER, subscription("c1", "20", tax=None))
    document = report(priced_store, "plan")
    assert rows(document, "margin", "bounds") == [("0.9000", "tax_unknown")]
    assert (document["total"]["margin"], document["total"]["bounds"]) == ("0.9000", "tax_unknown")


def test_a_price_that_was_missing_is_booked_when_it_is_known(priced_store: Store) -> None:
    """The row keeps its time, the line says what changed and when."""
    used(priced_store, make.SINCE - timedelta(days=3))
    assert report(priced_store, "plan", since=date(2025, 12, 1))["total"]["unpriced_rows"] == 1
    priced(priced_store, NOVEMBER, (make.SINCE - timedelta(days=9), None, make.rates("1", "2")))
    assert caught_up(priced_store, NOVEMBER) == 1
    document = report(priced_store, "plan", since=date(2025, 12, 1))
    assert (document["total"]["token_cost_usd"], document["total"]["unpriced_rows"]) == ("2", 0)
    (line,) = document["evidence"]["lines"]
    assert (line["kind"], line["price_version_old"], line["delta_usd"]) == ("repriced", None, "2")


def test_the_report_of_a_closed_month_keeps_its_bytes(priced_store: Store) -> None:
    """A price of September that is corrected in November is booked in November, and known_at gives both views."""
    used(priced_store, SEPTEMBER)
    paid(priced_store, SEPTEMBER, subscription("c1", "20"))
    caught_up(priced_store, OCTOBER)
    closed = close(priced_store, "2026-09", OCTOBER)
    before, before_by_use = september(priced_store), september(priced_store, basis="usage")

    since, until = datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC)
    dearer, usual = make.rates("3", "2"), make.rates("1", "2")
    priced(priced_store, NOVEMBER, (make.SINCE, since, usual), (since, until, dearer), (until, None, usual))
    assert caught_up(priced_store, NOVEMBER) == 1
    paid(priced_store, NOVEMBER, subscription("c2", "7"))

    assert september(priced_store) == before
    with priced_store.read() as connection:
        assert statement_digest(connection, "2026-09") == closed["report_digest"]
    later = report(priced_store, "plan", "month")
    assert rows(later, "month", "token_cost_usd", "revenue_usd") == [("2026-09", "2", "20"), ("2026-10", "2", "7")]
    by_use = report(priced_store, "plan", "month", basis="usage")
    assert rows(by_use, "month", "token_cost_usd", "revenue_usd") == [("2026-09", "4", "27")]
    assert json.loads(september(priced_store, basis="usage", known_at=OCTOBER)) == {
        **json.loads(before_by_use), "known_at": "2026-10-05T12:00:00Z",
    }  # fmt: skip
    (line,) = later["evidence"]["lines"]
    assert (line["kind"], line["booked_in"], line["usage_at"], line["recorded_at"], line["delta_usd"]) == (
        "repriced", "2026-10", "2026-09-10T12:00:00Z", "2026-11-05T12:00:00Z", "2",
    )  # fmt: skip


def test_usage_that_comes_late_is_booked_in_the_first_open_month(priced_store: Store) -> None:
    """September and October are closed, so it is November's."""
    used(priced_store, SEPTEMBER)
    caught_up(priced_store, NOVEMBER)
    close(priced_store, "2026-09", NOVEMBER)
    used(priced_store, OCTOBER, 2)
    close(priced_store, "2026-10", NOVEMBER)
    used(priced_store, SEPTEMBER, 3)
    assert rows(report(priced_store, "month"), "month", "token_cost_usd") == [
        ("2026-09", "2"), ("2026-10", "2"), ("2026-11", "2"),
    ]  # fmt: skip
    assert rows(report(priced_store, "month", basis="usage"), "month", "token_cost_usd") == [
        ("2026-09", "4"), ("2026-10", "2"),
    ]  # fmt: skip


def test_months_are_closed_in_their_order_and_opened_from_the_last(priced_store: Store) -> None:
    """Books are closed up to one month, and that is not over before it ends."""
    used(priced_store, SEPTEMBER)
    used(priced_store, OCTOBER, 2)
    caught_up(priced_store, NOVEMBER)
    for period, problem in (("2026-10", "2026-09 is still open"), ("2026-11", "it is not over")):
        with pytest.raises(Exception, match=problem):
            close(priced_store, period, NOVEMBER)
    close(priced_store, "2026-09", NOVEMBER)
    close(priced_store, "2026-10", NOVEMBER)
    by = By(actor="test", at=NOVEMBER, reason="once more")
    with pytest.raises(Exception, match="2026-10 is closed too"):
        priced_store.tell(lambda connection: closing.reopen(connection, "2026-09", by))
    assert priced_store.tell(lambda connection: closing.reopen(connection, "2026-10", by))["state"] == "open"


def known(store: Store, customer: str, at: datetime, *ids: tuple[str, str], plan: str | None = None) -> None:
    """Say who a customer is, and since when it is on a plan."""
    by = By(actor="test", at=at, reason="test")
    store.tell(lambda connection: joining.put(connection, customer, customer, ids, by))
    if plan is not None:
        said = Assignment(plan, datetime(2026, 9, 1, tzinfo=UTC), None)
        store.tell(lambda connection: joining.assign(connection, customer, said, by))


def test_usage_and_revenue_meet_under_one_customer(priced_store: Store) -> None:
    """The backend says cust_42 and Stripe cus_1; until somebody says that they are one, both are shown as strangers."""
    used(priced_store, SEPTEMBER, customer="cust_42")
    paid(priced_store, SEPTEMBER, subscription("cus_1", "20"))
    apart = report(priced_store, "customer")
    assert rows(apart, "customer", "revenue_usd", "token_cost_usd") == [("cus_1", "20", "0"), ("cust_42", "0", "2")]
    assert (apart["unmatched"]["token_cost_usd"], apart["unmatched"]["revenue_usd"]) == ("2", "20")
    known(priced_store, "cust_42", OCTOBER, ("stripe", "cus_1"))
    caught_up(priced_store, OCTOBER)
    together = report(priced_store, "customer")
    assert rows(together, "customer", "revenue_usd", "token_cost_usd", "margin") == [("cust_42", "20", "2", "0.9000")]
    assert together["unmatched"]["token_cost_usd"] == "0"


def test_an_events_own_plan_goes_before_its_customers(installed_plans: Store) -> None:
    """Else the plan of the customer at that time counts, and without one it is shown as unassigned."""
    store = installed_plans
    used(store, SEPTEMBER, 1, customer="c1")
    used(store, SEPTEMBER, 2, customer="c1", plan=None)
    used(store, SEPTEMBER - timedelta(days=30), 3, customer="c1", plan=None)
    used(store, SEPTEMBER, 4, customer="c2", plan=None)
    known(store, "c1", OCTOBER, plan="starter")
    caught_up(store, OCTOBER)
    document = report(store, "plan", since=date(2026, 8, 1))
    assert rows(document, "plan", "token_cost_usd") == [("unassigned", "4"), ("pro", "2"), ("starter", "2")]


def test_a_plan_that_nobody_ever_wrote_is_named(installed_plans: Store) -> None:
    """It keeps its row, and stands in the evidence with what hangs on it; no plan at all is no such plan."""
    used(installed_plans, SEPTEMBER, 1)
    used(installed_plans, SEPTEMBER, 2, plan="prp")
    used(installed_plans, SEPTEMBER, 3, plan=None)
    paid(installed_plans, SEPTEMBER, subscription("c1", "20", plan="porp"), subscription("c2", "20"))
    document = report(installed_plans, "plan")
    assert rows(document, "plan", "token_cost_usd") == [
        ("unassigned", "2"), ("porp", "0"), ("pro", "2"), ("prp", "2"),
    ]  # fmt: skip
    unknown = [
        {"plan": "porp", "rows": 0, "token_cost_usd": "0", "revenue_usd": "20"},
        {"plan": "prp", "rows": 1, "token_cost_usd": "2", "revenue_usd": "0"},
    ]
    assert document["evidence"]["unknown_plans"] == unknown
    assert report(installed_plans, "model")["evidence"]["unknown_plans"] == unknown


def test_a_plan_that_was_written_or_removed_is_none_nobody_knows(priced_store: Store) -> None:
    """It is on record since it was written, and what was known before stays what it was."""
    used(priced_store, SEPTEMBER)
    pro = {"id": "pro", "name": "Pro", "price": "20", "currency": "USD", "period": "month", "policy": "x"}
    priced_store.tell(lambda connection: plans.write(connection, "pro", pro, at=OCTOBER, by="ada"))
    priced_store.tell(lambda connection: plans.close(connection, "pro", at=NOVEMBER))
    assert report(priced_store, "plan")["evidence"]["unknown_plans"] == []
    before = report(priced_store, "plan", known_at=SEPTEMBER)
    assert [one["plan"] for one in before["evidence"]["unknown_plans"]] == ["pro"]


@pytest.fixture
def installed_plans(unpriced_copy: Store) -> Store:
    """The plans that travel with planner, and the price of one offer."""
    priced(unpriced_copy, make.SINCE, (make.SINCE, None, make.rates("1", "2")))
    return unpriced_copy


@pytest.mark.parametrize("by", [("plan", "plan"), ("day", "week"), ("colour",)])
def test_a_head_nobody_knows_is_refused(by: Sequence[str]) -> None:
    """Or one that stands there twice."""
    with pytest.raises(Exception, match="by"):
        Question(by=tuple(by), since=date(2026, 9, 1), until=date(2026, 10, 1))


def test_revenue_without_a_rate_waits_for_one(priced_store: Store) -> None:
    """Shown in its own currency, never as 0 dollars; converted once somebody enters the rate of its day."""
    paid(priced_store, SEPTEMBER, subscription("c1", "20", currency="EUR"))
    total = report(priced_store, "customer")["total"]
    assert (total["revenue_usd"], total["unconverted"], total["margin_max"]) == ("0", {"EUR": "20"}, None)
    rate = {"currency": "EUR", "day": date(2026, 9, 1), "usd": "1.1", "source": "test", "source_url": "https://t.test"}
    priced_store.tell(
        lambda connection: agreement.set_fx(connection, rate, at=OCTOBER, actor="test", reason="the rate of the day")
    )
    caught_up(priced_store, OCTOBER)
    total = report(priced_store, "customer")["total"]
    assert (total["revenue_usd"], total["unconverted"]) == ("22", {})
