"""A recommendation as the body of a request to OpenRouter, or of a preset, that can be routed nowhere else.

A body with several models is dangerous in one way: ``only`` holds for all of them. A provider that the policy admits
for the first model may be one it refuses for the second, and OpenRouter would go there. A provider's bare slug is
dangerous in another: it stands for every region and quantization of that provider. So a body is given out only where
everything it could reach passes the policy, endpoints nobody lists today included; where several links cannot be said
at once, each is a body of its own.

Source:
    https://openrouter.ai/docs/guides/routing/provider-selection, and `ProviderPreferences` and `ChatRequest` of
    OpenRouter's Python SDK, PyPI openrouter 1.3.84.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from typing import Any, get_args

from planner.core.catalogue import Catalogue
from planner.core.errors import NotExportable
from planner.core.money import ceiling_text
from planner.core.offer import Kind, Offer, offer_id
from planner.core.price import UnitPrice
from planner.core.terms import DIRECT
from planner.core.tier import MTOK
from planner.core.units import Unit
from planner.export.document import LeftOut, Link, Recommendation
from planner.export.forms import Quantization, RoutedTier, checked
from planner.export.yaml_text import yaml_text

CHANNEL = "openrouter"
FORMAT = "openrouter"
STANDARD = "standard"
_PRICE_PLACES = 12
_QUANTIZATIONS = frozenset(get_args(Quantization))
_TIERS = frozenset(get_args(RoutedTier))

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pin:
    """One link as OpenRouter's words for it: a model, the tag of one endpoint, and a quantization where it is needed.

    ``quantization`` is set where the tag alone would reach endpoints that the policy refuses.
    """

    link: Link
    model: str
    tag: str
    quantization: str | None = None

    @property
    def tier(self) -> str | None:
        """The service tier to ask for, None for the standard one."""
        tier = self.link.pick.service_tier
        return None if tier == STANDARD else tier


@dataclass(frozen=True, slots=True)
class OpenRouterExport:
    """``config`` is the body to send; ``then`` are bodies to send one after the other where it fails.

    ``apart`` says why the links are not one body, None where they are. ``left_out`` are links that are not in any.
    """

    config: Body
    then: tuple[Body, ...]
    apart: str | None
    left_out: tuple[LeftOut, ...]


def export(recommendation: Recommendation) -> OpenRouterExport:
    """Return a recommendation as bodies of requests to OpenRouter.

    Raises:
        NotExportable: none of its links can be said there.
    """
    found = places(recommendation).values()
    pins = [each for each in found if isinstance(each, Pin)]
    left_out = tuple(each for each in found if isinstance(each, LeftOut))
    if not pins:
        raise NotExportable(FORMAT, {each.offer: each.reason for each in left_out})
    made, apart = bodies(recommendation, pins)
    return OpenRouterExport(made[0], made[1:], apart, left_out)


def places(recommendation: Recommendation) -> Mapping[int, Pin | LeftOut]:
    """Return every link by its place: pinned, or with why it cannot be."""
    return {link.place: pin(recommendation, link) for link in recommendation.links}


def bodies(recommendation: Recommendation, pins: Sequence[Pin]) -> tuple[tuple[Body, ...], str | None]:
    """Return one body for all pins, or one for each and why."""
    apart = why_apart(recommendation, pins)
    parts = [pins] if apart is None else [[one] for one in pins]
    return tuple(checked(FORMAT, body(recommendation, part)) for part in parts), apart


def pin(recommendation: Recommendation, link: Link) -> Pin | LeftOut:
    """Return the one endpoint of a link in OpenRouter's words, or why it cannot be said."""
    offer, card, tier = link.pick.offer, link.pick.card, link.pick.service_tier
    facts = offer.facts
    problem = None
    if facts.channel != CHANNEL:
        way = "directly" if facts.channel == DIRECT else f"through {facts.channel}"
        problem = f"it is reached {way}, not through OpenRouter"
    elif facts.kind is not Kind.CHAT:
        problem = f"it is for {facts.kind}, and chat is what can be exported"
    elif Unit.INPUT not in card.rates or Unit.OUTPUT not in card.rates:
        problem = "a price for input and one for output are needed to bound what it may cost"
    elif tier != STANDARD and tier not in _TIERS:
        problem = f"service tier {tier} cannot be asked for in a request"
    if problem is not None:
        return LeftOut(offer.id, problem)
    made = Pin(link, facts.model_spelling, tag_of(offer))
    stray = _stray(recommendation, made)
    if stray is not None and facts.quantization in _QUANTIZATIONS:
        made = replace(made, quantization=facts.quantization)
        stray = _stray(recommendation, made)
    if stray is not None:
        return LeftOut(offer.id, f"its tag {made.tag} also reaches {stray}")
    return made


def tag_of(offer: Offer) -> str:
    """Return OpenRouter's tag of an offer's endpoint: the provider's slug, and the rest of the tag byte for byte.

    The id is not taken apart: it is what its own facts compose to, and after that the rest.
    """
    facts = offer.facts
    base = offer_id(facts.channel, facts.provider, facts.model_spelling)
    rest = offer.id.removeprefix(base).removeprefix("@")
    return f"{facts.provider}/{rest}" if rest else facts.provider


def covers(allowed: str, tag: str) -> bool:
    """Tell whether ``only`` with one tag reaches an endpoint: a tag stands for all that it begins, step by step.

    OpenRouter's documents exempt service tiers from a bare slug; here nothing is exempt, so that no policy rests on it.
    """
    return tag == allowed or tag.startswith(f"{allowed}/")


def reached(catalogue: Catalogue, model: str, tag: str) -> Iterator[Offer]:
    """Yield every endpoint in the catalogue that a body with this model and this tag reaches."""
    slug = tag.partition("/")[0]
    start = offer_id(CHANNEL, slug, model)
    place = bisect_left(catalogue.offers, start.encode(), key=lambda offer: offer.id.encode())
    while place < len(catalogue.offers) and catalogue.offers[place].id.startswith(start):
        offer = catalogue.offers[place]
        facts = offer.facts
        ours = (facts.channel, facts.provider, facts.model_spelling) == (CHANNEL, slug, model)
        if ours and covers(tag, tag_of(offer)):
            yield offer
        place += 1


def _stray(recommendation: Recommendation, made: Pin) -> str | None:
    """Return an endpoint that a pin reaches and the policy refuses, with the rule, or None."""
    for offer in reached(recommendation.catalogue, made.model, made.tag):
        # An endpoint that states no quantization may be any.
        if made.quantization is not None and offer.facts.quantization not in (made.quantization, None):
            continue
        codes = _refused(recommendation, offer)
        if codes:
            return f"{offer.id}, which {codes[0]} refuses"
    return None


def _refused(recommendation: Recommendation, offer: Offer) -> tuple[str, ...]:
    ask = recommendation.ask
    return recommendation.catalogue.refusals_by(ask.policy, offer, ask.decided_at)


def why_apart(recommendation: Recommendation, pins: Sequence[Pin]) -> str | None:
    """Return why several links cannot be one body, or None where they can.

    One body tries its models in order, and for each of them the tags in order. That has to be the chain, every pair of
    model and tag has to pass the policy whether somebody serves it today or not, and nobody may serve one who is not
    in the chain: planner would not have priced it.
    """
    if len(pins) == 1:
        return None
    if len({(one.tier, one.quantization) for one in pins}) > 1:
        return "the links need different service tiers or quantizations"
    chain = {one.link.pick.offer.id for one in pins}
    tried: list[str] = []
    for model, tag in product(_once(one.model for one in pins), _once(one.tag for one in pins)):
        served = list(reached(recommendation.catalogue, model, tag))
        for offer in served or [_imagined(pins, model, tag)]:
            codes = _refused(recommendation, offer)
            if codes:
                return f"in one body OpenRouter could reach {offer.id}, which {codes[0]} refuses"
            if served and offer.id not in chain:
                return f"in one body OpenRouter could reach {offer.id}, which is not in the chain"
        tried.extend(offer.id for offer in served)
    if tried != [one.link.pick.offer.id for one in pins]:
        return "in one body OpenRouter would try the links in another order"
    return None


def _once(words: Iterator[str]) -> list[str]:
    return list(dict.fromkeys(words))


def _imagined(pins: Sequence[Pin], model: str, tag: str) -> Offer:
    """Return the endpoint that would be at a model and a tag if somebody served it there: the policy knows both."""
    weights = next(one for one in pins if one.model == model).link.pick.offer
    seat = next(one for one in pins if one.tag == tag).link.pick.offer
    facts = replace(weights.facts, provider=seat.facts.provider, region=seat.facts.region)
    rest = tag.partition("/")[2]
    return replace(weights, id=offer_id(CHANNEL, facts.provider, model, rest or None), facts=facts)


def body(recommendation: Recommendation, pins: Sequence[Pin]) -> Body:
    """Return one body for one or several pins."""
    models = _once(one.model for one in pins)
    made: Body = {"model": models[0]}
    if len(models) > 1:
        made["models"] = models
    made["provider"] = provider_block(recommendation, pins)
    if pins[0].tier is not None:
        made["service_tier"] = pins[0].tier
    return made


def provider_block(recommendation: Recommendation, pins: Sequence[Pin]) -> Body:
    """Return the `provider` object: the endpoints of the pins and no others, at most at their cards' dearest rates.

    What the policy asks of training and retention is asked of OpenRouter as well: it hears of a change first.
    """
    tags = _once(one.tag for one in pins)
    rules = recommendation.ask.policy.rules
    made: Body = {"only": tags}
    if len(tags) > 1:
        made["order"] = tags
    made["allow_fallbacks"] = len(tags) > 1
    if any(rule.deny_training or rule.require_zdr for rule in rules):
        made["data_collection"] = "deny"
    if any(rule.require_zdr for rule in rules):
        made["zdr"] = True
    made["require_parameters"] = True
    made["max_price"] = _max_price(pins)
    if pins[0].quantization is not None:
        made["quantizations"] = [pins[0].quantization]
    return made


def _max_price(pins: Sequence[Pin]) -> Body:
    """Return the dearest rates of all pins, rounded up: rounded down, OpenRouter would refuse the endpoint itself."""

    def dearest(unit: Unit, scale: int) -> str | None:
        found = [
            scale * _dearest(one.link.pick.card.rates[unit], one.link.pick.service_tier)
            for one in pins
            if unit in one.link.pick.card.rates
        ]
        return ceiling_text(max(found), _PRICE_PLACES) if found else None

    prices = {
        "prompt": dearest(Unit.INPUT, MTOK),
        "completion": dearest(Unit.OUTPUT, MTOK),
        "request": dearest(Unit.REQUEST, 1),
    }
    return {name: text for name, text in prices.items() if text is not None}


def _dearest(price: UnitPrice, tier: str) -> Fraction:
    """Return the dearest rate in USD per unit that one unit has in a service tier, whatever the length or the hour."""
    words = {tier} if tier != STANDARD and price.offers_tier(tier) else {None, tier}
    return max(Fraction(rate.usd) / rate.per for when, rate in price.stated() if when.service_tier in words)


def text(recommendation: Recommendation, made: OpenRouterExport) -> str:
    """Return the body to send first as YAML, with where it comes from at its top."""
    return yaml_text(
        made.config, (*recommendation.origin, *(f"left out: {e.offer}: {e.reason}" for e in made.left_out))
    )
