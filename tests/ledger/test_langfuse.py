"""Langfuse: generations and embeddings are requests, whose usage is spelled in many ways and taken apart in one."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from planner.core.event import DECLARED, LARGER, SUMS, Event, Outcome, Role, StatedBy
from planner.ledger import langfuse
from planner.ledger.containment import judged
from planner.ledger.format import Skipped
from planner.ledger.reading import open_file
from tests.data import shared
from tests.ledger.samples import GIVEN, OBSERVATION, csv_text, events, jsonl_text, opened, refused

(OBSERVATIONS,) = langfuse.FORMATS


def read(folder: Path, **changes: Any) -> Event:
    """Read one observation that differs from the sample in some keys."""
    (event,) = events(OBSERVATIONS, opened(folder, jsonl_text({**OBSERVATION, **changes}, {"type": "SPAN"})))
    return event


def usage(folder: Path, **kinds: int) -> Event:
    """Read one observation with this usage."""
    return read(folder, usage_details=kinds)


def test_a_generation_is_one_request(tmp_path: Path) -> None:
    """Its time is UTC, its labels come from its metadata, and its cost is an estimate."""
    assert read(tmp_path) == Event(
        source="stream",
        id="obs-9",
        at=datetime(2026, 9, 3, 8, 0, 0, 500_000, UTC),
        counts={"input_tokens": 10, "cache_read_tokens": 500, "output_tokens": 90},
        includes_cached=None,
        total_tokens=600,
        model="claude-sonnet-4-5",
        plan="team",
        customer="cust-7",
        task="search",
        project="project-9",
        tags={"environment": "production"},
        stated_usd=Decimal("0.0015"),
        stated_by=StatedBy.ESTIMATE,
        updated_at=datetime(2026, 9, 3, 8, 0, 3, tzinfo=UTC),
    )
    assert (OBSERVATIONS.role, OBSERVATIONS.mutable) == (Role.LEDGER, True)


def test_it_is_the_same_in_every_layout(tmp_path: Path) -> None:
    """CSV with JSON in its cells, lines, a list, and Parquet with maps and naive moments."""
    row = {**OBSERVATION, "metadata": {"plan": "team", "feature": "search", "customer": "cust-7"}}
    expected = read(tmp_path)
    with duckdb.connect(":memory:") as engine:
        engine.execute(
            "COPY (SELECT 'obs-9' AS id, 'trace-9' AS trace_id, 'project-9' AS project_id, 'GENERATION' AS type,"
            " 'production' AS environment, TIMESTAMP '2026-09-03 08:00:00.500' AS start_time,"
            " MAP {'plan': 'team', 'feature': 'search', 'customer': 'cust-7'} AS metadata,"
            " 'claude-sonnet-4-5' AS provided_model_name, 0.0015::DECIMAL(18, 12) AS total_cost,"
            " MAP {'input': 10::UBIGINT, 'input_cache_read': 500, 'output': 90, 'total': 600} AS usage_details,"
            f" TIMESTAMP '2026-09-03 08:00:03' AS updated_at) TO '{tmp_path / 'table'}' (FORMAT parquet)"
        )
    bodies = (csv_text(row).encode(), json.dumps([row]).encode(), (tmp_path / "table").read_bytes())
    for body in bodies:
        file = opened(tmp_path, body)
        assert OBSERVATIONS.knows(file) == "it has the columns of Langfuse's observations"
        assert events(OBSERVATIONS, file) == [expected]


def test_contents_are_never_read(tmp_path: Path) -> None:
    """Neither messages nor answers, nor a metadata that is anything else than labels."""
    assert "contents" not in repr(read(tmp_path, metadata={"text": "the contents of something", "plan": "x" * 500}))
    assert read(tmp_path, metadata="contents").plan is None
    assert read(tmp_path, metadata=["contents"]).plan is None


def test_what_only_contains_others_is_skipped(tmp_path: Path) -> None:
    """A span has no usage of its own; an embedding has."""
    rows = [{**OBSERVATION, "type": kind} for kind in ("SPAN", "EMBEDDING", "AGENT", "TOOL", None)]
    found = list(OBSERVATIONS.read(opened(tmp_path, jsonl_text(*rows)), GIVEN))
    assert [row.place for row in found if isinstance(row, Skipped)] == ["line 1", "line 3", "line 4", "line 5"]
    assert refused(found) == []


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        *(
            (kind, "cache_read_tokens")
            for kind in ("input_cache_read", "input_cached_tokens", "cache_read_input_tokens")
        ),
        *((kind, "cache_write_tokens") for kind in ("input_cache_creation", "cache_creation_input_tokens")),
        *((kind, "reasoning_tokens") for kind in ("output_reasoning", "output_reasoning_tokens")),
        *((kind, "input_audio_tokens") for kind in ("input_audio", "input_audio_tokens")),
    ],
)
def test_one_count_has_many_spellings(kind: str, count: str, tmp_path: Path) -> None:
    """Each integration has its own, and all of them mean the same."""
    assert usage(tmp_path, input=1_000, output=100, **{kind: 7}).counts[count] == 7


def test_two_spellings_of_one_count_are_one(tmp_path: Path) -> None:
    """Where they agree, or one of them is 0; where they do not, the row is refused."""
    event = usage(tmp_path, input=9, input_cached_tokens=7, cache_read_input_tokens=7, input_cache_read=0)
    assert event.counts["cache_read_tokens"] == 7
    row = {**OBSERVATION, "usage_details": {"input_cached_tokens": 7, "input_cache_read": 8}}
    ((_place, reason),) = refused(OBSERVATIONS.read(opened(tmp_path, jsonl_text(row, {})), GIVEN))
    assert reason == "input_cache_read: another spelling of the same count says something else"


def test_reasoning_lies_beside_the_answer(tmp_path: Path) -> None:
    """Langfuse takes it out of what OpenAI reports: 600 with 500 of them reasoning become 100 and 500."""
    event = usage(tmp_path, input=100, output=100, output_reasoning_tokens=500, total=700)
    assert (event.counts["output_tokens"], event.counts["reasoning_tokens"]) == (600, 500)
    assert usage(tmp_path, input=100, output=100, output_reasoning_tokens=500).counts["output_tokens"] == 600


def test_unless_the_total_of_the_row_says_otherwise(tmp_path: Path) -> None:
    """100 + 600 are the stated 700, so the 500 lie inside; with 20 read beside them, 720 say the same."""
    for total, read_ in ((700, 0), (720, 20)):
        kinds = {"input": 100, "output": 600, "output_reasoning": 500, "input_cache_read": read_, "total": total}
        assert usage(tmp_path, **kinds).counts["output_tokens"] == 600


def test_a_part_larger_than_its_whole_lies_beside_it(tmp_path: Path) -> None:
    """Whatever the total says, an answer of 100 does not contain 500."""
    event = usage(tmp_path, input=600, output=100, output_reasoning=500, total=700)
    assert event.counts["output_tokens"] == 600


def test_text_has_no_unit_of_its_own(tmp_path: Path) -> None:
    """A prompt taken apart into text and sound is their sum."""
    counts = usage(tmp_path, input=0, input_text_tokens=900, input_audio_tokens=100, output=50, total=1_050).counts
    assert counts == {"input_tokens": 1_000, "input_audio_tokens": 100, "output_tokens": 50}


def test_a_cache_write_is_the_whole_of_its_lifetimes(tmp_path: Path) -> None:
    """Two kinds of their own make the whole; where the whole is there too, it is not added again."""
    split = {"input": 5, "input_cache_creation_5m": 10, "input_cache_creation_1h": 30}
    assert usage(tmp_path, **split).counts["cache_write_tokens"] == 40
    assert usage(tmp_path, **split, input_cache_creation=40).counts["cache_write_tokens"] == 40
    assert usage(tmp_path, **split, input_cache_creation=7).counts["cache_write_tokens"] == 47


def test_a_kind_nobody_knows_makes_no_cost(tmp_path: Path) -> None:
    """Its tokens would be missing in it; a kind that counts nothing does not matter."""
    assert usage(tmp_path, input=5, input_holograms=7).rateable is False
    assert usage(tmp_path, input=5, input_holograms=0).rateable is True
    assert read(tmp_path, usage_details={"input": 5, "output": None, "input_holograms": None}).rateable is True


def test_the_providers_own_id_comes_with_opentelemetry(tmp_path: Path) -> None:
    """An application's request id may be of many requests, and is not taken for it."""
    assert read(tmp_path, metadata={"request_id": "http-1"}).request_id is None
    assert read(tmp_path, metadata={"gen_ai.response.id": "chatcmpl-1"}).request_id == "chatcmpl-1"
    assert read(tmp_path, metadata={"attributes": {"gen_ai.response.id": "chatcmpl-1"}}).request_id == "chatcmpl-1"


def test_an_error_is_a_failure_and_no_cost_is_none(tmp_path: Path) -> None:
    """A model Langfuse has no price for has a null cost."""
    event = read(tmp_path, level="ERROR", total_cost=None, user_id="user-1", metadata={})
    assert (event.outcome, event.stated_usd, event.customer) == (Outcome.FAILED, None, "user-1")


def test_containment_is_judged_unless_somebody_declares_it(tmp_path: Path) -> None:
    """By the sums of the rows; declared, it holds."""
    file = opened(tmp_path, jsonl_text(OBSERVATION, OBSERVATION))
    found = judged(events(OBSERVATIONS, file), None)[""]
    assert (found.includes_cached, found.because) == (False, SUMS)
    declared = replace(GIVEN, provider="anthropic", includes_cached=False)
    found = judged(events(OBSERVATIONS, file, declared), None)["anthropic"]
    assert (found.includes_cached, found.because) == (False, DECLARED)


def test_an_inclusive_stream_is_seen_by_its_totals(tmp_path: Path) -> None:
    """1,000 with 800 of them read, and 200 out, are 1,200."""
    event = usage(tmp_path, input=1_000, input_cached_tokens=800, output=200, total=1_200)
    assert judged([event], None)[""].includes_cached is True
    bare = usage(tmp_path, input=10, input_cached_tokens=800, output=200)
    assert judged([bare], None)[""].because == LARGER


def test_a_row_that_cannot_be_read_is_refused_by_its_field(tmp_path: Path) -> None:
    """A long or unprintable key of a row's own is not repeated."""
    wrong: list[dict[str, Any]] = [
        {"id": None},
        {"start_time": None},
        {"total_cost": -1},
        {"usage_details": {"input": -1}},
        {"usage_details": {"x\u202e": "y"}},
        {"usage_details": [1]},
    ]
    body = jsonl_text(*({**OBSERVATION, **changes} for changes in wrong))
    fields = [reason.partition(":")[0] for _place, reason in refused(OBSERVATIONS.read(opened(tmp_path, body), GIVEN))]
    assert fields == ["id", "start_time", "total_cost", "input", "a field", "usage_details"]


def test_the_recorded_sample_is_exclusive_by_its_sum() -> None:
    """21 + 18,000 + 300 + 393 is its total of 18,714; its costs are $0.012483 and none, and its span is skipped."""
    file = open_file(shared("usage", "langfuse", "observations.jsonl"))
    first, second = events(OBSERVATIONS, file)
    assert judged((first, second), None)[""].because == SUMS
    assert judged((first, second), None)[""].includes_cached is False
    assert first.usage(includes_cached=False).input_tokens + 393 == first.total_tokens == 18_714
    assert (first.stated_usd, second.stated_usd) == (Decimal("0.012483"), None)
    assert sum(isinstance(row, Skipped) for row in OBSERVATIONS.read(file, GIVEN)) == 1
