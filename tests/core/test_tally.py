"""Rows added up in every state: terms that are the difference, and rows that no change can be told of."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from planner.core.decompose import states
from planner.core.event import Event
from planner.core.price import RateTable
from planner.core.rating import rate
from planner.core.replay import Replay, Shape
from planner.core.scenario import Caching, ChannelFee, Dimension, Discount, Intensity, Repricing, Scenario, Swap
from planner.core.tally import INSEPARABLE, UNPRICED, Lane
from planner.core.units import Unit
from planner.core.usage import Parts
from tests import make
from tests.make import NOON, rates
from tests.replay_books import BANDED, DAY, NEW, OLD, books, kind, row


def test_rows_without_a_price_somewhere_are_told_apart() -> None:
    """One that lost its price is no saving, and one without a price in between cannot be told apart."""
    on = books()
    on.found[NEW] = [make.card(NEW, rates("1", None), NOON + DAY)]
    scenario = Scenario(swaps=(Swap(to=NEW),), prices_at=NOON + 2 * DAY)
    replay = Replay(scenario, on, {}, [0, 1, 3])
    lane = Lane(replay.ways(kind(row(), on.offerings[OLD]), NOON))
    for counts in ({"input_tokens": 1_000}, {"input_tokens": 1_000, "output_tokens": 1_000}, {"web_searches": 1}):
        lane.add(lane.costs(Parts.of(counts), NOON))
    tally = lane.tally()
    assert tally.terms(scenario.changed, "sequential") == {
        Dimension.MIX: 0, Dimension.PRICE: 0, INSEPARABLE: 1_000_000_000 - 3_000_000_000, UNPRICED: -18_000_000_000,
    }  # fmt: skip
    assert (tally.before.unpriced_rows, tally.after.unpriced_rows, tally.after.unpriced_tokens) == (1, 2, 2_000)
    assert tally.after.low - tally.before.low == sum(tally.terms(scenario.changed, "sequential").values())
    assert tally.before.statement().coverage == 1
    assert tally.after.statement().coverage == Fraction(1, 3)


def test_a_row_that_gains_a_price_costs_more() -> None:
    """It was unpriced, and is counted with what it costs after."""
    lane = Lane(Replay(Scenario(swaps=(Swap(to=NEW),)), books(new=rates("1", web_search="9")), {}, [0, 1]).ways(
        kind(row(), books().offerings[OLD]), NOON))  # fmt: skip
    lane.add(lane.costs(Parts.of({"web_searches": 1}), NOON))
    assert lane.tally().terms([Dimension.MIX], "sequential") == {Dimension.MIX: 0, UNPRICED: 9_000_000}


# --- any row, any scenario --------------------------------------------------------------------------------------------

SHARES = st.fractions(0, 1, max_denominator=40)
SCENARIOS = st.builds(
    Scenario,
    volume=st.none() | st.fractions(0, 5, max_denominator=12),
    swaps=st.sampled_from([(), (Swap(to=NEW),)]),
    intensities=st.just(()) | st.tuples(st.builds(
        Intensity, input_factor=st.fractions(Fraction(1, 30), 3, max_denominator=30),
        output_factor=st.fractions(Fraction(1, 30), 3, max_denominator=30),
        reasoning_multiplier=st.none() | st.fractions(1, 4, max_denominator=10),
    )),
    caches=st.just(()) | st.tuples(st.builds(
        lambda hit, write, long: Caching(hit_share=hit, write_share=min(write, 1 - hit), for_an_hour=long),
        SHARES, SHARES, st.booleans(),
    )),
    prices=st.just(()) | st.tuples(st.builds(Repricing, percent=st.decimals(-100, 300, places=2))),
    discounts=st.just(()) | st.tuples(st.builds(Discount, share=SHARES)),
    fees=st.just(()) | st.tuples(st.builds(ChannelFee, channel=st.just("broker"), share=SHARES, of_list=st.booleans())),
)  # fmt: skip
ROWS = st.builds(
    lambda prompt, read, write, answer, hidden: row(
        input_tokens=prompt, cache_read_tokens=prompt * read // 100, cache_write_tokens=prompt * write // 100,
        output_tokens=answer, reasoning_tokens=answer * hidden // 100,
    ),
    st.integers(0, 500_000), st.integers(0, 50), st.integers(0, 50), st.integers(0, 20_000), st.integers(0, 100),
)  # fmt: skip


@given(ROWS, SCENARIOS, st.sampled_from([BANDED, rates("0.000000123456789", "0.7", cache_write_5m="1")]))
def test_terms_are_the_difference_of_both_ends(event: Event, scenario: Scenario, new: RateTable) -> None:
    """Of any row and scenario, and each state costs the same whichever of both ways it is priced."""
    known = books(new=new)
    changed = scenario.changed
    for method in ("sequential", "shapley") if len(changed) <= 4 else ("sequential",):
        looked_at = states(len(changed), method)
        lane = Lane(Replay(scenario, known, {}, looked_at).ways(kind(event, known.offerings[OLD]), event.at))
        parts = Parts.of(event.counts)
        quick = lane.costs(parts, event.at)
        if any(count for unit, count in parts.parts if unit is not Unit.REQUEST):
            assert quick == lane.bounds(event, parts)
        lane.add(quick)
        tally = lane.tally()
        assert sum(tally.terms(changed, method).values()) == tally.after.low - tally.before.low
        booked = rate(event, known.found[OLD], Fraction(1), includes_cached=True, region=None)
        assert tally.before.low == booked.low_pico


@given(ROWS, st.fractions(Fraction(1, 30), 3, max_denominator=30), st.fractions(0, 1, max_denominator=30))
def test_counts_that_are_supposed_are_still_a_request(event: Event, factor: Fraction, share: Fraction) -> None:
    """No part is below nothing, the parts of the prompt are the prompt, and text is what it was times the factor."""
    shape = Shape(Intensity(input_factor=factor, output_factor=factor), Caching(hit_share=share))
    parts = Parts.of(event.counts)
    found = shape.counted(parts)
    counts = dict(found.parts)
    text = sum(count for unit, count in counts.items() if unit in (Unit.INPUT, Unit.CACHE_READ))
    assert min(counts.values()) > 0
    assert text == found.input_tokens
    assert 0 <= found.input_tokens - factor * parts.input_tokens < 1


def test_a_row_with_a_price_in_between_alone_is_no_difference() -> None:
    """The new offer had a price then, and has none in the list that is supposed; the old one never had."""
    on = books(old=rates("1", None))
    on.found[NEW] = [make.card(NEW, rates("1", "2"), NOON - DAY, NOON + DAY)]
    replay = Replay(Scenario(swaps=(Swap(to=NEW),), prices_at=NOON + 2 * DAY), on, {}, [0, 1, 3])
    lane = Lane(replay.ways(kind(row(), on.offerings[OLD]), NOON))
    lane.add(lane.costs(Parts.of({"output_tokens": 5}), NOON))
    tally = lane.tally()
    assert tally.terms([Dimension.MIX, Dimension.PRICE], "sequential") == {Dimension.MIX: 0, Dimension.PRICE: 0}
    assert (tally.before.unpriced_rows, tally.after.unpriced_tokens) == (1, 5)


def test_more_requests_take_as_many_more_tokens() -> None:
    """Of short requests together, and not of each alone, where half a token more would always be one or none."""
    replay = Replay(Scenario(volume=Fraction(101, 100)), books(), {}, [0, 1])
    lane = Lane(replay.ways(kind(row(), books().offerings[OLD]), NOON))
    parts = Parts.of({"input_tokens": 40, "output_tokens": 10})
    coarse = row(until=NOON + DAY, input_tokens=40, output_tokens=10)
    for _ in range(50):
        lane.add(lane.costs(parts, NOON))
        lane.add(lane.bounds(coarse, parts))
        lane.add(lane.costs(Parts.of({"input_tokens": 40, "web_searches": 1}), NOON))
    before, after = lane.tally().before, lane.tally().after
    assert (before.input_tokens, before.output_tokens, before.unpriced_tokens) == (4_000, 1_000, 2_000)
    assert (after.input_tokens, after.output_tokens, after.unpriced_tokens) == (4_040, 1_010, 2_020)
