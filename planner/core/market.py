"""What everybody else charges: the offers of one model side by side, so that a price can be seen to stand apart."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import NamedTuple

from planner.core.doubt import Bounds, Golden, Surroundings
from planner.core.moves import usd
from planner.core.offer import OfferFacts, Route
from planner.core.price import RateTable
from planner.core.units import Unit

COMPARED = (Unit.INPUT, Unit.OUTPUT)


class Listed(NamedTuple):
    """One price: whose model it is (None while pending), who serves it how, the rates, and since when it is known."""

    model: str | None
    facts: OfferFacts
    rates: RateTable
    since: datetime

    @property
    def plain(self) -> bool:
        """Whether the offer is an ordinary one: a tier, a variant or a moving name has a price of its own kind."""
        facts = self.facts
        return facts.service_tier == "standard" and facts.variant is None and facts.route is Route.ENDPOINT


class Market:
    """The prices of the catalogue, grouped by model.

    Only what is believed already vouches for a price. What is claimed for the first time, in the same breath, counts
    where a model has too few believed prices to compare with, and then only of providers somebody has registered:
    else a hostile list could bring its own witnesses.
    """

    def __init__(
        self,
        believed: Mapping[str, Listed],
        claimed: Mapping[str, Listed] | None = None,
        golden: Iterable[Golden] = (),
        *,
        registered: frozenset[str] = frozenset(),
        bounds: Bounds = Bounds(),  # noqa: B008  # frozen
    ) -> None:
        """Group the plain offers of each settled model."""
        self._listed = {**(claimed or {}), **believed}
        self._bounds = bounds
        self._believed = _by_model(believed.items())
        known = ((offer, entry) for offer, entry in (claimed or {}).items() if entry.facts.provider in registered)
        self._claimed = _by_model(known)
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
        everybody = (*self._believed.get(own.model, ()), *self._claimed.get(own.model, ()))
        twins = {other: self._listed[other].rates for other in everybody if other != offer and self._twin(other, own)}
        return Surroundings(
            elsewhere={**claims, **twins},
            peers={unit: self._peers(own.model, own.facts.provider, unit) for unit in COMPARED},
            siblings=self._siblings(offer, own),
            confirming=tuple(claims.values()),
            golden=golden,
        )

    def _twin(self, other: str, own: Listed) -> bool:
        """Tell whether another offer is the same provider's same model, reached in another way."""
        facts = self._listed[other].facts
        return facts.provider == own.facts.provider and facts.channel != own.facts.channel

    def _siblings(self, offer: str, own: Listed) -> Sequence[RateTable]:
        """Return the rates of the same model by the same provider through the same channel, as believed.

        Those known for long are preferred: else one new name after the other could lead the price down.
        """
        where = own.facts.provider, own.facts.channel
        entries = [self._listed[other] for other in self._believed.get(own.model or "", ()) if other != offer]
        found = [entry for entry in entries if (entry.facts.provider, entry.facts.channel) == where]
        long = [entry for entry in found if entry.since <= own.since - self._bounds.fall_over]
        return [entry.rates for entry in long or found]

    def _peers(self, model: str, provider: str, unit: Unit) -> list[Fraction]:
        """Return what other providers charge for a unit of a model, in USD per single unit, cheapest first."""
        listed = self._prices.get((model, unit))
        if listed is None:
            charged = self._charged(self._believed.get(model, ()), unit)
            if len(charged) < self._bounds.peers_min:
                charged = {**self._charged(self._claimed.get(model, ()), unit), **charged}
            listed = sorted((price, who) for who, price in charged.items())
            self._prices[model, unit] = listed
        return [price for price, who in listed if who != provider]

    def _charged(self, offers: Iterable[str], unit: Unit) -> dict[str, Fraction]:
        """Return one price per provider, the median of its offers: many offers of one are still one voice."""
        found: dict[str, list[Fraction]] = {}
        for offer in offers:
            entry = self._listed[offer]
            if unit in entry.rates and entry.rates[unit].base.pico:
                found.setdefault(entry.facts.provider, []).append(usd(entry.rates[unit].base))
        return {who: sorted(prices)[len(prices) // 2] for who, prices in found.items()}


def _by_model(listed: Iterable[tuple[str, Listed]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for offer, entry in listed:
        if entry.model is not None and entry.plain:
            found.setdefault(entry.model, []).append(offer)
    return found
