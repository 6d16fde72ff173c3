"""OpenRouter: its models, every provider's endpoint of each with its own price, and what it says of providers."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from planner.core.claim import Claim, ModelFacts, Reading, Score
from planner.core.errors import FeedRefused
from planner.core.names import ProviderNames, Seat
from planner.core.offer import OfferFacts, Route, offer_id, valid_feed_id
from planner.core.terms import Confidence, Terms
from planner.core.units import SERVICE_TIERS
from planner.sources.feed import Known, Payload, Progress
from planner.sources.fetch import fetch_one, fetch_parts
from planner.sources.openrouter_caching import LIMITS, hit_shares, shares_url
from planner.sources.openrouter_prices import rate_table
from planner.sources.reading import Rows, count, decimal, document, flag, least, median, uptime, words

CHANNEL = "openrouter"
MODELS_PATH = "/api/v1/models"
PROVIDERS_PATH = "/api/frontend/v1/all-providers"
PROVIDERS_SOURCE = "openrouter_all_providers"
# Expiry dates this far out are sentinels: nobody plans the end of a model in 2098.
LAST_YEAR = 2090

CAPABILITIES = {
    "tools": "tools",
    "tool_choice": "tool_choice",
    "parallel_tool_calls": "parallel_tools",
    "response_format": "json_object",
    "structured_outputs": "json_schema",
    "reasoning": "reasoning",
    "seed": "seed",
    "logprobs": "logprobs",
    "web_search_options": "web_search",
}
# The longest window proves most.
UPTIMES = (("uptime_last_1d", 1_440), ("uptime_last_30m", 30), ("uptime_last_5m", 5))
# The rest of a tag mixes quantizations, tiers, regions and house names; only what is surely a region is one.
_REGION = re.compile(r"(?:us|eu|europe|global|swedencentral|[a-z]{2}-[a-z]+-?[0-9])", re.ASCII)
_SCORES = {
    "intelligence_index": "artificial_analysis_intelligence",
    "coding_index": "artificial_analysis_coding",
    "agentic_index": "artificial_analysis_agentic",
}


class OpenRouter:
    """The public API: the list of models, then the endpoints of each, then the providers.

    Where asked for, also the undocumented shares of cached prompt tokens, as facts of the offers and nothing more.
    """

    name = "openrouter"
    file_url = f"https://openrouter.ai{MODELS_PATH}"

    def __init__(self, *, cache_shares: bool = False) -> None:
        """Remember whether the shares of cached prompt tokens are asked for."""
        self._cache_shares = cache_shares

    async def fetch(self, base_url: str, known: Mapping[str, Known], progress: Progress) -> tuple[Payload, ...]:
        """Fetch the list, and with a bound on how many at once, the endpoints of every model.

        Raises:
            FeedRefused: the list cannot be had, or more than a fifth of the endpoints cannot.
        """
        listed = await fetch_one(self.name, f"{base_url}{MODELS_PATH}", known, lambda *_: None)
        models = _models(self.name, listed.body)
        ids = [id_ for model in models if isinstance(id_ := model.get("id"), str)]
        urls = [f"{base_url}{MODELS_PATH}/{id_}/endpoints" for id_ in ids if valid_feed_id(id_)]
        extra = [f"{base_url}{PROVIDERS_PATH}"]
        parts = await fetch_parts(self.name, urls, known, progress, extra)
        if not self._cache_shares:
            return (listed, *parts)
        # By themselves, so that what nobody promised takes neither time nor bytes from the prices.
        shares = dict.fromkeys(url for model in models if (url := shares_url(base_url, model)) is not None)
        return (listed, *parts, *await fetch_parts(self.name, (), known, progress, tuple(shares), LIMITS))

    def parse(self, payloads: Mapping[str, bytes], names: ProviderNames, observed_at: datetime) -> Reading:
        """Read the payloads, or one capture file with the endpoints inside the list, into claims."""
        url = next((url for url in payloads if url.endswith(MODELS_PATH)), None)
        if url is None:
            raise FeedRefused(self.name, "not_expected", "the list of models is missing")
        base = url.removesuffix(MODELS_PATH)
        rows = Rows(self.name, url, observed_at)
        for model in _models(self.name, payloads[url]):
            id_ = model.get("id")
            own = f"{url}/{id_}/endpoints"
            endpoints = self._endpoints(model, payloads.get(own))
            shares = self._shares(rows, model, endpoints or [], names, payloads, base)
            _model(rows, model, endpoints, names, own, observed_at, shares)
        providers = payloads.get(f"{base}{PROVIDERS_PATH}")
        if providers is None:
            rows.notes["no_provider_terms"] += 1
        else:
            rows.terms += _terms(self.name, providers, f"{base}{PROVIDERS_PATH}", names, observed_at)
        return rows.reading({at: hashlib.sha256(body).hexdigest() for at, body in payloads.items()})

    def _endpoints(self, model: Mapping[str, Any], body: bytes | None) -> list[Any] | None:
        """Return a model's endpoints from its own answer, or from the capture; None where neither has them."""
        if body is None:
            inside = model.get("endpoints")
            return inside if isinstance(inside, list) else None
        answer = document(self.name, body)
        data = answer.get("data") if isinstance(answer, dict) else None
        listed = data.get("endpoints") if isinstance(data, dict) else None
        return listed if isinstance(listed, list) else None

    def _shares(
        self,
        rows: Rows,
        model: Mapping[str, Any],
        endpoints: list[Any],
        names: ProviderNames,
        payloads: Mapping[str, bytes],
        base: str,
    ) -> dict[str, Decimal]:
        """Return the share of cached prompt tokens by tag, of the endpoints of one model that have one."""
        url = shares_url(base, model) if self._cache_shares else None
        if url is None:
            return {}
        return hit_shares(self.name, payloads.get(url, b""), endpoints, names, rows.notes)


def _models(source: str, body: bytes) -> list[dict[str, Any]]:
    answer = document(source, body)
    listed = answer.get("data", answer.get("models")) if isinstance(answer, dict) else None
    if not isinstance(listed, list) or not all(isinstance(model, dict) for model in listed):
        raise FeedRefused(source, "not_expected", "a list of models was expected")
    return listed


def _model(  # one row of the list with all it needs
    rows: Rows,
    model: Mapping[str, Any],
    endpoints: list[Any] | None,
    names: ProviderNames,
    url: str,
    observed_at: datetime,
    shares: Mapping[str, Decimal],
) -> None:
    id_ = model.get("id")
    if not isinstance(id_, str) or not valid_feed_id(id_):
        rows.refuse(id_, "bad_id")
        return
    route = Route.ALIAS if id_.startswith("~") else Route.ENDPOINT
    if route is Route.ENDPOINT and not id_.startswith("openrouter/"):
        _describe(rows, model, id_, observed_at)
    if endpoints is None:
        rows.refuse(id_, "endpoints_missing")
    elif not endpoints:
        rows.refuse(id_, "no_endpoints")
    for endpoint in endpoints or ():
        _take(rows, model, id_, endpoint, names, route, url, shares)


def _describe(rows: Rows, model: Mapping[str, Any], id_: str, observed_at: datetime) -> None:
    canonical = id_.partition(":")[0]
    author = canonical.partition("/")[0]
    created = model.get("created")
    released = datetime.fromtimestamp(created, UTC).date() if type(created) is int and 0 < created < 2**33 else None
    weights = True if model.get("hugging_face_id") else None
    name = model.get("name")
    rows.models.setdefault(
        canonical,
        ModelFacts(
            id=canonical,
            name=name if isinstance(name, str) else canonical,
            author=author,
            open_weights=weights,
            released=released,
        ),
    )
    benchmarks = model.get("benchmarks")
    found = benchmarks.get("artificial_analysis") if isinstance(benchmarks, dict) else None
    for key, index in _SCORES.items():
        score = found.get(key) if isinstance(found, dict) else None
        if isinstance(score, int | Decimal) and canonical == id_:
            rows.scores.append(
                Score(
                    model=canonical,
                    index=index,
                    score=Decimal(score),
                    as_of=observed_at.date(),
                    source=CHANNEL,
                    source_url="https://artificialanalysis.ai",
                    note="as shown by OpenRouter, which states no date of its own",
                )
            )


def _take(  # one row with all it needs
    rows: Rows,
    model: Mapping[str, Any],
    id_: str,
    endpoint: object,
    names: ProviderNames,
    route: Route,
    url: str,
    shares: Mapping[str, Decimal],
) -> None:
    tag = endpoint.get("tag") if isinstance(endpoint, dict) else None
    if not isinstance(endpoint, dict) or not isinstance(tag, str) or not valid_feed_id(tag):
        rows.refuse(f"{id_} {tag}", "bad_id")
        return
    slug, _slash, rest = tag.partition("/")
    seat = names.upstream(slug)
    if seat is None:
        rows.refuse(f"{id_} {tag}", "ambiguous_provider")
        return
    claim = Claim(
        offer_id=offer_id(CHANNEL, seat.provider, id_, rest or None),
        facts=replace(_facts(model, endpoint, id_, rest, seat, route), cache_hit_share=shares.get(tag)),
        source_url=url if url.startswith("https://") else None,
    )
    rows.offer(claim, lambda unmapped: rate_table(endpoint.get("pricing"), unmapped))


def pinned_tag(offer: str, facts: OfferFacts, names: ProviderNames) -> str | None:
    """Return the tag that an offer's id was made of: what a request names to be served by this offer alone.

    None where several of OpenRouter's words mean the provider, so that the tag is not known.
    """
    slugs = [slug for slug, provider in names.providers.items() if provider == facts.provider]
    if not slugs and facts.provider not in names.ids:
        slugs = [facts.provider]
    bare = offer_id(CHANNEL, facts.provider, facts.model_spelling)
    rest = "" if offer == bare else offer.removeprefix(f"{bare}@")
    if len(slugs) != 1 or (rest and offer != offer_id(CHANNEL, facts.provider, facts.model_spelling, rest)):
        return None
    return f"{slugs[0]}/{rest}" if rest else slugs[0]


def _facts(  # one row with all it needs
    model: Mapping[str, Any], endpoint: Mapping[str, Any], id_: str, rest: str, seat: Seat, route: Route
) -> OfferFacts:
    steps = rest.split("/") if rest else []
    parameters = endpoint.get("supported_parameters")
    architecture = model.get("architecture")
    spoken = architecture if isinstance(architecture, dict) else {}
    tier = endpoint.get("service_tier")
    variant = id_.partition(":")[2]
    quantization = endpoint.get("quantization")
    stated = next((word for word in steps if word in SERVICE_TIERS), None)
    measured, minutes = uptime(endpoint, UPTIMES)
    return OfferFacts(
        model_spelling=id_,
        provider=seat.provider,
        channel=CHANNEL,
        region=next((word for word in steps if _REGION.fullmatch(word)), None),
        quantization=quantization if isinstance(quantization, str) and quantization != "unknown" else None,
        service_tier=stated or (tier if tier in SERVICE_TIERS else "standard"),
        variant=variant or None,
        route=Route.ROUTER if id_.startswith("openrouter/") else route,
        # The list of parameters is complete: what it lacks, the endpoint does not have.
        capabilities={}
        if not isinstance(parameters, list)
        else {word: key in parameters for key, word in CAPABILITIES.items()},
        input_modalities=words(spoken.get("input_modalities")),
        output_modalities=words(spoken.get("output_modalities")),
        context_tokens=least(count(endpoint.get("context_length")), count(endpoint.get("max_prompt_tokens"))),
        max_output_tokens=count(endpoint.get("max_completion_tokens")),
        retires_at=_expiry(model.get("expiration_date")),
        uptime=measured,
        uptime_minutes=minutes,
        ttft_ms=count(median(endpoint.get("latency_last_30m"))),
        throughput_tps=decimal(median(endpoint.get("throughput_last_30m"))),
    )


def _expiry(text: object) -> datetime | None:
    try:
        day = date.fromisoformat(str(text)[:10])
    except ValueError:
        return None
    return None if day.year >= LAST_YEAR else datetime(day.year, day.month, day.day, tzinfo=UTC)


def _terms(source: str, body: bytes, url: str, names: ProviderNames, observed_at: datetime) -> Iterator[Terms]:
    """Read what OpenRouter says of providers. Such rows are not curated: they can only take a permission away."""
    answer = document(source, body)
    listed = answer.get("data") if isinstance(answer, dict) else answer
    for provider in listed if isinstance(listed, list) else []:
        policy = provider.get("dataPolicy") if isinstance(provider, dict) else None
        slug = provider.get("slug") if isinstance(provider, dict) else None
        seat = names.upstream(slug) if isinstance(slug, str) and valid_feed_id(slug) else None
        if not isinstance(policy, dict) or seat is None:
            continue
        retains = flag(policy.get("retainsPrompts"))
        # Days without retention are a contradiction; the stricter half is kept, the days are unknown.
        days = count(policy.get("retentionDays")) if retains else None
        said = [flag(policy.get(key)) for key in ("training", "trainingOpenRouter", "canPublish")]
        digest = hashlib.sha256(repr((seat.provider, retains, days, said)).encode()).hexdigest()[:12]
        yield Terms(
            id=f"{PROVIDERS_SOURCE}:feed:{seat.provider}:{digest}",
            subject_kind="provider",
            subject=seat.provider,
            trains_on_prompts=said[0],
            broker_may_train=said[1],
            retains_prompts=retains,
            retention_days=days,
            may_publish=said[2],
            source=PROVIDERS_SOURCE,
            source_url=url,
            observed_at=observed_at,
            confidence=Confidence.BROKER_CLAIM,
        )
