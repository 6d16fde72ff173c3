"""A hostile or careless source, over days: what it may not reach by patience, by other names, or by mistakes."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from planner.core.claim import Claim, Reading, Segment
from planner.core.doubt import Bounds
from planner.core.offer import OfferFacts
from planner.core.price import Band, Rate, RateTable, UnitPrice, When
from planner.core.units import Unit
from planner.flows import hold
from planner.flows.correct import correct_price
from planner.store import alerts
from planner.store import tables as t
from planner.store.cards import of_offer
from planner.store.engine import Store, open_store
from planner.store.migrate import upgrade
from planner.store.publish import publish
from planner.store.record import Published
from tests.make import rates

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OFFER = "direct:acme/m"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A database that knows two sources, ``a`` more trusted than ``b``, and one model."""
    url = f"sqlite:///{tmp_path / 'planner.sqlite3'}"
    upgrade(url)
    opened = open_store(url)
    with opened.write() as connection:
        for rank, name in enumerate(("a", "b"), 1):
            connection.execute(
                sa.insert(t.sources).values(name=name, title="t", url="u", licence="l", rank=rank, interval_minutes=60)
            )
        connection.execute(
            sa.insert(t.models).values(id="acme/m", name="m", author="acme", kind="chat", open_weights=True)
        )
        connection.execute(sa.insert(t.providers).values(id="acme", name="acme", kind="provider", creator_of="[]"))
        for spelling in ("m", "m-new", "m-newer"):
            connection.execute(
                sa.insert(t.aliases).values(namespace="acme", spelling=spelling, model_id="acme/m", basis="test")
            )
    yield opened
    opened.close()


def claim(table: RateTable | None, spelling: str = "m", **dates: datetime) -> Claim:
    """Claim a price of one model of one provider."""
    segments = () if table is None else (Segment(dates.get("begins"), dates.get("ends"), table),)
    facts = OfferFacts(model_spelling=spelling, provider="acme", channel="direct")
    unpriced = None if segments else "missing_price"
    return Claim(offer_id=f"direct:acme/{spelling}", facts=facts, segments=segments, unpriced=unpriced)


def say(store: Store, source: str, at: datetime, *claims: Claim) -> Published:
    """Let a source claim this and nothing else."""
    reading = Reading(
        source=source, source_url=f"https://{source}.test", observed_at=at, rows_read=len(claims), claims=claims
    )
    return store.tell(lambda connection: publish(connection, [reading], at=at, actor="test", reason="test"))


def price(store: Store, at: datetime, offer: str = OFFER) -> str | None:
    """Return the input price in force at a moment, USD per million."""
    with store.read() as connection:
        cards = [card for card, _recorded in of_offer(connection, offer, None)]
    return next((card.rates[Unit.INPUT].base.usd_per_mtok() for card in cards if card.in_force(at)), None)


def decide(store: Store, verb: str, at: datetime) -> None:
    """Decide about the one hold that waits."""
    (waiting,) = hold.queue(store, state="waiting")
    store.tell(
        lambda connection: hold.decide(
            connection, waiting["id"], verb, at=at, actor="ada", reason="looked", bounds=Bounds()
        )
    )


def codes(store: Store) -> list[str]:
    """Return the reasons of everything that waits."""
    return [reason["code"] for row in hold.queue(store, state="waiting") for reason in row["reasons"]]


def test_nobody_repeats_a_rejected_price_into_the_catalogue(store: Store) -> None:
    """A second source that copies it lets it be asked about once more, and never publishes it."""
    say(store, "a", NOON, claim(rates("4", "8")))
    say(store, "a", NOON + HOUR, claim(rates("1", "8")))
    decide(store, hold.REJECT, NOON + HOUR)
    say(store, "b", NOON + 2 * HOUR, claim(rates("1", "8")))
    assert (price(store, NOON + 3 * HOUR), codes(store)) == ("4", ["rejected_before"])
    decide(store, hold.REJECT, NOON + 3 * HOUR)
    say(store, "b", NOON + 4 * HOUR, claim(rates("1", "9")))
    assert (price(store, NOON + 5 * HOUR), codes(store)) == ("4", [])


def test_an_approval_is_of_one_time(store: Store) -> None:
    """A quarter of the price was right once; after it rose again, the same fall is asked about again."""
    say(store, "a", NOON, claim(rates("4", "8")))
    say(store, "a", NOON + HOUR, claim(rates("1", "8")))
    decide(store, hold.APPROVE, NOON + HOUR)
    assert price(store, NOON + 2 * HOUR) == "1"
    say(store, "a", NOON + 2 * HOUR, claim(rates("9", "8")))
    say(store, "a", NOON + 90 * DAY, claim(rates("1", "8")))
    assert (price(store, NOON + 91 * DAY), codes(store)) == ("9", ["fall"])


def test_the_past_is_not_rewritten_cheaper(store: Store) -> None:
    """A price that claims to have held for years is held against what was believed of these years."""
    say(store, "a", NOON, claim(rates("4", "8")))
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    say(store, "a", NOON + DAY, claim(rates("0.1", "0.2"), begins=long_ago))
    assert (price(store, NOON + 2 * DAY), codes(store)) == ("4", ["fall", "fall"])


def test_patience_does_not_pay(store: Store) -> None:
    """Halved every hour, the second half waits; an approval begins a new count."""
    for hour, usd in enumerate(("8", "4", "2")):
        say(store, "a", NOON + hour * HOUR, claim(rates(usd, "8")))
    assert (price(store, NOON + DAY), codes(store)) == ("4", ["fall"])
    decide(store, hold.APPROVE, NOON + 3 * HOUR)
    say(store, "a", NOON + 4 * HOUR, claim(rates("1", "8")))
    assert (price(store, NOON + DAY), codes(store)) == ("1", [])
    say(store, "a", NOON + 40 * DAY, claim(rates("0.5", "8")))
    assert codes(store) == []


def test_another_name_is_not_another_past(store: Store) -> None:
    """The same model under a new name at a third of the price waits, and so does the next name."""
    say(store, "a", NOON, claim(rates("6", "8")))
    say(store, "a", NOON + HOUR, claim(rates("6", "8")), claim(rates("2", "8"), "m-new"))
    assert codes(store) == ["below_sibling"]
    say(store, "a", NOON + 2 * HOUR, claim(rates("4", "8"), "m-newer"))
    assert price(store, NOON + DAY, "direct:acme/m-newer") == "4"


def test_who_is_on_record_may_still_rise(store: Store) -> None:
    """A trusted source's fall waits; the rises of the source whose price is believed go on being published."""
    say(store, "b", NOON, claim(rates("4", "8")))
    say(store, "a", NOON + HOUR, claim(rates("1", "8")))
    say(store, "b", NOON + 2 * HOUR, claim(rates("6", "8")))
    assert (price(store, NOON + DAY), codes(store)) == ("6", ["fall"])
    decide(store, hold.REJECT, NOON + 3 * HOUR)
    done = say(store, "b", NOON + 4 * HOUR, claim(rates("7", "8")))
    assert (price(store, NOON + DAY), done.repriced) == ("7", [OFFER])


def test_a_time_of_day_that_costs_nothing_waits(store: Store) -> None:
    """An offer that is free under a condition which always holds is no bargain of the year."""
    always = Band(When(utc_start=0, utc_end=0), Rate(Decimal(0)))
    table = RateTable({unit: UnitPrice(rates()[unit].base, (always,)) for unit in (Unit.INPUT, Unit.OUTPUT)})
    say(store, "a", NOON, claim(table))
    assert (price(store, NOON), set(codes(store))) == (None, {"zero_rate"})


def test_an_offer_that_loses_its_price_is_announced(store: Store) -> None:
    """It is known and unpriced from then on, and somebody is told."""
    say(store, "a", NOON, claim(rates("4", "8")))
    say(store, "a", NOON + DAY, claim(None))
    assert price(store, NOON + DAY) is None
    with store.read() as connection:
        (alert,) = alerts.listed(connection, kind="price_gone")
    assert (alert["subject"], alert["facts"]["unpriced"]) == (OFFER, "missing_price")


def correct(
    store: Store, begins: datetime, ends: datetime, table: RateTable, at: datetime, url: str = "https://invoice.test"
) -> None:
    """Enter what a stretch of the past really cost."""
    store.tell(
        lambda connection: correct_price(
            connection, OFFER, Segment(begins, ends, table), source_url=url, at=at, actor="ada", reason="invoice",
            bounds=Bounds(),
        )
    )  # fmt: skip


def test_a_correction_stands_where_nothing_else_does(store: Store) -> None:
    """The first price of an offer waits; a stretch of the past that a person knows is on record all the same."""
    say(store, "a", NOON, claim(rates("90000", "8")))
    correct(store, NOON - 5 * DAY, NOON - 2 * DAY, rates("3", "8"), NOON + DAY)
    assert [price(store, NOON - days * DAY) for days in (4, 1)] == ["3", None]


def test_an_offer_is_gone_once(store: Store) -> None:
    """Correcting the past of an offer that is gone neither moves the day it went nor announces it again."""
    say(store, "a", NOON, claim(rates("4", "8")))
    say(store, "a", NOON + DAY)
    correct(store, NOON, NOON + HOUR, rates("5", "8"), NOON + 2 * DAY)
    with store.read() as connection:
        gone = connection.scalar(sa.select(t.offers.c.gone_at).where(t.offers.c.id == OFFER))
        told = alerts.listed(connection, kind="offer_gone")
    assert (gone, len(told)) == (NOON + DAY, 1)
    assert [price(store, NOON + hours * HOUR) for hours in (0, 2, 48)] == ["5", "4", None]


def test_the_record_only_goes_forwards(store: Store) -> None:
    """What began an hour ago and is published now, after somebody else was quick, is dated after him."""
    say(store, "a", NOON, claim(rates("4", "8")))
    say(store, "b", NOON + HOUR, claim(rates("4", "8")))
    done = say(store, "a", NOON + HOUR / 2, claim(rates("5", "8")))
    assert done.revision == 3
    with store.read() as connection:
        moments = list(
            connection.execute(sa.select(t.revisions.c.published_at).order_by(t.revisions.c.number)).scalars()
        )
    assert moments == [NOON, NOON + HOUR, NOON + HOUR]
    assert price(store, NOON + HOUR) == "5"


def test_an_approval_after_a_correction_still_begins_when_it_was_heard(store: Store) -> None:
    """Heard on Monday, a stretch of Tuesday corrected, approved on Friday: the new price holds from Monday on."""
    say(store, "a", NOON, claim(rates("4", "8")))
    say(store, "a", NOON + DAY, claim(rates("1", "8")))
    correct(store, NOON + 2 * DAY, NOON + 3 * DAY, rates("5", "8"), NOON + 4 * DAY)
    decide(store, hold.APPROVE, NOON + 5 * DAY)
    assert [price(store, NOON + days * DAY) for days in (0, 1, 2, 3, 6)] == ["4", "1", "5", "1", "1"]


def test_each_piece_of_a_correction_keeps_its_evidence(store: Store) -> None:
    """A month by one invoice, ten days of it by another: the days around them still rest on the first."""
    say(store, "a", NOON - 40 * DAY, claim(rates("4", "8")))
    correct(store, NOON - 30 * DAY, NOON - 10 * DAY, rates("5", "8"), NOON, "https://invoice-1.test")
    correct(store, NOON - 25 * DAY, NOON - 15 * DAY, rates("6", "8"), NOON + DAY, "https://invoice-2.test")
    with store.read() as connection:
        cards = [card for card, _recorded in of_offer(connection, OFFER, None)]
    assert [(card.rates[Unit.INPUT].base.usd_per_mtok(), card.evidence.source_url) for card in cards] == [
        ("4", "https://a.test"),
        ("5", "https://invoice-1.test"),
        ("6", "https://invoice-2.test"),
        ("5", "https://invoice-1.test"),
        ("4", "https://a.test"),
    ]
