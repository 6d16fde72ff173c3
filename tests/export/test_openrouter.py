"""Whatever OpenRouter does under a body of ours, it cannot get to an endpoint that the policy refuses."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

import pytest

from planner.core.agreement import Fee
from planner.core.ask import Ask
from planner.core.catalogue import Provider
from planner.core.errors import NoAnswer, NotExportable
from planner.core.offer import Offer, offer_id
from planner.core.plan import Needs
from planner.core.policy import AllowPair, Policy
from planner.core.price import Band, PriceCard, Rate, RateTable, UnitPrice, When
from planner.core.recommend import recommend
from planner.core.terms import Terms
from planner.core.units import Unit
from planner.export.document import Recommendation
from planner.export.openrouter import OpenRouterExport, export, tag_of
from tests import make
from tests.reference_decision import refused

PROVIDERS = ("acme", "bolt", "cirrus", "delta")
MODELS = ("acme/small", "bolt/large", "cirrus/mid")
RESTS = (None, None, "fp8", "fp4", "eu", "fp8/eu", "flex")
QUANTIZATIONS = {"fp8": "fp8", "fp4": "fp4", "fp8/eu": "fp8"}
WORLDS = range(800)


def endpoint(model: str, provider: str, rest: str | None = None, **facts: Any) -> Offer:
    """Make an offer of OpenRouter's, spelled as OpenRouter spells it."""
    return make.offer(
        offer_id("openrouter", provider, model, rest), model, model_spelling=model, provider=provider,
        channel="openrouter", **facts,
    )  # fmt: skip


def world(seed: int) -> tuple[Recommendation, tuple[Terms, ...]] | None:
    """Return a recommendation among a dozen endpoints with all that is said of them, or None where there is none."""
    dice = random.Random(seed)
    offers: dict[Offer, RateTable | None] = {}
    for model in MODELS:
        for provider in dice.sample(PROVIDERS, dice.randint(1, 4)):
            for rest in {dice.choice(RESTS) for _ in range(dice.randint(1, 3))}:
                facts = {"quantization": QUANTIZATIONS.get(rest or "", dice.choice((None, "fp8", "fp4")))}
                price = dice.choice(("0.1", "0.2", "0.4"))
                offers[endpoint(model, provider, rest, **facts)] = make.rates(price, price)
    listed = tuple(offers)
    rows = [make.terms("openrouter", "channel", broker_may_train=False, zdr=True)]
    for provider in PROVIDERS:
        trains = dice.choice((False, False, False, None, True))
        rows.append(make.terms(provider, trains_on_prompts=trains, zdr=dice.choice((True, True, False))))
    rows += [make.terms(offer.id, "offer", trains_on_prompts=True, zdr=False) for offer in dice.sample(listed, 2)]
    pairs = frozenset(AllowPair(dice.choice(("*", *MODELS)), dice.choice(listed).id[:-1] + "*") for _ in range(6))
    policy = Policy(
        name="p",
        version=3,
        deny_training=dice.random() < 0.8,
        require_zdr=dice.random() < 0.3,
        deny_models=dice.choice((frozenset(), frozenset({dice.choice(MODELS)}))),
        deny_providers=dice.choice((frozenset(), frozenset({dice.choice(PROVIDERS)}))),
        allow_list=dice.choice((None, None, pairs)),
        minimum_confidence=None,
    )
    catalogue = make.catalogue(
        offers, terms=make.by_subject(*rows), providers={name: Provider(id=name, name=name) for name in PROVIDERS}
    )
    asked = make.ask(policy=policy, fallbacks=dice.choice((0, 1, 2, 3)), independent_upstreams=dice.random() < 0.5)
    try:
        return Recommendation(asked, recommend(catalogue, asked), catalogue, None, "pro", "chat"), tuple(rows)
    except NoAnswer:
        return None


def worlds() -> Iterator[tuple[Recommendation, tuple[Terms, ...]]]:
    """Yield every world that has a recommendation."""
    for seed in WORLDS:
        made = world(seed)
        if made is not None:
            yield made


def routed(body: dict[str, Any], offers: Iterable[Offer]) -> list[Offer]:
    """Return where a request with this body may end: by OpenRouter's documents, and anywhere they leave open."""
    models, provider = body.get("models", [body["model"]]), body["provider"]
    wanted = provider.get("quantizations")
    return [
        offer
        for offer in offers
        if offer.facts.channel == "openrouter"
        and offer.facts.model_spelling in models
        and any((tag_of(offer) + "/").startswith(tag + "/") for tag in provider["only"])
        and (wanted is None or offer.facts.quantization is None or offer.facts.quantization in wanted)
    ]


def forbidden(found: Recommendation, rows: tuple[Terms, ...], offers: Iterable[Offer]) -> list[str]:
    """Return those that the plain procedure refuses."""
    ask = found.ask
    registry = (*PROVIDERS, *MODELS)
    return [offer.id for offer in offers if refused(ask.policy, offer, rows, registry, ask.decided_at)]


def together(found: Recommendation) -> dict[str, Any]:
    """Return the body that somebody writes who thinks of each link by itself."""
    offers = [link.pick.offer for link in found.links]
    return {
        "model": offers[0].facts.model_spelling,
        "models": [offer.facts.model_spelling for offer in offers],
        "provider": {"only": [tag_of(offer) for offer in offers]},
    }


def test_every_endpoint_a_body_reaches_passes_the_policy() -> None:
    """In random worlds, while the body that puts all links together reaches refused endpoints in many of them."""
    seen: Counter[str] = Counter()
    for found, rows in worlds():
        offers = found.catalogue.offers
        seen["careless"] += bool(forbidden(found, rows, routed(together(found), offers)))
        try:
            made = export(found)
        except NotExportable:
            seen["none"] += 1
            continue
        for body in (made.config, *made.then):
            assert forbidden(found, rows, routed(body, offers)) == []
        seen["one of many"] += "models" in made.config
        seen["apart"] += made.apart is not None
        seen["narrowed"] += "quantizations" in made.config["provider"]
        seen["left out"] += bool(made.left_out)
    assert min(seen[word] for word in ("careless", "one of many", "apart", "narrowed", "left out", "none")) > 3, seen


def test_endpoints_that_appear_later_pass_the_policy_as_well() -> None:
    """Every pair of model and tag in a body, also where nobody serves it today."""
    for found, rows in worlds():
        try:
            made = export(found)
        except NotExportable:
            continue
        provider = made.config["provider"]
        for model in made.config.get("models", [made.config["model"]]):
            for tag in provider["only"]:
                slug, _slash, rest = tag.partition("/")
                imagined = endpoint(model, slug, rest or None, quantization=provider.get("quantizations", [None])[0])
                assert forbidden(found, rows, [imagined]) == [], (found.id, imagined.id)


def test_one_body_tries_the_links_in_the_order_of_the_chain() -> None:
    """Model by model, and for each its tags in order: what OpenRouter does is what planner said."""
    for found, _rows in worlds():
        try:
            made = export(found)
        except NotExportable:
            continue
        left_out = {each.offer for each in made.left_out}
        chain = [link.pick.offer for link in found.links if link.pick.offer.id not in left_out]
        bodies = (made.config, *made.then)
        tried = [
            (model, tag)
            for body in bodies
            for model in body.get("models", [body["model"]])
            for tag in body["provider"]["only"]
            if any(offer.facts.model_spelling == model and tag_of(offer) == tag for offer in found.catalogue.offers)
        ]
        assert tried == [(offer.facts.model_spelling, tag_of(offer)) for offer in chain]


def one(*offers: Offer, policy: Policy = make.OPEN, table: RateTable | None = None, **asked: Any) -> OpenRouterExport:
    """Export what is recommended among these."""
    catalogue = make.catalogue(dict.fromkeys(offers, table or make.rates()))
    ask: Ask = make.ask(policy=policy, **asked)
    return export(Recommendation(ask, recommend(catalogue, ask), catalogue, None))


def test_a_link_is_pinned_by_its_tag() -> None:
    """One endpoint, no way around it, no dropped parameter, and nothing dearer than its card."""
    assert one(endpoint("a/b", "acme", "fp8")).config == {
        "model": "a/b",
        "provider": {
            "only": ["acme/fp8"],
            "allow_fallbacks": False,
            "require_parameters": True,
            "max_price": {"prompt": "1", "completion": "2"},
        },
    }


@pytest.mark.parametrize(
    ("rules", "asked"),
    [
        ({}, {}),
        ({"deny_training": True}, {"data_collection": "deny"}),
        ({"require_zdr": True}, {"data_collection": "deny", "zdr": True}),
    ],
)
def test_what_the_policy_asks_is_asked_of_openrouter_too(rules: dict[str, Any], asked: dict[str, Any]) -> None:
    """Also where it is a part of the policy that asks."""
    for policy in (
        Policy(name="p", version=1, allow_unknown=True, **rules),
        make.joined(make.OPEN, Policy(name="p", version=1, allow_unknown=True, **rules)),
    ):
        provider = one(endpoint("a/b", "acme"), policy=policy).config["provider"]
        assert {name: provider[name] for name in ("data_collection", "zdr") if name in provider} == asked


def test_the_dearest_rate_bounds_the_price_rounded_up() -> None:
    """A long prompt costs more and is not refused; a rate that no decimal is exact for is not cut."""
    table = RateTable(
        {
            Unit.INPUT: UnitPrice(make.rate("1", 3_600), (Band(When(input_tokens_gt=9), make.rate("3", 3_600)),)),
            Unit.OUTPUT: UnitPrice(make.rate("2"), (Band(When(service_tier="priority"), make.rate("9")),)),
            Unit.REQUEST: UnitPrice(Rate(make.rate("0.01").usd)),
        }
    )
    price = one(endpoint("a/b", "acme"), table=table).config["provider"]["max_price"]
    assert price == {"prompt": "833.333333333334", "completion": "2", "request": "0.01"}


def test_a_service_tier_is_asked_for() -> None:
    """The flex endpoint by its own tag, and flex in the request; batch is no request to a gateway."""
    needs = Needs(service_tiers=("flex",))
    assert one(endpoint("a/b", "acme", "flex", service_tier="flex"), needs=needs).config["service_tier"] == "flex"
    with pytest.raises(NotExportable, match="service tier batch"):
        one(endpoint("a/b", "acme", "batch", service_tier="batch"), needs=Needs(service_tiers=("batch",)))


def test_what_openrouter_does_not_sell_is_left_out_with_the_reason() -> None:
    """A direct offer is no link of a body; where nothing else is left, there is no body."""
    direct = make.offer("direct:acme/small")
    made = one(direct, endpoint("a/b", "bolt"))
    assert made.config["provider"]["only"] == ["bolt"]
    assert [each.offer for each in made.left_out] == [direct.id]
    with pytest.raises(NotExportable) as refusal:
        one(direct)
    assert refusal.value.facts() == {
        "format": "openrouter", "reasons": {direct.id: "it is reached directly, not through OpenRouter"},
    }  # fmt: skip


def test_fees_and_cards_of_other_days_do_not_move_the_bound() -> None:
    """A fee is paid to the broker on top: OpenRouter compares its own list prices."""
    fee = Fee(channel="openrouter", percent=Fraction(5), basis="markup",
              valid_from=make.SINCE, valid_to=None, source="t", source_url="https://t")  # fmt: skip
    offer = endpoint("a/b", "acme")
    old: PriceCard = make.card(offer.id, make.rates("9", "9"), make.SINCE, make.NOON)
    new = make.card(offer.id, make.rates(), make.NOON, None, 2)
    catalogue = make.catalogue({offer: make.rates()}, fees=(fee,), cards={offer.id: (old, new)})
    found = Recommendation(make.ask(), recommend(catalogue, make.ask()), catalogue, None)
    assert export(found).config["provider"]["max_price"] == {"prompt": "1", "completion": "2"}
