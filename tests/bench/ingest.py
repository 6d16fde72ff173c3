"""Usage coming in, through the flow and over HTTP, against plain INSERTs of the same rows in the same batches."""

import asyncio
import json
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from planner.api.body import checked
from planner.api.usage import EventIn
from planner.core.event import Role
from planner.flows.ingest import ingest
from planner.store.engine import Store
from planner.store.streams import Stream
from tests.bench.http import KEY, planner_server
from tests.databases import furnished, postgres_database, postgres_server

NOW = datetime(2026, 11, 24, tzinfo=UTC)
OFFERS = tuple(
    f"direct:{name}"
    for name in (
        "openai/gpt-5.4", "openai/gpt-5.4-mini", "anthropic/claude-sonnet-4-5", "anthropic/claude-haiku-4-5",
        "mistral/mistral-medium-latest", "groq/openai/gpt-oss-120b",
    )
)  # fmt: skip
CLIENTS, CUSTOMERS, FLOW_ROWS = 32, 2_000, 1_000
PLAIN = sa.Table(
    "bench_usage", sa.MetaData(),
    sa.Column("source", sa.Text, primary_key=True), sa.Column("id", sa.Text, primary_key=True),
    *(sa.Column(name, sa.Text) for name in ("at", "offer", "plan", "customer", "task", "request_id")),
    *(sa.Column(name, sa.BigInteger) for name in ("input_tokens", "cache_read_tokens", "output_tokens")),
)  # fmt: skip


def rows(count: int, seed: int) -> list[dict[str, Any]]:
    """Make rows as a backend sends them: of one day, six offers, four plans and 2,000 customers."""
    dice = random.Random(seed)

    def row(number: int) -> dict[str, Any]:
        prompt = dice.randrange(200, 20_000)
        return {
            "source": "backend", "id": f"r{seed}-{number}", "request_id": f"q{seed}-{number}",
            "at": (NOW - timedelta(seconds=dice.randrange(86_400))).isoformat(), "offer": dice.choice(OFFERS),
            "plan": dice.choice(("free", "pro", "team", "max")), "customer": f"c{dice.randrange(CUSTOMERS)}",
            "task": dice.choice(("chat", "code", "summary")),
            "usage": {
                "input_tokens": prompt, "cache_read_tokens": prompt // 3, "output_tokens": dice.randrange(10, 2_000)
            },
        }  # fmt: skip

    return [row(number) for number in range(count)]


def batches(of: Sequence[dict[str, Any]], size: int) -> list[Sequence[dict[str, Any]]]:
    """Cut rows into batches."""
    return [of[start : start + size] for start in range(0, len(of), size)]


def plain_per_second(store: Store, some: Sequence[Sequence[dict[str, Any]]]) -> float:
    """Insert rows into one table, a transaction a batch, and return how many a second."""
    with store.write() as connection:
        PLAIN.drop(connection, checkfirst=True)
        PLAIN.create(connection)
    flat = [[{**row, **row["usage"]} for row in batch] for batch in some]
    began = time.perf_counter()
    for batch in flat:
        with store.write() as connection:
            connection.execute(sa.insert(PLAIN), [{c.name: row[c.name] for c in PLAIN.c} for row in batch])
    return sum(map(len, some)) / (time.perf_counter() - began)


def flow_per_second(store: Store, some: Sequence[Sequence[dict[str, Any]]]) -> float:
    """Take rows in, a transaction a batch, and return how many a second; the first batch is not counted."""
    took = []
    for batch in some:
        events = [checked(EventIn, row).event() for row in batch]
        began = time.perf_counter()
        stream = Stream("backend", Role.LEDGER, own=True)
        found = store.tell(lambda connection: ingest(connection, stream, events, at=NOW, by="bench"))  # noqa: B023  # at once
        took.append(time.perf_counter() - began)
        assert {result.status for result in found} == {"stored"}
    return sum(map(len, some[1:])) / sum(took[1:])


class Poster(asyncio.Protocol):
    """One client that posts the next batch as soon as it has its answer."""

    def __init__(self, bodies: Iterator[bytes], done: "asyncio.Future[None]") -> None:
        """Take bodies from an iterator shared by all clients."""
        self._bodies, self._done, self._answer = bodies, done, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first batch."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        """Gather an answer."""
        self._answer += data
        head, end, body = self._answer.partition(b"\r\n\r\n")
        if not end:
            return
        assert head.startswith(b"HTTP/1.1 200"), self._answer[:500]
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        if len(body) == length:
            self._answer = b""
            self._next()

    def _next(self) -> None:
        body = next(self._bodies, None)
        if body is None:
            self._done.set_result(None)
            self._transport.close()
            return
        head = (
            f"POST /v1/usage HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {KEY}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._transport.write(head.encode() + body)


async def post_all(port: int, bodies: Sequence[bytes]) -> None:
    """Post every body once, from many clients."""
    loop, shared = asyncio.get_running_loop(), iter(bodies)
    done = [loop.create_future() for _ in range(CLIENTS)]
    for future in done:
        await loop.create_connection(lambda future=future: Poster(shared, future), "127.0.0.1", port)  # type: ignore[misc]  # bound
    await asyncio.gather(*done)


def http_per_second(port: int, some: Sequence[Sequence[dict[str, Any]]]) -> float:
    """Post batches from 32 clients and return how many rows a second are acknowledged."""
    bodies = [json.dumps({"events": batch}).encode() for batch in some]
    began = time.perf_counter()
    asyncio.run(post_all(port, bodies))
    return sum(map(len, some)) / (time.perf_counter() - began)


def report(*, flow_rows: int = 11_000, http_rows: int = 10_000, posts: int = 2_000) -> None:
    """Print how many events a second come in, on both databases, beside plain INSERTs in the same run."""
    for name, on_postgres in (("SQLite", False), ("PostgreSQL", True)):
        plain = {}
        with ExitStack() as stack:
            url = f"sqlite:///{stack.enter_context(tempfile.TemporaryDirectory())}/planner.sqlite3"
            if on_postgres:
                url = stack.enter_context(postgres_database(stack.enter_context(postgres_server())))
            store = furnished(url, NOW, bundle=True)
            stack.callback(store.close)
            for size, count in ((FLOW_ROWS, flow_rows), (100, http_rows), (1, posts)):
                plain[size] = plain_per_second(store, batches(rows(count, size), size))
            found = flow_per_second(store, batches(rows(flow_rows, 0), FLOW_ROWS))
        _line(f"usage, {name}, batches of {FLOW_ROWS:,}", found, plain[FLOW_ROWS])
        with planner_server(on_postgres=on_postgres) as port:
            http_per_second(port, batches(rows(200, 3), 1))
            for size, count in ((100, http_rows), (1, posts)):
                found = http_per_second(port, batches(rows(count, size), size))
                _line(f"usage over HTTP, {name}, batches of {size}", found, plain[size])


def _line(what: str, found: float, plain: float) -> None:
    print(f"{what:<44} {found:8.0f} /s   {found / plain:.2f} of plain INSERTs' {plain:.0f} /s")


if __name__ == "__main__":
    report()
