"""Silence is announced: of a source that is not read or says nothing new, and of a receiver that never ends."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Event, Thread

import pytest

from planner.core.errors import FeedRefused
from planner.flows import deliver
from planner.notify import Mail, NotDelivered, mail, new_secret, post
from planner.store import alerts, holds, status
from planner.store import tables as t
from planner.store.engine import Store
from tests.kill import prepare

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def remind(store: Store, at: datetime) -> int:
    """Look at a moment for what nobody causes."""
    return store.tell(lambda connection: deliver.remind(connection, at))


def test_what_nobody_causes_is_announced_too(store: Store) -> None:
    """A price that still waits, every day; a source that fell silent, once until it speaks again."""
    prepare(store)
    with store.write() as connection:
        scaled = FeedRefused("models_dev", "scaled", "x1000", "1000")
        assert [holds.hold_feed(connection, "models_dev", [scaled], NOON).news for _ in range(2)] == [True, False]
        connection.execute(t.sources.update().values(stale_after_hours=24))
        connection.execute(
            t.source_states.insert().values(source="models_dev", last_attempt_at=NOON, last_success_at=NOON)
        )
    assert remind(store, NOON + timedelta(hours=1)) == 0
    assert remind(store, NOON + timedelta(hours=25)) == 2
    assert remind(store, NOON + timedelta(hours=26)) == 0
    assert remind(store, NOON + timedelta(hours=49)) == 1
    with store.read() as connection:
        assert [row["kind"] for row in alerts.listed(connection)] == ["feed_held", "source_stale", "feed_held"]


def told_of(store: Store, source: str) -> list[str]:
    """List how a source was announced to be silent, oldest first."""
    with store.read() as connection:
        rows = alerts.listed(connection, kind="source_stale", subject=source)
    return [row["facts"]["state"] for row in reversed(rows)]


def test_a_source_that_says_nothing_new_is_announced_once(store: Store) -> None:
    """It is read every hour and stays frozen; when it has moved and froze again, it is announced again."""
    prepare(store)
    counts = {"rows_read": 1}
    with store.write() as connection:
        connection.execute(t.sources.update().values(stale_after_hours=24, frozen_after_days=3))
    for hours in (0, *range(70, 100), 100, *range(170, 176)):
        at, said = NOON + timedelta(hours=hours), counts if hours in (0, 100) else {}
        store.tell(lambda connection, at=at, said=said: status.note_success(connection, "models_dev", at, None, said))  # type: ignore[misc]
        remind(store, at)
    assert told_of(store, "models_dev") == ["frozen", "frozen"]


def test_a_source_that_was_never_read_is_announced_once(store: Store) -> None:
    """Asked three times in vain, it is unreachable; then lost is what a source becomes that once was read."""
    prepare(store)
    for hours in range(6):
        at = NOON + timedelta(hours=hours)
        store.tell(lambda connection, at=at: status.note_failure(connection, "models_dev", at, "refused", "404"))  # type: ignore[misc]
        remind(store, at)
    assert told_of(store, "models_dev") == ["unreachable"]
    store.tell(lambda connection: status.note_success(connection, "models_dev", NOON, None, {"rows_read": 1}))
    for days in (40, 41, 61, 62):
        remind(store, NOON + timedelta(days=days))
    assert told_of(store, "models_dev")[1:] == ["stale", "lost"]


@contextmanager
def dripping(text: bytes) -> Iterator[int]:
    """Answer everybody with some text, then with a byte now and then, for ever; yield the port."""
    stopped = Event()

    class Drip(BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                self.request.sendall(text)
                while not stopped.wait(0.05):
                    self.request.sendall(b"x")

    with ThreadingTCPServer(("127.0.0.1", 0), Drip) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield int(server.server_address[1])
        stopped.set()
        server.shutdown()


def test_an_attempt_ends_however_slowly_the_other_side_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then keeps any single wait short: the whole attempt has its deadline."""
    monkeypatch.setattr("planner.notify.DEADLINE_SECONDS", 0.5)
    with dripping(b"HTTP/1.1 200 OK\r\nX: ") as port, pytest.raises(NotDelivered, match="TimeoutError"):
        post(f"http://127.0.0.1:{port}/", new_secret(), "msg_1", 1, b"{}", [f"127.0.0.1:{port}"])
    with dripping(b"220 ") as port:
        office = Mail(f"smtp://127.0.0.1:{port}", "planner@acme.test", ())
        with pytest.raises(NotDelivered, match="Timeout"):
            mail(office, "ada@acme.test", "planner-1", "subject", "text", NOON)
