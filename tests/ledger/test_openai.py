"""OpenAI's usage and cost pages: counts that contain their parts, ids that hold, and amounts that are evidence."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from planner.core.event import Event, StatedBy
from planner.core.units import Unit
from planner.ledger.format import Format, Read, Skipped
from planner.ledger.openai import Costs, Usage
from planner.ledger.reading import open_file
from tests.data import shared
from tests.ledger.opened import GIVEN, broken, document, events, refusals

START, END = 1_788_220_800, 1_788_307_200  # 1 and 2 September 2026
COMPLETIONS = {
    "object": "organization.usage.completions.result",
    "input_tokens": 2_000,
    "input_cached_tokens": 700,
    "input_cache_write_tokens": 200,
    "input_uncached_tokens": 1_100,
    "output_tokens": 900,
    "input_text_tokens": 1_000,
    "output_text_tokens": 800,
    "input_cached_text_tokens": 600,
    "input_audio_tokens": 70,
    "input_cached_audio_tokens": 90,
    "output_audio_tokens": 60,
    "input_image_tokens": 30,
    "input_cached_image_tokens": 10,
    "output_image_tokens": 40,
    "num_model_requests": 12,
    "project_id": "proj_1",
    "user_id": "user-1",
    "api_key_id": "key_1",
    "model": "gpt-4.1-2025-04-14",
    "batch": False,
    "service_tier": "default",
}
COST = {
    "object": "organization.costs.result",
    "amount": {"value": 1.25, "currency": "usd"},
    "line_item": "GPT-4.1, input",
    "project_id": "proj_1",
    "api_key_id": None,
    "quantity": 1_000_000.0,
    "quantity_unit": "tokens",
}


def page(*results: object, **fields: Any) -> dict[str, Any]:
    """Make a page with one bucket."""
    bucket = {"object": "bucket", "start_time": START, "end_time": END, "results": [*results], **fields}
    return {"object": "page", "data": [bucket], "has_more": False, "next_page": None}


def result(kind: str, **counts: Any) -> dict[str, Any]:
    """Make a result of another kind."""
    return {"object": f"organization.usage.{kind}.result", "project_id": None, "model": "m", **counts}


def usage(**fields: Any) -> Event:
    """Read one result of completions."""
    return events(Usage().read(document(page({**COMPLETIONS, **fields})), GIVEN))[0]


def test_the_modalities_of_a_prompt_contain_their_cached_part() -> None:
    """OpenAI states them apart; taken together, each token of the page is in exactly one billable count."""
    parts = dict(usage().usage(includes_cached=True).parts)
    assert parts == {
        Unit.INPUT: 1_000, Unit.INPUT_AUDIO: 70, Unit.INPUT_IMAGE: 30, Unit.CACHE_READ: 600, Unit.CACHE_READ_AUDIO: 90,
        Unit.CACHE_READ_IMAGE: 10, Unit.CACHE_WRITE_5M: 200, Unit.OUTPUT: 800, Unit.OUTPUT_AUDIO: 60,
        Unit.OUTPUT_IMAGE: 40, Unit.REQUEST: 12,
    }  # fmt: skip


def test_a_bucket_is_an_aggregate_of_its_dimensions() -> None:
    """Times are seconds of UTC; the member whose key it was is a tag and no customer."""
    event = usage()
    assert (event.at, event.until) == (datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 9, 2, tzinfo=UTC))
    assert (event.provider, event.channel, event.model) == ("openai", "direct", "gpt-4.1-2025-04-14")
    assert (event.project, event.key, event.customer) == ("proj_1", "key_1", None)
    assert event.tags == {"user_id": "user-1", "kind": "completions"}
    assert (event.includes_cached, event.cache_stated, event.rateable, event.stated_usd) == (True, True, True, None)


@pytest.mark.parametrize(
    ("fields", "tier", "ungrouped"),
    [
        ({}, "standard", None),
        ({"batch": True}, "batch", None),
        ({"service_tier": "priority"}, "priority", None),
        ({"batch": None, "service_tier": None}, "standard", "batch service_tier"),
    ],
)
def test_a_tier_that_nothing_is_grouped_by_is_marked(fields: dict[str, Any], tier: str, ungrouped: str | None) -> None:
    """It is taken for the ordinary one, and a tag says that nobody said so."""
    event = usage(**fields)
    assert (event.service_tier, event.tags.get("not_grouped_by")) == (tier, ungrouped)


def test_without_a_model_there_is_no_price() -> None:
    """The counts are kept, and no cost follows from them."""
    event = usage(model=None)
    assert (event.rateable, event.tags["not_grouped_by"]) == (False, "model")


def test_an_older_page_does_not_say_what_was_cached() -> None:
    """Then a cost has bounds only."""
    older = {name: value for name, value in COMPLETIONS.items() if "cache" not in name}
    (event,) = events(Usage().read(document(page(older)), GIVEN))
    assert (event.cache_stated, event.counts["input_audio_tokens"]) == (False, 70)


def test_a_later_pull_of_a_bucket_has_the_same_id() -> None:
    """Figures, labels and the spelling of the times may change; every dimension that differs makes another row."""
    again = page({**COMPLETIONS, "input_tokens": 9, "project_name": "New"}, start_time_iso="2026-09-01T00:00:00Z")
    (same,) = events(Usage().read(document(again), GIVEN))
    names = ("project_id", "user_id", "api_key_id", "model", "batch", "service_tier")
    others = [usage(**{name: None}).id for name in names]
    others += [usage(region_seen_tomorrow="eu").id, usage(model="m").id]
    assert same.id == usage().id
    assert len({same.id, *others}) == len(others) + 1


@pytest.mark.parametrize(
    ("kind", "stated", "counts"),
    [
        ("embeddings", {"input_tokens": 16, "num_model_requests": 2}, {"input_tokens": 16, "requests": 2}),
        ("moderations", {"input_tokens": 16, "num_model_requests": 2}, {"input_tokens": 16, "requests": 2}),
        ("images", {"images": 3, "num_model_requests": 2}, {"images": 3, "requests": 2}),
        ("audio_speeches", {"characters": 45, "num_model_requests": 1}, {"characters": 45, "requests": 1}),
        ("audio_transcriptions", {"seconds": 20, "num_model_requests": 1}, {"audio_seconds": 20, "requests": 1}),
        ("web_searches", {"num_requests": 2, "num_model_requests": 2}, {"web_searches": 2, "requests": 0}),
        ("file_searches", {"num_requests": 2}, {"file_searches": 2, "requests": 0}),
    ],
)
def test_other_kinds_of_usage_have_counts_of_their_own(kind: str, stated: dict[str, int], counts: object) -> None:
    """Requests that searched are among the completions already, and are not counted again."""
    (event,) = events(Usage().read(document(page(result(kind, **stated))), GIVEN))
    assert event.counts == counts
    assert event.tags == {"kind": kind}


@pytest.mark.parametrize("kind", ["vector_stores", "code_interpreter_sessions"])
def test_what_is_no_count_is_left_out_and_said(kind: str) -> None:
    """Bytes and sessions are on the cost page."""
    (found,) = Usage().read(document(page(result(kind, usage_bytes=7, num_sessions=1))), GIVEN)
    assert isinstance(found, Skipped)
    assert found.reason.startswith(kind)


def test_several_pages_in_one_file(tmp_path: Path) -> None:
    """One a line, or in a list; a line that is no page is refused, and a last page that is not the last is said."""
    first, last = page(COMPLETIONS), {**page(result("embeddings", input_tokens=1)), "has_more": True}
    path = tmp_path / "pages.jsonl"
    path.write_text("\n".join(map(json.dumps, (first, {"error": "slower"}, 7, last))))
    lines = list(Usage().read(open_file(path), GIVEN))
    listed = list(Usage().read(document([first, last]), GIVEN))
    assert [(type(row).__name__, row.place) for row in lines] == [
        ("Read", "line 1 data[0].results[0]"),
        ("Refused", "line 2"),
        ("Refused", "line 3"),
        ("Read", "line 4 data[0].results[0]"),
        ("Skipped", "line 4"),
    ]
    assert [row.place for row in listed] == ["[0] data[0].results[0]", "[1] data[0].results[0]", "[1]"]


def test_buckets_without_results_come_before_the_first() -> None:
    """A quiet day is an empty bucket, and the page is known by the next one."""
    body = page(COMPLETIONS)
    body["data"].insert(0, {"object": "bucket", "start_time": START - 86_400, "end_time": START, "results": []})
    file = document(body)
    assert (Usage().knows(file), Costs().knows(file)) == ("its results are those of OpenAI's usage API", None)
    assert len(list(Usage().read(file, GIVEN))) == 1


@pytest.mark.parametrize("value", [1.25, "1.25", "1.250000000000000000000000000"])
def test_an_amount_is_evidence_of_its_day(value: object) -> None:
    """A number or a text, it is what the provider states, with nothing counted beside it."""
    file = document(page({**COST, "amount": {"value": value, "currency": "usd"}}))
    (event,) = events(Costs().read(file, GIVEN))
    assert (Costs().knows(file) is not None, Usage().knows(file)) == (True, None)
    assert (event.stated_usd, event.stated_by) == (Decimal("1.25"), StatedBy.PROVIDER)
    assert (event.counts, event.rateable, event.project) == ({"requests": 0}, False, "proj_1")
    assert event.tags == {"line_item": "GPT-4.1, input", "quantity": "1000000", "quantity_unit": "tokens"}
    (other,) = events(Costs().read(document(page({**COST, "amount": {"value": 2, "currency": "usd"}})), GIVEN))
    assert other.id == event.id


def test_what_cannot_be_read_is_refused_by_its_field() -> None:
    """Another currency, no amount, a count that is none, a tier nobody knows, no time, another kind of object."""
    costs = [{**COST, "amount": {"value": 1, "currency": "eur"}}, {**COST, "amount": {"currency": "usd"}}, COMPLETIONS]
    used = [{**COMPLETIONS, "input_tokens": -1}, {**COMPLETIONS, "service_tier": "gold"}, COST, 7]
    found = [
        *refusals(Costs().read(document(page(*costs)), GIVEN)),
        *refusals(Usage().read(document(page(*used)), GIVEN)),
    ]
    found += refusals(Usage().read(document(page(COMPLETIONS, start_time=None)), GIVEN))
    found += refusals(Usage().read(document(page(COMPLETIONS, end_time=START)), GIVEN))
    found += refusals(Usage().read(document({"data": [7, {"results": 7}]}), GIVEN))
    assert [reason.partition(":")[0] for reason in found] == [
        "amount.currency", "amount.value", "object", "input_tokens", "service_tier", "object", "not an object",
        "start_time", "until", "not an object", "results",
    ]  # fmt: skip


def test_the_recorded_samples() -> None:
    """Uncached text, audio and images are 400 + 50 + 50; the whole prompt is 1,000; the day cost $0.06."""
    files = {name: open_file(shared("usage", "openai", f"{name}.json")) for name in (
        "usage_completions_page", "usage_embeddings_page", "usage_web_search_calls_page", "costs_page",
    )}  # fmt: skip
    rows = [list(Usage().read(file, GIVEN)) for name, file in files.items() if name != "costs_page"]
    used = [row.said for read in rows for row in read if isinstance(row, Read) and isinstance(row.said, Event)]
    parts = dict(used[0].usage(includes_cached=True).parts)
    uncached = (parts[Unit.INPUT], parts[Unit.INPUT_AUDIO], parts[Unit.INPUT_IMAGE])
    assert uncached == (400, 50, 50)
    assert sum(uncached) + 300 + 50 + 50 + parts[Unit.CACHE_WRITE_5M] == used[0].counts["input_tokens"] == 1_000
    assert isinstance(rows[0][-1], Skipped)
    assert [event.counts for event in used[1:]] == [
        {"input_tokens": 16, "requests": 2}, {"web_searches": 2, "requests": 0}
    ]  # fmt: skip
    assert [event.stated_usd for event in events(Costs().read(files["costs_page"], GIVEN))] == [Decimal("0.06")]


@pytest.mark.parametrize("form", [Usage(), Costs()])
@given(body=broken(page(COMPLETIONS, COST, result("images", images=1))))
def test_a_broken_page_is_refused_row_by_row(form: Format, body: Any) -> None:
    """Whatever is missing or of another kind, nothing is raised."""
    file = document(body)
    form.knows(file)
    list(form.read(file, GIVEN))
