"""Hugging Face's router: open models, each served by several providers; USD per million tokens, no cache prices."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from planner.core.claim import Claim, Reading
from planner.core.names import ProviderNames, Seat
from planner.core.offer import OfferFacts, offer_id, valid_feed_id
from planner.core.price import RateTable
from planner.core.units import Unit
from planner.sources.feed import Known, Payload, Progress
from planner.sources.fetch import fetch_one
from planner.sources.reading import Rows, Unreadable, count, decimal, listed_rows, words
from planner.sources.scale import Scale

CHANNEL = "huggingface"
PATH = "/v1/models"
# Source: https://huggingface.co/docs/inference-providers, "List OpenAI-compatible models", 2026-11.
UNITS: dict[str, Unit] = {"input": Unit.INPUT, "output": Unit.OUTPUT}
CAPABILITIES = {"supports_tools": "tools", "supports_structured_output": "json_schema"}


class HuggingFace:
    """The router's list of models with the providers that serve each."""

    name = "huggingface"
    file_url = f"https://router.huggingface.co{PATH}"

    async def fetch(self, base_url: str, known: Mapping[str, Known], progress: Progress) -> tuple[Payload, ...]:
        """Fetch the one list."""
        return (await fetch_one(self.name, f"{base_url}{PATH}", known, progress),)

    def parse(self, payloads: Mapping[str, bytes], names: ProviderNames, observed_at: datetime) -> Reading:
        """Read every provider of every model into a claim.

        Raises:
            FeedRefused: not a list of models.
        """
        ((url, body),) = payloads.items()
        rows = Rows(self.name, url, observed_at)
        for model in listed_rows(self.name, body, "data"):
            id_ = model.get("id") if isinstance(model, dict) else None
            providers = model.get("providers") if isinstance(model, dict) else None
            if not isinstance(id_, str) or not valid_feed_id(id_) or not isinstance(providers, list):
                rows.refuse(id_, "bad_id" if isinstance(providers, list) else "not_expected")
                continue
            for provider in providers:
                _take(rows, model, id_, provider, names)
        return rows.reading({url: hashlib.sha256(body).hexdigest()})


def _take(rows: Rows, model: Mapping[str, Any], id_: str, provider: object, names: ProviderNames) -> None:
    word = provider.get("provider") if isinstance(provider, dict) else None
    if not isinstance(provider, dict) or not isinstance(word, str) or not valid_feed_id(word):
        rows.refuse(f"{id_} {word}", "bad_id")
        return
    seat = names.upstream(word)
    if seat is None:
        rows.refuse(f"{id_} {word}", "ambiguous_provider")
        return
    if provider.get("status") != "live":
        rows.refuse(f"{id_} {word}", "not_live")
        return
    claim = Claim(
        offer_id=offer_id(CHANNEL, seat.provider, id_),
        facts=_facts(model, id_, provider, seat),
    )
    rows.offer(claim, lambda unmapped: _rates(provider.get("pricing"), unmapped))


def _facts(model: Mapping[str, Any], id_: str, provider: Mapping[str, Any], seat: Seat) -> OfferFacts:
    architecture = model.get("architecture")
    spoken = architecture if isinstance(architecture, dict) else {}
    ttft = decimal(provider.get("first_token_latency_ms"))
    return OfferFacts(
        model_spelling=id_,
        provider=seat.provider,
        channel=CHANNEL,
        capabilities={word: provider[key] for key, word in CAPABILITIES.items() if isinstance(provider.get(key), bool)},
        input_modalities=words(spoken.get("input_modalities")),
        output_modalities=words(spoken.get("output_modalities")),
        context_tokens=count(provider.get("context_length")),
        # One probe's figures, rounded up to whole milliseconds: a promise of speed should not be rounded down.
        ttft_ms=None if ttft is None else -int(-ttft // 1),
        throughput_tps=decimal(provider.get("throughput")),
    )


def _rates(pricing: object, unmapped: list[str]) -> RateTable:
    if not isinstance(pricing, dict):
        raise Unreadable("missing_price")
    unmapped += [key for key in pricing if key not in UNITS]
    table = {UNITS[key]: Scale.USD_PER_MTOK.rate(value) for key, value in pricing.items() if key in UNITS}
    if not table:
        raise Unreadable("missing_price")
    return RateTable.flat(table)
