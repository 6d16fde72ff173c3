"""Two pulls of one span at once: what moved between their answers is counted once."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from planner.core.errors import Conflict
from planner.flows.import_file import Import, Progress, import_file
from planner.flows.vanished import Whole
from planner.store.engine import Store
from tests import ledger_books
from tests.flows.test_regrouped import DAY, START, used
from tests.ledger_books import NOON, SEPTEMBER, total


def told(store: Store, path: Path, tokens: int, progress: Progress = lambda *_: None) -> None:
    """Import an answer that has all of the first of September: so many tokens of the project that the file is named."""
    bucket = {"object": "bucket", "start_time": START, "end_time": START + DAY}
    results = [used(tokens, project_id=path.stem)]
    path.write_text(json.dumps({"object": "page", "data": [{**bucket, "results": results}], "has_more": False}))
    whole = Whole(SEPTEMBER, SEPTEMBER + ledger_books.DAY)
    asked = Import(path=path, name=path.name, words={}, format="openai_usage", whole=whole)
    import_file(store, asked, now=lambda: NOON, by="test", progress=progress)


def once_booking(then: Callable[[], None]) -> Progress:
    """Do something when a file that was looked at is read again to be booked."""
    left = [then]

    def progress(what: str, _done: int, _size: int) -> None:
        if what == "booking" and left:
            left.pop()()

    return progress


# A document is read before the import begins, and lines one by one after that.
@pytest.mark.parametrize("name", ["old.json", "old.jsonl"])
def test_who_was_overtaken_books_nothing(books: Store, tmp_path: Path, name: str) -> None:
    """Everything moves to another project after the first has looked at what is on record: the later one counts."""
    told(books, tmp_path / "old.json", 100)
    between = once_booking(lambda: told(books, tmp_path / "new.json", 110))
    with pytest.raises(Conflict, match="came in between"):
        told(books, tmp_path / name, 120, between)
    assert total(books).input_tokens == 110
    told(books, tmp_path / "old.json", 130)
    assert total(books).input_tokens == 130
