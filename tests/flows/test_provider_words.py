"""A feed's word for a provider that nobody settled is seen, counted, settled by a person, and used from then on."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from planner.core.errors import InvalidInput
from planner.flows import alias
from planner.flows.refresh import refresh
from planner.flows.seeds import curated_rows
from planner.places import seeds_dir
from planner.sources import ADAPTERS
from planner.store import provider_words
from planner.store.engine import Store
from planner.store.load import load_catalogue
from planner.store.registry import write_curated
from tests.databases import furnished
from tests.loopback import Feed, listing

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
FEED = "models_dev"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A database with the registry and no prices."""
    opened = furnished(f"sqlite:///{tmp_path / 'planner.sqlite3'}", NOON)
    yield opened
    opened.close()


def settle(store: Store, rows: list[provider_words.Settled], new: list[tuple[str, str]]) -> int:
    """Settle words as an admin."""
    return store.tell(
        lambda connection: provider_words.settle(connection, rows, new, at=NOON, actor="ada", reason="their page")
    )


def test_a_settled_word_is_used_although_the_feed_did_not_change(store: Store) -> None:
    """Ten offers wait on ``acme``; settled, the same bytes are read anew, and the offers are the provider's own."""
    feed = Feed()
    many, few = (json.loads(listing(count=count))["acme"] for count in (60, 10))
    feed.body, feed.etag = json.dumps({"openai": many, "acme": few}).encode(), '"v1"'
    with feed.serving() as url:
        sources = {FEED: (ADAPTERS[FEED], url)}
        refresh(store, sources, NOON, lambda *_: None)
        (word,) = alias.pending_providers(store)
        assert (word.feed, word.word, word.offers) == (FEED, "acme", 10)
        assert settle(store, [(FEED, "acme", "acme-inc")], [("acme-inc", "Acme")]) == 1
        assert settle(store, [(FEED, "acme", "acme-inc")], [("acme-inc", "Acme")]) == 0
        assert refresh(store, sources, NOON + HOUR, lambda *_: None).sources[0].outcome == "published"
    assert alias.pending_providers(store) == []
    with store.read() as connection:
        offers = load_catalogue(connection).offers_by_id
    assert ("direct:acme-inc/m0" in offers, "direct:acme/m0" in offers) == (True, False)


def test_an_upgrade_leaves_settled_words_alone(store: Store) -> None:
    """What a person said a word means stays, whatever comes with planner later."""
    settle(store, [(FEED, "acme", "openai")], [])
    rows = curated_rows(seeds_dir())["provider_spellings"]
    later = {"feed": FEED, "spelling": "acme", "provider_id": "mistral", "channel_id": "direct"}
    with store.write() as connection:
        write_curated(connection, {"provider_spellings": [*rows, later]})
    with pytest.raises(InvalidInput):
        settle(store, [(FEED, "acme", "mistral")], [])
    with store.read() as connection:
        assert "openai" in load_catalogue(connection).providers


@pytest.mark.parametrize(
    ("row", "new"),
    [
        (("nobody", "acme", "openai"), []),
        ((FEED, "a b", "openai"), []),
        ((FEED, "acme", "nobody"), []),
        ((FEED, "acme", "openai"), [("a b", "x")]),
        ((FEED, "acme", "openai"), [("fine", "right\u202eleft")]),
    ],
)
def test_what_cannot_be_is_refused(store: Store, row: provider_words.Settled, new: list[tuple[str, str]]) -> None:
    """An unknown feed or provider, an impossible word, or a name that writes backwards: nothing is settled."""
    with pytest.raises(InvalidInput):
        settle(store, [row], new)
    assert settle(store, [(FEED, "other", "openai")], []) == 1
