"""A price moves, a feed fails, a process dies: what is published is whole, and only what is believed."""

import gzip
import itertools
import json
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from planner.core.snapshot import compile_catalogue
from planner.flows import status
from planner.flows.answer import Question, ask_of
from planner.flows.bundle import read_bundle
from planner.flows.refresh import RefreshSummary, Sources, refresh, refresh_from_file
from planner.flows.setup import install
from planner.places import seeds_dir
from planner.sources import ADAPTERS
from planner.sources.models_dev import ModelsDev
from planner.sources.openrouter import MODELS_PATH, PROVIDERS_PATH
from planner.store import tables as t
from planner.store.ages import BELIEVED_FOR
from planner.store.engine import Store
from planner.store.load import load_catalogue
from planner.store.recall import catalogue_digest
from tests.data import shared
from tests.loopback import Feed, listing

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SOURCE = "models_dev"


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
    assert (summary.revision, summary.alerts) == (2, 60)
    with ready.read() as connection:
        catalogue = load_catalogue(connection)
        cards = catalogue.cards["direct:acme/m0"]
        assert [(card.valid_from, card.valid_to) for card in cards] == [
            (NOON, later),
            (later, later + BELIEVED_FOR),
        ]
        alert = connection.execute(sa.select(t.alerts).limit(1)).one()
    assert alert.kind == "price_rise"
    assert [move["after_usd_per_mtok"] for move in json.loads(alert.facts)["moves"]] == ["2", "4"]


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


def test_a_mistake_in_one_adapter_does_not_stop_the_others(ready: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its source is refused with a reason; the other one is published."""
    broken = ModelsDev()
    monkeypatch.setattr(broken, "parse", lambda *_: next(iter(())))
    feed = Feed()
    feed.body = listing()
    with ready.write() as connection:
        connection.execute(
            sa.insert(t.sources).values(name="other", title="t", url="u", licence="l", rank=2, interval_minutes=60)
        )
    with feed.serving() as url:
        sources: Sources = {"other": (broken, url), SOURCE: (ADAPTERS[SOURCE], url)}
        summary = refresh(ready, sources, NOON, told)
    assert [(line.outcome, line.error_code) for line in summary.sources] == [
        ("refused", "unforeseen"),
        ("published", None),
    ]


def test_refreshing_openrouter_keeps_what_is_compliant(installed_copy: Store) -> None:
    """After its models, endpoints and providers were read live, the demo question has as many eligible offers."""
    question = Question(plan="pro", task="chat")

    def eligible() -> int:
        with installed_copy.read() as connection:
            catalogue = load_catalogue(connection)
        ask = ask_of(catalogue, question, "no-training", NOON)
        return compile_catalogue(catalogue).recommend(ask).eligible

    before = eligible()
    base = "https://openrouter.ai"
    providers = gzip.decompress(shared("openrouter", "or_2026-07-28_providers.json.gz").read_bytes())
    capture = gzip.decompress(shared("openrouter", "or_endpoints_allmodels_2026-07-22.json.gz").read_bytes())
    bodies = {f"{base}{MODELS_PATH}": capture, f"{base}{PROVIDERS_PATH}": providers}
    summary = refresh_from_file(installed_copy, "openrouter", ADAPTERS["openrouter"], bodies, NOON, actor="test")
    assert summary.revision == 3
    assert eligible() == before > 500


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
