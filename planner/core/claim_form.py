"""The written form of a claim: what the bundled catalogue holds line by line, and what a quote keeps."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from planner.core.claim import Claim, Segment
from planner.core.money import plain
from planner.core.offer import Kind, OfferFacts, Route
from planner.core.rate_form import read_rates, write_rates

_TEXTS = ("region", "quantization", "variant")
_COUNTS = (
    "context_tokens",
    "max_output_tokens",
    "cacheable_tokens_min",
    "requests_per_minute_max",
    "tokens_per_minute_max",
    "ttft_ms",
    "uptime_minutes",
)
_DECIMALS = ("uptime", "throughput_tps", "cache_hit_share")
_SETS = ("input_modalities", "output_modalities")


def write_facts(facts: OfferFacts) -> dict[str, Any]:  # noqa: C901  # one line per fact
    """Write the facts a source states; what it does not say, and defaults, are left out."""
    written: dict[str, Any] = {
        "model_spelling": facts.model_spelling,
        "provider": facts.provider,
        "channel": facts.channel,
    }
    for name in (*_TEXTS, *_COUNTS):
        if (value := getattr(facts, name)) is not None:
            written[name] = value
    for name in _DECIMALS:
        if (number := getattr(facts, name)) is not None:
            written[name] = plain(number)
    for name in _SETS:
        if (words := getattr(facts, name)) is not None:
            written[name] = sorted(words)
    if facts.capabilities:
        written["capabilities"] = dict(sorted(facts.capabilities.items()))
    if facts.service_tier != "standard":
        written["service_tier"] = facts.service_tier
    if facts.kind is not Kind.CHAT:
        written["kind"] = facts.kind.value
    if facts.route is not Route.ENDPOINT:
        written["route"] = facts.route.value
    if facts.retires_at is not None:
        written["retires_at"] = facts.retires_at.isoformat()
    return written


def read_facts(written: Mapping[str, Any]) -> OfferFacts:
    """Read what `write_facts` wrote."""
    fields = dict(written)
    for name in _DECIMALS:
        if name in fields:
            fields[name] = Decimal(fields[name])
    for name in _SETS:
        if name in fields:
            fields[name] = frozenset(fields[name])
    if "kind" in fields:
        fields["kind"] = Kind(fields["kind"])
    if "route" in fields:
        fields["route"] = Route(fields["route"])
    if "retires_at" in fields:
        fields["retires_at"] = datetime.fromisoformat(fields["retires_at"])
    return OfferFacts(**fields)


def write_claim(claim: Claim) -> dict[str, Any]:
    """Write a claim; the rates of each segment in their own written form."""
    written: dict[str, Any] = {"offer": claim.offer_id, "facts": write_facts(claim.facts)}
    if claim.segments:
        written["segments"] = [_write_segment(segment) for segment in claim.segments]
    if claim.unpriced is not None:
        written["unpriced"] = claim.unpriced
    if claim.unmapped:
        written["unmapped"] = list(claim.unmapped)
    if claim.source_url is not None:
        written["source_url"] = claim.source_url
    return written


def _write_segment(segment: Segment) -> dict[str, Any]:
    written: dict[str, Any] = {"rates": write_rates(segment.rates)}
    if segment.valid_from is not None:
        written["valid_from"] = segment.valid_from.isoformat()
    if segment.valid_to is not None:
        written["valid_to"] = segment.valid_to.isoformat()
    return written


def read_claim(written: Mapping[str, Any]) -> Claim:
    """Read what `write_claim` wrote."""
    return Claim(
        offer_id=written["offer"],
        facts=read_facts(written["facts"]),
        segments=tuple(_read_segment(segment) for segment in written.get("segments", ())),
        unpriced=written.get("unpriced"),
        unmapped=tuple(written.get("unmapped", ())),
        source_url=written.get("source_url"),
    )


def _read_segment(written: Mapping[str, Any]) -> Segment:
    return Segment(_moment(written.get("valid_from")), _moment(written.get("valid_to")), read_rates(written["rates"]))


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
