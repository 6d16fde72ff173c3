"""An OpenAI-compatible API on loopback: it streams as slowly, as brokenly or as endlessly as a test asks, by model."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

DONE = b"data: [DONE]\n\n"


@dataclass
class Manner:
    """How one model is answered for: so many pieces of text with these pauses, then a reason to stop, then the bill.

    ``raw`` is sent in place of all that. ``cut_after`` pieces the connection is closed. ``endless``: it never stops.
    """

    pieces: int = 5
    thoughts: int = 0
    first_seconds: float = 0.0
    between_seconds: float = 0.0
    usage: dict[str, Any] | None = field(
        default_factory=lambda: {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
    )
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    cut_after: int | None = None
    endless: bool = False
    stays_open: bool = False


def event(document: object) -> bytes:
    """Write one event of a stream."""
    return b"data: " + json.dumps(document).encode() + b"\n\n"


def delta(**said: str) -> bytes:
    """Write a piece of an answer."""
    return event({"choices": [{"index": 0, "delta": said, "finish_reason": None}], "usage": None})


class ChatApi:
    """The API: what was asked of it, with which key, and how it answers."""

    def __init__(self, **manners: Manner) -> None:
        """Answer for these models in their manner, and for every other one in the plain manner."""
        self.manners = manners
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.at_once = self.at_once_max = 0
        self._ended = threading.Event()
        self._lock = threading.Lock()

    @property
    def models(self) -> list[str]:
        """The models that were asked for, in order."""
        return [body["model"] for body in self.asked]

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Serve on a free port and yield the base URL."""
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with api._lock:
                    api.asked.append(body)
                    api.keys.append(self.headers["Authorization"])
                    api.at_once += 1
                    api.at_once_max = max(api.at_once, api.at_once_max)
                manner = api.manners.get(body["model"], Manner()) if self.path == "/v1/chat/completions" else _NOWHERE
                # A client that has had enough is what some tests are about.
                with suppress(OSError):
                    self.send_response(manner.status)
                    for name, value in {"Content-Type": "text/event-stream", **manner.headers}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    for piece in api._told(manner):
                        self.wfile.write(piece)
                        self.wfile.flush()
                with api._lock:
                    api.at_once -= 1

            def log_message(self, format: str, *args: object) -> None:
                """Keep the test's output for the test."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            self._ended.set()
            server.shutdown()
            server.server_close()

    def _told(self, manner: Manner) -> Iterator[bytes]:
        if manner.raw is not None or manner.status != 200:
            yield manner.raw or b'{"error": {"message": "CANARY-ERROR"}}'
            return
        yield b": waiting\n\n" + delta(role="assistant", content="")
        time.sleep(manner.first_seconds)
        for number in range(manner.thoughts):
            yield delta(reasoning=f"CANARY-THOUGHT {number}")
        count = 0
        while count < manner.pieces or manner.endless:
            if count == manner.cut_after or self._ended.is_set():
                return
            yield delta(content=f"CANARY-ANSWER {count}")
            count += 1
            time.sleep(manner.between_seconds)
        yield event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        if manner.usage is not None:
            yield event({"choices": [], "usage": manner.usage})
        yield DONE
        if manner.stays_open:
            self._ended.wait(60)


_NOWHERE = Manner(status=404)
