"""What waits, waits alone; a person, or the source itself, ends it; meanwhile the old price stands with its old age."""

import itertools
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa

from planner.core.claim import Segment
from planner.core.doubt import Bounds
from planner.core.errors import Conflict, NotFound
from planner.core.price import PriceCard
from planner.core.units import Unit
from planner.flows import hold, status
from planner.flows.correct import correct_price
from planner.flows.refresh import RefreshSummary, refresh_from_file
from planner.sources import ADAPTERS
from planner.store import audit, holds
from planner.store import tables as t
from planner.store.engine import Store
from planner.store.load import load_catalogue
from planner.store.status import due
from tests.flows.test_refresh import SOURCE
from tests.make import rates

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)
OFFER = "direct:acme/m0"
OTHER = "other"
_numbers = itertools.count()


@pytest.fixture
def ready(store: Store) -> Store:
    """A database that knows two sources, one more trusted than the other."""
    with store.write() as connection:
        for rank, name in enumerate((SOURCE, OTHER), 1):
            connection.execute(
                sa.insert(t.sources).values(name=name, title="t", url="u", licence="l", rank=rank, interval_minutes=60)
            )
    return store


def say(store: Store, at: datetime, price: str = "4", source: str = SOURCE, **others: str) -> RefreshSummary:
    """Let a source list 30 models at 4 dollars, of which the first costs something else."""
    cost = {name: Decimal(usd) for name, usd in {"input": "4", "output": "8"}.items()}
    models = {f"m{n}": {"cost": dict(cost)} for n in range(30)}
    models["m0"]["cost"] = {"input": Decimal(price), "output": Decimal(8), **{k: Decimal(v) for k, v in others.items()}}
    document = {"acme": {"models": models}, "turn": {"models": {}, "number": next(_numbers)}}
    body = json.dumps(document, default=float).encode()
    adapter = ADAPTERS[SOURCE]
    if source != SOURCE:
        adapter = type(adapter)()
        adapter.name = source
    return refresh_from_file(store, source, adapter, {f"https://{source}.test": body}, at, actor="test")


def cards(store: Store) -> tuple[PriceCard, ...]:
    """Return what is believed of the first model."""
    with store.read() as connection:
        return load_catalogue(connection).cards.get(OFFER, ())


def price(store: Store, at: datetime) -> str | None:
    """Return the input price in force at a moment, USD per million."""
    return next((card.rates[Unit.INPUT].base.usd_per_mtok() for card in cards(store) if card.in_force(at)), None)


def decide(store: Store, id_: int, verb: str, at: datetime) -> None:
    """Decide about a hold."""
    store.tell(
        lambda connection: hold.decide(connection, id_, verb, at=at, actor="ada", reason="looked", bounds=Bounds())
    )


def test_a_fall_waits_alone_and_the_old_price_keeps_its_age(ready: Store) -> None:
    """29 others are published; the card in force still rests on what was observed on the first day."""
    say(ready, NOON)
    summary = say(ready, NOON + DAY, "1")
    assert (summary.held, summary.repriced, summary.sources[0].held) == ((OFFER,), (), 1)
    (card,) = cards(ready)
    assert (price(ready, NOON + 2 * DAY), card.evidence.observed_at) == ("4", NOON)
    (waiting,) = hold.queue(ready, state="waiting")
    assert (waiting["offer_id"], waiting["reasons"][0]["code"], waiting["diff"][0]["after_usd_per_mtok"]) == (
        OFFER, "fall", "1",
    )  # fmt: skip
    assert status.sources(ready)[0].holds == 1


def test_an_approved_price_holds_from_the_day_it_was_first_heard(ready: Store) -> None:
    """Seen on day one and two, approved on day three: it was true since day one, and known since day three."""
    say(ready, NOON)
    say(ready, NOON + DAY, "1")
    say(ready, NOON + 2 * DAY, "1")
    (waiting,) = hold.queue(ready, state="waiting")
    decide(ready, waiting["id"], hold.APPROVE, NOON + 3 * DAY)
    assert [price(ready, NOON + days * DAY) for days in (0, 1, 3)] == ["4", "1", "1"]
    with ready.read() as connection:
        before = load_catalogue(connection, NOON + 2 * DAY).card(OFFER, NOON + 2 * DAY)
        assert audit.happened(connection, "hold.approve", f"hold {waiting['id']}")
        assert audit.verify(connection) is None
    assert before is not None
    assert before.evidence.observed_at == NOON
    assert say(ready, NOON + 4 * DAY, "1").held == ()


def test_a_rejected_price_is_not_asked_about_again(ready: Store) -> None:
    """The same price stays out in silence; another doubtful one is asked about; a sound one is published."""
    say(ready, NOON)
    say(ready, NOON + DAY, "1")
    decide(ready, hold.queue(ready, state="waiting")[0]["id"], hold.REJECT, NOON + DAY + DAY / 2)
    assert hold.queue(ready)[0]["last_seen_at"] == NOON + DAY
    assert say(ready, NOON + 2 * DAY, "1").held == ()
    assert (price(ready, NOON + 2 * DAY), cards(ready)[0].evidence.observed_at) == ("4", NOON)
    assert say(ready, NOON + 3 * DAY, "0.9").held == (OFFER,)
    assert say(ready, NOON + 4 * DAY, "3").held == ()
    assert (price(ready, NOON + 4 * DAY), hold.queue(ready, state="waiting")) == ("3", [])


def test_a_hold_ends_when_the_source_says_something_else(ready: Store) -> None:
    """Back to the old price: nothing waits any more, and the queue says why."""
    say(ready, NOON)
    say(ready, NOON + DAY, "1")
    say(ready, NOON + 2 * DAY)
    (ended,) = hold.queue(ready)
    assert (ended["state"], ended["decision"]) == ("released", "the source says something else now")
    assert say(ready, NOON + 3 * DAY, "1").held == (OFFER,)


def test_a_second_source_confirms_a_fall(ready: Store) -> None:
    """The less trusted source says the same: the price is published without a person."""
    say(ready, NOON)
    say(ready, NOON, "1", source=OTHER)
    assert say(ready, NOON + DAY, "1").held == ()
    assert price(ready, NOON + DAY) == "1"


def test_the_trusted_source_going_silent_does_not_let_a_cheap_one_in(ready: Store) -> None:
    """The other source's quarter of the price waits when it would be believed; the record stands."""
    say(ready, NOON, "4")
    say(ready, NOON, "1", source=OTHER)
    document = {"acme": {"models": {f"m{n}": {"cost": {"input": 4, "output": 8}} for n in range(1, 30)}}}
    adapter = ADAPTERS[SOURCE]
    body = json.dumps(document).encode()
    summary = refresh_from_file(ready, SOURCE, adapter, {"https://feed.test": body}, NOON + DAY, actor="test")
    assert summary.held == (OFFER,)
    assert price(ready, NOON + DAY) == "4"


def test_a_new_offer_that_is_doubtful_is_known_and_unpriced(ready: Store) -> None:
    """Nothing is believed of it until a person says so; the next source is believed if it is sound."""
    assert say(ready, NOON, "90000").held == (OFFER,)
    assert cards(ready) == ()
    say(ready, NOON + DAY, "5", source=OTHER)
    assert price(ready, NOON + DAY) == "5"


def test_two_people_cannot_both_decide(ready: Store) -> None:
    """The second hears that it was decided; a hold that is not there is not found."""
    say(ready, NOON)
    say(ready, NOON + DAY, "1")
    (waiting,) = hold.queue(ready, state="waiting")
    decide(ready, waiting["id"], hold.REJECT, NOON + DAY)
    with pytest.raises(Conflict):
        decide(ready, waiting["id"], hold.APPROVE, NOON + DAY)
    with pytest.raises(NotFound):
        decide(ready, 4_711, hold.APPROVE, NOON)
    with pytest.raises(NotFound):
        hold.one(ready, 4_711)


def test_a_rejection_may_be_thought_over(ready: Store) -> None:
    """Reopened, a rejected price waits again and can be approved; what the source does not say any more cannot."""
    say(ready, NOON)
    say(ready, NOON + DAY, "1")
    (waiting,) = hold.queue(ready, state="waiting")
    with pytest.raises(Conflict):
        decide(ready, waiting["id"], hold.REOPEN, NOON + DAY)
    decide(ready, waiting["id"], hold.REJECT, NOON + DAY)
    decide(ready, waiting["id"], hold.REOPEN, NOON + 2 * DAY)
    decide(ready, waiting["id"], hold.APPROVE, NOON + 2 * DAY)
    assert price(ready, NOON + 3 * DAY) == "1"
    say(ready, NOON + 3 * DAY, "0.2")
    (other,) = hold.queue(ready, state="waiting")
    decide(ready, other["id"], hold.REJECT, NOON + 3 * DAY)
    say(ready, NOON + 4 * DAY, "1")
    with pytest.raises(Conflict):
        decide(ready, other["id"], hold.REOPEN, NOON + 4 * DAY)
    with pytest.raises(NotFound):
        decide(ready, 4_711, hold.REOPEN, NOON)


def test_a_list_that_shrinks_day_by_day_waits(ready: Store) -> None:
    """A quarter less each day: the second quarter is held against the largest list of weeks, not against yesterday."""
    outcomes = [everything(ready, 10, NOON + n * DAY, count).sources[0] for n, count in enumerate((80, 60, 45))]
    assert [line.error_code for line in outcomes] == [None, None, "shrunk"]
    assert everything(ready, 10, NOON + 40 * DAY, 50).sources[0].error_code is None


def test_a_list_that_waits_is_over_when_it_is_itself_again(ready: Store) -> None:
    """The good bytes again end its hold, also unread; a rejected list that comes again is not announced again."""
    everything(ready, 10, NOON)
    everything(ready, 10, NOON + DAY, 10)
    (waiting,) = hold.queue(ready, state="waiting")
    decide(ready, waiting["id"], hold.REJECT, NOON + DAY)
    everything(ready, 10, NOON + 2 * DAY, 10)
    assert hold.queue(ready, state="waiting") == []
    everything(ready, 10, NOON + 3 * DAY, 2)
    assert len(hold.queue(ready, state="waiting")) == 1
    everything(ready, 10, NOON + 4 * DAY)
    assert hold.queue(ready, state="waiting") == []


def everything(store: Store, usd: int, at: datetime, count: int = 60) -> RefreshSummary:
    """Let the source list so many models at one price."""
    models = {f"m{n}": {"cost": {"input": usd, "output": usd}} for n in range(count)}
    document = {"acme": {"models": models}, "turn": {"models": {}, "number": next(_numbers)}}
    body = json.dumps(document).encode()
    return refresh_from_file(store, SOURCE, ADAPTERS[SOURCE], {"https://feed.test": body}, at, actor="test")


def test_a_whole_feed_waits_and_an_approval_lets_one_reading_through(ready: Store) -> None:
    """Every price fivefold is refused, until the source rests; approved, it is asked at once and published once."""
    everything(ready, 10, NOON)
    for _ in range(3):
        assert everything(ready, 50, NOON + DAY).sources[0].error_code == "scaled"
    (waiting,) = hold.queue(ready, state="waiting")
    assert (waiting["offer_id"], waiting["source"]) == (None, SOURCE)
    with ready.read() as connection:
        assert due(connection, [SOURCE], NOON + DAY) == []
    decide(ready, waiting["id"], hold.APPROVE, NOON + DAY)
    with ready.read() as connection:
        assert holds.feed_passes(connection, SOURCE, NOON + 3 * DAY) == {}
        assert due(connection, [SOURCE], NOON + DAY) == [SOURCE]
    assert everything(ready, 50, NOON + DAY).sources[0].outcome == "published"
    assert price(ready, NOON + DAY) == "50"
    assert everything(ready, 250, NOON + DAY).sources[0].error_code == "scaled"


def test_yesterdays_bytes_are_not_news(ready: Store) -> None:
    """A file that was replaced by a newer one comes back: refused as a rollback; the newest one again is no news."""
    adapter = ADAPTERS[SOURCE]
    one, two = (
        json.dumps({"acme": {"models": {f"m{n}": {"cost": {"input": usd, "output": 9}} for n in range(30)}}}).encode()
        for usd in (4, 5)
    )

    def send(body: bytes, at: datetime) -> str | None:
        done = refresh_from_file(ready, SOURCE, adapter, {"https://feed.test": body}, at, actor="test")
        return done.sources[0].error_code

    assert [send(body, NOON + n * DAY) for n, body in enumerate((one, two, two, one))] == [None, None, None, "rollback"]
    assert price(ready, NOON + 4 * DAY) == "5"


def send(store: Store, body: bytes, at: datetime) -> str | None:
    """Let the source answer these bytes, and return why it was refused."""
    return (
        refresh_from_file(store, SOURCE, ADAPTERS[SOURCE], {"https://feed.test": body}, at, actor="test")
        .sources[0]
        .error_code
    )


def priced(usd: str, count: int = 30) -> bytes:
    """Return a list of so many models at one price."""
    models = {f"m{n}": {"cost": {"input": float(usd), "output": float(usd)}} for n in range(count)}
    return json.dumps({"acme": {"models": models}}).encode()


def test_a_list_let_in_by_mistake_does_no_harm_and_goes_by_itself(ready: Store) -> None:
    """A thousandth of every price, let through: each price waits, and the right list, which comes again, ends that."""
    right, wrong = priced("8"), priced("0.008")
    send(ready, right, NOON)
    assert send(ready, wrong, NOON + DAY) == "scaled"
    decide(ready, hold.queue(ready, state="waiting")[0]["id"], hold.APPROVE, NOON + DAY)
    assert send(ready, wrong, NOON + DAY) is None
    assert (price(ready, NOON + DAY), len(hold.queue(ready, state="waiting"))) == ("8", 30)
    assert send(ready, right, NOON + 2 * DAY) is None
    assert (price(ready, NOON + 3 * DAY), hold.queue(ready, state="waiting")) == ("8", [])


def test_a_price_is_not_approved_while_a_newer_list_that_waits_says_another(ready: Store) -> None:
    """The person decides about the list first; rejected, or when the source is itself again, the price is free."""
    send(ready, priced("7"), NOON)
    say(ready, NOON + DAY, "1")
    (one,) = [row["id"] for row in hold.queue(ready, state="waiting")]
    for again in range(2):
        assert everything(ready, 10, NOON + (2 + again) * DAY, count=10).sources[0].error_code == "shrunk"
        (contested, feed) = hold.queue(ready, state="waiting")
        assert (contested["id"], contested["contested_by"]) == (one, feed["id"])
        with pytest.raises(Conflict, match=f"decide hold {feed['id']} first"):
            decide(ready, one, hold.APPROVE, NOON + 2 * DAY)
        say(ready, NOON + (2 + again) * DAY, "1")
        assert [row["contested_by"] for row in hold.queue(ready, state="waiting")] == [None]
    everything(ready, 10, NOON + 5 * DAY, count=10)
    decide(ready, hold.queue(ready, state="waiting")[1]["id"], hold.REJECT, NOON + 5 * DAY)
    decide(ready, one, hold.APPROVE, NOON + 5 * DAY)
    assert price(ready, NOON + 6 * DAY) == "1"


def test_a_worse_list_is_another_hold(ready: Store) -> None:
    """What was shown as a third is no approval of a tenth: the first hold ends, and another one is announced."""
    everything(ready, 10, NOON)
    for count in (20, 19, 6):
        everything(ready, 10, NOON + DAY, count=count)
    assert [(row["state"], row["reasons"][0]["figure"]) for row in hold.queue(ready)] == [
        ("released", "20"), ("waiting", "6"),
    ]  # fmt: skip


def test_a_correction_answers_what_was_true_and_keeps_what_was_believed(ready: Store) -> None:
    """Two days of October cost 7, found out in November: known since then; no feed undoes it."""
    first = datetime(2026, 10, 1, tzinfo=UTC)
    say(ready, first)
    begins, ends = first + 5 * DAY, first + 7 * DAY
    with ready.write() as connection:
        correct_price(
            connection, OFFER, Segment(begins, ends, rates("7", "8")), source_url="https://invoice.test", at=NOON,
            actor="ada", reason="invoice", bounds=Bounds(),
        )  # fmt: skip
    moments = [first + DAY, begins, ends - timedelta(seconds=1), ends, NOON]
    assert [price(ready, moment) for moment in moments] == ["4", "7", "7", "4", "4"]
    with ready.read() as connection:
        believed = load_catalogue(connection, NOON - DAY).card(OFFER, begins)
    assert believed is not None
    assert believed.evidence.source == SOURCE
    assert next(card.evidence.source for card in cards(ready) if card.in_force(begins)) == "correction"
    say(ready, NOON + DAY, "5")
    assert [price(ready, moment) for moment in (*moments, NOON + DAY)] == ["4", "7", "7", "4", "4", "5"]
    with ready.write() as connection:
        correct_price(
            connection, OFFER, Segment(begins, begins + DAY, rates("6", "8")), source_url="https://invoice.test",
            at=NOON + DAY, actor="ada", reason="credit note", bounds=Bounds(),
        )  # fmt: skip
    assert [price(ready, moment) for moment in (begins, begins + DAY, ends)] == ["6", "7", "4"]
