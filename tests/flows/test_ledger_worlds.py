"""Random rows of a random world: booked to the last digit as fractions have it, whatever order they come in."""

from pathlib import Path

import pytest

from planner.store.engine import open_store
from planner.store.migrate import upgrade
from tests.databases import postgres_database
from tests.ledger_runs import (
    QUESTIONS,
    UNIT_QUESTIONS,
    Told,
    differences,
    expected,
    fill,
    lines_found,
    sums_expected,
    sums_found,
    told,
)

ROWS = 300


def answers(url: str, given: Told, order: int, piece: int) -> tuple[list[str], list[str], str]:
    """Fill a new database; return the rows it books otherwise than the reference, its sums, and all its lines."""
    upgrade(url)
    store = open_store(url)
    fill(store, given, order, piece)
    found = differences(store, expected(given)), sums_found(store), lines_found(store)
    store.close()
    return found


def test_both_databases_book_what_fractions_say(tmp_path: Path, postgres: str) -> None:
    """Bands, cards, fees, bounds, what is learnt late, a closed month: every row and every sum, in the same bytes."""
    given = told(seed=3, count=ROWS)
    sums = sums_expected(expected(given))
    with postgres_database(postgres) as url:
        found = [
            answers(f"sqlite:///{tmp_path / 'one.sqlite3'}", given, order=1, piece=60),
            answers(url, given, order=2, piece=150),
        ]
    for wrong, told_, _lines in found:
        assert wrong == []
        for question, one, two in zip((*UNIT_QUESTIONS, *QUESTIONS), told_, sums, strict=True):
            assert one == two, question
    assert found[0] == found[1]


@pytest.mark.parametrize("seed", [4, 5])
def test_the_order_in_which_rows_come_changes_nothing(tmp_path: Path, seed: int) -> None:
    """All in one piece, or a few at a time in another order, some of them twice: the same lines and sums."""
    given = told(seed, ROWS // 4)
    together = answers(f"sqlite:///{tmp_path / 'one.sqlite3'}", given, order=1, piece=ROWS)
    apart = answers(f"sqlite:///{tmp_path / 'two.sqlite3'}", given, order=2, piece=10)
    assert together[0] == []
    assert together == apart
