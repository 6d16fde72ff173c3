"""Books in which one offer has prices, once and twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from planner.store.engine import Store, open_store
from planner.store.migrate import upgrade
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
def pair(books: Store, tmp_path: Path) -> Iterator[Pair]:
    """Those books, and others like them."""
    url = f"sqlite:///{tmp_path / 'rows.sqlite3'}"
    upgrade(url)
    rows = _priced(open_store(url))
    yield Pair(books, rows)
    rows.close()


def _priced(store: Store) -> Store:
    know(store)
    listed(store, claim(OFFER, rates("3", "15")))
    return store
