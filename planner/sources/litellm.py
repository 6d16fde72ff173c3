"""LiteLLM's price map: one entry per provider's model, USD per single token, a grammar of suffixes for conditions."""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from planner.core.claim import Claim, Reading
from planner.core.errors import FeedRefused
from planner.core.names import ProviderNames, Seat
from planner.core.offer import Kind, OfferFacts, Route, offer_id, valid_feed_id
from planner.sources.feed import Known, Payload, Progress
from planner.sources.fetch import fetch_one
from planner.sources.litellm_grammar import rate_table
from planner.sources.reading import INCLUSIVE, Rows, count, document, words

PATH = "/BerriAI/litellm/main/model_prices_and_context_window.json"

KINDS = {
    "chat": Kind.CHAT,
    "responses": Kind.CHAT,
    "completion": Kind.COMPLETION,
    "embedding": Kind.EMBEDDING,
    "rerank": Kind.RERANK,
    "image_generation": Kind.IMAGE,
    "image_edit": Kind.IMAGE,
    "video_generation": Kind.VIDEO,
    "audio_speech": Kind.SPEECH,
    "audio_transcription": Kind.TRANSCRIPTION,
    "realtime": Kind.REALTIME,
    "moderation": Kind.MODERATION,
    "ocr": Kind.OCR,
    "search": Kind.SEARCH,
}
CAPABILITIES = {
    "supports_function_calling": "tools",
    "supports_tool_choice": "tool_choice",
    "supports_parallel_function_calling": "parallel_tools",
    "supports_response_schema": "json_schema",
    "supports_reasoning": "reasoning",
    "supports_prompt_caching": "prompt_caching",
    "supports_web_search": "web_search",
    "supports_system_messages": "system_messages",
    "supports_computer_use": "computer_use",
    "supports_assistant_prefill": "assistant_prefill",
}
_INPUTS = {
    "supports_vision": "image",
    "supports_pdf_input": "file",
    "supports_audio_input": "audio",
    "supports_video_input": "video",
}
# Azure's deployment zones and the clouds' regions stand between provider and model: `azure/eu/gpt-4o`,
# `bedrock/us-west-2/…`. Only what has one of these two shapes is taken for a region.
_REGION = re.compile(r"(?:eu|us|global|global-standard|[a-z]{2}(?:-gov)?-[a-z]+-[0-9])", re.ASCII)
DOCUMENTATION = "sample_spec"


class LiteLLM:
    """The map on the main branch."""

    name = "litellm"
    file_url = f"https://raw.githubusercontent.com{PATH}"

    async def fetch(self, base_url: str, known: Mapping[str, Known], progress: Progress) -> tuple[Payload, ...]:
        """Fetch the one file."""
        return (await fetch_one(self.name, f"{base_url}{PATH}", known, progress),)

    def parse(self, payloads: Mapping[str, bytes], names: ProviderNames, observed_at: datetime) -> Reading:
        """Read the map into claims.

        Raises:
            FeedRefused: not an object of entries.
        """
        ((url, body),) = payloads.items()
        entries = document(self.name, body)
        if not isinstance(entries, dict):
            raise FeedRefused(self.name, "not_expected", "an object of entries was expected")
        rows = Rows(self.name, url, observed_at)
        for key, row in entries.items():
            if key == DOCUMENTATION:
                rows.refuse(key, "documentation_row")
            elif not isinstance(row, dict) or not isinstance(row.get("litellm_provider"), str):
                rows.refuse(key, "no_provider")
            else:
                _take(rows, key, row, names)
        return rows.reading({url: hashlib.sha256(body).hexdigest()})


def _take(rows: Rows, key: str, row: Mapping[str, Any], names: ProviderNames) -> None:
    word = row["litellm_provider"]
    spelling, region = _split(key, word, names)
    if not valid_feed_id(spelling) or not valid_feed_id(word):
        rows.refuse(key, "bad_id")
        return
    seat = names.seat(word)
    if seat is None:
        rows.refuse(key, "ambiguous_provider")
        return
    source = row.get("source")
    claim = Claim(
        offer_id=offer_id(seat.channel, seat.provider, spelling, region),
        facts=_facts(row, spelling, region, seat),
        source_url=source if isinstance(source, str) and source.startswith("https://") else None,
    )
    rows.offer(claim, lambda unmapped: rate_table(row, inclusive=seat.provider in INCLUSIVE, unmapped=unmapped))


def _split(key: str, word: str, names: ProviderNames) -> tuple[str, str | None]:
    """Return (model spelling, region) of a key: its first segment goes where it names the row's own provider."""
    first, slash, rest = key.partition("/")
    seat = names.seat(word)
    if not slash or not (first == word or (seat is not None and seat.known and names.seat(first) == seat)):
        return key, None
    zone, slash, model = rest.partition("/")
    return (model, zone) if slash and _REGION.fullmatch(zone) else (rest, None)


def _facts(row: Mapping[str, Any], spelling: str, region: str | None, seat: Seat) -> OfferFacts:
    has = {word: row[key] for key, word in CAPABILITIES.items() if isinstance(row.get(key), bool)}
    inputs = row.get("supported_modalities")
    outputs = row.get("supported_output_modalities")
    return OfferFacts(
        model_spelling=spelling,
        provider=seat.provider,
        channel=seat.channel,
        region=region,
        kind=KINDS.get(str(row.get("mode")), Kind.OTHER),
        route=Route.ROUTER if seat.channel == seat.provider else Route.ENDPOINT,
        capabilities=has,
        input_modalities=words(inputs) or _inputs(row),
        output_modalities=words(outputs),
        context_tokens=count(row.get("max_input_tokens")),
        max_output_tokens=count(row.get("max_output_tokens")),
        cacheable_tokens_min=count(row.get("prompt_cache_min_tokens")),
        requests_per_minute_max=count(row.get("rpm")),
        tokens_per_minute_max=count(row.get("tpm")),
        retires_at=_day(row.get("deprecation_date")),
    )


def _inputs(row: Mapping[str, Any]) -> frozenset[str] | None:
    """Read modalities from flags; only where one is stated at all, since an absent flag is unknown."""
    stated = {word for key, word in _INPUTS.items() if row.get(key) is True}
    return frozenset({"text", *stated}) if any(key in row for key in _INPUTS) else None


def _day(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)).replace(tzinfo=UTC)
    except ValueError:
        return None
