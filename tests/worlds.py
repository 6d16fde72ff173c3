"""Small random worlds: a catalogue with every feature that matters, and a question to ask of it."""

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from planner.core.agreement import Contract, Fee
from planner.core.ask import Ask
from planner.core.catalogue import Catalogue, Provider
from planner.core.claim import Score
from planner.core.errors import NoAnswer
from planner.core.offer import Kind, Offer, OfferFacts, Route
from planner.core.plan import OBJECTIVES, Economics, Needs
from planner.core.policy import AllowPair, Policy
from planner.core.price import Band, PriceCard, Rate, RateTable, UnitPrice, When
from planner.core.recommend import recommend
from planner.core.terms import Confidence, Terms
from planner.core.tier import PriceBand, QualityBand, TierBands
from planner.core.units import Unit
from planner.core.usage import Usage
from planner.core.workload import Habits, Request, Workload
from tests import make

PROVIDERS = ("acme", "bolt", "cirrus", "delta", "nobody")
CHANNELS = ("direct", "direct", "openrouter", "broker")
NAMED = ("acme/small", "acme/large", "bolt/tiny", "cirrus/mid")
MODELS = (*NAMED, None)
PRICES = ("0", "0.02", "0.1", "0.25", "0.3", "1", "2.5", "3", "4", "15")
CAPABILITIES = ("tools", "json_schema", "prompt_caching", "reasoning")
INDEX = "artificial_analysis_intelligence"
START = datetime(2026, 11, 1, tzinfo=UTC)


def world(seed: int) -> tuple[Catalogue, Ask]:
    """Return the world of a seed."""
    dice = random.Random(seed)
    # Dice of their own, so that every other roll of a seed stays what it was before there was health.
    health = random.Random(f"health {seed}")
    offers = [_measured(health, _offer(dice, number)) for number in range(dice.randint(2, 36))]
    upstreams = dict(zip(PROVIDERS, _upstreams(health), strict=False))
    offers.sort(key=lambda offer: offer.id.encode())
    catalogue = Catalogue(
        revision=1,
        policy_revision=1,
        offers=tuple(offers),
        cards={offer.id: cards for offer in offers if (cards := _cards(dice, offer.id))},
        terms=make.by_subject(*_terms(dice, offers)),
        providers={
            name: Provider(
                id=name,
                name=name,
                creator_of=frozenset({name} if dice.random() < 0.5 else ()),
                upstream=upstreams[name],
            )
            for name in PROVIDERS[:4]
        },
        scores=_scores(dice),
        fees=_fees(dice),
        contracts=_contracts(dice, offers),
        tier_bands=TierBands(
            (PriceBand(1, Decimal(4)), PriceBand(2, Decimal("0.25"))), (QualityBand(INDEX, 1, Decimal(40)),)
        ),
        stale_from={"s": START + timedelta(days=dice.randint(0, 60))} if dice.random() < 0.5 else {},
    )
    return catalogue, _at_the_edge(dice, catalogue, _ask(dice, offers))


def _offer(dice: random.Random, number: int) -> Offer:
    model = dice.choice(MODELS)
    facts = OfferFacts(
        model_spelling=f"m{number}",
        provider=dice.choice(PROVIDERS),
        channel=dice.choice(CHANNELS),
        region=dice.choice((None, None, "eu", "us")),
        service_tier=dice.choice(("standard",) * 5 + ("flex",)),
        kind=dice.choice((Kind.CHAT,) * 8 + (Kind.EMBEDDING, Kind.COMPLETION)),
        route=dice.choice((Route.ENDPOINT,) * 12 + (Route.ALIAS, Route.ROUTER)),
        capabilities={word: dice.random() < 0.8 for word in CAPABILITIES if dice.random() < 0.8},
        cacheable_tokens_min=dice.choice((None, None, 1_000, 4_000)),
        cache_hit_share=dice.choice((None, Decimal("0.44"), Decimal(1))),
        input_modalities=dice.choice((None, frozenset({"text"}), frozenset({"text", "image"}))),
        output_modalities=dice.choice((None, None, None, None, frozenset({"text"}), frozenset({"image"}))),
        context_tokens=dice.choice((None, 16_000, 200_000, 200_000)),
        max_output_tokens=dice.choice((None, None, 400, 8_000)),
        retires_at=dice.choice((None,) * 6 + (START + timedelta(days=dice.randint(0, 50)),)),
        ttft_ms=dice.choice((None, 300, 900)),
        throughput_tps=dice.choice((None, Decimal(0), Decimal(30), Decimal("80.5"))),
    )
    return Offer(id=f"{facts.channel}:{facts.provider}/m{number}", facts=facts, model=model, free=dice.random() < 0.1)


def _measured(dice: random.Random, offer: Offer) -> Offer:
    """Give an offer an uptime, or none; some were measured without their window."""
    uptime = dice.choice((None, Decimal(0), Decimal("0.8"), Decimal("0.97"), Decimal("0.9990939097793023"), Decimal(1)))
    minutes = None if uptime is None else dice.choice((None, 0, 5, 30, 1_440))
    return replace(offer, facts=replace(offer.facts, uptime=uptime, uptime_minutes=minutes))


def _upstreams(dice: random.Random) -> tuple[str | None, ...]:
    """Say whose machines the registered providers run on: mostly their own, else those of another, or of a third."""
    return dice.choice(((None, None, None, None), (None, "acme", None, None), (None, "cloud", "cloud", "acme")))


def _cards(dice: random.Random, offer: str) -> tuple[PriceCard, ...]:
    if dice.random() < 0.1:
        return ()
    start = START + timedelta(days=dice.choice((-300, 0, 10)))
    if dice.random() < 0.7:
        return (make.card(offer, _table(dice), start),)
    middle = start + timedelta(days=dice.randint(1, 40), hours=dice.randint(0, 23))
    end = None if dice.random() < 0.7 else middle + timedelta(days=5)
    return (make.card(offer, _table(dice), start, middle), make.card(offer, _table(dice), middle, end, 2))


def _table(dice: random.Random) -> RateTable:
    units = [Unit.INPUT, Unit.OUTPUT]
    units += [
        unit
        for unit in (Unit.CACHE_READ, Unit.CACHE_WRITE_5M, Unit.CACHE_WRITE_1H, Unit.REASONING)
        if dice.random() < 0.4
    ]
    units += [unit for unit in (Unit.REQUEST, Unit.WEB_SEARCH) if dice.random() < 0.2]
    return RateTable(
        {
            unit: UnitPrice(
                _rate(dice), tuple(Band(_when(dice), _rate(dice)) for _ in range(dice.choice((0, 0, 0, 1, 3))))
            )
            for unit in units
            if dice.random() < 0.97
        }
    )


def _rate(dice: random.Random) -> Rate:
    return Rate(Decimal(dice.choice(PRICES)), dice.choice((make.MTOK,) * 6 + (3_600,)))


def _when(dice: random.Random) -> When:
    conditions: dict[str, object] = {}
    if dice.random() < 0.5:
        conditions[dice.choice(("input_tokens_gt", "input_tokens_gte"))] = dice.choice((1_000, 2_000, 5_000))
    if dice.random() < 0.3:
        conditions["service_tier"] = dice.choice(("flex", "batch", "standard"))
    if dice.random() < 0.2:
        conditions["region"] = dice.choice(("eu", "us"))
    if dice.random() < 0.3:
        conditions |= {"utc_start": dice.choice((0, 600, 1_320)), "utc_end": dice.choice((0, 480, 720))}
    if dice.random() < 0.2:
        conditions["weekdays"] = frozenset(dice.sample(range(1, 8), 3))
    if not conditions:
        conditions["input_tokens_gt"] = 500
    return When(**conditions)  # type: ignore[arg-type]  # conditions by name


def _terms(dice: random.Random, offers: list[Offer]) -> list[Terms]:
    subjects = [("provider", name) for name in PROVIDERS[:4]] + [("channel", "openrouter")]
    subjects += [("offer", dice.choice(offers).id)]
    rows = []
    for kind, subject in subjects:
        for number in range(dice.choice((0, 1, 1, 2))):
            retains = dice.choice((None, True, False))
            rows.append(
                make.terms(
                    subject,
                    kind,
                    id=f"{kind}:{subject}:{number}",
                    trains_on_prompts=dice.choice((None, True, False, False)),
                    broker_may_train=dice.choice((None, None, False, True)),
                    retains_prompts=retains,
                    retention_days=dice.choice((None, 30)) if retains else None,
                    zdr=dice.choice((None, True, False)),
                    zdr_scope=dice.choice((None, "broker:openrouter")),
                    may_publish=dice.choice((None, None, False, True)),
                    headquarters=dice.choice((None, "US", "CN")),
                    expires_at=dice.choice((None, None, START + timedelta(days=dice.randint(0, 60)))),
                    curated=dice.random() < 0.8,
                    confidence=dice.choice(tuple(Confidence)),
                )
            )
    return rows


def _scores(dice: random.Random) -> dict[tuple[str, str], tuple[Score, ...]]:
    found: dict[tuple[str, str], tuple[Score, ...]] = {}
    for model in NAMED:
        if dice.random() < 0.7:
            score = Decimal(dice.choice((10, 40, 40, 55)))
            made = Score(
                model=model, index=INDEX, score=score, as_of=date(2026, 7, 22), source="t", source_url="https://t"
            )
            found[model, INDEX] = (made,)
    return found


def _fees(dice: random.Random) -> tuple[Fee, ...]:
    fee = Fee(
        channel="openrouter",
        percent=Fraction(11, 2),
        basis="added_to_top_up",
        valid_from=START + timedelta(days=dice.choice((-200, 20))),
        valid_to=dice.choice((None, START + timedelta(days=40))),
        source="t",
        source_url="https://t",
    )
    return (fee,) if dice.random() < 0.7 else ()


def _contracts(dice: random.Random, offers: list[Offer]) -> tuple[Contract, ...]:
    made = []
    for number in range(dice.randint(0, 3)):
        signed = dice.choice(offers)
        contract = Contract(
            id=number,
            name="c",
            channel=signed.facts.channel,
            provider=signed.facts.provider,
            model=dice.choice((None, signed.model)),
            # The last one has no exact place among the whole numerators of a ranking.
            discount_percent=dice.choice((Fraction(10), Fraction(25, 2), Fraction(100), Fraction(1, 3))),
            valid_from=START + timedelta(days=dice.choice((-100, 10))),
            valid_to=dice.choice((None, START + timedelta(days=30))),
            reference="t",
        )
        made.append(contract)
    return tuple(made)


def _ask(dice: random.Random, offers: list[Offer]) -> Ask:
    decided = START + timedelta(days=dice.randint(0, 60), minutes=dice.randint(0, 1_439))
    tokens = dice.choice((0, 800, 1_000, 1_001, 5_000, 20_000))
    usage = Usage(
        input_tokens=tokens,
        cache_read_tokens=tokens // 2 if dice.random() < 0.5 else 0,
        cache_write_tokens=tokens // 4 if dice.random() < 0.1 else 0,
        output_tokens=dice.choice((100, 500)) if tokens else 0,
        reasoning_tokens=dice.choice((0, 0, 0, 100)) if tokens else 0,
        web_searches=dice.choice((0,) * 12 + (1,)),
    ) if dice.random() < 0.98 else Usage(requests=0)  # fmt: skip
    return Ask(
        workload=_workload(dice, usage),
        policy=_policy(dice, offers),
        needs=_needs(dice),
        at=decided if dice.random() < 0.9 else START + timedelta(days=dice.randint(-400, 80)),
        decided_at=decided,
        economics=_economics(dice),
        objective=dice.choice(OBJECTIVES),
        fallbacks=dice.choice((0, 1, 2, 5)),
        independent_upstreams=dice.random() < 0.6,
    )


def _workload(dice: random.Random, usage: Usage) -> Workload:
    """Make a workload: mostly one kind of request as counted, else several kinds, shares of a cache, failures."""
    requests_per_period = dice.choice((0, 1, 1, 1, 20))
    if dice.random() < 0.6:
        return Workload.of(usage, requests_per_period)
    plain = Usage(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, web_searches=usage.web_searches)
    share = dice.choice((Fraction(1), Fraction(1, 3), Fraction(9, 10)))
    other = Request(Usage(input_tokens=plain.input_tokens * 3, output_tokens=200), 1 - share)
    hits = dice.choice((None, Fraction(0), Fraction(1, 3), Fraction(1)))
    return Workload(
        requests=(Request(plain, share), *((other,) if share < 1 else ())),
        requests_per_period=requests_per_period,
        habits=Habits(
            cache_hit_share=hits,
            cache_hit_observed=dice.random() < 0.4,
            cache_write_share=dice.choice((Fraction(0), Fraction(1, 7))) if hits != 1 else Fraction(0),
            writes_for_an_hour=dice.random() < 0.3,
            reasoning_multiplier=dice.choice((Fraction(1), Fraction(17, 5))),
            failed_share=dice.choice((Fraction(0), Fraction(1, 12))),
            failed_billed_share=dice.choice((Fraction(1), Fraction(2, 5))),
        ),
    )


def _policy(dice: random.Random, offers: list[Offer]) -> Policy:
    pairs = frozenset(
        AllowPair(dice.choice(("*", "acme/small")), dice.choice(("*", "direct:*", offers[0].id))) for _ in range(2)
    )
    return Policy(
        name="p",
        version=1,
        deny_training=dice.random() < 0.3,
        require_zdr=dice.random() < 0.1,
        retention_days_max=dice.choice((None,) * 8 + (0, 30)),
        allow_headquarters=dice.choice((None,) * 8 + (frozenset({"US"}),)),
        deny_headquarters=dice.choice((frozenset(),) * 6 + (frozenset({"CN"}),)),
        allow_providers=dice.choice((None,) * 8 + (frozenset({"acme", "bolt"}),)),
        deny_providers=dice.choice((frozenset(),) * 6 + (frozenset({"acme"}),)),
        deny_models=dice.choice((frozenset(),) * 6 + (frozenset({"acme/small"}),)),
        allow_free=dice.random() < 0.5,
        allow_unknown=dice.random() < 0.85,
        minimum_confidence=dice.choice((None,) * 6 + (Confidence.VERIFIED,)),
        allow_list=dice.choice((None,) * 6 + (pairs,)),
    )


def _needs(dice: random.Random) -> Needs:
    return Needs(
        kind=dice.choice(("chat",) * 9 + ("embedding",)),
        output_modalities=dice.choice((("text",),) * 6 + ((), ("image",))),
        input_modalities=dice.choice(((),) * 6 + (("text", "image"),)),
        service_tiers=dice.choice((("standard",),) * 5 + (("flex", "standard"), ("batch",))),
        capabilities=dice.choice(((),) * 6 + (("tools",), ("tools", "json_schema"))),
        context_tokens=dice.choice((None, None, 8_000)),
        models=dice.choice((None,) * 12 + (("acme/small",), ("acme/large", "bolt/tiny"), ("ghost/none",))),
        tiers=dice.choice((None,) * 5 + ((1, 2), (3,))),
        quality_index=dice.choice((None, INDEX)),
        quality_min=dice.choice((None,) * 6 + (Decimal(40),)),
        ttft_ms_max=dice.choice((None,) * 8 + (500,)),
        throughput_tps_min=dice.choice((None,) * 8 + (Decimal(50),)),
        regions=dice.choice((None,) * 8 + (("eu",),)),
    )


def _economics(dice: random.Random) -> Economics | None:
    if dice.random() < 0.4:
        return None
    if dice.random() < 0.1:
        return Economics(revenue_usd=Decimal(0))
    return Economics(
        revenue_usd=Decimal(dice.choice(("0.05", "2", "20", "20"))),
        payment_fee_percent=Decimal(dice.choice(("0", "2.9"))),
        payment_fee_fixed_usd=Decimal(dice.choice(("0", "0.30"))),
        other_costs_usd=Decimal(dice.choice(("0", "1"))),
        margin=Decimal(dice.choice(("-0.5", "0", "0.5", "0.7", "0.9"))),
    )


def _at_the_edge(dice: random.Random, catalogue: Catalogue, ask: Ask) -> Ask:
    """Sometimes set the revenue so that the budget is exactly what some offer costs."""
    if dice.random() > 0.2 or ask.workload.requests_per_period == 0:
        return ask
    try:
        found = recommend(catalogue, replace(ask, economics=None, objective="cheapest"))
    except NoAnswer:
        return ask
    pick = dice.choice((found.choice, *found.fallbacks, *found.alternatives))
    budget = pick.cost_usd * ask.workload.requests_per_period
    pico = budget * 10**24
    if pico.denominator != 1 or not pico:
        return ask
    return replace(ask, economics=Economics(revenue_usd=Decimal(pico.numerator).scaleb(-24), margin=Decimal(0)))
