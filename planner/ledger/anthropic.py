"""Anthropic's usage reports count what every bucket used, its cost reports say in cents what that was billed as.

There are two of each: ``/v1/organizations/usage_report/messages`` and ``/cost_report``, both marked legacy as of
29 October 2026, and ``/v1/organizations/analytics/usage`` and ``/cost``, in beta under
``analytics-usage-cost-2026-08-24``. The older put results into buckets, the newer have rows with a ``group``.

Source: Anthropic's API reference, Admin API, usage and cost.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

from planner.core.errors import InvalidInput
from planner.core.event import Event, Role, StatedBy
from planner.core.grouping import NOT_GROUPED_BY
from planner.core.money import exactly, plain
from planner.ledger import cells
from planner.ledger.format import File, Format, Given, Read, Refused, Row, Skipped
from planner.ledger.ids import aggregate_id
from planner.ledger.pages import dimensions, first_result, read_results, tags
from planner.ledger.tiers import service_tier

PROVIDER = "anthropic"
_CENT = Decimal("0.01")
_FIGURES = frozenset({"uncached_input_tokens", "cache_read_input_tokens", "output_tokens"})
# The shortest and the longest prompt of a row. Of another word nobody knows, so that its cost has bounds only.
_WINDOWS = {"0-200k": (0, 200_000), "200k-1M": (200_001, 1_000_000)}
# Documented words whose price is not: of the Priority Tier beyond what was committed, and of a discount nobody states.
_UNPRICED_TIERS = {"priority_on_demand": "priority", "flex_discount": "flex"}
_ANYWHERE = (None, "global", "not_available")
_GROUPS = ("model", "service_tier", "context_window", "inference_geo", "speed")
_USAGE_TAGS = (
    *("actor", "actor_type", "account_id", "service_account_id", "agent_id", "deployment_id", "environment_id"),
    *("product", "rbac_group_id", "context_window"),
)
_COST_TAGS = (*_USAGE_TAGS, "cost_type", "token_type", "description", "service_tier", "inference_geo", "speed")


class Usage:
    """Pages of either usage report.

    ``uncached_input_tokens`` do not contain what was read from or written to a cache. The older report does not count
    requests. What a page is not grouped by is null, and the tag ``not_grouped_by`` says which of the words that a price
    depends on are: without a ``context_window`` a cost has bounds, without a tier it is taken for the ordinary one.
    Speed is a tier with planner. The same bucket under another grouping has other rows, which would count beside the
    first: every pull of a stream has to be grouped alike, or it is refused.
    """

    name = "anthropic_usage"
    title = "Anthropic: pages of the usage reports"
    role = Role.LEDGER
    mutable = True

    def knows(self, file: File) -> str | None:
        """Tell by the counts that only a usage report has together."""
        _group, used = _parts(first_result(file), "usage")
        return "its results have the counts of Anthropic's usage reports" if used.keys() >= _FIGURES else None

    def read(self, file: File, given: Given) -> Iterator[Read | Refused | Skipped]:
        """Yield every result of every bucket."""
        return read_results(file, partial(_usage, given=given))


class Costs:
    """Pages of either cost report: evidence. The Priority Tier is in neither.

    ``amount`` is in cents, after discounts and before credits; ``list_amount``, which the newer report has, is before
    discounts, and is kept in dollars as the tag ``list_usd``.
    """

    name = "anthropic_costs"
    title = "Anthropic: pages of the cost reports"
    role = Role.EVIDENCE
    mutable = True

    def knows(self, file: File) -> str | None:
        """Tell by an amount beside a model or a kind of cost."""
        group, cost = _parts(first_result(file), "cost")
        known = isinstance(cost.get("amount"), str) and "cost_type" in group
        return "its results have the amounts of Anthropic's cost reports" if known else None

    def read(self, file: File, given: Given) -> Iterator[Read | Refused | Skipped]:
        """Yield every amount of every bucket."""
        return read_results(file, partial(_cost, given=given))


FORMATS: tuple[Format, ...] = (Usage(), Costs())


def _parts(values: Mapping[str, Any], figures: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return what a result is grouped by and its figures: apart in the newer reports, together in the older ones."""
    if "group" not in values:
        return values, values
    group, stated = values["group"], values.get(figures)
    return (group, stated) if isinstance(group, dict) and isinstance(stated, dict) else ({}, {})


def _bucket(values: Mapping[str, Any]) -> tuple[datetime, datetime]:
    begins, ends = (cells.needed(cells.moment(values, name), name) for name in ("starting_at", "ending_at"))
    return begins, ends


def _usage(row: Row, given: Given) -> Event:
    group, used = _parts(row.values, "usage")
    if not used.keys() >= _FIGURES:
        raise InvalidInput("uncached_input_tokens", "the counts of a usage report are needed")
    at, until = _bucket(row.values)
    model, region = cells.text(group, "model"), cells.text(group, "inference_geo")
    window = cells.text(group, "context_window")
    shortest, longest = _WINDOWS.get(window or "", (None, None))
    tier, priced = _tier(group)
    ungrouped = [name for name in _GROUPS if name in group and group[name] is None]
    said = tags(group, *_USAGE_TAGS) if priced else tags(group, *_USAGE_TAGS, "service_tier")
    return Event(
        source=given.source,
        id=aggregate_id("anthropic_usage", at, until, dimensions(group)),
        at=at,
        until=until,
        counts=_counts(used),
        includes_cached=False if given.includes_cached is None else given.includes_cached,
        provider=PROVIDER,
        model=model,
        service_tier=tier,
        region=None if region in _ANYWHERE else region,
        prompt_min=shortest,
        prompt_max=longest,
        plan=given.plan,
        customer=given.customer,
        task=given.task,
        project=cells.text(group, "workspace_id"),
        key=cells.text(group, "api_key_id"),
        tags={**said, NOT_GROUPED_BY: " ".join(ungrouped)} if ungrouped else said,
        rateable=priced and model is not None,
    )


def _counts(used: Mapping[str, Any]) -> dict[str, int]:
    written, tools = cells.json_object(used, "cache_creation"), cells.json_object(used, "server_tool_use")
    stated = {
        "input_tokens": cells.count(used, "uncached_input_tokens"),
        "cache_read_tokens": cells.count(used, "cache_read_input_tokens"),
        "cache_write_5m_tokens": cells.count(written, "ephemeral_5m_input_tokens"),
        "cache_write_1h_tokens": cells.count(written, "ephemeral_1h_input_tokens"),
        "output_tokens": cells.count(used, "output_tokens"),
        "web_searches": cells.count(tools, "web_search_requests"),
        "requests": cells.count(used, "requests") or 0,
    }
    return {name: quantity for name, quantity in stated.items() if quantity is not None}


def _tier(group: Mapping[str, Any]) -> tuple[str, bool]:
    """Return planner's word for the tier, and whether its price is known at all."""
    word = cells.text(group, "service_tier")
    priced = word not in _UNPRICED_TIERS
    tier = service_tier(_UNPRICED_TIERS.get(word or "", word))
    speed = cells.text(group, "speed")
    if speed in (None, "standard"):
        return tier, priced
    if speed != "fast" or tier != "standard":
        raise InvalidInput("speed", "standard is needed, or fast in the standard tier")
    return "fast", priced


def _cost(row: Row, given: Given) -> Event:
    group, cost = _parts(row.values, "cost")
    at, until = _bucket(row.values)
    if cells.text(cost, "currency") != "USD":
        raise InvalidInput("currency", "USD is needed")
    listed = cells.decimal(cost, "list_amount")
    said = tags(group, *_COST_TAGS)
    return Event(
        source=given.source,
        id=aggregate_id("anthropic_costs", at, until, dimensions(group, "amount", "list_amount")),
        at=at,
        until=until,
        counts={"requests": 0},
        provider=PROVIDER,
        model=cells.text(group, "model"),
        plan=given.plan,
        customer=given.customer,
        task=given.task,
        project=cells.text(group, "workspace_id"),
        key=cells.text(group, "api_key_id"),
        tags=said if listed is None else {**said, "list_usd": plain(exactly(listed, _CENT))},
        stated_usd=exactly(cells.needed(cells.decimal(cost, "amount"), "amount"), _CENT),
        stated_by=StatedBy.PROVIDER,
        rateable=False,
    )
