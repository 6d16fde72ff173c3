"""Feeds on loopback: an HTTP server whose answer a test can change, and a raw one that misbehaves below HTTP."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


class Feed:
    """A feed that answers every request alike, except at ``paths``: what it answers can be changed while it runs."""

    def __init__(self) -> None:
        self.body = b"{}"
        self.paths: dict[str, bytes] = {}
        self.status = 200
        self.headers: dict[str, str] = {}
        self.etag: str | None = None
        self.requests = 0
        self.connections = 0

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Serve on a free port and yield the base URL."""
        feed = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                feed.connections += 1
                super().setup()

            def do_GET(self) -> None:
                feed.requests += 1
                same = feed.etag is not None and self.headers.get("If-None-Match") == feed.etag
                body = b"" if same else feed.paths.get(self.path) or feed.body
                self.send_response(304 if same else feed.status)
                tags = {} if feed.etag is None else {"ETag": feed.etag}
                for name, value in {"Content-Length": str(len(body)), **tags, **feed.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Keep the test's output for the test."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()


@contextmanager
def misbehaving(behave: Callable[[socket.socket], None], *, listen_first: bool = True) -> Iterator[str]:
    """Serve connections with ``behave``, which gets each one, by default after its request was read; yield the URL."""

    def serve(link: socket.socket) -> None:
        with link:
            try:
                if listen_first:
                    link.recv(65_536)
                behave(link)
            except OSError:
                # The client has had enough, which is what most of these tests are about.
                return

    def accept() -> None:
        while True:
            try:
                link, _address = listener.accept()
            except OSError:
                return
            Thread(target=serve, args=(link,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def listing(price: float = 1, count: int = 60, **more: Any) -> bytes:
    """Return a models.dev file of one provider with so many models."""
    model = {"cost": {"input": price, "output": 2 * price, **more}, "limit": {"context": 1000}}
    return json.dumps({"acme": {"models": {f"m{n}": model for n in range(count)}}}).encode()
