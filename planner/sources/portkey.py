"""Portkey's price files: one per provider, US cents per token; a 0 there mostly means that nobody entered a price."""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from planner.core.claim import Claim, Reading
from planner.core.dearest import keep_dearer
from planner.core.errors import FeedRefused
from planner.core.names import ProviderNames, Seat
from planner.core.offer import OfferFacts, Route, offer_id, valid_feed_id
from planner.core.price import Band, Rate, RateTable, UnitPrice, When
from planner.core.units import SERVICE_TIERS, Unit
from planner.sources.feed import Known, Payload, Progress
from planner.sources.fetch import fetch_parts
from planner.sources.reading import Rows, Unreadable, baseless, document, under
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
_SILENT = frozenset({"additional_units"})
# What stands in a configuration beside prices: how they are summed, and the currency, which is looked at.
_CONFIG = frozenset({"pay_as_you_go", "batch_config", "currency", "calculate", "type"})
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
    unmapped += [key for key in config if key not in _CONFIG]
    stated: dict[tuple[str | None, str | None], dict[Unit, Rate]] = {}
    _read(listed, stated, (None, None), unmapped)
    if config.get("batch_config") is not None:
        _read(config["batch_config"], stated, ("batch", None), unmapped)
    for place, mode, rates in _custom(model.get("custom_pricing"), unmapped):
        _read(rates, stated, (None if mode == "standard" else mode, None if place == DEFAULT else place), unmapped)
    base = stated.pop((None, None), {})
    if not base:
        raise Unreadable("missing_price")
    unmapped += baseless(base, [unit for rates in stated.values() for unit in rates])
    return RateTable({unit: UnitPrice(rate, tuple(_bands(unit, stated, unmapped))) for unit, rate in base.items()})


def _custom(custom: object, unmapped: list[str]) -> Iterator[tuple[str, str, object]]:
    """Yield (region, service tier, prices)."""
    regions = custom.get("regions", {}) if isinstance(custom, dict) else {} if custom is None else None
    if not isinstance(regions, dict):
        unmapped.append("custom_pricing")
        return
    for place, prices in regions.items():
        modes = prices.get("execution_modes") if isinstance(prices, dict) else None
        if not isinstance(prices, dict) or not isinstance(modes, dict) or len(prices) > 1:
            unmapped.append("custom_pricing.regions")
        for mode, rates in modes.items() if isinstance(modes, dict) else ():
            if mode in SERVICE_TIERS:
                yield place, mode, rates
            else:
                unmapped.append(f"execution_modes.{mode}")


def _bands(
    unit: Unit, stated: Mapping[tuple[str | None, str | None], Mapping[Unit, Rate]], unmapped: list[str]
) -> Iterator[Band]:
    """Yield bands of regions, then of each tier; in a region a tier costs what is stated for both, else the dearer."""
    said = {where: rates[unit] for where, rates in stated.items() if unit in rates}
    regions = [Band(When(region=place), rate) for (tier, place), rate in said.items() if tier is None]
    yield from regions
    for tier in dict.fromkeys(tier for tier, _place in said if tier is not None):
        if (tier, None) not in said:
            unmapped.append(f"{unit.value} {tier} price in a region alone")
            continue
        yield from under(When(service_tier=tier), said[tier, None], regions)
        for (own, place), rate in said.items():
            if own == tier and place is not None:
                yield Band(When(service_tier=tier, region=place), rate)


def _read(
    listed: object, stated: dict[tuple[str | None, str | None], dict[Unit, Rate]],
    where: tuple[str | None, str | None], unmapped: list[str],
) -> None:  # fmt: skip
    """Read prices; a 0 is left out, because the files fill in 0 for what nobody entered; of two the dearer counts."""
    extra = listed.get("additional_units", {}) if isinstance(listed, dict) else None
    if not isinstance(listed, dict) or not isinstance(extra, dict):
        unmapped.append("prices that are no object")
    rates = stated.setdefault(where, {})
    for units, entries in ((UNITS, listed), (ADDITIONAL, extra)):
        for key, entry in entries.items() if isinstance(entries, dict) else ():
            figure = entry.get("price") if isinstance(entry, dict) else None
            if key in units and figure is not None:
                rate = Scale.CENTS.rate(figure)
                if rate.usd:
                    keep_dearer(rates, units[key], rate)
            elif key not in _SILENT and entry is not None:
                unmapped.append(key)
