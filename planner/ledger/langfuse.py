"""Langfuse exports what it observed, and its generations and embeddings are requests to a model."""

from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Any

from planner.core.errors import InvalidInput
from planner.core.event import Event, Outcome, Role, StatedBy
from planner.ledger import cells
from planner.ledger.format import File, Format, Given, Read, Refused, Row, Skipped
from planner.ledger.tables import columns, each, label, named, table

_COLUMNS = frozenset({"id", "trace_id", "type", "start_time", "provided_model_name", "usage_details"})
_REQUESTS = frozenset({"GENERATION", "EMBEDDING"})

# One count, in every spelling that an integration of Langfuse writes it in.
# Source: langfuse/langfuse, default-model-prices.json and the rules for adding to it.
_SPELLINGS = {
    "input_tokens": ("input", "input_tokens", "prompt_tokens", "prompt_token_count", "promptTokenCount"),
    "output_tokens": ("output", "output_tokens", "completion_tokens", "candidates_token_count", "candidatesTokenCount"),
    "cache_read_tokens": (
        *("input_cache_read", "input_cached_tokens", "cache_read_input_tokens", "input_cache_read_tokens"),
        *("cached_tokens", "cached_content_token_count", "cachedContentTokenCount"),
    ),
    "cache_write_tokens": (
        *("input_cache_creation", "cache_creation_input_tokens", "input_cache_creation_tokens"),
        *("cache_write_tokens", "cache_write_input_tokens", "input_cache_write_tokens"),
    ),
    "cache_write_5m_tokens": ("input_cache_creation_5m",),
    "cache_write_1h_tokens": ("input_cache_creation_1h",),
    "reasoning_tokens": (
        *("output_reasoning", "output_reasoning_tokens", "reasoning_tokens"),
        *("thoughts_token_count", "thoughtsTokenCount"),
    ),
    "input_audio_tokens": ("input_audio", "input_audio_tokens"),
    "input_image_tokens": ("input_image", "input_image_tokens"),
    "input_video_tokens": ("input_video", "input_video_tokens"),
    "output_audio_tokens": ("output_audio", "output_audio_tokens"),
    "output_image_tokens": ("output_image", "output_image_tokens"),
    "output_video_tokens": ("output_video", "output_video_tokens"),
    "web_searches": ("web_search_requests",),
    # These have no unit of their own: they are tokens of the prompt and of the answer.
    "input_text": ("input_text", "input_text_tokens", "input_modality_1"),
    "output_text": ("output_text", "output_text_tokens", "output_modality_1"),
    "output_accepted": ("output_accepted_prediction_tokens",),
    "output_rejected": ("output_rejected_prediction_tokens",),
}
_NAMED = {spelling: name for name, spellings in _SPELLINGS.items() for spelling in spellings}
# The provider's own id, where the observation came by OpenTelemetry. An id of the application's own is no such thing.
_RESPONSE_ID = "gen_ai.response.id"
_TOTALS = ("total", "total_tokens", "totalTokenCount", "total_token_count")
_INPUT_PARTS = ("input_audio_tokens", "input_image_tokens", "input_video_tokens", "input_text")
_OUTPUT_PARTS = (
    *("reasoning_tokens", "output_audio_tokens", "output_image_tokens", "output_video_tokens"),
    *("output_text", "output_accepted", "output_rejected"),
)
_NO_UNIT = ("input_text", "output_text", "output_accepted", "output_rejected")


class Observations:
    """Rows of the observations export.

    Langfuse prices every kind of usage by itself and adds them up, so that its kinds are meant to be disjoint, and what
    it reads from OpenAI and OpenTelemetry it takes apart accordingly. Whoever sends usage on their own may do
    otherwise: whether ``input`` contains the cached part is therefore judged over the whole stream, and a part of the
    answer lies beside ``output`` unless the row's own total says that it lies inside. Langfuse writes the sum of all
    kinds where no total was sent. A kind it does not know makes no cost here. Inputs, outputs and the breakdown of
    costs are never looked at.

    Source: langfuse.com/docs/model-usage-and-cost; langfuse/langfuse, shared/src/server/ingestion/types.ts.
    """

    name = "langfuse"
    title = "Langfuse: observations"
    role = Role.LEDGER
    mutable = True

    def knows(self, file: File) -> str | None:
        """Tell by the columns of the export."""
        return "it has the columns of Langfuse's observations" if columns(file) >= _COLUMNS else None

    def read(self, file: File, given: Given) -> Iterator[Read | Refused | Skipped]:
        """Yield generations and embeddings; whatever only contains others is skipped."""
        return each(table(file), lambda row: _event(row, given))


FORMATS: tuple[Format, ...] = (Observations(),)


def _event(row: Row, given: Given) -> Event | Skipped:
    values = row.values
    if values.get("type") not in _REQUESTS:
        return Skipped(row.place, "type: neither a generation nor an embedding")
    metadata = _metadata(values, "metadata")
    plan, customer, task = named(metadata, given, cells.text(values, "user_id"))
    counts, total, known = _counts(cells.json_object(values, "usage_details"))
    environment = cells.text(values, "environment")
    return Event(
        source=given.source,
        id=cells.needed(cells.text(values, "id"), "id"),
        request_id=label(metadata, _RESPONSE_ID) or label(_metadata(metadata, "attributes"), _RESPONSE_ID),
        at=cells.needed(cells.moment(values, "start_time", UTC), "start_time"),
        counts=counts,
        includes_cached=given.includes_cached,
        total_tokens=total,
        channel=given.channel or "direct",
        provider=given.provider,
        model=cells.text(values, "provided_model_name"),
        plan=plan,
        customer=customer,
        task=task,
        project=cells.text(values, "project_id"),
        tags={} if environment is None else {"environment": environment},
        outcome=Outcome.FAILED if values.get("level") == "ERROR" else Outcome.OK,
        stated_usd=cells.cost(values, "total_cost"),
        stated_by=StatedBy.ESTIMATE,
        rateable=known,
        updated_at=cells.moment(values, "updated_at", UTC),
    )


def _metadata(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return metadata as labels; it may be anything an application likes, and only an object has labels."""
    value = values.get(name)
    labels = isinstance(value, dict) or (isinstance(value, str) and value.startswith("{"))
    return cells.json_object(values, name) if labels else {}


def _counts(usage: Mapping[str, Any]) -> tuple[dict[str, int], int | None, bool]:
    """Return the counts, the total beside them, and whether every kind of usage is one that is known here."""
    found: dict[str, int] = {}
    total, known = None, True
    for kind in usage:
        number = cells.count(usage, kind)
        if number is None:
            continue
        if kind in _TOTALS:
            total = number
        elif kind not in _NAMED:
            known = known and not number
        else:
            name = _NAMED[kind]
            if found.get(name, 0) not in (0, number) and number:
                raise InvalidInput(kind, "another spelling of the same count says something else")
            found[name] = max(number, found.get(name, 0))
    _whole(found, total)
    return {name: number for name, number in found.items() if name not in _NO_UNIT}, total, known


def _whole(found: dict[str, int], total: int | None) -> None:
    """Make the whole of each part: what was written to the cache, and prompts and answers with parts beside them."""
    lifetimes = found.get("cache_write_5m_tokens", 0) + found.get("cache_write_1h_tokens", 0)
    if lifetimes:
        written = found.get("cache_write_tokens", 0)
        found["cache_write_tokens"] = written if written >= lifetimes else written + lifetimes
    prompt, answer = found.get("input_tokens", 0), found.get("output_tokens", 0)
    inputs, outputs = (sum(found.get(name, 0) for name in parts) for parts in (_INPUT_PARTS, _OUTPUT_PARTS))
    cached = found.get("cache_read_tokens", 0) + found.get("cache_write_tokens", 0)
    base, parts = prompt + answer, inputs + outputs
    inside = total in (base, base + cached) and total not in (base + parts, base + cached + parts)
    if parts and not (inside and inputs <= prompt and outputs <= answer):
        found["input_tokens"], found["output_tokens"] = prompt + inputs, answer + outputs
