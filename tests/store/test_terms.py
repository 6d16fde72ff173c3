"""Evidence on record: what feeds stop saying, what people ended, and what an upgrade brings."""

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from planner.store import tables as t
from planner.store import terms
from planner.store.engine import Store
from tests import make
from tests.make import NOON

SOURCE = "openrouter_all_providers"
LATER = NOON + timedelta(hours=1)


def on_record(store: Store) -> dict[str, bool]:
    """Return the ids of the rows on record, and whether each is still said."""
    query = sa.select(t.terms.c.id, t.terms.c.unsaid_at).where(t.terms.c.recorded_to.is_(None)).order_by(t.terms.c.id)
    with store.read() as connection:
        return {row.id: row.unsaid_at is None for row in connection.execute(query)}


def test_what_narrowed_stands_until_a_person_looks(store: Store) -> None:
    """A feed that flips its flags, or leaves a provider out, lets nobody in; said again, it is said."""
    strict = make.terms("acme", id="f:1", source=SOURCE, curated=False, trains_on_prompts=True)
    best = replace(strict, id="f:2", trains_on_prompts=False)
    other = replace(best, id="f:3", subject="bolt")
    with store.write() as connection:
        terms.hear(connection, [strict], NOON)
        assert terms.hear(connection, [strict], NOON) == 0
        terms.hear(connection, [best, other], LATER)
    assert on_record(store) == {"f:1": False, "f:2": True, "f:3": True}
    with store.write() as connection:
        terms.hear(connection, [strict, other], LATER)
    assert on_record(store) == {"f:1": True, "f:3": True}


def test_a_stricter_word_takes_the_place_of_an_older_one(store: Store) -> None:
    """Kept for 60 days says more than kept for 30: the older row is closed."""
    month = make.terms("acme", id="f:1", source=SOURCE, curated=False, retains_prompts=True, retention_days=30)
    with store.write() as connection:
        terms.hear(connection, [month], NOON)
        terms.hear(connection, [replace(month, id="f:2", retention_days=60)], LATER)
    assert on_record(store) == {"f:2": True}


def test_what_a_person_ended_does_not_come_back(store: Store) -> None:
    """Neither from its feed nor with an upgrade; words that ended by themselves do, under an id of their own."""
    feed = make.terms("acme", id="f:1", source=SOURCE, curated=False)
    seed = make.terms("acme", id="s:1")
    with store.write() as connection:
        terms.hear(connection, [feed], NOON)
        terms.plant(connection, [seed], NOON)
        terms.close(connection, ["f:1", "s:1"], LATER, by="person:ada")
        terms.hear(connection, [feed], LATER)
        terms.plant(connection, [seed], LATER)
    assert on_record(store) == {}
    with store.write() as connection:
        word = replace(feed, id="f:2", subject="bolt")
        for said in ([word], [feed], [word]):
            terms.hear(connection, said, LATER)
    assert on_record(store) == {"f:2#2": True}


def test_a_newer_edition_takes_the_place_of_the_older(store: Store) -> None:
    """Of the rows that came with planner; what a person entered about the same is left alone."""
    with store.write() as connection:
        terms.plant(connection, [make.terms("acme", id="s:1"), make.terms("bolt", id="s:2")], NOON)
        terms.insert(connection, [make.terms("acme", id="mine")], NOON, by="person:ada")
        assert terms.plant(connection, [make.terms("acme", id="s:3"), make.terms("bolt", id="s:2")], LATER) == 1
    assert on_record(store) == {"mine": True, "s:2": True, "s:3": True}


@pytest.mark.parametrize("at", [None, NOON])
def test_rows_are_read_as_they_were_written(store: Store, at: object) -> None:
    """Every fact comes back, sets and moments too."""
    row = make.terms(
        "acme", datacenter_countries=frozenset({"FI", "DE"}), certifications=frozenset(), zdr=False, e2ee=True,
        retains_prompts=True, retention_days=0, verified_by="ada", verified_at=NOON, expires_at=LATER, note="n",
        serving_region="eu",
    )  # fmt: skip
    with store.write() as connection:
        terms.insert(connection, [row], NOON)
        assert terms.load(connection, None if at is None else NOON) == {("provider", "acme"): (row,)}
        assert row.contradictory


def test_what_no_feed_says_any_more_is_named(store: Store) -> None:
    """As long as it is on record: what a person ended is nobody's word any more."""
    strict = make.terms("acme", id="f:1", source=SOURCE, curated=False, trains_on_prompts=True)
    other = make.terms("other", id="f:2", source=SOURCE, curated=False)
    with store.write() as connection:
        terms.hear(connection, [strict, other], NOON)
        assert terms.unsaid(connection) == frozenset()
        terms.hear(connection, [other], LATER)
        assert terms.unsaid(connection) == {"f:1"}
        terms.close(connection, ["f:1"], LATER, by="me")
        assert terms.unsaid(connection) == frozenset()


@pytest.mark.parametrize(
    ("kind", "subject"), [("provider", "stranger"), ("channel", "direct"), ("offer", "direct:stranger/m")]
)
def test_the_offers_of_a_subject_are_counted(store: Store, kind: str, subject: str) -> None:
    """Those that are listed, by whoever sees their prompts."""
    make.stranger(store)
    with store.write() as connection:
        assert terms.count_offers(connection, kind, subject) == 1
        assert terms.count_offers(connection, kind, "nobody") == 0
        connection.execute(t.offers.update().values(gone_at=LATER))
        assert terms.count_offers(connection, kind, subject) == 0
