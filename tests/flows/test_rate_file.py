"""A file is rated where it lies and shown, by any heads; nothing is booked for it."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from planner.core.errors import Conflict, InvalidInput
from planner.flows import import_file, rating_in_place
from planner.flows import rate_file as rating
from planner.flows.import_file import Import
from planner.flows.import_in_place import import_in_place
from planner.flows.rate_file import Asked, rate_file
from planner.ledger.bulk_file import BulkFile
from planner.ledger.format import Given
from planner.store import tables as t
from planner.store.engine import Store, open_store
from tests.bulk_books import MAPPING, row, usual, written
from tests.ledger_books import NOON, total


def asked(path: Path, *by: str, **more: bool) -> Asked:
    """Ask for sums of a file."""
    return Asked(path=path, given=Given(source="log", mapping=MAPPING), by=by, at=NOON, format="mapping", **more)


def test_sums_by_heads_and_time(books: Store, tmp_path: Path) -> None:
    """Rows that have no price are counted and are no dollars; days are of UTC; what is zero of a head is null."""
    found = rate_file(books, asked(written(tmp_path / "log.csv", usual()), "plan", "month"))
    assert [(one["plan"], one["month"], one["rows"], one["unpriced_rows"]) for one in found["rows"]] == [
        (None, "2026-09", 29, 11), (None, "2026-10", 11, 5), ("free", "2026-09", 30, 12), ("free", "2026-10", 10, 4),
        ("pro", "2026-09", 30, 12), ("pro", "2026-10", 10, 4),
    ]  # fmt: skip
    assert found["total"]["rows"] == 120
    assert found["outcomes"] == {"rated": 120}
    by_day = rate_file(books, asked(tmp_path / "log.csv", "day"))
    assert sum(one["rows"] for one in by_day["rows"]) == 120
    assert by_day["total"] == found["total"]


def test_nothing_is_booked_and_an_import_books_the_same(books: Store, tmp_path: Path) -> None:
    """What is shown is what `planner import --in-place` books afterwards."""
    path = written(tmp_path / "log.csv", usual())
    found = rate_file(books, asked(path))
    with books.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(t.ledger.usage_imports)) == 0
    import_in_place(
        books, Import(path=path, name="log.csv", words={"source": "log"}, mapping=MAPPING, format="mapping"),
        now=lambda: NOON, by="test",
    )  # fmt: skip
    booked = total(books)
    assert (found["total"]["rows"], found["total"]["input_tokens"]) == (booked.rows, booked.input_tokens)
    assert found["rows"] == [found["total"]]


@pytest.mark.parametrize("strict", [True, False])
def test_a_row_that_cannot_be_read_stops_it_or_is_left_out(books: Store, tmp_path: Path, strict: bool) -> None:
    """It is named by its line; nothing of it is repeated."""
    path = written(tmp_path / "log.csv", [row(1), row(2, input="secret"), row(3)])
    found = rate_file(books, asked(path, strict=strict))
    assert found["refused"] == [
        {"place": "line 3", "reason": "input_tokens: a whole number from 0 to 2**63 - 1 is needed"}
    ]
    assert found["stopped"] is strict
    assert found["outcomes"] == ({} if strict else {"rated": 2})
    assert (found["total"] is None) is strict


def test_row_by_row_where_the_settings_say_so(books: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No query is made then, and what is shown and booked is the same."""
    path = written(tmp_path / "log.csv", usual())
    found = rate_file(books, asked(path, "plan", "month"))
    for module in (rating, import_file, rating_in_place):
        monkeypatch.setattr(module, "opened_for_queries", lambda *_: pytest.fail("a query was made"))
    by_rows = open_store(books.url, by_query=False)
    assert rate_file(by_rows, asked(path, "plan", "month")) == found
    import_in_place(
        by_rows, Import(path=path, name="log.csv", words={"source": "log"}, mapping=MAPPING, format="mapping"),
        now=lambda: NOON, by="test",
    )  # fmt: skip
    assert total(by_rows).rows == found["total"]["rows"]
    by_rows.close()


def test_a_row_that_is_refused_counts_once(books: Store, tmp_path: Path) -> None:
    """Also beyond those that are named: one refused when the file was looked at is not again when it is rated."""
    rows = [row(number, model="small", provider="acme", plan="huge" if number < 150 else "") for number in range(200)]
    path = written(tmp_path / "log.csv", rows)
    tiers = {"service_tier": "plan", **{name: said for name, said in MAPPING.items() if name != "plan"}}
    question = Asked(
        path=path, given=Given(source="log", mapping=tiers), by=(), at=NOON, format="mapping", strict=False
    )
    found = rate_file(books, question)
    assert (found["outcomes"], found["refused_rows"]) == ({"rated": 50}, 150)


def test_a_file_that_grows_while_it_is_read_is_refused(books: Store, tmp_path: Path) -> None:
    """Its sums would be of no moment of it: some rows of one query would not be there for another."""
    path = written(tmp_path / "log.csv", usual())
    size = path.stat().st_size

    def grow(*_: object) -> None:
        if path.stat().st_size == size:
            written(path, [*usual(), row("more")])

    with pytest.raises(Conflict, match="changed while it was read"):
        rate_file(books, asked(path), grow)


def test_rows_told_by_a_query_that_fails_in_the_end_do_not_count_twice(
    books: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a query came to is forgotten where it turns out that not every row was rated once; then rows are read."""
    path = written(tmp_path / "log.csv", usual())
    expected = rate_file(books, asked(path))
    monkeypatch.setattr(BulkFile, "plain_rows", lambda _: 119)
    assert rate_file(books, asked(path)) == expected


def test_heads_are_those_things_are_booked_under(tmp_path: Path) -> None:
    """A word that is none is refused with those there are."""
    with pytest.raises(InvalidInput, match="day, month, plan"):
        asked(tmp_path / "log.csv", "week")
