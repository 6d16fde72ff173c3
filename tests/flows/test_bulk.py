"""Usage in bulk stays in its file: what is booked of it is what its rows would have come to."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from planner.core.errors import Conflict, InvalidInput, RowsUnavailable
from planner.core.event import Containment, Role
from planner.core.money import pico_text
from planner.core.posting import Measures
from planner.flows import bulk
from planner.flows.import_file import import_file
from planner.flows.import_in_place import import_in_place
from planner.store import bulk as files
from planner.store import imports
from planner.store import tables as t
from planner.store.engine import Store
from planner.store.streams import Stream
from tests.bulk_books import (
    LATER,
    Pair,
    asked,
    both,
    opened,
    placed,
    reports,
    rerated,
    row,
    runs,
    usual,
    written,
)
from tests.ledger_books import (
    DAY,
    HOUR,
    NOON,
    OFFER,
    SEPTEMBER,
    catch_up,
    choose,
    claim,
    event,
    listed,
    take,
    total,
)
from tests.make import rates

# --- it is booked as its rows would be ------------------------------------------------------------------------------


def test_reports_do_not_tell_where_the_rows_are(pair: Pair, tmp_path: Path) -> None:
    """Margins and costs by every kind of head and time, by when it was used and booked: the same bytes."""
    place, rows = both(pair, written(tmp_path / "log.csv", usual()))
    assert (dict(place.outcomes), dict(rows.outcomes)) == ({"rated": 120}, {"stored": 120})
    assert (place.measures, place.unpriced, place.containment) == (rows.measures, rows.unpriced, rows.containment)
    assert reports(pair.place) == reports(pair.rows)
    assert total(pair.place).rows == 120
    with pair.place.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(t.ledger.usage_events)) == 0
    assert runs(pair.place) == [(1, "imported", pico_text(total(pair.place).cost))]


def test_a_row_counts_once_as_it_would_on_record(pair: Pair, tmp_path: Path) -> None:
    """The same id again, and the same request under another id; what cannot be a row is left out and named."""
    told = [
        row("a", request="r1"), row("b", request="r1"), row("a", request="r1"), row("c", request="r2", input=10**14),
        row("c", request="c"), row("d", SEPTEMBER + 300 * DAY), row("e", SEPTEMBER, input="x"), row("f", request="c"),
    ]  # fmt: skip
    place, rows = both(pair, written(tmp_path / "log.csv", told), strict=False)
    assert (place.refused, place.refused_rows) == (rows.refused, rows.refused_rows)
    assert [one.place for one in place.refused] == ["line 8", "line 5", "line 7"]
    assert dict(place.outcomes) == {"rated": 2, "same_request": 2, "duplicate": 1}
    assert reports(pair.place) == reports(pair.rows)
    strict = placed(pair.place, written(tmp_path / "other.csv", told[4:]), "other")
    assert (strict.stopped is None, strict.import_id) == (False, None)


def test_prompts_are_counted_as_the_whole_file_shows(pair: Pair, tmp_path: Path) -> None:
    """One row reads more from the cache than its prompt has, so none of them contains what was cached."""
    listed(pair.place, claim(OFFER, rates("3", "15", cache_read="0.30")), at=NOON)
    listed(pair.rows, claim(OFFER, rates("3", "15", cache_read="0.30")), at=NOON)
    path = tmp_path / "log.csv"
    path.write_text(f"id,at,in,read\n1,{SEPTEMBER.isoformat()},20000,12000\n2,{SEPTEMBER.isoformat()},1,2\n")
    mapping = {
        "kind": "usage", "id": "id", "at": "at", "constants": {"offer": OFFER},
        "counts": {"input_tokens": "in", "cache_read_tokens": "read"},
    }  # fmt: skip
    place, _rows = both(pair, path, mapping=mapping)
    assert place.containment[""] == Containment(includes_cached=False, because="read_exceeds_input")
    assert reports(pair.place) == reports(pair.rows)
    assert pico_text(total(pair.place).cost) == "0.0636036"
    assert (rerated(pair.place).cells, rerated(pair.place).rows) == (0, 2)


def test_memory_grows_with_cells_and_not_with_rows(books: Store, tmp_path: Path) -> None:
    """Twenty thousand rows of one quarter hour are two cells, as two hundred are; so is what is kept of them."""
    sizes = []
    for number, count in enumerate((200, 20_000)):
        told = (row(f"{count}-{n}", SEPTEMBER + number * DAY, plan=("pro", "free")[n % 2]) for n in range(count))
        summary = placed(books, written(tmp_path / f"{count}.csv", told), str(count), role=Role.LEDGER)
        with books.read() as connection:
            kept = connection.scalars(sa.select(t.ledger.bulk_runs.c.cells)).all()[-1]
            sums = files.booked(connection, summary.import_id or 0)
        assert summary.outcomes == {"rated": count}
        sizes.append((len(sums.facts), len(sums.units)))
        assert len(kept) < 400
    assert sizes == [(2, 4), (2, 4)]


# --- what may be told twice -----------------------------------------------------------------------------------------


def test_the_same_file_again_changes_nothing(books: Store, tmp_path: Path) -> None:
    """It is known by its bytes; where it lies now is what is remembered."""
    path = written(tmp_path / "log.csv", usual(2))
    first = placed(books, path)
    again = placed(books, path)
    assert (again.repeated, again.import_id, dict(again.outcomes)) == (first.import_id, None, {})
    placed(books, path.rename(tmp_path / "moved.csv"), dry_run=True)
    with pytest.raises(RowsUnavailable):
        rerated(books)
    placed(books, tmp_path / "moved.csv")
    assert (rerated(books).cells, len(runs(books))) == (0, 1)


def test_two_who_import_the_same_file_at_once_book_it_once(books: Store, tmp_path: Path) -> None:
    """Whoever is second to book finds that it is done."""
    path = written(tmp_path / "log.csv", [row(1)])
    begun = opened(books, path)
    rating, then = bulk.rated(books, begun)

    def taken(connection: sa.Connection) -> tuple[int, bool]:
        number, known = bulk.take_in(
            connection, begun, rating, then, (), sure=False, name="log.csv", digest="d", at=NOON, by="test"
        )
        imports.finish(connection, number, {"rows": 1})
        return number, known

    assert [books.tell(taken), books.tell(taken)] == [(1, False), (1, True)]
    assert total(books).rows == 1


def test_another_stream_that_may_tell_the_same_is_refused(books: Store, tmp_path: Path) -> None:
    """Rows in files name no request, whatever they say; a person says which counts, or that both do."""
    take(books, event("1", SEPTEMBER + DAY, request_id="r"))
    path = written(tmp_path / "log.csv", [row(1, SEPTEMBER + DAY, request="q")])
    with pytest.raises(Conflict, match="stream_overlap"):
        placed(books, path)
    assert (total(books).rows, runs(books)) == (1, [])
    assert dict(placed(books, path, role=Role.LEDGER).outcomes) == {"rated": 1}
    with pytest.raises(Conflict, match="stream_overlap"):
        take(books, event("1", SEPTEMBER + DAY, source="third", request_id="z"), stream=Stream("third", Role.LEDGER))
    assert total(books).rows == 2


def test_another_file_of_the_same_days_is_confirmed_by_a_person(books: Store, tmp_path: Path) -> None:
    """Ids are known within one file only. Another day is no question, and each time is one."""
    parts = [[row(1), row(2)], [row(2), row(3)], [row(4, SEPTEMBER + DAY)]]
    one, two, three = (written(tmp_path / f"{n}.csv", part) for n, part in enumerate(parts))
    placed(books, one, role=Role.LEDGER)
    placed(books, three)
    with pytest.raises(Conflict, match="another file of it tells of the same provider and day"):
        placed(books, two)
    placed(books, two, role=Role.LEDGER)
    assert total(books).rows == 5


def test_a_stream_is_on_record_or_in_files(books: Store, tmp_path: Path) -> None:
    """Never both: nobody could tell whether a row is there already."""
    path = written(tmp_path / "log.csv", [row(1)])
    take(books, event("1", source="kept"), stream=Stream("kept", Role.LEDGER))
    with pytest.raises(Conflict, match="its rows are on record"):
        placed(books, path, "kept", role=Role.LEDGER)
    placed(books, path, role=Role.LEDGER)
    for rows in (
        lambda: import_file(books, asked(path), now=lambda: NOON, by="test"),
        lambda: take(books, event("1", source="log"), stream=Stream("log", Role.LEDGER)),
    ):
        with pytest.raises(Conflict, match="its rows are rated in place"):
            rows()


def test_evidence_is_not_booked_until_it_counts(books: Store, tmp_path: Path) -> None:
    """Only what it states is told; chosen to count, its file is rated; chosen as evidence again, it is booked back."""
    path = written(tmp_path / "log.csv", usual(5))
    summary = placed(books, path, role=Role.EVIDENCE)
    assert (dict(summary.outcomes), summary.role, runs(books)) == ({"evidence": 15}, "evidence", [(1, "imported", "0")])
    assert rerated(books).rows == 0
    choose(books, "log", Role.LEDGER, LATER)
    assert catch_up(books, LATER).rows == 15
    counted = total(books)
    assert counted.rows == 15
    path.unlink()
    choose(books, "log", Role.EVIDENCE, LATER)
    assert catch_up(books, LATER + HOUR).waiting == 0
    assert (total(books), total(books, known_at=LATER)) == (Measures(), counted)


def test_revenue_is_not_rated(books: Store, tmp_path: Path) -> None:
    """It is taken in, item by item."""
    path = tmp_path / "items.csv"
    path.write_text(f"id,start,amount\n1,{SEPTEMBER.isoformat()},5\n")
    mapping = {
        "kind": "revenue", "id": "id", "start": "start", "amount": "amount",
        "constants": {"currency": "USD", "item_kind": "invoice"},
    }  # fmt: skip
    for dry_run in (True, False):
        with pytest.raises(InvalidInput, match="only usage"):
            placed(books, path, mapping=mapping, dry_run=dry_run)


def test_a_dry_run_leaves_nothing_behind(books: Store, tmp_path: Path) -> None:
    """It says what the first thousand rows would come to."""
    path = written(tmp_path / "log.csv", usual(per_day=30))
    tried = placed(books, path, dry_run=True)
    assert (tried.previewed, dict(tried.outcomes), tried.rows) == (1_000, {"rated": 1_000}, 1_200)
    assert (total(books).rows, runs(books)) == (0, [])
    take(books, event("1", source="log"), stream=Stream("log", Role.LEDGER))


def test_a_file_that_changes_while_it_is_read_is_refused(books: Store, tmp_path: Path) -> None:
    """Half of it would be of another file."""
    path = written(tmp_path / "log.csv", usual(2))
    size = path.stat().st_size

    def grow(what: str, _done: int, _size: int) -> None:
        if what == "rating" and path.stat().st_size == size:
            with path.open("a") as file:
                file.write("\n")

    with pytest.raises(Conflict, match="changed while it was read"):
        import_in_place(books, asked(path), now=lambda: NOON, by="test", progress=grow)
    assert runs(books) == []
