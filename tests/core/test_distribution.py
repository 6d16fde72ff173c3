"""Statistics of what customers use, exact, held against their slow definitions."""

from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core.distribution import SIGMA_G_MIN, Distribution, at_one_level, sigma_of_common_factor

COUNTS = st.lists(st.integers(0, 10**6), min_size=1, max_size=40)
SHARES = st.fractions(0, 1, max_denominator=100)


@given(COUNTS, SHARES)
def test_a_percentile_is_the_smallest_that_so_many_do_not_exceed(values: list[int], share: Fraction) -> None:
    """By the nearest rank, it is one of the values."""
    found = Distribution(tuple(values)).percentile(share)
    assert found == min(one for one in values if sum(other <= one for other in values) >= share * len(values))


@given(COUNTS)
def test_gini_is_half_the_mean_difference_over_the_mean(values: list[int]) -> None:
    """Of every two, each also with itself."""
    found, total = Distribution(tuple(values)).gini, sum(values)
    pairs = sum(abs(one - other) for one in values for other in values)
    assert found == (None if not total else Fraction(pairs, 2 * len(values) * total))


@given(COUNTS, SHARES)
def test_the_heaviest_share_is_a_sum_of_the_largest(values: list[int], share: Fraction) -> None:
    """Their number is rounded up; what is above a bound is counted."""
    found = Distribution(tuple(values))
    heaviest = sorted(values, reverse=True)[: -(-share.numerator * len(values) // share.denominator)]
    assert found.top_share(share) == (Fraction(sum(heaviest), sum(values)) if sum(values) else None)
    assert found.share_above(Fraction(500)) == Fraction(sum(value > 500 for value in values), len(values))
    assert (found.mean, found.largest) == (Fraction(sum(values), len(values)), max(values))


def test_of_nobody_nothing_is_known() -> None:
    """No mean, no percentile, no Gini."""
    found = Distribution(())
    assert (found.mean, found.largest, found.gini) == (None, None, None)
    assert (found.percentile(Fraction(1, 2)), found.top_share(Fraction(1)), found.share_above(Fraction(0))) == (
        None, None, None,
    )  # fmt: skip


def months(sigma_g: float, customers: int, count: int, seed: int) -> list[dict[str, int]]:
    """Draw months of customers who move together, each with a weight and a whim of its own."""
    dice = Random(seed)
    weights = [dice.lognormvariate(12, 1) for _customer in range(customers)]
    return [
        {
            str(number): round(factor * weight * dice.lognormvariate(0, 0.3))
            for number, weight in enumerate(weights)
        }
        for factor in (dice.lognormvariate(0, sigma_g) for _month in range(count))
    ]  # fmt: skip


@pytest.mark.parametrize(("sigma_g", "least", "most"), [(0.2, 0.15, 0.26), (0.0, SIGMA_G_MIN, SIGMA_G_MIN + 0.02)])
def test_the_common_factor_is_found_again(sigma_g: float, least: float, most: float) -> None:
    """Over many months of 400 customers, within a few hundredths; nothing is not believed to be nothing."""
    found = sigma_of_common_factor(months(sigma_g, 400, 150, seed=3))
    assert found is not None
    assert least <= found <= most


def test_few_months_tell_nothing_of_a_common_factor() -> None:
    """Five months are four changes; a month without use is none."""
    told = months(0.2, 50, 5, seed=1)
    assert sigma_of_common_factor(told) is None
    assert sigma_of_common_factor([*told, {"0": 0}, *told[:1]]) is None


def test_months_at_one_level_have_no_common_factor_in_them() -> None:
    """The overall mean stays; who is not there in a month has no count of it, and a month of nothing stays so."""
    months = [{"a": 10, "b": 30}, {"a": 40, "b": 40}, {"b": 0}]
    assert at_one_level(months) == {"a": (15, 30), "b": (45, 30, 0)}
    assert at_one_level([]) == {}
    assert at_one_level([{"a": 0}]) == {"a": (0,)}


def test_who_joins_or_leaves_moves_nobody_else() -> None:
    """Nine who use 10 in every month do so whether a whale is there or not; a month of doubled use is brought down."""
    light = {f"light-{number}": 10 for number in range(9)}
    steady = [{**light, "whale": 1_000}] * 6 + [light] * 6
    found = at_one_level(steady)
    assert {found[one] for one in light} == {(10,) * 12}
    assert found["whale"] == (1_000,) * 6
    doubled = [
        {one: 2 * tokens for one, tokens in month.items()} if at % 2 else month for at, month in enumerate(steady)
    ]
    assert {found for one, found in at_one_level(doubled).items() if one != "whale"} == {(15,) * 12}


def test_months_that_hang_together_by_a_thread_are_hardly_moved() -> None:
    """One light customer alone joins two months: his change says little, and the fit ends though it has not settled."""
    found = at_one_level([{"a": 10_000, "b": 1}, {"b": 9, "c": 10_000}])
    assert found["a"][0] == pytest.approx(10_000, rel=0.05)
    assert found["c"][0] == pytest.approx(10_000, rel=0.05)
    assert sum(sum(observed) for observed in found.values()) == pytest.approx(20_010, abs=2)
