"""OpenRouter's activity, generations and export: its own figures are the cost, and only native tokens are counts."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from planner.core.event import Event, Outcome, StatedBy
from planner.ledger.format import Format
from planner.ledger.openrouter import Activity, Export, Generation
from planner.ledger.reading import open_file
from tests.data import shared
from tests.ledger.opened import GIVEN, broken, document, events, refusals

DAY = {
    "byok_usage_inference": 0.25,
    "completion_tokens": 300,
    "date": "2026-09-01",
    "endpoint_id": "3a1c",
    "model": "acme/small",
    "model_permaslug": "acme/small-20260101",
    "prompt_tokens": 1_000,
    "provider_name": "Acme",
    "reasoning_tokens": 100,
    "requests": 4,
    "usage": 0.1,
}
ANSWER = {
    "cancelled": False,
    "created_at": "2026-09-01T10:00:00.5+00:00",
    "data_region": "global",
    "external_user": "customer-7",
    "finish_reason": "stop",
    "id": "gen-1",
    "is_byok": False,
    "model": "acme/small",
    "native_tokens_cached": 400,
    "native_tokens_completion": 300,
    "native_tokens_completion_images": 0,
    "native_tokens_prompt": 1_000,
    "native_tokens_reasoning": 100,
    "num_search_results": 5,
    "provider_name": "Acme",
    "service_tier": None,
    "tokens_completion": 7,
    "tokens_prompt": 9,
    "total_cost": 0.002,
    "upstream_id": "chatcmpl-1",
    "upstream_inference_cost": 0.0015,
    "usage": 0.002,
    "workspace_id": "w-1",
}
EXPORT = (
    "generation_id,created_at,cost_total,byok_usage_inference,tokens_prompt,tokens_completion,tokens_reasoning,"
    "tokens_cached,model_permaslug,provider_name,variant,cancelled,user,finish_reason_normalized,app_name,api_key_name"
)


def day(**fields: Any) -> Event:
    """Read one row of activity."""
    return events(Activity().read(document({"data": [{**DAY, **fields}]}), GIVEN))[0]


def answer(**fields: Any) -> Event:
    """Read one generation."""
    return events(Generation().read(document({"data": {**ANSWER, **fields}}), GIVEN))[0]


def test_a_day_of_activity() -> None:
    """The cost is what the credits paid plus what the own key paid; its tokens alone give none."""
    event = day()
    assert (event.at, event.until) == (datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 9, 2, tzinfo=UTC))
    assert event.counts == {"input_tokens": 1_000, "output_tokens": 300, "reasoning_tokens": 100, "requests": 4}
    assert (event.stated_usd, event.stated_by) == (Decimal("0.35"), StatedBy.PROVIDER)
    assert (event.rateable, event.cache_stated) == (False, False)
    assert (event.channel, event.provider, event.model) == ("openrouter", "Acme", "acme/small")
    assert event.tags == {"model_permaslug": "acme/small-20260101", "endpoint_id": "3a1c"}


def test_a_later_pull_of_a_day_has_the_same_id() -> None:
    """Figures may change, and an empty workspace is none; every dimension that differs makes another row."""
    same = day(usage=9, requests=5, workspace_id=None, date="2026-09-01 00:00:00")
    others = [day(**{name: "other"}) for name in ("model", "model_permaslug", "endpoint_id", "provider_name")]
    ids = [event.id for event in (*others, day(workspace_id="w"), day(date="2026-09-02"))]
    assert same.id == day().id
    assert len({*ids, same.id}) == len(ids) + 1


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".csv"])
def test_activity_as_a_bare_list_as_lines_and_as_a_table(tmp_path: Path, suffix: str) -> None:
    """The same row from each, with the same id."""
    path = tmp_path / f"activity{suffix}"
    row = ", ".join(f'"{name}": {value!r}'.replace("'", '"') for name, value in DAY.items())
    bodies = {
        ".json": f"[{{{row}}}]",
        ".jsonl": f"{{{row}}}\n{{{row}}}\n",
        ".csv": f"{','.join(DAY)}\n{','.join(map(str, DAY.values()))}\n",
    }
    path.write_text(bodies[suffix])
    file = open_file(path)
    assert Activity().knows(file) is not None
    assert set(map(repr, events(Activity().read(file, GIVEN)))) == {repr(day())}


def test_a_generation_is_counted_by_native_tokens() -> None:
    """The prompt contains its cached part; results of a search are no searches; nowhere in particular is no region."""
    event = answer()
    assert event.counts == {
        "requests": 1, "input_tokens": 1_000, "cache_read_tokens": 400, "output_tokens": 300, "reasoning_tokens": 100,
        "output_image_tokens": 0,
    }  # fmt: skip
    assert (event.id, event.request_id, event.includes_cached, event.region) == ("gen-1", "gen-1", True, None)
    assert (event.at, event.until) == (datetime(2026, 9, 1, 10, microsecond=500_000, tzinfo=UTC), None)
    assert (event.customer, event.project, event.tags["upstream_id"]) == ("customer-7", "w-1", "chatcmpl-1")
    assert (event.stated_usd, event.stated_by, event.rateable) == (Decimal("0.002"), StatedBy.PROVIDER, True)


@pytest.mark.parametrize(
    ("fields", "usd"),
    [
        ({"is_byok": True}, "0.0035"),
        ({"is_byok": True, "upstream_inference_cost": None}, None),
        (
            {"is_byok": True, "total_cost": "0.000000000000000000000000000001", "upstream_inference_cost": 1},
            "1.000000000000000000000000000001",
        ),
        ({"total_cost": None}, None),
    ],
)
def test_with_an_own_key_the_upstreams_bill_is_part_of_the_cost(fields: dict[str, Any], usd: str | None) -> None:
    """A part that is not stated leaves the whole unknown; no digit is lost."""
    assert answer(**fields).stated_usd == (None if usd is None else Decimal(usd))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"service_tier": "default"}, ("standard", None, Outcome.OK)),
        ({"service_tier": "flex", "data_region": "europe"}, ("flex", "europe", Outcome.OK)),
        ({"cancelled": True}, ("standard", None, Outcome.FAILED)),
        ({"finish_reason": "error"}, ("standard", None, Outcome.FAILED)),
    ],
)
def test_tier_region_and_outcome_of_a_generation(fields: dict[str, Any], expected: tuple[object, ...]) -> None:
    """The ordinary tier has many names; what was cancelled is billed for what it used."""
    event = answer(**fields)
    assert (event.service_tier, event.region, event.outcome) == expected


def test_a_bare_list_of_generations_and_what_is_wrong_in_one() -> None:
    """An unknown tier, no id and no time are refused by their field; the others go on."""
    wrong: list[dict[str, Any]] = [
        {"service_tier": "gold"},
        {"id": None},
        {"created_at": "yesterday"},
        {"total_cost": -1},
    ]
    file = document([ANSWER, *({**ANSWER, **fields} for fields in wrong), {"data": {**ANSWER, "id": "gen-2"}}])
    found = list(Generation().read(file, GIVEN))
    assert Generation().knows(file) is not None
    assert [reason.partition(":")[0] for reason in refusals(found)] == [
        "service_tier", "id", "created_at", "total_cost",
    ]  # fmt: skip
    assert [row.place for row in found if row.place.endswith("data")] == ["[5] data"]


def test_the_export_of_the_activity_page(tmp_path: Path) -> None:
    """One request a line, in UTC; whose tokens they are is not known, so that only the stated cost counts."""
    path = tmp_path / "activity.csv"
    line = "gen-1,2026-09-01 10:00:00.5,0.12,0.03,100,20,5,40,acme/small-1,Acme,standard,true,u-1,stop,App,Key"
    path.write_text(f"{EXPORT}\n{line}\n")
    file = open_file(path)
    assert Export().knows(file) is not None
    (event,) = events(Export().read(file, GIVEN))
    assert (event.stated_usd, event.rateable, event.outcome) == (Decimal("0.15"), False, Outcome.FAILED)
    assert (event.customer, event.key, event.model) == ("u-1", "Key", "acme/small-1")
    assert event.at == datetime(2026, 9, 1, 10, microsecond=500_000, tzinfo=UTC)
    assert event.counts["cache_read_tokens"] == 40


def test_the_recorded_samples() -> None:
    """The day cost $0.027; the generation $0.0015, of 10 native tokens of which 3 were cached."""
    activity, generation = (
        open_file(shared("usage", "openrouter", f"{name}.json")) for name in ("activity", "generation")
    )
    (one,), (other,) = events(Activity().read(activity, GIVEN)), events(Generation().read(generation, GIVEN))
    assert (one.stated_usd, one.counts["requests"]) == (Decimal("0.027"), 5)
    assert (other.stated_usd, other.service_tier, other.customer) == (Decimal("0.0015"), "priority", "user-123")
    assert (other.counts["input_tokens"], other.counts["cache_read_tokens"]) == (10, 3)


@pytest.mark.parametrize("form", [Activity(), Generation()])
@given(body=broken({"data": [DAY, {"data": ANSWER}, ANSWER]}))
def test_a_broken_document_is_refused_row_by_row(form: Format, body: Any) -> None:
    """Whatever is missing or of another kind, nothing is raised."""
    file = document(body)
    form.knows(file)
    list(form.read(file, GIVEN))
