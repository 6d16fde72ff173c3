"""The view every answer rests on: as new as the last acknowledged change, and not for long without a database."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import make_url
from starlette.testclient import TestClient

from planner.app import build
from planner.core.errors import Unavailable
from planner.flows.current import LEASE_SECONDS, Current
from planner.settings import Settings
from planner.store import keys
from planner.store.engine import Store, open_store
from planner.store.migrate import upgrade
from planner.store.revision import bump
from tests.conftest import NOW
from tests.databases import postgres_database
from tests.kill import prepare, publish

ASKED = "/v1/plans/pro/tasks/chat/recommendation"
ADMIN = "pk_adminkey_0123456789abcdefghijklmnopqrstuvwxyz"


class Clock:
    """A monotonic clock that a test moves."""

    seconds = 1_000.0

    def __call__(self) -> float:
        """Return the time on it."""
        return self.seconds


@contextmanager
def held(store: Store, clock: Clock) -> Iterator[Current]:
    """A holder of views on its own clock."""
    current = Current(store, b"pepper", lambda: NOW, monotonic=clock)
    yield current
    current.close()


def test_a_view_is_kept_until_something_changes(store: Store) -> None:
    """The same object while nothing moves; another one at once after a publication, a policy change or a new key.

    A new key alone leaves the catalogue as it is in memory.
    """
    prepare(store)
    publish(store, 0)
    with held(store, Clock()) as current:
        first = current.view()
        assert current.view() is first
        publish(store, 1)
        second = current.view()
        assert second.catalogue.revision == first.catalogue.revision + 1
        with store.write() as connection:
            bump(connection, policy=True)
        third = current.view()
        assert third is not second
        with store.write() as connection:
            key = keys.create(
                connection, b"pepper", name="n", role="admin", policies=None, expires_at=None, actor="a", at=NOW
            )
        fourth = current.view()
        assert fourth.keys.find(key, NOW) is not None
        assert fourth.catalogue is third.catalogue
        with store.write() as connection:
            keys.revoke(connection, keys.prefix_of(key), actor="a", at=NOW)
            bump(connection, policy=True)
        fifth = current.view()
        assert fifth.keys.find(key, NOW) is None
        assert fifth.catalogue is not third.catalogue


@pytest.fixture
def cut(postgres: str) -> Iterator[tuple[Store, "Outage"]]:
    """A prepared PostgreSQL database that can be taken away and given back."""
    with postgres_database(postgres) as url:
        upgrade(url)
        store = open_store(url)
        prepare(store)
        publish(store, 0)
        yield store, Outage(postgres, make_url(url).database or "")
        store.close()


class Outage:
    """While entered, the database answers nobody: its name leads nowhere and its connections are cut."""

    def __init__(self, server: str, name: str) -> None:
        self._server, self._name = server, name

    def __enter__(self) -> None:
        self._rename(self._name, f"{self._name}_away")

    def __exit__(self, *_error: object) -> None:
        self._rename(f"{self._name}_away", self._name)

    def _rename(self, old: str, new: str) -> None:
        with psycopg.connect(f"{self._server}/postgres", autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (old,))
            connection.execute(f"ALTER DATABASE {old} RENAME TO {new}".encode())


def test_without_the_database_the_last_view_serves_for_the_lease(cut: tuple[Store, Outage]) -> None:
    """29 seconds after the last confirmation the view still serves, 31 after it none does; then all is well again."""
    store, outage = cut
    clock = Clock()
    with held(store, clock) as current:
        view = current.view()
        with outage:
            clock.seconds += LEASE_SECONDS - 1
            assert current.view() is view
            clock.seconds += 2
            with pytest.raises(Unavailable):
                current.view()
        assert current.view() is view


def test_no_view_was_ever_held_without_a_database(cut: tuple[Store, Outage]) -> None:
    """A process that starts during an outage has nothing to serve."""
    store, outage = cut
    with held(store, Clock()) as current, outage, pytest.raises(Unavailable):
        current.view()


def test_callers_see_503_and_when_to_ask_again(cut: tuple[Store, Outage]) -> None:
    """Past the lease a constrained question is 503 with Retry-After; the catalogue is read on, marked stale."""
    store, outage = cut
    clock = Clock()
    app = build(Settings(admin_key=SecretStr(ADMIN), key_pepper=SecretStr("pepper")), store)
    header = {"Authorization": f"Bearer {ADMIN}"}
    with TestClient(app, headers=header, raise_server_exceptions=False) as client:
        app.state.current = Current(store, b"pepper", lambda: NOW, admin_key=ADMIN, monotonic=clock)
        assert client.get("/v1/models").status_code == 200
        with outage:
            assert client.get(ASKED).status_code == 404  # there is no such plan, says the leased view
            clock.seconds += LEASE_SECONDS + 1
            answer = client.get(ASKED)
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            assert int(answer.headers["retry-after"]) > 0
            read = client.get("/v1/models")
            assert (read.status_code, read.json()["stale"]) == (200, True)
            assert client.get("/v1/offers?policy=no-training").status_code == 503
            assert client.get("/ready").status_code == 503
            assert client.get("/live").status_code == 200
        assert client.get("/v1/models").status_code == 200


def test_a_vanished_file_is_an_outage_and_never_a_new_database(tmp_path: Path) -> None:
    """The embedded file gone, a fresh process is refused; no empty file appears in its place."""
    path = tmp_path / "planner.sqlite3"
    upgrade(f"sqlite:///{path}")
    store = open_store(f"sqlite:///{path}")
    path.unlink()
    with held(store, Clock()) as current, pytest.raises(Unavailable):
        current.view()
    assert not path.exists()
    store.close()
