"""The catalogue at one revision compiled to arrays: the same answers as the plain search, thousands of offers at once.

Floats only shortlist. Whatever an answer depends on, order, ties and the margin's edge included, is decided by the
exact sums of `planner.core.cost`. Rules are not written twice: policies, needs and tiers are asked of the plain code
once per revision, stretch of time and question shape, and kept as codes; only what changes with every request, its
tokens, its price and its budget, is computed on arrays. `planner.core.recommend` is the reference.
"""

from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from math import lcm
from threading import Lock
from weakref import WeakSet

import numpy as np

from planner.core import checks, edges
from planner.core.ask import Answer, Ask, Pick, list_refusals
from planner.core.catalogue import Catalogue
from planner.core.compiled import (
    ALL_AS_COUNTED,
    Codes,
    Eligible,
    Field,
    Run,
    Served,
    Shape,
    Stretch,
    Ways,
    units_of,
)
from planner.core.errors import UnknownModel
from planner.core.expected import AS_COUNTED, Traits, list_usd, price_kinds, traits_of, usages_on
from planner.core.laid import Laid, lay_out
from planner.core.money import PICO
from planner.core.offer import Offer
from planner.core.plan import Needs
from planner.core.price import PriceCard
from planner.core.pricing import Flags, compile_pricing
from planner.core.ranking import NUMERATOR_BELOW, Ranking, numerator
from planner.core.recommend import affordable_at, answer, no_answer
from planner.core.shortlist import CLOSE, by_objective, in_order
from planner.core.tier import ModelTier
from planner.core.units import Unit

_LIMITS_FREE = checks.Longest()


class Snapshot:
    """One revision, compiled. Safe to ask from many threads."""

    def __init__(self, catalogue: Catalogue, earlier: Iterable[Laid] = ()) -> None:
        """Lay out what no question changes, or take it over from ``earlier``."""
        self.catalogue = catalogue
        self.laid = lay_out(catalogue, earlier)
        self._priced, self._judged = self.laid.priced, self.laid.judged

    # --- the questions ------------------------------------------------------------------------------------

    def recommend(self, ask: Ask) -> Answer:
        """Answer the question.

        Raises:
            NoAnswer: as `planner.core.recommend.recommend` does, with the same facts.
        """
        run = self._run(ask)
        eligible = self._eligible(run)

        def pick(i: int) -> Pick:
            return self._pick(i, run)

        fits = self._affordable(ask, eligible, pick)
        count = int(np.count_nonzero(fits))
        counts = list_refusals({**eligible.refused, "margin": len(fits) - count})
        if not count:
            cheapest = next(in_order(eligible.indices, eligible.costs, pick, _cost_then_id), None)
            raise no_answer(ask, cheapest, counts, self.recommend)
        if count < len(fits):
            eligible = Eligible(eligible.indices[fits], eligible.costs[fits], eligible.refused)
        ordered, compared = by_objective(self._priced.figures, run, eligible, pick)
        return answer(ask, ordered, count, compared, counts, self.catalogue.upstream_of)

    def rank(self, ask: Ask) -> Ranking:
        """Rank every offer that passes everything but the margin by its exact cost, cheapest first."""
        run = self._run(ask)
        field, stretch = run.field, run.field.stretch
        codes, refused = self._limit_codes(run), dict(field.refused)
        self._count(codes, refused)
        passed = codes == 0
        indices, listed = field.left[passed], run.list_costs()
        numerators = stretch.fee_numerators[indices]
        # Sums below 2**53 times a small numerator stay inside 64 bits; the denominator is the same for all.
        exact = field.charges.exact(listed)[passed] & (numerators < NUMERATOR_BELOW) & run.plain
        scaled = listed[passed][exact].astype(np.int64) * numerators[exact]
        # Offers are in the order of their ids, and so are equal costs.
        sequence = np.argsort(scaled, kind="stable")
        columns = (column[exact][sequence].tolist() for column in (indices, listed[passed]))
        ranking = Ranking(
            self.catalogue.offers, stretch.fee_denominator, scaled[sequence].tolist(), *columns, refused=refused
        )
        for i in indices[~exact].tolist():
            pick = self._pick(i, run)
            ranking.insert(i, pick.cost_usd, pick.list_usd)
        return ranking

    def labels(self, at: datetime) -> Mapping[str, ModelTier]:
        """Return the tier labels of all models at a moment."""
        return self._stretch(at).labels

    def valid_until(self, at: datetime, decided_at: datetime) -> datetime | None:
        """Return the next moment at which an answer may change by itself: a card, fee, retirement, hour or evidence.

        None where no such moment is known. An answer at another time than the present depends on today's terms only.
        """
        found = [edges.after(self._judged.edges, decided_at)]
        if at == decided_at:
            found += [edges.after(self._priced.edges, at), edges.minute_after(self._priced.minutes, at)]
        return min((edge for edge in found if edge is not None), default=None)

    # --- one question, step by step -----------------------------------------------------------------------

    def _eligible(self, run: Run) -> Eligible:
        field, refused = run.field, dict(run.field.refused)
        codes = self._limit_codes(run)
        self._count(codes, refused)
        passed = codes == 0
        costs = run.list_costs() * field.fees
        retry_factor = run.ask.workload.habits.retry_factor
        if retry_factor != 1:
            costs *= float(retry_factor)
        return Eligible(field.left[passed], costs[passed], refused)

    def _limit_codes(self, run: Run) -> Codes:
        field, needs, codes = run.field, run.ask.needs, run.field.last.copy()
        longest = [checks.Longest.of(usages) for usages in run.usages]
        output = np.array([one.output_tokens for one in longest], np.float64)
        codes[field.output < (output[0] if field.groups is None else output[field.groups])] = self._judged.number(
            "needs:max_output"
        )
        prompt = max(needs.context_tokens or 0, longest[0].input_tokens)
        codes[field.context < prompt] = self._judged.number("needs:context")
        if longest[0].input_tokens > checks.ASSUMED_CONTEXT_TOKENS:
            codes[np.isinf(field.context)] = self._judged.number("needs:context:unknown")
        return codes

    def _affordable(self, ask: Ask, eligible: Eligible, pick: Callable[[int], Pick]) -> Flags:
        """Tell who among the eligible keeps the margin; near the budget the exact sum decides."""
        costs, budget, requests = eligible.costs, ask.budget_usd, ask.workload.requests_per_period
        if budget is None:
            return np.ones(len(costs), np.bool_)
        # Compared per request; without requests every cost is 0 and only the budget's sign decides.
        limit = float(budget * PICO / requests) if requests else (np.inf if budget >= 0 else -np.inf)
        fits = costs <= limit
        for i in np.flatnonzero(np.abs(costs - limit) <= CLOSE * abs(limit)).tolist():
            fits[i] = affordable_at(ask, pick(int(eligible.indices[i])).cost_usd)
        return fits

    def _pick(self, i: int, run: Run) -> Pick:
        ask, field = run.ask, run.field
        stretch, shape = field.stretch, field.shape
        offer, card, tier = self.catalogue.offers[i], stretch.cards[i], shape.served.tiers[i]
        if card is None or tier is None:
            raise AssertionError("only priced offers that serve the tier are picked")
        usages = run.usages[field.ways.of(i)]
        kinds = price_kinds(ask.workload, usages, card.rates, ask.at, shape.served.contexts[i])
        at_list, factor = list_usd(kinds), stretch.fee_factors[i]
        if ask.workload.habits.failed_share:
            factor *= ask.workload.habits.retry_factor
        quality = checks.quality_of(offer, self.catalogue, ask.needs)
        label = stretch.labels.get(offer.model) if offer.model else None
        return Pick(
            offer=offer,
            card=card,
            kinds=kinds,
            cost_usd=at_list if factor == 1 else at_list * factor,
            service_tier=tier,
            quality=None if quality is None else quality.score,
            tier=None if label is None else label.tier,
        )

    # --- what is kept between questions -------------------------------------------------------------------

    def _stretch(self, at: datetime) -> Stretch:
        place = bisect_right(self._priced.edges, at)
        # Labels follow dated cut-offs too, so the stretch is bounded by the day as well.
        return self._priced.stretches.get_or((place, at.date()), lambda: self._make_stretch(at))

    def _make_stretch(self, at: datetime) -> Stretch:
        offers = self.catalogue.offers
        # Whoever shares channel, provider and model shares the factor; there are far fewer of those than offers.
        keys = [(offer.facts.channel, offer.facts.provider, offer.model) for offer in offers]
        by_key = {key: self.catalogue.factor(offer, at) for key, offer in dict(zip(keys, offers, strict=True)).items()}
        factors = tuple(by_key[key] for key in keys)
        cards = tuple(self.catalogue.card(offer.id, at) for offer in offers)
        denominator = lcm(*(factor.denominator for factor in by_key.values()))
        # A factor too large for the exact ranking is only told from the others, so it need not fit its column.
        if denominator > NUMERATOR_BELOW:
            denominator = 1
        whole = {factor: numerator(factor, denominator) for factor in by_key.values()}
        return Stretch(
            cards=cards,
            labels=self.catalogue.model_tiers(at),
            fees=np.array([float(factor) for factor in factors], np.float64),
            fee_numerators=np.array([whole[factor] for factor in factors], np.int64),
            fee_denominator=denominator,
            fee_factors=factors,
            standing=tuple(_standing(offer, card, at) for offer, card in zip(offers, cards, strict=True)),
        )

    def _run(self, ask: Ask) -> Run:
        ways = self._ways_of(ask)
        usages = tuple(usages_on(ask.workload, traits) for traits in ways.traits)
        units = tuple(units_of(each) for each in usages)
        prices, terms = bisect_right(self._priced.edges, ask.at), bisect_right(self._judged.edges, ask.decided_at)
        shape_key = (prices, ask.at.date(), terms, ask.policy, ask.needs)
        key = (shape_key, ask.workload.habits, units)
        return Run(ask, self._judged.fields.get_or(key, lambda: self._make_field(ask, shape_key, ways, units)), usages)

    def _ways_of(self, ask: Ask) -> Ways:
        habits = ask.workload.habits
        if not habits.cached and habits.reasoning_multiplier == 1:
            return ALL_AS_COUNTED
        key = bisect_right(self._priced.edges, ask.at), habits
        return self._priced.ways.get_or(key, lambda: self._make_ways(ask))

    def _make_ways(self, ask: Ask) -> Ways:
        found: dict[Traits, int] = {}
        groups = [
            found.setdefault(
                AS_COUNTED if card is None else traits_of(offer, card.rates, ask.workload.habits), len(found)
            )
            for offer, card in zip(self.catalogue.offers, self._stretch(ask.at).cards, strict=True)
        ]
        return Ways(tuple(found) or (AS_COUNTED,), np.array(groups, np.intp))

    def _make_field(self, ask: Ask, shape_key: Hashable, ways: Ways, units: tuple[tuple[Unit, ...], ...]) -> Field:
        stretch = self._stretch(ask.at)
        shape = self._judged.shapes.get_or(shape_key, lambda: self._make_shape(ask, stretch))
        asked = self._of_models(ask.needs)
        unpriced = shape.served.pricing.missing(units[0])
        if ways.groups is not None:
            for number, own in enumerate(units):
                unpriced = np.where(ways.groups == number, shape.served.pricing.missing(own), unpriced)
        refused = {"unpriced": int(np.count_nonzero(asked & unpriced))}
        codes = shape.first.copy()
        if ask.needs.context_tokens is not None:
            codes[(codes == 0) & np.isinf(self._priced.context)] = self._judged.number("needs:context:unknown")
        self._count(codes[asked & ~unpriced], refused)
        left = np.flatnonzero(asked & ~unpriced & (codes == 0))
        return Field(
            stretch=stretch,
            shape=shape,
            ways=ways,
            left=left,
            groups=None if ways.groups is None else ways.groups[left],
            context=self._priced.context[left],
            output=self._priced.output[left],
            last=shape.last[left],
            fees=stretch.fees[left],
            charges=shape.served.pricing.of(tuple(dict.fromkeys(unit for own in units for unit in own)), left),
            refused=refused,
        )

    def _make_shape(self, ask: Ask, stretch: Stretch) -> Shape:
        offers = self.catalogue.offers
        terms = bisect_right(self._judged.edges, ask.decided_at)
        policy = self._judged.codes.get_or((terms, ask.policy), lambda: self._policy_codes(ask))
        place = bisect_right(self._priced.edges, ask.at), ask.needs.service_tiers
        served = self._priced.served.get_or(place, lambda: _make_served(offers, stretch, ask.needs.service_tiers))
        first, last = np.zeros(len(offers), np.int32), np.zeros(len(offers), np.int32)
        limits_free = replace(ask.needs, context_tokens=None)
        for i, offer in enumerate(offers):
            early = stretch.standing[i] or policy[i]
            if early:  # most offers end here; why else they would be refused is never asked
                first[i] = self._judged.number(early)
                continue
            quality = checks.quality_of(offer, self.catalogue, ask.needs)
            code = next(checks.needs_codes(offer, limits_free, _LIMITS_FREE, quality, served.tiers[i]), None)
            code = code or next(checks.tier_codes(ask.needs, stretch.labels.get(offer.model or "")), None)
            (first if code in _BEFORE_LIMITS else last)[i] = self._judged.number(code)
        return Shape(first, last, served)

    def _policy_codes(self, ask: Ask) -> tuple[str | None, ...]:
        found = (checks.policy_codes(offer, self.catalogue, ask) for offer in self.catalogue.offers)
        return tuple(codes[0] if codes else None for codes in found)

    def _of_models(self, needs: Needs) -> Flags:
        if needs.models is None:
            return np.ones(len(self.catalogue.offers), np.bool_)
        for model in needs.models:
            if model not in self.catalogue.model_ids:
                raise UnknownModel(model)
        wanted = set(needs.models)
        return np.array([offer.model in wanted for offer in self.catalogue.offers], np.bool_)

    def _count(self, codes: Codes, into: dict[str, int]) -> None:
        for number, count in enumerate(np.bincount(codes).tolist()):
            if number and count:
                name = self._judged.names[number]
                into[name] = into.get(name, 0) + count


_BEFORE_LIMITS = frozenset(
    {
        "needs:kind", "needs:output_modalities", "needs:output_modalities:unknown", "needs:input_modalities",
        "needs:input_modalities:unknown", "needs:service_tier", "needs:region", "needs:region:unknown",
    }
)  # fmt: skip


def _cost_then_id(pick: Pick) -> tuple[object, ...]:
    return (pick.cost_usd, pick.offer.id.encode())


def _make_served(offers: Sequence[Offer], stretch: Stretch, wanted: tuple[str, ...]) -> Served:
    tiers = tuple(
        None if card is None else checks.served_tier(offer, card.rates, wanted)
        for offer, card in zip(offers, stretch.cards, strict=True)
    )
    contexts = tuple(checks.context_of(offer, tier) for offer, tier in zip(offers, tiers, strict=True))
    return Served(tiers, contexts, compile_pricing(stretch.cards, contexts))


def _standing(offer: Offer, card: PriceCard | None, at: datetime) -> str | None:
    if card is not None and checks.half_priced(offer.facts.kind, card.rates):
        return "half_priced"
    return next(checks.standing_codes(offer, at), None)


_living: WeakSet[Snapshot] = WeakSet()
_turn = Lock()


def compile_catalogue(catalogue: Catalogue) -> Snapshot:
    """Compile a catalogue; what a snapshot somebody still holds has laid out is not laid out again."""
    with _turn:
        earlier = [snapshot.laid for snapshot in _living]
    made = Snapshot(catalogue, earlier)
    with _turn:
        _living.add(made)
    return made
