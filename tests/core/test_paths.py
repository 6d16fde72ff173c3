"""Ways side by side: what each costs, adds, reaches and can be held to; and which one is taken at which stage."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from planner.core.agreement import CREDIT, OF_LIST, OWN_KEY, Fee
from planner.core.catalogue import Catalogue, Channel
from planner.core.controls import CONTROLS, needed, not_enforced
from planner.core.path_verdict import BROKER, SEVERAL, SINGLE, Verdict, verdict
from planner.core.paths import Gateway, Paths, Setting, paths
from planner.core.plan import MONTHS, PERIODS, Needs
from planner.core.policy import Policy
from planner.core.recommend import rank, recommend
from tests import make

MODEL = "acme/small"
STRICT = Policy(name="strict", version=1, deny_training=True)


def fee(channel: str, percent: str = "5", **parts: Any) -> Fee:
    """Make a fee of a broker."""
    stated = {"basis": "markup", "payment": CREDIT, **parts}
    return Fee(
        channel=channel, percent=Fraction(percent), valid_from=make.SINCE, valid_to=None, source="test",
        source_url="https://example.com/fees", **stated,
    )  # fmt: skip


def world(offers: Mapping[str, str], **parts: Any) -> Catalogue:
    """Make a catalogue of ``channel:provider`` -> input price; OpenRouter charges 5 percent, and trains nobody."""
    made = {}
    for name, usd in offers.items():
        channel, _colon, provider = name.partition(":")
        made[make.offer(f"{name}/small", channel=channel, provider=provider)] = make.rates(input=usd, output=usd)
    providers = {offer.facts.provider for offer in made}
    rows = [make.terms(provider) for provider in sorted(providers)]
    rows += [make.terms(channel, kind="channel") for channel in ("openrouter", "requesty", "kilo")]
    named = {
        "openrouter": Channel(id="openrouter", name="OpenRouter"),
        "requesty": Channel(id="requesty", name="R", overhead_ms=30),
    }
    own = {"fees": (fee("openrouter"), fee("requesty")), "channels": named, "terms": make.by_subject(*rows)}
    return make.catalogue(made, **{**own, **parts})


def compare(catalogue: Catalogue, stage: str = "production", **parts: Any) -> Paths:
    """Lay the ways of a catalogue side by side: 1,000 tokens in and 500 out, 100 times a period."""
    setting = Setting(stage, **{name: parts.pop(name) for name in ("customers", "period", "gateway") if name in parts})
    ask = make.ask(**{"requests": 100, "policy": STRICT, **parts})
    labels = catalogue.model_tiers(ask.at)
    return paths(catalogue, ask, recommend(catalogue, ask), rank(catalogue, ask), labels, setting)


def take(offers: Mapping[str, str], stage: str, world_parts: Mapping[str, Any] | None = None, **parts: Any) -> Verdict:
    """Return the verdict on a world."""
    return verdict(compare(world(offers, **(world_parts or {})), stage, **parts))


def links(said: Verdict) -> list[str]:
    """Return the chain of a verdict as ``channel:provider``."""
    return [f"{reach.offer.facts.channel}:{reach.offer.facts.provider}" for reach in said.chain]


BOTH = {"direct:acme": "1", "direct:beta": "1.2", "openrouter:acme": "1", "openrouter:gamma": "1.1"}


def test_every_way_is_priced_with_its_fees() -> None:
    """Direct first; the surcharge is what the broker's fee makes of the same list price."""
    found = compare(world(BOTH), customers=40)
    direct, broker = found.ways
    assert (direct.channel.id, broker.channel.id) == ("direct", "openrouter")
    assert found.cost(direct) == Fraction(15, 100)
    assert found.surcharge(broker) == Fraction(15, 100) * Fraction(5, 100)
    assert found.surcharge(direct) == 0
    assert (direct.overhead_ms, broker.overhead_ms) == (0, None)
    assert (list(direct.upstreams), list(broker.upstreams)) == (["acme", "beta"], ["acme", "gamma"])
    assert (direct.fee_known, broker.fee_known) == (True, True)
    assert (direct.fees, direct.refused, direct.not_enforced) == ((), {}, ())


def test_a_fee_is_shown_for_the_workload() -> None:
    """An allowance counts once the customers are known; a minimum says which purchases it makes dearer."""
    own_key = fee("openrouter", basis=OF_LIST, payment=OWN_KEY, chosen=False, allowance_usd_per_month=Fraction(3))
    bought = fee("openrouter", "5.5", minimum_usd=Fraction(8, 10))
    charged = {"fees": (bought, own_key)}
    credit, keys = compare(world(BOTH, **charged)).ways[1].fees
    assert credit.usd_per_period == Fraction(15, 100) * Fraction(55, 1000)
    assert credit.purchase_usd_min == Fraction(160, 11)
    assert (keys.usd_per_period, keys.purchase_usd_min) == (Fraction(15, 100) * Fraction(5, 100), None)
    # 40 customers use 6 USD a month, half of which is free.
    assert compare(world(BOTH, **charged), customers=40).ways[1].fees[1].usd_per_period == Fraction(15, 4000)
    assert compare(world(BOTH, **charged), customers=10).ways[1].fees[1].usd_per_period == 0


def test_a_broker_without_a_known_fee_comes_last() -> None:
    """It looks cheapest for nobody knows what it charges; the verdict prefers who says so."""
    offers = {"direct:acme": "1", "kilo:acme": "0.9", "openrouter:acme": "1"}
    found = compare(world(offers), "prototype", policy=make.OPEN)
    assert [way.channel.id for way in found.brokers] == ["openrouter", "kilo"]
    assert verdict(found).run == "openrouter"
    alone = take({"direct:acme": "1", "kilo:acme": "0.9"}, "prototype", policy=make.OPEN)
    assert alone.run == "kilo"
    assert "not known" in alone.cautions[-1]


def test_a_way_that_is_refused_says_why() -> None:
    """Of the same model only, each offer once, by its first reason; other models are its best."""
    catalogue = world({"direct:acme": "1", "openrouter:acme": "2", "openrouter:evil": "1"})
    training = make.by_subject(make.terms("evil", trains_on_prompts=True), make.terms("acme"))
    broker = compare(
        replace(catalogue, terms={**training, **make.by_subject(make.terms("openrouter", "channel"))})
    ).ways[1]
    assert broker.refused == {"policy:trains_on_prompts": 1}
    assert broker.same is not None
    other = make.catalogue(
        {
            make.offer("direct:acme/small"): make.rates("1"),
            make.offer("openrouter:x", "acme/big", channel="openrouter"): make.rates("2"),
        }
    )
    away = compare(other, policy=make.OPEN).ways[1]
    assert (away.same, away.refused, away.upstreams) == (None, {}, {})
    assert away.best is not None
    assert away.best.offer.model == "acme/big"
    assert compare(other, policy=make.OPEN).surcharge(away) is None


def test_the_best_of_a_way_follows_the_objective() -> None:
    """The fastest within the budget where the fastest is asked for."""
    slow = make.offer("direct:acme/small", ttft_ms=900, throughput_tps=Decimal(10))
    quick = make.offer("direct:acme/big", "acme/big", ttft_ms=100, throughput_tps=Decimal(90))
    catalogue = make.catalogue({slow: make.rates("1"), quick: make.rates("3")})
    (way,) = compare(catalogue, policy=make.OPEN, objective="fastest").ways
    assert way.best is not None
    assert way.best.offer == quick
    (way,) = compare(catalogue, policy=make.OPEN).ways
    assert way.best is not None
    assert way.best.offer == slow


def test_a_model_nobody_has_named_is_only_itself() -> None:
    """Two pending spellings may be two models."""
    offers = make.offer("direct:a", None), make.offer("openrouter:b", None, channel="openrouter")
    catalogue = make.catalogue(dict.fromkeys(offers, make.rates("1")))
    found = compare(catalogue, policy=make.OPEN)
    assert [way.same is not None for way in found.ways] == [True, False]
    assert "only way anybody offers" in verdict(found).reasons[0]


def test_every_period_has_its_months() -> None:
    """Twelve of them make a year, whatever the period."""
    assert set(MONTHS) == set(PERIODS)
    assert MONTHS["day"] * 365 == MONTHS["year"] == 12
    gateway = Gateway(Fraction(120))
    assert compare(world(BOTH), gateway=gateway, period="quarter").gateway_usd_per_period == 360


# --- which way is taken ------------------------------------------------------------------------------------


def test_a_prototype_takes_a_broker() -> None:
    """One key, a small surcharge in figures, one hop more, and the upstreams behind it."""
    said = take(BOTH, "prototype", customers=40)
    assert (said.take, said.run, links(said)) == (BROKER, "openrouter", ["openrouter:acme", "openrouter:gamma"])
    assert (
        "OpenRouter costs 0.1575 USD per customer and month, 0.0075 USD (5.0 %) more than directly, 0.3 USD"
        in said.reasons[1]
    )
    assert "not published" in said.reasons[2]
    assert said.reasons[3].startswith("2 independent upstreams pass")
    assert said.cautions == ()


def test_a_hop_with_a_published_figure_is_told_in_ms() -> None:
    """And what the broker cannot be held to is a caution."""
    said = take({"direct:acme": "1", "requesty:acme": "1"}, "prototype")
    assert "about 30 ms" in said.reasons[2]
    assert said.cautions == ("R is not known to enforce: no_training; only the pin holds it",)
    assert said.reasons[3].startswith("1 independent upstream passes")


def test_a_prototype_goes_directly_where_the_surcharge_is_not_small() -> None:
    """Beyond a quarter, or where no broker is left."""
    dear = take({"direct:acme": "1", "openrouter:acme": "1.3"}, "prototype")
    assert (dear.take, dear.run) == (SINGLE, "direct")
    assert "more than a small surcharge" in dear.reasons[0]
    alone = take({"direct:acme": "1"}, "prototype")
    assert (alone.take, links(alone)) == (SINGLE, ["direct:acme"])
    assert "none is left" in alone.reasons[1]


def test_an_internal_tool_goes_directly_unless_a_broker_saves() -> None:
    """A tenth at least, and from somebody whose fee is known."""
    said = take(BOTH, "internal")
    assert (said.take, said.run, links(said)) == (SINGLE, "direct", ["direct:acme"])
    assert "would not pay" in said.reasons[1]
    saving = take({"direct:acme": "1", "openrouter:gamma": "0.8"}, "internal")
    assert (saving.take, saving.run) == (BROKER, "openrouter")
    assert "(16.0 %) less than directly" in saving.reasons[1]
    unknown = take({"direct:acme": "1", "kilo:gamma": "0.5"}, "internal", policy=make.OPEN)
    assert unknown.take == SINGLE
    only = take({"openrouter:acme": "1"}, "internal")
    assert (only.take, only.run) == (BROKER, "openrouter")
    assert take({"direct:acme": "1"}, "internal").reasons[-1] == "acme directly: 0.15 USD per customer and month"


def test_production_takes_several_providers() -> None:
    """Directly where two are; who executes the chain depends on what a gateway costs."""
    said = take(BOTH, "production")
    assert (said.take, said.run, links(said)) == (SEVERAL, "direct", ["direct:acme", "direct:beta"])
    assert "was not said" in said.reasons[-1]
    assert said.cautions == ("2 contracts and keys are needed, one for each provider",)


@pytest.mark.parametrize(
    ("customers", "run"), [(None, "direct"), (15_999, "direct"), (16_000, "gateway"), (100_000, "gateway")]
)
def test_a_gateway_pays_from_so_many_customers_on(customers: int | None, run: str) -> None:
    """120 USD a month against a surcharge of 0.0075 USD for each."""
    found = compare(world(BOTH), gateway=Gateway(Fraction(120)), customers=customers)
    assert found.gateway_customers_min(found.brokers) == 16_000
    assert verdict(found).run == run
    assert "from 16000 customers" in verdict(found).reasons[-1]


@pytest.mark.parametrize("offers", [{"direct:acme": "1", "direct:beta": "1"}, {**BOTH, "openrouter:acme": "0.1"}])
def test_a_gateway_that_saves_nothing_is_only_offered(offers: dict[str, str]) -> None:
    """There is no broker, or none that costs more."""
    found = compare(world(offers), gateway=Gateway(Fraction(120)), customers=10**6)
    if found.direct is None:
        pytest.fail("there is a direct way")
    assert found.gateway_customers_min(found.brokers) is None
    assert verdict(found).run == "direct"
    assert "would do it for 120 USD" in verdict(found).reasons[-1]


def test_production_mixes_where_one_provider_is_direct() -> None:
    """The second upstream comes through a broker; your own code executes that."""
    said = take({"direct:acme": "1", "openrouter:acme": "1", "openrouter:gamma": "1.1"}, "production")
    assert (said.take, said.run, links(said)) == (SEVERAL, "direct", ["direct:acme", "openrouter:gamma"])
    assert said.cautions == ()


def test_production_through_one_broker_is_warned() -> None:
    """Its upstreams are independent of each other, and all of them depend on it."""
    said = take({"openrouter:acme": "1", "openrouter:gamma": "1.1"}, "production")
    assert (said.take, said.run) == (SEVERAL, "openrouter")
    assert "no direct way to compare" in said.reasons[3]
    assert "can take it down" in said.cautions[-1]


@pytest.mark.parametrize("offers", [{"direct:acme": "1", "openrouter:acme": "1"}, {"openrouter:acme": "1"}])
def test_production_without_a_second_upstream_says_so(offers: dict[str, str]) -> None:
    """A broker that resells the same upstream is no second one."""
    said = take(offers, "production")
    assert (said.take, len(said.chain)) == (SINGLE, 1)
    assert "no second upstream" in said.cautions[0]


def test_one_way_that_is_left_decides() -> None:
    """The reason names what refuses the others: a policy, a need, the margin, or that it cannot be held to anything."""
    policy = take({"openrouter:acme": "1", "openrouter:beta": "1", "nowhere:acme": "1"}, "production")
    assert (
        "policy strict can be met only through OpenRouter, which decides (nowhere: policy:unknown_terms 1)"
        in policy.reasons[0]
    )
    held = take({"direct:acme": "1", "kilo:acme": "1"}, "prototype")
    assert "it cannot be held to one provider" in held.reasons[0]
    assert held.take == SINGLE
    dear = take({"direct:acme": "1", "openrouter:acme": "9"}, "production", economics=make.economics("1", "0.80"))
    assert "the question can be met only through the direct way, which decides (OpenRouter: margin)" in dear.reasons[0]
    many = {f"b{n}:acme": "1" for n in range(7)}
    assert "; and 2 more" in take({"direct:acme": "1", **many}, "production").reasons[0]


def test_who_cannot_be_held_is_better_than_nobody() -> None:
    """And a caution: nobody has written down what it can be held to."""
    said = take({"kilo:acme": "1", "kilo:beta": "1"}, "production")
    assert (said.take, said.run) == (SEVERAL, "kilo")
    assert said.cautions[0] == "nobody has written down what kilo can be held to"


def test_what_costs_nothing_has_no_share() -> None:
    """The surcharge on a free offer is told in USD alone."""
    found = world({"openrouter:acme": "0.1"})
    free = make.offer("direct:beta/small", provider="beta", free=True)
    cards = {**found.cards, free.id: (make.card(free.id, make.rates("0", "0")),)}
    offers = tuple(sorted((*found.offers, free), key=lambda offer: offer.id.encode()))
    said = verdict(compare(replace(found, offers=offers, cards=cards), "prototype", policy=make.OPEN))
    assert said.take == SINGLE
    assert "0.01575 USD more than directly" in said.reasons[0]


# --- what a way can be held to ---------------------------------------------------------------------------


def test_a_policy_needs_what_its_rules_ask() -> None:
    """The pin always; flags for training, retention and region, also those of its parts."""
    assert needed(make.OPEN) == ("provider",)
    rules = Policy(name="p", version=1, retention_days_max=30, allow_data_countries=frozenset({"DE"}))
    assert needed(rules) == ("provider", "zero_retention", "region")
    zdr = Policy(name="z", version=1, require_zdr=True, require_serving_regions=frozenset({"eu"}))
    assert needed(make.joined(STRICT, zdr)) == ("provider", "zero_retention", "no_training", "region")


def test_what_is_not_known_counts_as_not_enforced() -> None:
    """Direct and OpenRouter have everything, a broker that nobody looked at has nothing."""
    everything = Policy(name="p", version=1, require_zdr=True, deny_training=True, require_serving_regions=frozenset())
    assert not_enforced("direct", everything) == not_enforced("openrouter", everything) == ()
    assert not_enforced("vercel", everything) == ("region",)
    assert not_enforced("kilo", make.OPEN) == ("provider",)
    for channel, row in CONTROLS.items():
        sources = {control.source_url for control in row.values()}
        assert channel in {"direct", "gateway"} or None not in sources


def test_needs_are_those_of_the_question() -> None:
    """A need that refuses the direct offers leaves the broker, and the reason says which."""
    catalogue = world({"direct:acme": "1", "openrouter:acme": "1"})
    offers = tuple(
        replace(offer, facts=replace(offer.facts, context_tokens=9_000)) if "openrouter" in offer.id else offer
        for offer in catalogue.offers
    )
    said = verdict(compare(replace(catalogue, offers=offers), needs=Needs(context_tokens=8_000)))
    assert (
        "the question can be met only through OpenRouter, which decides (the direct way: needs:context"
        in said.reasons[0]
    )
