"""An offer nobody lists: a model you run yourself, or a price only you get, entered by a person."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import NamedTuple

from planner.core.claim import Claim, Reading, Segment
from planner.core.doubt import Bounds
from planner.core.errors import InvalidInput
from planner.core.fx import to_usd
from planner.core.offer import OfferFacts, offer_id, valid_feed_id
from planner.core.price import Band, Rate, RateTable, UnitPrice
from planner.core.rate_form import check_tiers
from planner.core.reconcile import ENTERED, unpriced_reason
from planner.flows import plans
from planner.flows.agreement import fx_known
from planner.store import aliases, audit, holds, recall
from planner.store.engine import Connection
from planner.store.load import free_offers
from planner.store.publish import publish
from planner.store.record import Published


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnOffer:
    """What a person enters: facts, the canonical model, rates, and since when they hold (None: from now on).

    Rates in another currency become dollars at the exchange rate of the day they begin, and stay what they became.
    They hold until the next price that was entered for later. Rates None withdraws the price and every later one: the
    offer stays known, and unpriced.
    """

    facts: OfferFacts
    model: str | None
    rates: RateTable | None
    valid_from: datetime | None
    source_url: str
    currency: str = "USD"


class Entered(NamedTuple):
    """What became of an own offer: its id, its outcome, and the hold its price waits in, if it does.

    ``outcome`` is published, held (a person has to look at the price), unpriced (no rates, or all of them 0 without a
    curated flag that it is free), or unchanged.
    """

    offer: str
    outcome: str
    hold: int | None


def set_offer(
    connection: Connection, own: OwnOffer, *, at: datetime, actor: str, reason: str, bounds: Bounds
) -> Entered:
    """Write one offer. Its terms are unknown until an admin enters them, so policies refuse it.

    Raises:
        InvalidInput: a name that no feed could use either, a model nobody registered, or a service tier that is
            priced under further conditions only.
        NotFound: the rates are in a currency of which no exchange rate is known for that day.
        Conflict: the spelling is settled as another model.
    """
    facts = own.facts
    for field in ("provider", "channel", "model_spelling", "region"):
        word = getattr(facts, field)
        if word is not None and not valid_feed_id(word):
            raise InvalidInput(field, "letters, digits and ~ @ . _ : / + - are needed, at most 128")
    if own.rates is not None:
        check_tiers(own.rates)
    id_ = offer_id(facts.channel, facts.provider, facts.model_spelling, facts.region)
    if own.model is not None:
        namespace = facts.provider if facts.channel == "direct" else facts.channel
        aliases.settle(connection, [(namespace, facts.model_spelling, own.model)], at=at, actor=actor, reason=reason)
    rates = None if own.rates is None else _in_usd(connection, own.rates, own.currency, (own.valid_from or at).date())
    segments = () if rates is None else _among_others(connection, id_, own.valid_from, rates, at)
    claim = Claim(
        offer_id=id_, facts=facts, segments=segments, unpriced=None if segments else "withdrawn",
        source_url=own.source_url,
    )  # fmt: skip
    reading = Reading(
        source=ENTERED, source_url=own.source_url, observed_at=at, rows_read=1, claims=(claim,), whole=False
    )
    done = publish(connection, [reading], at=at, actor=actor, reason=f"own offer: {reason}", bounds=bounds)
    waiting = holds.waiting_on(connection, id_, ENTERED)
    outcome = _outcome(claim, done, free=id_ in free_offers(connection), held=waiting is not None)
    audit.record(
        connection, at=at, actor=actor, action="offer.set", subject=id_, reason=reason,
        after={"revision": done.revision, "model": own.model, "outcome": outcome, "currency": own.currency},
    )  # fmt: skip
    plans.review(connection, at)
    return Entered(id_, outcome, waiting)


def _in_usd(connection: Connection, rates: RateTable, currency: str, day: date) -> RateTable:
    if currency == "USD":
        return rates
    known = fx_known(connection, currency, day)

    def dollars(rate: Rate) -> Rate:
        return Rate(to_usd(rate.usd, currency, day, known), rate.per)

    return RateTable(
        {
            unit: UnitPrice(dollars(price.base), tuple(Band(band.when, dollars(band.rate)) for band in price.bands))
            for unit, price in rates.items()
        }
    )


def _among_others(
    connection: Connection, offer: str, begins: datetime | None, rates: RateTable, at: datetime
) -> tuple[Segment, ...]:
    said = recall.claims_of(connection, [offer]).get(offer, {}).get(ENTERED)
    known = () if said is None else said.claim.segments
    start = begins or at
    ahead = [(part.valid_from, part) for part in known if part.valid_from is not None and part.valid_from != start]
    # What was entered for a day between now and then goes on holding until then; what was for later, from its day on.
    sooner = [replace(part, valid_to=min(start, part.valid_to or start)) for day, part in ahead if at < day < start]
    later = [part for day, part in ahead if day > start]
    return (*sooner, Segment(begins, later[0].valid_from if later else None, rates), *later)


def _outcome(claim: Claim, done: Published, *, free: bool, held: bool) -> str:
    if held:
        return "held"
    if unpriced_reason(claim, free=free) is not None:
        return "unpriced"
    return "unchanged" if done.revision is None else "published"
