"""Events: what no row can be, what its counts mean, and how a stream shows what its prompts contain."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core.errors import InvalidInput
from planner.core.event import (
    DECLARED,
    LARGER,
    NO_CACHE,
    SUMS,
    UNKNOWN,
    Containment,
    Event,
    Judge,
)
from planner.core.units import Unit

NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)
# $3 and $15 a million, $0.30 read from the cache, $3.75 and $6 written to it.
RATES = {
    Unit.INPUT: Fraction(3),
    Unit.CACHE_READ: Fraction("0.30"),
    Unit.CACHE_WRITE_5M: Fraction("3.75"),
    Unit.CACHE_WRITE_1H: Fraction(6),
    Unit.OUTPUT: Fraction(15),
}
# The observation obs1 of Langfuse, whose parts sum to its total: 21 + 18,000 + 300 + 393 = 18,714.
LANGFUSE = {"input_tokens": 21, "cache_read_tokens": 18_000, "cache_write_tokens": 300, "output_tokens": 393}


def event(counts: dict[str, int] | None = None, **facts: Any) -> Event:
    """Make an event; nobody has declared what its prompts contain."""
    said = {"source": "s", "id": "1", "at": NOON, "includes_cached": None, **facts}
    return Event(counts=counts or {}, **said)


def verdict(*events: Event, declared: bool | None = None) -> Containment:
    """Judge a stream."""
    judge = Judge(declared)
    for one in events:
        judge.see(one)
    return judge.verdict()


def cost(one: Event, includes_cached: bool) -> Fraction:
    """Price an event at the rates above, requests free."""
    parts = one.usage(includes_cached=includes_cached).parts
    return sum((RATES.get(unit, Fraction(0)) * count for unit, count in parts), Fraction(0)) / 1_000_000


@pytest.mark.parametrize("name", ["id", "source"])
def test_an_event_has_a_source_and_an_id(name: str) -> None:
    """Together they are counted once; without one of them nothing could be."""
    facts: dict[str, Any] = {name: ""}
    with pytest.raises(InvalidInput, match="a source and an id"):
        event(**facts)


@pytest.mark.parametrize("name", ["at", "until", "updated_at"])
def test_a_moment_has_an_offset(name: str) -> None:
    """Noon somewhere is no moment."""
    facts: dict[str, Any] = {name: datetime(2026, 9, 1, 12)}  # noqa: DTZ001  # the point of the test
    with pytest.raises(InvalidInput, match=name):
        event(**facts)


def test_an_aggregate_ends_after_it_began() -> None:
    """An event with an end is many requests, and an end that is no later than the beginning is refused."""
    assert event(until=NOON + timedelta(hours=1)).aggregate
    assert not event().aggregate
    with pytest.raises(InvalidInput, match="until"):
        event(until=NOON)


def test_a_name_that_is_no_count_is_refused() -> None:
    """A misspelled count would be a count nobody pays for."""
    with pytest.raises(InvalidInput, match="inptu_tokens"):
        event({"inptu_tokens": 1})


def test_exclusive_prompts_gain_their_cached_part() -> None:
    """The canonical prompt contains what was read and written, with the larger of what is said of writing."""
    counts = {"input_tokens": 100, "cache_read_tokens": 20, "cache_write_5m_tokens": 3, "cache_write_1h_tokens": 4}
    assert event(counts).usage(includes_cached=False).input_tokens == 127
    assert event({**counts, "cache_write_tokens": 9}).usage(includes_cached=False).input_tokens == 129
    assert event(counts).usage(includes_cached=True).input_tokens == 100


def test_the_sample_of_langfuse_is_exclusive_by_its_sum() -> None:
    """21 + 18,000 + 300 + 393 is the stated 18,714, and the row costs $0.012483."""
    row = event(LANGFUSE, total_tokens=18_714)
    assert verdict(row) == Containment(includes_cached=False, because=SUMS)
    assert cost(row, includes_cached=False) == Fraction("0.012483")


def test_span_3_of_the_trace_is_exclusive_because_it_read_more_than_its_prompt() -> None:
    """18,000 tokens do not lie inside 21; no total is stated."""
    assert verdict(event(LANGFUSE)) == Containment(includes_cached=False, because=LARGER)


def test_one_such_row_decides_for_the_whole_stream() -> None:
    """20,000 + 12,000 read are $0.0276 if inside and $0.0636 if beside; alone they look possible either way."""
    row = event({"input_tokens": 20_000, "cache_read_tokens": 12_000})
    assert verdict(row) == Containment(includes_cached=None, because=UNKNOWN)
    assert (cost(row, includes_cached=True), cost(row, includes_cached=False)) == (
        Fraction("0.0276"),
        Fraction("0.0636"),
    )
    assert verdict(row, event(LANGFUSE)) == Containment(includes_cached=False, because=LARGER)


def test_a_total_of_prompt_and_answer_shows_an_inclusive_stream() -> None:
    """1,000 with 800 read inside, and 200 out, are 1,200."""
    row = event({"input_tokens": 1_000, "cache_read_tokens": 800, "output_tokens": 200}, total_tokens=1_200)
    assert verdict(row) == Containment(includes_cached=True, because=SUMS)


def test_most_of_the_totals_decide() -> None:
    """One odd row among others is outvoted, and as many on each side leave it unknown."""
    counts = {"input_tokens": 1_000, "cache_read_tokens": 800, "output_tokens": 200}
    inside, beside = event(counts, total_tokens=1_200), event(counts, total_tokens=2_000)
    assert verdict(inside, beside, inside).includes_cached is True
    assert verdict(inside, beside) == Containment(includes_cached=None, because=UNKNOWN)


def test_totals_that_fit_neither_show_nothing() -> None:
    """A total with something else in it proves neither side."""
    row = event({"input_tokens": 1_000, "cache_read_tokens": 800, "output_tokens": 200}, total_tokens=5_000)
    assert verdict(row) == Containment(includes_cached=None, because=UNKNOWN)


def test_what_is_declared_holds() -> None:
    """By whoever sends the file, or by the stream itself, against all sums."""
    row = event({"input_tokens": 1_000, "cache_read_tokens": 800, "output_tokens": 200}, total_tokens=2_000)
    assert verdict(row, declared=True) == Containment(includes_cached=True, because=DECLARED)
    assert verdict(replace(row, includes_cached=True)) == Containment(includes_cached=True, because=DECLARED)
    assert verdict(replace(row, includes_cached=True), declared=False).includes_cached is False


def test_the_impossible_is_not_believed() -> None:
    """Neither a declaration nor a sum puts 18,000 tokens inside 21."""
    assert verdict(event(LANGFUSE), declared=True) == Containment(includes_cached=False, because=LARGER)
    assert verdict(event(LANGFUSE, total_tokens=414)) == Containment(includes_cached=False, because=LARGER)
    assert verdict(event(LANGFUSE), declared=False) == Containment(includes_cached=False, because=DECLARED)


def test_without_a_cached_part_both_are_the_same() -> None:
    """Nobody is asked about what makes no difference, and an empty stream makes none either."""
    assert verdict(event({"input_tokens": 5})) == verdict() == Containment(includes_cached=True, because=NO_CACHE)


@given(
    rows=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 60), st.integers(0, 9), st.booleans()), max_size=8),
    declared=st.sampled_from([None, True, False]),
)
def test_what_is_said_to_contain_can(rows: list[tuple[int, int, int, bool]], declared: bool | None) -> None:
    """Whatever a stream says, its order does not matter, and no prompt is said to contain more than itself."""
    events = [
        event(
            {"input_tokens": prompt, "cache_read_tokens": read, "output_tokens": out},
            total_tokens=prompt + out if total else None,
        )
        for prompt, read, out, total in rows
    ]
    found = verdict(*events, declared=declared)
    assert found == verdict(*reversed(events), declared=declared)
    if found.includes_cached:
        for one in events:
            assert one.usage(includes_cached=True).input_tokens >= one.counts["cache_read_tokens"]
