"""What changed: prices that began or ended, and, on record, what was planned and taken back."""

import json
from dataclasses import replace
from datetime import datetime, timedelta

from planner.core.claim import Reading, Segment
from planner.core.doubt import Bounds
from planner.core.price import PriceCard
from planner.core.units import Unit
from planner.flows import history
from planner.flows.correct import correct_price
from planner.flows.refresh import refresh_from_file
from planner.sources import ADAPTERS
from planner.store.engine import Store
from planner.store.publish import publish
from tests.flows.test_hold import DAY, NOON, OFFER, ready
from tests.flows.test_hostile import claim
from tests.flows.test_refresh import SOURCE
from tests.make import rates

__all__ = ["ready"]


def test_what_ended_is_a_change_too(ready: Store) -> None:
    """A model that is listed no more, and listed again later: begun, ended and begun, also a page of one at a time."""
    adapter = ADAPTERS[SOURCE]

    def send(listed: range, at: datetime) -> None:
        models = {f"m{n}": {"cost": {"input": 4, "output": 8}} for n in listed}
        body = json.dumps({"acme": {"day": at.isoformat(), "models": models}}).encode()
        refresh_from_file(ready, SOURCE, adapter, {"https://feed.test": body}, at, actor="test")

    for day, listed in enumerate((range(30), range(1, 30), range(30))):
        send(listed, NOON + day * DAY)

    def told(*, by_record: bool) -> list[tuple[str, datetime, bool, bool]]:
        found: list[tuple[str, datetime, bool, bool]] = []
        place = None
        while page := history.price_changes(ready, NOON, by_record=by_record, known_at=None, before=place, limit=1):
            (change,) = page
            place = change.place
            made = change.change
            found += [
                (card.offer, made.at, made.before is None, made.after is None)
                for card in (made.after or made.before,)
                if card is not None
            ]
        return found

    for by_record in (False, True):
        everything = told(by_record=by_record)
        assert len(everything) == len(set(everything)) == 32
        assert [row[1:] for row in everything if row[0] == OFFER] == [
            (NOON + 2 * DAY, False, False),
            (NOON + DAY, False, True),
            (NOON, True, False),
        ]


def say(store: Store, at: datetime, *segments: Segment) -> None:
    """Let the source claim these stretches of one price; none withdraws it."""
    made = replace(claim(rates("1")), segments=segments)
    reading = Reading(
        source=SOURCE, source_url="https://s.test", observed_at=at, rows_read=1, claims=(made,) if segments else ()
    )
    store.tell(lambda connection: publish(connection, [reading], at=at, actor="test", reason="test"))


def recorded(store: Store, since: datetime, known_at: datetime | None = None) -> list[tuple[str, int, str, str]]:
    """Return what was recorded since a moment: kind, on which day it was to happen, input prices before and after."""
    found = history.price_changes(store, since, by_record=True, known_at=known_at, before=None, limit=100)

    def paid(card: PriceCard | None) -> str:
        return "-" if card is None else card.rates[Unit.INPUT].base.usd_per_mtok()

    return [
        (one.change.kind, (one.change.at - NOON).days, paid(one.change.before), paid(one.change.after)) for one in found
    ]


def test_a_planned_price_that_is_taken_back_is_told(ready: Store) -> None:
    """Cancelled, replaced and withdrawn before it began; what was known before it was taken back stays as it was."""
    now, later = NOON + timedelta(hours=1), NOON + 9 * DAY
    planned = Segment(NOON, later, rates("4", "8")), Segment(later, None, rates("6", "8"))
    say(ready, NOON, *planned)
    say(ready, NOON + DAY, Segment(NOON, None, rates("4", "8")))
    assert recorded(ready, now) == [("cancelled", 9, "6", "4")]
    assert recorded(ready, now, NOON + timedelta(hours=2)) == []
    say(ready, NOON + 2 * DAY, *planned)
    say(ready, NOON + 3 * DAY, planned[0], Segment(later, None, rates("7", "8")))
    assert recorded(ready, NOON + 3 * DAY) == [("replaced", 9, "6", "7")]
    say(ready, NOON + 4 * DAY)
    assert recorded(ready, NOON + 4 * DAY) == [("cancelled", 9, "7", "-"), ("ended", 4, "4", "-")]


def test_an_end_that_is_taken_back_is_told(ready: Store) -> None:
    """A price that was to end goes on; one that begins earlier than planned is not cancelled."""
    later = NOON + 9 * DAY
    say(ready, NOON, Segment(NOON, later, rates("4", "8")))
    say(ready, NOON + DAY, Segment(NOON, None, rates("4", "8")))
    assert recorded(ready, NOON + DAY) == [("prolonged", 9, "-", "4")]
    say(ready, NOON + 2 * DAY, Segment(NOON, later, rates("4", "8")), Segment(later, None, rates("6", "8")))
    say(ready, NOON + 3 * DAY, Segment(NOON, later - DAY, rates("4", "8")), Segment(later - DAY, None, rates("6", "8")))
    assert recorded(ready, NOON + 3 * DAY) == [("began", 8, "4", "6")]


def test_a_correction_to_the_price_before_is_told(ready: Store) -> None:
    """4, then 6, then 5; the 6 was 4 in truth: the record changes for its days, although no other card begins."""
    stretches = [Segment(NOON + n * DAY, NOON + (n + 5) * DAY, rates(usd)) for n, usd in ((0, "4"), (5, "6"))]
    say(ready, NOON + 20 * DAY, *stretches, Segment(NOON + 10 * DAY, None, rates("5")))
    with ready.write() as connection:
        correct_price(
            connection, "direct:acme/m", Segment(NOON + 5 * DAY, NOON + 10 * DAY, rates("4")), source_url="https://i.test",
            at=NOON + 21 * DAY, actor="ada", reason="invoice", bounds=Bounds(),
        )  # fmt: skip
    assert recorded(ready, NOON + 21 * DAY) == [("began", 5, "6", "4")]


def test_pages_of_what_was_recorded_lose_and_repeat_nothing(ready: Store) -> None:
    """One at a time, the same as all at once."""
    for day, usd in enumerate(("4", "5", "6")):
        later = NOON + 50 * DAY
        say(ready, NOON + day * DAY, Segment(None, later, rates(usd)), Segment(later, None, rates("9")))
    place, paged = None, []
    while page := history.price_changes(ready, NOON, by_record=True, known_at=None, before=place, limit=1):
        paged += page
        place = page[0].place
    whole = history.price_changes(ready, NOON, by_record=True, known_at=None, before=None, limit=100)
    assert (paged, len(paged)) == (whole, 4)
