"""An offer nobody lists: a model you run yourself, or a price only you get, entered by a person."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import NamedTuple

from planner.core.claim import Claim, Reading, Segment
from planner.core.claim_form import write_claim
from planner.core.doubt import Bounds
from planner.core.errors import InvalidInput
from planner.core.fx import to_usd
from planner.core.offer import OfferFacts, offer_id, valid_feed_id
from planner.core.price import Band, Rate, RateTable, UnitPrice
from planner.core.rate_form import check_entered
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

    ``outcome`` is published, held (a person has to look at the price), unpriced (it has no price any more), or
    unchanged.
    """

    offer: str
    outcome: str
    hold: int | None


def set_offer(
    connection: Connection, own: OwnOffer, *, at: datetime, actor: str, reason: str, bounds: Bounds
) -> Entered:
    """Write one offer. Its terms are unknown until an admin enters them, so policies refuse it.

    Raises:
        InvalidInput: a name that no feed could use either, a model nobody registered, a service tier that is priced
            under further conditions only, a price of nothing for what is not curated as free, or an end in the past.
        NotFound: the rates are in a currency of which no exchange rate is known for that day.
        Conflict: the spelling is settled as another model.
    """
    facts = own.facts
    for field in ("provider", "channel", "model_spelling", "region"):
        word = getattr(facts, field)
        if word is not None and not valid_feed_id(word):
            raise InvalidInput(field, "letters, digits and ~ @ . _ : / + - are needed, at most 128")
    id_ = offer_id(facts.channel, facts.provider, facts.model_spelling, facts.region)
    free = id_ in free_offers(connection)
    if own.rates is not None:
        check_entered(own.rates, free=free)
    if own.model is not None:
        namespace = facts.provider if facts.channel == "direct" else facts.channel
        aliases.settle(connection, [(namespace, facts.model_spelling, own.model)], at=at, actor=actor, reason=reason)
    rates = None if own.rates is None else _in_usd(connection, own.rates, own.currency, (own.valid_from or at).date())
    if rates is None and own.valid_from is not None and own.valid_from < at:
        raise InvalidInput("valid_from", "a price ends now or later; prices correct is about the past")
    said = recall.claims_of(connection, [id_]).get(id_, {}).get(ENTERED)
    segments = _among_others(connection, id_, own.valid_from, rates, at)
    claim = Claim(
        offer_id=id_, facts=facts, segments=segments, unpriced=None if segments else "withdrawn",
        source_url=own.source_url,
    )  # fmt: skip
    reading = Reading(
        source=ENTERED, source_url=own.source_url, observed_at=at, rows_read=1, claims=(claim,), whole=False
    )
    done = publish(connection, [reading], at=at, actor=actor, reason=f"own offer: {reason}", bounds=bounds)
    waiting = holds.waiting_on(connection, id_, ENTERED)
    outcome = _outcome(claim, done, free=free, held=waiting is not None)
    audit.record(
        connection, at=at, actor=actor, action="offer.set", subject=id_, reason=reason,
        before=None if said is None else {"claim": write_claim(said.claim)},
        after={"revision": done.revision, "model": own.model, "outcome": outcome, "currency": own.currency,
               "claim": write_claim(claim)},
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
    connection: Connection, offer: str, begins: datetime | None, rates: RateTable | None, at: datetime
) -> tuple[Segment, ...]:
    """Return what is entered by now: what was until a moment, and from then on the new rates, or no price any more.

    A price for now or a nearer day goes on until that moment, also where it still waits; a price for a later day goes
    on from its day, unless everything ends.
    """
    start = begins or at
    parts = [part for part in _entered(connection, offer, at) if part.valid_to is None or part.valid_to > at]
    sooner = [
        replace(part, valid_to=min(start, part.valid_to or start))
        for part in parts
        if start > at and (part.valid_from is None or part.valid_from < start)
    ]
    if rates is None:
        return tuple(sooner)
    later = [part for part in parts if part.valid_from is not None and part.valid_from > start]
    return (*sooner, Segment(begins, later[0].valid_from if later else None, rates), *later)


def _entered(connection: Connection, offer: str, at: datetime) -> Sequence[Segment]:
    """Return the stretches of the own price that stand; of a rejected one, those that are on record without it."""
    said = recall.claims_of(connection, [offer]).get(offer, {}).get(ENTERED)
    if said is None:
        return ()
    segments = said.claim.segments
    verdict = holds.verdicts(connection, [offer]).get((offer, ENTERED, holds.digest_of(segments)))
    if verdict is None or verdict.state != holds.REJECTED:
        return segments
    record = {(span.valid_from, span.rates) for span in recall.spans_of(connection, [offer]).get(offer, {})}
    in_force = {rates for begun, rates in record if begun <= at}
    return [
        part
        for part in segments
        if (part.valid_from, part.rates) in record or (part.valid_from is None and part.rates in in_force)
    ]


def _outcome(claim: Claim, done: Published, *, free: bool, held: bool) -> str:
    if held:
        return "held"
    if unpriced_reason(claim, free=free) is not None:
        return "unpriced"
    return "unchanged" if done.revision is None else "published"
