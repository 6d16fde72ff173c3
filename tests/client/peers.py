"""Servers in planner's place that a test tells what to answer, and a clock that a test moves."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, NamedTuple

from planner.client import Planner
from planner.client.talk import Clock

DATE = "Tue, 24 Nov 2026 12:00:00 GMT"
START = datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()
PATH = "/v1/plans/pro/tasks/chat/recommendation"


def link(offer: str = "direct:acme/small", **more: Any) -> dict[str, Any]:
    """Make one link of a chain, as planner writes it."""
    line = {"unit": "input_token", "quantity": 1400, "usd": "0.15", "per": 1_000_000, "amount_usd": "0.00021"}
    return {
        "offer": offer, "model": "acme/small", "provider": "acme", "channel": "direct", "region": None,
        "service_tier": "standard", "tier": 2, "quality_tier": None, "cost_usd": "0.00021",
        "list_cost_usd": "0.00021", "cost_usd_per_period": "0.189", "margin": "0.8836", "lines": [line],
        "price_version": "1", **more,
    }  # fmt: skip


def answer(offer: str = "direct:acme/small", **more: Any) -> dict[str, Any]:
    """Make an answer to the main question, as planner writes it."""
    return {
        "choice": link(offer), "fallbacks": [], "fallbacks_missing": 2, "chain": None, "budget_usd": "4.12",
        "considered": 3, "eligible": 1, "refused": {"unpriced": 2}, "alternatives": [], "enforce": None,
        "objective": "cheapest", "policy": "no-training", "policy_version": 1, "at": "2026-11-24T12:00:00Z",
        "revision": 2, "stale": False, "valid_until": None, **more,
    }  # fmt: skip


class Reply(NamedTuple):
    """What a peer answers; ``body`` is JSON unless it is bytes."""

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = {}  # noqa: RUF012  # nobody changes it


class Asked(NamedTuple):
    """What a peer was asked."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Peer:
    """A server that gives its replies one after the other, and the last one again and again.

    ``gate`` holds answers back until it is set; ``reached`` says that a question is there.
    """

    replies: list[Reply]
    asked: list[Asked] = field(default_factory=list)
    gate: Event = field(default_factory=Event)
    reached: Event = field(default_factory=Event)

    def __post_init__(self) -> None:
        """Hold nothing back."""
        self.gate.set()

    def then(self, *replies: Reply) -> None:
        """Answer these from now on."""
        self.replies = list(replies)

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Serve on a free port and yield the base URL."""
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                peer.asked.append(Asked(self.command, self.path, dict(self.headers), body))
                peer.reached.set()
                peer.gate.wait()
                reply = peer.replies.pop(0) if len(peer.replies) > 1 else peer.replies[0]
                content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
                self.send_response_only(reply.status)
                for name, value in {"Date": DATE, "Content-Length": str(len(content)), **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET  # noqa: N815  # what the standard library calls

            def log_message(self, format: str, *args: object) -> None:
                """Keep the test's output for the test."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            self.gate.set()
            server.shutdown()
            server.server_close()


@dataclass
class Hands:
    """The hands of both clocks, moved by a test; by default they stand still."""

    monotonic: float = 1_000.0
    wall: float = START

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self.monotonic += seconds
        self.wall += seconds

    @property
    def clock(self) -> Clock:
        """The clock that a client reads."""
        return Clock(lambda: self.monotonic, lambda: self.wall)


KEY = "pk_0123456789"
TAG = {"ETag": '"one"'}
SAME = Reply(304, b"", TAG)
DOWN = Reply(503, {"code": "unavailable", "title": "Not now", "status": 503})


def good(**more: Any) -> Reply:
    """Make a good answer with its ETag."""
    return Reply(200, answer(**more), TAG)


def problem(status: int, code: str, **facts: Any) -> Reply:
    """Make a problem document."""
    return Reply(status, {"type": "urn:x", "title": "No", "status": status, "code": code, **facts})


def client(url: str, hands: Hands | None = None, **options: Any) -> Planner:
    """Make a client that asks once, and whose clock stands still."""
    return Planner(url, KEY, **{"retries": 0, "clock": (hands or Hands()).clock, **options})
