"""DeepInfra's own list: US cents per token, the cached price as a share of the input price."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from planner.core.claim import Claim, Reading
from planner.core.money import exactly
from planner.core.names import ProviderNames
from planner.core.offer import Kind, OfferFacts, offer_id, valid_feed_id
from planner.core.price import Rate, RateTable, UnitPrice
from planner.core.units import Unit
from planner.sources.feed import Known, Payload, Progress
from planner.sources.fetch import fetch_one
from planner.sources.reading import Rows, Unreadable, count, listed_rows, price, unix_moment
from planner.sources.scale import Scale

PROVIDER = "deepinfra"
PATH = "/models/list"

# Source: record shapes of https://api.deepinfra.com/models/list, 2026-08; a discount is not applied to what is listed.
UNITS: dict[str, tuple[Unit, Scale]] = {
    "cents_per_input_token": (Unit.INPUT, Scale.CENTS),
    "cents_per_output_token": (Unit.OUTPUT, Scale.CENTS),
    "cents_per_input_sec": (Unit.AUDIO_SECOND, Scale.CENTS),
    "cents_per_input_chars": (Unit.CHARACTER, Scale.CENTS),
    "cents_per_image_unit": (Unit.PICTURE, Scale.CENTS),
}
CACHED_SHARE = "rate_per_input_token_cached"
KINDS = {
    "text-generation": Kind.CHAT,
    "embeddings": Kind.EMBEDDING,
    "reranker": Kind.RERANK,
    "text-to-image": Kind.IMAGE,
    "text-to-video": Kind.VIDEO,
    "text-to-speech": Kind.SPEECH,
    "automatic-speech-recognition": Kind.TRANSCRIPTION,
}
_SILENT = frozenset({"type", "discount", "normalized_price", "short", "full"})


class DeepInfra:
    """The provider's native list of models."""

    name = "deepinfra"
    file_url = f"https://api.deepinfra.com{PATH}"

    async def fetch(self, base_url: str, known: Mapping[str, Known], progress: Progress) -> tuple[Payload, ...]:
        """Fetch the one list."""
        return (await fetch_one(self.name, f"{base_url}{PATH}", known, progress),)

    def parse(self, payloads: Mapping[str, bytes], names: ProviderNames, observed_at: datetime) -> Reading:
        """Read the list into claims.

        Raises:
            FeedRefused: not a list of models.
        """
        del names
        ((url, body),) = payloads.items()
        rows = Rows(self.name, url, observed_at)
        for row in listed_rows(self.name, body, "models"):
            _take(rows, row)
        return rows.reading({url: hashlib.sha256(body).hexdigest()})


def _take(rows: Rows, row: object) -> None:
    id_ = row.get("model_name") if isinstance(row, dict) else None
    if not isinstance(row, dict) or not isinstance(id_, str) or not valid_feed_id(id_):
        rows.refuse(id_, "bad_id")
        return
    if row.get("replaced_by"):
        rows.notes["replaced_by_a_successor"] += 1
    tags = row.get("tags")
    claim = Claim(
        offer_id=offer_id("direct", PROVIDER, id_),
        facts=OfferFacts(
            model_spelling=id_,
            provider=PROVIDER,
            channel="direct",
            kind=KINDS.get(str(row.get("type")), Kind.OTHER),
            capabilities={"tools": True} if isinstance(tags, list) and "tools" in tags else {},
            context_tokens=count(row.get("max_tokens")),
            retires_at=unix_moment(row.get("deprecated")),
        ),
    )
    rows.offer(claim, lambda unmapped: _rates(row.get("pricing"), unmapped))


def _rates(pricing: object, unmapped: list[str]) -> RateTable:
    if not isinstance(pricing, dict):
        raise Unreadable("missing_price")
    table = {unit: scale.rate(pricing[key]) for key, (unit, scale) in UNITS.items() if pricing.get(key) is not None}
    unmapped += [key for key in pricing if key not in UNITS and key not in _SILENT and key != CACHED_SHARE]
    if not table:
        raise Unreadable("missing_price")
    _add_cached(pricing, table, unmapped)
    return RateTable({unit: UnitPrice(rate) for unit, rate in table.items()})


def _add_cached(pricing: Mapping[str, Any], table: dict[Unit, Rate], unmapped: list[str]) -> None:
    """Read the cached price: a share of the input price, so that 0.25 is a quarter of it."""
    share = pricing.get(CACHED_SHARE)
    if share is not None and Unit.INPUT not in table:
        unmapped.append(CACHED_SHARE)
    elif share is not None:
        fresh = table[Unit.INPUT]
        table[Unit.CACHE_READ] = Rate(exactly(fresh.usd, price(share)), fresh.per)
