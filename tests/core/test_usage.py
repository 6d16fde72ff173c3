"""Usage is refused where it contradicts itself, and else cut into disjoint parts that add up to the whole."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core.errors import ImpossibleUsage, InvalidInput
from planner.core.units import REGISTRY, Dimension, Unit
from planner.core.usage import COUNT_MAX, COUNTS, Parts, Usage

counts = st.integers(0, 10_000)


@st.composite
def possible(draw: st.DrawFn) -> dict[str, int]:
    """Draw counts from the parts upwards, so that every whole contains its parts."""
    media = {f"cache_read_{kind}_tokens": draw(counts) for kind in ("audio", "image", "video")}
    inputs = {
        f"input_{kind}_tokens": media[f"cache_read_{kind}_tokens"] + draw(counts)
        for kind in ("audio", "image", "video")
    }
    short, long, unstated = draw(counts), draw(counts), draw(counts)
    cache_read = sum(media.values()) + draw(counts)
    whole = cache_read + short + long + unstated + sum(inputs.values()) - sum(media.values()) + draw(counts)
    outputs = {f"output_{kind}_tokens": draw(counts) for kind in ("audio", "image", "video")}
    reasoning = draw(counts)
    return {
        **media, **inputs, **outputs, "cache_read_tokens": cache_read, "cache_write_5m_tokens": short,
        "cache_write_1h_tokens": long, "cache_write_tokens": short + long + unstated, "input_tokens": whole,
        "reasoning_tokens": reasoning, "output_tokens": reasoning + sum(outputs.values()) + draw(counts),
    }  # fmt: skip


def tokens(usage: Usage, direction: str) -> int:
    """Add up the parts of one direction that count tokens."""
    return sum(
        count
        for unit, count in usage.parts
        if REGISTRY[unit].dimension is Dimension.TOKEN and REGISTRY[unit].direction.value == direction
    )


@given(possible())
def test_the_parts_add_up_to_the_whole(given: Mapping[str, int]) -> None:
    """Every token of the prompt and of the completion is in exactly one part; no part is empty or negative."""
    usage = Usage.of(given)
    assert tokens(usage, "input") == given["input_tokens"]
    assert tokens(usage, "output") == given["output_tokens"]
    assert all(count > 0 for _unit, count in usage.parts)
    assert len({unit for unit, _count in usage.parts}) == len(usage.parts)


@given(possible(), st.sampled_from(("input_tokens", "output_tokens")))
def test_a_whole_smaller_than_its_parts_is_refused(given: Mapping[str, int], whole: str) -> None:
    """One token less than the parts need cannot be."""
    usage = Usage.of(given)
    free = dict(usage.parts).get(Unit.INPUT if whole == "input_tokens" else Unit.OUTPUT, 0)
    if given[whole] - free - 1 < 0:
        return
    with pytest.raises(ImpossibleUsage, match=whole):
        Usage.of({**given, whole: given[whole] - free - 1})


@pytest.mark.parametrize("name", COUNTS)
def test_every_count_alone_is_billed_under_its_own_unit(name: str) -> None:
    """Three of anything, with the wholes that contain it, are three of one unit."""
    parents = {
        "cache_read": "input",
        "cache_write": "input",
        "input": "input",
        "reasoning": "output",
        "output": "output",
    }
    wholes: dict[str, int] = {}
    if name.endswith("_tokens"):
        parent = next(parents[start] for start in parents if name.startswith(start))
        wholes[f"{parent}_tokens"] = 3
        if name.startswith("cache_read_") and name != "cache_read_tokens":
            wholes |= {"cache_read_tokens": 3, name.replace("cache_read", "input"): 3}
    if name == "annotated_pages":
        wholes["pages"] = 3
    usage = Usage.of({"requests": 0, **wholes, name: 3})
    assert [count for _unit, count in usage.parts] == [3]


def test_plain_counts_have_the_unit_of_their_name() -> None:
    """The counts that contain nothing map to the unit of the same name, in the order of the registry."""
    plain = {
        "requests": Unit.REQUEST, "web_searches": Unit.WEB_SEARCH, "file_searches": Unit.FILE_SEARCH,
        "queries": Unit.QUERY, "input_images": Unit.INPUT_PICTURE, "images": Unit.PICTURE,
        "input_pixels": Unit.INPUT_PIXEL, "output_pixels": Unit.OUTPUT_PIXEL, "audio_seconds": Unit.AUDIO_SECOND,
        "output_audio_seconds": Unit.OUTPUT_AUDIO_SECOND, "video_seconds": Unit.VIDEO_SECOND,
        "output_video_seconds": Unit.OUTPUT_VIDEO_SECOND, "characters": Unit.CHARACTER,
        "output_characters": Unit.OUTPUT_CHARACTER,
    }  # fmt: skip
    for number, (name, unit) in enumerate(plain.items(), 1):
        assert Usage.of({"requests": 0, name: number}).parts == ((unit, number),)


def test_a_write_without_a_lifetime_counts_as_five_minutes() -> None:
    """The assumption is made visible."""
    usage = Usage(input_tokens=10, cache_write_tokens=10)
    assert (usage.ttl_assumed, usage.parts[0]) == (True, (Unit.CACHE_WRITE_5M, 10))
    assert not Usage(input_tokens=10, cache_write_5m_tokens=10).ttl_assumed


@pytest.mark.parametrize("value", [-1, COUNT_MAX + 1, True, 1.0, "1", None])
def test_what_is_no_count_is_refused(value: Any) -> None:
    """Negative, beyond 64 bits, and everything that is not an integer."""
    with pytest.raises(InvalidInput, match="output_tokens"):
        Usage(output_tokens=value)


def test_an_unknown_count_is_refused() -> None:
    """A name planner does not know is never dropped."""
    with pytest.raises(InvalidInput, match="tokens_in"):
        Usage.of({"tokens_in": 1})


@given(st.dictionaries(st.sampled_from(COUNTS), st.integers(-1, 3) | st.just(2**63), max_size=8))
def test_parts_are_those_of_the_whole_form(counts: dict[str, int]) -> None:
    """Whoever divides counts alone gets what `Usage` gets, and is refused what it is refused."""
    try:
        whole = Usage.of(counts)
    except InvalidInput as refused:
        with pytest.raises(type(refused), match=refused.field):
            Parts.of(counts)
        return
    assert Parts.of(counts) == Parts(whole.input_tokens, whole.parts, whole.ttl_assumed)


@given(
    st.fixed_dictionaries({"input_tokens": st.integers(0, 9), "output_tokens": st.integers(0, 9)}),
    st.fixed_dictionaries({}, optional={name: st.integers(-1, 9) | st.booleans() for name in
                                        ("cache_read_tokens", "reasoning_tokens", "requests")}),
)  # fmt: skip
def test_parts_of_text_alone_are_the_same(whole: dict[str, int], parts: dict[str, int]) -> None:
    """The short way of requests that are text and nothing else."""
    counts = {**whole, **parts}
    try:
        usage = Usage.of(counts)
    except InvalidInput as refused:
        with pytest.raises(type(refused)):
            Parts.of(counts)
        return
    assert Parts.of(counts) == (usage.input_tokens, usage.parts, False)
