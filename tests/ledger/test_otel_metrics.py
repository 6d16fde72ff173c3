"""Token metrics of OpenTelemetry: counters are differenced, one instrument counts, and all of it is evidence."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core.event import Event, Role
from planner.ledger.format import Read, Skipped
from planner.ledger.otel_metrics import OtelMetrics
from planner.ledger.reading import open_file
from tests.data import shared
from tests.ledger.opened import GIVEN, broken, document, events, refusals

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
START = 1_795_435_200_000_000_000
MINUTE = 60 * 10**9
INPUT, OUTPUT = "gen_ai.client.inference.usage.input_tokens", "gen_ai.client.inference.usage.output_tokens"
READ = "gen_ai.client.inference.usage.cache_read.input_tokens"
OLD = "gen_ai.client.token.usage"
WHO = {"gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4.1", "gen_ai.operation.name": "chat"}


def point(value: object, ends: int = 1, begins: int | None = 0, *, said: Mapping[str, str] = WHO, **fields: Any) -> Any:
    """Make a point of a counter; times are minutes after noon."""
    made: dict[str, Any] = {
        "attributes": [{"key": key, "value": {"stringValue": text}} for key, text in said.items()],
        "timeUnixNano": str(START + ends * MINUTE),
        "asInt": str(value),
        **fields,
    }
    return made if begins is None else {**made, "startTimeUnixNano": str(START + begins * MINUTE)}


def counter(name: str, *points: Any, temporality: object = 2) -> dict[str, Any]:
    """Make a counter."""
    return {"name": name, "sum": {"aggregationTemporality": temporality, "isMonotonic": True, "dataPoints": [*points]}}


def histogram(name: str, *points: Any) -> dict[str, Any]:
    """Make a histogram, whose sum is all that counts."""
    return {"name": name, "histogram": {"aggregationTemporality": 2, "dataPoints": [*points]}}


def summed(value: object, kind: str | None = None, ends: int = 1, **fields: Any) -> Any:
    """Make a point of a histogram."""
    said = WHO if kind is None else {**WHO, "gen_ai.token.type": kind}
    made = point(0, ends, said=said, count="3", sum=value, **fields)
    return {name: part for name, part in made.items() if name != "asInt"}


def message(*metrics: object) -> dict[str, Any]:
    """Make a message of one resource."""
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
    return {
        "resourceMetrics": [{"resource": resource, "scopeMetrics": [{"scope": {"name": "x"}, "metrics": [*metrics]}]}]
    }


def read(*metrics: object) -> list[Event]:
    """Read a message."""
    return events(OtelMetrics().read(document(message(*metrics)), GIVEN))


def whiles(*metrics: object) -> list[tuple[int, int, int]]:
    """Return the input tokens of every while, with its beginning and its end in minutes after noon."""
    minute = timedelta(minutes=1)
    return [
        ((event.at - NOON) // minute, ((event.until or NOON) - NOON) // minute, event.counts.get("input_tokens", 0))
        for event in read(*metrics)
    ]


def test_counters_of_one_while_are_one_aggregate_without_requests() -> None:
    """Whose they are is said by the attributes; nothing is priced by the stream, and nothing counts as a request."""
    (event,) = read(counter(INPUT, point(811)), counter(OUTPUT, point(92)), counter(READ, point(640)))
    assert event.counts == {"requests": 0, "input_tokens": 811, "output_tokens": 92, "cache_read_tokens": 640}
    assert (event.at, event.until) == (NOON, NOON + timedelta(minutes=1))
    assert (event.provider, event.model, event.project, event.tags) == (
        "openai",
        "gpt-4.1",
        "shop",
        {"operation": "chat"},
    )
    assert (event.includes_cached, event.stated_usd, OtelMetrics().role) == (True, None, Role.EVIDENCE)


def test_a_counter_that_grows_is_differenced() -> None:
    """Its first point counts since its beginning, every later one since the one before, and where nothing was none."""
    assert whiles(counter(INPUT, point(10, 1), point(25, 2), point(25, 3), point(30, 4))) == [
        (0, 1, 10), (1, 2, 15), (3, 4, 5),
    ]  # fmt: skip


def test_a_counter_that_began_anew_counts_from_nothing() -> None:
    """Whether its beginning says so, or only that it is smaller than before."""
    assert whiles(counter(INPUT, point(10, 1), point(4, 3, 2))) == [(0, 1, 10), (2, 3, 4)]
    assert whiles(counter(INPUT, point(10, 1), point(40, 3, 2))) == [(0, 1, 10), (2, 3, 40)]
    assert whiles(counter(INPUT, point(10, 1), point(4, 2))) == [(0, 1, 10), (1, 2, 4)]


def test_the_order_of_points_does_not_matter_and_one_sent_twice_counts_once(tmp_path: Path) -> None:
    """Points of one series lie on many lines; attributes may come in another order."""
    turned = point(25, 2, said=dict(reversed(WHO.items())))
    path = tmp_path / "metrics.jsonl"
    lines = [message(counter(INPUT, turned)), message(counter(INPUT, point(10, 1))), message(counter(INPUT, turned))]
    path.write_text("\n".join(map(json.dumps, lines)))
    found = events(OtelMetrics().read(open_file(path), GIVEN))
    assert [event.counts["input_tokens"] for event in found] == [10, 15]


def test_deltas_count_as_they_are() -> None:
    """Each point says what was added in its own while."""
    points = point(10, 1), point(10, 2, 1), point(3, 3, None)
    assert whiles(counter(INPUT, *points, temporality=1)) == [(0, 1, 10), (1, 2, 10), (2, 3, 3)]
    assert whiles(counter(INPUT, *points[:2], temporality="AGGREGATION_TEMPORALITY_DELTA")) == [(0, 1, 10), (1, 2, 10)]


def test_series_that_differ_anywhere_are_differenced_apart_and_added_up() -> None:
    """Tokens of text and of audio, of two servers: one provider and model."""
    other = {**WHO, "gen_ai.token.modality": "audio", "server.address": "b"}
    metric = counter(INPUT, point(10, 1), point(25, 2), point(7, 1, said=other), point(9, 2, said=other))
    assert whiles(metric) == [(0, 1, 17), (1, 2, 17)]


def test_a_while_is_known_to_the_second() -> None:
    """Instruments of one export are read within a second, each at its own nanosecond."""
    late = point(92, timeUnixNano=str(START + MINUTE + 999), startTimeUnixNano=str(START + 5_000))
    (event,) = read(counter(INPUT, point(811)), counter(OUTPUT, late))
    assert event.counts == {"requests": 0, "input_tokens": 811, "output_tokens": 92}


def test_a_series_that_does_not_say_when_it_began_counts_from_its_second_point() -> None:
    """What its first point counted may be of any time."""
    found = list(OtelMetrics().read(document(message(counter(INPUT, point(10, 1, None), point(25, 2, None)))), GIVEN))
    assert [type(row).__name__ for row in found] == ["Skipped", "Read"]
    assert [event.counts["input_tokens"] for event in events(found)] == [15]


def test_the_old_histogram_counts_by_its_type() -> None:
    """Input and output, whatever the output was called."""
    (event,) = read(histogram(OLD, summed(1_500, "input"), summed(60.0, "completion")))
    assert event.counts == {"requests": 0, "input_tokens": 1_500, "output_tokens": 60}


def test_instruments_that_state_the_same_tokens_are_counted_once() -> None:
    """Counters come before histograms; another model has what it has."""
    detailed = INPUT.replace("usage.", "usage.detailed.")
    per_operation = INPUT.replace("usage.", "operation.")
    same = [counter(INPUT, point(10)), counter(detailed, point(10)), histogram(INPUT, summed(10)),
            histogram(per_operation, summed(10)), histogram(OLD, summed(10, "input"))]  # fmt: skip
    for first in range(len(same)):
        found = list(OtelMetrics().read(document(message(*reversed(same[first:]))), GIVEN))
        assert [event.counts["input_tokens"] for event in events(found)] == [10]
        assert len([row for row in found if isinstance(row, Skipped)]) == len(same) - first - 1
    other = {**WHO, "gen_ai.request.model": "m", "gen_ai.token.type": "input"}
    both = read(same[0], histogram(OLD, {**summed(5, "input"), "attributes": point(0, said=other)["attributes"]}))
    assert {event.model: event.counts["input_tokens"] for event in both} == {"gpt-4.1": 10, "m": 5}


def test_a_later_file_has_the_same_id_for_the_same_while() -> None:
    """By provider, model, operation, service and time, and not by what was counted."""
    (one,), (other,) = read(counter(INPUT, point(10))), read(counter(INPUT, point(11)))
    (third,) = read(counter(INPUT, point(10, said={**WHO, "gen_ai.operation.name": "embeddings"})))
    assert (one.id == other.id, one.id == third.id) == (True, False)


def test_what_counts_no_tokens_is_skipped() -> None:
    """Durations, gauges, points without a value, and messages of traces or logs."""
    stale = point(7, flags=1)
    file = document(
        [message(counter("http.requests", point(1)), {"name": INPUT, "gauge": {}}, counter(INPUT, stale)), {}]
    )
    assert [type(row).__name__ for row in OtelMetrics().read(file, GIVEN)] == ["Skipped"] * 3


@pytest.mark.parametrize(
    ("metric", "field"),
    [
        (counter(INPUT, point(-1)), "asInt"),
        (counter(INPUT, point(1, timeUnixNano=None)), "timeUnixNano"),
        (counter(INPUT, {**point(1), "asInt": None}), "dataPoints"),
        (counter(INPUT, 7), "dataPoints"),
        (counter(INPUT, point(1), temporality=0), "aggregationTemporality and dataPoints"),
        (histogram(OLD, summed(1, "thoughts")), "gen_ai.token.type"),
        (histogram(OLD, summed(0.5, "input")), "sum"),
        (counter(INPUT, point(1, said={**WHO, "openai.response.service_tier": "gold"})), "service_tier"),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_field(metric: Any, field: str) -> None:
    """And the metric beside it is read."""
    found = list(OtelMetrics().read(document(message(metric, counter(OUTPUT, point(1)))), GIVEN))
    assert [reason.partition(":")[0] for reason in refusals(found)] == [field]
    assert len([row for row in found if isinstance(row, Read)]) == 1


def test_lines_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    """A line that is none, and a list that is none."""
    path = tmp_path / "metrics.jsonl"
    path.write_text("\n".join((json.dumps(message(counter(INPUT, point(1)))), '{"resourceMetrics": 7}', "7")))
    file = open_file(path)
    assert OtelMetrics().knows(file) is not None
    found = list(OtelMetrics().read(file, GIVEN))
    assert [type(row).__name__ for row in found] == ["Refused", "Refused", "Read"]


@given(steps=st.lists(st.integers(0, 1_000), min_size=1, max_size=8), resets=st.sets(st.integers(1, 7)))
def test_the_sum_of_all_whiles_is_all_that_was_used(steps: list[int], resets: set[int]) -> None:
    """However often a counter begins anew, and at whatever value."""
    points, total, began = [], 0, 0
    for minute, step in enumerate(steps):
        if minute in resets:
            total, began = 0, minute
        total += step
        points.append(point(total, minute + 1, began))
    assert sum(tokens for _at, _until, tokens in whiles(counter(INPUT, *points))) == sum(steps)


def test_the_recorded_sample() -> None:
    """811,000 and 92,000 tokens of one model, 1,500 of another by the old histogram."""
    found = events(OtelMetrics().read(open_file(shared("usage", "otel", "otlp_metrics_genai.json")), GIVEN))
    assert [(event.model, event.counts) for event in found] == [
        ("gpt-4.1", {"requests": 0, "input_tokens": 811_000, "output_tokens": 92_000}),
        ("gpt-4o-mini", {"requests": 0, "input_tokens": 1_500}),
    ]
    assert {(event.until or NOON) - event.at for event in found} == {timedelta(hours=1)}


@given(body=broken(message(counter(INPUT, point(10), point(25, 2)), histogram(OLD, summed(7, "input")))))
def test_a_broken_message_is_refused_point_by_point(body: Any) -> None:
    """Whatever is missing or of another kind, nothing is raised."""
    file = document(body)
    OtelMetrics().knows(file)
    list(OtelMetrics().read(file, GIVEN))
