"""An offer: one model, by one provider, through one channel, in one variant; the unit of price, privacy and health."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

# Ids from feeds are compared byte for byte, so what a look-alike could hide in is refused, not normalised.
FEED_ID = re.compile(r"[A-Za-z0-9~@][A-Za-z0-9~@._:/+-]{0,127}", re.ASCII)
OFFER_ID_MAX = 400


class Kind(StrEnum):
    """What an offer does; it keeps image and embedding rows out of chat answers."""

    CHAT = "chat"
    COMPLETION = "completion"
    EMBEDDING = "embedding"
    RERANK = "rerank"
    IMAGE = "image"
    VIDEO = "video"
    SPEECH = "speech"
    TRANSCRIPTION = "transcription"
    REALTIME = "realtime"
    MODERATION = "moderation"
    OCR = "ocr"
    SEARCH = "search"
    OTHER = "other"


class Route(StrEnum):
    """How a request sent to the offer finds its upstream."""

    ENDPOINT = "endpoint"
    ALIAS = "alias"  # a moving name for another offer: its price and weights change without notice
    ROUTER = "router"  # the channel picks the upstream per request: whose terms apply is unknown


CAPABILITIES = (
    "tools",
    "tool_choice",
    "parallel_tools",
    "json_object",
    "json_schema",
    "reasoning",
    "prompt_caching",
    "web_search",
    "system_messages",
    "seed",
    "logprobs",
    "computer_use",
    "assistant_prefill",
)
"""Capability words planner knows; feeds' own words are mapped to these by their adapters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferFacts:
    """What a source says of an offer besides its price. ``None`` means this source does not say.

    ``model_spelling`` is the model id as the channel spells it; ``capabilities`` maps a word of
    `CAPABILITIES` to yes or no, absent words are unknown. ``context_tokens`` bounds prompt plus
    completion; prompts shorter than ``cacheable_tokens_min`` are not cached. ``requests_per_minute_max``
    and ``tokens_per_minute_max`` are the provider's default rate limits. ``retires_at``: when the
    provider stops serving it. ``uptime`` is a share from 0 to 1 of the last ``uptime_minutes``, ``ttft_ms`` the median
    time to first token, ``throughput_tps`` the median output tokens per second, ``cache_hit_share`` the share of
    prompt tokens that were read from a cache, from 0 to 1 in whole hundredths.
    """

    model_spelling: str
    provider: str
    channel: str
    region: str | None = None
    quantization: str | None = None
    service_tier: str = "standard"
    variant: str | None = None
    kind: Kind = Kind.CHAT
    route: Route = Route.ENDPOINT
    capabilities: Mapping[str, bool] = field(default_factory=dict, hash=False)
    input_modalities: frozenset[str] | None = None
    output_modalities: frozenset[str] | None = None
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    cacheable_tokens_min: int | None = None
    requests_per_minute_max: int | None = None
    tokens_per_minute_max: int | None = None
    retires_at: datetime | None = None
    uptime: Decimal | None = None
    uptime_minutes: int | None = None
    cache_hit_share: Decimal | None = None
    ttft_ms: int | None = None
    throughput_tps: Decimal | None = None


class Measured(NamedTuple):
    """Which facts of an offer were measured, when, until when that counts, and all facts as the feed claims them."""

    at: datetime
    until: datetime
    names: frozenset[str]
    claimed: OfferFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """An offer as the catalogue knows it: identity, facts, and the canonical model once its spelling is settled.

    ``model`` is None while the spelling is pending: nobody has said which weights these are. ``free``
    is the curated flag without which a price of zero means "not stated". ``measured`` is None while every fact is a
    claim.
    """

    id: str
    facts: OfferFacts
    model: str | None = None
    free: bool = False
    measured: Measured | None = None


def offer_id(channel: str, provider: str, model_spelling: str, rest: str | None = None) -> str:
    """Compose the id of an offer; opaque afterwards, never parsed.

    Example:
        >>> offer_id("openrouter", "deepinfra", "deepseek/deepseek-v3.2", "fp4")
        'openrouter:deepinfra/deepseek/deepseek-v3.2@fp4'
    """
    base = f"{channel}:{provider}/{model_spelling}"
    return f"{base}@{rest}" if rest else base


def valid_feed_id(text: str) -> bool:
    """Tell whether an id may be stored as received; anything else is quarantined, never repaired."""
    return FEED_ID.fullmatch(text) is not None
