"""A recorded price was wrong: the stretch it was wrong about is closed on the record and written anew."""

from datetime import datetime
from typing import Any

from planner.core.claim import Claim, Reading, Segment
from planner.core.claim_form import read_facts
from planner.core.doubt import Bounds, outside
from planner.core.errors import InvalidInput, NotFound
from planner.core.rate_form import check_entered, write_rates
from planner.core.reconcile import Span, correct
from planner.store import audit, json_text, recall
from planner.store.decide import CORRECTION
from planner.store.engine import Connection
from planner.store.load import free_offers
from planner.store.publish import publish
from planner.store.record import Published


def correct_price(
    connection: Connection,
    offer: str,
    stretch: Segment,
    *,
    source_url: str,
    at: datetime,
    actor: str,
    reason: str,
    bounds: Bounds,
) -> Published:
    """Write over a stretch of the past what a person found to be true.

    What was believed until now stays on record with the day it was believed until: "what was true" and "what we
    believed" go on having separate answers. No feed undoes a correction; another correction does.

    Raises:
        NotFound: no offer has exactly this id.
        InvalidInput: the stretch has no end in the past, or does not begin before it ends; or all its rates are 0, one
            is beyond what anybody was ever seen to charge, or a tier is priced under further conditions only.
    """
    begins, ends = stretch.valid_from, stretch.valid_to
    if begins is None or ends is None or not begins < ends <= at:
        raise InvalidInput("valid_to", "a correction is about a stretch of the past: valid_from < valid_to <= now")
    check_entered(stretch.rates, free=offer in free_offers(connection))
    beyond = next(iter(outside(stretch.rates)), None)
    if beyond is not None:
        raise InvalidInput("rates", f"{beyond.facts['unit']}: nobody was ever seen to charge that ({beyond.code})")
    facts = recall.facts_of(connection, [offer]).get(offer)
    if facts is None:
        raise NotFound("offer", offer)
    said = recall.claims_of(connection, [offer]).get(offer, {}).get(CORRECTION)
    segments = _over(() if said is None else said.claim.segments, stretch)
    claim = Claim(offer_id=offer, facts=read_facts(json_text.load(facts)), segments=segments, source_url=source_url)
    reading = Reading(
        source=CORRECTION, source_url=source_url, observed_at=at, rows_read=1, claims=(claim,), whole=False
    )
    before = recall.spans_of(connection, [offer]).get(offer, {})
    done = publish(connection, [reading], at=at, actor=actor, reason=f"correction: {reason}", bounds=bounds)
    audit.record(
        connection, at=at, actor=actor, action="price.correct", subject=offer, reason=reason,
        before=[_written(span) for span in before if span.valid_from < ends and begins < (span.valid_to or ends)],
        after={**_written(Span(begins, ends, stretch.rates)), "source_url": source_url, "revision": done.revision},
    )  # fmt: skip
    return done


def _written(span: Span) -> dict[str, Any]:
    return {
        "valid_from": span.valid_from.isoformat(),
        "valid_to": None if span.valid_to is None else span.valid_to.isoformat(),
        "rates": write_rates(span.rates),
    }


def _over(segments: tuple[Segment, ...], stretch: Segment) -> tuple[Segment, ...]:
    """Lay one more correction over earlier ones."""
    spans = [Span(segment.valid_from, segment.valid_to, segment.rates) for segment in segments if segment.valid_from]
    laid = set(spans)
    redating = correct(spans, [stretch])
    kept = (laid - set(redating.close)) | set(redating.write)
    ordered = sorted(kept, key=lambda span: span.valid_from)
    return tuple(Segment(span.valid_from, span.valid_to, span.rates) for span in ordered)
