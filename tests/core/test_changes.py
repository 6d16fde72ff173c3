"""What one record of a price says otherwise than another, moment by moment."""

from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from planner.core.changes import differences, differing
from planner.core.price import PriceCard, RateTable
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


def test_cards_that_are_only_cut_anew_differ_nowhere() -> None:
    """Cut, joined, renamed, or none at all."""
    cut = [card(1, until=NOON), card(2, since=NOON)]
    assert differing([card(1)], cut) == differing(cut, [card(3)]) == differing([], []) == []


def test_a_price_differs_from_when_to_when() -> None:
    """A later price until further notice, an end, a beginning, and a stretch of the past that was corrected."""
    assert differing([card(1)], [card(1, until=NOON), card(2, dear=True, since=NOON)]) == [(NOON, None)]
    assert differing([card(1)], [card(1, until=NOON)]) == [(NOON, None)]
    assert differing([], [card(1, until=NOON)]) == [(SINCE, NOON)]
    corrected = [card(1, until=NOON), card(2, dear=True, since=NOON, until=LATER), card(3, since=LATER)]
    assert differing([card(1)], corrected) == [(NOON, LATER)]
    assert differing(corrected, [card(1)]) == [(NOON, LATER)]


def test_neighbouring_differences_are_one() -> None:
    """Two other prices one after the other are one stretch; with a day in between that is as it was, two."""
    twice = [card(1, until=NOON), make.card("o", rates("3"), NOON, LATER, 2), card(3, dear=True, since=LATER)]
    assert differing([card(1)], twice) == [(NOON, None)]
    apart = [
        card(1, until=NOON), card(2, dear=True, since=NOON, until=LATER), card(3, since=LATER, until=LAST),
        card(4, dear=True, since=LAST),
    ]  # fmt: skip
    assert differing([card(1)], apart) == [(NOON, LATER), (LAST, None)]


RECORDS = st.lists(st.sampled_from([None, CHEAP, DEAR, rates("3")]), min_size=1, max_size=6)


def laid(tables: list[RateTable | None], hours: int) -> list[PriceCard]:
    """Lay tables one after the other, each so many hours long and the last without an end."""
    cards = []
    for number, table in enumerate(tables):
        begins, last = NOON + number * timedelta(hours=hours), number == len(tables) - 1
        if table is not None:
            cards.append(make.card("o", table, begins, None if last else begins + timedelta(hours=hours), number))
    return cards


@given(was=RECORDS, now=RECORDS, hours=st.tuples(st.integers(1, 4), st.integers(1, 4)), asked=st.integers(-3, 30))
def test_a_moment_lies_in_a_difference_if_its_price_is_another(
    was: list[RateTable | None], now: list[RateTable | None], hours: tuple[int, int], asked: int
) -> None:
    """At every moment, before and after all edges too; stretches are in order and do not touch."""
    before, after = laid(was, hours[0]), laid(now, hours[1])
    at = NOON + timedelta(hours=asked, minutes=30)

    def priced(cards: list[PriceCard]) -> RateTable | None:
        return next((one.rates for one in cards if one.in_force(at)), None)

    found = differing(before, after)
    inside = any(since <= at and (until is None or at < until) for since, until in found)
    assert inside == (priced(before) != priced(after))
    assert all(one[1] is not None and one[1] < other[0] for one, other in pairwise(found))
