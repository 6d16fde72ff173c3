"""Books of two offers in memory, and rows of the first: what a replay looks at, without a database."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from planner.core.agreement import Contract, Fee
from planner.core.event import Event
from planner.core.price import Band, PriceCard, RateTable, UnitPrice, When
from planner.core.replay import Kind, Offering
from planner.core.scenario import Heads
from planner.core.usage import COUNTS
from tests import make
from tests.make import NOON, rates

DAY = timedelta(days=1)
OLD, NEW = "direct:acme/small", "broker:bolt/large"
# $3 and $15 a million, $0.30 read from the cache, $3.75 and $6 written to it; twice as much above 200,000 in.
BANDED = RateTable({
    unit: UnitPrice(price.base, (Band(When(input_tokens_gt=200_000), make.rate(dear)),))
    for (unit, price), dear in zip(
        rates("3", "15", cache_read="0.30", cache_write_5m="3.75", cache_write_1h="6").items(),
        ("6", "30", "0.60", "7.50", "12"), strict=True,
    )
})  # fmt: skip


@dataclass
class Books:
    """What is on record, in memory."""

    offerings: dict[str, Offering] = field(default_factory=dict)
    found: dict[str, list[PriceCard]] = field(default_factory=dict)
    contracts: Sequence[Contract] = ()
    fees: Sequence[Fee] = ()

    def offering(self, offer: str) -> Offering:
        """Return an offer."""
        return self.offerings[offer]

    def listed(self, offer: str) -> Sequence[PriceCard]:
        """Return every card of an offer."""
        return self.found[offer]

    def cards(self, offer: str, since: datetime, until: datetime | None) -> Sequence[PriceCard]:
        """Return the cards in force."""
        ends = since + timedelta(microseconds=1) if until is None else until
        found = self.found[offer]
        return [card for card in found if card.valid_from < ends and (card.valid_to is None or card.valid_to > since)]

    def agreed(self, channel: str, provider: str, model: str) -> tuple[Sequence[Contract], Sequence[Fee]]:
        """Return contracts and fees."""
        contracts = [one for one in self.contracts if one.covers(channel, provider, model)]
        return contracts, [one for one in self.fees if one.channel == channel]


def books(old: RateTable = BANDED, new: RateTable | None = None, **more: Any) -> Books:
    """Make books of two offers, the second behind a broker."""
    large = Offering(NEW, "bolt", "bolt/large", "broker", **more.pop("facts", {}))
    listed = {OLD: [make.card(OLD, old)], NEW: [make.card(NEW, new or rates("1", "2"))]}
    return Books({OLD: Offering(OLD, "acme", "acme/small", "direct"), NEW: large}, listed, **more)


def row(at: datetime = NOON, /, **facts: Any) -> Event:
    """Make a row of the first offer; its counts are named beside its other facts."""
    counts = {name: facts.pop(name) for name in tuple(facts) if name in COUNTS}
    return Event(**{"source": "s", "id": "1", "at": at, "counts": counts, "offer": OLD, **facts})


def kind(event: Event, offering: Offering | None) -> Kind:
    """Say what a row has in common with others."""
    heads = Heads(event.plan or "", event.task or "", model="acme/small", provider="acme", offer=OLD, channel="direct")
    return Kind(heads, offering, event.service_tier, event.region)
