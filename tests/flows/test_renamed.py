"""Exactly the same file is counted once, whatever its stream is called the next time."""

from pathlib import Path
from typing import Any

import pytest

from planner.core.errors import AlreadyImported, InvalidInput
from planner.core.event import Role
from planner.flows.import_file import import_file
from planner.flows.survey import Summary
from planner.store.engine import Store
from tests.bulk_books import asked, placed, row, written
from tests.ledger_books import NOON, catch_up, choose, total

_COLUMNS = {name: name for name in ("id", "start", "amount", "currency")}
_REVENUE_WORDS: dict[str, Any] = {"mapping": {"kind": "revenue", "item_kind": "kind", **_COLUMNS}}
REVENUE = "kind,id,start,amount,currency\ncash,1,2026-09-01T00:00:00Z,20,USD\n"


def imported(store: Store, path: Path, source: str, **more: Any) -> Summary:
    """Import a file, and have its rows stored."""
    return import_file(store, asked(path, source, **more), now=lambda: NOON, by="test")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of two rows."""
    return written(tmp_path / "log.csv", [row(1), row(2)])


def test_the_same_file_under_another_name_is_refused(books: Store, path: Path) -> None:
    """Whoever says that its rows count means other rows; it is told which import that was, and what can be done."""
    imported(books, path, "log")
    for more in ({"role": Role.LEDGER}, {"account": "b"}, {"dry_run": True}):
        with pytest.raises(AlreadyImported):
            imported(books, path, "again", **more)
    with pytest.raises(AlreadyImported) as known:
        imported(books, path, "again")
    facts = known.value.facts()
    assert {name: facts[name] for name in ("kind", "id", "source", "at")} == {
        "kind": "import", "id": "1", "source": "log", "at": "2026-11-24T12:00:00Z",
    }  # fmt: skip
    assert "import it as source log and nothing changes" in str(known.value)
    assert imported(books, path, "log").repeated == 1
    assert total(books).rows == 2


@pytest.mark.parametrize("where", [placed, imported])
def test_a_file_in_place_is_the_same_as_one_that_is_taken_in(books: Store, path: Path, where: Any) -> None:
    """Whichever comes second."""
    where(books, path, "log")
    for other in (placed, imported):
        with pytest.raises(AlreadyImported):
            other(books, path, "again", role=Role.LEDGER)
    assert total(books).rows == 2


def test_evidence_may_have_the_same_rows(books: Store, path: Path) -> None:
    """It counts nothing: before the one that counts, or after it."""
    imported(books, path, "before", role=Role.EVIDENCE)
    imported(books, path, "log")
    assert dict(imported(books, path, "after", role=Role.EVIDENCE).outcomes) == {"evidence": 2}
    assert total(books).rows == 2


def test_evidence_that_is_to_count_must_be_of_other_files(books: Store, path: Path) -> None:
    """A file counts in one stream: first the one that has it is evidence, then the other may count."""
    imported(books, path, "log")
    imported(books, path, "after", role=Role.EVIDENCE)
    with pytest.raises(AlreadyImported):
        choose(books, "after", Role.LEDGER)
    choose(books, "log", Role.EVIDENCE)
    choose(books, "after", Role.LEDGER)
    catch_up(books)
    assert total(books).rows == 2


def test_a_wrong_name_is_put_right(books: Store, path: Path) -> None:
    """Once the stream of that name counts no more, the file counts under its own."""
    imported(books, path, "wrong")
    choose(books, "wrong", Role.EVIDENCE)
    catch_up(books)
    assert dict(imported(books, path, "right").outcomes) == {"stored": 2}
    assert total(books).rows == 2


def test_payments_are_not_counted_twice_either(books: Store, tmp_path: Path) -> None:
    """Revenue has no role that would keep it from counting."""
    path = tmp_path / "payments.csv"
    path.write_text(REVENUE)
    more = _REVENUE_WORDS
    assert dict(imported(books, path, "shop", **more).outcomes) == {"stored": 1}
    for role in (None, Role.EVIDENCE):
        with pytest.raises(AlreadyImported, match=r"import it as source shop and nothing changes, source=shop"):
            imported(books, path, "shop2", role=role, **more)


def test_revenue_is_no_evidence(books: Store, tmp_path: Path) -> None:
    """It always counts, and whoever believes that it will not is told."""
    path = tmp_path / "payments.csv"
    path.write_text(REVENUE)
    with pytest.raises(InvalidInput, match="role"):
        imported(books, path, "shop", role=Role.EVIDENCE, **_REVENUE_WORDS)
