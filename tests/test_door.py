"""A real server under abuse: floods of bytes, connections that never ask, addresses that are forged."""

import re
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread
from typing import NamedTuple

import httpx
import pytest
import uvicorn
from pydantic import SecretStr
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from planner.app import build
from planner.cli import link as link_module
from planner.cli.serving import options
from planner.settings import Settings
from planner.store.engine import Store
from tests.loopback import free_port
from tests.test_service import PATIENCE_SECONDS, answers, running, until

KEY = "pk_adminkey_0123456789abcdefghijklmnopqrstuvwxyz"
ADMIN = {"Authorization": f"Bearer {KEY}"}
MIB = 1 << 20
POLLED = "/v1/plans/pro/tasks/chat/recommendation"


class Served(NamedTuple):
    """A server that runs."""

    port: int
    process: subprocess.Popen[bytes]
    output: Path

    @property
    def url(self) -> str:
        """Return where it is met."""
        return f"http://127.0.0.1:{self.port}"

    def mebibytes(self) -> int:
        """Return the most memory it ever had."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) // 1024

    def connected(self) -> socket.socket:
        """Return a connection to it."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS)


@contextmanager
def served(folder: Path, **settings: str) -> Iterator[Served]:
    """Run a server with these settings."""
    port = free_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLANNER_ADMIN_KEY", KEY)
        for name, value in settings.items():
            patch.setenv(f"PLANNER_{name.upper()}", value)
        with running(folder, "up", "--port", str(port)) as (process, output):
            until(lambda: answers(f"http://127.0.0.1:{port}"))
            assert httpx.get(f"http://127.0.0.1:{port}{POLLED}", headers=ADMIN).status_code == 200
            yield Served(port, process, output)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with the settings it comes with."""
    with served(tmp_path_factory.mktemp("door") / "data") as made:
        yield made


def flood(server: Served, path: str, *, mebibytes: int, key: str = KEY, **headers: str) -> bytes:
    """Send so large a body without saying how large it is, and return the first bytes of the answer."""
    said = {"Host": "127.0.0.1", "Authorization": f"Bearer {key}", "Transfer-Encoding": "chunked", **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in said.items())
    with server.connected() as link:
        link.sendall(f"POST {path} HTTP/1.1\r\n{head}\r\n".encode())
        piece = b"100000\r\n" + b" " * MIB + b"\r\n"
        try:
            for _ in range(mebibytes):
                link.sendall(piece)
            link.sendall(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            return b""
        return link.recv(65_536)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("headers", [{}, {"Content-Encoding": "gzip"}])
@pytest.mark.parametrize("key", [KEY, "nobody"])
def test_a_flood_of_bytes_fills_no_memory(server: Served, key: str, headers: dict[str, str]) -> None:
    """300 MiB in pieces, encoded or not, with a key or without: refused, and not kept."""
    before = server.mebibytes()
    status = flood(server, "/v1/costs", mebibytes=300, key=key, **headers)[9:12]
    assert status == (b"401" if key != KEY else b"415" if headers else b"413")
    assert server.mebibytes() - before < 32


def test_files_have_a_limit_of_their_own(server: Served) -> None:
    """2 MiB are read where files are imported, and found to be no file; 17 MiB are not read."""
    for path in ("/v1/policies/import", "/v1/terms/import"):
        assert flood(server, f"{path}?reason=r&format=csv", mebibytes=2)[9:12] == b"422"
        assert flood(server, f"{path}?reason=r&format=csv", mebibytes=17)[9:12] == b"413"


def test_half_a_request_keeps_nobody_waiting(server: Served) -> None:
    """A hundred connections in the middle of a head, of a body or before the first byte: a good request is answered."""
    head = b"POST /v1/costs HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    whole = head + f"Authorization: Bearer {KEY}\r\nContent-Length: 100\r\n\r\n{{".encode()
    with ExitStack() as stack:
        links = [stack.enter_context(server.connected()) for _ in range(100)]
        for number, link in enumerate(links):
            link.sendall((b"", head, whole, b"G")[number % 4])
        with ThreadPoolExecutor(4) as pool:
            found = pool.map(lambda _: httpx.get(server.url + POLLED, headers=ADMIN).status_code, range(20))
        assert set(found) == {200}


def test_a_head_without_end_is_hung_up_on(server: Served) -> None:
    """At 64 KiB, long before the time is over."""
    with server.connected() as link:
        link.sendall(b"GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: ")
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            link.sendall(b"a" * 64 * MIB)


def test_who_hangs_up_in_the_middle_leaves_no_trace_in_the_log(server: Served) -> None:
    """Half a body and then nothing is everyday life on a network."""
    before = server.output.read_bytes()
    for _ in range(3):
        with server.connected() as link:
            head = f"POST /v1/costs HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {KEY}\r\n"
            link.sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())
    assert answers(server.url)
    assert server.output.read_bytes() == before


async def reads_all(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer once the body is whole."""
    if scope["type"] == "http":
        while (await receive()).get("more_body"):
            pass
        await Response("read")(scope, receive, send)


@contextmanager
def within(app: ASGIApp, settings: Settings) -> Iterator[int]:
    """Run an application in this process with the options planner's server has, and yield its port."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, lifespan="off", **options(settings)))
    thread = Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started)
        yield port
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A server that waits only a moment for a request; its port."""
    monkeypatch.setattr(link_module, "REQUEST_SECONDS_MAX", 0.3)
    with within(reads_all, Settings()) as port:
        yield port


def dribbled(link: socket.socket, start: bytes) -> bytes:
    """Send a start, then a byte now and then until the server hangs up; return what it said."""
    said = b""
    link.settimeout(0.02)
    try:
        link.sendall(start)
        while True:
            try:
                got = link.recv(65_536)
            except TimeoutError:
                # Who has sent nothing yet goes on doing so.
                link.sendall(b"1" if start else b"")
                continue
            if not got:
                return said
            said += got
    except (BrokenPipeError, ConnectionResetError):
        return said


WHOLE = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    ("start", "answers_first"),
    [
        (b"", 0),
        (b"GET /", 0),
        (b"GET / HTTP/1.1\r\nX-Slow: ", 0),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", 0),
        (WHOLE + b"GET /", 1),
        (WHOLE + WHOLE + b"GET / HTTP/1.1\r\nX-Slow: ", 2),
    ],
)
def test_who_dribbles_is_hung_up_on(impatient: int, start: bytes, answers_first: int) -> None:
    """A byte now and then buys no time, in a head, in a body, or after whole requests, which are answered."""
    with socket.create_connection(("127.0.0.1", impatient)) as link:
        assert dribbled(link, start).count(b"200 OK") == answers_first


def test_time_between_whole_requests_is_not_counted(impatient: int) -> None:
    """A connection that asks and rests, for longer than one request may take, is kept."""
    with closing(HTTPConnection("127.0.0.1", impatient)) as connection:
        connection.connect()
        first = connection.sock
        for _ in range(4):
            connection.request("GET", "/")
            assert connection.getresponse().read() == b"read"
            assert connection.sock is first
            time.sleep(0.2)


@pytest.mark.parametrize(("proxies", "last"), [("", 429), ("192.0.2.1", 429), ("10.0.0.0/8, 127.0.0.1", 401)])
def test_only_a_named_proxy_says_where_a_request_came_from(installed: Store, proxies: str, last: int) -> None:
    """Wrong keys as from another address every time: not even this machine itself is believed unless it is named."""
    settings = Settings(key_pepper=SecretStr("p"), forwarded_allow_ips=proxies, failed_requests_per_minute=2)
    with within(build(settings, installed), settings) as port, httpx.Client() as client:
        asked = [
            client.get(f"http://127.0.0.1:{port}{POLLED}", headers={"X-Forwarded-For": f"192.0.2.{number}"}).status_code
            for number in range(4)
        ]
    assert asked == [401, 401, last, last]
