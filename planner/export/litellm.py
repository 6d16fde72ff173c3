"""A recommendation as LiteLLM's `config.yaml`: one deployment per link, and a fallback order that is the chain's.

Every link has a `model_name` of its own, because within one name LiteLLM balances the load; the backend asks for the
first. The router retries nothing: the next try is the next link, which is what was priced. (Its client for DeepInfra
tries three times before it gives a link up, and no setting keeps it from that.)

Source:
    https://docs.litellm.ai/docs/proxy/configs, /docs/proxy/reliability and /docs/proxy/custom_pricing; what is written
    here is loaded by PyPI litellm 1.106.2 in the tests.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, get_args

from planner.core.errors import NotExportable
from planner.core.offer import Kind
from planner.core.price import Rate
from planner.core.terms import DIRECT as DIRECTLY
from planner.core.units import FALLBACK, Unit
from planner.export.document import LeftOut, Link, Recommendation
from planner.export.forms import RoutedTier, checked
from planner.export.litellm_providers import DIRECT, OPENROUTER, Way
from planner.export.openrouter import CHANNEL, STANDARD, Pin, places, provider_block
from planner.export.yaml_text import yaml_text

FORMAT = "litellm"
_TIERS = frozenset(get_args(RoutedTier))
_PRICED = frozenset(
    {Unit.INPUT, Unit.OUTPUT, Unit.CACHE_READ, Unit.CACHE_WRITE_5M, Unit.CACHE_WRITE_1H, Unit.REASONING}
)

Config = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Deployment:
    """One link that LiteLLM can be told: the way there, and the pin where OpenRouter is the way."""

    link: Link
    way: Way
    pin: Pin | None = None


@dataclass(frozen=True, slots=True)
class LiteLLMExport:
    """The configuration, the links that are not in it, and what LiteLLM cannot be told of those that are."""

    config: Config
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]


def export(recommendation: Recommendation) -> LiteLLMExport:
    """Return a recommendation as a configuration of LiteLLM.

    Raises:
        NotExportable: none of its links can be said there.
    """
    found = [deployment(link, each) for link, each in _with_places(recommendation)]
    made = [each for each in found if isinstance(each, Deployment)]
    left_out = tuple(each for each in found if isinstance(each, LeftOut))
    if not made:
        raise NotExportable(FORMAT, {each.offer: each.reason for each in left_out})
    names = [recommendation.alias, *(f"{recommendation.alias}-fallback-{place}" for place in range(1, len(made)))]
    chain = [{names[0]: names[1:]}] if names[1:] else []
    discounts, margins, unsaid = _shares(made)
    config = {
        "model_list": [_entry(recommendation, name, each) for name, each in zip(names, made, strict=True)],
        "router_settings": {
            "routing_strategy": "simple-shuffle",
            "enable_pre_call_checks": True,
            "num_retries": 0,
            "max_fallbacks": len(names) - 1,
            "fallbacks": chain,
            "context_window_fallbacks": chain,
        },
        "litellm_settings": {"cost_discount_config": discounts, "cost_margin_config": margins},
    }
    return LiteLLMExport(checked(FORMAT, config), left_out, (*unsaid, *_unpriced(made)))


def _with_places(recommendation: Recommendation) -> Iterable[tuple[Link, Pin | LeftOut]]:
    return zip(recommendation.links, places(recommendation).values(), strict=True)


def deployment(link: Link, place: Pin | LeftOut) -> Deployment | LeftOut:
    """Return how LiteLLM reaches a link, or why it cannot be told; ``place`` is where it is on OpenRouter."""
    offer, tier = link.pick.offer, link.pick.service_tier
    facts = offer.facts
    problem = None
    if facts.channel == CHANNEL:
        return Deployment(link, OPENROUTER, place) if isinstance(place, Pin) else place
    if facts.channel != DIRECTLY:
        problem = f"nobody has said how LiteLLM reaches a provider through {facts.channel}"
    elif facts.provider not in DIRECT:
        problem = f"nobody has said what LiteLLM calls the provider {facts.provider}"
    elif facts.kind is not Kind.CHAT:
        problem = f"it is for {facts.kind}, and chat is what can be exported"
    elif facts.region not in (None, "global"):
        problem = f"LiteLLM cannot be told to stay in the region {facts.region}"
    elif Unit.INPUT not in link.rates or Unit.OUTPUT not in link.rates:
        problem = "LiteLLM needs a price for input and one for output"
    elif tier != STANDARD and tier not in _TIERS:
        problem = f"service tier {tier} cannot be asked for in a request"
    if problem is not None:
        return LeftOut(offer.id, problem)
    return Deployment(link, DIRECT[facts.provider])


def _entry(recommendation: Recommendation, name: str, made: Deployment) -> Config:
    link = made.link
    pick, facts = link.pick, link.pick.offer.facts
    call = call_of(recommendation, made)
    params: Config = {
        "model": call.pop("model"),
        "api_key": f"os.environ/{made.way.key}",
        "order": link.place,
        **_prices(link.rates),
        **call,
    }
    info: Config = {
        "id": f"{recommendation.id}-{link.place}",
        "planner_recommendation_id": recommendation.id,
        "policy": recommendation.ask.policy.name,
        "policy_version": recommendation.ask.policy.version,
        "offer": pick.offer.id,
        "price_version": pick.card.id,
    }
    if facts.context_tokens:
        info["max_input_tokens"] = facts.context_tokens
    return {"model_name": name, "litellm_params": params, "model_info": info}


def call_of(recommendation: Recommendation, made: Deployment) -> Config:
    """Return the arguments of a call to LiteLLM that reach a link and nothing else."""
    pick = made.link.pick
    call: Config = {"model": f"{made.way.prefix}/{pick.offer.facts.model_spelling}"}
    if made.way.api_base is not None:
        call["api_base"] = made.way.api_base
    if pick.service_tier != STANDARD:
        call["service_tier"] = pick.service_tier
    if made.pin is not None:
        call["extra_body"] = {"provider": provider_block(recommendation, [made.pin])}
    return call


def _prices(rates: Mapping[Unit, Rate]) -> Config:
    """Return LiteLLM's prices in USD per token.

    What it does not find it takes from its own map, so the prices of a cache are always written: a card without them
    charges a token read or written like any other.
    """
    prices = {
        "input_cost_per_token": Unit.INPUT,
        "output_cost_per_token": Unit.OUTPUT,
        "cache_read_input_token_cost": Unit.CACHE_READ if Unit.CACHE_READ in rates else FALLBACK[Unit.CACHE_READ],
        "cache_creation_input_token_cost": Unit.CACHE_WRITE_5M if Unit.CACHE_WRITE_5M in rates else Unit.INPUT,
    }
    if Unit.CACHE_WRITE_1H in rates:
        prices["cache_creation_input_token_cost_above_1hr"] = Unit.CACHE_WRITE_1H
    if Unit.REASONING in rates:
        prices["output_cost_per_reasoning_token"] = Unit.REASONING
    return {name: double(Fraction(rates[unit].usd) / rates[unit].per) for name, unit in prices.items()}


def double(exact: Fraction) -> float:
    """Return the double nearest to an exact figure: the one LiteLLM would make of any text of it.

    No sum of planner's rests on it. The exact decimals are in the recommendation document.
    """
    return float(exact)


def _shares(made: Sequence[Deployment]) -> tuple[Config, Config, list[str]]:
    """Return discounts and fees by LiteLLM's word for the provider, and what it cannot be told of them.

    LiteLLM takes off the discount and adds the margin to what is left, for all models of a word alike.
    """
    discounts: Config = {}
    margins: Config = {}
    unsaid: list[str] = []
    for prefix in dict.fromkeys(each.way.prefix for each in made):
        links = [each.link for each in made if each.way.prefix == prefix]
        terms = {(link.discount, link.fee) for link in links}
        if len(terms) > 1 or links[0].fee is None:
            offers = ", ".join(link.pick.offer.id for link in links)
            unsaid.append(f"LiteLLM cannot be told the discounts and fees of {offers}: it knows one of {prefix}")
            continue
        if links[0].discount:
            discounts[prefix] = double(links[0].discount)
        if links[0].fee:
            margins[prefix] = double(links[0].fee)
    return discounts, margins, unsaid


def _unpriced(made: Sequence[Deployment]) -> list[str]:
    """Say which rates of a card are not among LiteLLM's prices here."""
    notes = []
    for each in made:
        others = sorted(unit.value for unit in each.link.rates if unit not in _PRICED)
        if others:
            notes.append(f"{each.link.pick.offer.id} also charges per {', '.join(others)}; LiteLLM will not count it")
        if any(price.bands for price in each.link.pick.card.rates.values()):
            notes.append(f"{each.link.pick.offer.id} has other rates under conditions; LiteLLM counts those of now")
    return notes


def text(recommendation: Recommendation, made: LiteLLMExport) -> str:
    """Return the configuration as YAML, with where it comes from and what is not in it at its top."""
    return yaml_text(
        made.config,
        (
            *recommendation.origin,
            "prices: USD per token, the shortest decimal that gives the same double; the exact ones are planner's",
            *(f"left out: {each.offer}: {each.reason}" for each in made.left_out),
            *(f"note: {note}" for note in made.notes),
        ),
    )
