"""Every feed, every fault: what is published stays, the reason is recorded, and nothing is believed by half."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from planner.flows import status
from planner.flows.refresh import SourceSummary, refresh, refresh_from_file
from planner.flows.setup import know_layouts
from planner.sources import fetch
from planner.sources.mapping import Mapped
from planner.store.engine import Store
from planner.store.load import load_catalogue
from planner.store.recall import catalogue_digest
from planner.store.status import SourceStatus, due
from tests.databases import furnished
from tests.loopback import Feed
from tests.sources.golden import ROWS, adapter, payload
from tests.sources.mutations import at, leaves, rows_of

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def prices(document: Any, change: Callable[[Any], Any]) -> Any:
    """Change every figure below a key that holds prices."""
    for path in list(leaves(document)):
        words = " ".join(str(step) for step in path).lower()
        leaf = str(path[-1]).lower()
        priced = any(word in words for word in ("pric", "cost", "mtok")) and leaf not in (
            "discount",
            "currency",
            "type",
        )
        holder = at(document, path[:-1])
        if priced and isinstance(holder[path[-1]], int | float | str) and not isinstance(holder[path[-1]], bool):
            holder[path[-1]] = change(holder[path[-1]])
    return document


def half(source: str) -> bytes:
    """Return a payload without half of its rows."""
    document = json.loads(payload(source))
    for path in reversed(rows_of(source, document)[::2] + rows_of(source, document)[1::4]):
        holder = at(document, path[:-1])
        if path[-1] in holder if isinstance(holder, dict) else int(path[-1]) < len(holder):
            del holder[path[-1]]
    return json.dumps(document).encode()


def negative(source: str) -> bytes:
    """Return a payload in which every price is -1."""
    return json.dumps(
        prices(json.loads(payload(source)), lambda value: "-1" if isinstance(value, str) else -1)
    ).encode()


def nan(source: str) -> bytes:
    """Return a payload in which every price is not a number."""
    return json.dumps(prices(json.loads(payload(source)), lambda _value: float("nan"))).encode()


BODIES: dict[str, Callable[[str], bytes]] = {
    "html": lambda _source: b"<!doctype html><title>Just a moment</title>",
    "empty": lambda _source: b"",
    "nothing": lambda source: b"[]" if payload(source).lstrip()[:1] == b"[" else b"{}",
    "truncate": lambda source: payload(source)[: len(payload(source)) // 2],
    "nan": nan,
    "minus": negative,
    "half": half,
    "twice": lambda source: payload(source) + payload(source),
    "marked": lambda source: b"\xef\xbb\xbf" + payload(source),
    "wide": lambda source: payload(source).decode().encode("utf-16"),
}  # fmt: skip


# A list of scores has no prices to break.
UNPRICED = ("artificial_analysis", "arena")
CASES = [
    (source, fault) for source in ROWS for fault in BODIES if source not in UNPRICED or fault not in ("nan", "minus")
]  # fmt: skip


def said(store: Store, source: str, body: bytes, at: datetime) -> SourceSummary:
    """Refresh one feed from a payload."""
    feed = adapter(source)
    return refresh_from_file(store, source, feed, {feed.file_url: body}, at, actor="test").sources[0]


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A database that has read every feed once."""
    store = furnished(f"sqlite:///{tmp_path_factory.mktemp('known') / 'planner.sqlite3'}", NOON)
    mapped = adapter("mapped")
    assert isinstance(mapped, Mapped)
    know_layouts(store, [mapped.layout])
    for source in ROWS:
        done = said(store, source, payload(source), NOON)
        # The scores of the recorded leaderboard are among the seeds.
        assert done.outcome == ("unchanged" if source == "arena" else "published"), done
    return store


def digest(store: Store) -> str:
    """Return the digest of everything believed."""
    with store.read() as connection:
        return catalogue_digest(connection)


def state(store: Store, source: str) -> SourceStatus:
    """Return the state of a source."""
    return next(row for row in status.sources(store) if row.source == source)


@pytest.mark.parametrize(("source", "fault"), CASES)
def test_a_broken_payload_changes_nothing(known: Store, source: str, fault: str) -> None:
    """The catalogue is the same to the digest, the last success keeps its date, and the reason has a code."""
    before, body = digest(known), BODIES[fault](source)
    assert body != payload(source)
    done = said(known, source, body, NOON + HOUR)
    assert done.outcome == "refused", done
    after = state(known, source)
    assert (digest(known), after.last_success_at, bool(after.error_code)) == (before, NOON, True)


@pytest.mark.parametrize(
    ("answer", "code"),
    [(404, "http_status"), (429, "http_status"), (500, "http_status"), (503, "http_status"), (301, "redirect")],
)
@pytest.mark.parametrize("source", ROWS)
def test_a_bad_answer_changes_nothing(
    known: Store, source: str, answer: int, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Statuses, redirects and pages instead of lists are refused with a code, whatever is in their body."""
    monkeypatch.setattr(fetch, "_patiently", _once)
    before = digest(known)
    feed = Feed()
    feed.status, feed.body = answer, b"{}"
    feed.headers = {"Location": "http://127.0.0.1:1/", "Retry-After": "1000000000"}
    with feed.serving() as url:
        done = refresh(known, {source: (adapter(source), url)}, NOON + HOUR, lambda *_: None)
    assert (done.sources[0].outcome, done.sources[0].error_code, digest(known)) == ("refused", code, before)


async def _once(client: Any, source: str, url: str, known: Any, left: Any) -> Any:
    """Try once: how often and how long a fetch is tried again has tests of its own."""
    try:
        return await fetch._once(client, source, url, known, left)
    except fetch._Again as again:
        raise again.refused from None


def test_a_source_that_keeps_failing_is_left_alone_for_longer_and_longer(known: Store) -> None:
    """After three failures its circuit opens for its interval, then twice that, up to a day, until a success."""
    source = "cerebras"
    moment = NOON + timedelta(days=1)
    said(known, source, payload(source) + b" ", moment)
    pauses = []
    for _ in range(6):
        said(known, source, b"no", moment)
        retry = state(known, source).retry_at
        pauses.append(None if retry is None else (retry - moment) / HOUR)
        # A person who asks meanwhile prolongs nothing.
        said(known, source, b"no", moment + HOUR)
        assert retry is None or state(known, source).retry_at == retry
        moment = moment + HOUR if retry is None else retry
    assert pauses == [None, 6, 12, 24, 24, 24]
    with known.read() as connection:
        assert due(connection, [source, "never"], moment - HOUR) == ["never"]
        assert due(connection, [source, "never"], moment) == [source, "never"]
    said(known, source, payload(source) + b"  ", moment)
    assert (state(known, source).failures, state(known, source).retry_at) == (0, None)


def test_a_source_says_in_a_word_how_it_is(known: Store) -> None:
    """Fresh, then stale by its own age; frozen where it says nothing new for too long; or never read at all."""
    row = replace(state(known, "openrouter"), failures=0, retry_at=None)
    assert row.state(NOON + HOUR) == "fresh"
    assert row.state(NOON + timedelta(hours=24)) == "stale"
    read_again = replace(row, last_success_at=NOON + timedelta(days=4))
    assert read_again.state(NOON + timedelta(days=4)) == "frozen"
    assert replace(row, last_success_at=None, failures=0).state(NOON) == "never_read"
    failed = replace(row, failures=2)
    assert [replace(failed, retry_at=retry).state(NOON) for retry in (None, NOON, NOON + HOUR)] == [
        "failing", "failing", "paused",
    ]  # fmt: skip
    assert replace(row, last_success_at=None, failures=3).state(NOON) == "unreachable"
    assert replace(row, interval_minutes=None).state(NOON) == "recorded"


def test_privacy_flags_set_to_best_let_nobody_in(known: Store) -> None:
    """Requesty says that it neither keeps nor trains on anything: no offer more passes the default policy."""

    def admitted() -> set[str]:
        with known.read() as connection:
            catalogue = load_catalogue(connection)
        policy = catalogue.policies["no-training"]
        later = NOON + timedelta(days=2)
        return {o.id for o in catalogue.offers if not catalogue.refusals_by(policy, o, later)}

    before = admitted()
    document = json.loads(payload("requesty"))
    for row in document["data"]:
        row |= {"data_retention": False, "data_retention_days": 0, "data_used_for_training": False}
    said(known, "requesty", json.dumps(document).encode(), NOON + timedelta(days=2))
    assert admitted() <= before
