"""Two statements of one price: whatever is asked for, the dearer of the two answers counts."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from planner.core.dearest import both, dearest, keep_dearer
from planner.core.price import ALWAYS, Band, Context, Rate, RateTable, UnitPrice, When
from planner.core.units import Unit

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
HOURS = [(None, None), (0, 0), (60, 600), (540, 1_020), (1_200, 120), (0, 720)]
rates = st.sampled_from([Rate(Decimal(usd)) for usd in range(6)])


def whens(tiers: list[str | None]) -> st.SearchStrategy[When]:
    """Generate conditions of every kind."""
    return st.builds(
        lambda gt, gte, tier, region, hours, days: When(
            input_tokens_gt=gt, input_tokens_gte=gte, service_tier=tier, region=region,
            utc_start=hours[0], utc_end=hours[1], weekdays=days,
        ),
        st.sampled_from([None, 100, 200]), st.sampled_from([None, 100, 300]), st.sampled_from(tiers),
        st.sampled_from([None, "eu", "us"]), st.sampled_from(HOURS),
        st.sampled_from([frozenset(), frozenset({1}), frozenset({1, 2}), frozenset({6, 7})]),
    )  # fmt: skip


def prices(tiers: list[str | None]) -> st.SearchStrategy[UnitPrice]:
    """Generate a price with up to three bands."""
    bands = st.builds(Band, whens(tiers).filter(lambda when: when != ALWAYS), rates)
    return st.builds(UnitPrice, rates, st.lists(bands, max_size=3).map(tuple))


moments = st.integers(0, 7 * 24 * 4).map(lambda quarter: MONDAY + timedelta(minutes=15 * quarter))
lengths = st.sampled_from([0, 99, 100, 101, 200, 201, 299, 300, 301])
places = st.builds(Context, st.sampled_from(["standard", "batch", "flex"]), st.sampled_from([None, "eu", "us"]))


@given(whens([None, "batch", "flex"]), whens([None, "batch", "flex"]), places, lengths, moments)
def test_both_hold_exactly_where_each_does(one: When, other: When, context: Context, tokens: int, at: datetime) -> None:
    """Windows that overlap twice, weekdays without a common day and two lengths included."""
    found = [when.holds(context, tokens, at) for when in both(one, other)]
    assert any(found) == (one.holds(context, tokens, at) and other.holds(context, tokens, at))


@given(prices([None]), prices([None]), places, lengths, moments)
def test_the_dearer_counts_under_every_condition(
    one: UnitPrice, other: UnitPrice, context: Context, tokens: int, at: datetime
) -> None:
    """At every length, in every region and at every hour, whichever the bands of either."""
    found = dearest(RateTable({Unit.INPUT: one}), RateTable({Unit.INPUT: other}))[Unit.INPUT]
    usd = [price.select(context, tokens, at).usd for price in (one, other)]
    assert found.select(context, tokens, at).usd == max(usd)


@given(prices([None, "batch", "flex"]), prices([None, "batch", "flex"]), lengths, moments)
def test_which_of_two_is_named_first_does_not_matter(
    one: UnitPrice, other: UnitPrice, tokens: int, at: datetime
) -> None:
    """Nor does naming one twice change it."""
    first, second = RateTable({Unit.INPUT: one}), RateTable({Unit.INPUT: other})
    asked = [(Context(tier, region), tokens, at) for tier in ("standard", "batch", "flex") for region in (None, "eu")]
    for question in asked:
        there, back = dearest(first, second)[Unit.INPUT], dearest(second, first)[Unit.INPUT]
        assert there.select(*question).usd == back.select(*question).usd
        assert dearest(first, first)[Unit.INPUT].select(*question) == one.select(*question)


def test_a_tier_that_one_of_them_prices_keeps_its_price() -> None:
    """A base rate is no price of a tier; for long prompts there, what is stated for long prompts counts."""
    batch, long = When(service_tier="batch"), When(input_tokens_gt=200)
    one = UnitPrice(Rate(Decimal(5)), (Band(batch, Rate(Decimal("2.5"))),))
    other = UnitPrice(Rate(Decimal(4)), (Band(long, Rate(Decimal(8))),))
    for first, second in ((one, other), (other, one)):
        found = dearest(RateTable({Unit.INPUT: first}), RateTable({Unit.INPUT: second}))[Unit.INPUT]
        assert [found.select(Context(), tokens, MONDAY).usd for tokens in (1, 201)] == [5, 8]
        assert [found.select(Context("batch"), tokens, MONDAY).usd for tokens in (1, 201)] == [Decimal("2.5"), 8]


def test_a_tier_with_lengths_of_its_own_is_not_made_dearer_by_a_row_that_does_not_know_it() -> None:
    """The standard tier's price for long prompts is no price of a tier whose long prompts have one."""
    batch, long = When(service_tier="batch"), When(input_tokens_gt=200)
    bands = (Band(long, Rate(Decimal(8))), Band(batch, Rate(Decimal(2))))
    one = UnitPrice(Rate(Decimal(4)), (*bands, Band(When(input_tokens_gt=200, service_tier="batch"), Rate(Decimal(3)))))
    other = UnitPrice(Rate(Decimal(4)), (Band(long, Rate(Decimal(9))),))
    found = dearest(RateTable({Unit.INPUT: one}), RateTable({Unit.INPUT: other}))[Unit.INPUT]
    assert [found.select(Context(), tokens, MONDAY).usd for tokens in (1, 201)] == [4, 9]
    assert [found.select(Context("batch"), tokens, MONDAY).usd for tokens in (1, 201)] == [2, 3]


def test_what_one_of_them_prices_alone_is_kept() -> None:
    """A second row that says nothing of searches takes none away."""
    one = RateTable.flat({Unit.INPUT: Rate(Decimal(1)), Unit.WEB_SEARCH: Rate(Decimal(3))})
    other = RateTable.flat({Unit.INPUT: Rate(Decimal(2)), Unit.OUTPUT: Rate(Decimal(4))})
    assert {unit: price.base.usd for unit, price in dearest(one, other).items()} == {
        Unit.INPUT: 2, Unit.WEB_SEARCH: 3, Unit.OUTPUT: 4,
    }  # fmt: skip


def test_a_unit_priced_by_another_ones_rate_counts_too() -> None:
    """Cached tokens at a tenth of a cheap input are no discount on a row that bills them as its dear input."""
    dear = RateTable.flat({Unit.INPUT: Rate(Decimal(10))})
    cheap = RateTable.flat({Unit.INPUT: Rate(Decimal(1)), Unit.CACHE_READ: Rate(Decimal("0.1"))})
    for found in (dearest(dear, cheap), dearest(cheap, dear)):
        assert [found[unit].base.usd for unit in (Unit.INPUT, Unit.CACHE_READ)] == [10, 10]


def test_the_standard_tier_by_its_name_is_the_tier_of_the_base_rate() -> None:
    """A band for it is held against the other row's base like a base of its own."""
    named = UnitPrice(Rate(Decimal(5)), (Band(When(service_tier="standard"), Rate(Decimal(1))),))
    found = dearest(RateTable({Unit.INPUT: named}), RateTable({Unit.INPUT: UnitPrice(Rate(Decimal(5)))}))
    assert found[Unit.INPUT].select(Context(), 1, MONDAY).usd == 5


def test_of_two_rates_for_one_place_the_dearer_stays() -> None:
    """Compared per unit, in whichever order they come; another place is another rate."""
    dear, cheap = Rate(Decimal(2)), Rate(Decimal(3), 2)
    for first, second in ((dear, cheap), (cheap, dear)):
        found: dict[str, Rate] = {}
        keep_dearer(found, "input", first)
        keep_dearer(found, "input", second)
        keep_dearer(found, "output", cheap)
        assert found == {"input": dear, "output": cheap}
