"""The catalogue at one revision compiled to arrays: the same answers as the plain search, thousands of offers at once.

Floats only shortlist. Whatever an answer depends on, order, ties and the margin's edge included, is decided by the
exact sums of `planner.core.cost`. Rules are not written twice: policies, needs and tiers are asked of the plain code
once per revision, stretch of time and question shape, and kept as codes; only what changes with every request, its
tokens, its price and its budget, is computed on arrays. `planner.core.recommend` is the reference.
"""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from planner.core import checks
from planner.core.ask import Answer, Ask, Pick, list_refusals
from planner.core.catalogue import Catalogue
from planner.core.cost import cost
from planner.core.errors import UnknownModel
from planner.core.offer import Offer
from planner.core.plan import Needs, Workload
from planner.core.price import Context, PriceCard
from planner.core.pricing import Pricing, compile_pricing
from planner.core.recommend import affordable_at, answer, no_answer, order
from planner.core.tier import ModelTier
from planner.core.usage import Usage

Floats = NDArray[np.float64]
Codes = NDArray[np.int32]
Indices = NDArray[np.intp]

# Far above the error of a handful of double operations, far below any difference that matters.
CLOSE = 1e-9
KEPT_STRETCHES, KEPT_SHAPES = 6, 256
SHORTLIST = 48
_LIMITS_FREE = Workload(usage=Usage(requests=0))

Made = TypeVar("Made")


class Kept(OrderedDict[Hashable, object]):
    """The most recently used results; making one twice is allowed, so no lock is needed."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size

    def get_or(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """Return what is kept under a key, or make and keep it."""
        found = self.get(key)
        if found is None:
            found = make()
            self[key] = found
            while len(self) > self._size:
                self.popitem(last=False)
        return found  # type: ignore[return-value]  # a key always keeps what its own maker makes


class Stretch(NamedTuple):
    """A stretch of time without a change of cards, fees or retirements: what every question in it shares."""

    cards: tuple[PriceCard | None, ...]
    labels: Mapping[str, ModelTier]
    fees: Floats
    fee_factors: Mapping[str, Fraction]
    standing: tuple[str | None, ...]


class Shape(NamedTuple):
    """One policy and one set of needs over one stretch: the codes that do not depend on tokens or budget.

    ``first`` holds codes decided before limits are looked at, ``last`` those after; 0 passes.
    """

    first: Codes
    last: Codes
    served: tuple[str | None, ...]
    pricing: Pricing


class Eligible(NamedTuple):
    """Offers that pass everything before the margin, with their effective cost as floats, and the refusals."""

    indices: Indices
    costs: Floats
    refused: dict[str, int]


class Snapshot:
    """One revision, compiled. Safe to ask from many threads."""

    def __init__(self, catalogue: Catalogue) -> None:
        """Lay out what no question changes."""
        self.catalogue = catalogue
        offers = catalogue.offers
        self._context = np.array([offer.facts.context_tokens or -1 for offer in offers], np.float64)
        self._output = np.array([offer.facts.max_output_tokens or -1 for offer in offers], np.float64)
        self._names: list[str] = [""]
        self._numbers: dict[str, int] = {}
        self._price_edges = sorted(_price_edges(catalogue))
        self._terms_edges = sorted(_terms_edges(catalogue))
        self._flips = _window_minutes(catalogue)
        self._stretches, self._shapes = Kept(KEPT_STRETCHES), Kept(KEPT_SHAPES)
        self._codes = Kept(KEPT_SHAPES)

    # --- the questions ------------------------------------------------------------------------------------

    def recommend(self, ask: Ask) -> Answer:
        """Answer the question.

        Raises:
            NoAnswer: as `planner.core.recommend.recommend` does, with the same facts.
        """
        stretch, shape = self._stretch(ask.at), self._shape(ask)
        eligible = self._eligible(ask, shape, stretch)

        def pick(i: int) -> Pick:
            return self._pick(ask, i, shape, stretch)

        fits, dear = self._split(ask, eligible, pick)
        counts = list_refusals({**eligible.refused, "margin": len(dear)})
        if not len(fits):
            cheapest = next(self._by_cost(eligible, dear, pick, _cost_then_id), None)
            raise no_answer(ask, cheapest, counts, self.recommend)
        if ask.objective == "cheapest":
            ordered = self._by_cost(eligible, fits, pick, order(ask))
        else:
            ordered = iter(sorted((pick(int(eligible.indices[i])) for i in fits), key=order(ask)))
        return answer(ask, ordered, len(fits), counts)

    def rank(self, ask: Ask) -> list[tuple[Offer, Fraction]]:
        """Return every offer that passes everything but the margin with its exact cost, cheapest first."""
        stretch, shape = self._stretch(ask.at), self._shape(ask)
        found = [self._pick(ask, int(i), shape, stretch) for i in self._eligible(ask, shape, stretch).indices]
        ranked = sorted(found, key=lambda pick: (pick.cost_usd, pick.offer.id.encode()))
        return [(pick.offer, pick.cost_usd) for pick in ranked]

    def labels(self, at: datetime) -> Mapping[str, ModelTier]:
        """Return the tier labels of all models at a moment."""
        return self._stretch(at).labels

    def valid_until(self, ask: Ask) -> datetime | None:
        """Return the next moment at which this answer may change by itself: a card, fee, retirement, hour or evidence.

        None where no such moment is known. A question about another time than the present depends on
        today's terms only.
        """
        edges = [_next(self._terms_edges, ask.decided_at)]
        if ask.at == ask.decided_at:
            edges += [_next(self._price_edges, ask.at), self._next_flip(ask.at)]
        return min((edge for edge in edges if edge is not None), default=None)

    # --- one question, step by step -----------------------------------------------------------------------

    def _eligible(self, ask: Ask, shape: Shape, stretch: Stretch) -> Eligible:
        usage = ask.workload.usage
        models = self._of_models(ask.needs)
        unpriced = shape.pricing.missing(usage)
        passed = ~unpriced & (shape.first == 0)
        if models is not None:
            passed &= models
            early = models & ~unpriced
            refused = {"unpriced": int(np.count_nonzero(models & unpriced))}
        else:
            early = ~unpriced
            refused = {"unpriced": int(np.count_nonzero(unpriced))}
        self._count(shape.first[early], refused)
        left = np.flatnonzero(passed)
        codes = self._limit_codes(ask, left)
        codes = np.where(codes == 0, shape.last[left], codes)
        self._count(codes, refused)
        left = left[codes == 0]
        costs = shape.pricing.costs(usage, ask.at, left) * stretch.fees[left]
        return Eligible(left, costs, refused)

    def _limit_codes(self, ask: Ask, left: Indices) -> Codes:
        usage, wanted = ask.workload.usage, ask.needs.context_tokens
        context, output = self._context[left], self._output[left]
        codes = np.zeros(len(left), np.int32)
        codes[(output >= 0) & (output < usage.output_tokens)] = self._number("needs:max_output")
        codes[(context >= 0) & (context < max(wanted or 0, usage.input_tokens))] = self._number("needs:context")
        if wanted is not None:
            codes[context < 0] = self._number("needs:context:unknown")
        return codes

    def _split(self, ask: Ask, eligible: Eligible, pick: Callable[[int], Pick]) -> tuple[Indices, Indices]:
        """Return positions of (affordable, too dear) among the eligible; near the budget the exact sum decides."""
        everything = np.arange(len(eligible.costs))
        budget, requests = ask.budget_usd, ask.workload.requests_per_period
        if budget is None:
            return everything, everything[:0]
        # Compared per request; without requests every cost is 0 and only the budget's sign decides.
        limit = float(budget / requests) if requests else (np.inf if budget >= 0 else -np.inf)
        fits = eligible.costs <= limit
        for i in np.flatnonzero(np.abs(eligible.costs - limit) <= CLOSE * abs(limit)):
            fits[i] = affordable_at(ask, pick(int(eligible.indices[i])).cost_usd)
        return np.flatnonzero(fits), np.flatnonzero(~fits)

    def _by_cost(
        self,
        eligible: Eligible,
        chosen: Indices,
        pick: Callable[[int], Pick],
        key: Callable[[Pick], tuple[object, ...]],
    ) -> Iterator[Pick]:
        """Yield picks cheapest first, lazily; costs too close to tell apart as floats are ordered exactly."""
        costs = eligible.costs[chosen]
        if len(costs) > SHORTLIST:
            near = np.argpartition(costs, SHORTLIST)[: SHORTLIST + 1]
            # Everything that could belong among the first by its exact sum, ties at the edge included.
            edge = costs[near].max() * (1 + 2 * CLOSE)
            inside = costs <= edge
            yield from self._groups(eligible, chosen[inside], costs[inside], pick, key)
            chosen, costs = chosen[~inside], costs[~inside]
        yield from self._groups(eligible, chosen, costs, pick, key)

    def _groups(
        self,
        eligible: Eligible,
        chosen: Indices,
        costs: Floats,
        pick: Callable[[int], Pick],
        key: Callable[[Pick], tuple[object, ...]],
    ) -> Iterator[Pick]:
        sequence = np.argsort(costs, kind="stable")
        group: list[Pick] = []
        last = -np.inf
        for position in sequence:
            value = float(costs[position])
            if group and value > last + CLOSE * abs(last):
                yield from sorted(group, key=key)
                group = []
            last = value
            group.append(pick(int(eligible.indices[chosen[position]])))
        yield from sorted(group, key=key)

    def _pick(self, ask: Ask, i: int, shape: Shape, stretch: Stretch) -> Pick:
        offer, card, tier = self.catalogue.offers[i], stretch.cards[i], shape.served[i]
        if card is None or tier is None:
            raise AssertionError("only priced offers that serve the tier are picked")
        context = Context(checks.context_tier(offer, tier), offer.facts.region)
        at_list = cost(ask.workload.usage, card.rates, ask.at, context)
        quality = checks.quality_of(offer, self.catalogue, ask.needs)
        label = stretch.labels.get(offer.model) if offer.model else None
        return Pick(
            offer=offer,
            card=card,
            list_cost=at_list,
            cost_usd=at_list.exact_usd * stretch.fee_factors[offer.facts.channel],
            service_tier=tier,
            quality=None if quality is None else quality.score,
            tier=None if label is None else label.tier,
        )

    # --- what is kept between questions -------------------------------------------------------------------

    def _stretch(self, at: datetime) -> Stretch:
        place = bisect_right(self._price_edges, at)
        # Labels follow dated cut-offs too, so the stretch is bounded by the day as well.
        return self._stretches.get_or((place, at.date()), lambda: self._make_stretch(at))

    def _make_stretch(self, at: datetime) -> Stretch:
        offers = self.catalogue.offers
        channels = {offer.facts.channel for offer in offers}
        factors = {channel: self.catalogue.fee_factor(channel, at) for channel in channels}
        cards = tuple(self.catalogue.card(offer.id, at) for offer in offers)
        return Stretch(
            cards=cards,
            labels=self.catalogue.model_tiers(at),
            fees=np.array([float(factors[offer.facts.channel]) for offer in offers], np.float64),
            fee_factors=factors,
            standing=tuple(_standing(offer, card, at) for offer, card in zip(offers, cards, strict=True)),
        )

    def _shape(self, ask: Ask) -> Shape:
        place = bisect_right(self._price_edges, ask.at), ask.at.date()
        terms = bisect_right(self._terms_edges, ask.decided_at)
        key = (place, terms, ask.policy, ask.needs)
        return self._shapes.get_or(key, lambda: self._make_shape(ask, (terms, ask.policy)))

    def _make_shape(self, ask: Ask, policy_key: Hashable) -> Shape:
        stretch, offers = self._stretch(ask.at), self.catalogue.offers
        policy = self._codes.get_or(policy_key, lambda: self._policy_codes(ask))
        served = tuple(
            None if card is None else checks.served_tier(offer, card.rates, ask.needs.service_tiers)
            for offer, card in zip(offers, stretch.cards, strict=True)
        )
        first, last = np.zeros(len(offers), np.int32), np.zeros(len(offers), np.int32)
        limits_free = _without_limits(ask.needs)
        for i, offer in enumerate(offers):
            early = stretch.standing[i] or policy[i]
            quality = checks.quality_of(offer, self.catalogue, ask.needs)
            codes = [*checks.needs_codes(offer, limits_free, _LIMITS_FREE, quality, served[i])]
            before = next((code for code in codes if code in _BEFORE_LIMITS), None)
            after = next((code for code in codes if code not in _BEFORE_LIMITS), None)
            label = stretch.labels.get(offer.model) if offer.model else None
            after = after or next(checks.tier_codes(ask.needs, label), None)
            first[i], last[i] = self._number(early or before), self._number(after)
        tiers = [
            checks.context_tier(offer, tier) if tier else "standard" for offer, tier in zip(offers, served, strict=True)
        ]
        pricing = compile_pricing(offers, stretch.cards, tiers)
        return Shape(first, last, served, pricing)

    def _policy_codes(self, ask: Ask) -> tuple[str | None, ...]:
        found = (checks.policy_codes(offer, self.catalogue, ask) for offer in self.catalogue.offers)
        return tuple(codes[0] if codes else None for codes in found)

    def _of_models(self, needs: Needs) -> NDArray[np.bool_] | None:
        if needs.models is None:
            return None
        for model in needs.models:
            if model not in self.catalogue.model_ids:
                raise UnknownModel(model)
        wanted = set(needs.models)
        return np.array([offer.model in wanted for offer in self.catalogue.offers], np.bool_)

    def _number(self, code: str | None) -> int:
        if code is None:
            return 0
        number = self._numbers.get(code)
        if number is None:
            self._names.append(code)
            number = self._numbers[code] = len(self._names) - 1
        return number

    def _count(self, codes: Codes, into: dict[str, int]) -> None:
        counts = np.bincount(codes)
        for number in np.flatnonzero(counts):
            if number:
                name = self._names[number]
                into[name] = into.get(name, 0) + int(counts[number])

    def _next_flip(self, at: datetime) -> datetime | None:
        if not self._flips:
            return None
        midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
        moments = (midnight + timedelta(minutes=minute) for minute in (*self._flips, 24 * 60))
        return next(moment for moment in moments if moment > at)


_BEFORE_LIMITS = frozenset(
    {
        "needs:kind", "needs:output_modalities", "needs:output_modalities:unknown", "needs:input_modalities",
        "needs:input_modalities:unknown", "needs:service_tier", "needs:region", "needs:region:unknown",
    }
)  # fmt: skip


def _cost_then_id(pick: Pick) -> tuple[object, ...]:
    return (pick.cost_usd, pick.offer.id.encode())


def _without_limits(needs: Needs) -> Needs:
    return replace(needs, context_tokens=None)


def _standing(offer: Offer, card: PriceCard | None, at: datetime) -> str | None:
    if card is not None and checks.half_priced(offer.facts.kind, card.rates):
        return "half_priced"
    return next(checks.standing_codes(offer, at), None)


def _price_edges(catalogue: Catalogue) -> set[datetime]:
    edges = {edge for cards in catalogue.cards.values() for card in cards for edge in (card.valid_from, card.valid_to)}
    edges |= {edge for fee in catalogue.fees for edge in (fee.valid_from, fee.valid_to)}
    edges |= {offer.facts.retires_at for offer in catalogue.offers}
    return {edge for edge in edges if edge is not None}


def _terms_edges(catalogue: Catalogue) -> set[datetime]:
    edges = {row.expires_at for rows in catalogue.terms.values() for row in rows}
    return {edge for edge in (*edges, catalogue.stale_from) if edge is not None}


def _window_minutes(catalogue: Catalogue) -> tuple[int, ...]:
    """Return the minutes of the day at which some band begins or ends."""
    tables = {card.rates for cards in catalogue.cards.values() for card in cards}
    whens = (band.when for table in tables for price in table.values() for band in price.bands)
    minutes = {minute for when in whens for minute in (when.utc_start, when.utc_end) if minute is not None}
    return tuple(sorted(minutes))


def _next(edges: Sequence[datetime], at: datetime) -> datetime | None:
    place = bisect_right(edges, at)
    return edges[place] if place < len(edges) else None


def compile_catalogue(catalogue: Catalogue) -> Snapshot:
    """Compile a catalogue."""
    return Snapshot(catalogue)
