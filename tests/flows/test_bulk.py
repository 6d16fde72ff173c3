"""Usage in bulk stays in its file: what is booked of it is what its rows would have come to, then and later."""

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa

from planner.core.claim import Segment
from planner.core.errors import Conflict, InvalidInput, NotFound, RowsUnavailable
from planner.core.event import Containment, Role
from planner.core.money import pico_text
from planner.core.posting import Measures
from planner.flows import bulk, rebook, roles
from planner.flows.correct import correct_price
from planner.flows.cost_report import cost_report
from planner.flows.import_file import Import, Summary, import_file
from planner.flows.import_in_place import import_in_place
from planner.flows.margin_report import Question, margin_report
from planner.flows.second import By
from planner.ledger.format import Given
from planner.store import agreements, customers, imports, work
from planner.store import bulk as files
from planner.store import tables as t
from planner.store.customers import Assignment
from planner.store.engine import Store, open_store
from planner.store.migrate import upgrade
from planner.store.streams import Stream
from tests.ledger_books import (
    DAY,
    HOUR,
    LAX,
    NOON,
    OFFER,
    SEPTEMBER,
    by_month,
    catch_up,
    claim,
    close,
    deltas,
    event,
    know,
    listed,
    take,
    total,
)
from tests.make import rates

LATER = NOON + HOUR
NEW = "direct:acme/new"
COLUMNS = ("id", "at", "offer", "provider", "model", "customer", "plan", "request", "input", "output")
MAPPING: dict[str, Any] = {
    "kind": "usage", "id": "id", "at": "at", "request_id": "request", "cache_stated": True,
    **{name: name for name in ("offer", "provider", "model", "customer", "plan")},
    "counts": {"input_tokens": "input", "output_tokens": "output"},
}  # fmt: skip
BY = By(actor="ada", at=LATER, reason="told")


class Pair(NamedTuple):
    """The same books twice: one that keeps its rows in files, and one that takes them in."""

    place: Store
    rows: Store

    def each(self, story: Any) -> None:
        """Tell both the same."""
        for store in self:
            store.tell(story)


@pytest.fixture
def books(store: Store) -> Store:
    """Books in which a million tokens in cost 3 dollars, out 15."""
    know(store)
    listed(store, claim(OFFER, rates("3", "15")))
    return store


@pytest.fixture
def pair(books: Store, tmp_path: Path) -> Iterator[Pair]:
    """Those books, and others like them."""
    url = f"sqlite:///{tmp_path / 'rows.sqlite3'}"
    upgrade(url)
    rows = open_store(url)
    know(rows)
    listed(rows, claim(OFFER, rates("3", "15")))
    yield Pair(books, rows)
    rows.close()


def row(id_: object, at: datetime = SEPTEMBER, **cells: object) -> dict[str, object]:
    """Make a row: a million tokens in and none out, by the one offer, unless it says something else."""
    served = {} if {"provider", "model"} & cells.keys() else {"offer": OFFER}
    return {"id": id_, "at": at.isoformat(), "input": 1_000_000, "output": 0, **served, **cells}


def usual(days: int = 40, per_day: int = 3) -> list[dict[str, object]]:
    """Make rows of some days: of plans and customers, long and short, served by who is known and who is not."""
    found = []
    for number in range(days * per_day):
        served = ({}, {}, {"offer": NEW}, {"provider": "acme", "model": "small"}, {"provider": "acme", "model": "x"})
        found.append(
            row(
                number, SEPTEMBER + number * DAY / per_day + timedelta(minutes=7 * number),
                plan=("pro", "free", "")[number % 3], customer=f"u{number % 4}", input=1_000 + 17 * number,
                output=31 * number, **served[number % 5],
            )
        )  # fmt: skip
    return found


def written(path: Path, rows: Iterable[dict[str, object]]) -> Path:
    """Write a file."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return path


def asked(path: Path, source: str = "log", **more: Any) -> Import:
    """Ask for a file to be imported."""
    words = {"source": source, **more.pop("words", {})}
    return Import(path=path, name=path.name, words=words, **{"mapping": MAPPING, "format": "mapping", **more})


def placed(store: Store, path: Path, source: str = "log", at: datetime = NOON, **more: Any) -> Summary:
    """Import a file in place."""
    return import_in_place(store, asked(path, source, **more), now=lambda: at, by="test")


def both(pair: Pair, path: Path, at: datetime = NOON, **more: Any) -> tuple[Summary, Summary]:
    """Import a file in place into the one books, and its rows into the others."""
    return placed(pair.place, path, at=at, **more), import_file(
        pair.rows, asked(path, **more), now=lambda: at, by="test"
    )


def reports(store: Store, **more: Any) -> list[str]:
    """Return the bytes of reports of all kinds; without the lines, which are of rows."""
    found = []
    with store.read() as connection:
        for by, tz, basis in (
            (("plan", "month"), "UTC", "booked"), (("customer", "day"), "Asia/Kolkata", "usage"),
            (("offer", "price_version", "source"), "UTC", "booked"),
            (("model", "week"), "America/New_York", "booked"), (("plan", "month"), "UTC", "usage"),
        ):  # fmt: skip
            question = Question(by=by, since=date(2026, 8, 1), until=date(2026, 12, 1), tz=tz, basis=basis, **more)
            report = margin_report(connection, question)
            del report["evidence"]["lines"]
            costs = [cost_report(connection, question, by_unit=by_unit) for by_unit in (True, False)]
            found += [json.dumps(document) for document in (report, *costs)]
    return found


def runs(store: Store) -> list[tuple[Any, ...]]:
    """Return the runs: import, kind, what they changed in dollars."""
    with store.read() as connection:
        found = connection.execute(sa.select(t.ledger.bulk_runs).order_by(t.ledger.bulk_runs.c.id)).all()
    return [(one.import_id, one.kind, pico_text(sum(p.measures.cost for *_slots, p in files.unpacked(one.cells)))) for one in found]  # noqa: E501  # fmt: skip


def corrected(begins: int, ends: int, usd: str) -> Any:
    """Find out that a price was another one, from a day of September to another."""
    stretch = Segment(SEPTEMBER + begins * DAY, SEPTEMBER + ends * DAY, rates(usd, "15"))
    return lambda connection: correct_price(
        connection, OFFER, stretch, source_url="https://i.test", at=LATER, actor="ada", reason="invoice", bounds=LAX
    )


def contract(connection: sa.Connection) -> None:
    """Record a discount of 12.5 % from the third of September on."""
    facts = {
        "name": "c", "channel_id": "direct", "provider_id": "acme", "model_id": None, "discount_percent": "12.5",
        "commitment_usd": None, "commitment_period": None, "valid_from": SEPTEMBER + 2 * DAY, "valid_to": None,
        "reference": "paper",
    }  # fmt: skip
    agreements.add_contract(connection, facts, at=LATER, actor="ada", reason="signed")


def who(id_: str) -> Any:
    """Find out who a customer of the file is, and what it was on."""

    def story(connection: sa.Connection) -> None:
        customers.put(connection, f"c-{id_}", "One", LATER, "ada")
        customers.set_ids(connection, f"c-{id_}", [("log", id_)], LATER, "ada")
        customers.assign(connection, f"c-{id_}", Assignment("team", SEPTEMBER + 5 * DAY, None), LATER, "ada")
        work.add(connection, "customer", {"ids": [[None, f"c-{id_}"], ["log", id_]]}, LATER)

    return story


def rerated(store: Store, number: int = 1, at: datetime = LATER) -> bulk.Rerated:
    """Rate a file again because a person wants it."""
    return bulk.rerate(store, number, lambda: at, BY)


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
    strict = placed(pair.place, tmp_path / "log.csv", "other")
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
    for count in (200, 20_000):
        told = (row(f"{count}-{n}", SEPTEMBER + count * HOUR, plan=("pro", "free")[n % 2]) for n in range(count))
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
    rows = bulk.Rows(
        path=path, format="mapping", given=Given(source="log", mapping=MAPPING), containments={}, at=NOON,
        stream=Stream("log", Role.LEDGER, in_place=True),
    )  # fmt: skip
    begun = books.tell(lambda connection: bulk.begin(connection, rows, "test"))
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
    books.tell(lambda connection: roles.choose(connection, "log", Role.LEDGER, BY))
    assert catch_up(books, LATER).rows == 15
    counted = total(books)
    assert counted.rows == 15
    path.unlink()
    books.tell(lambda connection: roles.choose(connection, "log", Role.EVIDENCE, BY))
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
    path = written(tmp_path / "log.csv", usual(400))
    tried = placed(books, path, dry_run=True)
    assert (tried.previewed, dict(tried.outcomes), tried.rows) == (1_000, {"rated": 1_000}, 1_200)
    assert (total(books).rows, runs(books)) == (0, [])
    take(books, event("1", source="log"), stream=Stream("log", Role.LEDGER))


def test_a_file_that_changes_while_it_is_read_is_refused(books: Store, tmp_path: Path) -> None:
    """Half of it would be of another file."""
    path = written(tmp_path / "log.csv", usual(2))

    def grow(what: str, _done: int, _size: int) -> None:
        if what == "rating":
            with path.open("a") as file:
                file.write("\n")

    with pytest.raises(Conflict, match="changed while it was read"):
        import_in_place(books, asked(path), now=lambda: NOON, by="test", progress=grow)
    assert runs(books) == []


# --- what becomes known late ----------------------------------------------------------------------------------------


def test_what_is_learnt_late_costs_what_it_does_row_by_row(pair: Pair, tmp_path: Path) -> None:
    """A price, a discount, an offer, a customer and its plan: each time both books say the same, in the same dollars."""
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
    """A price of September that is corrected in November is booked in October, which is open; by use it is September's."""
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
    rows = bulk.Rows(
        path=path, format="mapping", given=Given(source="log", mapping=MAPPING), containments={}, at=NOON,
        stream=Stream("log", Role.LEDGER, in_place=True),
    )  # fmt: skip
    begun = books.tell(lambda connection: bulk.begin(connection, rows, "test"))
    rating, then = bulk.rated(books, begun)
    books.tell(corrected(0, 1, "4"))
    catch_up(books, LATER)
    more = {"sure": False, "name": "log.csv", "at": LATER, "by": "test"}
    with path.open("rb") as file:
        import hashlib

        more["digest"] = hashlib.file_digest(file, "sha256").hexdigest()
    books.tell(lambda connection: bulk.take_in(connection, begun, rating, then, (), **more))
    assert (pico_text(total(books).cost), catch_up(books, LATER).lines, pico_text(total(books).cost)) == ("6", 1, "7")

    books.tell(corrected(0, 1, "5"))
    while books.tell(lambda connection: rebook.turn(connection, LATER)) is not None:
        pass
    held = books.tell(lambda connection: work.claim(connection, LATER))
    assert held is not None
    found, old = bulk.again(books, 1)
    books.tell(corrected(0, 1, "6"))
    rebook.catch_up(books, lambda: LATER, turns_max=9)
    books.tell(lambda connection: bulk.book_again(connection, found, old, LATER))
    books.tell(lambda connection: work.end(connection, held, LATER))
    assert (pico_text(total(books).cost), catch_up(books, LATER).lines, pico_text(total(books).cost)) == ("8", 1, "9")


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
