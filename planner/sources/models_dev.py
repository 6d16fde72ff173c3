"""models.dev: providers with their models, limits and modalities; USD per million tokens."""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from planner.core.claim import Claim, Reading
from planner.core.dearest import keep_dearer
from planner.core.errors import FeedRefused
from planner.core.names import ProviderNames, Seat
from planner.core.offer import Kind, OfferFacts, Route, offer_id, valid_feed_id
from planner.core.price import Band, Rate, RateTable, UnitPrice, When
from planner.core.units import SERVICE_TIERS, Unit
from planner.sources.feed import Known, Payload, Progress
from planner.sources.fetch import fetch_one
from planner.sources.reading import INCLUSIVE, Rows, Unreadable, baseless, count, document, least, price, under

PATH = "/api.json"
MTOK = 1_000_000
LEGACY_TOKENS = 200_000

UNITS = {
    "input": Unit.INPUT,
    "output": Unit.OUTPUT,
    "reasoning": Unit.REASONING,
    "cache_read": Unit.CACHE_READ,
    "cache_write": Unit.CACHE_WRITE_5M,
    "input_audio": Unit.INPUT_AUDIO,
    "output_audio": Unit.OUTPUT_AUDIO,
}
_STRUCTURED = {"tiers": list, "context_over_200k": dict}
CAPABILITIES = {"tool_call": "tools", "structured_output": "json_schema", "reasoning": "reasoning"}


class ModelsDev:
    """The one file of the site."""

    name = "models_dev"
    file_url = f"https://models.dev{PATH}"

    async def fetch(self, base_url: str, known: Mapping[str, Known], progress: Progress) -> tuple[Payload, ...]:
        """Fetch the one file."""
        return (await fetch_one(self.name, f"{base_url}{PATH}", known, progress),)

    def parse(self, payloads: Mapping[str, bytes], names: ProviderNames, observed_at: datetime) -> Reading:
        """Read the file into claims.

        Raises:
            FeedRefused: not an object of providers.
        """
        ((url, body),) = payloads.items()
        providers = document(self.name, body)
        if not isinstance(providers, dict):
            raise FeedRefused(self.name, "not_expected", "an object of providers was expected")
        rows = Rows(self.name, url, observed_at)
        for spelling, provider in providers.items():
            models = provider.get("models") if isinstance(provider, dict) else None
            if not isinstance(models, dict):
                rows.refuse(spelling, "not_expected")
                continue
            seat = names.seat(spelling)
            for id_, model in models.items():
                _take(rows, spelling, seat, id_, model)
        return rows.reading({url: hashlib.sha256(body).hexdigest()})


def _take(rows: Rows, spelling: str, seat: Seat | None, id_: str, model: object) -> None:
    if not isinstance(model, dict):
        rows.refuse(id_, "not_expected")
        return
    if not valid_feed_id(id_) or not valid_feed_id(spelling):
        rows.refuse(id_, "bad_id")
        return
    if seat is None:
        rows.refuse(f"{spelling}/{id_}", "ambiguous_provider")
        return
    if model.get("status") == "deprecated":
        rows.notes["deprecated"] += 1
    claim = Claim(offer_id=offer_id(seat.channel, seat.provider, id_), facts=_facts(model, id_, seat))
    cost, more = model.get("cost"), model.get("experimental")
    modes = more.get("modes") if isinstance(more, dict) else None
    inclusive = seat.provider in INCLUSIVE
    rows.offer(claim, lambda unmapped: _rates(cost, modes, rows, unmapped, inclusive=inclusive))


def _facts(model: Mapping[str, Any], id_: str, seat: Seat) -> OfferFacts:
    limit = model.get("limit")
    limits = limit if isinstance(limit, dict) else {}
    modalities = model.get("modalities")
    spoken = modalities if isinstance(modalities, dict) else {}
    outputs = _words(spoken.get("output"))
    return OfferFacts(
        model_spelling=id_,
        provider=seat.provider,
        channel=seat.channel,
        kind=_kind(id_, outputs),
        route=Route.ROUTER if seat.channel == seat.provider else Route.ENDPOINT,
        capabilities={word: model[key] for key, word in CAPABILITIES.items() if isinstance(model.get(key), bool)},
        input_modalities=_words(spoken.get("input")),
        output_modalities=outputs,
        context_tokens=least(count(limits.get("context")), count(limits.get("input"))),
        max_output_tokens=count(limits.get("output")),
    )


def _kind(id_: str, outputs: frozenset[str] | None) -> Kind:
    """Tell what a row is from what it puts out; an embedding's output is listed as text, so its id is asked too."""
    if "embed" in id_ or "embed" in (outputs or ()):
        return Kind.EMBEDDING
    if "rerank" in id_:
        return Kind.RERANK
    if outputs is None or "text" in outputs:
        return Kind.CHAT
    kinds = {"image": Kind.IMAGE, "video": Kind.VIDEO, "audio": Kind.SPEECH}
    return next((kind for word, kind in kinds.items() if word in outputs), Kind.OTHER)


def _words(listed: object) -> frozenset[str] | None:
    if not isinstance(listed, list) or not all(isinstance(word, str) for word in listed):
        return None
    return frozenset("file" if word == "pdf" else word for word in listed)


def _rates(cost: object, modes: object, rows: Rows, unmapped: list[str], *, inclusive: bool) -> RateTable:
    if not isinstance(cost, dict):
        raise Unreadable("missing_price")
    base: dict[Unit, Rate] = {}
    for key, value in cost.items():
        if key in UNITS:
            base[UNITS[key]] = Rate(price(value), MTOK)
        elif key not in _STRUCTURED:
            unmapped.append(key)
    if not base:
        raise Unreadable("missing_price")
    lengths, tiers = list(_bands(cost, rows, unmapped, inclusive=inclusive)), list(_modes(modes, unmapped))
    unmapped += baseless(base, [unit for _when, rates in (*lengths, *tiers) for unit in rates])
    table = {}
    for unit, rate in base.items():
        bands = [Band(when, rates[unit]) for when, rates in lengths if unit in rates]
        served = (band for when, rates in tiers if unit in rates for band in under(when, rates[unit], bands))
        table[unit] = UnitPrice(rate, (*bands, *served))
    return RateTable(table)


def _bands(
    cost: Mapping[str, Any], rows: Rows, unmapped: list[str], *, inclusive: bool
) -> Iterator[tuple[When, dict[Unit, Rate]]]:
    """Yield length bands: ``tiers``, or the older ``context_over_200k``, which repeats one of them."""
    tiers = cost.get("tiers")
    found: dict[int, dict[Unit, Rate]] = {}
    unmapped += [key for key, kind in _STRUCTURED.items() if not isinstance(cost.get(key), kind | None)]
    for entry in tiers if isinstance(tiers, list) else []:
        tier = entry.get("tier") if isinstance(entry, dict) else None
        size = count(tier.get("size")) if isinstance(tier, dict) and tier.get("type") == "context" else None
        if size is None:
            unmapped.append("tiers")
            continue
        _band_rates(entry, found.setdefault(size, {}), unmapped, "tiers")
    legacy = cost.get("context_over_200k")
    if isinstance(legacy, dict):
        rates: dict[Unit, Rate] = {}
        _band_rates(legacy, rates, unmapped, "context_over_200k")
        if rates not in found.values():
            if found:
                rows.notes["context_over_200k_differs"] += 1
            if not found or LEGACY_TOKENS in found:
                band = found.setdefault(LEGACY_TOKENS, {})
                for unit, rate in rates.items():
                    keep_dearer(band, unit, rate)
            else:
                unmapped.append("context_over_200k")
    for size in sorted(found):
        yield When(input_tokens_gte=size) if inclusive else When(input_tokens_gt=size), found[size]


def _modes(modes: object, unmapped: list[str]) -> Iterator[tuple[When, dict[Unit, Rate]]]:
    """Read other ways to be served, at a price of their own: ``{word: {cost, provider: {body}}}``.

    What is sent to the provider names the service tier; the word is models.dev's own.
    """
    found: dict[str, dict[Unit, Rate]] = {}
    for word, mode in modes.items() if isinstance(modes, dict) else ():
        cost = mode.get("cost") if isinstance(mode, dict) else None
        if not isinstance(cost, dict):
            continue
        provider = mode.get("provider")
        body = provider.get("body") if isinstance(provider, dict) else None
        said = (body.get("service_tier"), body.get("speed")) if isinstance(body, dict) else ()
        tier = next((one for one in said if one is not None), None)
        if isinstance(tier, str) and tier in SERVICE_TIERS and tier != "standard":
            _band_rates(cost, found.setdefault(tier, {}), unmapped, f"modes.{word}")
        else:
            unmapped.append(f"modes.{word}")
    for tier, rates in found.items():
        yield When(service_tier=tier), rates


def _band_rates(entry: Mapping[str, Any], rates: dict[Unit, Rate], unmapped: list[str], where: str) -> None:
    """Read the prices of one band; of two for one unit under one condition the dearer counts."""
    for key, value in entry.items():
        if key in UNITS:
            keep_dearer(rates, UNITS[key], Rate(price(value), MTOK))
        elif key != "tier":
            unmapped.append(f"{where}.{key}")
