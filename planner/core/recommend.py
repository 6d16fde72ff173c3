"""The plain search: try every offer, keep those that pass, order them; the reference for the compiled one.

Read this file to know what planner answers. `planner.core.snapshot` gives the same answers from arrays, and a
property test holds the two against each other.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from planner.core import checks
from planner.core.ask import ALTERNATIVES, Answer, Ask, Pick, list_refusals
from planner.core.catalogue import Catalogue
from planner.core.cost import cost
from planner.core.errors import MarginUnreachable, NoAnswer, NothingCompliant, PlannerError, UnknownModel, Unpriced
from planner.core.expected import AS_COUNTED, list_usd, price_kinds, traits_of, usages_on
from planner.core.money import budget_text, ratio_text, usd_text
from planner.core.objective import compares, order
from planner.core.offer import Offer
from planner.core.price import PriceCard
from planner.core.ranking import Ranked
from planner.core.remedies import remedies
from planner.core.tier import ModelTier
from planner.core.usage import Usage


def recommend(catalogue: Catalogue, ask: Ask) -> Answer:
    """Answer the question from the catalogue, offer by offer.

    Raises:
        UnknownModel: a model was named that no offer serves.
        Unpriced: nothing was refused for another reason than a missing price.
        NothingCompliant: every offer is refused before its margin matters.
        MarginUnreachable: what passes costs too much; the facts say what would help.
    """
    labels = catalogue.model_tiers(ask.at)
    affordable: list[Pick] = []
    too_dear: list[Pick] = []
    refused: Counter[str] = Counter()
    offers = considered(catalogue, ask)
    for offer in offers:
        code = next(refusals(catalogue, ask, offer, labels), None)
        if code is not None:
            refused[code] += 1
            continue
        pick = priced(catalogue, ask, offer, labels)
        if affordable_at(ask, pick.cost_usd):
            affordable.append(pick)
        else:
            too_dear.append(pick)
    refused["margin"] = len(too_dear)
    counts = list_refusals(refused)
    if not affordable:
        cheapest = min(too_dear, key=lambda pick: (pick.cost_usd, pick.offer.id.encode()), default=None)
        raise no_answer(ask, cheapest, counts, lambda other: recommend(catalogue, other))
    compared = sum(compares(ask, pick) for pick in affordable)
    ordered = sorted(affordable, key=order(ask))
    return answer(ask, ordered, len(affordable), compared, counts, catalogue.upstream_of)


def rank(catalogue: Catalogue, ask: Ask) -> list[Ranked]:
    """Return every offer that passes everything but the margin with its exact cost per request, cheapest first."""
    labels = catalogue.model_tiers(ask.at)
    eligible = (
        offer for offer in considered(catalogue, ask) if next(refusals(catalogue, ask, offer, labels), None) is None
    )
    picks = [priced(catalogue, ask, offer, labels) for offer in eligible]
    found = [Ranked(pick.offer, pick.cost_usd, pick.list_usd) for pick in picks]
    return sorted(found, key=lambda item: (item.cost_usd, item.offer.id.encode()))


def considered(catalogue: Catalogue, ask: Ask) -> Sequence[Offer]:
    """Return every offer of the models asked for, or of the catalogue.

    Raises:
        UnknownModel: a named model is neither registered nor served.
    """
    models = ask.needs.models
    if models is None:
        return catalogue.offers
    for model in models:
        if model not in catalogue.model_ids:
            raise UnknownModel(model)
    return [offer for offer in catalogue.offers if offer.model in models]


def refusals(catalogue: Catalogue, ask: Ask, offer: Offer, labels: Mapping[str, ModelTier]) -> Iterator[str]:
    """Yield every code that refuses an offer before its margin, in the fixed order; none means it is eligible."""
    card = catalogue.card(offer.id, ask.at)
    tier = None if card is None else checks.served_tier(offer, card.rates, ask.needs.service_tiers)
    usages = requests_on(ask, offer, card)
    if card is None:
        yield "unpriced"
    else:
        context = checks.context_of(offer, tier)
        try:
            for usage in usages:
                cost(usage, card.rates, ask.at, context)
        except Unpriced:
            yield "unpriced"
        if checks.half_priced(offer.facts.kind, card.rates):
            yield "half_priced"
    yield from checks.standing_codes(offer, ask.at)
    yield from checks.policy_codes(offer, catalogue, ask)
    quality = checks.quality_of(offer, catalogue, ask.needs)
    yield from checks.needs_codes(offer, ask.needs, checks.Longest.of(usages), quality, tier)
    yield from checks.tier_codes(ask.needs, labels.get(offer.model) if offer.model else None)


def requests_on(ask: Ask, offer: Offer, card: PriceCard | None) -> tuple[Usage, ...]:
    """Return every kind of request of a workload as it runs on an offer."""
    traits = AS_COUNTED if card is None else traits_of(offer, card.rates, ask.workload.habits)
    return usages_on(ask.workload, traits)


def priced(catalogue: Catalogue, ask: Ask, offer: Offer, labels: Mapping[str, ModelTier]) -> Pick:
    """Price an eligible offer exactly: list price, failed attempts, discount and fee, quality and tier."""
    card = catalogue.card(offer.id, ask.at)
    tier = None if card is None else checks.served_tier(offer, card.rates, ask.needs.service_tiers)
    if card is None or tier is None:
        raise Unpriced(offer=offer.id)
    context = checks.context_of(offer, tier)
    kinds = price_kinds(ask.workload, requests_on(ask, offer, card), card.rates, ask.at, context)
    quality = checks.quality_of(offer, catalogue, ask.needs)
    label = labels.get(offer.model) if offer.model else None
    return Pick(
        offer=offer,
        card=card,
        kinds=kinds,
        cost_usd=list_usd(kinds) * ask.workload.habits.retry_factor * catalogue.factor(offer, ask.at),
        service_tier=tier,
        quality=None if quality is None else quality.score,
        tier=None if label is None else label.tier,
    )


def affordable_at(ask: Ask, cost_usd: Fraction) -> bool:
    """Tell whether a cost per request keeps the target margin; compared exactly."""
    budget = ask.budget_usd
    return budget is None or ask.per_period_usd(cost_usd) <= budget


def answer(
    ask: Ask,
    ordered: Iterable[Pick],
    eligible: int,
    compared: int,
    refused: Mapping[str, int],
    upstream_of: Callable[[Offer], str],
) -> Answer:
    """Build the chain from eligible offers in order: the best first, then fallbacks on upstreams not yet used.

    ``ordered`` may be lazy: it is read only as far as the chain and the alternatives need. ``upstream_of`` tells on
    whose machines an offer runs.
    """
    chain: list[Pick] = []
    others: list[Pick] = []
    used: set[str] = set()
    for pick in ordered:
        upstream = upstream_of(pick.offer)
        repeated = ask.independent_upstreams and upstream in used
        if len(chain) <= ask.fallbacks and not repeated:
            chain.append(pick)
            used.add(upstream)
        elif len(others) < ALTERNATIVES:
            others.append(pick)
        if len(chain) > ask.fallbacks and len(others) == ALTERNATIVES:
            break
    return Answer(
        choice=chain[0],
        fallbacks=tuple(chain[1:]),
        alternatives=tuple(others),
        considered=eligible + sum(refused.values()),
        eligible=eligible,
        compared=compared,
        refused=refused,
    )


def no_answer(
    ask: Ask, cheapest: Pick | None, refused: Mapping[str, int], search: Callable[[Ask], Answer]
) -> PlannerError:
    """Return the refusal that fits: too dear, without a price, or not compliant.

    ``cheapest`` is the cheapest offer that only the margin refuses; ``search`` answers another question
    from the same catalogue, to find out whether another tier would do.
    """
    if cheapest is not None:
        return _margin_unreachable(ask, cheapest, refused, search)
    total = sum(refused.values())
    if total and set(refused) <= {"unpriced", "half_priced"}:
        return Unpriced(refused=refused)
    return NothingCompliant(ask.policy.name, total, refused)


def _margin_unreachable(
    ask: Ask, cheapest: Pick, refused: Mapping[str, int], search: Callable[[Ask], Answer]
) -> MarginUnreachable:
    economics, budget = ask.economics, ask.budget_usd
    if economics is None or budget is None:
        raise AssertionError("only a margin can make an offer too dear")
    per_period = ask.per_period_usd(cheapest.cost_usd)
    margin = economics.margin_at(per_period)
    elsewhere = _elsewhere(ask, search)
    changes = remedies(ask, economics, cheapest, elsewhere)

    def figure(change: str, name: str) -> str | None:
        """Return the figure of one change, where it would help."""
        return next((str(found[name]) for found in changes if found["change"] == change), None)

    return MarginUnreachable(
        policy=ask.policy.name,
        considered=sum(refused.values()),
        refused=refused,
        budget_usd=budget_text(budget),
        cheapest_offer=cheapest.offer.id,
        cheapest_cost_usd=usd_text(cheapest.cost_usd),
        cheapest_cost_usd_per_period=usd_text(per_period),
        margin_reached=None if margin is None else ratio_text(margin),
        feasible_price_usd=figure("price", "price_usd"),
        feasible_trim_percent=figure("trim_both", "percent"),
        feasible_tier=None if elsewhere is None else elsewhere.tier,
        changes=changes,
    )


def _elsewhere(ask: Ask, search: Callable[[Ask], Answer]) -> Pick | None:
    """Return the best answer once the tier is free, or None where the tier is not what hinders."""
    if ask.needs.tiers is None:
        return None
    try:
        return search(replace(ask, needs=replace(ask.needs, tiers=None))).choice
    except NoAnswer:
        return None
