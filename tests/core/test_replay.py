"""A row in every state of a scenario: by the ledger's own arithmetic, at the prices, counts and terms of that state."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest

from planner.core.agreement import Contract, Fee
from planner.core.decompose import states
from planner.core.event import Event, Outcome
from planner.core.money import pico_text
from planner.core.price import Band, RateTable, UnitPrice, When
from planner.core.replay import Kind, Replay, Shape
from planner.core.scenario import (
    NOTHING_ELSE,
    Caching,
    ChannelFee,
    Discount,
    Heads,
    Intensity,
    Repricing,
    Scenario,
    Swap,
    Where,
)
from planner.core.tally import Lane
from planner.core.units import Unit
from planner.core.usage import Parts
from tests import make
from tests.make import MTOK, NOON, SINCE, rates
from tests.replay_books import BANDED, DAY, NEW, OLD, Books, books, kind, row


def costs(scenario: Scenario, event: Event, on: Books | None = None) -> list[str | None]:
    """Return what a row costs in every state one after the other, USD, each by the quick way and by the whole one."""
    known = on or books()
    replay = Replay(scenario, known, {}, states(len(scenario.changed), "sequential"))
    lane = Lane(replay.ways(kind(event, known.offerings[OLD]), event.at, event.until))
    parts = Parts.of(event.counts)
    whole = lane.bounds(event, parts)
    if event.until is None and event.cache_stated:
        quick = lane.costs(parts, event.at)
        assert quick == whole
        lane.add(quick)
    else:
        lane.add(whole)
    tally = lane.tally()
    if None not in whole.lows:
        return [pico_text(value) for value in tally.values]
    places = [whole.lows[place] for place in lane._states]
    return [None if low is None else pico_text(low) for low in places]


def test_nothing_else_is_what_is_booked() -> None:
    """20,000 in, 12,000 of them read and 4,000 written, 800 and 1,200 out cost $0.06285: maths.md 2.2."""
    event = row(input_tokens=20_000, cache_read_tokens=12_000, cache_write_5m_tokens=3_000, cache_write_1h_tokens=1_000,
                output_tokens=2_000, reasoning_tokens=1_200)  # fmt: skip
    assert costs(NOTHING_ELSE, event) == ["0.06285"]


def test_a_cache_share_does_not_change_the_length_of_a_prompt() -> None:
    """However much of it is read from a cache, 200,001 tokens are above the band's edge and 200,000 are not."""
    half = Scenario(caches=(Caching(hit_share=Fraction(1, 2)),))
    assert costs(half, row(input_tokens=200_000)) == ["0.6", "0.33"]
    assert costs(half, row(input_tokens=200_002)) == ["1.200012", "0.6600066"]


def test_a_token_factor_does() -> None:
    """A tenth more text lifts a prompt of 190,000 tokens over the edge, and all of it costs twice as much."""
    more = Scenario(intensities=(Intensity(input_factor=Fraction(11, 10)),))
    assert costs(more, row(input_tokens=181_818, output_tokens=1_000)) == ["0.560454", "0.615"]
    assert costs(more, row(input_tokens=190_000)) == ["0.57", "1.254"]


def test_text_is_rounded_up_and_what_is_read_from_a_cache_down() -> None:
    """Whole tokens are billed: rounding never makes a request cheaper. Pictures stay what they are."""
    shape = Shape(Intensity(input_factor=Fraction(1, 2), output_factor=Fraction(1, 3)))
    told = {"input_tokens": 108, "cache_read_tokens": 3, "input_image_tokens": 100, "output_tokens": 4}
    found = shape.counted(Parts.of(told))
    assert found.input_tokens == 104
    assert dict(found.parts) == {
        Unit.INPUT: 3, Unit.CACHE_READ: 1, Unit.INPUT_IMAGE: 100, Unit.OUTPUT: 2, Unit.REQUEST: 1,
    }  # fmt: skip


def test_reasoning_is_so_many_times_the_visible_output() -> None:
    """3.4 times 500 are 1,700 tokens in all; what was counted as reasoning is not counted on top."""
    scenario = Scenario(intensities=(Intensity(reasoning_multiplier=Fraction("3.4")),))
    assert costs(scenario, row(output_tokens=500)) == ["0.0075", "0.0255"]
    assert costs(scenario, row(output_tokens=900, reasoning_tokens=400)) == ["0.0135", "0.0255"]


@pytest.mark.parametrize(("for_an_hour", "usd"), [(False, "0.001875"), (True, "0.00255")])
def test_a_share_written_to_a_cache_is_billed_as_such(for_an_hour: bool, usd: str) -> None:
    """For five minutes or an hour, in place of what was written: 500 read, 300 written and 200 plain."""
    caching = Caching(hit_share=Fraction(1, 2), write_share=Fraction(3, 10), for_an_hour=for_an_hour)
    event = row(input_tokens=1_000, cache_write_5m_tokens=500)
    assert costs(Scenario(caches=(caching,)), event) == ["0.003375", usd]


def test_an_offer_that_cannot_cache_reads_nothing_from_one() -> None:
    """Neither what is supposed nor, when it takes over, what was read elsewhere; its writes are plain input."""
    event = row(input_tokens=1_000, cache_read_tokens=600, cache_write_5m_tokens=100)
    on = books(new=rates("1", "2", cache_read="0.10"), facts={"caches": False})
    swap = Swap(to=NEW)
    assert costs(Scenario(swaps=(swap,)), event, on)[-1] == "0.001"
    assert costs(Scenario(swaps=(swap,), caches=(Caching(hit_share=Fraction(1, 2)),)), event, on)[-1] == "0.001"
    on = books(new=rates("1", "2", cache_read="0.10"))
    assert costs(Scenario(swaps=(swap,)), event, on)[-1] == "0.00046"
    share = Caching(hit_share=Fraction(1, 2), write_share=Fraction(1, 2))
    assert costs(Scenario(swaps=(swap,), caches=(share,)), event, on)[-1] == "0.00055"


def test_prompts_too_short_for_a_cache_stay_as_they_were_counted() -> None:
    """From its shortest prompt on an offer caches."""
    on = books(new=rates("1", "2", cache_read="0.10"), facts={"cacheable_tokens_min": 1_024})
    scenario = Scenario(swaps=(Swap(to=NEW),), caches=(Caching(hit_share=Fraction(1, 2)),))
    assert costs(scenario, row(input_tokens=1_023), on)[-1] == "0.001023"
    assert costs(scenario, row(input_tokens=1_024), on)[-1] == "0.0005632"
    written = row(input_tokens=1_000, cache_write_5m_tokens=400)
    assert costs(scenario, written, on)[-1] == "0.001"


def test_changes_come_in_their_order() -> None:
    """Twice as often; the other offer; a tenth more text; half from a cache; twice the price; a discount; a fee."""
    scenario = Scenario(
        volume=Fraction(2), swaps=(Swap(to=NEW),), intensities=(Intensity(input_factor=Fraction(11, 10)),),
        caches=(Caching(hit_share=Fraction(1, 2)),), prices=(Repricing(percent=Decimal(100)),),
        discounts=(Discount(share=Fraction(1, 4)),), fees=(ChannelFee(channel="broker", share=Fraction(1, 10)),),
    )  # fmt: skip
    on = books(new=rates("1", "2", cache_read="0.50"))
    assert costs(scenario, row(input_tokens=1_000_000), on) == [
        "6", "12", "2", "2.2", "1.65", "3.3", "2.475", "2.7225",
    ]  # fmt: skip


def test_rules_about_rows_look_at_what_was_and_those_about_offers_at_what_serves() -> None:
    """A discount at the new offer holds for rows it takes over, and one at the old one no more."""
    for model, paid in (("bolt/large", "0.5"), ("acme/small", "1")):
        scenario = Scenario(
            swaps=(Swap(where=Where(model="acme/small"), to=NEW),),
            discounts=(Discount(where=Where(model=model), share=Fraction(1, 2)),),
        )
        assert costs(scenario, row(input_tokens=1_000_000))[-1] == paid
    other = Scenario(swaps=(Swap(where=Where(plan="pro"), to=NEW),))
    assert costs(other, row(input_tokens=1_000, plan="free")) == ["0.003", "0.003"]
    assert costs(other, row(input_tokens=1_000, plan="pro")) == ["0.003", "0.001"]


def test_rows_take_the_counts_of_the_offer_that_serves_them_and_of_no_other() -> None:
    """Of one plan they go to the first rule's offer as they were counted, though the second rule's counts otherwise."""
    twice, thrice = Intensity(input_factor=Fraction(2)), Intensity(input_factor=Fraction(3))
    swaps = Swap(where=Where(plan="pro"), to=NEW), Swap(to=NEW, intensity=twice)
    assert costs(Scenario(swaps=swaps), row(input_tokens=1_000, plan="pro")) == ["0.003", "0.001", "0.001"]
    assert costs(Scenario(swaps=swaps), row(input_tokens=1_000, plan="free")) == ["0.003", "0.001", "0.002"]
    both = Scenario(swaps=swaps, intensities=(thrice,))
    assert costs(both, row(input_tokens=1_000, plan="pro"))[-1] == "0.003"
    assert costs(both, row(input_tokens=1_000, plan="free"))[-1] == "0.002"


def test_price_changes_add_up_where_they_hold() -> None:
    """Twice as much, and half of that more for its output; what is said of another provider changes nothing."""
    changes = (
        Repricing(percent=Decimal(100)), Repricing(where=Where(provider="bolt"), percent=Decimal(900)),
        Repricing(where=Where(offer=OLD), percent=Decimal(50), units=frozenset({Unit.OUTPUT})),
    )  # fmt: skip
    assert costs(Scenario(prices=changes), row(input_tokens=1_000, output_tokens=1_000)) == ["0.018", "0.051"]


def contract(percent: str) -> Contract:
    """Make a discount at the broker's provider."""
    return Contract(
        id=1, name="c", channel="broker", provider="bolt", model=None, discount_percent=Fraction(percent),
        valid_from=SINCE, valid_to=None, reference="r",
    )  # fmt: skip


def test_what_is_agreed_holds_until_something_else_is_supposed() -> None:
    """A contract and a broker's fee come with its offer; a discount and a fee that are supposed take their place."""
    fee = Fee(channel="broker", percent=Fraction(10), basis="markup", valid_from=SINCE, valid_to=None, source="s",
              source_url="u")  # fmt: skip
    on = books(contracts=[contract("20")], fees=[fee])
    swapped = Scenario(swaps=(Swap(to=NEW),))
    assert costs(swapped, row(input_tokens=1_000_000), on) == ["6", "0.88"]
    dearer = replace(swapped, discounts=(Discount(share=Fraction(0)),))
    assert costs(dearer, row(input_tokens=1_000_000), on)[-1] == "1.1"
    listed = ChannelFee(channel="broker", share=Fraction(1, 10), of_list=True)
    assert costs(replace(swapped, fees=(listed,)), row(input_tokens=1_000_000), on)[-1] == "0.9"
    elsewhere = ChannelFee(channel="direct", share=Fraction(1, 10))
    assert costs(replace(swapped, fees=(elsewhere,)), row(input_tokens=1_000_000), on)[-1] == "0.88"


def test_the_price_list_of_another_moment() -> None:
    """Its cards hold for every row, bands by the clock of the row itself."""
    on = books()
    night = UnitPrice(make.rate("3"), (Band(When(utc_start=0, utc_end=360), make.rate("1")),))
    later = make.card(OLD, RateTable({Unit.INPUT: night}), NOON + DAY, number=2)
    on.found[OLD] = [make.card(OLD, rates("5", "5"), SINCE, NOON + DAY), later]
    then = Scenario(prices_at=NOON + 2 * DAY)
    assert costs(then, row(NOON, input_tokens=1_000), on) == ["0.005", "0.003"]
    assert costs(then, row(NOON.replace(hour=3), input_tokens=1_000), on) == ["0.005", "0.001"]
    month = row(NOON - DAY, until=NOON, input_tokens=1_000)
    assert costs(then, month, on) == ["0.005", "0.001"]


def test_without_a_price_a_row_costs_nobody_knows_what() -> None:
    """Before the offer had one, and where a unit has none: never $0."""
    scenario = Scenario(swaps=(Swap(to=NEW),))
    on = books()
    on.found[NEW] = [make.card(NEW, rates("1", "2"), NOON + DAY)]
    assert costs(scenario, row(input_tokens=1_000), on) == ["0.003", None]
    assert costs(scenario, row(input_tokens=1_000, web_searches=1), books(new=rates("1", web_search="9"))) == [
        None, "0.001009",
    ]  # fmt: skip
    assert costs(scenario, row(input_tokens=1_000, service_tier="batch")) == [None, None]
    stranger = Kind(Heads(), None, "standard", None)
    (way,) = Replay(Scenario(), on, {}, [0]).ways(stranger, NOON)
    assert way.exact_pico(Parts.of({"input_tokens": 1}), NOON) is None
    assert Replay(Scenario(), on, {}, [0]).edges(stranger) == ()


def test_a_known_zero_stays_one() -> None:
    """What a gateway answered from its own cache, and what failed without using anything."""
    scenario = Scenario(swaps=(Swap(to=NEW),), volume=Fraction(3))
    for outcome, counts in ((Outcome.GATEWAY_CACHE, {"input_tokens": 1_000}), (Outcome.FAILED, {"input_tokens": 0})):
        replay = Replay(scenario, books(), {}, [0, 1, 3])
        event = row(outcome=outcome, **counts)
        lane = Lane(replay.ways(kind(event, books().offerings[OLD]), event.at))
        assert lane.bounds(event, Parts.of(event.counts)).lows == (0,) * len(lane._ways)


def test_a_day_of_requests_has_bounds_and_they_grow_with_the_text() -> None:
    """Prompts of 100,000 to 190,000 tokens are below the edge; a tenth more text may lift some of them over it."""
    month = row(NOON - DAY, until=NOON, input_tokens=MTOK, prompt_min=100_000, prompt_max=190_000)
    scenario = Scenario(intensities=(Intensity(input_factor=Fraction(11, 10)),))
    replay = Replay(scenario, books(), {}, [0, 1])
    lane = Lane(replay.ways(kind(month, books().offerings[OLD]), month.at, month.until))
    found = lane.bounds(month, Parts.of(month.counts))
    assert (found.lows, found.highs) == ((3_000_000_000_000, 3_300_000_000_000), (3_000_000_000_000, 6_600_000_000_000))
    bare = replace(month, prompt_min=None, prompt_max=None)
    assert lane.bounds(bare, Parts.of(bare.counts)).highs == (6_000_000_000_000, 6_600_000_000_000)


def test_a_cache_that_is_supposed_is_stated() -> None:
    """A stream that cannot tell has bounds; once half is supposed to be read from a cache there is one figure."""
    event = row(input_tokens=1_000, cache_stated=False)
    replay = Replay(Scenario(caches=(Caching(hit_share=Fraction(1, 2)),)), books(), {}, [0, 1])
    lane = Lane(replay.ways(kind(event, books().offerings[OLD]), event.at))
    found = lane.bounds(event, Parts.of(event.counts))
    assert found.highs != found.lows
    assert found.lows[1] == found.highs[1] == 1_650_000_000
    lane.add(found)
    tally = lane.tally()
    assert (tally.before.low, tally.before.high, tally.after.low, tally.after.high) == (
        300_000_000, 3_750_000_000, 1_650_000_000, 1_650_000_000,
    )  # fmt: skip


def test_another_offer_runs_where_it_runs() -> None:
    """A row's own region is that of who served it; a new offer without one takes the row's."""
    regional = RateTable({Unit.INPUT: UnitPrice(make.rate("1"), (Band(When(region="eu"), make.rate("2")),))})
    scenario = Scenario(swaps=(Swap(to=NEW),))
    event = row(input_tokens=1_000_000, region="eu")
    assert costs(scenario, event, books(new=regional))[-1] == "2"
    assert costs(scenario, event, books(new=regional, facts={"region": "us"}))[-1] == "1"


def test_a_number_of_subscribers_is_a_volume_of_its_plan() -> None:
    """Times the volume that is supposed for all."""
    replay = Replay(Scenario(volume=Fraction(1, 3)), books(), {"pro": Fraction(2)}, [0, 1])
    event = row(input_tokens=100, plan="pro")
    ways = replay.ways(kind(event, books().offerings[OLD]), NOON)
    assert [way.exact_pico(Parts.of(event.counts), NOON) for way in ways] == [300_000_000, 200_000_000]
    lane = Lane(ways)
    lane.add(lane.costs(Parts.of({"input_tokens": 100, "output_tokens": 9}), NOON))
    assert (lane.tally().before.input_tokens, lane.tally().after.input_tokens) == (100, 67)
    assert (lane.tally().before.output_tokens, lane.tally().after.output_tokens) == (9, 6)


def test_everything_dated_is_an_edge() -> None:
    """Cards of both offers, contracts and fees; between two of them a row is priced alike whenever it was."""
    on = books(contracts=[replace(contract("5"), valid_from=NOON, valid_to=NOON + DAY)])
    on.found[OLD] = [make.card(OLD, BANDED, SINCE, NOON - DAY), make.card(OLD, BANDED, NOON - DAY)]
    replay = Replay(Scenario(swaps=(Swap(to=NEW),)), on, {}, [0])
    assert replay.edges(kind(row(), on.offerings[OLD])) == (SINCE, NOON - DAY, NOON, NOON + DAY)


@pytest.mark.parametrize("tier", ["standard", "batch"])
def test_a_tier_is_priced_by_its_own_bands(tier: str) -> None:
    """Half price by the batch, and the same by the quick way as by the whole one."""
    table = RateTable({
        unit: UnitPrice(price.base, (Band(When(service_tier="batch"), make.rate("0.5")),))
        for unit, price in rates("1", "1").items()
    })  # fmt: skip
    found = costs(Scenario(swaps=(Swap(to=NEW),)), row(input_tokens=1_000_000, service_tier=tier), books(table, table))
    assert found == [{"standard": "1", "batch": "0.5"}[tier]] * 2
