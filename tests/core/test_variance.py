"""Why tokens cost otherwise than in another period: each cause alone, and all of them together to the last digit."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core.posting import Counted
from planner.core.scenario import Dimension
from planner.core.variance import CAUSES, REPORTED, Group, values

IN, READ, OUT = "input_token", "cache_read_token", "output_token"
# Dollars per million are 1e-12 USD per token times a million.
PRICES = {IN: 3_000_000, READ: 300_000, OUT: 15_000_000}


def group(requests: int, prices: dict[str, int] | None = None, paid: Fraction = Fraction(1), **counts: int) -> Group:
    """Make requests that took so many tokens in all: ``input``, ``read`` and ``output``."""
    names = {"input": IN, "read": READ, "output": OUT}
    made = Group(requests)
    for name, quantity in counts.items():
        listed = quantity * (prices or PRICES)[names[name]]
        made.add(names[name], Counted(quantity, int(listed * paid), int(listed * paid), listed))
    return made


BEFORE = {"x": group(10, input=10_000, read=0, output=1_000), "y": group(10, input=2_000, output=100)}


def terms(after: dict[str, Group], before: dict[str, Group] | None = None) -> dict[Dimension, int]:
    """Return what each cause adds over all groups, and hold the ends against what both periods cost."""
    was = BEFORE if before is None else before
    found = values(was, after)
    totals = [sum(amounts) for amounts in zip(*found.values(), strict=True)]
    assert totals[0] == sum(one.cost for one in was.values())
    assert totals[-1] == sum(one.cost for one in after.values())
    return dict(zip(CAUSES, (two - one for one, two in pairwise(totals)), strict=True))


@pytest.mark.parametrize(
    ("cause", "after"),
    [
        (Dimension.VOLUME, {"x": group(20, input=20_000, output=2_000), "y": group(20, input=4_000, output=200)}),
        (Dimension.MIX, {"x": group(20, input=20_000, output=2_000)}),
        (Dimension.TOKENS, {"x": group(10, input=20_000, output=500), "y": group(10, input=2_000, output=100)}),
        (Dimension.CACHE, {"x": group(10, input=4_000, read=6_000, output=1_000),
                           "y": group(10, input=2_000, output=100)}),
        (Dimension.PRICE, {"x": group(10, {**PRICES, OUT: 99}, input=10_000, output=1_000),
                           "y": group(10, input=2_000, output=100)}),
        (Dimension.FEE, {"x": group(10, paid=Fraction(7, 8), input=10_000, output=1_000),
                         "y": group(10, input=2_000, output=100)}),
    ],
)  # fmt: skip
def test_one_cause_alone_is_one_term(cause: Dimension, after: dict[str, Group]) -> None:
    """All the others are nothing."""
    found = terms(after)
    assert {name for name, amount in found.items() if amount} == {cause}


def test_causes_come_in_their_order() -> None:
    """Twice the requests of one offer, each half as long, at twice the price, with an eighth taken off."""
    before = {"x": group(10, input=10_000)}
    after = {"x": group(20, {IN: 6_000_000}, Fraction(7, 8), input=10_000)}
    each = 10_000 * 3_000_000
    assert list(terms(after, before).values()) == [each, 0, -each, 0, each, -each // 4]


def test_what_is_new_is_told_by_the_first_cause_that_needs_it() -> None:
    """A new offer is mix with all it brings, a first reading from a cache is cache, a period out of nothing volume."""
    newcomer = {**BEFORE, "z": group(20, {IN: 9_000_000}, Fraction(1, 2), input=999)}
    found = terms(newcomer)
    assert found[Dimension.VOLUME] == sum(one.cost for one in BEFORE.values())
    assert {name for name, amount in found.items() if amount} == {Dimension.VOLUME, Dimension.MIX}
    assert {name for name, amount in terms(BEFORE, {}).items() if amount} == {Dimension.VOLUME}
    assert {name for name, amount in terms({}).items() if amount} == {Dimension.VOLUME}
    assert values({}, {}) == {}


def test_what_is_only_reported_is_a_price_of_requests() -> None:
    """Nothing in it can be told apart."""
    was, now = Group(2), Group(3)
    was.add(REPORTED, Counted(2, 10, 10, 10))
    now.add(REPORTED, Counted(3, 30, 30, 30))
    assert list(terms({"x": now}, {"x": was}).values()) == [5, 0, 0, 0, 15, 0]


COUNTS = st.integers(0, 10**9)
GROUPS = st.builds(
    lambda requests, tokens, read, out, price, paid: group(
        requests, {IN: price, READ: price // 10, OUT: 5 * price}, paid, input=tokens, read=read, output=out
    ),
    st.integers(1, 10**6), COUNTS, COUNTS, COUNTS, st.integers(0, 10**8), st.fractions(0, 2, max_denominator=1_000),
)  # fmt: skip
PERIODS = st.dictionaries(st.sampled_from("wxyz"), GROUPS, max_size=4)


@given(PERIODS, PERIODS)
def test_terms_are_the_whole_difference(before: dict[str, Group], after: dict[str, Group]) -> None:
    """Of any two periods, to the last digit, over all groups and in each."""
    found = values(before, after)
    for key, amounts in found.items():
        assert amounts[0] == (before[key].cost if key in before else 0)
        assert amounts[-1] == (after[key].cost if key in after else 0)


@given(PERIODS)
def test_nothing_happened_between_a_period_and_itself(period: dict[str, Group]) -> None:
    """No term but what rounding of tiny discounts leaves, which is one unit of 1e-12 USD for each kind of token."""
    for amounts in values(period, period).values():
        assert all(abs(two - one) <= 3 for one, two in pairwise(amounts))
