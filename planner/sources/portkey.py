"""Portkey's price files: one per provider, US cents per token; a 0 there mostly means that nobody entered a price."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from planner.core.claim import Claim, Reading
from planner.core.errors import FeedRefused
from planner.core.names import ProviderNames, Seat
from planner.core.offer import OfferFacts, Route, offer_id, valid_feed_id
from planner.core.price import Band, Rate, RateTable, UnitPrice, When
from planner.core.units import SERVICE_TIERS, Unit
from planner.sources.feed import Known, Payload, Progress
from planner.sources.fetch import fetch_parts
from planner.sources.reading import Rows, Unreadable, baseless, document
from planner.sources.scale import Scale

PATH = "/pricing"
# The files that are read: those of providers planner knows by Portkey's own word.
FILES = (
    "ai21", "anthropic", "azure-openai", "bedrock", "cerebras", "cohere", "dashscope", "deepinfra", "deepseek",
    "fireworks-ai", "google", "groq", "mistral-ai", "nebius", "novita-ai", "openai", "perplexity-ai", "together-ai",
    "vertex-ai", "x-ai",
)  # fmt: skip

# Source: the schema and the table of additional units in the repository's README, 2026; cents per single unit.
UNITS: dict[str, Unit] = {
    "request_token": Unit.INPUT,
    "response_token": Unit.OUTPUT,
    "cache_read_input_token": Unit.CACHE_READ,
    "cache_write_input_token": Unit.CACHE_WRITE_5M,
    "request_audio_token": Unit.INPUT_AUDIO,
    "response_audio_token": Unit.OUTPUT_AUDIO,
    "cache_read_audio_input_token": Unit.CACHE_READ_AUDIO,
}
ADDITIONAL: dict[str, Unit] = {
    "web_search": Unit.WEB_SEARCH,
    "web_search_medium_context": Unit.WEB_SEARCH,
    "file_search": Unit.FILE_SEARCH,
    "thinking_token": Unit.REASONING,
    "image_token": Unit.OUTPUT_IMAGE,
    "video_seconds": Unit.OUTPUT_VIDEO_SECOND,
    "input_image": Unit.INPUT_PICTURE,
    "request_audio_token": Unit.INPUT_AUDIO,
    "response_audio_token": Unit.OUTPUT_AUDIO,
}
_SILENT = frozenset({"additional_units", "currency"})
DEFAULT = "default"


class Portkey:
    """The public files of prices."""

    name = "portkey"
    file_url = f"https://configs.portkey.ai{PATH}/openai.json"

    async def fetch(self, base_url: str, known: Mapping[str, Known], progress: Progress) -> tuple[Payload, ...]:
        """Fetch the file of every provider.

        Raises:
            FeedRefused: more than a fifth of the files cannot be had.
        """
        urls = [f"{base_url}{PATH}/{word}.json" for word in FILES]
        return await fetch_parts(self.name, urls, known, progress)

    def parse(self, payloads: Mapping[str, bytes], names: ProviderNames, observed_at: datetime) -> Reading:
        """Read the files into claims.

        Raises:
            FeedRefused: one of them is not an object of models.
        """
        rows = Rows(self.name, next(iter(payloads), self.file_url), observed_at)
        for url, body in payloads.items():
            word = url.rpartition("/")[2].removesuffix(".json")
            models = document(self.name, body)
            if not isinstance(models, dict):
                raise FeedRefused(self.name, "not_expected", "an object of models was expected")
            seat = names.seat(word)
            for id_, model in models.items():
                if id_ != DEFAULT:
                    _take(rows, word, seat, id_, model, url)
        return rows.reading({url: hashlib.sha256(body).hexdigest() for url, body in payloads.items()})


def _take(rows: Rows, word: str, seat: Seat | None, id_: str, model: object, url: str) -> None:
    if not isinstance(model, dict):
        rows.refuse(id_, "not_expected")
        return
    if not valid_feed_id(id_):
        rows.refuse(id_, "bad_id")
        return
    if seat is None:
        rows.refuse(f"{word}/{id_}", "ambiguous_provider")
        return
    claim = Claim(
        offer_id=offer_id(seat.channel, seat.provider, id_),
        facts=OfferFacts(
            model_spelling=id_,
            provider=seat.provider,
            channel=seat.channel,
            route=Route.ROUTER if seat.channel == seat.provider else Route.ENDPOINT,
        ),
        source_url=url if url.startswith("https://") else None,
    )
    rows.offer(claim, lambda unmapped: _rates(model, unmapped))


def _rates(model: Mapping[str, Any], unmapped: list[str]) -> RateTable:
    config = model.get("pricing_config")
    listed = config.get("pay_as_you_go") if isinstance(config, dict) else None
    if not isinstance(config, dict) or not isinstance(listed, dict):
        raise Unreadable("missing_price")
    if config.get("currency", "USD") != "USD":
        raise Unreadable("other_currency")
    base = _table(listed, unmapped)
    if not base:
        raise Unreadable("missing_price")
    bands: dict[Unit, list[Band]] = {}
    batch = config.get("batch_config")
    if batch is not None:
        _band(bands, base, When(service_tier="batch"), batch, unmapped)
    custom = model.get("custom_pricing")
    regions = custom.get("regions") if isinstance(custom, dict) else None
    for region, prices in (regions if isinstance(regions, dict) else {}).items():
        modes = prices.get("execution_modes") if isinstance(prices, dict) else None
        place = None if region == DEFAULT else region
        if not isinstance(modes, dict):
            unmapped.append("custom_pricing.regions")
            continue
        for mode, rates in modes.items():
            tier = None if mode == "standard" else mode
            if mode not in SERVICE_TIERS:
                unmapped.append(f"execution_modes.{mode}")
            elif tier is not None or place is not None:
                _band(bands, base, When(service_tier=tier, region=place), rates, unmapped)
    return RateTable({unit: UnitPrice(rate, tuple(bands.get(unit, ()))) for unit, rate in base.items()})


def _band(
    bands: dict[Unit, list[Band]], base: Mapping[Unit, Rate], when: When, listed: object, unmapped: list[str]
) -> None:
    if not isinstance(listed, dict):
        unmapped.append(f"{when.service_tier or when.region} prices")
        return
    rates = _table(listed, unmapped)
    unmapped += baseless(base, rates)
    for unit, rate in rates.items():
        if unit in base and not any(band.when == when for band in bands.get(unit, ())):
            bands.setdefault(unit, []).append(Band(when, rate))


def _table(listed: Mapping[str, Any], unmapped: list[str]) -> dict[Unit, Rate]:
    """Read prices; a 0 is left out, because the files fill in 0 for what nobody entered."""
    extra = listed.get("additional_units")
    both = [(UNITS, listed), (ADDITIONAL, extra if isinstance(extra, dict) else {})]
    table: dict[Unit, Rate] = {}
    for units, entries in both:
        for key, entry in entries.items():
            if key not in units:
                unmapped += [] if key in _SILENT else [key]
                continue
            figure = entry.get("price") if isinstance(entry, dict) else None
            if figure is None:
                continue
            rate = Scale.CENTS.rate(figure)
            if rate.usd:
                table.setdefault(units[key], rate)
    return table
