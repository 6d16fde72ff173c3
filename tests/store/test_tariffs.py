"""Who served a row and at what price: exact ids, spellings somebody settled, and cards over the whole of its time."""

from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
import sqlalchemy as sa

from planner.core.claim import Segment
from planner.core.event import Event
from planner.store import tables as t
from planner.store.engine import Store
from planner.store.tariffs import Served, Tariffs
from tests.ledger_books import DAY, HOUR, NOON, OFFER, SEPTEMBER, SINCE, claim, event, know, listed
from tests.make import rates


@pytest.fixture
def books(store: Store) -> Store:
    """Offers of one model under several names, and of another one in two regions without a plain one."""
    know(store)
    named = ("small", "small-2026-09", "small:free", "small@eu", "large@eu", "large@us", "fast")
    claims = [claim(f"direct:acme/{name}", rates()) for name in named]
    claims[2] = replace(claims[2], facts=replace(claims[2].facts, model_spelling="small", variant="free"))
    claims[6] = replace(claims[6], facts=replace(claims[6].facts, service_tier="flex"))
    listed(store, *claims, claim("openrouter:acme/acme/small", rates()))
    with store.write() as connection:
        rows = [{"id": id_, "name": id_, "author": "acme", "kind": "chat"} for id_ in ("acme/small", "acme/old")]
        connection.execute(sa.insert(t.models), rows)
        spelled = {("acme", "small"): "acme/small", ("acme", "tiny"): "acme/small", ("acme", "gone"): "acme/old"}
        connection.execute(
            sa.insert(t.aliases),
            [{"namespace": n, "spelling": s, "model_id": m, "basis": "test"} for (n, s), m in spelled.items()],
        )
        connection.execute(
            sa.insert(t.provider_spellings).values(
                feed="log", spelling="ACME Inc", provider_id="acme", channel_id="direct"
            )
        )
    return store


def served(store: Store, feed: str = "", **facts: Any) -> Served:
    """Return who served a row."""
    row = Event(source="s", id="1", at=SEPTEMBER, counts={}, **facts)
    with store.read() as connection:
        tariffs = Tariffs(connection)
        found = tariffs.served(row, feed)
        assert tariffs.served(row, feed) == found
    return found


def test_an_exact_id_is_that_offer(books: Store) -> None:
    """With what it is: a model by its canonical name where somebody settled it, else as it is spelled."""
    assert served(books, offer=OFFER) == Served(OFFER, "acme", "acme/small")
    assert served(books, offer="direct:acme/large@eu") == Served("direct:acme/large@eu", "acme", "large", "eu")
    broker = served(books, offer="openrouter:acme/acme/small")
    assert (broker.model, broker.channel, broker.party) == ("acme/small", "openrouter", "openrouter")
    assert served(books, offer="direct:acme/Small") == Served(None, "", "", why_not="unknown_offer")


def test_names_mean_the_offer_they_spell(books: Store) -> None:
    """The plain one before its variants, a region's own before the plain one, and another spelling of the model."""
    names = {"provider": "acme", "model": "small"}
    assert served(books, **names).offer == OFFER
    assert served(books, **names, region="eu").offer == "direct:acme/small@eu"
    assert served(books, **names, region="us").offer == OFFER
    assert served(books, provider="acme", model="tiny") == Served(OFFER, "acme", "acme/small")
    assert served(books, channel="openrouter", provider="acme", model="acme/small").party == "openrouter"


def test_who_is_named_first_by_model_and_then_by_id_is_the_same(books: Store) -> None:
    """Prices that were asked for meanwhile hide nobody."""
    with books.read() as connection:
        tariffs = Tariffs(connection)
        names: dict[str, Any] = {"source": "s", "id": "1", "at": SEPTEMBER, "counts": {}}
        by_name = tariffs.served(Event(**names, provider="acme", model="small"))
        listed_at = tariffs.cards(OFFER, SEPTEMBER, None)
        tariffs.expect([OFFER, "direct:acme/large@eu"])
        assert tariffs.served(Event(**names, offer=OFFER)) == by_name
        assert tariffs.cards(OFFER, SEPTEMBER, None) == listed_at != ()


def test_names_that_may_mean_several_mean_none(books: Store) -> None:
    """Two regions and nobody said which; nor is a tier of its own guessed. What is known is told all the same."""
    large = served(books, provider="acme", model="large", region="mars")
    assert large == Served(None, "acme", "large", why_not="unknown_offer")
    assert served(books, provider="acme", model="large", region="eu").offer == "direct:acme/large@eu"
    assert served(books, provider="acme", model="fast").why_not == "unknown_offer"
    assert served(books, provider="acme", model="gone") == Served(None, "acme", "acme/old", why_not="unknown_offer")
    listed(books, claim("direct:acme/small-2", rates()), claim("direct:acme/small-3", rates()), at=NOON)
    with books.write() as connection:
        connection.execute(
            sa.insert(t.aliases),
            [
                {"namespace": "acme", "spelling": f"small-{n}", "model_id": "acme/old", "basis": "test"}
                for n in (2, 3)
            ],
        )  # fmt: skip
    assert served(books, provider="acme", model="gone").why_not == "several_offers"


def test_what_is_not_named_is_not_guessed(books: Store) -> None:
    """No model, no provider, a provider under another name or in another feed's spelling."""
    assert served(books, provider="acme").why_not == "no_model"
    assert served(books).why_not == "no_model"
    assert served(books, model="small") == Served(None, "", "small", why_not="no_provider")
    for feed, offer in (("log", OFFER), ("", None), ("other", None)):
        assert served(books, feed, provider="ACME Inc", model="small").offer == offer


def test_cards_cover_a_span_whole_or_not_at_all(books: Store) -> None:
    """A day over two prices has both; one with an hour of no price in it, or before the first, has none."""
    noon, night = SEPTEMBER + 12 * HOUR, SEPTEMBER + DAY
    listed(
        books,
        claim(
            OFFER, Segment(SINCE, noon, rates("1")), Segment(noon, night, rates("2")),
            Segment(night + HOUR, None, rates("3")),
        ),
        at=SEPTEMBER - DAY,
    )  # fmt: skip

    def paid(since: timedelta, until: timedelta | None) -> list[str]:
        row = event("1", SEPTEMBER + since)
        with books.read() as connection:
            found = Tariffs(connection).cards(OFFER, row.at, None if until is None else SEPTEMBER + until)
        return [str(next(iter(card.rates.values())).base.usd) for card in found]

    assert [paid(hours * HOUR, None) for hours in (0, 12, 24, 25)] == [["1"], ["2"], [], ["3"]]
    assert paid(0 * HOUR, DAY) == ["1", "2"]
    assert paid(0 * HOUR, 12 * HOUR) == ["1"]
    assert paid(12 * HOUR, 13 * HOUR) == ["2"]
    assert paid(25 * HOUR, 30 * DAY) == ["3"]
    for since, until in ((20, 26), (23, 25), (24, 26), (24, 25)):
        assert paid(since * HOUR, until * HOUR) == []
    assert paid(SINCE - SEPTEMBER - HOUR, SINCE - SEPTEMBER + HOUR) == []


def test_without_agreements_list_price_is_paid(books: Store) -> None:
    """For whatever was served, by whom nobody knows too."""
    with books.read() as connection:
        tariffs = Tariffs(connection)
        for who in (Served(OFFER, "acme", "acme/small"), Served(None, "", "", why_not="no_model")):
            assert tariffs.factor(who, SEPTEMBER) == Fraction(1)
