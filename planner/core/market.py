"""What everybody else charges: the offers of one model side by side, so that a price can be seen to stand apart."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import NamedTuple

from planner.core.doubt import Golden, Surroundings
from planner.core.money import PICO
from planner.core.offer import OfferFacts, Route
from planner.core.price import RateTable
from planner.core.units import Unit

COMPARED = (Unit.INPUT, Unit.OUTPUT)


class Listed(NamedTuple):
    """One believed price: whose model it is (None while pending), who serves it how, and the rates."""

    model: str | None
    facts: OfferFacts
    rates: RateTable

    @property
    def plain(self) -> bool:
        """Whether the offer is an ordinary one: a tier, a variant or a moving name has a price of its own kind."""
        facts = self.facts
        return facts.service_tier == "standard" and facts.variant is None and facts.route is Route.ENDPOINT


class Market:
    """The believed prices of the catalogue, grouped by model."""

    def __init__(self, listed: Mapping[str, Listed], golden: Iterable[Golden] = ()) -> None:
        """Group the plain offers of each settled model."""
        self._listed = listed
        self._by_model: dict[str, list[str]] = {}
        for offer, entry in listed.items():
            if entry.model is not None and entry.plain:
                self._by_model.setdefault(entry.model, []).append(offer)
        self._prices: dict[tuple[str, Unit], list[tuple[Fraction, str]]] = {}
        self._golden: dict[str, list[Golden]] = {}
        for fact in golden:
            self._golden.setdefault(fact.offer, []).append(fact)

    def around(self, offer: str, own: Listed, claims: Mapping[str, RateTable]) -> Surroundings:
        """Return what one offer's price is held against.

        Args:
            offer: its id.
            own: its model and its facts.
            claims: the current rates of other sources for the same offer, by source.
        """
        golden = self._golden.get(offer, ())
        if own.model is None or not own.plain:
            return Surroundings(elsewhere=claims, confirming=tuple(claims.values()), golden=golden)
        others = [other for other in self._by_model.get(own.model, ()) if other != offer]
        same = {other: self._listed[other].rates for other in others if self._twin(other, own)}
        return Surroundings(
            elsewhere={**claims, **same},
            peers={unit: self._peers(own.model, own.facts.provider, unit) for unit in COMPARED},
            confirming=tuple(claims.values()),
            golden=golden,
        )

    def _twin(self, other: str, own: Listed) -> bool:
        """Tell whether another offer is the same provider's same model, reached in another way."""
        facts = self._listed[other].facts
        return facts.provider == own.facts.provider and facts.channel != own.facts.channel

    def _peers(self, model: str, provider: str, unit: Unit) -> list[Fraction]:
        """Return what other providers charge for a unit of a model, in USD per single unit, cheapest first."""
        listed = self._prices.get((model, unit))
        if listed is None:
            entries = (self._listed[offer] for offer in self._by_model.get(model, ()))
            priced = ((entry.rates[unit].base, entry.facts.provider) for entry in entries if unit in entry.rates)
            listed = sorted((Fraction(rate.pico, rate.pico_per * PICO), who) for rate, who in priced if rate.pico)
            self._prices[model, unit] = listed
        return [usd for usd, who in listed if who != provider]
