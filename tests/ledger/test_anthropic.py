"""Anthropic's usage and cost reports, older and newer: prompts without their cached part, and amounts in cents."""

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given

from planner.core.event import Event, StatedBy
from planner.core.units import Unit
from planner.ledger.anthropic import Costs, Usage
from planner.ledger.format import Format
from planner.ledger.reading import open_file
from tests.data import shared
from tests.ledger.opened import GIVEN, broken, document, events, refusals

OLDER = {
    "uncached_input_tokens": 1_000,
    "cache_creation": {"ephemeral_1h_input_tokens": 30, "ephemeral_5m_input_tokens": 20},
    "cache_read_input_tokens": 400,
    "output_tokens": 200,
    "server_tool_use": {"web_search_requests": 3},
    "api_key_id": "key_1",
    "workspace_id": "ws_1",
    "model": "claude-opus-4-6",
    "service_tier": "standard",
    "context_window": "0-200k",
    "inference_geo": "us",
    "speed": "standard",
    "account_id": None,
    "service_account_id": None,
}
GROUP = {
    "actor": "user@example.com",
    "actor_type": "user",
    "api_key_id": "key_1",
    "context_window": None,
    "inference_geo": "global",
    "model": "claude-sonnet-4-5",
    "product": "api",
    "service_tier": "batch",
    "speed": None,
    "workspace_id": "ws_1",
}
NEWER = {
    "group": GROUP,
    "usage": {
        "uncached_input_tokens": 5_000,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_1h_input_tokens": 0, "ephemeral_5m_input_tokens": 0},
        "output_tokens": 900,
        "requests": 42,
        "server_tool_use": {"web_search_requests": 0},
    },
}
OLDER_COST = {
    "amount": "123.45",
    "currency": "USD",
    "cost_type": "tokens",
    "description": "Claude Opus 4.6 Usage - Input Tokens",
    "model": "claude-opus-4-6",
    "token_type": "uncached_input_tokens",
    "workspace_id": "ws_1",
}
NEWER_COST = {
    "group": {**GROUP, "cost_type": "tokens", "token_type": None},
    "cost": {"amount": "850.5", "currency": "USD", "list_amount": "1000.25", "requests": 42},
}
TIMES = {"starting_at": "2026-09-01T00:00:00Z", "ending_at": "2026-09-02T00:00:00Z"}


def older(*results: object) -> Any:
    """Make a page of buckets."""
    return document({"data": [{**TIMES, "results": [*results]}], "has_more": False, "next_page": None})


def newer(*rows: dict[str, Any]) -> Any:
    """Make a page of rows."""
    return document({"data": [{**TIMES, **row} for row in rows], "has_more": False, "next_page": None})


def usage(**fields: Any) -> Event:
    """Read one result of the older report."""
    return events(Usage().read(older({**OLDER, **fields}), GIVEN))[0]


def test_a_prompt_does_not_contain_its_cached_part() -> None:
    """The counts are disjoint as they stand, with two lifetimes of what was written; requests are not counted."""
    event = usage()
    assert event.includes_cached is False
    assert dict(event.usage(includes_cached=False).parts) == {
        Unit.INPUT: 1_000, Unit.CACHE_READ: 400, Unit.CACHE_WRITE_5M: 20, Unit.CACHE_WRITE_1H: 30, Unit.OUTPUT: 200,
        Unit.WEB_SEARCH: 3,
    }  # fmt: skip
    assert event.counts["requests"] == 0
    assert (event.at, event.until) == (datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 9, 2, tzinfo=UTC))
    assert (event.provider, event.project, event.key) == ("anthropic", "ws_1", "key_1")


def test_the_newer_report_counts_requests() -> None:
    """The same counts under other names, and what nothing is grouped by is said."""
    (event,) = events(Usage().read(newer(NEWER), GIVEN))
    assert (event.counts["requests"], event.counts["input_tokens"], event.service_tier) == (42, 5_000, "batch")
    assert event.tags == {
        "actor": "user@example.com", "actor_type": "user", "product": "api", "not_grouped_by": "context_window speed",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("window", "bounds"),
    [
        ("0-200k", (0, 200_000)),
        ("200k-1M", (200_001, 1_000_000)),
        (None, (None, None)),
        ("1M-2M", (None, None)),
    ],
)
def test_a_context_window_bounds_every_prompt_of_a_row(
    window: str | None, bounds: tuple[int | None, int | None]
) -> None:
    """Without one, or with one that nobody knows, a price of long prompts may hold or not."""
    event = usage(context_window=window)
    assert (event.prompt_min, event.prompt_max) == bounds


@pytest.mark.parametrize(
    ("fields", "tier", "rateable"),
    [
        ({}, "standard", True),
        ({"service_tier": "batch"}, "batch", True),
        ({"service_tier": "priority"}, "priority", True),
        ({"service_tier": "flex"}, "flex", True),
        ({"speed": "fast"}, "fast", True),
        ({"speed": None, "service_tier": None}, "standard", True),
        ({"service_tier": "priority_on_demand"}, "priority", False),
        ({"service_tier": "flex_discount"}, "flex", False),
        ({"model": None}, "standard", False),
    ],
)
def test_the_tier_is_one_of_planners_words(fields: dict[str, Any], tier: str, rateable: bool) -> None:
    """Two documented tiers have no documented price: their tokens are kept without a cost, and with their word."""
    event = usage(**fields)
    assert (event.service_tier, event.rateable) == (tier, rateable)
    assert event.tags.get("service_tier") == (None if rateable or "model" in fields else fields["service_tier"])


@pytest.mark.parametrize(("geo", "region"), [("us", "us"), ("global", None), ("not_available", None), (None, None)])
def test_anywhere_is_no_region(geo: str | None, region: str | None) -> None:
    """A place that costs more is one."""
    assert usage(inference_geo=geo).region == region


def test_a_later_pull_of_a_bucket_has_the_same_id() -> None:
    """Figures and the spelling of the times may change; every dimension that differs makes another row."""
    again = {**OLDER, "output_tokens": 9, "cache_creation": None}
    body = {"data": [{"starting_at": "2026-09-01T00:00:00+00:00", "ending_at": TIMES["ending_at"], "results": [again]}]}
    (same,) = events(Usage().read(document(body), GIVEN))
    names = ("api_key_id", "workspace_id", "model", "service_tier", "context_window", "inference_geo", "speed")
    others = [usage(**{name: None}).id for name in names] + [usage(account_id="a").id]
    assert same.id == usage().id
    assert len({same.id, *others}) == len(others) + 1
    rows = [{**NEWER, "group": {**GROUP, name: "x"}} for name in ("actor", "product", "api_key_id", "agent_id")]
    assert len({event.id for event in events(Usage().read(newer(NEWER, *rows), GIVEN))}) == 5


def test_amounts_are_cents() -> None:
    """$1.2345 as a decimal text of cents; what nobody has discounted is kept beside it in dollars."""
    (one,) = events(Costs().read(older(OLDER_COST), GIVEN))
    (other,) = events(Costs().read(newer(NEWER_COST), GIVEN))
    assert (one.stated_usd, one.stated_by, one.counts) == (Decimal("1.2345"), StatedBy.PROVIDER, {"requests": 0})
    assert one.tags["description"] == "Claude Opus 4.6 Usage - Input Tokens"
    assert (other.stated_usd, other.tags["list_usd"], other.rateable) == (Decimal("8.505"), "10.0025", False)


def test_an_amount_that_changes_keeps_its_id() -> None:
    """The amounts are figures; the kind of token is a dimension."""
    rows = [{**OLDER_COST, "amount": "1", "list_amount": "2"}, {**OLDER_COST, "token_type": "output_tokens"}]
    ids = [event.id for event in events(Costs().read(older(OLDER_COST, *rows), GIVEN))]
    assert (ids[0] == ids[1], ids[0] == ids[2]) == (True, False)


def test_each_report_is_known_for_what_it_is() -> None:
    """By its counts or its amounts, in either shape; a page without results is of neither."""
    known = [(Usage().knows(file) is not None, Costs().knows(file) is not None) for file in (
        older(OLDER), newer(NEWER), older(OLDER_COST), newer(NEWER_COST), older(), document({"data": [{"group": "x"}]}),
    )]  # fmt: skip
    assert known == [(True, False), (True, False), (False, True), (False, True), (False, False), (False, False)]


def test_what_cannot_be_read_is_refused_by_its_field() -> None:
    """Other counts, a tier or a speed nobody knows, another currency, no amount, no time."""
    wrong = [
        {"output_tokens": "many"},
        {"service_tier": "gold"},
        {"speed": "slow"},
        {"speed": "fast", "service_tier": "batch"},
    ]
    found = refusals(Usage().read(older(*({**OLDER, **fields} for fields in wrong), OLDER_COST), GIVEN))
    found += refusals(Usage().read(newer({"group": 7}, {**NEWER, "starting_at": None}), GIVEN))
    found += refusals(Costs().read(older({**OLDER_COST, "currency": "EUR"}, {**OLDER_COST, "amount": None}), GIVEN))
    assert [reason.partition(":")[0] for reason in found] == [
        "output_tokens", "service_tier", "speed", "speed", "uncached_input_tokens", "uncached_input_tokens",
        "starting_at", "currency", "amount",
    ]  # fmt: skip


def test_the_recorded_samples() -> None:
    """$1.3378912 in the older cost report; 54 million tokens read from the cache in the newer usage report."""
    names = ("usage_report_messages_legacy", "analytics_usage_beta", "cost_report_legacy", "analytics_cost_beta")
    files = [open_file(shared("usage", "anthropic", f"{name}.json")) for name in names]
    used = [event for file in files[:2] for event in events(Usage().read(file, GIVEN))]
    costs = [[event.stated_usd or Decimal(0) for event in events(Costs().read(file, GIVEN))] for file in files[2:]]
    assert [sum(map(Fraction, amounts)) for amounts in costs] == [Fraction("1.3378912"), Fraction("80.42175")]
    assert [(event.service_tier, event.region, event.prompt_max) for event in used] == [
        ("standard", None, 200_000), ("batch", "us", 1_000_000), ("standard", None, None),
    ]  # fmt: skip
    assert (used[2].counts["cache_read_tokens"], used[2].counts["requests"]) == (54_000_000, 1_290)


@pytest.mark.parametrize("form", [Usage(), Costs()])
@given(body=broken({"data": [{**TIMES, "results": [OLDER, OLDER_COST]}, {**TIMES, **NEWER}, {**TIMES, **NEWER_COST}]}))
def test_a_broken_page_is_refused_row_by_row(form: Format, body: Any) -> None:
    """Whatever is missing or of another kind, nothing is raised."""
    file = document(body)
    form.knows(file)
    list(form.read(file, GIVEN))
