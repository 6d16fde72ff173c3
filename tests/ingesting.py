"""Usage sent over HTTP by many clients, what each of them was told, and what must be true of the books afterwards."""

import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

import sqlalchemy as sa

from planner.api.body import checked
from planner.api.usage import EventIn
from planner.core.posting import MILLI, Dims, Measures, Posting
from planner.store import json_text, usage
from planner.store.columns import metadata
from planner.store.engine import Connection, Store, open_store
from planner.store.migrate import upgrade
from planner.store.tables import ledger
from tests.ledger_books import OFFER, claim, know, listed
from tests.loopback import free_port
from tests.make import rates

AUTHORIZATION = {"Authorization": "Bearer pk_adminkey_0123456789abcdefghijklmnopqrstuvwxyz"}
SETTINGS = {"ADMIN_KEY": AUTHORIZATION["Authorization"].partition(" ")[2], "KEY_PEPPER": "pepper", "SOURCES": ""}
ACCEPTED = ("stored", "duplicate")
REFUSED = ("conflict", "invalid")
UNLISTED = "direct:acme/unlisted"
SOURCES = ("backend", "jobs")
SINCE = datetime(2026, 11, 20, tzinfo=UTC)
PATIENCE_SECONDS = 120.0
DAY_SLOTS = 96

Row = dict[str, Any]
"""A row as it is sent."""


def prepare(url: str) -> None:
    """Set a database up in which a million tokens in cost 3 dollars, out 15, read from the cache 0.30."""
    upgrade(url)
    store = open_store(url)
    know(store)
    listed(store, claim(OFFER, rates("3", "15", cache_read="0.30")))
    if not store.is_sqlite:
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            # The server of the tests would acknowledge what it has not written yet.
            name = connection.exec_driver_sql("SELECT current_database()").scalar_one()
            connection.exec_driver_sql(f"ALTER DATABASE {name} SET synchronous_commit = on")
    store.close()


def new_row(dice: random.Random, id_: str) -> Row:
    """Make a row of some request; one in ten nobody can price."""
    prompt = dice.randrange(1, 50_000)
    counts = {
        "input_tokens": prompt,
        "cache_read_tokens": dice.randrange(prompt + 1),
        "output_tokens": dice.randrange(5_000),
    }
    row: Row = {
        "id": id_, "source": dice.choice(SOURCES), "usage": counts, "offer": OFFER if dice.random() < 0.9 else UNLISTED,
        "at": (SINCE + timedelta(seconds=dice.randrange(3 * 86_400))).isoformat(),
    }  # fmt: skip
    if dice.random() < 0.5:
        row |= {"plan": dice.choice(("free", "pro")), "task": dice.choice(("chat", "code"))}
    if dice.random() < 0.5:
        row |= {"customer": f"c{dice.randrange(50)}", "request_id": f"request-{id_}"}
    return row


def new_rows(dice: random.Random, name: str, count: int) -> list[Row]:
    """Make so many rows whose ids begin with a name of their own."""
    return [new_row(dice, f"{name}-{number}") for number in range(count)]


def cost_pico(row: Row) -> int:
    """Return what a row costs, in 1e-12 USD, by plain arithmetic."""
    used = row["usage"]
    plain = used["input_tokens"] - used["cache_read_tokens"]
    listed_pico = 3 * plain * 10**6 + 3 * used["cache_read_tokens"] * 10**5 + 15 * used["output_tokens"] * 10**6
    return listed_pico if row["offer"] == OFFER else 0


@lru_cache(maxsize=100_000)
def digest_of(text: str) -> str:
    """Return the digest under which a row that was sent is stored."""
    return usage.written(checked(EventIn, json.loads(text)).event())[1]


class Answer(NamedTuple):
    """What a client got."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def send(port: int, body: bytes, timeout: float = PATIENCE_SECONDS) -> Answer | None:
    """Post a body on a connection of its own; None: there was no whole answer in time."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        link.request("POST", "/v1/usage", body, {**AUTHORIZATION, "Content-Type": "application/json"})
        answer = link.getresponse()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    except (OSError, http.client.HTTPException):
        return None
    finally:
        link.close()


def body_of(rows: Sequence[object]) -> bytes:
    """Write a request."""
    return json.dumps({"events": rows}).encode()


class Told:
    """What many clients sent and what each was told, row by row; whatever no answer may be is in ``wrong``."""

    def __init__(self) -> None:
        """Begin with nothing sent."""
        self.answers: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.sent: dict[tuple[str, str], dict[str, Row]] = {}
        self.said: dict[tuple[str, str], dict[str, Counter[str]]] = {}
        self._lock = threading.Lock()

    def post(self, port: int, rows: Sequence[Row], timeout: float = PATIENCE_SECONDS) -> bool:
        """Send rows once; tell whether each was answered for."""
        texts = [json_text.dump(row) for row in rows]
        with self._lock:
            for row, text in zip(rows, texts, strict=True):
                self.sent.setdefault((row["source"], row["id"]), {})[text] = row
        answer = send(port, body_of(rows), timeout)
        with self._lock:
            return self._note(rows, texts, answer)

    def deliver(self, port: int, rows: Sequence[Row], *, pause: float = 0.05) -> None:
        """Send rows again until each is answered for."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not self.post(port, rows):
            assert time.monotonic() < end, "never answered"
            time.sleep(pause)

    def _note(self, rows: Sequence[Row], texts: Sequence[str], answer: Answer | None) -> bool:
        if answer is None:
            self.answers["none"] += 1
            return False
        self.answers[str(answer.status)] += 1
        media = answer.headers.get("content-type")
        if answer.status == 503 and "retry-after" in answer.headers and media == "application/problem+json":
            return False
        try:
            statuses = self._statuses(rows, answer)
        except (ValueError, KeyError, TypeError, AssertionError) as error:
            self.wrong.append(f"{answer.status} {error!r} {answer.body[:200]!r}")
            return False
        for row, text, status in zip(rows, texts, statuses, strict=True):
            self.said.setdefault((row["source"], row["id"]), {}).setdefault(text, Counter())[status] += 1
        return True

    @staticmethod
    def _statuses(rows: Sequence[Row], answer: Answer) -> list[str]:
        items = json.loads(answer.body)["items"]
        assert [(item["source"], item["id"]) for item in items] == [(row["source"], row["id"]) for row in rows]
        statuses = [item["status"] for item in items]
        assert set(statuses) <= {*ACCEPTED, *REFUSED}
        refused = sum(status in REFUSED for status in statuses)
        whole = {409} if "conflict" in statuses else {422}
        assert answer.status in ({200} if not refused else whole if refused == len(rows) else {207})
        return statuses

    def accepted(self) -> dict[tuple[str, str], str]:
        """Return the one body of each id that clients were told is on record.

        Raises:
            AssertionError: two bodies of one id, one twice new, or a body that was taken and refused.
        """
        assert not self.wrong, self.wrong[:5]
        found: dict[tuple[str, str], str] = {}
        for key, bodies in self.said.items():
            taken = [text for text, said in bodies.items() if any(said[status] for status in ACCEPTED)]
            assert len(taken) <= 1, key
            assert sum(said["stored"] for said in bodies.values()) <= 1, key
            for text in taken:
                assert set(bodies[text]) <= set(ACCEPTED), key
                found[key] = text
        return found


@contextmanager
def sending(
    port: int, told: Told, clients: int, seed: str, *, rows_max: int = 40, again: bool = False
) -> Iterator[list[list[Row]]]:
    """Send new rows from many clients the whole time, and yield the batches that got no answer.

    A client that gets none stops; with ``again`` it sends the same batch until it is answered for.
    """
    stop, pending = threading.Event(), list[list[Row]]()

    def client(number: int) -> None:
        dice, before = random.Random(f"{seed}.{number}"), list[Row]()
        for turn in range(10**6):
            if stop.is_set():
                return
            rows = new_rows(dice, f"{seed}.{number}.{turn}", dice.randrange(1, rows_max + 1))
            # Now and then a client sends what was taken already.
            rows += dice.sample(before, len(before) // 10)
            if again:
                told.deliver(port, rows)
            elif not told.post(port, rows):
                pending.append(rows)
                return
            before = rows

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield pending
    finally:
        stop.set()
        for thread in threads:
            thread.join()


class Service:
    """``planner serve`` in a process of its own, which can be ended at any moment and started again."""

    def __init__(self, url: str) -> None:
        """Take a port; nothing runs yet."""
        self.port = free_port()
        self._environment = {**os.environ, **{f"PLANNER_{name}": value for name, value in SETTINGS.items()}}
        self._environment["PLANNER_DATABASE_URL"] = url
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Start it, and return the seconds until it is ready."""
        began = time.monotonic()
        command = [sys.executable, "-m", "planner", "serve", "--port", str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=self._environment)
        while not self._ready():
            assert self._process.poll() is None, "it does not start"
            assert time.monotonic() < began + PATIENCE_SECONDS, "it is never ready"
            time.sleep(0.02)
        return time.monotonic() - began

    def end(self, *signals: signal.Signals) -> tuple[int, float]:
        """Send it signals, one after the other, and return its exit code and the seconds it took."""
        assert self._process is not None
        began = time.monotonic()
        for number in signals:
            self._process.send_signal(number)
        return self._process.wait(PATIENCE_SECONDS), time.monotonic() - began

    def _ready(self) -> bool:
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            link.request("GET", "/ready", headers=AUTHORIZATION)
            return link.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            link.close()


@contextmanager
def serving(url: str) -> Iterator[Service]:
    """Run a service until the block ends."""
    service = Service(url)
    service.start()
    try:
        yield service
    finally:
        service.end(signal.SIGKILL)


def check_books(store: Store, told: Told) -> int:
    """Check what clients were told against the books, and the books against themselves; return how many rows there are.

    Raises:
        AssertionError: an acknowledged row is not on record, or is in other words; a row was stored that nobody sent;
            a row is booked not exactly once, or at another cost than plain arithmetic gives; sums are not those of the
            lines; the file is damaged.
    """
    accepted = told.accepted()
    e = ledger.usage_events.c
    with store.read() as connection:
        rows = connection.execute(sa.select(e.id, e.source, e.event_id, e.digest, e.state, e.line_id)).all()
        stored = {(row.source, row.event_id): row for row in rows}
        assert len(stored) == len(rows)
        assert accepted.keys() <= stored.keys()
        lines = connection.execute(sa.select(ledger.ledger_lines)).all()
        line_of = {line.event: line for line in lines}
        assert len(line_of) == len(lines) == len(rows)
        for key, row in stored.items():
            bodies = {digest_of(text): sent for text, sent in told.sent[key].items()}
            assert row.digest in bodies, key
            assert key not in accepted or digest_of(accepted[key]) == row.digest, key
            line = line_of[row.id]
            assert (row.state, row.line_id, line.kind, line.old) == ("live", line.id, "usage", None), key
            assert Posting.read(json_text.load(line.new)).measures.cost == cost_pico(bodies[row.digest]), key
        check_sums(connection)
        if store.is_sqlite:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").first() is None
    return len(rows)


def check_sums(connection: Connection) -> None:
    """Check that what reports read is what the lines add up to, added here once more."""
    found: dict[str, Counter[Any]] = {name: Counter() for name in ("facts", "days", "fact_units", "day_units")}
    for line in connection.execute(sa.select(ledger.ledger_lines)):
        for text, sign in ((line.old, -1), (line.new, 1)):
            if text is None:
                continue
            posting = Posting.read(json_text.load(text))
            fine = line.slot, line.booked_slot, posting.dims
            day, booked_day = (slot // DAY_SLOTS * DAY_SLOTS for slot in (line.slot, line.booked_slot))
            coarse = day, booked_day, posting.dims._replace(customer="")
            for name, cell in (("fact", fine), ("day", coarse)):
                for measure, value in zip(Measures._fields, posting.measures, strict=True):
                    found[f"{name}s"][cell, measure] += sign * value
                for unit, counted in posting.units:
                    for field, value in counted._asdict().items():
                        found[f"{name}_units"][(*cell, unit), field] += sign * value
    for name, cells in found.items():
        kept = _kept(connection, metadata.tables[f"usage_{name}"])
        assert kept == {cell: value for cell, value in cells.items() if value}, name


def _kept(connection: Connection, table: sa.Table) -> dict[Any, int]:
    dims = {row.id: Dims(*row[2:]) for row in connection.execute(sa.select(ledger.usage_dims))}
    found: Counter[Any] = Counter()
    for row in connection.execute(sa.select(table)).mappings():
        cell: tuple[Any, ...] = row["slot"], row["booked_slot"], dims[row["dim"]]
        cell = (*cell, row["unit"]) if "unit" in row else cell
        for column, value in row.items():
            name, _, part = column.rpartition("_")
            if part in ("milli", "pico"):
                found[cell, name] += value * (MILLI if part == "milli" else 1)
            elif column not in ("slot", "booked_slot", "dim", "unit"):
                found[cell, column] += value
    return {cell: value for cell, value in found.items() if value}
