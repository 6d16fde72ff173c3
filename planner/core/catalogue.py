"""The catalogue at one revision, as values: everything an answer may rest on, read once and never changed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from functools import cached_property

from planner.core.agreement import Contract, Fee, discount, gross_up
from planner.core.claim import ModelFacts, Score
from planner.core.fx import FxRate
from planner.core.kept import Kept
from planner.core.offer import Offer
from planner.core.parties import PartyTerms, parties
from planner.core.plan import Plan
from planner.core.policy import Policy, decide, together
from planner.core.price import PriceCard
from planner.core.terms import Confidence, Terms
from planner.core.tier import ModelTier, PricedOffer, TierBands, dearest_output, representative

DEFAULT_QUALITY_INDEX = "artificial_analysis_intelligence"
KEPT_PARTIES = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """Who runs models, or brokers them. ``creator_of`` are the authors whose models this provider's own API serves.

    ``upstream`` names whose machines it runs on, where several providers are one operator's; None: its own.
    """

    id: str
    name: str
    kind: str = "provider"
    headquarters: str | None = None
    creator_of: frozenset[str] = frozenset()
    upstream: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A way to providers: ``direct``, or a broker. ``overhead_ms`` is what it adds to a request; None is not known."""

    id: str
    name: str
    overhead_ms: int | None = None
    overhead_source_url: str | None = None
    overhead_observed_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """Everything known at one revision.

    ``offers`` are sorted by id bytes; ``gone`` are those nobody lists any more, whose past is still asked about.
    ``cards`` maps an offer id to its cards believed now, in time order, without overlaps. ``scores`` maps
    (model, index) to scores in date order. ``stale_from`` maps a source to the moment from which what it said counts
    as stale: its last success plus its allowed age; ``believed_until`` is when its prices end, if it goes on being
    silent.
    """

    revision: int
    policy_revision: int
    offers: tuple[Offer, ...]
    cards: Mapping[str, tuple[PriceCard, ...]]
    gone: Mapping[str, Offer] = field(default_factory=dict)
    terms: Mapping[tuple[str, str], tuple[Terms, ...]] = field(default_factory=dict)
    models: Mapping[str, ModelFacts] = field(default_factory=dict)
    providers: Mapping[str, Provider] = field(default_factory=dict)
    channels: Mapping[str, Channel] = field(default_factory=dict)
    scores: Mapping[tuple[str, str], tuple[Score, ...]] = field(default_factory=dict)
    fees: tuple[Fee, ...] = ()
    contracts: tuple[Contract, ...] = ()
    fx: tuple[FxRate, ...] = ()
    tier_bands: TierBands = field(default_factory=lambda: TierBands(()))
    policies: Mapping[str, Policy] = field(default_factory=dict)
    plans: Mapping[str, Plan] = field(default_factory=dict)
    stale_from: Mapping[str, datetime] = field(default_factory=dict)
    believed_until: Mapping[str, datetime] = field(default_factory=dict)

    @cached_property
    def offers_by_id(self) -> Mapping[str, Offer]:
        """Offers by their exact id."""
        return {offer.id: offer for offer in self.offers}

    @cached_property
    def model_ids(self) -> frozenset[str]:
        """Every canonical model that is registered or served."""
        return frozenset(self.models) | {offer.model for offer in self.offers if offer.model is not None}

    def card(self, offer: str, at: datetime) -> PriceCard | None:
        """Return the price card of an offer in force at a moment."""
        return next((card for card in reversed(self.cards.get(offer, ())) if card.in_force(at)), None)

    @cached_property
    def _judged(self) -> Kept:
        return Kept(KEPT_PARTIES)

    def terms_of(self, offer: Offer, at: datetime, minimum: Confidence | None = None) -> tuple[PartyTerms, ...]:
        """Return what is known at a moment of everybody who sees an offer's prompts: its provider and its broker.

        ``minimum`` is the weakest evidence that may grant.
        """
        facts, own = offer.facts, self.terms.get(("offer", offer.id), ())

        def judge() -> tuple[PartyTerms, ...]:
            upstream = (*own, *self.terms.get(("provider", facts.provider), ()))
            broker = self.terms.get(("channel", facts.channel), ())
            return parties(upstream, broker, at, channel=facts.channel, minimum=minimum)

        # Most offers have no rows of their own, and share the answer with all others on the same way.
        return judge() if own else self._judged.get_or((facts.provider, facts.channel, at, minimum), judge)

    def refusals_by(self, policy: Policy, offer: Offer, at: datetime) -> tuple[str, ...]:
        """Return the codes of every rule of a policy that refuses an offer, on the terms known at a moment."""
        return decide(
            policy,
            offer,
            lambda minimum: self.terms_of(offer, at, minimum),
            registered=offer.facts.provider in self.providers,
            settled=self.settled(offer),
        )

    def settled(self, offer: Offer) -> bool:
        """Tell whether a person looked at what an offer's model is called."""
        return offer.model is not None and offer.model in self.models and self.models[offer.model].settled

    def policy_of(self, names: Iterable[str]) -> Policy:
        """Return the policy that is all of these together; several have the number of the state they are read at.

        Raises:
            UnknownPolicy: no policy has one of these names.
        """
        return together(self.policies, names, self.policy_revision)

    def factor(self, offer: Offer, at: datetime) -> Fraction:
        """Return list price -> effective price of an offer: after its discount, with its channel's fees."""
        facts = offer.facts
        taken_off, _contract = discount(self.contracts, facts.channel, facts.provider, offer.model, at)
        return gross_up(self.fees, facts.channel, at, 1 - taken_off)

    def score(self, model: str | None, index: str) -> Score | None:
        """Return the newest score of a model on one index. It carries its own date."""
        scores = self.scores.get((model, index), ()) if model is not None else ()
        return scores[-1] if scores else None

    @cached_property
    def indexes(self) -> tuple[str, ...]:
        """Every quality index that some model has a score on, by name."""
        return tuple(sorted({index for _model, index in self.scores}))

    def upstream_of(self, offer: Offer) -> str:
        """Return on whose machines an offer runs: what stands on the same ones is down together."""
        provider = self.providers.get(offer.facts.provider)
        return offer.facts.provider if provider is None or provider.upstream is None else provider.upstream

    def by_creator(self, offer: Offer) -> bool:
        """Tell whether the offer is the model creator's own direct one."""
        provider = self.providers.get(offer.facts.provider)
        if provider is None or offer.model is None or offer.facts.channel != "direct":
            return False
        return offer.model.partition("/")[0] in provider.creator_of

    def model_tiers(self, at: datetime) -> Mapping[str, ModelTier]:
        """Label every model with a paid offer at a moment: price tier, quality tier and what they rest on."""
        priced: dict[str, list[PricedOffer]] = {}
        for offer in self.offers:
            card = self.card(offer.id, at)
            if offer.model is None or card is None or offer.facts.service_tier != "standard":
                continue
            output = dearest_output(card.rates)
            if output is not None:
                regional = offer.facts.region not in (None, "global")
                made = PricedOffer(offer.id, self.by_creator(offer), offer.free, regional, output)
                priced.setdefault(offer.model, []).append(made)
        bands = self.tier_bands.in_force(at.date())
        found = ((model, representative(offers)) for model, offers in priced.items())
        return {model: self._label(model, chosen, bands) for model, chosen in found if chosen is not None}

    def _label(self, model: str, chosen: PricedOffer, bands: TierBands) -> ModelTier:
        score = next((s for index in bands.indexes if (s := self.score(model, index)) is not None), None)
        return ModelTier(
            model=model,
            tier=bands.price_tier(chosen.output_usd_per_mtok),
            offer=chosen.offer,
            output_usd_per_mtok=chosen.output_usd_per_mtok,
            quality_tier=None if score is None else bands.quality_tier(score.index, score.score),
            quality=score,
        )

    def stale(self, at: datetime, *sources: str) -> bool:
        """Tell whether what one of the sources said is older than it may be; without any, whether all of it is."""
        if sources:
            return any(at >= self.stale_from[source] for source in sources if source in self.stale_from)
        return bool(self.stale_from) and at >= max(self.stale_from.values())
