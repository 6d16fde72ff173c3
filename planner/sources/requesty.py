"""Requesty: every upstream's models with prices in USD per token, and what the broker says of their privacy."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from planner.core.claim import Claim, Reading
from planner.core.dearest import keep_dearer
from planner.core.names import ProviderNames, Seat
from planner.core.offer import Kind, OfferFacts, offer_id, valid_feed_id
from planner.core.price import Band, Rate, RateTable, UnitPrice, When
from planner.core.terms import Confidence, Terms
from planner.core.units import SERVICE_TIERS, Unit
from planner.sources.feed import Known, Payload, Progress
from planner.sources.fetch import fetch_one
from planner.sources.reading import Rows, Unreadable, baseless, count, flag, listed_rows, looks_like_price, unix_moment
from planner.sources.scale import Scale

CHANNEL = "requesty"
PATH = "/v1/models"

# Source: captures of the public list, 2026-09-20. Prices are the upstream's list prices and already hold any
# `discount_percentage`; the broker's markup is a fee of its own.
UNITS: dict[str, Unit] = {
    "input_price": Unit.INPUT,
    "output_price": Unit.OUTPUT,
    "cached_price": Unit.CACHE_READ,
    "caching_5m_price": Unit.CACHE_WRITE_5M,
    # The older name of the five-minute price; where both are stated the dearer counts.
    "caching_price": Unit.CACHE_WRITE_5M,
    "caching_1h_price": Unit.CACHE_WRITE_1H,
}
THRESHOLD = "prompt_tokens_threshold"
_SILENT = frozenset({"pricing", "discount_percentage"})
KINDS = {"chat": Kind.CHAT, "embedding": Kind.EMBEDDING, "embeddings": Kind.EMBEDDING, "image": Kind.IMAGE}
CAPABILITIES = {
    "supports_tool_calling": "tools",
    "supports_reasoning": "reasoning",
    "supports_caching": "prompt_caching",
    "supports_computer_use": "computer_use",
}


class Requesty:
    """The public list of the broker."""

    name = "requesty"
    file_url = f"https://router.requesty.ai{PATH}"

    async def fetch(self, base_url: str, known: Mapping[str, Known], progress: Progress) -> tuple[Payload, ...]:
        """Fetch the one list."""
        return (await fetch_one(self.name, f"{base_url}{PATH}", known, progress),)

    def parse(self, payloads: Mapping[str, bytes], names: ProviderNames, observed_at: datetime) -> Reading:
        """Read the list into claims, and what it says of each model's privacy into terms that only narrow.

        Raises:
            FeedRefused: not a list of models.
        """
        ((url, body),) = payloads.items()
        rows = Rows(self.name, url, observed_at)
        for row in listed_rows(self.name, body, "data"):
            _take(rows, row, names, url, observed_at)
        return rows.reading({url: hashlib.sha256(body).hexdigest()})


def _take(rows: Rows, row: object, names: ProviderNames, url: str, observed_at: datetime) -> None:
    id_ = row.get("id") if isinstance(row, dict) else None
    if not isinstance(row, dict) or not isinstance(id_, str) or not valid_feed_id(id_):
        rows.refuse(id_, "bad_id")
        return
    slug, slash, model = id_.partition("/")
    seat = names.upstream(slug) if slash and model else None
    if seat is None:
        rows.refuse(id_, "ambiguous_provider" if slash else "bad_id")
        return
    spelling, rest, region, tier = _split(model)
    claim = Claim(
        offer_id=offer_id(CHANNEL, seat.provider, spelling, rest),
        facts=_facts(row, spelling, region, tier, seat),
    )
    rows.offer(claim, lambda unmapped: _rates(row, unmapped))
    rows.terms.append(_terms(row, claim.offer_id, url, observed_at))


def _split(model: str) -> tuple[str, str | None, str | None, str | None]:
    """Return (spelling, rest of the id, region, service tier) of ``model[@region][:tier]``."""
    bare, at, behind = model.partition("@")
    word, colon, tier = (behind if at else model).rpartition(":")
    known = colon and tier in SERVICE_TIERS
    spelling = bare if at else (word if known else model)
    rest = model[len(spelling) :].lstrip("@:") or None
    region = (word if known else behind) if at else None
    return spelling, rest, region or None, tier if known else None


def _facts(row: Mapping[str, Any], spelling: str, region: str | None, tier: str | None, seat: Seat) -> OfferFacts:
    geography = row.get("geolocation")
    inputs = {"text", *(["image"] if row.get("supports_vision") is True else [])}
    return OfferFacts(
        model_spelling=spelling,
        provider=seat.provider,
        channel=CHANNEL,
        region=region or (geography if geography in ("eu", "us") else None),
        quantization=row["quantization"] if isinstance(row.get("quantization"), str) else None,
        service_tier=tier or "standard",
        kind=KINDS.get(str(row.get("api", "chat")), Kind.OTHER),
        capabilities={word: row[key] for key, word in CAPABILITIES.items() if isinstance(row.get(key), bool)},
        input_modalities=frozenset(inputs) if "supports_vision" in row else None,
        context_tokens=count(row.get("context_window")),
        max_output_tokens=count(row.get("max_output_tokens")),
        retires_at=unix_moment(row.get("retires")),
    )


def _rates(row: Mapping[str, Any], unmapped: list[str]) -> RateTable:
    """Read the lowest band as the base and the others as bands above their threshold.

    A row repeats its lowest band beside the list of bands; where it says something else the dearer counts.
    """
    unmapped += [key for key in row if key not in UNITS and key not in _SILENT and looks_like_price(key)]
    listed = row.get("pricing") or []
    if not isinstance(listed, list) or not all(isinstance(tier, dict) for tier in listed):
        raise Unreadable("missing_price")
    tiers = [{key: value for key, value in row.items() if key in UNITS}, *listed]
    found: dict[int, dict[Unit, Rate]] = {}
    for tier in tiers:
        threshold = tier.get(THRESHOLD, 0)
        above = 0 if threshold == 0 else count(threshold)
        if above is None or isinstance(threshold, bool):
            raise Unreadable("unreadable_condition")
        _read(tier, found.setdefault(above, {}), unmapped)
    base = found.pop(0)
    if not base:
        raise Unreadable("missing_price")
    unmapped += baseless(base, [unit for rates in found.values() for unit in rates])
    bands: dict[Unit, list[Band]] = {unit: [] for unit in Unit}
    for above, rates in sorted(found.items()):
        for unit, rate in rates.items():
            bands[unit].append(Band(When(input_tokens_gt=above), rate))
    return RateTable({unit: UnitPrice(rate, tuple(bands[unit])) for unit, rate in base.items()})


def _read(tier: Mapping[str, Any], rates: dict[Unit, Rate], unmapped: list[str]) -> None:
    """Read the prices of one band; of two for one unit and one length the dearer counts."""
    for key, value in tier.items():
        if value is None or key == THRESHOLD:
            continue
        if key in UNITS:
            keep_dearer(rates, UNITS[key], Scale.USD.rate(value))
        elif looks_like_price(key):
            unmapped.append(key)
        else:
            # It may be one more condition, and a price without its condition holds too often.
            raise Unreadable("unreadable_condition")


def _terms(row: Mapping[str, Any], offer: str, url: str, observed_at: datetime) -> Terms:
    """Read the broker's claim about one offer. It is not curated, so it can only take a permission away."""
    retains, trains = flag(row.get("data_retention")), flag(row.get("data_used_for_training"))
    # Retention for 0 days is a contradiction; the stricter half is kept, the days are unknown.
    days = count(row.get("data_retention_days")) if retains else None
    digest = hashlib.sha256(repr((offer, retains, days, trains)).encode()).hexdigest()[:12]
    return Terms(
        id=f"requesty:feed:{offer}:{digest}",
        subject_kind="offer",
        subject=offer,
        trains_on_prompts=trains,
        retains_prompts=retains,
        retention_days=days,
        source=CHANNEL,
        source_url=url,
        observed_at=observed_at.astimezone(UTC),
        confidence=Confidence.BROKER_CLAIM,
    )
