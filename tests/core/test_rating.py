"""What a row of usage costs: to the last digit where its price is known, between two bounds where it is too coarse."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core.errors import ImpossibleUsage, InvalidInput
from planner.core.event import Event, Outcome
from planner.core.money import pico_text
from planner.core.price import Band, PriceCard, Rate, RateTable, UnitPrice, When
from planner.core.rating import Rated, rate, unreadable
from planner.core.units import Unit
from tests import make
from tests.make import MTOK, SINCE, rates

MONDAY = datetime(2026, 9, 7, tzinfo=UTC)
NOON = MONDAY + timedelta(hours=12)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LIST = Fraction(1)
# $3 and $15 a million, $0.30 read from the cache, $3.75 and $6 written to it: maths.md 2.2.
SONNET = rates("3", "15", cache_read="0.30", cache_write_5m="3.75", cache_write_1h="6")


def event(at: datetime = NOON, /, **facts: Any) -> Event:
    """Make a row; its counts are named beside its other facts."""
    fields = {name: facts.pop(name) for name in tuple(facts) if name in Event.__slots__}
    return Event(**{"source": "s", "id": "1", "at": at, "counts": facts, **fields})


def rated(row: Event, *cards: PriceCard, factor: Fraction = LIST, inclusive: bool = True, **more: Any) -> Rated:
    """Rate a row."""
    return rate(row, cards, factor, includes_cached=inclusive, region=more.get("region"))


def at_list(row: Event, table: RateTable = SONNET, **more: Any) -> Rated:
    """Rate a row by one card."""
    return rated(row, make.card("o", table), **more)


def usd(found: Rated) -> tuple[str, str]:
    """Return the least and the most a row cost, as texts."""
    assert found.unpriced is None
    return pico_text(found.low_pico), pico_text(found.high_pico)


def banded(*bands: tuple[When, str], input: str = "1", output: str = "2", **others: str) -> RateTable:
    """Make a table whose prompts cost something else under conditions."""
    base = dict(rates(input, output, **others))
    base[Unit.INPUT] = UnitPrice(make.rate(input), tuple(Band(when, make.rate(dollars)) for when, dollars in bands))
    return RateTable(base)


LONG = banded((When(input_tokens_gt=272_000), "2"))
LONG_FROM = banded((When(input_tokens_gte=200_000), "2"))
# DeepSeek's kind of price: dear by day, cheap by night, across midnight.
NIGHT = banded((When(utc_start=16 * 60 + 30, utc_end=30), "0.5"))


def test_the_worked_example_of_the_maths() -> None:
    """20,000 in, of which 12,000 read, 3,000 and 1,000 written; 2,000 out, of which 1,200 reasoning: $0.06285."""
    found = at_list(
        event(
            input_tokens=20_000, cache_read_tokens=12_000, cache_write_5m_tokens=3_000, cache_write_1h_tokens=1_000,
            output_tokens=2_000, reasoning_tokens=1_200,
        )
    )  # fmt: skip
    assert usd(found) == ("0.06285", "0.06285")
    assert [(one.unit.value, one.quantity, pico_text(one.low_pico)) for one in found.units] == [
        ("input_token", 4_000, "0.012"), ("cache_read_token", 12_000, "0.0036"),
        ("cache_write_5m_token", 3_000, "0.01125"), ("cache_write_1h_token", 1_000, "0.006"),
        ("output_token", 800, "0.012"), ("reasoning_token", 1_200, "0.018"), ("request", 1, "0"),
    ]  # fmt: skip
    assert (found.price_version, found.band, found.ttl_assumed) == ("o#1", "base", False)


def test_nothing_is_counted_twice() -> None:
    """Cached text priced as prompt too, and reasoning beside an answer that contains it, would make it $0.12885."""
    whole = {"input_tokens": 20_000, "cache_read_tokens": 12_000, "cache_write_5m_tokens": 3_000}
    more = {"cache_write_1h_tokens": 1_000, "output_tokens": 2_000, "reasoning_tokens": 1_200}
    trap = Fraction(20_000 * 3 + 3_200 * 15, MTOK) + Fraction("0.0036") + Fraction("0.01125") + Fraction("0.006")
    assert trap == Fraction("0.12885")
    found = at_list(event(**whole, **more))
    paid = Fraction(found.high_pico, 10**12)
    assert paid == Fraction("0.06285")
    assert round(trap / paid, 2) == Fraction("2.05")


def test_an_exclusive_prompt_costs_its_own_tokens_and_what_was_read() -> None:
    """20,000 and 12,000 read beside them cost $0.0636; read as one prompt they would be $0.0276."""
    row = event(input_tokens=20_000, cache_read_tokens=12_000)
    assert usd(at_list(row, inclusive=False)) == ("0.0636", "0.0636")
    assert usd(at_list(row)) == ("0.0276", "0.0276")


def test_a_threshold_is_exclusive_or_inclusive() -> None:
    """> 272,000 and >= 200,000 differ by one token, and the whole request is priced by the band, not what is above."""
    for table, last_cheap in ((LONG, 272_000), (LONG_FROM, 199_999)):
        cheap, dear = (at_list(event(input_tokens=last_cheap + more), table) for more in (0, 1))
        assert cheap.low_pico == last_cheap * 10**6
        assert dear.low_pico == (last_cheap + 1) * 2 * 10**6
        assert cheap.band == "base"
    assert at_list(event(input_tokens=272_001), LONG).band == "input_tokens>272000"
    assert at_list(event(input_tokens=200_000), LONG_FROM).band == "input_tokens>=200000"


def test_the_whole_prompt_decides_the_band() -> None:
    """What was read from the cache makes a prompt long too, also where it is told beside it."""
    row = event(input_tokens=100_000, cache_read_tokens=150_000)
    found = at_list(row, LONG_FROM, inclusive=False)
    assert (found.band, usd(found)[0]) == ("input_tokens>=200000", "0.5")


def test_an_aggregate_has_no_band_of_its_own() -> None:
    """300,000 tokens a day may be one long prompt or many short ones: between $0.3 and $0.6, band unknown."""
    day = event(MONDAY, until=MONDAY + DAY, input_tokens=300_000, output_tokens=1_000, requests=40)
    for table in (LONG, LONG_FROM):
        found = at_list(day, table)
        assert usd(found) == ("0.302", "0.602")
        assert (found.band, found.list_pico) == ("unknown", found.low_pico)


def test_an_aggregate_too_small_for_a_long_prompt_is_exact() -> None:
    """No prompt is longer than all of them together; one token more, and it may have been a single long one."""
    one = event(MONDAY, until=MONDAY + DAY, input_tokens=200_000, requests=40)
    assert usd(at_list(one, LONG_FROM)) == ("0.2", "0.4")
    day = event(MONDAY, until=MONDAY + DAY, input_tokens=199_999, requests=40)
    assert (usd(at_list(day, LONG_FROM)), at_list(day, LONG_FROM).band) == (("0.199999", "0.199999"), "base")
    declared = event(MONDAY, until=MONDAY + DAY, input_tokens=199_999, prompt_max=10**6, requests=40)
    assert usd(at_list(declared, LONG_FROM)) == ("0.199999", "0.199999")


def test_an_aggregate_whose_context_window_is_stated_is_exact() -> None:
    """Anthropic tells requests of up to 200,000 apart from longer ones; a window across a threshold stays bounded."""
    million = {"input_tokens": 5_000_000, "until": MONDAY + DAY, "requests": 90}
    short = at_list(event(MONDAY, **million, prompt_min=0, prompt_max=199_999), LONG_FROM)
    long = at_list(event(MONDAY, **million, prompt_min=200_000, prompt_max=1_000_000), LONG_FROM)
    across = at_list(event(MONDAY, **million, prompt_min=150_000, prompt_max=250_000), LONG_FROM)
    assert [(usd(found), found.band) for found in (short, long, across)] == [
        (("5", "5"), "base"), (("10", "10"), "input_tokens>=200000"), (("5", "10"), "unknown"),
    ]  # fmt: skip


def test_the_hour_in_utc_decides_by_the_clock() -> None:
    """16:30 is inside, 00:30 is not; a moment told with another offset is the same moment."""
    said = {MONDAY + timedelta(minutes=minute): "0" for minute in (0, 29, 30, 989, 990, 1_439)}
    paid = [at_list(event(at, input_tokens=MTOK), NIGHT).low_pico / 10**12 for at in said]
    assert paid == [0.5, 0.5, 1, 1, 0.5, 0.5]
    kolkata = timezone(timedelta(hours=5, minutes=30))
    for hour, paid_there in ((12, "1"), (19, "0.5")):
        there = (MONDAY + hour * HOUR).astimezone(kolkata)
        assert usd(at_list(event(there, input_tokens=MTOK), NIGHT))[0] == paid_there
        unsure = at_list(event(there, input_tokens=MTOK, cache_stated=False), NIGHT)
        assert usd(unsure) == (paid_there, paid_there)
        hour_there = event(there, input_tokens=MTOK, until=there + HOUR)
        assert usd(at_list(hour_there, NIGHT)) == (paid_there, paid_there)
    assert at_list(event(MONDAY, input_tokens=1), NIGHT).band == "utc=16:30-00:30"


def test_weekdays_are_part_of_a_band() -> None:
    """Sunday costs less, by its date in UTC; the name of the band lists the days."""
    table = banded((When(weekdays=frozenset({7, 6})), "0.5"))
    found = [at_list(event(MONDAY + days * DAY, input_tokens=MTOK), table) for days in (0, 5, 6)]
    assert [(one.low_pico, one.band) for one in found] == [
        (10**12, "base"), (5 * 10**11, "weekdays=67"), (5 * 10**11, "weekdays=67"),
    ]  # fmt: skip


def test_an_aggregate_by_the_hour_is_exact_inside_a_window() -> None:
    """An hour of the night, an hour of the day, an hour with the edge in it, a day, a month."""
    spans = ((20 * HOUR, HOUR), (12 * HOUR, HOUR), (16 * HOUR, HOUR), (0 * HOUR, DAY), (0 * HOUR, 30 * DAY))
    found = [
        usd(at_list(event(MONDAY + begins, until=MONDAY + begins + length, input_tokens=MTOK), NIGHT))
        for begins, length in spans
    ]
    assert found == [("0.5", "0.5"), ("1", "1"), ("0.5", "1"), ("0.5", "1"), ("0.5", "1")]


def test_an_aggregate_of_days_knows_its_weekdays() -> None:
    """Monday to Friday is dear, Friday to Sunday either; a week shows every day, and its first one twice."""
    table = banded((When(weekdays=frozenset({6, 7})), "0.5"))
    early = banded((When(weekdays=frozenset({1}), utc_start=0, utc_end=360), "0.5"))
    for days, expected in ((6, ("1", "1")), (7, ("0.5", "1")), (31, ("0.5", "1"))):
        assert usd(at_list(event(NOON, until=NOON + days * DAY, input_tokens=MTOK), early)) == expected
    for first, days, expected in (
        (0, 5, ("1", "1")),
        (0, 7, ("0.5", "1")),
        (4, 2, ("0.5", "1")),
        (6, 7, ("0.5", "1")),
        (5, 2, ("0.5",) * 2),
    ):
        begins = MONDAY + first * DAY
        assert usd(at_list(event(begins, until=begins + days * DAY, input_tokens=MTOK), table)) == expected


def test_a_certain_cost_under_several_bands_names_none() -> None:
    """Where every band costs the same it does not matter which one held."""
    table = banded((When(input_tokens_gt=5), "1"))
    found = at_list(event(MONDAY, until=MONDAY + DAY, input_tokens=10), table)
    assert (usd(found), found.band) == (("0.00001", "0.00001"), "base")


def test_an_aggregate_over_two_cards_lies_between_them() -> None:
    """The price rose at noon, and nobody knows how much came before; each card counts in its own time only."""
    night = banded((When(utc_start=0, utc_end=6 * 60), "9"))
    cards = make.card("o", night, SINCE, NOON, 1), make.card("o", rates("2"), NOON, None, 2)
    whole = rated(event(MONDAY + 7 * HOUR, until=MONDAY + DAY, input_tokens=MTOK), *cards)
    assert (usd(whole), whole.price_version) == (("1", "2"), "o#2")
    early = rated(event(MONDAY, until=MONDAY + DAY, input_tokens=MTOK), *cards)
    assert usd(early) == ("1", "9")
    seven = MONDAY + 7 * HOUR
    later = make.card("o", rates("2"), SINCE, seven, 1), make.card("o", night, seven, None, 2)
    assert usd(rated(event(seven - 2 * HOUR, until=seven + HOUR, input_tokens=MTOK), *later)) == ("1", "2")
    evening = banded((When(utc_start=18 * 60, utc_end=20 * 60), "9"))
    ended = make.card("o", evening, SINCE, NOON, 1), make.card("o", rates("2"), NOON, None, 2)
    assert usd(rated(event(NOON - HOUR, until=NOON + 7 * HOUR, input_tokens=MTOK), *ended)) == ("1", "2")


def test_a_request_fee_on_one_of_two_cards_may_be_none() -> None:
    """A card without one charges none."""
    cards = make.card("o", rates("1"), SINCE, NOON, 1), make.card("o", rates("1", request="5000"), NOON, None, 2)
    assert usd(rated(event(MONDAY, until=MONDAY + DAY, requests=100), *cards)) == ("0", "0.5")


def test_a_unit_that_one_of_two_cards_has_no_rate_for_is_unpriced() -> None:
    """It may have been used while nobody knew its price; unknown is not free, and not the other card's rate."""
    cards = make.card("o", rates("1"), SINCE, NOON, 1), make.card("o", rates("1", web_search="10"), NOON, None, 2)
    found = rated(event(MONDAY, until=MONDAY + DAY, web_searches=3), *cards)
    assert (found.unpriced, found.low_pico, found.high_pico) == ("no_rate:web_search", 0, 0)


def test_what_a_stream_cannot_tell_of_its_cache_has_bounds() -> None:
    """Any of the prompt may have been read, or written; without rates for these it costs what text costs."""
    row = event(input_tokens=MTOK, output_tokens=MTOK, cache_stated=False)
    assert usd(at_list(row)) == ("15.3", "18.75")
    assert at_list(row).band == "unknown"
    assert usd(at_list(row, rates("3", "15"))) == ("18", "18")
    assert at_list(event(input_tokens=272_001, cache_stated=False), LONG).band == "input_tokens>272000"


def test_a_discount_and_a_fee_are_rounded_with_the_amount_once() -> None:
    """10 % off and 5.5 % on top of one token at $0.111 an hour of tokens: half to even, list price beside it."""
    table = RateTable.flat({Unit.INPUT: Rate(Decimal("0.111"), 3_600)})
    factor = Fraction(9, 10) * Fraction(1055, 1000)
    found = at_list(event(input_tokens=1), table, factor=factor)
    exact = Fraction(111 * 10**9, 3_600) * factor
    assert (found.low_pico, found.list_pico) == (round(exact), round(Fraction(111 * 10**9, 3_600)))
    assert round(round(Fraction(111 * 10**9, 3_600)) * factor) == 29_276_250
    day = at_list(event(MONDAY, until=MONDAY + DAY, input_tokens=1), table, factor=factor)
    assert (day.low_pico, day.high_pico, day.list_pico) == (found.low_pico, found.low_pico, found.list_pico)


def test_half_a_pico_goes_to_the_even_one() -> None:
    """Half of one is none, half of three is two."""
    table = RateTable.flat({Unit.INPUT: Rate(Decimal("0.000000000001"))})
    found = [at_list(event(input_tokens=tokens), table, factor=Fraction(1, 2)).low_pico for tokens in (1, 2, 3, 5)]
    assert found == [0, 1, 2, 2]


def test_a_cache_write_without_a_lifetime_is_rated_as_five_minutes() -> None:
    """And says so, also where it has bounds, and where it has no price."""
    counts = {"input_tokens": 10, "cache_write_tokens": 10}
    for table, more in ((SONNET, {}), (rates(), {}), (SONNET, {"until": NOON + HOUR})):
        found = at_list(event(**counts, **more), table)
        assert found.ttl_assumed == (table is SONNET)
        assert found.units[0][:2] == (Unit.CACHE_WRITE_5M, 10)
    assert not at_list(event(input_tokens=10, cache_write_1h_tokens=10)).ttl_assumed


def test_a_gateway_s_own_cache_costs_nothing() -> None:
    """Its tokens are counted, and the zero is known."""
    found = at_list(event(input_tokens=10, output_tokens=5, outcome=Outcome.GATEWAY_CACHE))
    assert (found.unpriced, found.low_pico, found.high_pico) == (None, 0, 0)
    assert [one.quantity for one in found.units] == [10, 5, 1]
    assert rated(event(input_tokens=10, outcome=Outcome.GATEWAY_CACHE, rateable=False)).unpriced is None


def test_a_failed_request_is_billed_for_what_it_used() -> None:
    """Nothing used is a known zero, fee or not; an image that was made is none."""
    table = rates("1", "2", request="1000", picture="40000")
    assert usd(at_list(event(outcome=Outcome.FAILED), table)) == ("0", "0")
    assert usd(at_list(event(outcome=Outcome.FAILED, input_tokens=MTOK), table)) == ("1.001", "1.001")
    assert usd(at_list(event(outcome=Outcome.FAILED, images=1), table)) == ("0.041", "0.041")


def test_what_cannot_be_rated_says_why() -> None:
    """Too little is said, nobody knows a price, a kind of token has no rate, a tier has none."""
    assert at_list(event(input_tokens=1, rateable=False)).unpriced == "not_rateable"
    assert rated(event(input_tokens=1)).unpriced == "no_price"
    found = at_list(event(input_tokens=9, input_audio_tokens=4), rates())
    assert (found.unpriced, found.price_version) == ("no_rate:input_audio_token", "o#1")
    assert [(one.unit, one.quantity) for one in found.units] == [
        (Unit.INPUT, 5), (Unit.INPUT_AUDIO, 4), (Unit.REQUEST, 1),
    ]  # fmt: skip
    assert (found.low_pico, found.high_pico, found.list_pico) == (0, 0, 0)


@pytest.mark.parametrize("until", [None, NOON + HOUR])
def test_a_tier_without_a_price_is_unpriced(until: datetime | None) -> None:
    """The base rate is another tier's; a tier with bands of its own has its price; a missing rate is told as such."""
    table = RateTable(
        {
            unit: UnitPrice(make.rate(base), (Band(When(service_tier="batch"), make.rate(half)),))
            for unit, base, half in ((Unit.INPUT, "2", "1"), (Unit.OUTPUT, "4", "2"))
        }
    )
    row = event(input_tokens=MTOK, output_tokens=MTOK, service_tier="batch", until=until)
    found = at_list(row, table)
    assert (usd(found), found.band) == (("3", "3"), "base")
    assert at_list(row, rates()).unpriced == "no_tier_price"
    flex = event(input_tokens=1, service_tier="flex", until=until)
    assert at_list(flex, table).unpriced == "no_tier_price"
    searched = event(web_searches=1, service_tier="batch", until=until)
    assert at_list(searched, table).unpriced == "no_rate:web_search"
    both = event(input_tokens=1, web_searches=1, service_tier="batch", until=until)
    assert at_list(both, rates()).unpriced == "no_rate:web_search"


def test_a_region_is_that_of_the_row_or_of_its_offer() -> None:
    """What the row says goes first."""
    table = banded((When(region="eu"), "3"))
    row, other = event(input_tokens=MTOK), event(input_tokens=MTOK, region="us")
    assert [usd(at_list(one, table, region="eu"))[0] for one in (row, other)] == ["3", "1"]
    assert usd(at_list(event(input_tokens=MTOK, region="eu"), table))[0] == "3"


def test_a_request_that_counts_nothing_has_no_price() -> None:
    """A picture of which only the request was told is not free; nor is a failure that somebody billed."""
    assert at_list(event()).unpriced == "nothing_counted"
    assert at_list(event(requests=3)).unpriced == "nothing_counted"
    assert at_list(event(requests=0)).unpriced is None
    assert at_list(event(outcome=Outcome.FAILED)).unpriced is None
    billed = event(outcome=Outcome.FAILED, stated_usd=Decimal("0.05"))
    assert at_list(billed).unpriced == "nothing_counted"
    assert at_list(event(), rates(request="0.001")).unpriced is None


def test_counts_that_are_no_request_are_told() -> None:
    """A part larger than its whole, no whole number, or a tier nobody knows; contents are not repeated."""
    small = event(input_tokens=1, cache_read_tokens=2)
    assert unreadable(small, includes_cached=False) is None
    assert unreadable(small, includes_cached=True) == (
        "impossible_usage: input_tokens: smaller than the parts it contains"
    )
    assert "input_tokens: an integer" in (unreadable(event(input_tokens=-1), includes_cached=True) or "")
    assert "service_tier" in (unreadable(event(service_tier="gold"), includes_cached=True) or "")
    with pytest.raises(ImpossibleUsage):
        at_list(small)
    with pytest.raises(InvalidInput):
        at_list(event(service_tier="gold"))


@given(
    parts=st.lists(st.tuples(st.integers(0, 10**7), st.integers(0, 10**6)), min_size=1, max_size=5),
    micro=st.integers(1, 10**5), per=st.sampled_from([1_000, MTOK, 3_600]),
    factor=st.fractions(0, 2, max_denominator=1_000),
)  # fmt: skip
def test_cost_is_additive(parts: list[tuple[int, int]], micro: int, per: int, factor: Fraction) -> None:
    """Requests priced apart or together give the same bill, but for the one rounding of each amount."""
    table = RateTable.flat({unit: Rate(Decimal(micro).scaleb(-6), per) for unit in (Unit.INPUT, Unit.OUTPUT)})
    apart = [at_list(event(input_tokens=read, output_tokens=out), table, factor=factor) for read, out in parts]
    total = event(input_tokens=sum(p[0] for p in parts), output_tokens=sum(p[1] for p in parts), requests=len(parts))
    together = at_list(total, table, factor=factor)
    paid = sum(one.low_pico for one in apart)
    assert abs(paid - together.low_pico) <= len(parts) + 1
    if factor == 1 and per != 3_600:
        assert paid == together.low_pico == together.list_pico
