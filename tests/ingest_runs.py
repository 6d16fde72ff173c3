"""What may happen while usage comes in: the server is ended, rows come again, PostgreSQL stops, clients hang up."""

import json
import random
import signal
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import psycopg
import uvicorn
from pydantic import SecretStr

from planner.app import build
from planner.cli.serving import options
from planner.settings import Settings
from planner.store.engine import Store, open_store
from tests.databases import PostgresServer
from tests.ingesting import (
    AUTHORIZATION,
    SETTINGS,
    Row,
    Service,
    Told,
    body_of,
    check_books,
    new_row,
    new_rows,
    send,
    sending,
    serving,
)

Each = Callable[[range], Iterable[int]]
"""Passes numbers on, and may show how far it got."""


class Ended(NamedTuple):
    """What came of ending a server: rows on record, batches without an answer, the slowest start and end in seconds."""

    rows: int
    unanswered: int
    start_seconds: float
    end_seconds: float


def ended(url: str, count: int, seed: int, ways: Sequence[tuple[signal.Signals, ...]], each: Each = iter) -> Ended:
    """End the server so many times at random moments while eight clients send, and check the books after each."""
    dice, told, service, store = random.Random(seed), Told(), Service(url), open_store(url)
    started, slowest_end, unanswered, rows = [service.start()], 0.0, 0, 0
    try:
        for number in each(range(count)):
            with sending(service.port, told, 8, f"{seed}.{number}") as pending:
                time.sleep(dice.uniform(0.0, 1.0))
                way = ways[number % len(ways)]
                code, seconds = service.end(*way)
            assert code == (-way[0] if way[0] is signal.SIGKILL else 0)
            slowest_end = max(slowest_end, seconds)
            check_books(store, told)
            started.append(service.start())
            # Who got no answer sends the same again, and nothing doubles.
            for batch in pending:
                told.deliver(service.port, batch)
            unanswered += len(pending)
            rows = check_books(store, told)
            assert rows == len(told.sent)
    finally:
        service.end(signal.SIGKILL)
        store.close()
    return Ended(rows, unanswered, max(started), slowest_end)


def altered(row: Row, dice: random.Random) -> Row:
    """Make another body of the same id."""
    return {**row, "usage": {**row["usage"], "output_tokens": row["usage"]["output_tokens"] + dice.randrange(1, 9)}}


def _copies(batches: Sequence[list[Row]], copies: int, dice: random.Random) -> Iterator[tuple[list[Row], float | None]]:
    """Yield what clients send of some batches: rows in any order and company, and their patience where it is short."""
    for batch in batches:
        for _ in range(copies):
            rows = dice.sample(batch, len(batch))
            if dice.random() < 0.1:
                rows += dice.choice(batches)
            if dice.random() < 0.15:
                rows.insert(dice.randrange(len(rows) + 1), altered(dice.choice(rows), dice))
            cut = dice.randrange(len(rows)) if dice.random() < 0.3 else 0
            for part in filter(None, (rows[:cut], rows[cut:])):
                yield part, dice.uniform(0.001, 0.05) if dice.random() < 0.15 else None


def repeated(store: Store, port: int, batches: int, copies: int, seed: int, each: Each = iter) -> Told:
    """Send each batch so many times from 32 clients at once, and check that nothing counted twice."""
    dice, told, at_once = random.Random(seed), Told(), 10

    def deliver(rows: list[Row], timeout: float | None) -> None:
        if timeout is None or not told.post(port, rows, timeout):
            told.deliver(port, rows)

    with ThreadPoolExecutor(32) as pool:
        for first in each(range(0, batches, at_once)):
            some = [
                new_rows(dice, f"{seed}.{number}", dice.randrange(1, 9))
                for number in range(first, min(first + at_once, batches))
            ]
            sends = list(_copies(some, copies, dice))
            dice.shuffle(sends)
            for done in [pool.submit(deliver, *one) for one in sends]:
                done.result()
    assert check_books(store, told) == len(told.sent) == len(told.accepted())
    return told


class Restarted(NamedTuple):
    """What came of a database that went away: rows on record, connections ended, the slowest recovery, the answers."""

    rows: int
    terminated: int
    recovery_seconds: float
    answers: Counter[str]


def restarted(
    server: PostgresServer, url: str, restarts: int, kills: int, seed: int, each: Each = iter
) -> Restarted:  # fmt: skip
    """Stop PostgreSQL at once and start it again under load, and end its sessions in the middle of transactions."""
    dice, told, slowest, ended_sessions = random.Random(seed), Told(), 0.0, 0
    with serving(url) as service:
        with sending(service.port, told, 16, f"{seed}", again=True):
            for number in each(range(restarts)):
                while ended_sessions * restarts < kills * (number + 1):
                    time.sleep(dice.uniform(0.0, 0.05))
                    ended_sessions += end_writer(url)
                time.sleep(dice.uniform(0.2, 1.0))
                server.stop(signal.SIGQUIT)
                time.sleep(dice.uniform(0.0, 1.5))
                server.start()
                began = time.monotonic()
                told.deliver(service.port, [new_row(dice, f"{seed}.probe.{number}")], pause=0.01)
                slowest = max(slowest, time.monotonic() - began)
        store = open_store(url)
        rows = check_books(store, told)
        store.close()
    assert rows == len(told.sent)
    assert "none" not in told.answers
    return Restarted(rows, ended_sessions, slowest, told.answers)


def end_writer(url: str) -> int:
    """End the sessions that are in a transaction which has written something, and return how many there were."""
    query = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid() AND backend_xid IS NOT NULL"
    )
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute(query.encode()).fetchone()
    return 0 if found is None else int(found[0])


@contextmanager
def serving_here(store: Store) -> Iterator[int]:
    """Serve a store from a thread of this process, on connections as a deployment has them, and yield the port."""
    settings = Settings(
        admin_key=SecretStr(SETTINGS["ADMIN_KEY"]), key_pepper=SecretStr(SETTINGS["KEY_PEPPER"]), sources=""
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server = uvicorn.Server(uvicorn.Config(build(settings, store), **options(settings)))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        port: int = listener.getsockname()[1]
        try:
            yield port
        finally:
            server.should_exit = True
            thread.join()


def cut(store: Store, port: int, count: int, seed: int, each: Each = iter) -> int:
    """Hang up so many times, at any byte of the request or of the answer, and return how many rows are on record."""
    dice, told = random.Random(seed), Told()
    for number in each(range(count)):
        rows = new_rows(dice, f"{seed}.{number}", dice.randrange(1, 6))
        body = body_of(rows)
        head = (
            f"POST /v1/usage HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {AUTHORIZATION['Authorization']}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        _hang_up(port, head.encode() + body, dice)
        # Whoever hung up knows nothing, and sends the same again.
        told.deliver(port, rows)
    end = time.monotonic() + 10
    while store.engine.pool.checkedout():  # type: ignore[attr-defined]  # the pools of both engines count
        assert time.monotonic() < end, "a connection is never given back"
        time.sleep(0.01)
    return check_books(store, told)


def _hang_up(port: int, request: bytes, dice: random.Random) -> None:
    with socket.create_connection(("127.0.0.1", port)) as link:
        if dice.random() < 0.5:
            # Closed in anger: the other side is told of an error, and not of an end.
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if dice.random() < 0.5:
            link.sendall(request[: dice.randrange(len(request))])
        else:
            link.sendall(request)
            if dice.random() < 0.5:
                link.recv(dice.randrange(1, 400))


def _spoilt(row: Row, dice: random.Random) -> object:
    """Make a row that nobody may take: of a wrong shape, impossible, or beyond any bound."""
    used = row["usage"]
    ways: tuple[object, ...] = (
        None, 5, [], "row", {},
        {name: value for name, value in row.items() if name != "id"},
        {name: value for name, value in row.items() if name != "offer"},
        {**row, "id": ""}, {**row, "id": "a" * 401}, {**row, "id": "bell\a"}, {**row, "id": 7},
        {**row, "source": None}, {**row, "messages": ["hello"]}, {**row, "at": "2026-11-20T00:00:00"},
        {**row, "at": 5}, {**row, "at": "2099-01-01T00:00:00Z"}, {**row, "at": "1999-12-31T00:00:00Z"},
        {**row, "until": row["at"]}, {**row, "service_tier": "gold"}, {**row, "outcome": "lost"},
        {**row, "tags": {"a": 1}}, {**row, "stated_cost_usd": "-1"}, {**row, "stated_cost_usd": 0.5},
        {**row, "stated_cost_usd": "10000000"}, {**row, "usage": None}, {**row, "usage": {**used, "tokens": 1}},
        {**row, "usage": {**used, "input_tokens": -1}}, {**row, "usage": {**used, "input_tokens": 1.5}},
        {**row, "usage": {**used, "output_tokens": 10**14}}, {**row, "usage": {**used, "output_tokens": "1"}},
        {**row, "usage": {**used, "cache_read_tokens": used["input_tokens"] + 1}},
    )  # fmt: skip
    return dice.choice(ways)


def spoilt(store: Store, port: int, count: int, size: int, seed: int, each: Each = iter) -> int:
    """Send batches with one bad row in each, and return how many rows are on record: all others."""
    dice, told = random.Random(seed), Told()
    for number in each(range(count)):
        rows = new_rows(dice, f"{seed}.{number}", size)
        place = dice.randrange(size)
        bad, good = _spoilt(rows[place], dice), rows[:place] + rows[place + 1 :]
        answer = send(port, body_of([*rows[:place], bad, *rows[place + 1 :]]))
        assert answer is not None
        assert answer.status == 207, answer
        items: list[dict[str, Any]] = json.loads(answer.body)["items"]
        item = items.pop(place)
        assert (item["status"], bool(item["detail"])) == ("invalid", True), (bad, item)
        assert [(each_["id"], each_["status"]) for each_ in items] == [(row["id"], "stored") for row in good]
        # Nobody lies about what was taken: each good row is known, and the bad one is not.
        told.deliver(port, good)
        assert not any(said["stored"] for bodies in told.said.values() for said in bodies.values())
    for name in ("not JSON", "a constant", "a key twice", "cut off"):
        rows = new_rows(dice, f"{seed}.{name}", 3)
        answer = send(port, _broken(body_of(rows), name))
        assert answer is not None
        assert answer.status == 422, (name, answer)
    rows_stored = check_books(store, told)
    assert rows_stored == len(told.sent)
    return rows_stored


def _broken(body: bytes, name: str) -> bytes:
    """Make a body that is no document, although every row in it could be read."""
    return {
        "not JSON": body.replace(b"]}", b"],}"), "a constant": body.replace(b"]}", b', {"id": NaN}]}'),
        "a key twice": body.replace(b"]}", b'], "events": []}'), "cut off": body[:-2],
    }[name]  # fmt: skip
