"""Books in which one offer has prices, once and twice."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from planner.store.engine import Store, open_store
from tests.bulk_books import Pair
from tests.ledger_books import (
    OFFER,
    claim,
    know,
    listed,
)
from tests.make import rates


@pytest.fixture
def books(store: Store) -> Store:
    """Books in which a million tokens in cost 3 dollars, out 15."""
    return _priced(store)


@pytest.fixture
def pair(books: Store, schema: Path, tmp_path: Path) -> Iterator[Pair]:
    """Those books, and others like them."""
    rows = _priced(open_store(f"sqlite:///{shutil.copy(schema, tmp_path / 'rows.sqlite3')}"))
    yield Pair(books, rows)
    rows.close()


def _priced(store: Store) -> Store:
    know(store)
    listed(store, claim(OFFER, rates("3", "15")))
    return store
