"""Traces of OpenTelemetry: leaf inferences are requests, contents are never looked at, and garbage is refused."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from planner.core import strict_json
from planner.core.cost import cost
from planner.core.errors import InvalidInput
from planner.core.event import Event, Outcome
from planner.ledger.containment import judged
from planner.ledger.format import Given, Read, Skipped
from planner.ledger.otel import OtelTraces, decode, spans
from planner.ledger.otlp_message import answer
from planner.ledger.reading import open_file
from tests import make
from tests.data import shared
from tests.ledger.opened import GIVEN, broken, document, events, refusals
from tests.ledger.otlp import CHAT, SECRET, TRACE, message, protobuf, span, strict

PRICES = {
    "gpt-4.1-2025-04-14": make.rates(input="2", output="8", cache_read="0.5"),
    "gpt-4o-mini": make.rates(input="0.15", output="0.6"),
    "claude-sonnet-4-5": make.rates(input="3", output="15", cache_read="0.3", cache_write_5m="3.75"),
}


def chat(said: Mapping[str, object] = CHAT, given_: Given = GIVEN, **fields: Any) -> Event:
    """Read one span."""
    return events(spans(strict(message(span(1, said, **fields))), given_))[0]


def usd(found: list[Event]) -> Fraction:
    """Price requests at the prices the sample names, with the containment of each provider's rows."""
    settled = judged(found, None)
    total = Fraction()
    for event in found:
        inside = settled[event.provider or ""].includes_cached
        assert inside is not None
        total += cost(event.usage(includes_cached=inside), PRICES[event.model or ""], event.at).exact_usd
    return total


def test_a_span_of_one_inference_is_a_request() -> None:
    """Its id is that of the span, its request's id the provider's; the model is the one that answered."""
    event = chat()
    assert (event.id, event.request_id) == (f"{TRACE}/0000000000000001", "chatcmpl-1")
    assert (event.at, event.until) == (datetime(2026, 11, 23, tzinfo=UTC), None)
    assert event.counts == {
        "requests": 1, "input_tokens": 811, "cache_read_tokens": 640, "output_tokens": 92, "reasoning_tokens": 40,
    }  # fmt: skip
    assert (event.provider, event.model, event.channel, event.includes_cached) == (
        "openai", "gpt-4.1-2025-04-14", "direct", True,
    )  # fmt: skip
    assert (event.project, event.outcome, event.stated_usd) == ("shop", Outcome.OK, None)
    assert event.tags == {"operation": "chat", "request_model": "gpt-4.1", "environment": "prod"}


def test_contents_are_never_looked_at() -> None:
    """Names of spans, messages and events are in nothing that was read, also not in a refusal."""
    said = {**CHAT, "gen_ai.usage.output_tokens": SECRET}
    found = list(spans(strict(message(span(), span(2, said), span(3, {"x": SECRET}))), GIVEN))
    assert [type(row).__name__ for row in found] == ["Read", "Refused", "Skipped"]
    assert SECRET not in repr(found)
    assert SECRET not in repr(decode(protobuf(message(span()))))


def test_what_a_file_or_a_person_says_of_whose_it_is() -> None:
    """Attributes of planner's own come first, then the user of the convention, then what was given for every row."""
    said = {**CHAT, "planner.plan": "pro", "planner.customer": "c-1", "planner.task": "chat", "user.id": "u-1"}
    given_ = Given(source="s", plan="free", customer="g", task="other", includes_cached=False, channel="azure")
    own, user, nobody = chat(said, given_), chat({**CHAT, "enduser.id": "u-2"}, given_), chat(CHAT, given_)
    assert (own.plan, own.customer, own.task) == ("pro", "c-1", "chat")
    assert (user.plan, user.customer, nobody.customer) == ("free", "u-2", "g")
    assert (own.includes_cached, own.channel) == (False, "azure")


@pytest.mark.parametrize(
    ("word", "provider"),
    [
        ("aws.bedrock", "amazon-bedrock"),
        ("azure.ai.openai", "azure"),
        ("gcp.vertex_ai", "google-vertex"),
        ("gcp.gemini", "google-ai-studio"),
        ("gcp.gen_ai", "gcp.gen_ai"),
        ("x_ai", "xai"),
        ("az.ai.openai", "azure"),
        ("some_host", "some_host"),
    ],
)
def test_providers_of_the_registry_have_planners_ids(word: str, provider: str) -> None:
    """By the new attribute or the old; a word the registry does not settle stays as it is."""
    without = {name: value for name, value in CHAT.items() if name != "gen_ai.provider.name"}
    assert chat({**CHAT, "gen_ai.provider.name": word}).provider == provider
    assert chat({**without, "gen_ai.system": word}).provider == provider
    assert chat(without, Given(source="s", provider="given")).provider == "given"


@pytest.mark.parametrize(
    "said",
    [
        {"gen_ai.usage.prompt_tokens": 9, "gen_ai.usage.completion_tokens": 4, "gen_ai.usage.cached_tokens": 3,
         "gen_ai.usage.reasoning_tokens": 2},
        {"llm.usage.prompt_tokens": 9, "llm.usage.completion_tokens": 4, "gen_ai.usage.cache_read_input_tokens": 3,
         "llm.usage.reasoning_tokens": 2},
        {"usage.prompt_tokens": 9, "usage.completion_tokens": 4, "usage.cached_tokens": 3, "usage.reasoning_tokens": 2},
        {"usage.input_tokens": 9, "usage.output_tokens": 4, "usage.input_cached_tokens": 3,
         "usage.reasoning_tokens": 2},
        {"llm.token_count.prompt": 9, "llm.token_count.completion": 4, "llm.token_count.prompt_details.cache_read": 3,
         "llm.token_count.completion_details.reasoning": 2},
        {"gen_ai.usage.input_tokens": 9, "gen_ai.usage.prompt_tokens": 8, "gen_ai.usage.output_tokens": 4.0,
         "gen_ai.usage.cache_read.input_tokens": "3", "gen_ai.usage.reasoning.output_tokens": 2},
    ],
)  # fmt: skip
def test_counts_have_other_names_in_the_wild(said: dict[str, object]) -> None:
    """The convention's name counts before an older one, and a whole number may be written as any kind of number."""
    event = chat({"gen_ai.request.model": "m", **said})
    assert event.counts == {
        "requests": 1, "input_tokens": 9, "output_tokens": 4, "cache_read_tokens": 3, "reasoning_tokens": 2,
    }  # fmt: skip


def test_a_total_is_kept_for_judging_the_containment() -> None:
    """Of an instrumentation whose prompts exclude the cached part, the total shows it."""
    assert chat({**CHAT, "gen_ai.usage.total_tokens": 903}).total_tokens == 903


def test_audio_has_a_price_of_its_own_where_it_is_not_cached() -> None:
    """Where it does not fit beside the cached part, nobody knows which of it was cached, and nothing is priced."""
    said = {"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 100, "gen_ai.usage.audio.input_tokens": 80}
    plain, cached = chat(said), chat({**said, "gen_ai.usage.cache_read.input_tokens": 30})
    assert (plain.counts["input_audio_tokens"], plain.rateable) == (80, True)
    assert ("input_audio_tokens" in cached.counts, cached.rateable) == (False, False)


@pytest.mark.parametrize("name", ["openai.response.service_tier", "gen_ai.openai.response.service_tier"])
def test_the_tier_is_the_one_that_was_served(name: str) -> None:
    """And not the one that was asked for."""
    said = {**CHAT, "openai.request.service_tier": "priority"}
    assert (chat(said).service_tier, chat({**said, name: "flex"}).service_tier) == ("standard", "flex")


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ({"code": 2}, Outcome.FAILED),
        ({"code": "STATUS_CODE_ERROR"}, Outcome.FAILED),
        ({"code": 1}, Outcome.OK),
        (None, Outcome.OK),
    ],
)
def test_an_error_is_a_failed_request(status: object, outcome: Outcome) -> None:
    """Whatever it used is still counted."""
    event = chat(status=status)
    assert (event.outcome, event.counts["input_tokens"]) == (outcome, 811)


@pytest.mark.parametrize("operation", ["invoke_agent", "execute_tool", "create_agent"])
def test_what_is_no_inference_is_skipped(operation: str) -> None:
    """An agent or a tool may repeat the tokens of what it asked for, and a span without tokens has nothing to count."""
    agent = span(1, {**CHAT, "gen_ai.operation.name": operation})
    found = list(spans(strict(message(agent, span(2, {"http.request.method": "POST"}))), GIVEN))
    assert [row.reason.partition(":")[0] for row in found if isinstance(row, Skipped)] == [operation, "no inference"]


def test_of_spans_inside_each_other_the_innermost_counts() -> None:
    """Also through a span of another kind; an agent is none, and a span that is its own parent is alone."""
    made = [
        span(1, {**CHAT, "gen_ai.operation.name": "invoke_agent"}),
        span(2, parent=1),
        span(3, {"http.request.method": "POST"}, parent=2),
        span(4, parent=3),
        span(5, parent=1),
        span(6, parent=6),
        span(7, parent=99),
    ]
    found = spans(strict(message(*made)), GIVEN)
    assert [event.id[-1] for event in events(found)] == ["4", "5", "6", "7"]


def test_in_a_file_an_inner_span_may_be_on_an_earlier_line(tmp_path: Path) -> None:
    """Exporters send a span when it ends, and the outer one ends last."""
    path = tmp_path / "traces.jsonl"
    path.write_text("\n".join(map(json.dumps, (message(span(2, parent=1)), message(span(1)), {"resourceLogs": []}, 7))))
    file = open_file(path)
    found = list(OtelTraces().read(file, GIVEN))
    assert OtelTraces().knows(file) is not None
    assert [(type(row).__name__, row.place.partition(" ")[2][:6]) for row in found] == [
        ("Read", "1 reso"), ("Skipped", "2 reso"), ("Skipped", "3"), ("Refused", "4"),
    ]  # fmt: skip


def test_json_and_protobuf_are_read_alike() -> None:
    """The same ids in hexadecimal digits, the same counts, the same outcome, the same spans left out."""
    listed, doubled = {**CHAT, "user.id": ["a"]}, {**CHAT, "gen_ai.usage.output_tokens": 4.0, "x": True}
    body = message(span(1), span(2, doubled, parent=1, status={"code": 2}), span(3, listed))
    assert list(spans(decode(protobuf(body)), GIVEN)) == list(spans(strict(body), GIVEN))
    assert list(spans(decode(b""), GIVEN)) == []
    halves = protobuf(message(span(1, {**CHAT, "gen_ai.usage.output_tokens": 0.5})))
    infinite = protobuf(message(span(1, {**CHAT, "gen_ai.usage.output_tokens": float("inf")})))
    for sent in (halves, infinite):
        assert refusals(spans(decode(sent), GIVEN))[0].startswith("gen_ai.usage.output_tokens: ")


@pytest.mark.parametrize(
    ("said", "fields", "field"),
    [
        ({}, {"traceId": "x"}, "traceId"),
        ({}, {"traceId": None}, "traceId"),
        ({}, {"spanId": "00f067aa0ba902b"}, "spanId"),
        ({}, {"startTimeUnixNano": "0"}, "startTimeUnixNano"),
        ({}, {"startTimeUnixNano": 1_795_392_000}, "startTimeUnixNano"),
        ({"gen_ai.usage.input_tokens": -1}, {}, "gen_ai.usage.input_tokens"),
        ({"gen_ai.usage.input_tokens": 0.5}, {}, "gen_ai.usage.input_tokens"),
        ({"gen_ai.usage.input_tokens": ["1"]}, {}, "gen_ai.usage.input_tokens"),
        ({"openai.response.service_tier": "gold"}, {}, "service_tier"),
        ({"gen_ai.response.model": "m" * 900}, {}, "gen_ai.response.model"),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_field(said: dict[str, Any], fields: dict[str, Any], field: str) -> None:
    """And the span after it is read."""
    found = list(spans(strict(message(span(1, {**CHAT, **said}, **fields), span(2))), GIVEN))
    assert [reason.partition(":")[0] for reason in refusals(found)] == [field]
    assert len([row for row in found if isinstance(row, Read)]) == 1


def test_lists_and_objects_that_are_none_are_refused_where_they_stand() -> None:
    """A message that lacks them is empty."""
    body = {"resourceSpans": [7, {"scopeSpans": [7, {"spans": [7, span()]}, {"spans": 7}]}, {"scopeSpans": 7}, {}]}
    found = list(spans(strict(body), GIVEN, place="line 3"))
    assert [row.place for row in found] == [
        "line 3 resourceSpans[0]",
        "line 3 resourceSpans[1].scopeSpans[0]",
        "line 3 resourceSpans[1].scopeSpans[1].spans[0]",
        "line 3 resourceSpans[1].scopeSpans[1].spans[1]",
        "line 3 resourceSpans[1].scopeSpans[2].spans",
        "line 3 resourceSpans[2].scopeSpans",
    ]
    assert (list(spans({}, GIVEN)), next(spans({"resourceSpans": 7}, GIVEN)).place) == ([], "resourceSpans")


def exclusive() -> dict[str, Any]:
    """Make a span whose cached part is larger than its prompt."""
    return span(
        3,
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "anthropic",
            "gen_ai.request.model": "claude-sonnet-4-5",
            "gen_ai.usage.input_tokens": 21,
            "gen_ai.usage.cache_read.input_tokens": 18_000,
            "gen_ai.usage.cache_creation.input_tokens": 300,
            "gen_ai.usage.output_tokens": 393,
        },
    )


def test_the_cost_of_three_requests() -> None:
    """$0.013986: 171 + 640 cached tokens, 500 without a cache, and one whose prompt excludes 18,300 cached ones."""
    small = {"gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o-mini", "gen_ai.usage.prompt_tokens": 500,
             "gen_ai.usage.completion_tokens": 50}  # fmt: skip
    made = message(span(1), span(2, small), exclusive())
    for found in (spans(strict(made), GIVEN), spans(decode(protobuf(made)), GIVEN)):
        assert usd(events(found)) == Fraction("0.013986")


def test_the_recorded_sample() -> None:
    """Three requests, $0.013986 at the prices it names; as protobuf the same."""
    path = shared("usage", "otel", "otlp_traces_genai.json")
    found = events(OtelTraces().read(open_file(path), GIVEN))
    assert usd(found) == Fraction("0.013986")
    assert found == events(spans(decode(protobuf(json.loads(path.read_text()))), GIVEN))
    assert [event.provider for event in found] == ["openai", "openai", "anthropic"]


WHOLE = message(span(1, parent=2), span(2), exclusive())


@given(body=broken(WHOLE))
def test_a_broken_message_is_refused_span_by_span(body: Any) -> None:
    """Whatever is missing or of another kind, nothing is raised."""
    file = document(body)
    OtelTraces().knows(file)
    list(OtelTraces().read(file, GIVEN))
    list(spans(strict(body), GIVEN))


@given(at=st.integers(0, len(json.dumps(WHOLE)) - 1), byte=st.integers(0, 255))
def test_a_byte_that_changed_is_read_or_refused(at: int, byte: int) -> None:
    """As JSON, nothing but a refusal is raised."""
    sent = bytearray(json.dumps(WHOLE).encode())
    sent[at] = byte
    try:
        body = strict_json.read(bytes(sent))
    except InvalidInput:
        return
    list(spans(body, GIVEN))


@given(at=st.integers(0, len(protobuf(WHOLE)) - 1), byte=st.integers(0, 255), cut=st.integers(0, 40))
def test_protobuf_that_changed_is_read_or_refused(at: int, byte: int, cut: int) -> None:
    """As protobuf, with a byte changed and the end cut off, nothing but a refusal is raised."""
    sent = bytearray(protobuf(WHOLE))
    sent[at] = byte
    try:
        body = decode(bytes(sent[: len(sent) - cut]))
    except InvalidInput:
        return
    list(spans(body, GIVEN))


@given(sent=st.binary(max_size=200))
def test_garbage_is_no_protobuf(sent: bytes) -> None:
    """It is refused, or happens to be a message that says nothing."""
    try:
        body = decode(sent)
    except InvalidInput:
        return
    assert not [row for row in spans(body, GIVEN) if isinstance(row, Read)]


def test_an_exporter_is_told_how_many_spans_were_refused() -> None:
    """An empty answer is success, as the protocol has it."""
    told = ExportTraceServiceResponse.FromString(answer(2, "why")).partial_success
    assert (told.rejected_spans, told.error_message, answer(0, "why")) == (2, "why", b"")
