"""The promise: what was revoked is gone everywhere, and a worker that cannot know says so after its lease."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from planner.app import build
from planner.core.errors import Unavailable
from planner.flows.current import Current
from planner.settings import Settings
from planner.store import audit
from planner.store.engine import Store, open_store
from planner.store.migrate import upgrade
from planner.store.revision import Heads, Marks, bump, read_heads, restored
from planner.store.watch import Watch
from tests.conftest import NOW
from tests.databases import cut_off, postgres_database
from tests.kill import prepare, publish
from tests.revocation import revoke
from tests.stalling import Link, through

ADMIN = "pk_adminkey_0123456789abcdefghijklmnopqrstuvwxyz"
ASKED = "/v1/plans/pro/tasks/chat/recommendation"
LEASE_SECONDS = 1.0
PATIENCE_SECONDS = 30


def test_no_answer_that_starts_after_a_revocation_uses_what_was_revoked(store: Store) -> None:
    """Four processes under load: providers denied, terms ended and keys revoked are gone with the next request."""
    record, revocations, _seconds = revoke(store, 9, seed=1)
    assert (revocations, record.violations, record.failures) == (9, [], [])
    assert record.answered > 0


@pytest.fixture
def linked(postgres: str) -> Iterator[tuple[Store, Store, Link]]:
    """A prepared PostgreSQL database, opened directly and through a link that can stall."""
    with postgres_database(postgres) as url:
        upgrade(url)
        direct = open_store(url)
        prepare(direct)
        publish(direct, 0)
        with through(url) as (link, behind):
            cut = open_store(behind)
            yield direct, cut, link
            cut.close()
        direct.close()


def test_a_worker_behind_a_stalled_link_serves_for_the_lease_and_then_reads_only(
    linked: tuple[Store, Store, Link],
) -> None:
    """It answers, then it is 503 with Retry-After; the catalogue is read on, marked; afterwards all is well again."""
    direct, cut, link = linked
    app = build(Settings(admin_key=SecretStr(ADMIN), key_pepper=SecretStr("pepper")), cut)
    with TestClient(app, headers={"Authorization": f"Bearer {ADMIN}"}) as client:
        app.state.current = Current(cut, b"pepper", lambda: NOW, admin_key=ADMIN, lease_seconds=LEASE_SECONDS)
        assert client.get(ASKED).status_code == 404  # there is no such plan
        link.stalled.set()
        direct.tell(lambda connection: bump(connection, policy=True))
        end = time.monotonic() + PATIENCE_SECONDS
        while (answer := client.get(ASKED)).status_code != 503:
            assert time.monotonic() < end
        assert int(answer.headers["retry-after"]) > 0
        read = client.get("/v1/models")
        assert (read.status_code, read.json()["stale"]) == (200, True)
        link.stalled.clear()
        while client.get(ASKED).status_code != 404:
            assert time.monotonic() < end
        assert app.state.current.view().heads.policy == 1


def test_a_stalled_link_holds_nobody_for_long(linked: tuple[Store, Store, Link]) -> None:
    """Twenty who ask at once share one wait in vain; they do not wait one after the other."""
    _direct, cut, link = linked
    watch = Watch(cut)
    watch.heads()
    link.stalled.set()
    refused: list[float] = []

    def ask() -> None:
        with pytest.raises(Unavailable):
            watch.heads()
        refused.append(time.monotonic())

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    watch.forget()
    # One wait lasts 1.5 seconds; twenty, one after the other, half a minute.
    assert len(refused) == len(threads)


def test_a_dead_connection_is_no_outage(linked: tuple[Store, Store, Link]) -> None:
    """Whose connection was ended asks again at once, and does not answer from before a revocation."""
    direct, _cut, _link = linked
    current = Current(direct, b"pepper", lambda: NOW)
    before = current.view()
    cut_off(direct)
    direct.tell(lambda connection: bump(connection, policy=True))
    assert current.view().heads.policy == before.heads.policy + 1
    current.close()


def test_a_view_that_is_known_to_be_outdated_has_no_lease(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database said that there is something newer and then could not be read: nothing is answered from before."""
    prepare(store)
    publish(store, 0)
    current = Current(store, b"pepper", lambda: NOW)
    current.view()
    store.tell(lambda connection: bump(connection, policy=True))

    def away(*_arguments: object, **_named: object) -> None:
        raise Unavailable("the database does not answer")

    monkeypatch.setattr("planner.flows.current.load_catalogue", away)
    with pytest.raises(Unavailable):
        current.view()
    current.close()


def test_a_restored_backup_is_refused_until_somebody_says_that_it_holds(store: Store) -> None:
    """Lower numbers are refused, also after changes in the restored database; the word of a person is on record."""
    prepare(store)
    publish(store, 0)
    for _ in range(3):
        store.tell(lambda connection: bump(connection, policy=True))
    current = Current(store, b"pepper", lambda: NOW)
    held = current.view()
    with store.write() as connection:
        connection.exec_driver_sql("UPDATE heads SET policy = 1")
    with pytest.raises(Unavailable, match="restored"):
        current.view()
    assert current.last().cut_off
    for _ in range(3):
        store.tell(lambda connection: bump(connection, policy=True))
    with pytest.raises(Unavailable, match="restored"):
        current.view()
    store.tell(lambda connection: restored(connection, at=NOW, actor="test", reason="the disk broke"))
    assert current.view().heads.policy > held.heads.policy
    with store.read() as connection:
        assert audit.happened(connection, "database.restored", "database")
        assert audit.verify(connection) is None
        numbers = read_heads(connection)
    assert numbers.policy == numbers.keys
    current.close()


def test_a_second_restore_is_past_the_first() -> None:
    """Marks of a state that the second backup does not know are left behind as well."""
    marks = Marks()
    for found in (Heads(9, 2_000, 2_000), Heads(3, 2_500, 2_500), Heads(4, 2_501, 2_500)):
        assert marks.see(found) == found
    assert marks.newest(Heads(4, 2_501, 2_500))
    with pytest.raises(Unavailable):
        marks.see(Heads(5, 2_500, 2_500))
    assert not marks.newest(Heads(4, 2_501, 2_500))


def test_a_worker_whose_clock_is_wrong_decides_by_the_servers(store: Store) -> None:
    """A year ahead, and yet no price comes early; the embedded database has no clock but the machine's."""
    prepare(store)
    publish(store, 0)
    wrong = datetime.now(UTC) + timedelta(days=365)  # noqa: TID251  # held against the server's own
    current = Current(store, b"pepper", lambda: wrong, server_clock=True)
    current.view()
    assert current.now() == wrong if store.is_sqlite else current.now() < wrong - timedelta(days=364)
    current.close()
