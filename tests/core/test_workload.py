"""Workloads: kinds of requests whose shares are a whole, and what of them is expected on one offer."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core.cost import cost
from planner.core.errors import InvalidInput
from planner.core.expected import AS_COUNTED, Traits, expected_usage, traits_of
from planner.core.price import RateTable
from planner.core.recommend import priced
from planner.core.units import Unit
from planner.core.usage import Usage
from planner.core.workload import STRATA, Habits, Request, Workload, lognormal_requests
from tests import make

HALF = Fraction(1, 2)


@pytest.mark.parametrize(
    ("habits", "field"),
    [
        ({"cache_hit_share": Fraction(-1)}, "cache_hit_share"),
        ({"cache_write_share": Fraction(2)}, "cache_write_share"),
        ({"cache_hit_share": Fraction(3, 5), "cache_write_share": HALF}, "cache_write_share"),
        ({"failed_share": Fraction(1)}, "failed_share"),
        ({"failed_billed_share": Fraction(11, 10)}, "failed_billed_share"),
        ({"reasoning_multiplier": HALF}, "reasoning_multiplier"),
        ({"reasoning_multiplier": Fraction(1_001)}, "reasoning_multiplier"),
    ],
)
def test_habits_that_nobody_has_are_refused(habits: dict[str, Fraction], field: str) -> None:
    """Shares are from 0 to 1, what is read and written is no more than the prompt, and something succeeds."""
    with pytest.raises(InvalidInput) as refused:
        Habits(**habits)  # type: ignore[arg-type]  # habits by name
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("requests", "habits", "field"),
    [
        ((Request(Usage(), HALF),), Habits(), "mix"),
        ((Request(Usage(), Fraction(2)), Request(Usage(), Fraction(-1))), Habits(), "mix"),
        ((Request(Usage(input_tokens=9, cache_read_tokens=1)),), Habits(cache_hit_share=HALF), "cache_hit_share"),
        ((Request(Usage(input_tokens=9, cache_write_tokens=1)),), Habits(cache_hit_observed=True), "cache_hit_share"),
        (
            (Request(Usage(output_tokens=9, reasoning_tokens=1)),),
            Habits(reasoning_multiplier=Fraction(2)),
            "reasoning_multiplier",
        ),
    ],
)
def test_a_workload_says_everything_once(requests: tuple[Request, ...], habits: Habits, field: str) -> None:
    """Shares add up to 1, and what is counted is not also stated as a share."""
    with pytest.raises(InvalidInput) as refused:
        Workload(requests=requests, habits=habits)
    assert refused.value.field == field


def test_a_mix_knows_its_mean_and_its_longest() -> None:
    """Nine short prompts and a long one."""
    short, long = Usage(input_tokens=1_000, output_tokens=100), Usage(input_tokens=300_000, output_tokens=10)
    workload = Workload(requests=(Request(short, Fraction(9, 10)), Request(long, Fraction(1, 10))))
    assert (workload.mean_input_tokens, workload.mean_output_tokens) == (Fraction(30_900), Fraction(91))
    assert workload.longest_input_tokens == 300_000


@given(median=st.integers(1, 100_000), sigma=st.floats(0, 3))
def test_strata_keep_the_mean_and_the_median(median: int, sigma: float) -> None:
    """Twenty equally likely lengths in order, with the mean of the whole distribution and its median in the middle."""
    requests = lognormal_requests(median, sigma, 7)
    lengths = [request.usage.input_tokens for request in requests]
    assert lengths == sorted(lengths)
    assert {request.share for request in requests} == {Fraction(1, STRATA)}
    mean = median * exp(sigma * sigma / 2)
    assert abs(sum(lengths) / STRATA - mean) <= 1 + mean * 1e-6
    assert lengths[STRATA // 2 - 1] <= median + 1
    assert lengths[STRATA // 2] >= median - 1


@pytest.mark.parametrize("sigma", [-0.1, 6.1])
def test_a_spread_nobody_measures_is_refused(sigma: float) -> None:
    """Nor are prompts counted beyond what a count holds."""
    with pytest.raises(InvalidInput):
        lognormal_requests(1_000, sigma, 0)
    with pytest.raises(InvalidInput):
        lognormal_requests(2**62, 6, 0)


def test_failed_attempts_cost_what_is_billed_of_them() -> None:
    """One in twelve and a half fails and four tenths of it are billed: 1.03478 attempts are paid per success."""
    habits = Habits(failed_share=Fraction(8, 100), failed_billed_share=Fraction(4, 10))
    assert round(float(habits.retry_factor), 5) == 1.03478
    assert Habits().retry_factor == 1


def test_the_price_of_a_prompt_with_a_cache() -> None:
    """60 % read, 20 % written, 20 % plain at 3, 0.30 and 3.75 dollars: 1.53 dollars per million tokens."""
    habits = Habits(cache_hit_share=Fraction(3, 5), cache_write_share=Fraction(1, 5))
    rates = make.rates(input="3", output="15", cache_read="0.30", cache_write_5m="3.75")
    offer = make.offer("direct:acme/small")
    usage = expected_usage(Usage(input_tokens=1_000_000), habits, traits_of(offer, rates, habits))
    assert cost(usage, rates, make.NOON).exact_usd == Fraction("1.53")
    # Without a rate for writes they are plain input; a model that cannot cache reads nothing from one.
    plain = make.rates(input="3", output="15", cache_read="0.30")
    usage = expected_usage(Usage(input_tokens=1_000_000), habits, traits_of(offer, plain, habits))
    assert cost(usage, plain, make.NOON).exact_usd == Fraction("1.38")
    never = make.offer("direct:acme/never", capabilities={"prompt_caching": False})
    usage = expected_usage(Usage(input_tokens=1_000_000), habits, traits_of(never, rates, habits))
    assert cost(usage, rates, make.NOON).exact_usd == 3


def test_a_write_for_an_hour_is_priced_as_one() -> None:
    """It never falls back to the rate of five minutes."""
    habits = Habits(cache_write_share=Fraction(1, 10), writes_for_an_hour=True)
    rates = make.rates(input="3", output="15", cache_write_5m="3.75", cache_write_1h="6")
    usage = expected_usage(Usage(input_tokens=1_001), habits, traits_of(make.offer("direct:a/b"), rates, habits))
    assert (usage.cache_write_1h_tokens, usage.cache_write_5m_tokens) == (101, 0)
    only = make.rates(input="3", output="15", cache_write_5m="3.75")
    assert not traits_of(make.offer("direct:a/b"), only, habits).writes


def test_what_was_observed_goes_before_what_was_stated() -> None:
    """Where a feed observed a share, and only where it is asked for; short prompts are not cached at all."""
    rates = make.rates(input="3", output="15", cache_read="0.30")
    offer = make.offer("direct:a/b", cache_hit_share=Decimal("0.44"), cacheable_tokens_min=1_024)
    stated = Habits(cache_hit_share=HALF)
    asked = Habits(cache_hit_share=HALF, cache_hit_observed=True)
    assert traits_of(offer, rates, stated).hit_share == HALF
    assert traits_of(offer, rates, asked) == Traits(Fraction(44, 100), 1_024)
    assert traits_of(make.offer("direct:a/c"), rates, asked).hit_share == HALF
    for tokens, read in ((1_023, 0), (1_024, 450)):
        usage = expected_usage(Usage(input_tokens=tokens), asked, traits_of(offer, rates, asked))
        assert usage.cache_read_tokens == read


def test_media_are_not_served_from_a_cache_of_text() -> None:
    """Half of the text of a prompt, not of its pictures."""
    usage = Usage(input_tokens=1_000, input_image_tokens=400)
    assert expected_usage(usage, Habits(cache_hit_share=HALF), Traits(HALF)).cache_read_tokens == 300


def test_reasoning_multiplies_what_is_seen_unless_a_model_is_known_not_to() -> None:
    """A share of 71 % that nobody sees is a multiplier of 3.4; who does not say whether it reasons, may."""
    habits = Habits(reasoning_multiplier=Fraction(17, 5))
    rates = make.rates(input="1", output="10")
    seen = Usage(input_tokens=9, output_tokens=101)
    for capabilities, whole in (({}, 344), ({"reasoning": True}, 344), ({"reasoning": False}, 101)):
        offer = make.offer("direct:a/b", capabilities=capabilities)
        usage = expected_usage(seen, habits, traits_of(offer, rates, habits))
        assert (usage.output_tokens, usage.reasoning_tokens) == (whole, whole - 101)


def test_what_is_as_counted_stays_the_same_object() -> None:
    """Nothing is made anew where nothing changes."""
    usage = Usage(input_tokens=9)
    assert expected_usage(usage, Habits(), AS_COUNTED) is usage


def test_the_expected_cost_is_the_mean_over_kinds_with_failures_and_fee() -> None:
    """Two kinds of requests, a tenth of attempts billed in vain: by hand, to the last digit."""
    offer = make.offer("direct:acme/small")
    rates = RateTable.flat({Unit.INPUT: make.rate("3"), Unit.OUTPUT: make.rate("15")})
    catalogue = make.catalogue({offer: rates})
    requests = (
        Request(Usage(input_tokens=1_000, output_tokens=100), Fraction(9, 10)),
        Request(Usage(input_tokens=10_000, output_tokens=200), Fraction(1, 10)),
    )
    habits = Habits(failed_share=Fraction(1, 11), failed_billed_share=Fraction(1))
    ask = make.ask()
    pick = priced(catalogue, replace(ask, workload=Workload(requests=requests, habits=habits)), offer, {})
    listed = Fraction(9, 10) * Fraction("0.0045") + Fraction(1, 10) * Fraction("0.033")
    assert pick.list_usd == listed
    assert pick.cost_usd == listed * Fraction(11, 10)
