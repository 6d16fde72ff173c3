"""Vercel AI Gateway: its models, and every provider's endpoint of each with its own price; text in USD per token."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from planner.core.claim import Claim, Reading
from planner.core.dearest import dearest_price, keep_dearer
from planner.core.errors import FeedRefused
from planner.core.names import ProviderNames, Seat
from planner.core.offer import Kind, OfferFacts, offer_id, valid_feed_id
from planner.core.price import Band, Rate, RateTable, UnitPrice, When
from planner.core.terms import Confidence, Terms
from planner.core.units import Unit
from planner.sources.feed import Known, Payload, Progress
from planner.sources.fetch import fetch_one, fetch_parts
from planner.sources.openrouter_prices import UNITS
from planner.sources.reading import (
    Rows,
    Unreadable,
    baseless,
    count,
    decimal,
    document,
    flag,
    listed_rows,
    median,
    under,
    uptime,
    words,
)
from planner.sources.scale import Scale

CHANNEL = "vercel"
# The longest window proves most.
UPTIMES = (("uptime_last_1d", 1_440), ("uptime_last_1h", 60), ("uptime_last_15m", 15))
PATH = "/v1/models"
# Source: the answer for zai/glm-5.3-flash of 2026-09-28, and the gateway's REST reference. The keys are those of
# OpenRouter; a 0 beside prices that are not stands for "not priced apart". `discount` is inside already. `image` of a
# model that makes pictures is the price of one; searches are sold by the thousand ("10" and "14" in public captures).
SCALES = {"web_search": Scale.USD_PER_THOUSAND}
BANDED = {
    "prompt_tiers": Unit.INPUT,
    "completion_tiers": Unit.OUTPUT,
    "input_tiers": Unit.INPUT,
    "output_tiers": Unit.OUTPUT,
    "input_cache_read_tiers": Unit.CACHE_READ,
    "input_cache_write_tiers": Unit.CACHE_WRITE_5M,
}
_SILENT = frozenset({"discount"})
KINDS = {
    "language": Kind.CHAT,
    "embedding": Kind.EMBEDDING,
    "image": Kind.IMAGE,
    "video": Kind.VIDEO,
    "speech": Kind.SPEECH,
    "transcription": Kind.TRANSCRIPTION,
    "realtime": Kind.REALTIME,
    "reranking": Kind.RERANK,
}
CAPABILITIES = {
    "tools": "tools",
    "tool_choice": "tool_choice",
    "reasoning": "reasoning",
    "response_format": "json_object",
    "structured_outputs": "json_schema",
    "seed": "seed",
}


class Vercel:
    """The public API: the list of models, then the endpoints of each."""

    name = "vercel"
    file_url = f"https://ai-gateway.vercel.sh{PATH}"

    async def fetch(self, base_url: str, known: Mapping[str, Known], progress: Progress) -> tuple[Payload, ...]:
        """Fetch the list, and the endpoints of every model.

        Raises:
            FeedRefused: the list cannot be had, or more than a fifth of the endpoints cannot.
        """
        listed = await fetch_one(self.name, f"{base_url}{PATH}", known, lambda *_: None)
        urls = [f"{base_url}{PATH}/{id_}/endpoints" for id_, _model in self._models(listed.body)]
        return (listed, *await fetch_parts(self.name, urls, known, progress))

    def _models(self, body: bytes) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for model in listed_rows(self.name, body, "data"):
            id_ = model.get("id") if isinstance(model, dict) else None
            if isinstance(id_, str) and valid_feed_id(id_):
                yield id_, model

    def parse(self, payloads: Mapping[str, bytes], names: ProviderNames, observed_at: datetime) -> Reading:
        """Read the payloads, or one capture with the endpoints inside the list, into claims.

        Raises:
            FeedRefused: the list of models is missing, or is none.
        """
        url = next((url for url in payloads if url.endswith(PATH)), None)
        if url is None:
            raise FeedRefused(self.name, "not_expected", "the list of models is missing")
        rows = Rows(self.name, url, observed_at)
        for row in listed_rows(self.name, payloads[url], "data"):
            id_ = row.get("id") if isinstance(row, dict) else None
            if not isinstance(row, dict) or not isinstance(id_, str) or not valid_feed_id(id_):
                rows.refuse(id_, "bad_id")
                continue
            own = f"{url}/{id_}/endpoints"
            model, endpoints = self._endpoints(row, payloads.get(own))
            if endpoints is None:
                rows.refuse(id_, "endpoints_missing")
            elif not endpoints:
                rows.refuse(id_, "no_endpoints")
            for endpoint in endpoints or ():
                _take(rows, {**row, **model}, id_, endpoint, names, own, observed_at)
        return rows.reading({at: hashlib.sha256(body).hexdigest() for at, body in payloads.items()})

    def _endpoints(self, row: Mapping[str, Any], body: bytes | None) -> tuple[Mapping[str, Any], list[Any] | None]:
        """Return a model's own description and its endpoints, from its answer or from the capture."""
        answer = row if body is None else document(self.name, body)
        data = answer.get("data", answer) if isinstance(answer, dict) else None
        listed = data.get("endpoints") if isinstance(data, dict) else None
        described = data if isinstance(data, dict) and body is not None else {}
        return described, listed if isinstance(listed, list) else None


def _take(  # one row with all it needs
    rows: Rows,
    model: Mapping[str, Any],
    id_: str,
    endpoint: object,
    names: ProviderNames,
    url: str,
    observed_at: datetime,
) -> None:
    word = endpoint.get("provider_name") if isinstance(endpoint, dict) else None
    if not isinstance(endpoint, dict) or not isinstance(word, str) or not valid_feed_id(word):
        rows.refuse(f"{id_} {word}", "bad_id")
        return
    seat = names.upstream(word)
    if seat is None:
        rows.refuse(f"{id_} {word}", "ambiguous_provider")
        return
    claim = Claim(
        offer_id=offer_id(CHANNEL, seat.provider, id_),
        facts=_facts(model, endpoint, id_, seat),
        source_url=url if url.startswith("https://") else None,
    )
    rows.offer(claim, lambda unmapped: _rates(model, endpoint, unmapped))
    rows.terms += _terms(endpoint, claim.offer_id, url, observed_at)


def _facts(model: Mapping[str, Any], endpoint: Mapping[str, Any], id_: str, seat: Seat) -> OfferFacts:
    parameters = endpoint.get("supported_parameters")
    architecture = model.get("architecture")
    spoken = architecture if isinstance(architecture, dict) else {}
    quantization = endpoint.get("quantization")
    measured, minutes = uptime(endpoint, UPTIMES)
    return OfferFacts(
        model_spelling=id_,
        provider=seat.provider,
        channel=CHANNEL,
        quantization=quantization if isinstance(quantization, str) else None,
        kind=KINDS.get(str(model.get("type", "language")), Kind.OTHER),
        capabilities={word: key in parameters for key, word in CAPABILITIES.items()}
        if isinstance(parameters, list)
        else {},
        input_modalities=words(spoken.get("input_modalities")),
        output_modalities=words(spoken.get("output_modalities")),
        context_tokens=count(endpoint.get("context_length")),
        max_output_tokens=count(endpoint.get("max_completion_tokens")),
        uptime=measured,
        uptime_minutes=minutes,
        ttft_ms=count(median(endpoint.get("latency_last_1h"))),
        throughput_tps=decimal(median(endpoint.get("throughput_last_1h"))),
    )


def _rates(model: Mapping[str, Any], endpoint: Mapping[str, Any], unmapped: list[str]) -> RateTable:
    """Read base prices, bands by length, and what a pinned region costs instead."""
    pricing = endpoint.get("pricing")
    if not isinstance(pricing, dict):
        raise Unreadable("missing_price")
    makes_pictures = KINDS.get(str(model.get("type"))) is Kind.IMAGE
    table = _table(pricing, unmapped, makes_pictures=makes_pictures)
    if not table.keys() & {Unit.INPUT, Unit.OUTPUT, Unit.PICTURE}:
        raise Unreadable("missing_price")
    regional: dict[str, dict[Unit, UnitPrice]] = {}
    for word, stated in _regions(endpoint.get("inference_regions"), unmapped):
        inside = _table(stated, unmapped, makes_pictures=makes_pictures)
        known = regional.setdefault(word, {})
        known.update({unit: dearest_price(price, known.get(unit, price)) for unit, price in inside.items()})
        unmapped += baseless(table, inside)
    made = {unit: UnitPrice(price.base, tuple(_bands(unit, price, regional))) for unit, price in table.items()}
    return RateTable(made)


def _bands(unit: Unit, price: UnitPrice, regional: Mapping[str, Mapping[Unit, UnitPrice]]) -> Iterator[Band]:
    yield from price.bands
    for word, inside in regional.items():
        there = inside.get(unit, price)
        # A region may repeat what holds everywhere, and a 0 there is no price of its own either.
        if there not in (price, UnitPrice(price.base)) and (there.base.pico or not price.base.pico):
            yield from under(When(region=word), there.base, price.bands)
            yield from (Band(replace(band.when, region=word), band.rate) for band in there.bands)


def _regions(listed: object, unmapped: list[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for region in listed if isinstance(listed, list) else []:
        word = region.get("geo_region") if isinstance(region, dict) else None
        regional = region.get("pricing") if isinstance(region, dict) else None
        if regional is None:
            continue
        if isinstance(word, str) and word and isinstance(regional, dict):
            yield word, regional
        else:
            unmapped.append("inference_regions")


def _table(pricing: Mapping[str, Any], unmapped: list[str], *, makes_pictures: bool) -> dict[Unit, UnitPrice]:
    base: dict[Unit, Rate] = {}
    for key, value in pricing.items():
        if key == "image" and makes_pictures:
            unit, scale = Unit.PICTURE, Scale.USD
        elif key in UNITS:
            unit, scale = UNITS[key], SCALES.get(key, Scale.USD)
        else:
            unmapped += [key] if key not in BANDED and key not in _SILENT else []
            continue
        if value is not None:
            base[unit] = scale.rate(value)
    always = {Unit.INPUT, Unit.OUTPUT} if Unit.PICTURE not in base else set()
    table = {unit: UnitPrice(rate) for unit, rate in base.items() if rate.usd or unit in always}
    for key, unit in BANDED.items():
        tiers = pricing.get(key)
        if isinstance(tiers, list) and unit in table:
            # Of two prices from one length on, or under both names of one list, the dearer counts.
            table[unit] = dearest_price(table[unit], _by_length(key, tiers, table[unit].base, unmapped))
        elif tiers is not None:
            unmapped.append(key)
    return table


def _by_length(key: str, tiers: list[Any], base: Rate, unmapped: list[str]) -> UnitPrice:
    """Read ``[{cost, min, max}]``; ``min`` belongs to its band, so the price holds from it on."""
    found: dict[int, Rate] = {}
    for tier in tiers:
        if not isinstance(tier, dict):
            raise Unreadable("unreadable_condition")
        start = tier.get("min")
        least = 0 if start in (0, None) else count(start)
        if least is None:
            raise Unreadable("unreadable_condition")
        rate = Scale.USD.rate(tier.get("cost"))
        if rate.usd or not base.usd:
            keep_dearer(found, least, rate)
        else:
            unmapped.append(key)
    first = found.pop(0, base)
    # Of several bands that hold the last one stays, so they go from short to long.
    return UnitPrice(first, tuple(Band(When(input_tokens_gte=least), rate) for least, rate in sorted(found.items())))


def _terms(endpoint: Mapping[str, Any], offer: str, url: str, observed_at: datetime) -> Iterator[Terms]:
    """Read what the gateway says of one endpoint: it may say that prompts are kept, never grant that they are not."""
    zdr = flag(endpoint.get("has_zdr"))
    if zdr is not None:
        digest = hashlib.sha256(repr((offer, zdr)).encode()).hexdigest()[:12]
        yield Terms(
            id=f"vercel:feed:{offer}:{digest}",
            subject_kind="offer",
            subject=offer,
            zdr=zdr,
            zdr_scope="broker:vercel",
            source=CHANNEL,
            source_url=url,
            observed_at=observed_at,
            confidence=Confidence.BROKER_CLAIM,
        )
