"""Real usage under a scenario: what is booked where nothing changes, and the same terms wherever the rows lie."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from planner.core.agreement import OF_LIST
from planner.core.claim import Segment
from planner.core.errors import InvalidInput
from planner.core.event import Containment, Outcome, StatedBy
from planner.core.money import pico_text
from planner.core.price import Band, RateTable, UnitPrice, When
from planner.core.scenario import (
    Caching,
    ChannelFee,
    Discount,
    Intensity,
    Repricing,
    Scenario,
    Swap,
    Where,
)
from planner.core.units import Unit
from planner.flows.margin_report import Question as Report
from planner.flows.margin_report import margin_report
from planner.flows.supposing import Question
from planner.flows.what_if import rows_to_read, what_if
from planner.store.engine import Store
from tests import make
from tests.bulk_books import NEW, Pair, both, contract, corrected, placed, row, usual, who, written
from tests.ledger_books import (
    BACKEND,
    DAY,
    HOUR,
    NOON,
    OFFER,
    SEPTEMBER,
    catch_up,
    claim,
    event,
    listed,
    take,
    total,
)
from tests.make import MTOK, rates
from tests.what_ifs import HALF, asked, terms

DEARER = Scenario(
    volume=Fraction(3, 2), swaps=(Swap(where=Where(plan="pro"), to=NEW),),
    intensities=(Intensity(where=Where(model="small"), input_factor=Fraction(11, 10)),),
    caches=(Caching(hit_share=Fraction(2, 5)),), prices=(Repricing(percent=Decimal("12.5")),),
    discounts=(Discount(where=Where(provider="acme"), share=Fraction(1, 7)),),
    fees=(ChannelFee(channel="direct", share=Fraction(1, 30)),),
)  # fmt: skip


# --- nothing changes ---------------------------------------------------------------------------------------------


def test_without_a_change_it_is_what_is_booked(pair: Pair, tmp_path: Path) -> None:
    """To the last digit: rows on record and rows in files, of late prices, contracts and customers, known and not."""
    for store in pair:
        listed(store, claim(NEW, rates("0.000123", "7.77")), at=NOON)
    both(pair, written(tmp_path / "log.csv", usual()))
    for store in pair:
        store.tell(corrected(2, 20, "2.345678901234"))
        store.tell(contract)
        store.tell(who("u1"))
        catch_up(store)
        found = asked(store, by=("plan", "customer", "offer"))
        assert (found["changed"], found["terms"], found["difference_usd"]) == ([], [], "0")
        assert (found["as_booked"], found["booked_usd"]) == (True, pico_text(total(store).cost))
        assert found["before"] == found["after"]
        assert found["before"]["rows"] == total(store).rows == 120
        assert found["pending_work"] == 0
        report = margin(store, "plan", "customer", "offer")
        assert {_key(one): one["before"]["token_cost_usd"] for one in found["rows"]} == {
            _key(one): one["token_cost_usd"] for one in report["rows"]
        }


def margin(store: Store, *by: str) -> dict[str, Any]:
    """Return the report on what was used and how we rate it."""
    question = Report(by=by, since=date(2026, 8, 1), until=date(2027, 1, 1), basis="usage", cost_basis="rated")
    with store.read() as connection:
        return margin_report(connection, question)


def _key(row: dict[str, Any]) -> tuple[str | None, ...]:
    return None if row["plan"] == "unassigned" else row["plan"], row["customer"], row["offer"]


def test_all_kinds_of_rows_are_replayed_as_they_were_booked(books: Store) -> None:
    """Prompts beside their cache, aggregates, failures, a gateway's cache, evidence, and what has no price."""
    listed(books, claim(OFFER, rates("3", "15", cache_read="0.30")), at=NOON)
    take(
        books, event("beside", input_tokens=20_000, cache_read_tokens=12_000, source="s", includes_cached=False),
        stream=BACKEND._replace(source="s"), containments={"": Containment(includes_cached=False, because="declared")},
    )  # fmt: skip
    take(
        books, event("day", until=SEPTEMBER + DAY, input_tokens=MTOK),
        event("coarse", cache_stated=False, input_tokens=9),
        event("failed", outcome=Outcome.FAILED), event("cached", outcome=Outcome.GATEWAY_CACHE),
        event("none", provider="acme", model="x"), event("reported", provider="acme", model="x",
        stated_usd=Decimal("1.5"), stated_by=StatedBy.PROVIDER), event("requests", requests=1),
        event("batch", service_tier="batch"), event("unrated", rateable=False), event("region", region="eu"),
    )  # fmt: skip
    found = asked(books, HALF)
    booked = total(books)
    assert (found["as_booked"], found["booked_usd"]) == (True, pico_text(booked.cost))
    assert found["before"]["rows"] == booked.rows == 11
    assert found["before"]["token_cost_max_usd"] is None
    assert (found["before"]["unpriced_rows"], found["reported_usd"]) == (5, "1.5")
    assert "unpriced" in found["before"]["bounds"]
    assert found["before"]["margin"] is None
    assert found["profit"] is None
    terms(found)
    reasons = [(one["when"], one["model"], one["rows"]) for one in found["unpriced"]]
    assert reasons == [(when, model, rows) for when in ("after", "before") for model, rows in (("small", 3), ("x", 2))]


# --- something changes -------------------------------------------------------------------------------------------


def test_it_makes_no_difference_where_the_rows_are(pair: Pair, tmp_path: Path) -> None:
    """All changes together, in pages and from a file: the same document."""
    for store in pair:
        listed(store, claim(NEW, rates("1.5", "7", cache_read="0.11")), at=NOON)
    both(pair, written(tmp_path / "log.csv", usual()))
    one, other = (asked(store, DEARER, by=("plan", "model")) for store in pair)
    assert one == other
    assert list(terms(one)) == ["volume", "mix", "token_intensity", "cache", "price", "discount", "fee", "unpriced"]
    sums = [sum(Decimal(dict_of(row)["price"]) for row in one["rows"]), Decimal(terms(one)["price"])]
    assert sums[0] == sums[1]
    shapley = asked(pair.rows, DEARER, method="shapley")
    assert terms(shapley).keys() == terms(one).keys()
    assert shapley["difference_usd"] == one["difference_usd"]
    assert shapley["terms"] != one["terms"]


def dict_of(row: dict[str, Any]) -> dict[str, str]:
    """Return the terms of a row."""
    return {one["term"]: one["usd"] for one in row["terms"]}


def test_rows_are_those_that_are_asked_for(books: Store) -> None:
    """By the heads they are booked under, and by the days of a zone."""
    listed(books, claim(NEW, rates("1", "1")), at=NOON)
    take(
        books, event("1", plan="pro", task="chat"), event("2", plan="free", customer="c"), event("3", offer=NEW),
        event("4", SEPTEMBER - HOUR),
    )  # fmt: skip
    cases: list[tuple[dict[str, Any], int]] = [
        ({"where": {"plan": {"pro"}}}, 1), ({"where": {"task": {"chat", "x"}}}, 1), ({"where": {"customer": {"c"}}}, 1),
        ({"where": {"offer": {NEW}}}, 1), ({"where": {"model": {"small"}, "provider": {"acme"}}}, 3),
        ({"where": {"model": {"large"}}}, 0), ({"since": date(2026, 9, 1)}, 3),
        ({"since": date(2026, 9, 1), "tz": "Asia/Kolkata"}, 4),
    ]  # fmt: skip
    for words, rows in cases:
        where = {name: frozenset(values) for name, values in words.pop("where", {}).items()}
        found = asked(books, HALF, where=where, **words)
        assert (found["before"]["rows"], found["as_booked"]) == (rows, True), where


def test_the_price_list_of_another_moment_holds_for_all_rows(books: Store) -> None:
    """$3 until the tenth of September and $4 from then on: at either moment's list."""
    later = make.rates("4", "15")
    listed(books, claim("direct:acme/moved", rates("3", "15")), at=NOON)
    spans = (Segment(make.SINCE, SEPTEMBER + 9 * DAY, rates("3", "15")), Segment(SEPTEMBER + 9 * DAY, None, later))
    listed(books, claim("direct:acme/moved", *spans), at=NOON + HOUR)
    take(books, *(event(str(day), SEPTEMBER + day * DAY, offer="direct:acme/moved") for day in (1, 20)))
    assert asked(books)["before"]["token_cost_usd"] == "7"
    for day, usd in ((1, "6"), (20, "8")):
        found = asked(books, Scenario(prices_at=SEPTEMBER + day * DAY))
        assert (found["after"]["token_cost_usd"], list(terms(found))) == (usd, ["price"])


def test_a_band_is_chosen_by_the_length_a_prompt_has_then(books: Store) -> None:
    """A tenth more text costs three times as much where it lifts a prompt over the edge; half of it cached does not."""
    banded = dict(rates("3", "15"))
    banded[Unit.INPUT] = UnitPrice(make.rate("3"), (Band(When(input_tokens_gte=200_000), make.rate("9")),))
    listed(books, claim("direct:acme/long", RateTable(banded)), at=NOON)
    take(books, event("1", offer="direct:acme/long", input_tokens=190_000))
    tenth = Scenario(intensities=(Intensity(input_factor=Fraction(11, 10)),))
    assert asked(books, tenth)["after"]["token_cost_usd"] == "1.881"
    assert asked(books, HALF)["after"]["token_cost_usd"] == "0.57"


def test_rows_that_lose_their_price_are_no_saving(books: Store) -> None:
    """The new offer has no price for output: the totals are bounds, and what is gone is named."""
    listed(books, claim(NEW, rates("1", None)), at=NOON)
    take(books, event("1"), event("2", input_tokens=1_000, output_tokens=MTOK))
    found = asked(books, Scenario(swaps=(Swap(to=NEW),)))
    assert terms(found) == {"mix": "-2", "unpriced": "-15.003"}
    assert found["after"]["token_cost_max_usd"] is None
    assert (found["after"]["unpriced_rows"], found["before"]["unpriced_rows"]) == (1, 0)
    assert any("no saving" in said for said in found["notes"])
    take(books, event("3", provider="acme", model="x"))
    assert asked(books, Scenario(swaps=(Swap(to=NEW),)))["after"]["token_cost_usd"] == "2"


def test_changes_that_cannot_be_told_apart_say_so(books: Store) -> None:
    """The new offer had no price when the row was, and has one in the list that is supposed."""
    listed(books, claim(NEW, Segment(SEPTEMBER + DAY, None, rates("1", "1"))), at=NOON)
    take(books, event("1"))
    found = asked(books, Scenario(swaps=(Swap(to=NEW),), prices_at=SEPTEMBER + 2 * DAY))
    assert terms(found) == {"mix": "0", "price": "0", "inseparable": "-2"}
    assert any("cannot be told apart" in said for said in found["notes"])


# --- files -------------------------------------------------------------------------------------------------------


def test_a_file_that_is_gone_is_named(books: Store, tmp_path: Path) -> None:
    """Its rows stay booked, and are in no figure; so it is with one of other bytes."""
    path = placed_file(books, tmp_path)
    take(books, event("1", SEPTEMBER + 3 * DAY))
    bytes_ = path.read_bytes()
    for spoil in (path.unlink, lambda: path.write_bytes(bytes_ + b"\n")):
        spoil()
        found = asked(books)
        ((gone,), rows) = found["stale_imports"], found["before"]["rows"]
        assert (gone["import"], gone["file"], rows, found["as_booked"]) == (1, "log.csv", 1, False)
        assert any("files that are gone" in said for said in found["notes"])
    path.write_bytes(bytes_)
    assert (asked(books)["as_booked"], asked(books)["stale_imports"]) == (True, [])


def placed_file(store: Store, tmp_path: Path) -> Path:
    """Import a file in place."""
    path = written(tmp_path / "log.csv", [row(1), row(2, SEPTEMBER + 40 * DAY, input=500)])
    placed(store, path)
    return path


def test_only_the_rows_of_the_time_are_taken_from_a_file(books: Store, tmp_path: Path) -> None:
    """All of them are read."""
    placed_file(books, tmp_path)
    first, second = date(2026, 9, 1), date(2026, 9, 2)
    assert asked(books, since=first, until=second)["before"]["rows"] == 1
    with books.read() as connection:
        assert rows_to_read(connection, Question(since=first, until=second)) == 1 + 2


def test_progress_counts_every_row(books: Store, tmp_path: Path) -> None:
    """Of files and of the record, up to their number."""
    placed_file(books, tmp_path)
    take(books, event("1", SEPTEMBER + 3 * DAY))
    told: list[tuple[int, int]] = []
    with books.read() as connection:
        question = Question(since=date(2026, 9, 1), until=date(2027, 1, 1))
        what_if(connection, question, lambda done, of: told.append((done, of)))
    assert told[-1] == (3, 3)


# --- questions ----------------------------------------------------------------------------------------------------


def test_a_fee_of_the_list_price_stays_one(books: Store) -> None:
    """A broker's fee that no discount makes smaller."""
    assert OF_LIST == "of_list_price"
    take(books, event("1"))
    off = Discount(share=Fraction(1, 2))
    fee = ChannelFee(channel="direct", share=Fraction(1, 10), of_list=True)
    assert terms(asked(books, Scenario(discounts=(off,), fees=(fee,)))) == {"discount": "-1.5", "fee": "0.3"}


@pytest.mark.parametrize(
    "words", [{"by": ("plan", "plan")}, {"by": ("day",)}, {"where": {"day": frozenset()}}, {"method": "guess"}]
)
def test_what_is_no_question_is_refused(words: dict[str, Any]) -> None:
    """A head there is not, one twice, another method."""
    with pytest.raises(InvalidInput):
        Question(since=date(2026, 9, 1), until=date(2026, 9, 2), **words)
