"""What is learnt late is booked of files too: by rating them again, where they still lie as they were."""

import hashlib
import json
from dataclasses import replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from planner.core.errors import Conflict, NotFound, Overtaken, RowsUnavailable
from planner.core.event import Role
from planner.core.money import pico_text
from planner.flows import bulk, rebook
from planner.flows.close import reopen
from planner.flows.import_file import import_file
from planner.flows.import_in_place import import_in_place
from planner.flows.margin_report import Question, margin_report
from planner.store import imports, work
from planner.store.engine import Store
from tests.bulk_books import (
    BY,
    LATER,
    NEW,
    Pair,
    asked,
    both,
    contract,
    corrected,
    opened,
    placed,
    reports,
    rerated,
    row,
    runs,
    usual,
    who,
    written,
)
from tests.ledger_books import (
    DAY,
    HOUR,
    NOON,
    SEPTEMBER,
    by_month,
    catch_up,
    claim,
    close,
    deltas,
    event,
    listed,
    take,
    total,
)
from tests.make import rates

# --- what becomes known late ----------------------------------------------------------------------------------------


def test_what_was_booked_late_is_corrected_where_it_was_booked(pair: Pair, tmp_path: Path) -> None:
    """September was closed when its rows came, and is open again when their price changes: October has both."""
    for store in pair:
        close(store, "2026-09", NOON)
    both(pair, written(tmp_path / "log.csv", [row(1), row(2, SEPTEMBER + DAY)]), at=NOON + HOUR)
    pair.each(lambda connection: reopen(connection, "2026-09", BY))
    pair.each(corrected(0, 9, "2.5"))
    for store in pair:
        rebook.catch_up(store, lambda: LATER + HOUR)
    assert _without_versions(reports(pair.place)) == _without_versions(reports(pair.rows))
    for store in pair:
        assert by_month(store) == {"2026-10": "5"}


def test_what_is_learnt_late_costs_what_it_does_row_by_row(pair: Pair, tmp_path: Path) -> None:
    """A price, a discount, an offer, a customer and its plan: both books say the same dollars."""
    both(pair, written(tmp_path / "log.csv", usual()))
    was = reports(pair.rows)
    spent = Fraction()
    late = [corrected(2, 9, "2.5"), contract, who("u1"), who("u2"), corrected(1, 30, "4")]
    for number, story in enumerate(late):
        pair.each(story)
        if number == 2:
            for store in pair:
                listed(store, claim(NEW, rates("5", "9")), claim("direct:acme/x", rates("1", "2")), at=LATER)
        done = [rebook.catch_up(store, lambda: LATER) for store in pair]
        assert [one.waiting for one in done] == [0, 0]
        assert done[0].lines == 1, number
        lines = sum((Fraction(line[3] or 0) for line in deltas(pair.rows)), Fraction())
        assert Fraction(runs(pair.place)[-1][2]) == lines - spent
        spent = lines
        assert _without_versions(reports(pair.place)) == _without_versions(reports(pair.rows)), number
    assert reports(pair.place, known_at=NOON) == reports(pair.rows, known_at=NOON)
    assert [document.replace("2026-11-24T12:00:00Z", "") for document in reports(pair.place, known_at=NOON)] == [
        document.replace('"known_at": null', '"known_at": ""') for document in was
    ]  # fmt: skip


def _without_versions(documents: list[str]) -> list[str]:
    """Leave out which version of a price stands behind a figure: rows of one cell may have kept an older one."""
    found = [json.loads(document) for document in documents]
    for document in found:
        document.get("evidence", {}).pop("prices", None)
    return [json.dumps(one) for one in found if "price_version" not in one["by"]]


def test_a_closed_month_stays_what_it_was(pair: Pair, tmp_path: Path) -> None:
    """A price of September corrected in November is booked in October, which is open; by use it is September's."""
    both(pair, written(tmp_path / "log.csv", usual()))
    for store in pair:
        close(store, "2026-09")
    before = by_month(pair.place)["2026-09"]
    pair.each(corrected(0, 20, "4"))
    for store in pair:
        catch_up(store, LATER)
    assert by_month(pair.place)["2026-09"] == before
    for more in ({}, {"basis": "usage"}, {"known_at": NOON}, {"basis": "usage", "known_at": NOON}):
        assert by_month(pair.place, **more) == by_month(pair.rows, **more), more
    # A file that comes late is booked late.
    both(pair, written(tmp_path / "late.csv", [row("late", SEPTEMBER + DAY)]), at=LATER, role=Role.LEDGER)
    assert by_month(pair.place)["2026-09"] == before
    assert reports(pair.place)[0] == reports(pair.rows)[0]


def test_months_with_files_only_are_closed_in_their_order(books: Store, tmp_path: Path) -> None:
    """They are listed as any other."""
    from planner.store import periods

    placed(books, written(tmp_path / "log.csv", [row(1), row(2, SEPTEMBER + 70 * DAY)]))
    with books.read() as connection:
        assert [(one["period"], one["state"]) for one in periods.every(connection)] == [
            ("2026-09", "open"), ("2026-11", "open"),
        ]  # fmt: skip


def test_what_concerns_no_row_of_a_file_leaves_it_alone(books: Store, tmp_path: Path) -> None:
    """A price of another time or offer, a name that is still unknown, a stranger to it, a card that was only cut."""
    placed(books, written(tmp_path / "log.csv", [row(1, customer="u1"), row(2, provider="acme", model="x")]))
    books.tell(corrected(40, 45, "9"))
    books.tell(who("somebody"))
    listed(books, claim(NEW, rates("1")), at=LATER)
    assert catch_up(books, LATER) == rebook.Rebooked(0, 0, 0)
    books.tell(corrected(0, 1, "3"))
    assert (catch_up(books, LATER).lines, runs(books)) == (0, [(1, "imported", "3")])


def test_what_is_said_while_a_file_is_rated_is_not_lost(books: Store, tmp_path: Path) -> None:
    """Nobody knew of the import then, so it is rated once more; so is one that was being rated again."""
    path = written(tmp_path / "log.csv", [row(1)])
    take(books, event("0", SEPTEMBER + 9 * DAY))
    begun = opened(books, path)
    rating, then = bulk.rated(books, begun)
    books.tell(corrected(0, 1, "4"))
    catch_up(books, LATER)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    books.tell(
        lambda connection: bulk.take_in(
            connection, begun, rating, then, (), sure=False, name="log.csv", digest=digest, at=LATER, by="test"
        )
    )
    assert (pico_text(total(books).cost), catch_up(books, LATER).lines, pico_text(total(books).cost)) == ("6", 1, "7")

    books.tell(corrected(0, 1, "5"))
    while books.tell(lambda connection: rebook.turn(connection, LATER)) is not None:
        pass
    held = books.tell(lambda connection: work.claim(connection, LATER))
    assert held is not None
    found, old, then = bulk.again(books, 1)
    books.tell(corrected(0, 1, "6"))
    rebook.catch_up(books, lambda: LATER, turns_max=9)
    books.tell(lambda connection: bulk.book_again(connection, found, old, then, LATER))
    books.tell(lambda connection: work.end(connection, held, LATER))
    assert (pico_text(total(books).cost), catch_up(books, LATER).lines, pico_text(total(books).cost)) == ("8", 1, "9")


def test_what_was_rated_earlier_takes_nothing_back_of_what_was_rated_later(books: Store, tmp_path: Path) -> None:
    """Whoever read the old price and comes to book it last is told; so is a worker whose time was over."""
    placed(books, written(tmp_path / "log.csv", [row(1)]))
    found, old, then = bulk.again(books, 1)
    books.tell(corrected(0, 1, "4"))
    catch_up(books, LATER)
    with pytest.raises(Overtaken, match="somebody else"):
        books.tell(lambda connection: bulk.book_again(connection, found, old, then, LATER))
    assert (pico_text(total(books).cost), rerated(books).cells) == ("4", 0)


def test_one_worker_at_a_time_rates_a_file_again(books: Store, tmp_path: Path) -> None:
    """Who claimed it has a quarter of an hour; given back, or after that, it is anybody's."""
    placed(books, written(tmp_path / "log.csv", [row(1)]))
    for _ in range(2):
        books.tell(lambda connection: work.add_files(connection, [1], LATER))

    def claimed(at: datetime) -> work.Claim | None:
        return books.tell(lambda connection: work.claim(connection, at))

    mine = claimed(LATER)
    assert mine is not None
    assert (mine.number, claimed(LATER + timedelta(minutes=14))) == (1, None)
    assert rebook.catch_up(books, lambda: LATER).waiting == 1
    books.tell(lambda connection: work.give_back(connection, mine))
    assert claimed(LATER) == mine
    late = claimed(LATER + work.LEASE)
    assert late is not None
    books.tell(lambda connection: work.end(connection, mine, LATER))
    assert rebook.catch_up(books, lambda: LATER).waiting == 1
    books.tell(lambda connection: work.end(connection, late, LATER))
    assert rebook.catch_up(books, lambda: LATER).waiting == 0


def test_who_has_no_time_leaves_files_to_others(books: Store, tmp_path: Path) -> None:
    """A request that makes it necessary is answered first; until it is done, something waits."""
    placed(books, written(tmp_path / "log.csv", [row(1)]))
    books.tell(contract)
    books.tell(corrected(0, 1, "4"))
    assert rebook.catch_up(books, lambda: LATER, turns_max=9) == rebook.Rebooked(0, 0, 1)
    assert rebook.catch_up(books, lambda: LATER) == rebook.Rebooked(1, 1, 0)


# --- the file is not what it was ------------------------------------------------------------------------------------


def test_a_file_that_is_gone_or_another_one_cannot_be_rated_again(books: Store, tmp_path: Path) -> None:
    """The refusal says which import and file, and not where that was; nothing is changed."""
    path = written(tmp_path / "log.csv", [row(1)])
    placed(books, path)
    body = path.read_bytes()
    for change, problem in ((path.unlink, "not where it was"), (lambda: path.write_bytes(body[:-1]), "other bytes")):
        change()
        with pytest.raises(RowsUnavailable, match=problem) as gone:
            rerated(books)
        assert (gone.value.facts()["import"], gone.value.file, str(tmp_path) in str(gone.value)) == (
            1,
            "log.csv",
            False,
        )
    path.write_bytes(body)
    assert rerated(books).rows == 1


def test_what_cannot_be_rated_again_is_said_until_it_can(books: Store, tmp_path: Path) -> None:
    """By the import and by reports of its time; nothing waits for it; its file back, the difference is booked."""
    path = written(tmp_path / "log.csv", [row(1)])
    placed(books, path)
    away = path.rename(tmp_path / "away.csv")
    for usd in ("4", "5"):
        books.tell(corrected(0, 1, usd))
        assert catch_up(books, LATER) == rebook.Rebooked(0, 0, 0)
    assert [kind for _number, kind, _usd in runs(books)] == ["imported", "unavailable"]

    def stale(since: date = date(2026, 9, 1), **more: Any) -> list[dict[str, Any]]:
        question = Question(by=("plan",), since=since, until=date(2026, 12, 1), **more)
        with books.read() as connection:
            found: list[dict[str, Any]] = margin_report(connection, question)["evidence"]["stale_imports"]
        return found

    def summary() -> dict[str, Any]:
        with books.read() as connection:
            found: dict[str, Any] = imports.every(connection, 1)[0]["summary"]
        return found

    assert stale() == [{"import": 1, "source": "log", "file": "log.csv"}]
    assert (stale(known_at=NOON), stale(date(2026, 10, 1))) == ([], [])
    assert (summary()["rows_unavailable"], summary()["rows"]) == ("2026-11-24T13:00:00Z", 1)
    away.rename(path)
    assert (rerated(books, at=LATER + HOUR).delta.cost, stale()) == (2 * 10**12, [])
    assert "rows_unavailable" not in summary()
    assert stale(known_at=LATER) != []

    # Found again by importing it from where it is now, it is rated again too.
    path.rename(away)
    books.tell(corrected(0, 1, "6"))
    catch_up(books, LATER + HOUR)
    assert stale() != []
    placed(books, away, at=LATER + HOUR)
    assert (catch_up(books, LATER + HOUR).lines, stale(), pico_text(total(books).cost)) == (1, [], "6")


def test_only_what_was_imported_in_place_is_rated_by_hand(books: Store, tmp_path: Path) -> None:
    """Rows on record are rated again by themselves."""
    path = written(tmp_path / "log.csv", [row(1)])
    import_file(books, asked(path), now=lambda: NOON, by="test")
    with pytest.raises(Conflict, match="its rows are on record"):
        rerated(books)
    with pytest.raises(NotFound):
        rerated(books, 2)


def test_a_file_is_read_again_as_it_was_read(books: Store, tmp_path: Path) -> None:
    """What was said about it, its mapping with a moment of TOML, and the moment at which it was told."""
    path = tmp_path / "trace.csv"
    path.write_text(f"row,second,in\n1,0,1000000\n2,86400,1000000\n3,{200 * 86400},1000000\n")
    mapping = {
        "kind": "usage", "id": "row", "at": "second", "at_format": "epoch_s", "at_start": SEPTEMBER,
        "cache_stated": True, "counts": {"input_tokens": "in"},
    }  # fmt: skip
    words = {"provider": "acme", "plan": "pro"}
    named = replace(asked(path, mapping=mapping, words=words), strict=False)
    mapped = {**mapping, "constants": {"model": "small"}}
    summary = import_in_place(books, replace(named, mapping=mapped), now=lambda: NOON, by="test")
    assert (dict(summary.outcomes), summary.refused_rows) == ({"rated": 2}, 1)
    assert (rerated(books, at=NOON + 300 * DAY).cells, by_month(books)) == (0, {"2026-09": "6"})
