"""LiteLLM: every row of LiteLLM_SpendLogs is one request, with its cached part, its labels and what it cost."""

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from planner.core.errors import InvalidInput
from planner.core.event import Event, Outcome, Role, StatedBy
from planner.ledger import litellm
from planner.ledger.containment import judged
from planner.ledger.reading import open_file
from tests.data import shared
from tests.ledger.samples import (
    DAILY,
    GIVEN,
    SPEND_LOG,
    USAGE_OBJECT,
    csv_text,
    events,
    jsonl_text,
    opened,
    refused,
)

LOGS, DAILY_LOGS = litellm.FORMATS


def read(folder: Path, **changes: Any) -> Event:
    """Read one row that differs from the sample in some columns."""
    (event,) = events(LOGS, opened(folder, csv_text({**SPEND_LOG, **changes})))
    return event


def test_a_row_is_one_request(tmp_path: Path) -> None:
    """Its id is the provider's, its labels come from its tags, and its cost is the gateway's word."""
    event = read(tmp_path)
    assert event == Event(
        source="stream",
        id="chatcmpl-9",
        request_id="chatcmpl-9",
        at=datetime(2026, 9, 3, 8, 0, 0, 500_000, UTC),
        counts={"input_tokens": 900, "output_tokens": 100, "cache_read_tokens": 700, "reasoning_tokens": 60},
        includes_cached=True,
        total_tokens=1_000,
        provider="openai",
        model="openai/gpt-4.1",
        plan="team",
        customer="cust-7",
        task="search",
        project="team-7",
        key="hash-of-a-key",
        tags={"feature": "search", "plan": "team", "night run": ""},
        stated_usd=Decimal("0.0042"),
        stated_by=StatedBy.GATEWAY,
    )
    assert (LOGS.role, LOGS.mutable) == (Role.LEDGER, False)


@pytest.mark.parametrize("layout", ["csv", "jsonl", "list", "data"])
def test_it_is_the_same_in_every_layout(layout: str, tmp_path: Path) -> None:
    """A table of a database, lines of a dump, a list of the API, and a page of it."""
    row = {**SPEND_LOG, "metadata": {"usage_object": USAGE_OBJECT}, "request_tags": ["feature:search", "plan:team", 7]}
    bodies = {
        "csv": csv_text(row),
        "jsonl": jsonl_text(row, row),
        "list": json.dumps([row]),
        "data": json.dumps({"data": [row], "total": 1}),
    }
    file = opened(tmp_path, bodies[layout])
    assert LOGS.knows(file) == "it has the columns of LiteLLM_SpendLogs"
    assert events(LOGS, file)[0] == replace(read(tmp_path), tags={"feature": "search", "plan": "team"})


def test_contents_are_never_read(tmp_path: Path) -> None:
    """Messages and answers are in no part of an event."""
    assert "contents" not in repr(read(tmp_path, proxy_server_request='{"body": "the contents of a request"}'))


def test_an_answer_from_the_gateways_cache_costs_nothing(tmp_path: Path) -> None:
    """It has tokens, and a cost of 0 that is known."""
    event = read(tmp_path, cache_hit="True", spend="0", metadata="{}")
    assert (event.outcome, event.stated_usd) == (Outcome.GATEWAY_CACHE, Decimal(0))


def test_a_failure_is_one(tmp_path: Path) -> None:
    """By the column, and where an older version has none, by the metadata."""
    nothing = {"prompt_tokens": "0", "completion_tokens": "0", "total_tokens": "0", "spend": "0"}
    for changes in ({"status": "failure"}, {"status": "", "metadata": '{"status": "failure"}'}):
        event = read(tmp_path, **nothing, **changes)
        assert (event.outcome, event.stated_usd, event.cache_stated) == (Outcome.FAILED, Decimal(0), True)


def test_a_model_without_a_price_has_no_known_cost(tmp_path: Path) -> None:
    """LiteLLM writes 0 for what it cannot price, and unknown is not free."""
    assert read(tmp_path, spend="0.0").stated_usd is None
    assert read(tmp_path, spend="").stated_usd is None


def test_without_an_usage_object_nobody_knows_what_was_cached(tmp_path: Path) -> None:
    """An older row has the parts in another place; one with neither place has bounds only."""
    older = {"prompt_tokens_details": {"cached_tokens": 700}, "completion_tokens_details": None}
    event = read(tmp_path, metadata=json.dumps({"additional_usage_values": older, "usage_object": None}))
    assert (event.counts["cache_read_tokens"], event.cache_stated) == (700, True)
    for metadata in ("", "{}", '{"usage_object": null}', '{"usage_object": {}}'):
        assert read(tmp_path, metadata=metadata).cache_stated is False


def test_every_part_the_answer_told_is_counted(tmp_path: Path) -> None:
    """Writing to a cache with its lifetimes, media, searches and pages."""
    usage = {
        "cache_creation_input_tokens": 40,
        "cache_read_input_tokens": 30,
        "prompt_tokens_details": {
            "audio_tokens": 5,
            "image_tokens": 6,
            "cache_creation_token_details": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 30},
        },
        "completion_tokens_details": {"audio_tokens": 7},
        "server_tool_use": {"web_search_requests": 2},
        "pages_processed": 3,
    }
    counts = read(tmp_path, metadata=json.dumps({"usage_object": usage})).counts
    assert counts == {
        "input_tokens": 900,
        "output_tokens": 100,
        "cache_read_tokens": 30,
        "cache_write_tokens": 40,
        "cache_write_5m_tokens": 10,
        "cache_write_1h_tokens": 30,
        "input_audio_tokens": 5,
        "input_image_tokens": 6,
        "output_audio_tokens": 7,
        "web_searches": 2,
        "pages": 3,
    }


def test_what_was_given_fills_what_a_row_does_not_say(tmp_path: Path) -> None:
    """And never replaces what it says."""
    given = replace(GIVEN, provider="other", channel="azure", plan="free", customer="nobody", task="chat")
    file = opened(tmp_path, csv_text({**SPEND_LOG, "request_tags": "{}", "end_user": "", "custom_llm_provider": ""}))
    (event,) = events(LOGS, file, given)
    assert (event.provider, event.channel, event.plan) == ("other", "azure", "free")
    assert (event.customer, event.task) == ("nobody", "chat")
    (event,) = events(LOGS, opened(tmp_path, csv_text(SPEND_LOG)), given)
    assert (event.provider, event.plan, event.customer, event.task) == ("openai", "team", "cust-7", "search")


def test_a_row_that_cannot_be_read_does_not_stop_the_others(tmp_path: Path) -> None:
    """It is refused by its line and its field, and its values are not repeated."""
    wrong: list[dict[str, Any]] = [
        {"request_id": ""},
        {"startTime": "yesterday"},
        {"startTime": ""},
        {"prompt_tokens": "-1"},
        {"spend": "-0.1"},
        {"metadata": "{secret"},
        {"metadata": '{"usage_object": {"prompt_tokens_details": {"cached_tokens": "secret"}}}'},
        {"request_tags": '"secret"'},
    ]
    body = csv_text(*({**SPEND_LOG, **changes} for changes in (*wrong, {})))
    found = list(LOGS.read(opened(tmp_path, body), GIVEN))
    places = [f"line {number}" for number in range(2, 10)]
    fields = [reason.partition(":")[0] for _place, reason in refused(found)]
    assert [place for place, _reason in refused(found)] == places
    assert fields == [
        *(
            "request_id",
            "startTime",
            "startTime",
            "prompt_tokens",
            "spend",
            "metadata",
            "cached_tokens",
            "request_tags",
        ),
    ]
    assert len(found) == 9
    assert "secret" not in repr(refused(found))


def test_the_daily_tables_are_refused_with_the_reason(tmp_path: Path) -> None:
    """A request with three tags is in three rows, so that they have no sum."""
    file = opened(tmp_path, csv_text(DAILY))
    assert (LOGS.knows(file), DAILY_LOGS.knows(file) is not None) == (None, True)
    with pytest.raises(InvalidInput, match="overlap"):
        DAILY_LOGS.read(file, GIVEN)


def test_the_recorded_sample_has_one_of_each() -> None:
    """One billed, one failed, one from the gateway's cache; $0.0021 in all, and prompts contain what was cached."""
    found = events(LOGS, open_file(shared("usage", "litellm", "spend_logs.csv")))
    assert Counter(event.outcome for event in found) == {Outcome.OK: 1, Outcome.FAILED: 1, Outcome.GATEWAY_CACHE: 1}
    assert sum(event.stated_usd or 0 for event in found) == Decimal("0.0021")
    assert judged(found, None)["openai"].includes_cached is True
    assert {(event.plan, event.task, event.customer, event.project) for event in found} == {
        ("pro", "chat", "cust_42", "team-a")
    }
