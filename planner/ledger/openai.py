"""OpenAI's usage pages count what every bucket used, its cost page says what each day of it was billed as.

Source: openai/openai-openapi, components UsageCompletionsResult and its kin, and CostsResult, as of September 2026.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from planner.core.errors import InvalidInput
from planner.core.event import Event, Role, StatedBy
from planner.core.grouping import NOT_GROUPED_BY
from planner.core.money import plain
from planner.ledger import cells
from planner.ledger.format import File, Format, Given, Read, Refused, Row, Skipped
from planner.ledger.ids import aggregate_id
from planner.ledger.pages import dimensions, first_result, read_results, tags
from planner.ledger.tiers import service_tier

PROVIDER = "openai"
_USAGE, _COSTS, _RESULT = "organization.usage.", "organization.costs.result", ".result"

# Kind -> count -> the fields that sum up to it. Modalities of a prompt are stated without their cached part, which
# stands beside them, while a count of ours contains its cached part.
_COUNTS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "completions": {
        "input_tokens": ("input_tokens",),
        "cache_read_tokens": ("input_cached_tokens",),
        "cache_write_tokens": ("input_cache_write_tokens",),
        "input_audio_tokens": ("input_audio_tokens", "input_cached_audio_tokens"),
        "input_image_tokens": ("input_image_tokens", "input_cached_image_tokens"),
        "cache_read_audio_tokens": ("input_cached_audio_tokens",),
        "cache_read_image_tokens": ("input_cached_image_tokens",),
        "output_tokens": ("output_tokens",),
        "output_audio_tokens": ("output_audio_tokens",),
        "output_image_tokens": ("output_image_tokens",),
        "requests": ("num_model_requests",),
    },
    "embeddings": {"input_tokens": ("input_tokens",), "requests": ("num_model_requests",)},
    "moderations": {"input_tokens": ("input_tokens",), "requests": ("num_model_requests",)},
    "images": {"images": ("images",), "requests": ("num_model_requests",)},
    "audio_speeches": {"characters": ("characters",), "requests": ("num_model_requests",)},
    "audio_transcriptions": {"audio_seconds": ("seconds",), "requests": ("num_model_requests",)},
    # The requests that searched are among the completions already.
    "web_searches": {"web_searches": ("num_requests",)},
    "file_searches": {"file_searches": ("num_requests",)},
}
_LEFT_OUT = {
    "vector_stores": "bytes that lie in a store are no count of requests; what they cost is on the cost page",
    "code_interpreter_sessions": "sessions of an interpreter have no count here; what they cost is on the cost page",
}
_GROUPS = ("model", "batch", "service_tier")
_TAGS = ("user_id", "api_source", "size", "source", "context_level", "vector_store_id")


class Usage:
    """Pages of ``GET /v1/organization/usage/...``, one kind after the other or together.

    ``input_tokens`` contain what was read from and written to a cache. What a page is not grouped by is null, and the
    tag ``not_grouped_by`` says which of the words that a price depends on are: a row without its model has no price,
    one without ``batch`` or ``service_tier`` is taken for the ordinary tier. ``user_id`` is the member of the
    organization whose key it was, so that it is a tag and no customer. The same bucket under another grouping has other
    rows, which would count beside the first: every pull of a stream has to be grouped alike, or it is refused.
    """

    name = "openai_usage"
    title = "OpenAI: pages of the usage API"
    role = Role.LEDGER
    mutable = True

    def knows(self, file: File) -> str | None:
        """Tell by what a result calls itself."""
        kind = first_result(file).get("object")
        known = isinstance(kind, str) and kind.startswith(_USAGE)
        return "its results are those of OpenAI's usage API" if known else None

    def read(self, file: File, given: Given) -> Iterator[Read | Refused | Skipped]:
        """Yield every result of every bucket."""
        return read_results(file, partial(_usage, given=given))


class Costs:
    """Pages of ``GET /v1/organization/costs``, day by day: evidence, since a line item names no tokens."""

    name = "openai_costs"
    title = "OpenAI: pages of the costs API"
    role = Role.EVIDENCE
    mutable = True

    def knows(self, file: File) -> str | None:
        """Tell by what a result calls itself."""
        return "its results are those of OpenAI's costs API" if first_result(file).get("object") == _COSTS else None

    def read(self, file: File, given: Given) -> Iterator[Read | Refused | Skipped]:
        """Yield every amount of every day."""
        return read_results(file, partial(_cost, given=given))


FORMATS: tuple[Format, ...] = (Usage(), Costs())


def _usage(row: Row, given: Given) -> Event | Skipped:
    values = row.values
    stated = values.get("object")
    kind = stated.removeprefix(_USAGE).removesuffix(_RESULT) if isinstance(stated, str) else ""
    if kind in _LEFT_OUT:
        return Skipped(row.place, f"{kind}: {_LEFT_OUT[kind]}")
    fields = _COUNTS.get(kind)
    if fields is None:
        raise InvalidInput("object", "a result of OpenAI's usage API is needed")
    at, until = _bucket(values)
    model = cells.text(values, "model")
    ungrouped = [name for name in _GROUPS if name in values and values[name] is None]
    said = {**tags(values, *_TAGS), "kind": kind}
    return Event(
        source=given.source,
        id=aggregate_id("openai_usage", at, until, dimensions(values)),
        at=at,
        until=until,
        counts={"requests": 0, **_counts(values, fields)},
        includes_cached=True if given.includes_cached is None else given.includes_cached,
        provider=PROVIDER,
        model=model,
        service_tier="batch" if cells.flag(values, "batch") else service_tier(cells.text(values, "service_tier")),
        plan=given.plan,
        customer=given.customer,
        task=given.task,
        project=cells.text(values, "project_id"),
        key=cells.text(values, "api_key_id"),
        tags={**said, NOT_GROUPED_BY: " ".join(ungrouped)} if ungrouped else said,
        cache_stated=kind != "completions" or "input_cached_tokens" in values,
        rateable=model is not None,
    )


def _bucket(values: Mapping[str, Any]) -> tuple[datetime, datetime]:
    begins, ends = (cells.needed(cells.epoch(values, name, 1), name) for name in ("start_time", "end_time"))
    return begins, ends


def _counts(values: Mapping[str, Any], fields: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    found = {}
    for name, parts in fields.items():
        stated = [quantity for part in parts if (quantity := cells.count(values, part)) is not None]
        if stated:
            found[name] = sum(stated)
    return found


def _cost(row: Row, given: Given) -> Event:
    values = row.values
    if values.get("object") != _COSTS:
        raise InvalidInput("object", "a result of OpenAI's costs API is needed")
    at, until = _bucket(values)
    amount = cells.json_object(values, "amount")
    if str(amount.get("currency")).lower() != "usd":
        raise InvalidInput("amount.currency", "usd is needed")
    said, quantity = tags(values, "line_item", "quantity_unit"), cells.decimal(values, "quantity")
    return Event(
        source=given.source,
        id=aggregate_id("openai_costs", at, until, dimensions(values, "quantity")),
        at=at,
        until=until,
        counts={"requests": 0},
        provider=PROVIDER,
        plan=given.plan,
        customer=given.customer,
        task=given.task,
        project=cells.text(values, "project_id"),
        key=cells.text(values, "api_key_id"),
        tags=said if quantity is None else {**said, "quantity": plain(quantity)},
        stated_usd=cells.needed(cells.decimal(amount, "value"), "amount.value"),
        stated_by=StatedBy.PROVIDER,
        rateable=False,
    )
