"""What one record of a price says otherwise than another, moment by moment."""

from datetime import datetime, timedelta

from planner.core.changes import differences
from planner.core.price import PriceCard
from tests import make
from tests.make import NOON, SINCE, rates

DAY = timedelta(days=1)
LATER, LAST = NOON + DAY, NOON + 2 * DAY
CHEAP, DEAR = rates("1"), rates("2")


def told(was: list[PriceCard], now: list[PriceCard]) -> list[tuple[str, datetime, str | None, str | None]]:
    """Return kind, moment and the numbers of the cards before and after, of a record that changed at noon."""
    return [
        (
            change.kind,
            change.at,
            None if change.before is None else change.before.id,
            None if change.after is None else change.after.id,
        )
        for change in differences(was, now, NOON)
    ]


def card(number: int, *, dear: bool = False, since: datetime = SINCE, until: datetime | None = None) -> PriceCard:
    """Make a numbered card of one offer."""
    return make.card("o", DEAR if dear else CHEAP, since, until, number)


def test_the_same_record_says_nothing_new() -> None:
    """Also where one price is written on two cards."""
    assert told([card(1)], [card(1)]) == []
    assert told([card(1)], [card(1, until=NOON), card(2, since=NOON)]) == []


def test_a_price_begins_and_ends() -> None:
    """The first one, one after another, and the last."""
    assert told([], [card(1)]) == [("began", SINCE, None, "o#1")]
    assert told([card(1)], [card(1, until=NOON)]) == [("ended", NOON, "o#1", None)]
    moved = [card(1, until=NOON), card(2, dear=True, since=NOON)]
    assert told([card(1)], moved) == [("began", NOON, "o#1", "o#2")]


def test_what_was_planned_and_is_taken_back_is_told() -> None:
    """Cancelled before it began, replaced by another plan, or, where an end was planned, prolonged."""
    planned = [card(1, until=LATER), card(2, dear=True, since=LATER)]
    assert told(planned, [card(1)]) == [("cancelled", LATER, "o#2", "o#1")]
    other = [card(1, until=LATER), make.card("o", rates("3"), LATER, None, 3)]
    assert told(planned, other) == [("replaced", LATER, "o#2", "o#3")]
    assert told([card(1, until=LATER)], [card(1)]) == [("prolonged", LATER, None, "o#1")]


def test_each_change_is_told_once_in_time_order() -> None:
    """A price that differs from one moment on is one change, however many cards hold afterwards."""
    was = [card(1)]
    now = [card(1, until=NOON), card(2, dear=True, since=NOON, until=LATER), card(3, since=LATER)]
    assert told(was, now) == [("began", NOON, "o#1", "o#2")]
    twice = [card(1, until=NOON), card(2, dear=True, since=NOON, until=LATER)]
    assert [kind for kind, *_rest in told(was, twice)] == ["began", "ended"]
