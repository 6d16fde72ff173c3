"""What one source said at one time: priced offers, terms and quality, with everything refused on the way counted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from planner.core.offer import Kind, OfferFacts
from planner.core.price import RateTable
from planner.core.terms import Terms


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of time with one rate table. ``None`` bounds: since before we looked; until further notice."""

    valid_from: datetime | None
    valid_to: datetime | None
    rates: RateTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a source says of one offer.

    ``segments`` are in time order and do not overlap; none means *unpriced*, and ``unpriced`` says why
    (``missing_price``, ``negative_price``, ``unreadable_price``, ``no_base_rate``, …).
    ``unmapped`` names price keys the adapter read and could not map: reported, never dropped in silence.
    """

    offer_id: str
    facts: OfferFacts
    segments: tuple[Segment, ...] = ()
    unpriced: str | None = None
    unmapped: tuple[str, ...] = ()
    source_url: str | None = None

    def rates_at(self, at: datetime) -> RateTable | None:
        """Return the claimed rates at a moment, or None where nothing is claimed."""
        for segment in reversed(self.segments):
            started = segment.valid_from is None or segment.valid_from <= at
            if started and (segment.valid_to is None or at < segment.valid_to):
                return segment.rates
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """A canonical model as a source or the curated registry describes it.

    ``settled`` tells whether a person looked at its name; one that only a feed named may be any weights.
    """

    id: str
    name: str
    author: str
    open_weights: bool | None = None
    released: date | None = None
    kind: Kind = Kind.CHAT
    settled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One quality score of one canonical model. ``as_of`` is the date of the list it comes from."""

    model: str
    index: str
    score: Decimal
    as_of: date
    source: str
    source_url: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One row a source sent and planner did not take. ``row`` is its name, made printable."""

    row: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Everything one refresh of one source said.

    ``rows_read`` = claims + refused rows + rows merged into a claim (``merged``) + rows that only gave a score
    (``scored``). ``digests`` maps each
    payload's url to the SHA-256 of its bytes. ``whole`` means that what is not among the claims is not offered any
    more; a person who enters one price says nothing about the others.
    """

    source: str
    source_url: str
    observed_at: datetime
    rows_read: int
    claims: tuple[Claim, ...]
    refused: tuple[Refused, ...] = ()
    terms: tuple[Terms, ...] = ()
    models: tuple[ModelFacts, ...] = ()
    scores: tuple[Score, ...] = ()
    notes: Mapping[str, int] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    merged: int = 0
    scored: int = 0
    whole: bool = True
