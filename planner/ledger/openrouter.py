"""OpenRouter says what was used day by day, request by request, and as a file from its activity page.

A cost is what OpenRouter took from the credits plus, where the upstream's own key was used, what the upstream took.

Source: OpenRouter's OpenAPI description, GET /activity and GET /generation, as of August 2026.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, timedelta
from decimal import Decimal, localcontext
from itertools import islice
from typing import Any

from planner.core.event import Event, Outcome, Role, StatedBy
from planner.ledger import cells
from planner.ledger.format import File, Format, Given, Read, Refused, Row, Skipped
from planner.ledger.ids import aggregate_id
from planner.ledger.pages import tags
from planner.ledger.tables import columns, each, table
from planner.ledger.tiers import service_tier

CHANNEL = "openrouter"
_DAY = timedelta(days=1)
# How far into a file its first answer may stand.
_LOOK = 1_000
_DIGITS = 120
_ACTIVITY = frozenset({"date", "model", "endpoint_id", "provider_name", "usage", "byok_usage_inference", "requests"})
_GENERATION = frozenset({"id", "native_tokens_prompt", "native_tokens_completion", "total_cost", "provider_name"})
_EXPORT = frozenset({"generation_id", "created_at", "cost_total", "tokens_prompt", "tokens_completion"})


class Activity:
    """Rows of ``GET /activity``: one for each UTC day, model, endpoint and provider.

    They do not say what was read from a cache, so that no cost follows from their tokens; the one they state counts.
    ``completion_tokens`` contain the reasoning. A day is complete when it is over, and a later pull of it counts.
    """

    name = "openrouter_activity"
    title = "OpenRouter: activity, day by day"
    role = Role.LEDGER
    mutable = True

    def knows(self, file: File) -> str | None:
        """Tell by the fields that only activity has together."""
        return "it has the fields of OpenRouter's activity" if columns(file) >= _ACTIVITY else None

    def read(self, file: File, given: Given) -> Iterator[Read | Refused | Skipped]:
        """Yield every day of every endpoint; also from a bare list of rows, and from CSV with the same columns."""
        return each(table(file), lambda row: _day(row.values, given))


class Generation:
    """Answers of ``GET /generation``, each of which is one request.

    Tokens are those the upstream counted, ``native_tokens_...``; ``tokens_...`` are OpenRouter's own estimate, with one
    tokenizer for all models, and nothing is billed by them. ``num_search_results`` are results and not searches, so
    that they are no count here; their price is in the stated cost.
    """

    name = "openrouter_generation"
    title = "OpenRouter: generations, one request each"
    role = Role.LEDGER
    mutable = False

    def knows(self, file: File) -> str | None:
        """Tell by the fields that only a generation has together."""
        first = next((row.values for row in islice(_generations(file), _LOOK) if isinstance(row, Row)), {})
        return "it has the fields of OpenRouter's generations" if frozenset(first) >= _GENERATION else None

    def read(self, file: File, given: Given) -> Iterator[Read | Refused | Skipped]:
        """Yield every request; an answer may be bare or under ``data``."""
        return each(_generations(file), lambda row: _request(row.values, given))


class Export:
    """The CSV that the activity page gives, one request a line.

    It does not say whose tokenizer counted its tokens, so that no cost follows from them; the one it states counts.

    Source: the header that tools in public repositories read it by; OpenRouter describes it nowhere.
    """

    name = "openrouter_export"
    title = "OpenRouter: export of the activity page"
    role = Role.LEDGER
    mutable = False

    def knows(self, file: File) -> str | None:
        """Tell by the columns that only this export has together."""
        return "it has the columns of OpenRouter's export" if columns(file) >= _EXPORT else None

    def read(self, file: File, given: Given) -> Iterator[Read | Refused | Skipped]:
        """Yield every request."""
        return each(table(file), lambda row: _line(row.values, given))


FORMATS: tuple[Format, ...] = (Activity(), Generation(), Export())


def _generations(file: File) -> Iterator[Row | Refused]:
    for row in table(file):
        inside = row.values.get("data") if isinstance(row, Row) else None
        yield Row(f"{row.place} data".lstrip(), inside) if isinstance(inside, dict) else row


def _day(values: Mapping[str, Any], given: Given) -> Event:
    at = cells.needed(cells.moment(values, "date", UTC), "date")
    model, provider = cells.text(values, "model"), cells.text(values, "provider_name")
    workspace = cells.text(values, "workspace_id")
    said = tags(values, "model_permaslug", "endpoint_id")
    dimensions = {**said, "model": model, "provider": provider, "workspace_id": workspace}
    return Event(
        source=given.source,
        id=aggregate_id("openrouter_activity", at, at + _DAY, dimensions),
        at=at,
        until=at + _DAY,
        counts=_counts(
            values,
            input_tokens="prompt_tokens",
            output_tokens="completion_tokens",
            reasoning_tokens="reasoning_tokens",
            requests="requests",
        ),
        channel=CHANNEL,
        provider=provider,
        model=model,
        plan=given.plan,
        customer=given.customer,
        task=given.task,
        project=workspace,
        tags=said,
        stated_usd=_sum(values, "usage", "byok_usage_inference"),
        stated_by=StatedBy.PROVIDER,
        cache_stated=False,
        rateable=False,
    )


def _request(values: Mapping[str, Any], given: Given) -> Event:
    id_ = cells.needed(cells.text(values, "id"), "id")
    region = cells.text(values, "data_region")
    own_key = cells.flag(values, "is_byok")
    cost = _sum(values, "total_cost", "upstream_inference_cost") if own_key else cells.cost(values, "total_cost")
    failed = cells.flag(values, "cancelled") or values.get("finish_reason") == "error"
    return Event(
        source=given.source,
        id=id_,
        request_id=id_,
        at=cells.needed(cells.moment(values, "created_at"), "created_at"),
        counts={
            "requests": 1,
            **_counts(
                values,
                input_tokens="native_tokens_prompt",
                cache_read_tokens="native_tokens_cached",
                output_tokens="native_tokens_completion",
                reasoning_tokens="native_tokens_reasoning",
                output_image_tokens="native_tokens_completion_images",
            ),
        },
        includes_cached=True if given.includes_cached is None else given.includes_cached,
        channel=CHANNEL,
        provider=cells.text(values, "provider_name"),
        model=cells.text(values, "model"),
        service_tier=service_tier(cells.text(values, "service_tier")),
        region=None if region == "global" else region,
        plan=given.plan,
        customer=cells.text(values, "external_user") or given.customer,
        task=given.task,
        project=cells.text(values, "workspace_id"),
        tags=tags(values, "upstream_id", "finish_reason", "session_id", "preset_id", "router", "web_search_engine"),
        outcome=Outcome.FAILED if failed else Outcome.OK,
        stated_usd=cost,
        stated_by=StatedBy.PROVIDER,
    )


def _line(values: Mapping[str, Any], given: Given) -> Event:
    id_ = cells.needed(cells.text(values, "generation_id"), "generation_id")
    failed = cells.flag(values, "cancelled") or values.get("finish_reason_normalized") == "error"
    return Event(
        source=given.source,
        id=id_,
        request_id=id_,
        # The times of the export are UTC and do not say so.
        at=cells.needed(cells.moment(values, "created_at", UTC), "created_at"),
        counts={
            "requests": 1,
            **_counts(
                values,
                input_tokens="tokens_prompt",
                cache_read_tokens="tokens_cached",
                output_tokens="tokens_completion",
                reasoning_tokens="tokens_reasoning",
            ),
        },
        includes_cached=True if given.includes_cached is None else given.includes_cached,
        channel=CHANNEL,
        provider=cells.text(values, "provider_name"),
        model=cells.text(values, "model_permaslug"),
        plan=given.plan,
        customer=cells.text(values, "user") or given.customer,
        task=given.task,
        key=cells.text(values, "api_key_name"),
        tags=tags(values, "app_name", "variant", "finish_reason_normalized"),
        outcome=Outcome.FAILED if failed else Outcome.OK,
        stated_usd=_sum(values, "cost_total", "byok_usage_inference"),
        stated_by=StatedBy.PROVIDER,
        rateable=False,
    )


def _counts(values: Mapping[str, Any], **fields: str) -> dict[str, int]:
    """Return the counts that are stated; each argument is a count and the field it stands in."""
    stated = {name: cells.count(values, field) for name, field in fields.items()}
    return {name: quantity for name, quantity in stated.items() if quantity is not None}


def _sum(values: Mapping[str, Any], own: str, upstream: str) -> Decimal | None:
    """Return what both took together; None where one of the two does not say, since a part is not the cost."""
    credits_, key = cells.cost(values, own), cells.cost(values, upstream)
    # The usual context rounds a sum to 28 digits, and either part may have 40.
    with localcontext(prec=_DIGITS):
        return None if credits_ is None or key is None else credits_ + key
