"""A source that falls silent: its prices turn stale, then nobody believes them; being read keeps them young."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from planner.flows import status
from planner.flows.current import AGES_EVERY_SECONDS, Current
from planner.flows.refresh import refresh_from_file
from planner.sources import ADAPTERS
from planner.store import tables as t
from planner.store.engine import Store
from planner.store.load import load_catalogue
from tests.kill import SOURCE, prepare
from tests.loopback import listing

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)
OFFER = "direct:acme/m0"


@pytest.fixture
def ready(store: Store) -> Store:
    """A database that has read two sources once; the second one has nothing to do with the first."""
    prepare(store)
    with store.write() as connection:
        connection.execute(
            sa.insert(t.sources).values(name="other", title="t", url="u", licence="l", rank=2, interval_minutes=60)
        )
    read(store, NOON)
    return store


def read(store: Store, at: datetime, source: str = SOURCE) -> str:
    """Read one source, which always says the same, and return what came of it."""
    adapter = type(ADAPTERS[SOURCE])()
    adapter.name = source
    body = {f"https://{source}.test": listing()}
    return refresh_from_file(store, source, adapter, body, at, actor="test").sources[0].outcome


def test_prices_of_a_silent_source_turn_stale_and_then_end(ready: Store) -> None:
    """For a day they are fresh, for sixty they are believed, and then there is no price, although others are read."""
    read(ready, NOON + 89 * DAY, "other")
    with ready.read() as connection:
        catalogue = load_catalogue(connection)
    states = [catalogue.stale(NOON + days * DAY, SOURCE) for days in (0, 2, 90)]
    assert states == [False, True, True]
    assert not catalogue.stale(NOON + 89 * DAY)
    believed = [catalogue.card(OFFER, NOON + days * DAY) is not None for days in (0, 59, 60)]
    assert believed == [True, True, False]
    row = next(row for row in status.sources(ready) if row.source == SOURCE)
    assert [row.state(NOON + days * DAY) for days in (0, 2, 60)] == ["fresh", "stale", "lost"]


def test_a_source_that_says_nothing_new_keeps_its_prices_young(ready: Store) -> None:
    """Unchanged, it publishes nothing; who has its prices in memory learns within a minute that they are confirmed."""
    at, seconds = NOON, 0.0
    current = Current(ready, b"pepper", lambda: at, monotonic=lambda: seconds)
    first = current.view()
    at = NOON + 2 * DAY
    seconds += 2 * AGES_EVERY_SECONDS
    assert current.view() is first
    assert first.catalogue.stale(at, SOURCE)
    assert read(ready, at) == "unchanged"
    assert current.view() is first
    seconds += 2 * AGES_EVERY_SECONDS
    assert not current.view().catalogue.stale(at, SOURCE)
    at = NOON + 61 * DAY
    seconds += 2 * AGES_EVERY_SECONDS
    before = current.view()
    assert before.catalogue.card(OFFER, at) is not None
    assert read(ready, at) == "unchanged"
    seconds += 2 * AGES_EVERY_SECONDS
    assert current.view().catalogue.card(OFFER, at + 30 * DAY) is not None
    current.close()


def test_a_bundle_grows_old_and_stays(ready: Store) -> None:
    """What was never read from its source is stale after two weeks, and still believed: offline it is all there is."""
    with ready.write() as connection:
        connection.execute(sa.update(t.source_states).values(last_success_at=None))
    with ready.read() as connection:
        catalogue = load_catalogue(connection)
    assert [catalogue.stale(NOON + days * DAY) for days in (13, 14)] == [False, True]
    assert catalogue.card(OFFER, NOON + 900 * DAY) is not None
