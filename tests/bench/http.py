"""Over HTTP: the polled recommendation against an empty route with the same bytes, and the slowest refusal."""

import asyncio
import multiprocessing
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

import httpx
import uvicorn
from fastapi import FastAPI
from starlette.responses import Response

from tests.api.bad_bodies import BAD_BODIES
from tests.databases import furnished, postgres_database, postgres_server
from tests.loopback import free_port
from tests.test_service import answers, until

KEY = "pk_benchkey_0123456789abcdefghijklmnopqrstuvwxyz"
PATH = "/v1/plans/pro/tasks/chat/recommendation"
CONNECTIONS, REQUESTS = 8, 3_000
# Which worker a connection falls to is luck, and eight of them may all fall to one: many rounds even it out.
ROUNDS = 21


def serve_empty(listener: socket.socket, body: bytes, headers: dict[str, str]) -> None:
    """Serve the same bytes from a route that does nothing."""
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    app = FastAPI()

    @app.get(PATH)
    async def empty() -> Response:
        return Response(body, headers=headers)

    config = uvicorn.Config(app, http="httptools", log_level="warning", server_header=False)
    uvicorn.Server(config).run(sockets=[listener])


class Caller(asyncio.Protocol):
    """One connection that sends its request again as soon as the answer is whole."""

    def __init__(self, request: bytes, length: int, turns: Iterator[int], done: asyncio.Event) -> None:
        """Take turns from a counter shared by all connections."""
        self._request, self._length, self._turns, self._done = request, length, turns, done
        self._missing = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        """Count what arrives."""
        self._missing -= len(data)
        assert self._missing >= 0, "an answer was longer than the first one"
        if not self._missing:
            self._next()

    def _next(self) -> None:
        if next(self._turns, None) is None:
            self._done.set()
            return
        self._missing = self._length
        self._transport.write(self._request)


def ask_once(port: int, request: bytes) -> bytes:
    """Return one whole answer, headers included."""
    with socket.create_connection(("127.0.0.1", port)) as link:
        link.sendall(request)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += link.recv(65_536)
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        while len(body) < length:
            body += link.recv(65_536)
        return head + b"\r\n\r\n" + body


async def requests_per_second(port: int, request: bytes, length: int) -> float:
    """Send many requests over a few connections and return the rate."""
    turns, done = iter(range(REQUESTS)), asyncio.Event()
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    for _ in range(CONNECTIONS):
        await loop.create_connection(lambda: Caller(request, length, turns, done), "127.0.0.1", port)
    await done.wait()
    return REQUESTS / (time.perf_counter() - began)


@contextmanager
def running(target: Callable[..., None], workers: int, *arguments: object) -> Iterator[int]:
    """Run a server in processes of its own, which share a socket, until the block ends, and yield its port."""
    spawn = multiprocessing.get_context("spawn")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        processes = [spawn.Process(target=target, args=(listener, *arguments), daemon=True) for _ in range(workers)]
        for process in processes:
            process.start()
        try:
            yield listener.getsockname()[1]
        finally:
            for process in processes:
                process.terminate()
                process.join()


@contextmanager
def planner_server(workers: int = 1, *, on_postgres: bool = False) -> Iterator[int]:
    """Run ``planner serve`` as a deployment does, with its bundled catalogue, and yield its port."""
    with ExitStack() as stack:
        url = f"sqlite:///{stack.enter_context(tempfile.TemporaryDirectory())}/planner.sqlite3"
        if on_postgres:
            url = stack.enter_context(postgres_database(stack.enter_context(postgres_server())))
        furnished(url, datetime(2026, 11, 24, tzinfo=UTC), bundle=True).close()
        port = free_port()
        settings = {"DATABASE_URL": url, "ADMIN_KEY": KEY, "KEY_PEPPER": "bench"}
        environment = {**os.environ, **{f"PLANNER_{name}": value for name, value in settings.items()}}
        command = [sys.executable, "-m", "planner", "serve", "--workers", str(workers), "--port", str(port)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
        stack.callback(process.wait)
        stack.callback(process.terminate)
        until(lambda: answers(f"http://127.0.0.1:{port}"))
        yield port


def polled_route(ours: int, workers: int = 1) -> tuple[float, float]:
    """Return requests per second of (the polled recommendation, the empty route), medians of alternating rounds."""
    request = f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {KEY}\r\n\r\n".encode()
    # Every worker starts, and loads its catalogue, before anything is measured.
    first = [
        httpx.get(f"http://127.0.0.1:{ours}{PATH}", headers={"Authorization": f"Bearer {KEY}"}, timeout=60)
        for _ in range(20 * workers)
    ][-1]
    # The framework writes the date and the length itself.
    headers = {name: value for name, value in first.headers.items() if name not in ("date", "content-length")}
    with running(serve_empty, workers, first.content, headers) as theirs:
        rates: dict[int, list[float]] = {ours: [], theirs: []}
        lengths = {port: len(ask_once(port, request)) for port in rates for _ in range(20 * workers)}
        assert len(set(lengths.values())) == 1, "the two routes answer with different bytes"
        for _ in range(ROUNDS):
            for port, found in rates.items():
                found.append(asyncio.run(requests_per_second(port, request, lengths[port])))
    return statistics.median(rates[ours]), statistics.median(rates[theirs])


def slowest_bad_body(port: int) -> tuple[float, str]:
    """Return the longest median time to refuse a bad body on any question, in milliseconds, and the body's name."""
    took: dict[str, list[float]] = {}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {KEY}"}) as client:
        for path in ("/v1/recommendations", "/v1/explanations", "/v1/costs", "/v1/costs/rank"):
            for name, body in BAD_BODIES.items():
                for _ in range(3):
                    began = time.perf_counter()
                    client.post(path, content=body)
                    took.setdefault(f"{name}, {path}", []).append((time.perf_counter() - began) * 1e3)
    return max((statistics.median(times), name) for name, times in took.items())
