"""One offer's prices as one task pays them: the same card, hour, discount and fee under another workload."""

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from planner.core import checks
from planner.core.ask import Ask, Pick
from planner.core.cost import cost
from planner.core.expected import (
    AS_COUNTED,
    Priced,
    Traits,
    expected_usage,
    list_usd,
    price_kinds,
    traits_of,
    usages_on,
)
from planner.core.money import PICO
from planner.core.offer import Offer
from planner.core.price import Context, PriceCard
from planner.core.units import FALLBACK, Unit
from planner.core.usage import Usage
from planner.core.workload import Habits, Workload


@dataclass(frozen=True, slots=True)
class Tariff:
    """What a request costs on an offer at a moment. ``factor`` turns list price into what is paid, retries aside."""

    offer: Offer
    card: PriceCard
    context: Context
    at: datetime
    factor: Fraction

    @classmethod
    def of(cls, pick: Pick, ask: Ask) -> "Tariff":
        """Take the prices of an offer as they were found for a question."""
        offer, listed = pick.offer, pick.list_usd * ask.workload.habits.retry_factor
        # Where nothing is charged there is nothing to discount.
        factor = pick.cost_usd / listed if listed else Fraction(1)
        return cls(offer, pick.card, checks.context_of(offer, pick.service_tier), ask.at, factor)

    def traits(self, habits: Habits) -> Traits:
        """Return how the offer runs requests with these habits."""
        return traits_of(self.offer, self.card.rates, habits)

    def kinds(self, workload: Workload) -> tuple[Priced, ...]:
        """Return every kind of request as it runs on the offer, one attempt each, at list price."""
        usages = usages_on(workload, self.traits(workload.habits))
        return price_kinds(workload, usages, self.card.rates, self.at, self.context)

    def scale(self, habits: Habits) -> Fraction:
        """Return what is paid over list price: failed attempts, discount and fee."""
        return self.factor * habits.retry_factor

    def cost_usd(self, workload: Workload) -> Fraction:
        """Return the exact expected cost of a request."""
        return list_usd(self.kinds(workload)) * self.scale(workload.habits)

    def listed_usd(self, usage: Usage, habits: Habits, traits: Traits) -> Fraction:
        """Return what one attempt of one request costs at list price, as the offer runs it."""
        run = usage if traits == AS_COUNTED else expected_usage(usage, habits, traits)
        return cost(run, self.card.rates, self.at, self.context).exact_usd

    def usd(self, unit: Unit, input_tokens: int) -> Fraction:
        """Return what one of a unit costs at list price in a request with a prompt of this length.

        Nothing where the card has no rate for it: of what an offer was priced for, that is a fee it does not charge.
        """
        chosen = self.card.rates.selected(self.context, input_tokens, self.at)
        rate = chosen.get(unit)
        if rate is None and unit in FALLBACK:
            rate = chosen.get(FALLBACK[unit])
        return Fraction() if rate is None else Fraction(rate.pico, rate.pico_per * PICO)

    def lengths(self) -> tuple[int, ...]:
        """Return the prompt lengths from which on another rate may hold, shortest first."""
        bands = (band for price in self.card.rates.values() for band in price.bands)
        return tuple(sorted({band.when.tokens_min for band in bands} - {0}))
