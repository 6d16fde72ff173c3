"""One bucket of a provider's usage is counted once, however it is grouped when it is pulled again."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from planner.core.errors import Conflict
from planner.core.event import Role
from planner.flows.import_file import Import, import_file
from planner.flows.second import By
from planner.flows.survey import Summary
from planner.flows.void import void
from planner.store import usage
from planner.store.engine import Store
from tests.ledger_books import NOON, SEPTEMBER, total
from tests.make import MTOK

START, HOUR, DAY = int(SEPTEMBER.timestamp()), 3_600, 86_400


def used(tokens: int, kind: str = "completions", **group: str) -> dict[str, Any]:
    """Make a result of OpenAI's usage page."""
    grouped = {"project_id": None, "user_id": None, "api_key_id": None, "model": "m", "batch": None, **group}
    counts = {"input_tokens": tokens, "output_tokens": 0, "input_cached_tokens": 0, "num_model_requests": 1}
    return {"object": f"organization.usage.{kind}.result", "service_tier": None, **counts, **grouped}


def pulled(
    store: Store, folder: Path, *results: Mapping[str, Any], width: int = DAY, role: Role | None = None
) -> Summary:  # fmt: skip
    """Import a page with one bucket that begins with September."""
    bucket = {"object": "bucket", "start_time": START, "end_time": START + width, "results": results}
    path = folder / "page.json"
    path.write_text(json.dumps({"object": "page", "data": [bucket], "has_more": False, "next_page": None}))
    return import_file(store, Import(path=path, name=path.name, words={}, role=role), now=lambda: NOON, by="test")


def refused(store: Store, folder: Path, *results: Mapping[str, Any], width: int = DAY) -> None:
    """Import a page that is to be refused, of which nothing is stored."""
    before = total(store)
    with pytest.raises(Conflict, match=r"stream_overlap.*grouped otherwise"):
        pulled(store, folder, *results, width=width)
    assert total(store) == before


def test_a_bucket_under_another_grouping_is_refused(books: Store, tmp_path: Path) -> None:
    """A million tokens are not told once more by project, by key or by hour."""
    pulled(books, tmp_path, used(MTOK))
    refused(books, tmp_path, used(600_000, project_id="p"), used(400_000, project_id="q"))
    refused(books, tmp_path, used(MTOK, api_key_id="k"))
    refused(books, tmp_path, used(MTOK), width=HOUR)
    assert total(books).input_tokens == MTOK


def test_a_sum_of_what_is_known_apart_is_refused(books: Store, tmp_path: Path) -> None:
    """By project first, and then by nothing or by key."""
    pulled(books, tmp_path, used(600_000, project_id="p"), used(400_000, project_id="q"))
    refused(books, tmp_path, used(MTOK))
    refused(books, tmp_path, used(MTOK, api_key_id="k"))


def test_a_bucket_under_the_same_grouping_takes_the_place_of_what_was_told(books: Store, tmp_path: Path) -> None:
    """It may have more rows than before, also where one of them has nothing to say of what it is grouped by."""
    pulled(books, tmp_path, used(100), used(200, project_id="p"))
    again = pulled(books, tmp_path, used(150), used(200, project_id="p"), used(50, project_id="q"))
    assert dict(again.outcomes) == {"superseded": 1, "duplicate": 1, "stored": 1}
    assert total(books).input_tokens == 400


def test_what_is_of_another_project_kind_or_hour_counts_besides(books: Store, tmp_path: Path) -> None:
    """Pulls may be cut by any of these, and none of them tells what another one told."""
    pulled(books, tmp_path, used(1, project_id="p"), width=HOUR)
    pulled(books, tmp_path, used(2, project_id="q"), width=HOUR)
    pulled(books, tmp_path, used(4, kind="embeddings"), width=HOUR)
    assert total(books).input_tokens == 7


def test_a_person_may_say_that_these_are_others(books: Store, tmp_path: Path) -> None:
    """Each time it is asked: role=ledger counts them besides, and holds for no later pull."""
    pulled(books, tmp_path, used(MTOK))
    pulled(books, tmp_path, used(MTOK, project_id="p"), role=Role.LEDGER)
    assert total(books).input_tokens == 2 * MTOK
    refused(books, tmp_path, used(MTOK, api_key_id="k"))


def test_rows_that_were_taken_back_make_room(books: Store, tmp_path: Path) -> None:
    """Once the day is voided, it may be pulled under another grouping."""
    pulled(books, tmp_path, used(MTOK))
    with books.read() as connection:
        (stored,) = usage.some(connection, usage.of_source("openai_usage"), 0, 9)
    by = By(actor="ada", at=NOON, reason="grouped by nothing")
    books.tell(lambda connection: void(connection, "openai_usage", stored.event.id, by))
    pulled(books, tmp_path, used(600_000, project_id="p"), used(400_000, project_id="q"))
    assert total(books).input_tokens == MTOK


def test_evidence_is_kept_however_it_is_grouped(books: Store, tmp_path: Path) -> None:
    """It is only held against what counts."""
    assert dict(pulled(books, tmp_path, used(5), role=Role.EVIDENCE).outcomes) == {"evidence": 1}
    assert dict(pulled(books, tmp_path, used(5, project_id="p")).outcomes) == {"evidence": 1}


def test_anthropic_s_buckets_are_refused_alike(books: Store, tmp_path: Path) -> None:
    """By workspace, after the whole day."""
    path = tmp_path / "report.json"
    asked = Import(path=path, name=path.name, words={})
    times = {"starting_at": "2026-09-01T00:00:00Z", "ending_at": "2026-09-02T00:00:00Z"}
    counts = {"uncached_input_tokens": 9, "cache_read_input_tokens": 0, "output_tokens": 1}

    def written(workspace: str | None) -> None:
        result = {**counts, "model": "m", "workspace_id": workspace}
        path.write_text(json.dumps({"data": [{**times, "results": [result]}], "has_more": False}))

    written(None)
    assert dict(import_file(books, asked, now=lambda: NOON, by="test").outcomes) == {"stored": 1}
    written("w")
    with pytest.raises(Conflict, match="grouped otherwise"):
        import_file(books, asked, now=lambda: NOON, by="test")
