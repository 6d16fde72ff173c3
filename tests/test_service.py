"""The processes a deployment runs: a server that answers and stops when told, a timer that never dies."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import httpx
import pytest
import uvicorn
from uvicorn.supervisors import Multiprocess

from planner.cli import serving
from planner.flows import status, turn
from planner.schedule import Timer
from planner.sources import ADAPTERS
from planner.store import keys
from planner.store.engine import Store, open_store
from tests.databases import copied
from tests.kill import SOURCE, prepare
from tests.loopback import Feed, free_port, listing

PATIENCE_SECONDS = 60
# The worker as it is, except that it asks at once instead of after a minute, and gives a fetch less time to end.
WORKER = """
from datetime import timedelta
from planner import schedule
schedule.GRACE_SECONDS = 0.5
schedule.FIRST_AFTER = schedule.Timer.__init__.__kwdefaults__["first_after"] = timedelta(seconds=0.2)
from planner.cli.serving import worker
worker()
"""


def until(true: Callable[[], object]) -> None:
    """Wait until something is true."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Run a planner command with its own data folder and no feeds; yield the process and the file of its output."""
    environment = {**os.environ, "PLANNER_DATA_DIR": str(folder), "PLANNER_SOURCES": ""}
    environment.pop("PLANNER_DATABASE_URL", None)
    output = folder.with_suffix(".txt")
    with output.open("wb") as file:
        command = [sys.executable, "-m", "planner", *arguments]
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environment)
        try:
            yield process, output
        finally:
            process.kill()
            process.wait()


def answers(url: str) -> bool:
    """Tell whether a server is live."""
    try:
        return httpx.get(f"{url}/live").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
def folder(installed: Store, tmp_path: Path) -> Path:
    """A data folder in which planner is installed, and nothing was asked yet."""
    made = tmp_path / "data"
    made.mkdir()
    copied(installed, made / "planner.sqlite3").close()
    return made


STOPS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("stop", STOPS)
def test_up_serves_what_it_printed_and_stops_when_told(folder: Path, stop: signal.Signals) -> None:
    """The printed key answers the printed question; a signal ends it, no traceback, the key's last use on record."""
    port = free_port()
    with running(folder, "up", "--port", str(port)) as (process, output):
        until(lambda: "Listening on" in output.read_text())
        printed = output.read_text()
        url = re.findall(r"http://127\.0\.0\.1:\d+", printed)[0]
        key = re.findall(r"pk_\S+", printed)[0]
        until(lambda: answers(url))
        path = f"{url}/v1/plans/pro/tasks/chat/recommendation"
        answer = httpx.get(path, headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == 200
        assert answer.json()["choice"]["offer"] in printed
        again = httpx.get(path, headers={"Authorization": f"Bearer {key}", "If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert httpx.get(path).status_code == 401
        process.send_signal(stop)
        assert process.wait(PATIENCE_SECONDS) == 0
        assert "Traceback" not in output.read_text()
    with open_store(f"sqlite:///{folder / 'planner.sqlite3'}").read() as connection:
        assert keys.listed(connection)[0].last_used_at is not None


class Silent(Feed):
    """A feed that takes a question and never answers."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self._never = Event(), Event()

    @property
    def body(self) -> bytes:
        """Nothing, ever."""
        self.asked.set()
        self._never.wait()
        return b""

    @body.setter
    def body(self, _value: bytes) -> None:
        """Nobody else sets what it says."""


@pytest.mark.parametrize("stop", STOPS)
def test_a_worker_that_stops_in_the_middle_of_a_turn_gives_it_up(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stop: signal.Signals
) -> None:
    """Told twice while a feed keeps it waiting, it ends well, and another worker may take the turn at once."""
    prepare(store)
    feed = Silent()
    monkeypatch.setenv("PLANNER_DATABASE_URL", store.url)
    with feed.serving() as url:
        monkeypatch.setenv(f"PLANNER_{SOURCE.upper()}_URL", url)
        monkeypatch.setenv("PLANNER_SOURCES", SOURCE)
        monkeypatch.setenv("PLANNER_DATA_DIR", str(tmp_path))
        command = [sys.executable, "-c", WORKER]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            try:
                assert feed.asked.wait(PATIENCE_SECONDS)
                process.send_signal(stop)
                process.send_signal(stop)
                printed, _nothing = process.communicate(timeout=PATIENCE_SECONDS)
            finally:
                process.kill()
    assert process.returncode == 0, printed
    assert b"Traceback" not in printed
    (job,) = [job for job in turn.jobs(store) if job["job"] == f"refresh:{SOURCE}"]
    assert job["state"] == "running"
    with store.read() as connection:
        assert job["lease_until"] <= store.clock(connection)


def test_two_workers_serve_one_database(folder: Path) -> None:
    """``serve --workers 2`` answers from what was set up, and stops with all its children."""
    port = free_port()
    with running(folder, "serve", "--workers", "2", "--port", str(port)) as (process, output):
        until(lambda: answers(f"http://127.0.0.1:{port}"))
        assert httpx.get(f"http://127.0.0.1:{port}/ready").json()["revision"] == 2
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) in (0, -signal.SIGTERM)
        assert "Traceback" not in output.read_text()
    until(lambda: not answers(f"http://127.0.0.1:{port}"))


@pytest.mark.parametrize("workers", [1, 2])
def test_answers_on_kept_connections_are_not_held_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    """Whoever serves is handed a socket that sends at once; any other waits 40 ms for the caller before each body."""
    handed: list[int] = []

    def note(sockets: list[socket.socket]) -> None:
        handed.extend(each.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for each in sockets)

    monkeypatch.setenv("PLANNER_DATA_DIR", str(folder))
    monkeypatch.setattr(uvicorn.Server, "run", lambda _server, sockets: note(sockets))
    monkeypatch.setattr(Multiprocess, "__init__", lambda _parent, _config, sockets: note(sockets))
    monkeypatch.setattr(Multiprocess, "run", lambda _parent: None)
    monkeypatch.setattr(serving, "_when_told", lambda _stop: None)
    serving.serve(workers, 0)
    assert handed == [1]


def test_a_server_does_not_start_without_its_schema(tmp_path: Path) -> None:
    """It names the command that sets the database up, and creates nothing."""
    with running(tmp_path / "data", "serve") as (process, output):
        assert process.wait(PATIENCE_SECONDS) == 2
        assert "planner db upgrade" in output.read_text()
    assert not (tmp_path / "data" / "planner.sqlite3").exists()


def test_the_timer_refreshes_and_outlives_a_bad_feed(store: Store) -> None:
    """When it is time the feed is read; what goes wrong there is recorded, and nothing raises."""
    prepare(store)
    feed = Feed()
    feed.body = listing()

    def early() -> datetime:
        return datetime.now(UTC)  # noqa: TID251  # the timer runs on the real clock

    with feed.serving() as url:
        sources = {SOURCE: (ADAPTERS[SOURCE], url)}
        with Timer(store, sources, {SOURCE: timedelta(seconds=1)}, early, owner="test"):
            until(lambda: status.sources(store, [SOURCE])[0].last_success_at)
        feed.body = b"<!doctype html>"
        with Timer(store, sources, {SOURCE: timedelta(seconds=1)}, early, owner="test"):
            until(lambda: status.sources(store, [SOURCE])[0].error_code)
    state = status.sources(store)[0]
    assert (state.offers_priced, state.error_code) == (60, "not_json")


def test_a_timer_without_sources_fetches_nothing(store: Store) -> None:
    """All feeds turned off means that nothing is fetched, ever."""
    with Timer(store, {}, {}, lambda: datetime(2026, 11, 24, tzinfo=UTC), owner="test"):
        assert status.sources(store) == []
