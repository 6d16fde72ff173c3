"""Many at once: upgrades, publishers and key makers on one database lose nothing and tear nothing."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from planner.places import migrations_dir
from planner.store import audit, keys
from planner.store import tables as t
from planner.store.engine import Connection, Store, open_store
from planner.store.migrate import _locked, upgrade
from planner.store.schema import check
from tests.kill import check_whole, prepare, publish

IDLE = "idle_in_transaction_session_timeout"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
UPGRADE = "import sys; from planner.store.migrate import upgrade; upgrade(sys.argv[1])"


def test_four_upgrades_at_once_all_succeed(database_url: str) -> None:
    """One works, three wait, and the schema is there once."""
    started = [subprocess.Popen([sys.executable, "-c", UPGRADE, database_url]) for _ in range(4)]
    assert [process.wait(60) for process in started] == [0, 0, 0, 0]
    check(database_url)


def test_an_upgrade_waits_for_another_however_long_it_takes(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound for rows is not one for upgrades: who holds the lock for longer than it is waited for, not refused."""
    monkeypatch.setattr("planner.store.engine._POSTGRESQL", "-c timezone=UTC -c lock_timeout=50ms")
    with ThreadPoolExecutor(1) as pool:
        with _locked(store):
            waiting = pool.submit(upgrade, store.url)
            with pytest.raises(TimeoutError):
                waiting.result(0.5)
        waiting.result(60)


def test_a_schema_goes_down_and_up_again(store: Store) -> None:
    """Down to nothing leaves no table of ours; up again is the schema this version checks for."""
    config = Config()
    config.set_main_option("script_location", str(migrations_dir()))
    with store.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    with store.engine.connect() as connection:
        assert set(sa.inspect(connection).get_table_names()) <= {"alembic_version"}
    upgrade(store.url)
    check(store.url)


def test_nobody_waits_for_ever_for_somebody_who_stopped(store: Store) -> None:
    """A server ends a wait for a row and a transaction left open; the embedded file has its own bound."""
    if store.is_sqlite:
        with store.read() as connection:
            assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 30_000
        return
    with store.read() as connection:
        shown = [connection.exec_driver_sql(f"SHOW {name}").scalar() for name in ("lock_timeout", IDLE)]
    assert shown == ["30s", "2min"]


def test_writers_wait_for_each_other(store: Store) -> None:
    """Forty audit entries of four writers: none lost, one chain, and nobody is told twice because two collided."""
    told: list[int] = []

    def write(number: int) -> None:
        def story(connection: Connection) -> None:
            told.append(number)
            audit.record(
                connection, at=NOON, actor=f"a{number}", action="x", subject="y", before=None, after=None, reason="z"
            )

        store.tell(story)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(40)))
    assert sorted(told) == list(range(40))
    with store.read() as connection:
        assert audit.verify(connection) is None
        assert connection.scalar(sa.select(sa.func.count()).select_from(t.audit)) == 40


def test_publishing_and_administering_do_not_lose_each_other(store: Store) -> None:
    """Keys made while prices are published: every key stands, every revision is whole."""
    prepare(store)
    publish(store, 0)
    other = open_store(store.url)

    def make(number: int) -> str:
        def story(connection: Connection) -> str:
            return keys.create(
                connection, b"p", name=f"k{number}", role="admin", policies=None, expires_at=None, actor="a", at=NOON
            )

        return other.tell(story)

    with ThreadPoolExecutor(2) as pool:
        made = pool.map(make, range(8))
        revisions = [publish(store, turn) for turn in range(1, 5)]
        found = list(made)
    assert revisions == [2, 3, 4, 5]
    with store.read() as connection:
        assert len(keys.listed(connection)) == len(set(found)) == 8
        # Publications and key makings alternate in one audit chain.
        assert audit.verify(connection) is None
    assert check_whole(store) == 5
    other.close()
