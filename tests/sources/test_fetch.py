"""Fetching from servers that are slow, rude, endless or gone: a bound for everything, and a reason for every end."""

import asyncio
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
import trustme

from planner.core.errors import FeedRefused
from planner.sources import fetch
from planner.sources.feed import Known, Payload
from planner.sources.fetch import Limits, fetch_many, fetch_one
from tests.loopback import Feed, misbehaving

QUICK = Limits(deadline_seconds=1.0, pause_seconds=0.01)
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def unheard(_done: int, _total: int) -> None:
    """Hear of no progress."""


def _now() -> datetime:
    # A server's date is compared with the real clock, so the real clock makes it.
    return datetime.now(UTC)  # noqa: TID251


def fetched(url: str, limits: Limits = QUICK, known: Mapping[str, Known] | None = None) -> Payload | str:
    """Fetch one url; a refusal is its reason."""
    try:
        return asyncio.run(fetch_one("s", url, known or {}, unheard, limits))
    except FeedRefused as error:
        return error.reason


@pytest.mark.parametrize(
    ("answer", "headers", "reason", "requests"),
    [
        (500, {}, "http_status", 3),
        (503, {"Retry-After": "0"}, "http_status", 3),
        (429, {"Retry-After": "garbage"}, "http_status", 3),
        (429, {"Retry-After": "-1"}, "http_status", 3),
        (401, {}, "http_status", 1),
        (404, {}, "http_status", 1),
        (204, {}, "http_status", 1),
        (206, {}, "http_status", 1),
        (301, {"Location": "http://127.0.0.1:1/"}, "redirect", 1),
        (200, {"Content-Encoding": "gzip"}, "encoded", 1),
        (200, {"Content-Encoding": "br"}, "encoded", 1),
    ],
)
def test_http_faults_end_with_a_reason(answer: int, headers: Mapping[str, str], reason: str, requests: int) -> None:
    """Only what may pass is tried again, at most three times; redirects and compression are refused."""
    feed = Feed()
    feed.status, feed.headers = answer, dict(headers)
    with feed.serving() as url:
        assert fetched(url) == reason
    assert feed.requests == requests


def test_a_304_that_was_not_asked_for_is_no_answer() -> None:
    """Without a validator there is nothing a 304 could stand for."""
    feed = Feed()
    feed.status, feed.body = 304, b""
    with feed.serving() as url:
        assert fetched(url) in ("http_status", "redirect")


def test_a_confirmed_payload_is_the_kept_one() -> None:
    """A 304 to our own ETag gives back the bytes that were kept."""
    feed = Feed()
    feed.etag = '"v1"'
    with feed.serving() as url:
        first = fetched(url)
        assert isinstance(first, Payload)
        again = fetched(url, known={url: Known('"v1"', first.digest, first.body)})
    assert isinstance(again, Payload)
    assert (again.unchanged, again.body, again.digest) == (True, b"{}", first.digest)


def test_confirmed_payloads_share_their_connections() -> None:
    """A hundred conditional requests use no more connections than may be open at once."""
    feed = Feed()
    feed.etag = '"v1"'
    with feed.serving() as base:
        urls = [f"{base}/{number}" for number in range(100)]
        known = {url: Known('"v1"', "d", b"{}") for url in urls}
        found = asyncio.run(fetch_many("s", urls, known, unheard, QUICK))
    assert all(isinstance(payload, Payload) and payload.unchanged for payload in found.values())
    assert feed.connections <= QUICK.concurrent_max


@pytest.mark.parametrize("pause", ["1", "date"])
def test_the_pause_a_server_asks_for_is_kept(pause: str) -> None:
    """Seconds and dates are both honoured: the next request does not come earlier."""
    feed = Feed()
    asked = format_datetime(_now() + timedelta(seconds=2), usegmt=True) if pause == "date" else pause
    feed.status, feed.headers = 429, {"Retry-After": asked}
    began = time.monotonic()
    with feed.serving() as url:
        assert fetched(url, Limits(deadline_seconds=20, tries_max=2, pause_seconds=0.01)) == "http_status"
    # A date has whole seconds, so up to one of the two is lost.
    assert time.monotonic() - began >= 0.9
    assert feed.requests == 2


def test_an_endless_pause_is_cut_to_ours() -> None:
    """A server cannot park us for thirty years."""
    feed = Feed()
    feed.status, feed.headers = 503, {"Retry-After": "1000000000"}
    with feed.serving() as url:
        assert fetched(url, Limits(deadline_seconds=5, tries_max=2, pause_seconds_max=0.05)) == "http_status"


def _stall(link: socket.socket) -> None:
    link.recv(1)


def _stall_after_headers(link: socket.socket) -> None:
    link.sendall(OK + b"Content-Length: 10\r\n\r\n{")
    link.recv(1)


def _drip(link: socket.socket) -> None:
    link.sendall(OK + b"Content-Length: 100000\r\n\r\n")
    while True:
        link.sendall(b"{")
        time.sleep(0.05)


def _reset(link: socket.socket) -> None:
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _reset_in_the_body(link: socket.socket) -> None:
    link.sendall(OK + b"Content-Length: 10\r\n\r\n{")
    _reset(link)


def _short(link: socket.socket) -> None:
    link.sendall(OK + b"Content-Length: 10\r\n\r\n{}")


def _no_http(link: socket.socket) -> None:
    link.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")


def _endless(link: socket.socket) -> None:
    link.sendall(OK + b"Transfer-Encoding: chunked\r\n\r\n")
    while True:
        link.sendall(b"10000\r\n" + b"[" * 0x10000 + b"\r\n")


@pytest.mark.parametrize(
    ("behave", "reason"),
    [
        (_stall, "timeout"),
        (_stall_after_headers, "timeout"),
        (_drip, "timeout"),
        (_reset, "unreachable"),
        (_reset_in_the_body, "unreachable"),
        (_short, "unreachable"),
        (_no_http, "unreachable"),
        (_endless, "too_large"),
    ],
)
def test_a_misbehaving_server_is_left_in_time(behave: Callable[[socket.socket], None], reason: str) -> None:
    """Silence and dripping end at the total deadline; a cut answer is never taken for a whole one."""
    with misbehaving(behave) as url:
        assert fetched(url, Limits(deadline_seconds=0.5, pause_seconds=0.01, bytes_max=1 << 20)) == reason


def test_one_slow_url_does_not_hold_up_the_others() -> None:
    """Each url has its own deadline and its own end."""
    feed = Feed()
    with feed.serving() as good, misbehaving(_stall) as bad:
        found = asyncio.run(fetch_many("s", [bad, good], {}, unheard, Limits(deadline_seconds=0.5)))
    assert isinstance(found[good], Payload)
    assert isinstance(found[bad], FeedRefused)


def test_a_feed_of_many_answers_has_one_end() -> None:
    """A hundred silent urls take as long as the whole feed may, not a deadline each."""
    with misbehaving(_stall) as url:
        urls = [f"{url}/{number}" for number in range(100)]
        began = time.monotonic()
        limits = Limits(deadline_seconds=0.4, whole_seconds=0.6)
        found = asyncio.run(fetch_many("s", urls, {}, unheard, limits))
    # A deadline each, four at a time, would be ten seconds.
    assert time.monotonic() - began < 6
    assert {result.reason for result in found.values() if isinstance(result, FeedRefused)} == {"timeout"}
    assert len(found) == 100


def test_the_answers_of_a_feed_share_one_cap() -> None:
    """Many answers within the cap are refused once they are beyond it together."""
    feed = Feed()
    feed.body = b"{" + b" " * 400
    with feed.serving() as url:
        found = asyncio.run(fetch_many("s", [f"{url}/{n}" for n in range(9)], {}, unheard, Limits(bytes_max=1_000)))
    reasons = [result.reason for result in found.values() if isinstance(result, FeedRefused)]
    assert reasons == ["too_large"] * 7


@contextmanager
def _encrypted(context: ssl.SSLContext) -> Iterator[int]:
    """Serve an empty object over TLS and yield the port."""

    def answer(link: socket.socket) -> None:
        with context.wrap_socket(link, server_side=True) as wire:
            wire.recv(65_536)
            wire.sendall(OK + b"Content-Length: 2\r\nConnection: close\r\n\r\n{}")

    with misbehaving(answer, listen_first=False) as url:
        yield int(url.rpartition(":")[2])


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[trustme.CA]:
    """An authority that this process trusts."""
    made = trustme.CA()
    made.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    fetch.trust.cache_clear()
    yield made
    fetch.trust.cache_clear()


def _served(authority: trustme.CA, name: str, until: datetime | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    begins = None if until is None else until - timedelta(days=1)
    authority.issue_cert(name, not_before=begins, not_after=until).configure_cert(context)
    return context


def test_a_certificate_must_be_of_the_name_in_its_time_and_by_an_authority(authority: trustme.CA) -> None:
    """The right one is read; an expired one, one of another name and one nobody vouches for are not."""
    wrong = [
        _served(authority, "other.test"),
        _served(authority, "localhost", until=_now() - timedelta(days=1)),
        _served(trustme.CA(), "localhost"),
    ]
    with _encrypted(_served(authority, "localhost")) as port:
        assert isinstance(fetched(f"https://localhost:{port}/"), Payload)
    for context in wrong:
        with _encrypted(context) as port:
            assert fetched(f"https://localhost:{port}/") == "unreachable"


def test_a_server_that_never_shakes_hands_is_left_in_time() -> None:
    """Silence inside the TLS handshake ends at the deadline too."""
    with misbehaving(_stall, listen_first=False) as url:
        assert fetched(url.replace("http:", "https:"), Limits(deadline_seconds=0.5)) == "timeout"


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "ftp://127.0.0.1/", "not a url", "http://"])
def test_what_cannot_be_reached_is_said_so(url: str) -> None:
    """A closed port, another protocol and no URL at all are one reason."""
    assert fetched(url) == "unreachable"


def test_a_body_beyond_the_cap_is_cut_off() -> None:
    """Bytes are counted as they arrive, whatever the headers say."""
    feed = Feed()
    feed.body = b"{" + b" " * 100_000
    with feed.serving() as url:
        assert fetched(url, Limits(bytes_max=1_000)) == "too_large"


def test_a_page_instead_of_data_is_refused() -> None:
    """A captive portal answers 200 with HTML."""
    feed = Feed()
    feed.body = b"<!doctype html>"
    with feed.serving() as url:
        assert fetched(url) == "not_json"


def test_what_a_server_calls_its_answer_cannot_stop_us() -> None:
    """An ETag that no header can carry is not kept, and one that was kept once is not sent."""
    feed = Feed()
    feed.headers = {"ETag": '"\xe9"'}
    with feed.serving() as url:
        first = fetched(url)
        assert isinstance(first, Payload)
        assert first.etag is None
        again = fetched(url, known={url: Known('"\xe9\r\n"', first.digest, first.body)})
    assert isinstance(again, Payload)


@pytest.mark.parametrize("asked", ["Fri, 31 Dec 9999 23:59:59 -2300", "Fri, 31 Dec 99999999999999999999 23:59:59 GMT"])
def test_a_pause_beyond_the_calendar_is_nonsense(asked: str) -> None:
    """It asks for nothing, and the next try comes at our own pace."""
    feed = Feed()
    feed.status, feed.headers = 503, {"Retry-After": asked}
    with feed.serving() as url:
        assert fetched(url) == "http_status"
    assert feed.requests == 3


def parts(urls: list[str], known: Mapping[str, Known], limits: Limits = QUICK) -> tuple[Payload, ...] | str:
    """Fetch the parts of a feed; a refusal is its text."""
    try:
        return asyncio.run(fetch.fetch_parts("s", urls, known, unheard, limits=limits))
    except FeedRefused as error:
        return f"{error.reason}: {error.detail}"


def test_a_part_that_cannot_be_had_stays_what_it_was() -> None:
    """One of six answers fails: its last bytes stand in, unless they are old; two of six refuse the feed."""
    good, bad = Feed(), Feed()
    bad.status = 404
    with good.serving() as here, bad.serving() as there:
        urls = [f"{here}/{number}" for number in range(5)] + [f"{there}/5"]
        known = {f"{there}/5": Known("", "d", b"{}")}
        found = parts(urls, known)
        assert isinstance(found, tuple)
        assert [(payload.url, payload.digest) for payload in found if payload.kept] == [(f"{there}/5", "d")]
        assert len(found) == 6
        old = parts(urls, {f"{there}/5": Known("", "d", b"{}", recent=False)})
        assert len(old) == 5
        assert parts([*urls[1:], f"{there}/6"], known) == "http_status: 2 of 6 answers are missing"
