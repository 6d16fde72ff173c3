"""Formats: a file is of one of them or of none, and whatever a file holds, nothing but a refusal comes of it."""

import gzip
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.core.errors import InvalidInput
from planner.ledger import formats
from planner.ledger.format import Format, Given, Read, Refused, Skipped
from planner.ledger.formats import FORMATS, guess
from planner.ledger.reading import open_file
from tests.data import shared
from tests.ledger.samples import TABLES, csv_text, jsonl_text, opened

MAPPING: dict[str, Any] = {
    "kind": "usage",
    "id": "row",
    "at": "at",
    "at_zone": "UTC",
    "counts": {"input_tokens": "n"},
}
GIVEN = Given(source="stream", provider="acme", mapping=MAPPING)
PAGES = {
    "openrouter_activity": {
        "data": [
            {
                "date": "2026-09-03",
                "model": "openai/gpt-4.1",
                "model_permaslug": "openai/gpt-4.1-2025-04-14",
                "endpoint_id": "endpoint-9",
                "provider_name": "OpenAI",
                "usage": 0.015,
                "byok_usage_inference": 0,
                "requests": 5,
                "prompt_tokens": 50,
                "completion_tokens": 125,
                "reasoning_tokens": 25,
            }
        ]
    },
    "openai_usage": {
        "object": "page",
        "data": [
            {
                "object": "bucket",
                "start_time": 1_788_393_600,
                "end_time": 1_788_480_000,
                "results": [
                    {
                        "object": "organization.usage.completions.result",
                        "input_tokens": 1_000,
                        "output_tokens": 500,
                        "num_model_requests": 5,
                        "model": "gpt-4.1",
                    }
                ],
            }
        ],
    },
    "openai_costs": {
        "object": "page",
        "data": [
            {
                "object": "bucket",
                "start_time": 1_788_393_600,
                "end_time": 1_788_480_000,
                "results": [{"object": "organization.costs.result", "amount": {"value": 0.06, "currency": "usd"}}],
            }
        ],
    },
    "anthropic_usage": {
        "data": [
            {
                "starting_at": "2026-09-03T00:00:00Z",
                "ending_at": "2026-09-04T00:00:00Z",
                "results": [
                    {
                        "uncached_input_tokens": 1_500,
                        "cache_creation": {"ephemeral_1h_input_tokens": 1_000, "ephemeral_5m_input_tokens": 500},
                        "cache_read_input_tokens": 200,
                        "output_tokens": 500,
                        "server_tool_use": {"web_search_requests": 10},
                        "model": "claude-opus-4-6",
                        "context_window": "0-200k",
                    }
                ],
            }
        ]
    },
    "otel_traces": {"resourceSpans": []},
    "otel_metrics": {"resourceMetrics": []},
}
"""A small document of each format that is one, by the format's name."""
RECORDED = {
    "anthropic/analytics_cost_beta.json": "anthropic_costs",
    "anthropic/analytics_usage_beta.json": "anthropic_usage",
    "anthropic/cost_report_legacy.json": "anthropic_costs",
    "anthropic/usage_report_messages_legacy.json": "anthropic_usage",
    "focus/ai_prompt_caching_a.csv": "focus",
    "focus/drawdown_via_prepayment_ai_model_api.csv": "focus",
    "helicone/requests.csv": "helicone",
    "langfuse/observations.jsonl": "langfuse",
    "litellm/spend_logs.csv": "litellm",
    "openai/costs_page.json": "openai_costs",
    "openai/usage_completions_page.json": "openai_usage",
    "openai/usage_embeddings_page.json": "openai_usage",
    "openrouter/activity.json": "openrouter_activity",
    "openrouter/generation.json": "openrouter_generation",
    "otel/otlp_metrics_genai.json": "otel_metrics",
    "otel/otlp_traces_genai.json": "otel_traces",
    "stripe/balance_change_from_activity_itemized_3.csv": "stripe_itemized",
    "stripe/balance_history.csv": "stripe_balance",
    "stripe/subscriptions.csv": "stripe_subscriptions",
    "traces/AzureLLMInferenceTrace_code.csv": None,
    "traces/mooncake_synthetic_trace.jsonl": None,
}
SAMPLES = [
    *(csv_text(row, row).encode() for row in TABLES.values()),
    *(jsonl_text(row, row).encode() for row in TABLES.values()),
    *(json.dumps({"data": [row]}).encode() for row in TABLES.values()),
    *(json.dumps(page).encode() for page in PAGES.values()),
    csv_text({"at": "2026-09-03 08:00:00", "n": "5"}).encode(),
]


def bodies(name: str) -> Iterator[str]:
    """Yield a sample of a format in each layout it comes in."""
    if name in PAGES:
        yield json.dumps(PAGES[name])
        return
    row = TABLES[name]
    yield csv_text(row)
    yield jsonl_text(row, row)
    yield json.dumps([row])
    yield json.dumps({"data": [row]})


@pytest.mark.parametrize("name", [*TABLES, *PAGES])
def test_a_file_is_of_one_format_and_of_no_other(name: str, tmp_path: Path) -> None:
    """In every layout, and with a reason a person understands."""
    for body in bodies(name):
        file = opened(tmp_path, body)
        known = {form.name for form in FORMATS if form.knows(file) is not None}
        assert known == {name}
        form, because = guess(file)
        assert form.name == name
        assert because.startswith("it")


@pytest.mark.parametrize(("path", "name"), RECORDED.items())
def test_the_recorded_files_are_of_their_formats(path: str, name: str | None) -> None:
    """Each of exactly one; a trace is of none, and a person has to say what its columns are."""
    file = open_file(shared("usage", *path.split("/")))
    assert [form.name for form in FORMATS if form.knows(file) is not None] == ([] if name is None else [name])


def test_a_file_of_no_format_is_answered_with_the_formats_there_are(tmp_path: Path) -> None:
    """And so is a name that is none."""
    with pytest.raises(InvalidInput, match=r"no known format.*litellm.*mapping"):
        guess(opened(tmp_path, "a,b\n1,2\n"))
    with pytest.raises(InvalidInput, match=r"one of litellm.*mapping is needed"):
        formats.named("excel")
    assert formats.named("focus").name == "focus"


def test_a_file_of_several_formats_is_not_guessed(tmp_path: Path) -> None:
    """The columns of two of them at once are somebody's own table."""
    both = {**TABLES["focus"], **TABLES["helicone"]}
    with pytest.raises(InvalidInput, match="each of helicone, focus; say which"):
        guess(opened(tmp_path, csv_text(both)))


def test_formats_have_names_of_their_own() -> None:
    """A name is what a person types, and a title what one reads."""
    assert len({form.name for form in FORMATS}) == len({form.title for form in FORMATS}) == len(FORMATS)
    assert all(form.name.replace("_", "a").isalnum() and form.name.islower() for form in FORMATS)


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """Return a sample with a few of its bytes changed, cut out, repeated or put in, perhaps packed before or after."""
    body = bytearray(draw(st.sampled_from(SAMPLES)))
    packed = draw(st.sampled_from(["no", "no", "before", "after"]))
    if packed == "before":
        body = bytearray(gzip.compress(bytes(body)))
    for _change in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(body)))
        end = min(len(body), start + draw(st.integers(0, 30)))
        put = draw(
            st.binary(max_size=4)
            | st.sampled_from([b'"', b"\n", b"{", b"}", b",", b"\0", b"null", b"-1", b"1e400", b"[]", b"\xff", b""])
        )
        body[start:end] = put * draw(st.integers(1, 3)) + (bytes(body[start:end]) if draw(st.booleans()) else b"")
    return gzip.compress(bytes(body)) if packed == "after" else bytes(body)


def read_all(body: bytes, *forms: Format) -> None:
    """Open a file and read it in these formats: anything may be refused, and nothing else may happen."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file")
        path.write_bytes(body)
        try:
            file = open_file(path)
        except InvalidInput:
            return
        assert list(file.rows()) == list(file.rows())
        for form in forms:
            try:
                form.knows(file)
                found = list(form.read(file, GIVEN))
            except InvalidInput:
                continue
            assert all(isinstance(row, Read | Refused | Skipped) for row in found)
        try:
            guess(file)
        except InvalidInput:
            return


@given(body=broken())
@settings(max_examples=150)
def test_whatever_a_file_holds_it_is_read_or_refused(body: bytes) -> None:
    """No other error leaves a reader, whichever format is tried; and reading again gives the same."""
    read_all(body, *FORMATS)


@given(data=st.data())
@settings(max_examples=25)
def test_a_damaged_parquet_is_read_or_refused(data: st.DataObject, parquet_body: bytes) -> None:
    """Wherever its bytes were changed."""
    body = bytearray(parquet_body)
    for _change in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    read_all(bytes(body), formats.named("langfuse"))


@pytest.fixture(scope="module")
def parquet_body(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small Parquet file in the shape of an export of Langfuse."""
    path = tmp_path_factory.mktemp("parquet") / "file"
    with duckdb.connect(":memory:") as engine:
        engine.sql(
            "SELECT 'obs' || range AS id, 't' AS trace_id, 'GENERATION' AS type, 'm' AS provided_model_name,"
            " TIMESTAMP '2026-09-03 08:00:00' AS start_time, MAP {'input': 10, 'output': range} AS usage_details,"
            " {'plan': 'team'} AS metadata, 0.1::DOUBLE AS total_cost FROM range(40)"
        ).write_parquet(str(path))
    return path.read_bytes()
