"""Rates and bands: which rate holds for a request, and what an unreadable one does."""

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core.cost import cost
from planner.core.errors import ImpossibleUsage, InvalidInput, Unpriced
from planner.core.money import plain
from planner.core.price import Band, Context, Rate, RateTable, UnitPrice, When
from planner.core.rate_form import check_entered, read_rates, write_rates
from planner.core.units import Direction, Unit
from planner.core.usage import COUNTS, Usage
from tests import make
from tests.make import NOON, rate, rates
from tests.worlds import _table as random_table


def banded(*bands: Band) -> RateTable:
    """Make a table whose input costs 1 and, in bands, something else."""
    return RateTable({Unit.INPUT: UnitPrice(rate("1"), bands)})


def selected(table: RateTable, tokens: int = 1, context: Context | None = None, at: datetime = NOON) -> Decimal:
    """Return the input rate in force."""
    return table.selected(context or Context(), tokens, at)[Unit.INPUT].usd


def test_the_worked_example_of_the_maths() -> None:
    """20,000 tokens with cache reads, both cache writes and reasoning cost $0.06285, not twice that."""
    table = rates("3", "15", cache_read="0.30", cache_write_5m="3.75", cache_write_1h="6")
    usage = Usage(
        input_tokens=20_000, cache_read_tokens=12_000, cache_write_5m_tokens=3_000, cache_write_1h_tokens=1_000,
        output_tokens=2_000, reasoning_tokens=1_200,
    )  # fmt: skip
    found = cost(usage, table, NOON)
    assert found.exact_usd == Fraction("0.06285")
    assert found.direction_pico(Direction.OUTPUT) == 30_000_000_000


@given(a=st.integers(0, 10**9), b=st.integers(0, 10**9))
def test_cost_is_additive(a: int, b: int) -> None:
    """Pricing two calls apart or together gives the same bill, to the last digit."""
    table = RateTable.flat({Unit.INPUT: Rate(Decimal("0.111"), 3_600)})
    apart = cost(Usage(input_tokens=a), table, NOON).exact_usd + cost(Usage(input_tokens=b), table, NOON).exact_usd
    assert cost(Usage(input_tokens=a + b), table, NOON).exact_usd == apart


def test_a_rate_that_does_not_terminate_is_rounded_once_per_line() -> None:
    """An hourly price for ten seconds keeps its exact value beside the rounded one."""
    found = cost(Usage(audio_seconds=10), RateTable.flat({Unit.AUDIO_SECOND: Rate(Decimal("0.111"), 3_600)}), NOON)
    assert found.exact_usd == Fraction(111, 360_000)
    assert found.total_pico == 308_333_333
    assert rate("1").amount_pico(3) == 3_000_000


def test_fallbacks_and_refusals() -> None:
    """Cache reads cost the input rate, reasoning the output rate; cache writes and media are never guessed."""
    found = cost(Usage(input_tokens=10, cache_read_tokens=4, output_tokens=10, reasoning_tokens=5), rates(), NOON)
    assert found.exact_usd == Fraction(30, 10**6)
    with pytest.raises(Unpriced) as refused:
        cost(Usage(input_tokens=9, cache_write_1h_tokens=4, input_audio_tokens=3), rates(cache_write_5m="1"), NOON)
    assert set(refused.value.units) == {Unit.CACHE_WRITE_1H, Unit.INPUT_AUDIO}
    with pytest.raises(Unpriced):
        cost(Usage(output_tokens=1), rates(output=None), NOON)


def test_the_last_band_that_holds_wins() -> None:
    """Bands are listed general to specific; ``>`` and ``>=`` differ by one token."""
    table = banded(
        Band(When(input_tokens_gt=100), rate("2")),
        Band(When(input_tokens_gte=200), rate("3")),
        Band(When(region="eu"), rate("4")),
    )
    assert [selected(table, tokens) for tokens in (100, 101, 199, 200)] == [1, 2, 2, 3]
    assert selected(table, 300, Context(region="eu")) == 4
    assert table != banded()
    assert hash(table) == hash(banded(*table[Unit.INPUT].bands))
    assert "INPUT" in repr(table)


def test_windows_are_half_open_wrap_and_know_weekdays() -> None:
    """A window may wrap midnight; its weekdays are those of the UTC date; equal ends are the whole day."""
    night = banded(Band(When(utc_start=22 * 60, utc_end=6 * 60, weekdays=frozenset({2})), rate("2")))
    day = banded(
        Band(When(utc_start=600, utc_end=720), rate("2")),
        Band(When(utc_start=0, utc_end=0, weekdays=frozenset({7})), rate("5")),
    )
    tuesday = datetime(2026, 11, 24, tzinfo=UTC)
    assert [selected(night, at=tuesday.replace(hour=h)) for h in (5, 6, 21, 22)] == [2, 1, 1, 2]
    assert selected(night, at=tuesday.replace(day=25, hour=5)) == 1
    assert [selected(day, at=tuesday.replace(hour=h)) for h in (9, 10, 11, 12)] == [1, 2, 2, 1]
    assert selected(day, at=tuesday.replace(day=29)) == 5


def test_a_tier_without_a_band_is_unpriced() -> None:
    """Tokens need a band of the tier; searches keep their price once the card knows the tier."""
    flex = Band(When(service_tier="flex"), rate("0.5"))
    table = RateTable(
        {
            Unit.INPUT: UnitPrice(rate("1"), (flex,)),
            Unit.OUTPUT: UnitPrice(rate("2")),
            Unit.WEB_SEARCH: UnitPrice(rate("9", 1)),
        }
    )
    found = cost(Usage(input_tokens=2, web_searches=1), table, NOON, Context("flex"))
    assert found.exact_usd == 9 + Fraction(1, 10**6)
    for usage, context in ((Usage(input_tokens=1, output_tokens=1), "flex"), (Usage(input_tokens=1), "batch")):
        with pytest.raises(Unpriced):
            cost(usage, table, NOON, Context(context))
    with pytest.raises(Unpriced):
        cost(Usage(pages=1), table, NOON, Context("batch"))


@pytest.mark.parametrize(
    "make_it",
    [
        lambda: Rate(Decimal(-1)),
        lambda: Rate(Decimal("NaN")),
        lambda: Rate(Decimal(1), 0),
        lambda: Context("FLEX"),
        lambda: When(input_tokens_gt=-1),
        lambda: When(service_tier="slow"),
        lambda: When(utc_start=1),
        lambda: When(utc_start=0, utc_end=1_440),
        lambda: When(weekdays=frozenset({0})),
        lambda: Usage(input_tokens=True),
        lambda: Usage(input_tokens=-1),
        lambda: Usage(input_tokens=2**63),
        lambda: Usage(input_tokens=1.0),  # type: ignore[arg-type]  # what a careless caller sends
        lambda: Usage.of({"tokens": 1}),
        lambda: Usage(cache_write_tokens=1, cache_write_5m_tokens=2, input_tokens=9),
        lambda: Usage(cache_read_tokens=1),
        lambda: Usage(pages=1, annotated_pages=2),
    ],
)
def test_what_cannot_be_meant_is_refused(make_it: object) -> None:
    """Rates, contexts, conditions and counts outside their range are refused at once."""
    with pytest.raises(InvalidInput):
        make_it()  # type: ignore[operator]  # each case is a call


def test_a_float_is_never_a_rate() -> None:
    """The guard holds where no type checker runs."""
    with pytest.raises(TypeError):
        Rate(0.1)  # type: ignore[arg-type]  # the guard is for callers without a type checker


def test_usage_partitions_into_its_totals() -> None:
    """The disjoint parts of the prompt add up to the prompt, those of the completion to the completion."""
    usage = Usage(
        input_tokens=100, cache_read_tokens=30, cache_read_audio_tokens=5, input_audio_tokens=20,
        cache_write_tokens=10, output_tokens=50, reasoning_tokens=20, output_image_tokens=5,
    )  # fmt: skip
    parts = dict(usage.parts)
    assert parts[Unit.INPUT] == 100 - 30 - 10 - 20 + 5
    assert usage.ttl_assumed
    assert sum(count for unit, count in parts.items() if unit.value.startswith(("input", "cache"))) == 100
    assert "requests" in COUNTS
    with pytest.raises(ImpossibleUsage):
        Usage(input_tokens=10, cache_read_tokens=6, cache_write_tokens=6)


def test_rates_per_million_are_exact_text() -> None:
    """A decimal where it is one, twelve places where it is not."""
    assert Rate(Decimal("0.000000522174")).usd_per_mtok() == "0.522174"
    assert Rate(Decimal("0.111"), 3_600).usd_per_mtok() == "30.833333333333"


def test_every_random_table_survives_being_written_and_read() -> None:
    """The written form loses nothing."""
    import random

    for seed in range(200):
        table = random_table(random.Random(seed))
        assert read_rates(write_rates(table)) == table


@given(digits=st.integers(0, 10**40), exponent=st.integers(-60, 5), fives=st.integers(0, 50))
def test_every_rate_there_can_be_survives_being_written_and_read(digits: int, exponent: int, fives: int) -> None:
    """Or it is none: a figure of more digits than are read again must not be stored."""
    usd = (Decimal(digits * 5**fives) if fives < 20 else Decimal(5**fives)).scaleb(exponent)
    try:
        table = RateTable.flat({Unit.INPUT: Rate(usd)})
    except InvalidInput:
        assert len(plain(usd)) > 40
        return
    assert read_rates(write_rates(table)) == table


@pytest.mark.parametrize(
    "entry",
    [
        {"unit": "token", "usd": "1"},
        {"unit": "input_token", "usd": 1},
        {"unit": "input_token", "usd": "-1"},
        {"unit": "input_token", "usd": "1", "per": 0},
        {"unit": "input_token", "usd": "1", "extra": 1},
        {"unit": "input_token", "usd": "1", "bands": [{"usd": "1"}]},
        {"unit": "input_token", "usd": "1", "bands": [None]},
        {"unit": "input_token", "usd": "1", "bands": {"usd": "1"}},
        {"unit": "input_token", "usd": "1", "bands": 3},
        {"unit": "input_token", "usd": "1", "bands": "two"},
        {"unit": "input_token", "usd": "1", "bands": [{"when": {"phase": "full"}, "usd": "1"}]},
        {"unit": "input_token", "usd": "1", "bands": [{"when": {"utc_start": "24:00", "utc_end": "1:00"}, "usd": "1"}]},
        {"unit": "input_token", "usd": "1", "bands": [{"when": {"utc_start": 5, "utc_end": "01:00"}, "usd": "1"}]},
        {"unit": "input_token", "usd": "1", "bands": [{"when": {"weekdays": ["mon"]}, "usd": "1"}]},
    ],
)
def test_unreadable_rates_name_their_place(entry: dict[str, object]) -> None:
    """A written rate that cannot be read is refused with the place of the mistake."""
    with pytest.raises(InvalidInput) as refused:
        read_rates([entry])
    assert refused.value.field.startswith("rates.0")
    with pytest.raises(InvalidInput):
        read_rates([{"unit": "input_token", "usd": "1"}] * 2)


def test_a_card_holds_from_its_first_moment_to_before_its_last() -> None:
    """``valid_from`` is inside, ``valid_to`` outside."""
    card = make.card("o", rates(), make.SINCE, NOON)
    assert (card.in_force(make.SINCE), card.in_force(NOON)) == (True, False)


def test_a_band_has_a_condition() -> None:
    """One that always holds would be another base rate."""
    with pytest.raises(InvalidInput):
        Band(When(), rate("1"))


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ([{"unit": "input_token", "usd": "0"}], "a price of nothing"),
        (
            [{"unit": "input_token", "usd": "1", "bands": [
                {"when": {"service_tier": "flex", "input_tokens_gt": 10}, "usd": "2"},
            ]}],
            "service_tier flex",
        ),
    ],
    ids=["nothing", "a tier that is not always priced"],
)  # fmt: skip
def test_rates_that_leave_a_cost_open_are_not_entered(listed: list[dict[str, Any]], said: str) -> None:
    """Free needs a curated mark, and a tier has a price of its own or none."""
    table = read_rates(listed)
    with pytest.raises(InvalidInput, match=said):
        check_entered(table, free=False)


def test_what_is_curated_as_free_may_cost_nothing() -> None:
    """The mark says that somebody looked."""
    check_entered(read_rates([{"unit": "input_token", "usd": "0"}]), free=True)
