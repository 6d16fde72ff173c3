"""Commitments in the margin report: a cost once, in the right month, and never in one that was closed."""

from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

import pytest
import sqlalchemy as sa

from planner.core.errors import Conflict, InvalidInput, NotFound
from planner.flows import agreement, commitments
from planner.flows.margin_report import Question, margin_report, statement_digest
from planner.store import commitments as rows
from planner.store import tables as t
from planner.store.engine import Store
from tests.ledger_books import BROKERED, DAY, HOUR, NOON, OFFER, SEPTEMBER, claim, close, event, listed, take
from tests.make import rates

OCTOBER, NOVEMBER = (datetime(2026, month, 1, tzinfo=UTC) for month in (10, 11))


def enter(store: Store, kind: str, amount: str, /, at: datetime = SEPTEMBER, **more: Any) -> int:
    """Enter a commitment with acme, of September and October unless it says something else."""
    row = {
        "name": f"{kind} {amount}", "kind": kind, "channel_id": "direct", "provider_id": "acme", "model_id": None,
        "service_tier": None, "amount": amount, "currency": "USD", "valid_from": SEPTEMBER, "valid_to": NOVEMBER,
        "reference": "paper", **more,
    }  # fmt: skip
    done = store.tell(lambda connection: commitments.add(connection, row, at=at, actor="ada", reason="signed"))
    return int(done["id"])


def void(store: Store, id_: int, at: datetime = NOON) -> None:
    """Take a commitment off the record."""
    store.tell(lambda connection: commitments.void(connection, id_, at=at, actor="ada", reason="a slip"))


def report(store: Store, **more: Any) -> dict[str, Any]:
    """Ask for the margins of the last months of the year."""
    asked: dict[str, Any] = {"by": ("month",), "since": date(2026, 9, 1), "until": date(2027, 1, 1), **more}
    with store.read() as connection:
        return margin_report(connection, Question(**asked))


def beside(document: dict[str, Any], *heads: str) -> dict[Any, tuple[str, str]]:
    """Return token cost and what commitments cost beside it, by heads."""
    names = heads or ("month",)
    keys = [tuple(row[name] for name in names) for row in document["rows"]]
    found = {
        key[0] if len(key) == 1 else key: (row["token_cost_usd"], row["commitments_usd"])
        for key, row in zip(keys, document["rows"], strict=True)
    }
    total = document["total"]
    return {**found, "total": (total["token_cost_usd"], total["commitments_usd"])}


def test_without_commitments_a_report_is_what_it_was(books: Store) -> None:
    """No figure and no evidence of any."""
    take(books, event("1"))
    document = report(books)
    assert "commitments_usd" not in document["total"]
    assert "commitments" not in document["evidence"]


@pytest.mark.parametrize("kind", ["prepaid", "spend"])
def test_what_is_drawn_down_is_the_usage_and_what_is_left_a_cost_at_the_end(books: Store, kind: str) -> None:
    """100 dollars, 9 of usage: 91 are a cost of October, in which the term ends, and of no plan."""
    take(books, event("1", plan="pro"), event("2", OCTOBER, plan="pro"), event("3", OCTOBER + DAY))
    enter(books, kind, "100")
    assert beside(report(books)) == {"2026-09": ("3", "0"), "2026-10": ("6", "91"), "total": ("9", "91")}
    assert beside(report(books, by=("plan",)), "plan") == {
        "pro": ("6", "0"), "unassigned": ("3", "91"), "total": ("9", "91"),
    }  # fmt: skip
    (one,) = report(books)["evidence"]["commitments"]
    assert (one["covered_usd"], one["unused_usd"], one["ended"]) == ("9", "91", True)
    (one,) = report(books, until=date(2026, 10, 15))["evidence"]["commitments"]
    assert (one["ended"], report(books, until=date(2026, 10, 15))["total"]["commitments_usd"]) == (False, "0")


def test_usage_beyond_a_prepayment_is_a_cost_like_any_other(books: Store) -> None:
    """Nothing is left, and nothing is given back."""
    take(books, event("1"), event("2", OCTOBER))
    enter(books, "prepaid", "5")
    assert beside(report(books))["total"] == ("6", "0")


def test_throughput_takes_the_place_of_what_the_usage_would_cost(books: Store) -> None:
    """61 dollars over 61 days are 30 and 31; split by what was used, and nobody's where nothing was."""
    take(
        books, event("1", plan="pro"), event("2", plan="pro"), event("3", plan="free"), event("4", NOVEMBER, plan="pro")
    )
    enter(books, "throughput", "61")
    assert beside(report(books)) == {
        "2026-09": ("9", "21"), "2026-10": ("0", "31"), "2026-11": ("3", "0"), "total": ("12", "52"),
    }  # fmt: skip
    assert beside(report(books, by=("plan", "month"), until=date(2026, 11, 1)), "plan", "month") == {
        ("pro", "2026-09"): ("6", "14"), ("free", "2026-09"): ("3", "7"), ("unassigned", "2026-10"): ("0", "31"),
        "total": ("9", "52"),
    }  # fmt: skip


def test_throughput_that_saves_is_below_nothing(books: Store) -> None:
    """Two dollars of capacity that served nine of usage: profit and margin rest on the two."""
    take(books, event("1"), event("2"), event("3"))
    enter(books, "throughput", "2", valid_to=OCTOBER)
    total = report(books)["total"]
    assert (total["token_cost_usd"], total["commitments_usd"], total["gross_profit_usd"]) == ("9", "-7", "-2")
    assert total["contribution_usd"] == "-2"


def test_the_days_of_any_zone_come_to_the_whole(books: Store) -> None:
    """Amounts that no day divides: the sum of all days is the amount to the last digit."""
    take(books, event("1"), event("2", SEPTEMBER + 40 * DAY))
    enter(books, "throughput", "100.000000000007")
    for zone in ("UTC", "Asia/Kolkata", "America/New_York"):
        document = report(books, by=("day",), since=date(2026, 8, 31), until=date(2026, 11, 2), tz=zone)
        days = [Fraction(row["token_cost_usd"]) + Fraction(row["commitments_usd"]) for row in document["rows"]]
        assert sum(days) == Fraction("100.000000000007")


@pytest.mark.parametrize(
    ("more", "covered"),
    [
        ({}, "6"),
        ({"service_tier": "batch"}, "0"),
        ({"valid_from": SEPTEMBER + HOUR}, "3"),
        ({"valid_to": SEPTEMBER + 14 * DAY}, "3"),
        ({"provider_id": "bolt"}, "0"),
        ({"channel_id": "broker"}, "3"),
    ],
)
def test_only_what_is_covered_is_drawn(books: Store, more: dict[str, Any], covered: str) -> None:
    """By provider, channel, tier and the time of use."""
    listed(books, claim(BROKERED, rates("3", "15")))
    take(books, event("1"), event("2", SEPTEMBER + 15 * DAY), event("3", offer=BROKERED))
    enter(books, "prepaid", "100", **more)
    (one,) = report(books)["evidence"]["commitments"]
    assert one["covered_usd"] == covered


def test_a_closed_month_keeps_its_bytes_and_the_first_open_one_has_the_rest(books: Store) -> None:
    """Throughput that is entered after September was closed: October has both months of it, and the usage of both."""
    take(books, event("1", plan="pro"), event("2", OCTOBER, plan="free"))
    with books.read() as connection:
        digest = statement_digest(connection, "2026-09")
    close(books, "2026-09")
    enter(books, "throughput", "61", at=NOON + HOUR)
    with books.read() as connection:
        assert statement_digest(connection, "2026-09") == digest
    assert beside(report(books)) == {"2026-09": ("3", "0"), "2026-10": ("3", "55"), "total": ("6", "55")}
    assert beside(report(books, by=("plan",)), "plan") == {
        "pro": ("3", "27.5"), "free": ("3", "27.5"), "total": ("6", "55"),
    }  # fmt: skip
    assert beside(report(books, basis="usage"))["2026-09"] == ("3", "27")
    assert report(books)["evidence"]["commitments"][0]["late"] is True


def test_what_was_unused_in_a_closed_month_is_booked_late(books: Store) -> None:
    """A prepayment of September that nobody had entered before September was closed."""
    take(books, event("1"))
    close(books, "2026-09")
    enter(books, "prepaid", "10", at=NOON + HOUR, valid_to=OCTOBER)
    assert beside(report(books)) == {"2026-09": ("3", "0"), "2026-10": ("0", "7"), "total": ("3", "7")}


def test_usage_that_is_booked_late_is_drawn_late(books: Store) -> None:
    """September's report said that 7 were unused; 3 more were used, and October takes them back."""
    take(books, event("1"))
    enter(books, "prepaid", "10", valid_to=OCTOBER)
    close(books, "2026-09")
    assert beside(report(books))["2026-09"] == ("3", "7")
    take(books, event("2", SEPTEMBER + DAY), at=NOON + HOUR)
    assert beside(report(books)) == {"2026-09": ("3", "7"), "2026-10": ("3", "-3"), "total": ("6", "4")}


def test_a_commitment_that_is_taken_back_leaves_closed_months_alone(books: Store) -> None:
    """What September had of it comes back in October; where nothing was closed it was never there."""
    take(books, event("1"))
    kept = enter(books, "throughput", "30", valid_to=OCTOBER)
    with books.read() as connection:
        digest = statement_digest(connection, "2026-09")
    close(books, "2026-09")
    slip = enter(books, "prepaid", "50", at=NOON + HOUR, valid_from=OCTOBER)
    for id_ in (slip, kept):
        void(books, id_, NOON + 2 * HOUR)
    with books.read() as connection:
        assert statement_digest(connection, "2026-09") == digest
    assert beside(report(books)) == {"2026-09": ("3", "27"), "2026-10": ("0", "-27"), "total": ("3", "0")}
    known = report(books, known_at=NOON + HOUR)
    assert beside(known)["total"] == ("3", "77")


def test_bounds_of_usage_are_no_bounds_under_throughput(books: Store) -> None:
    """What the usage may have cost is what is taken off again; of a prepayment it decides what is left."""
    listed(books, claim(OFFER, rates("3", "15", cache_read="0.30")), at=SEPTEMBER)
    take(books, event("1", SEPTEMBER + DAY, cache_stated=False))
    before = report(books)["total"]
    assert (before["bounds"], before["token_cost_usd"], before["token_cost_max_usd"]) == ("cost_bounds", "0.3", "3")
    id_ = enter(books, "throughput", "30", valid_to=OCTOBER)
    after = report(books)["total"]
    assert (after["bounds"], after["gross_profit_usd"]) == (None, "-30")
    void(books, id_)
    enter(books, "prepaid", "2", valid_to=OCTOBER, at=NOON)
    assert (report(books)["total"]["bounds"], report(books)["total"]["commitments_usd"]) == ("cost_bounds", "1.7")


def test_a_customer_has_his_share_of_throughput(books: Store) -> None:
    """By what he used, as a plan has."""
    take(books, event("1", customer="a"), event("2", customer="a"), event("3", customer="b"))
    enter(books, "throughput", "30", valid_to=OCTOBER)
    document = report(books, by=("customer",))
    assert sorted(row["commitments_usd"] for row in document["rows"]) == ["14", "7"]


def test_another_currency_is_dollars_of_its_first_day(books: Store) -> None:
    """And waits for a rate where there is none."""
    with pytest.raises(NotFound):
        enter(books, "prepaid", "100", currency="EUR")
    rate = {"currency": "EUR", "day": date(2026, 8, 31), "usd": "1.1", "source": "s", "source_url": "u"}
    books.tell(lambda connection: agreement.set_fx(connection, rate, at=SEPTEMBER, actor="ada", reason="r"))
    enter(books, "prepaid", "100", currency="EUR")
    assert report(books)["total"]["commitments_usd"] == "110"


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"provider_id": "nobody"}, NotFound),
        ({"channel_id": "nowhere"}, NotFound),
        ({"model_id": "none/such"}, NotFound),
        ({"valid_to": SEPTEMBER}, InvalidInput),
        ({"valid_from": datetime(2026, 9, 1, 0, 7, tzinfo=UTC)}, InvalidInput),
        ({"service_tier": "batch", "valid_from": OCTOBER}, Conflict),
    ],
)
def test_what_cannot_be_is_refused(books: Store, more: dict[str, Any], error: type[Exception]) -> None:
    """What would cover nothing, has no time, or would pay for the same usage twice."""
    enter(books, "prepaid", "100")
    with pytest.raises(error):
        enter(books, "throughput", "1", **more)
    with books.read() as connection:
        assert len(rows.known_by(connection, None)) == 1


def test_what_is_off_the_record_is_not_taken_off_again(books: Store) -> None:
    """Nor what was never on it; both changes are in the trail."""
    id_ = enter(books, "prepaid", "100")
    for number, error in ((id_, None), (id_, Conflict), (99, NotFound)):
        with pytest.raises(error) if error else books.read():
            void(books, number)
    with books.read() as connection:
        actions = connection.execute(sa.select(t.audit.c.action).where(t.audit.c.subject == f"commitment {id_}"))
        assert actions.scalars().all() == ["commitment.add", "commitment.void"]


def test_two_terms_that_follow_each_other_share_nothing(books: Store) -> None:
    """The usage of each is drawn from its own."""
    take(books, event("1"), event("2", OCTOBER), event("3", OCTOBER))
    enter(books, "prepaid", "10", valid_to=OCTOBER)
    enter(books, "prepaid", "10", valid_from=OCTOBER)
    assert beside(report(books)) == {"2026-09": ("3", "7"), "2026-10": ("6", "4"), "total": ("9", "11")}
