"""Usage comes in while everything goes wrong: small samples of the long runs, on both databases."""

import signal
from collections.abc import Iterator

import pytest

from planner.store.engine import Store, open_store
from tests.databases import postgres_database, running_postgres
from tests.ingest_runs import cut, ended, repeated, restarted, serving_here, spoilt
from tests.ingesting import prepare


@pytest.fixture
def served(database_url: str) -> Iterator[tuple[Store, int]]:
    """Books that are served, and the port."""
    prepare(database_url)
    store = open_store(database_url)
    with serving_here(store) as port:
        yield store, port
    store.close()


def test_a_server_that_is_killed_or_told_to_stop_loses_nothing_it_acknowledged(database_url: str) -> None:
    """In the middle of batches; who got no answer sends the same again, and nothing doubles."""
    prepare(database_url)
    # A server takes its time to start: one end on PostgreSQL is enough for every day.
    found = ended(
        database_url, 2 if database_url.startswith("sqlite") else 1, 1, ((signal.SIGKILL,), (signal.SIGTERM,))
    )
    assert found.rows > found.unanswered > 0


def test_what_many_clients_send_again_and_again_counts_once(served: tuple[Store, int]) -> None:
    """Shuffled, split, mixed, after timeouts; of two bodies one counts, and the other is a conflict for good."""
    told = repeated(*served, batches=10, copies=6, seed=1)
    assert any(said["conflict"] for bodies in told.said.values() for said in bodies.values())
    assert {"200", "207"} <= told.answers.keys() <= {"200", "207", "409", "none"}


def test_clients_that_hang_up_leave_whole_rows_and_no_connection_behind(served: tuple[Store, int]) -> None:
    """At any byte of the request or of the answer."""
    assert cut(*served, count=20, seed=1) > 20


def test_a_bad_row_among_good_ones_is_named_and_alone(served: tuple[Store, int]) -> None:
    """Whatever is wrong with it; a body that is no document is refused whole."""
    assert spoilt(*served, count=25, size=20, seed=1) == 25 * 19


def test_a_postgresql_that_stops_is_a_503_and_loses_nothing() -> None:
    """A server of its own, stopped at once and started again under load; sessions end in the middle of transactions."""
    with running_postgres() as server, postgres_database(server.url) as url:
        prepare(url)
        found = restarted(server, url, restarts=1, kills=5, seed=1)
    assert set(found.answers) == {"200", "503"}
    assert found.terminated >= 5
