"""What becomes known late is booked late: as the difference, for every row it concerns, in an open month."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
import sqlalchemy as sa

from planner.core.claim import Segment
from planner.core.event import Role
from planner.core.money import pico_text
from planner.core.price import RateTable
from planner.flows import ingest, rebook, roles
from planner.flows.correct import correct_price
from planner.flows.rebook import Rebooked
from planner.flows.second import By
from planner.store import agreements, customers, work
from planner.store.customers import Assignment
from planner.store.engine import Store
from planner.store.streams import Stream
from tests.ledger_books import (
    BROKERED,
    DAY,
    HOUR,
    LAX,
    NOON,
    OFFER,
    SEPTEMBER,
    SINCE,
    asked,
    booked,
    by_month,
    cards,
    catch_up,
    claim,
    close,
    deltas,
    event,
    facts,
    know,
    listed,
    statuses,
    take,
    total,
)
from tests.make import MTOK, rates

LATER = NOON + HOUR


@pytest.fixture
def books(store: Store) -> Store:
    """Books in which a million tokens in cost 3 dollars, out 15, directly and through the broker."""
    know(store)
    listed(store, claim(OFFER, rates("3", "15")), claim(BROKERED, rates("3", "15")))
    return store


def corrected(store: Store, begins: int, ends: int, table: RateTable) -> None:
    """Find out that a price was another one, from a day of September to another."""
    stretch = Segment(SEPTEMBER + begins * DAY, SEPTEMBER + ends * DAY, table)
    store.tell(
        lambda connection: correct_price(
            connection, OFFER, stretch, source_url="https://i.test", at=LATER, actor="ada", reason="invoice", bounds=LAX
        )
    )


def contract(store: Store, percent: str, since: int = 0) -> int:
    """Record a discount with the provider, from a day of September on."""
    row = {
        "name": "c", "channel_id": "direct", "provider_id": "acme", "model_id": None, "discount_percent": percent,
        "commitment_usd": None, "commitment_period": None, "valid_from": SEPTEMBER + since * DAY, "valid_to": None,
        "reference": "paper",
    }  # fmt: skip
    return store.tell(
        lambda connection: agreements.add_contract(connection, row, at=LATER, actor="ada", reason="signed")
    )


def fee(store: Store, percent: str, since: int = 0) -> int:
    """Record a fee of the broker, from a day of September on."""
    row = {
        "channel_id": "broker", "percent": percent, "basis": "added_to_top_up", "payment": "credit",
        "valid_from": SEPTEMBER + since * DAY, "valid_to": None, "source": "s", "source_url": "https://s.test",
        "allowance_usd_per_month": None, "minimum_usd": None,
    }  # fmt: skip
    return store.tell(lambda connection: agreements.add_fee(connection, row, at=LATER, actor="ada", reason="told"))


# --- prices ---------------------------------------------------------------------------------------------------------


def test_a_price_that_comes_late_makes_one_line_for_each_row(books: Store) -> None:
    """Unpriced until then, with no card before and the new one after; what it came to is in the sums."""
    new = "direct:acme/new"
    listed(books, claim(new, Segment(NOON, None, rates("8"))), at=NOON)
    take(books, event("1", offer=new), event("2", offer=new, output_tokens=MTOK), event("3"))
    assert (total(books).cost, catch_up(books)) == (3 * 10**12, Rebooked(0, 0, 0))
    listed(books, claim(new, Segment(SINCE, None, rates("5", "9"))), at=LATER)
    done = catch_up(books, LATER)
    assert (done.lines, done.waiting) == (2, 0)
    with books.read() as connection:
        (card,) = cards(connection, new)
    assert booked(books, deltas=True) == [
        ("repriced", "1", "2026-09", "5", None, card), ("repriced", "2", "2026-09", "9", None, card),
    ]  # fmt: skip
    assert {heads: one.rows for (_label, heads), one in facts(books, asked(("cost_basis",))).items()} == {("rated",): 3}
    assert catch_up(books, LATER) == Rebooked(0, 0, 0)


def test_a_correction_concerns_the_rows_it_overlaps_and_no_other(books: Store) -> None:
    """Four rows, two inside; each line names the card before and the card after; the same again adds nothing."""
    take(books, *(event(str(day), SEPTEMBER + day * DAY) for day in (1, 2, 3, 4)))
    with books.read() as connection:
        (old,) = cards(connection)
    corrected(books, 2, 4, rates("2.5", "15"))
    assert catch_up(books).lines == 2
    with books.read() as connection:
        _before, new, _after = cards(connection)
    assert booked(books, deltas=True) == [
        ("repriced", "2", "2026-09", "-0.5", old, new), ("repriced", "3", "2026-09", "-0.5", old, new),
    ]  # fmt: skip
    corrected(books, 2, 4, rates("2.5", "15"))
    assert catch_up(books).lines == 0
    corrected(books, 3, 4, rates("4", "15"))
    assert (catch_up(books).lines, deltas(books)[-1]) == (1, ("repriced", "3", "2026-09", "1.5"))
    assert pico_text(total(books).cost) == "12.5"


def test_a_card_that_is_only_cut_makes_no_line(books: Store) -> None:
    """A price for next month ends the card of this one, and a correction may say what was said; no cost moves."""
    take(books, event("1"), event("2", SEPTEMBER + DAY))
    listed(books, claim(OFFER, Segment(SINCE, NOON, rates("3", "15")), Segment(NOON, None, rates("4", "15"))), at=LATER)
    corrected(books, 0, 1, rates("3", "15"))
    assert catch_up(books).lines == 0
    assert len(booked(books)) == 2


def test_another_rate_that_a_row_did_not_use_makes_no_line(books: Store) -> None:
    """Only answers became dearer; a prompt costs what it did, and stays with the card it was rated by."""
    take(books, event("1"), event("2", output_tokens=MTOK))
    before = booked(books)[0]
    corrected(books, 0, 1, rates("3", "16"))
    assert (catch_up(books).lines, deltas(books)) == (1, [("repriced", "2", "2026-09", "1")])
    assert booked(books)[0] == before
    assert len(facts(books, asked(("price_version",)))) == 2


def test_an_aggregate_is_reached_from_its_end_too(books: Store) -> None:
    """A month that began before the corrected week has bounds now; one that ended before has not."""
    take(
        books, event("month", SEPTEMBER - 5 * DAY, until=SEPTEMBER + 25 * DAY),
        event("early", SEPTEMBER - 5 * DAY, until=SEPTEMBER),
    )  # fmt: skip
    corrected(books, 10, 17, rates("5", "15"))
    assert catch_up(books).lines == 1
    assert (pico_text(total(books).cost), pico_text(total(books).high)) == ("6", "8")
    assert deltas(books) == [("repriced", "month", "2026-08", "0")]


def test_a_price_for_tomorrow_concerns_what_is_told_of_tomorrow(books: Store) -> None:
    """A row whose clock runs ahead, and the aggregate of a day that is not over."""
    tomorrow = NOON + 6 * HOUR
    take(books, event("fast", tomorrow), event("day", NOON - 12 * HOUR, until=NOON + 12 * HOUR), event("now", NOON))
    stretches = Segment(SINCE, tomorrow, rates("3", "15")), Segment(tomorrow, None, rates("4", "15"))
    listed(books, claim(OFFER, *stretches), at=NOON + HOUR)
    assert catch_up(books, NOON + HOUR).lines == 2
    assert (pico_text(total(books).cost), pico_text(total(books).high)) == ("10", "11")


def test_two_revisions_of_one_moment_are_both_seen(books: Store) -> None:
    """Which of them closed a card is not on record: everything that moved is looked at."""
    take(books, event("1"), event("2", offer="direct:acme/other"))
    listed(books, claim("direct:acme/other", rates("1")), at=LATER)
    catch_up(books)
    take(books, event("3"))
    listed(books, claim("direct:acme/third", rates("1")), at=LATER)
    listed(books, claim(OFFER, rates("7", "15")), at=LATER)
    assert catch_up(books).lines == 2
    assert pico_text(total(books).cost) == "15"


def test_what_is_learnt_before_anything_was_told_makes_no_work(books: Store) -> None:
    """The first rows are rated by what is known; until then no revision concerns anybody."""
    listed(books, claim(OFFER, rates("4", "15")), at=NOON)
    assert catch_up(books) == Rebooked(0, 0, 0)
    take(books, event("1"))
    assert catch_up(books) == Rebooked(0, 0, 0)


# --- fees and contracts ---------------------------------------------------------------------------------------------


def test_a_contract_that_is_recorded_late_makes_lines(books: Store) -> None:
    """From the day it holds; voided, they are taken back; no price had to move for that, and nothing else does."""
    take(books, event("1"), event("2", SEPTEMBER + 2 * DAY), event("3", SEPTEMBER + 2 * DAY, offer=BROKERED))
    number = contract(books, "12.5", since=1)
    with books.read() as connection:
        assert rebook.behind(connection) == 1
    assert (catch_up(books).lines, deltas(books)) == (1, [("repriced", "2", "2026-09", "-0.375")])
    books.tell(lambda connection: agreements.void(connection, "contract", number, at=LATER, actor="a", reason="no"))
    assert (catch_up(books).lines, deltas(books)[1:]) == (1, [("repriced", "2", "2026-09", "0.375")])
    assert total(books).cost == total(books).list


def test_a_fee_that_is_recorded_late_makes_lines(books: Store) -> None:
    """5.5 % of what the broker served; ended on the third, what came after costs what it did."""
    rows = [event(str(day), SEPTEMBER + day * DAY, offer=BROKERED) for day in (1, 2, 3)]
    take(books, *rows, event("direct"))
    number = fee(books, "5.5")
    assert (catch_up(books).lines, {line[3] for line in deltas(books)}) == (3, {"0.165"})
    books.tell(
        lambda connection: agreements.end(
            connection, "fee", number, SEPTEMBER + 3 * DAY, at=LATER, actor="a", reason="no"
        )
    )
    assert (catch_up(books).lines, deltas(books)[3:]) == (1, [("repriced", "3", "2026-09", "-0.165")])


def test_another_way_of_paying_makes_lines(books: Store) -> None:
    """With one's own keys the broker takes 5 % instead of 10."""
    fee(books, "10")
    books.tell(
        lambda connection: agreements.add_fee(
            connection,
            {
                "channel_id": "broker", "percent": "5", "basis": "of_list_price", "payment": "own_key",
                "valid_from": SINCE, "valid_to": None, "source": "s", "source_url": "https://s.test",
                "allowance_usd_per_month": None, "minimum_usd": None,
            },
            at=LATER, actor="ada", reason="told",
        )
    )  # fmt: skip
    take(books, *(event(str(day), SEPTEMBER + day * DAY, offer=BROKERED) for day in (1, 2)))
    assert (catch_up(books).lines, pico_text(total(books).cost)) == (0, "6.6")
    begins = SEPTEMBER + 2 * DAY
    books.tell(
        lambda connection: agreements.pay(
            connection, "broker", "own_key", None, begins, at=LATER, actor="ada", reason="keys"
        )
    )
    catch_up(books)
    assert deltas(books) == [("repriced", "2", "2026-09", "-0.15")]


# --- who served, and for whom ---------------------------------------------------------------------------------------


def test_an_offer_that_is_registered_late_serves_its_rows(books: Store) -> None:
    """By its id, and by the names a stream gave; the rows say so from then on, and follow its price."""
    names = {"provider": "acme", "model": "new"}
    take(books, event("1", offer="direct:acme/new"), event("2", **names), event("3", provider="acme", model="no"))
    listed(books, claim("direct:acme/new", rates("5")), at=LATER)
    assert catch_up(books).lines == 2
    found = facts(books, asked(("offer", "provider", "model", "unpriced")))
    assert {heads: pico_text(one.cost) for (_label, heads), one in found.items()} == {
        ("direct:acme/new", "acme", "new", ""): "10", ("", "acme", "no", "unknown_offer"): "0",
    }  # fmt: skip
    listed(books, claim("direct:acme/new", rates("6")), at=LATER + HOUR)
    assert (catch_up(books).lines, total(books).cost) == (2, 12 * 10**12)


def test_a_customer_that_becomes_known_moves_and_costs_the_same(books: Store) -> None:
    """Its id in a stream, then its plan from a day on: lines of no dollars; the card it was rated by stays."""
    take(
        books, event("1", customer="u-1"), event("2", SEPTEMBER + 5 * DAY, customer="u-1"),
        event("3", SEPTEMBER + 5 * DAY, customer="u-1", plan="own"), event("4", customer="u-2"),
    )  # fmt: skip
    versions = {line[5] for line in booked(books)}
    listed(books, claim(OFFER, Segment(SINCE, NOON, rates("3", "15")), Segment(NOON, None, rates("4", "15"))), at=LATER)

    def joined(connection: sa.Connection) -> None:
        customers.put(connection, "c1", "One", LATER, "ada")
        customers.set_ids(connection, "c1", [("backend", "u-1")], LATER, "ada")
        customers.assign(connection, "c1", Assignment("pro", SEPTEMBER + 5 * DAY, None), LATER, "ada")
        work.add(connection, "customer", {"ids": [["backend", "u-1"]]}, LATER)

    books.tell(joined)
    assert catch_up(books).lines == 3
    assert [line[:4] for line in deltas(books)] == [("reassigned", n, "2026-09", "0") for n in "123"]
    found = facts(books, asked(("customer", "matched", "plan")))
    assert {heads: one.rows for (_label, heads), one in found.items()} == {
        ("c1", True, ""): 1, ("c1", True, "pro"): 1, ("c1", True, "own"): 1, ("u-2", False, ""): 1,
    }  # fmt: skip
    assert {line[5] for line in booked(books)} == versions


def test_a_stream_that_turns_out_exclusive_is_counted_anew(books: Store) -> None:
    """Taken as containing 12,000 of 20,000; then a row shows that it does not: $0.0276 becomes $0.0636 at once."""
    listed(books, claim(OFFER, rates("3", "15", cache_read="0.30")), at=NOON)
    log = Stream("log", Role.LEDGER)
    row = event("1", source="log", input_tokens=20_000, cache_read_tokens=12_000)
    take(books, row, replace(row, id="other", provider="acme", model="small", offer=None), stream=log)
    assert pico_text(total(books).cost) == "0.0552"
    assert statuses(take(books, event("2", source="log", input_tokens=1, cache_read_tokens=2), stream=log)) == [
        "stored"
    ]
    before = total(books).cost
    assert catch_up(books).lines == 1
    assert (deltas(books), pico_text(total(books).cost - before)) == ([("recounted", "1", "2026-09", "0.036")], "0.036")


def test_a_stream_s_role_books_its_rows_and_books_them_back(books: Store) -> None:
    """What a person chose for it, for what it sent before too; a request that counts elsewhere stays out."""
    take(books, event("a", request_id="r"))
    log = Stream("log", Role.EVIDENCE)
    take(books, event("1", source="log"), event("2", source="log", request_id="r"), stream=log)
    by = By(actor="ada", at=LATER, reason="it counts")
    books.tell(lambda connection: roles.choose(connection, "log", Role.LEDGER, by))
    catch_up(books)
    assert (deltas(books), total(books).rows) == ([], 2)
    books.tell(lambda connection: roles.choose(connection, "log", Role.EVIDENCE, by))
    catch_up(books)
    assert (deltas(books), total(books).rows) == ([("unbooked", "1", "2026-09", "-3")], 1)


# --- in which month, and known when ---------------------------------------------------------------------------------


def test_a_difference_is_booked_in_an_open_month(books: Store) -> None:
    """September is closed and its report stays what it was; by the time of use the month costs what it cost."""
    take(books, event("1"), event("2", SEPTEMBER + 40 * DAY))
    close(books, "2026-09")
    contract(books, "10")
    catch_up(books)
    assert deltas(books) == [("repriced", "1", "2026-10", "-0.3"), ("repriced", "2", "2026-10", "-0.3")]
    assert by_month(books) == {"2026-09": "3", "2026-10": "2.4"}
    assert by_month(books, basis="usage") == {"2026-09": "2.7", "2026-10": "2.7"}
    close(books, "2026-10")
    take(books, event("3"))
    assert by_month(books) == {"2026-09": "3", "2026-10": "2.4", "2026-11": "2.7"}


def test_what_was_known_earlier_can_be_asked(books: Store) -> None:
    """Before the contract, before the second row, before everything; by both times, and for every head."""
    take(books, event("1", plan="pro"), at=NOON)
    take(books, event("2", plan="pro", customer="c"), at=NOON + HOUR)
    close(books, "2026-09", NOON + HOUR)
    contract(books, "10")
    catch_up(books, NOON + 2 * HOUR)
    moments = [NOON - HOUR, NOON, NOON + HOUR, NOON + 2 * HOUR, None]
    assert [by_month(books, known_at=at) for at in moments] == [
        {}, {"2026-09": "3"}, {"2026-09": "6"}, *[{"2026-09": "6", "2026-10": "-0.6"}] * 2,
    ]  # fmt: skip
    assert [by_month(books, known_at=at, basis="usage").get("2026-09") for at in moments] == [
        None, "3", "6", "5.4", "5.4",
    ]  # fmt: skip
    by_customer = facts(books, asked(("customer",), known_at=NOON + HOUR, where=(("plan", ("pro",)),)))
    assert {heads: one.rows for (_label, heads), one in by_customer.items()} == {("",): 1, ("c",): 1}
    assert facts(books, asked(known_at=NOON + HOUR, where=(("plan", ("free",)),))) == {}


def test_many_rows_are_booked_a_piece_at_a_time(books: Store) -> None:
    """A bounded transaction each; in between the books are whole, and every row has its one line in the end."""
    rows = [
        event(str(number), SEPTEMBER + number * timedelta(minutes=1), input_tokens=1_000) for number in range(2_500)
    ]
    take(books, *rows)
    catch_up(books)
    contract(books, "50")
    first = rebook.catch_up(books, lambda: LATER, turns_max=1)
    assert (first.rows, first.lines, first.waiting) == (2_000, 2_000, 1)
    assert total(books).cost == 1_500 * 3 * 10**9
    assert rebook.catch_up(books, lambda: LATER) == Rebooked(500, 500, 0)
    assert pico_text(total(books).cost) == str(Decimal("3.75"))
    assert sorted(line[1] for line in deltas(books)) == sorted(row.id for row in rows)


def test_what_was_voided_is_not_booked_anew(books: Store) -> None:
    """Nobody pays for it at any price."""
    take(books, event("1"), event("2"))
    books.tell(lambda connection: ingest.void(connection, "backend", "1", at=NOON, by="ada"))
    contract(books, "10")
    assert (catch_up(books).lines, pico_text(total(books).cost)) == (1, "2.7")


def test_lines_add_up_to_the_books(books: Store) -> None:
    """Whatever happened: the dollars of all lines are those of the sums."""
    take(books, *(event(str(n), SEPTEMBER + n * DAY, offer=(OFFER, BROKERED)[n % 2]) for n in range(10)))
    contract(books, "12.5", since=3)
    fee(books, "5.5", since=4)
    corrected(books, 2, 7, rates("2.75", "15"))
    catch_up(books)
    books.tell(lambda connection: ingest.void(connection, "backend", "4", at=LATER, by="ada"))
    added = sum((Fraction(line[3]) for line in booked(books)), Fraction())
    assert added * 10**12 == total(books).cost
    with books.read() as connection:
        assert rebook.behind(connection) == 0
