"""What attempts say of an offer: quantiles, speeds, bills, claims, and what goes before a feed's word."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core import edges
from planner.core.answered_usage import read_usage, stated_usd
from planner.core.errors import ImpossibleUsage, InvalidInput, Unpriced
from planner.core.measurement import (
    AGE_MAX,
    ATTEMPTS_MIN,
    UPTIME_ATTEMPTS_MIN,
    UPTIME_MINUTES_MIN,
    Attempt,
    Claimed,
    Measurement,
    as_measured,
    chosen,
    compare,
    nearest_rank,
)
from planner.core.measurement_form import read_measurement, write_measurement
from planner.core.price import Band, Rate, RateTable, UnitPrice, When
from planner.core.units import Unit
from planner.core.usage import Usage
from planner.core.worst_case import MESSAGE_TOKENS, TEMPLATE_TOKENS, attempt_usd_max, prompt_tokens_max
from tests import make
from tests.make import NOON

HALF = Fraction(1, 2)


def attempt(first_ms: int | None = 200, *, output: int = 101, last_ms: int = 1_200, **parts: Any) -> Attempt:
    """Make an attempt whose answer is whole: its tokens came one by one in a second."""
    given: dict[str, Any] = {
        "started_at": NOON,
        "expected_input_tokens": 1_000,
        "expected_output_tokens": 100,
        "first_us": None if first_ms is None else first_ms * 1_000,
        "last_us": last_ms * 1_000,
        "whole_us": last_ms * 1_000 + 5,
        "pieces": output,
        "usage": Usage(input_tokens=1_000, output_tokens=output),
        "list_pico": 3_000_000,
        **parts,
    }
    return Attempt(**given)


def failed(error: str = "http_500", **parts: Any) -> Attempt:
    """Make an attempt that came to nothing."""
    return attempt(None, usage=None, list_pico=None, pieces=0, error=error, **parts)


def measurement(*attempts: Attempt, at: datetime = NOON, claimed: Claimed | None = None) -> Measurement:
    """Make a measurement of an offer."""
    return Measurement(
        offer="direct:acme/small", measured_at=at, attempts=attempts, claimed=claimed or Claimed(),
        prompts="generated", plan="pro", task="chat",
    )  # fmt: skip


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40), st.fractions(0, 1))
def test_a_quantile_is_the_smallest_value_that_enough_do_not_exceed(values: list[int], share: Fraction) -> None:
    """It is one of the values; at least this share lies at or below it, and below the next smaller one less does."""
    found = nearest_rank(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values)
    assert sum(value < found for value in values) < share * len(values) or found == min(values)
    assert nearest_rank([], share) is None


@pytest.mark.parametrize(("failures", "attempts", "bound"), [(0, 5, "0.3511"), (2, 100, "0.0586"), (5, 5, "1.0000")])
def test_the_bound_lies_above_the_share_and_is_never_more_than_all(failures: int, attempts: int, bound: str) -> None:
    """More attempts with the same share make it tighter."""
    made = measurement(*[failed()] * failures, *[attempt()] * (attempts - failures))
    assert f"{float(made.failure_share_max or 0):.4f}" == bound


def test_tokens_per_second_are_those_after_the_first() -> None:
    """A hundred tokens in the second after the first one; what was thought unseen came before it."""
    assert attempt().throughput_tps == 100
    thought = Usage(input_tokens=1, output_tokens=601, reasoning_tokens=500)
    assert attempt(usage=thought).throughput_tps == 100
    assert attempt(usage=thought, reasoning_seen=True).throughput_tps == 600


@pytest.mark.parametrize(
    "parts",
    [
        {"error": "cut"}, {"usage": None}, {"first_us": None}, {"last_us": None}, {"pieces": 3},
        {"pieces": 102}, {"first_us": 1_200_000},
    ],
)  # fmt: skip
def test_a_speed_that_cannot_be_told_is_unknown(parts: dict[str, Any]) -> None:
    """A broken answer, no bill, no moments, an answer in one burst, or more pieces than tokens."""
    assert replace(attempt(), **parts).throughput_tps is None


def test_figures_of_a_run_are_those_of_the_attempts_that_count() -> None:
    """A refused key says nothing of the offer; a failure counts, and has no time to a first token."""
    made = measurement(attempt(100), attempt(300), attempt(200), failed(), failed("http_401"), failed("http_429"))
    assert (len(made.counted), made.failures) == (5, 2)
    assert made.errors == {"http_500": 1, "http_401": 1, "http_429": 1}
    assert made.failure_share == Fraction(2, 5)
    assert f"{float(made.failure_share_max or 0):.4f}" == "0.7275"
    assert (made.ttft_ms(HALF), made.ttft_ms(Fraction(95, 100))) == (200, 300)
    assert made.throughput_tps(HALF) == Fraction(1_000, 10)
    assert (made.billed_tokens("output_tokens"), len(made.billed)) == (303, 3)
    assert made.list_usd == Fraction(9, 10**6)
    assert measurement(attempt(first_ms=None, first_us=200_001)).ttft_ms(HALF) == 201


def test_nothing_is_made_of_nothing() -> None:
    """Without an attempt that counts there is no share, without a bill no cost, and unknown is not free."""
    empty = measurement(failed("http_403"))
    assert (empty.failure_share, empty.failure_share_max, empty.ttft_ms(HALF)) == (None, None, None)
    assert (empty.list_usd, empty.stated_usd, empty.cache_hit_share, empty.comparisons()) == (None, None, None, ())
    half_known = measurement(attempt(), attempt(list_pico=None, stated_usd=Decimal(1)))
    assert (half_known.list_usd, half_known.stated_usd) == (None, None)


def test_claims_are_compared_by_their_factors() -> None:
    """Slower and dearer is worse, faster is better, and what is within its factor is as claimed."""
    claimed = Claimed(ttft_ms=100, throughput_tps=Decimal(50), cache_hit_share=Decimal(0), price_version="7")
    usage = Usage(input_tokens=1_300, cache_read_tokens=130, output_tokens=101)
    made = measurement(attempt(usage=usage, stated_usd=Decimal("0.000003")), claimed=claimed)
    found = {one.figure: (one.verdict, one.ratio) for one in made.comparisons()}
    assert found == {
        "ttft_ms": ("worse", 2),
        "throughput_tps": ("better", 2),
        "cache_hit_share": ("better", None),
        "input_tokens": ("worse", Fraction(13, 10)),
        "cost_usd": ("as_claimed", 1),
    }
    assert compare("throughput_tps", Fraction(100), Fraction(50)).verdict == "worse"
    assert compare("cost_usd", Fraction(100), Fraction(90)).verdict == "better"
    assert compare("ttft_ms", Fraction(100), Fraction(150)).verdict == "as_claimed"
    assert compare("cache_hit_share", Fraction(0), Fraction(0)).verdict == "as_claimed"


def test_a_measurement_is_read_as_it_was_written() -> None:
    """Every count, every moment, and money to the last digit."""
    claimed = Claimed(120, Decimal("55.5"), Decimal("0.25"), Decimal("0.999"), "42")
    cached = Usage(input_tokens=9, cache_read_tokens=3, cache_write_tokens=2, output_tokens=8, reasoning_tokens=7)
    made = measurement(
        attempt(usage=cached, stated_usd=Decimal("1E-7")), failed(), attempt(list_pico=1), claimed=claimed
    )
    written = write_measurement(made)
    assert read_measurement(written, made.offer, NOON) == made
    assert (written["attempts"][0]["stated_usd"], written["attempts"][2]["list_usd"]) == ("0.0000001", "0.000000000001")
    bare = measurement(failed())
    assert read_measurement(write_measurement(bare), bare.offer, NOON) == bare


def test_the_newest_measurement_that_counts_is_chosen() -> None:
    """It is not older than its age, not from the future, and has enough attempts."""
    enough = measurement(*[attempt()] * ATTEMPTS_MIN)
    few = measurement(*[attempt()] * (ATTEMPTS_MIN - 1), at=NOON + timedelta(hours=1))
    later = NOON + timedelta(hours=2)
    assert few.until is None
    assert chosen([few, enough], later) == enough
    assert chosen([few, enough], NOON - timedelta(seconds=1)) is None
    assert chosen([enough], NOON + AGE_MAX - timedelta(seconds=1)) == enough
    assert chosen([enough], NOON + AGE_MAX) is None


def test_what_was_measured_goes_before_the_claim() -> None:
    """Median and speed are taken from the attempts; uptime stays the feed's, five attempts say too little of it."""
    offer = make.offer("direct:acme/small", ttft_ms=50, throughput_tps=Decimal(9), uptime=Decimal("0.9"))
    found = as_measured(offer, measurement(*[attempt(333, last_ms=1_333)] * 4, failed()))
    assert (found.facts.ttft_ms, found.facts.throughput_tps, found.facts.uptime) == (333, Decimal(100), Decimal("0.9"))
    assert found.measured is not None
    assert (sorted(found.measured.names), found.measured.until) == (["throughput_tps", "ttft_ms"], NOON + AGE_MAX)
    assert Claimed.of(found, "7") == Claimed.of(offer, "7") == Claimed(50, Decimal(9), None, Decimal("0.9"), "7")
    assert edges.of_terms(make.catalogue({found: None, make.offer("direct:acme/other"): None})) == (NOON + AGE_MAX,)


def test_a_figure_with_too_few_attempts_stays_the_feeds() -> None:
    """Two first tokens among five attempts are not a median; without a stream there is no speed."""
    offer = make.offer("direct:acme/small", ttft_ms=50)
    assert as_measured(offer, measurement(attempt(), attempt(), failed(), failed(), failed())) == offer
    found = as_measured(offer, measurement(*[attempt(pieces=1)] * 3, *[attempt()] * 2))
    assert (found.facts.ttft_ms, found.facts.throughput_tps) == (200, None)


def test_a_hundred_attempts_in_half_an_hour_say_something_of_uptime() -> None:
    """The share that did not fail, over the minutes they took; in a few minutes they saw one moment."""
    offer = make.offer("direct:acme/small", uptime=Decimal(1))
    many = [attempt()] * (UPTIME_ATTEMPTS_MIN - 2) + [failed()] * 2
    found = as_measured(offer, measurement(*many))
    assert (found.facts.uptime, found.facts.uptime_minutes) == (Decimal(1), None)
    later = as_measured(offer, measurement(*many, at=NOON + timedelta(minutes=UPTIME_MINUTES_MIN + 7)))
    assert (later.facts.uptime, later.facts.uptime_minutes) == (Decimal("0.98"), 37)


@pytest.mark.parametrize(
    ("reported", "tokens"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}, (10, 0, 0, 5, 0)),
        ({"prompt_tokens": 10, "completion_tokens": 5}, (10, 0, 0, 5, 0)),
        (
            {
                "prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15,
                "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
                "completion_tokens_details": {"reasoning_tokens": 3},
            },
            (10, 4, 2, 5, 3),
        ),
        (
            {
                "prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 35,
                "completion_tokens_details": {"reasoning_tokens": 20},
            },
            (10, 0, 0, 25, 20),
        ),
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 35}, (10, 0, 0, 25, 20)),
        ({"prompt_tokens": 10, "completion_tokens": 5, "prompt_cache_hit_tokens": 8}, (10, 8, 0, 5, 0)),
        ({"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": None}, (10, 0, 0, 5, 0)),
        ({}, (0, 0, 0, 0, 0)),
    ],
)  # fmt: skip
def test_usage_is_read_as_it_is_billed(reported: dict[str, Any], tokens: tuple[int, ...]) -> None:
    """Cached tokens lie inside the prompt; reasoning inside the completion, or beside it, which the total tells."""
    found = read_usage(reported)
    names = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
    assert tuple(getattr(found, name) for name in names) == tokens


@pytest.mark.parametrize("wrong", ["10", None, -1, True, Decimal("1.5")])
def test_a_count_that_is_none_is_refused(wrong: object) -> None:
    """Text, nothing, less than nothing, a yes, a part of a token."""
    with pytest.raises(InvalidInput):
        read_usage({"prompt_tokens": wrong, "completion_tokens": 5, "total_tokens": 15})


def test_a_part_beyond_its_whole_is_refused() -> None:
    """More reasoning than the completion has, and no total to say that it lies beside it."""
    with pytest.raises(ImpossibleUsage):
        read_usage({"prompt_tokens": 1, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 6}})


@pytest.mark.parametrize(
    ("reported", "usd"),
    [
        ({"cost": Decimal("0.00014")}, Decimal("0.00014")), ({"estimated_cost": 1}, Decimal(1)), ({"cost": "1"}, None),
        ({"cost": Decimal("NaN"), "estimated_cost": Decimal(2)}, Decimal(2)), ({"cost": Decimal(-1)}, None),
        ({"cost": -1}, None), ({"cost": True}, None), ({}, None),
    ],
)  # fmt: skip
def test_a_stated_cost_is_a_number_of_dollars(reported: dict[str, Any], usd: Decimal | None) -> None:
    """Under either vendor's word; anything else states nothing."""
    assert stated_usd(reported) == usd


def test_a_prompt_has_fewer_tokens_than_bytes_and_a_template() -> None:
    """Every message costs its marks, the conversation its template."""
    assert prompt_tokens_max(["abc", "é"]) == TEMPLATE_TOKENS + 2 * MESSAGE_TOKENS + 5


def test_the_worst_case_takes_the_dearest_rate_that_may_hold() -> None:
    """A longer prompt's, a cache write's, what reasoning costs, and the fee of a request; not another tier's."""
    long = Band(When(input_tokens_gt=200_000), Rate(Decimal(4), 1_000_000))
    batch = Band(When(service_tier="batch"), Rate(Decimal(900), 1_000_000))
    table = RateTable({
        Unit.INPUT: UnitPrice(Rate(Decimal(2), 1_000_000), (long, batch)),
        Unit.CACHE_WRITE_5M: UnitPrice(Rate(Decimal(5), 1_000_000)),
        Unit.OUTPUT: UnitPrice(Rate(Decimal(10), 1_000_000)),
        Unit.REASONING: UnitPrice(Rate(Decimal(12), 1_000_000)),
        Unit.REQUEST: UnitPrice(Rate(Decimal("0.01"))),
    })  # fmt: skip
    assert attempt_usd_max(1_000, 100, table, "standard") == Fraction("0.005") + Fraction("0.0012") + Fraction("0.01")
    assert attempt_usd_max(1, 0, make.rates(), "standard") == Fraction(1, 10**6)


def test_what_has_no_rate_has_no_worst_case() -> None:
    """Unknown is not free."""
    with pytest.raises(Unpriced):
        attempt_usd_max(1, 1, make.rates(output=None), "standard")
