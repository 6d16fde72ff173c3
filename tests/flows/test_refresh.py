"""A price moves, a feed fails, a process dies: what is published is whole, and only what is believed."""

import gzip
import itertools
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
import sqlalchemy as sa

from planner.flows import status
from planner.flows.bundle import read_bundle
from planner.flows.refresh import RefreshSummary, refresh
from planner.flows.setup import install
from planner.places import seeds_dir
from planner.sources import ADAPTERS
from planner.sources.fetch import Limits, fetch_one
from planner.store import tables as t
from planner.store.engine import Store
from planner.store.load import load_catalogue
from planner.store.record import catalogue_digest
from tests.data import shared

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SOURCE = "models_dev"


class Feed:
    """A loopback feed: what it answers can be changed while it runs."""

    def __init__(self) -> None:
        self.body = b"{}"
        self.status = 200
        self.headers: dict[str, str] = {}
        self.requests = 0

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Serve on a free port and yield the base URL."""
        feed = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                feed.requests += 1
                self.send_response(feed.status)
                for name, value in {"Content-Length": str(len(feed.body)), **feed.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(feed.body)

            def log_message(self, format: str, *args: object) -> None:
                """Keep the test's output for the test."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()


def listing(price: float = 1, count: int = 60, **more: Any) -> bytes:
    """Return a models.dev file of one provider with so many models."""
    model = {"cost": {"input": price, "output": 2 * price, **more}, "limit": {"context": 1000}}
    return json.dumps({"acme": {"models": {f"m{n}": model for n in range(count)}}}).encode()


def told(_source: str, _done: int, _total: int) -> None:
    """Hear nothing."""


def run(store: Store, url: str, at: datetime = NOON) -> RefreshSummary:
    """Refresh the one source."""
    return refresh(store, {SOURCE: (ADAPTERS[SOURCE], url)}, at, told)


@pytest.fixture
def ready(store: Store) -> Store:
    """A database that knows the source and nothing else."""
    with store.write() as connection:
        connection.execute(
            sa.insert(t.sources).values(name=SOURCE, title="t", url="u", licence="l", rank=1, interval_minutes=60)
        )
    return store


def test_a_first_refresh_publishes_and_an_unchanged_one_does_not(ready: Store) -> None:
    """60 cards open once; the same bytes again publish nothing and are not even parsed."""
    feed = Feed()
    feed.body = listing()
    with feed.serving() as url:
        first, second = run(ready, url), run(ready, url, NOON + timedelta(hours=1))
    assert (first.revision, first.cards_opened, first.sources[0].priced) == (1, 60, 60)
    assert (second.revision, second.sources[0].outcome) == (None, "unchanged")


def test_a_price_rise_closes_one_card_opens_another_and_tells(ready: Store) -> None:
    """The old card stays readable with its end; the alert carries both prices."""
    feed = Feed()
    later = NOON + timedelta(days=1)
    with feed.serving() as url:
        feed.body = listing(1)
        run(ready, url)
        feed.body = listing(2)
        summary = run(ready, url, later)
    assert (summary.revision, summary.alerts) == (2, 120)
    with ready.read() as connection:
        catalogue = load_catalogue(connection)
        cards = catalogue.cards["direct:acme/m0"]
        assert [(card.valid_from, card.valid_to) for card in cards] == [(NOON, later), (later, None)]
        alert = connection.execute(sa.select(t.alerts).limit(1)).one()
    assert alert.kind == "price_rise"
    assert json.loads(alert.facts)["after_usd_per_mtok"] in ("2", "4")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"<!doctype html><title>Just a moment</title>", "not_json"),
        (listing()[:-40], "not_json"),
        (listing().replace(b'"input": 1', b'"input": NaN'), "not_json"),
        (listing().replace(b'"input": 1', b'"input": -1'), "unpriced"),
        (b"{}", "empty"),
        (b"[]", "not_expected"),
        (listing(count=30), "shrunk"),
        (listing(1000), "scaled"),
    ],
)
def test_a_bad_feed_changes_nothing_and_says_why(ready: Store, body: bytes, code: str) -> None:
    """HTML, half a file, NaN, -1, emptiness, shrinking and scaling leave the catalogue and its age untouched."""
    feed = Feed()
    with feed.serving() as url:
        feed.body = listing()
        run(ready, url)
        feed.body = body
        summary = run(ready, url, NOON + timedelta(hours=1))
    assert (summary.revision, summary.sources[0].error_code) == (None, code)
    state = status.sources(ready)[0]
    assert (state.last_success_at, state.error_code) == (NOON, code)
    with ready.read() as connection:
        assert len(load_catalogue(connection).cards) == 60


async def _faulty(url: str, limits: Limits) -> str:
    from planner.core.errors import FeedRefused

    try:
        await fetch_one("s", url, {}, lambda *_: None, limits)
    except FeedRefused as error:
        return error.reason
    return "taken"


@pytest.mark.parametrize(
    ("answer", "headers", "reason", "requests"),
    [
        (503, {"Retry-After": "0"}, "http_status", 3),
        (429, {"Retry-After": "garbage"}, "http_status", 3),
        (404, {}, "http_status", 1),
        (304, {}, "redirect", 1),
        (301, {"Location": "http://127.0.0.1:1/"}, "redirect", 1),
        (200, {"Content-Encoding": "gzip"}, "encoded", 1),
    ],
)
def test_http_faults_end_with_a_reason(answer: int, headers: Mapping[str, str], reason: str, requests: int) -> None:
    """Only what may pass is tried again, at most three times; redirects and compression are refused."""
    import asyncio

    feed = Feed()
    feed.status, feed.headers, feed.body = answer, dict(headers), b"{}" if answer != 304 else b""
    limits = Limits(pause_seconds=0.01, deadline_seconds=10)
    with feed.serving() as url:
        found = asyncio.run(_faulty(url, limits))
    assert (found in (reason, "http_status"), feed.requests) == (True, requests)


def test_a_body_beyond_the_cap_is_cut_off() -> None:
    """Bytes are counted as they arrive."""
    import asyncio

    feed = Feed()
    feed.body = b"{" + b" " * 100_000
    with feed.serving() as url:
        assert asyncio.run(_faulty(url, Limits(bytes_max=1_000))) == "too_large"


def test_the_bundle_installs_once_and_is_whole(store: Store) -> None:
    """Two revisions, no overlap, one digest; a second install does nothing; what was bundled answers for its day."""
    install(store, NOON)
    install(store, NOON + timedelta(hours=1))
    with store.read() as connection:
        revisions = connection.execute(sa.select(t.revisions).order_by(t.revisions.c.number)).all()
        assert [row.number for row in revisions] == [1, 2]
        assert revisions[-1].digest == catalogue_digest(connection)
        catalogue = load_catalogue(connection)
    for cards in catalogue.cards.values():
        for before, after in itertools.pairwise(cards):
            assert before.valid_to is not None
            assert before.valid_to <= after.valid_from
    assert catalogue.card("direct:openai/gpt-5", datetime(2025, 8, 25, 12, tzinfo=UTC)) is not None


def test_the_newest_bundle_is_what_the_adapters_read() -> None:
    """Parsing the recorded file again gives the bundled claims of that source."""
    body = gzip.decompress(shared("litellm", "litellm_prices_v1.109.1.json.gz").read_bytes())
    bundled = next(r for r in read_bundle(seeds_dir() / "catalogue-2026-11-23.jsonl.gz") if r.source == "litellm")
    assert len(json.loads(body)) == bundled.rows_read == 4_553
    assert bundled.rows_read == len(bundled.claims) + len(bundled.refused) + bundled.merged
