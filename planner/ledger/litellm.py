"""LiteLLM's proxy writes one row for every request into LiteLLM_SpendLogs, and these rows are a ledger."""

from collections.abc import Iterator, Mapping
from datetime import UTC
from decimal import Decimal
from typing import Any

from planner.core.errors import InvalidInput
from planner.core.event import Event, Outcome, Role, StatedBy
from planner.ledger import cells
from planner.ledger.format import File, Format, Given, Read, Refused, Skipped
from planner.ledger.tables import columns, each, named, table, tags

_SPEND_LOGS = frozenset(
    {"request_id", "call_type", "spend", "prompt_tokens", "completion_tokens", "startTime", "custom_llm_provider"}
)
_DAILY = frozenset({"date", "spend", "api_requests", "successful_requests", "prompt_tokens", "completion_tokens"})
# Count, the part of a row it stands in, and its name there. Of two places the first that says anything is believed.
_PLACES = (
    ("input_tokens", "row", "prompt_tokens"),
    ("output_tokens", "row", "completion_tokens"),
    ("cache_read_tokens", "prompt", "cached_tokens"),
    ("cache_read_tokens", "usage", "cache_read_input_tokens"),
    ("cache_write_tokens", "prompt", "cache_creation_tokens"),
    ("cache_write_tokens", "usage", "cache_creation_input_tokens"),
    ("cache_write_5m_tokens", "written", "ephemeral_5m_input_tokens"),
    ("cache_write_1h_tokens", "written", "ephemeral_1h_input_tokens"),
    ("input_audio_tokens", "prompt", "audio_tokens"),
    ("input_image_tokens", "prompt", "image_tokens"),
    ("input_video_tokens", "prompt", "video_tokens"),
    ("reasoning_tokens", "completion", "reasoning_tokens"),
    ("output_audio_tokens", "completion", "audio_tokens"),
    ("output_image_tokens", "completion", "image_tokens"),
    ("output_video_tokens", "completion", "video_tokens"),
    ("web_searches", "prompt", "web_search_requests"),
    ("web_searches", "tools", "web_search_requests"),
    ("pages", "usage", "pages_processed"),
)


class SpendLogs:
    """Rows of LiteLLM_SpendLogs, as a database or the proxy's API gives them.

    ``prompt_tokens`` contain what was read from and written to a cache, for every provider. The cached and the
    reasoning part stand only inside ``metadata``, in ``usage_object`` and, in older versions, in
    ``additional_usage_values``; where neither is there, it is not known what was cached. An answer from LiteLLM's own
    cache has tokens and costs nothing. Messages and responses are never looked at.

    Source: LiteLLM, schema.prisma of 0.4.110 and proxy/spend_tracking/spend_tracking_utils.py.
    """

    name = "litellm"
    title = "LiteLLM: rows of LiteLLM_SpendLogs"
    role = Role.LEDGER
    mutable = False

    def knows(self, file: File) -> str | None:
        """Tell by the columns that only this table has together."""
        return "it has the columns of LiteLLM_SpendLogs" if columns(file) >= _SPEND_LOGS else None

    def read(self, file: File, given: Given) -> Iterator[Read | Refused | Skipped]:
        """Yield every request."""
        return each(table(file), lambda row: _event(row.values, given))


class DailySpend:
    """The daily tables, which are known only to be refused."""

    name = "litellm_daily"
    title = "LiteLLM: the LiteLLM_Daily...Spend tables, which are refused"
    role = Role.EVIDENCE
    mutable = True

    def knows(self, file: File) -> str | None:
        """Tell by the columns the daily tables share."""
        return "it has the columns of a LiteLLM_Daily...Spend table" if columns(file) >= _DAILY else None

    def read(self, file: File, given: Given) -> Iterator[Read | Refused | Skipped]:  # noqa: ARG002  # as every format
        """Refuse the file.

        Raises:
            InvalidInput: always.
        """
        raise InvalidInput(
            "file",
            "LiteLLM's daily tables count one request once for every tag, user, team and key it has, so that their rows"
            " overlap and have no sum; export LiteLLM_SpendLogs",
        )


FORMATS: tuple[Format, ...] = (SpendLogs(), DailySpend())


def _event(values: Mapping[str, Any], given: Given) -> Event:
    request = cells.needed(cells.text(values, "request_id"), "request_id")
    metadata = cells.json_object(values, "metadata")
    usage = _usage(metadata)
    counts = _counts(values, usage)
    outcome = _outcome(values, metadata)
    labels = _labels(values)
    plan, customer, task = named(labels, given, cells.text(values, "end_user"))
    used = any(counts.values())
    return Event(
        source=given.source,
        id=request,
        request_id=request,
        at=cells.needed(cells.moment(values, "startTime", UTC), "startTime"),
        counts=counts,
        includes_cached=True,
        total_tokens=cells.count(values, "total_tokens"),
        channel=given.channel or "direct",
        provider=cells.text(values, "custom_llm_provider") or given.provider,
        model=cells.text(values, "model"),
        plan=plan,
        customer=customer,
        task=task,
        project=cells.text(values, "team_id"),
        key=cells.text(values, "api_key"),
        tags=tags(labels),
        outcome=outcome,
        stated_usd=_spend(values, used=used and outcome is Outcome.OK),
        stated_by=StatedBy.GATEWAY,
        cache_stated=bool(usage) or not used,
    )


def _usage(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the provider's answer said of its usage; the older place first, so that the newer one counts."""
    older = cells.json_object(metadata, "additional_usage_values")
    newer = cells.json_object(metadata, "usage_object")
    return {**older, **{name: value for name, value in newer.items() if value is not None}}


def _counts(values: Mapping[str, Any], usage: Mapping[str, Any]) -> dict[str, int]:
    prompt = cells.json_object(usage, "prompt_tokens_details")
    parts = {
        "row": values,
        "usage": usage,
        "prompt": prompt,
        "completion": cells.json_object(usage, "completion_tokens_details"),
        "written": cells.json_object(prompt, "cache_creation_token_details"),
        "tools": cells.json_object(usage, "server_tool_use"),
    }
    found: dict[str, int] = {}
    for name, part, field in _PLACES:
        number = None if name in found else cells.count(parts[part], field)
        if number is not None:
            found[name] = number
    return found


def _outcome(values: Mapping[str, Any], metadata: Mapping[str, Any]) -> Outcome:
    # The column is a text, and besides True and False it holds what Python writes for nothing.
    if str(values.get("cache_hit")).lower() == "true":
        return Outcome.GATEWAY_CACHE
    status = values.get("status") or metadata.get("status")
    return Outcome.FAILED if status == "failure" else Outcome.OK


def _spend(values: Mapping[str, Any], *, used: bool) -> Decimal | None:
    spend = cells.cost(values, "spend")
    # A model LiteLLM has no price for is written down as 0 too; unknown is not free.
    return None if spend == 0 and used else spend


def _labels(values: Mapping[str, Any]) -> dict[str, str]:
    """Return tags such as ``feature:chat`` as labels; a tag without a colon is a label without a value."""
    # The column's default is an empty object.
    listed = [] if values.get("request_tags") in ("{}", {}) else cells.json_list(values, "request_tags")
    labels: dict[str, str] = {}
    for tag in listed:
        if isinstance(tag, str):
            name, _, said = tag.partition(":")
            labels.setdefault(name, said)
    return labels
