"""Many claims, one price: which claim is believed, and what that changes on the record."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from planner.core.claim import Claim, Segment
from planner.core.offer import OfferFacts
from planner.core.price import RateTable

# Identity comes from the believed claim alone; these facts may come from whoever states them.
_STATED = (
    "region", "quantization", "variant", "input_modalities", "output_modalities", "context_tokens",
    "max_output_tokens", "cacheable_tokens_min", "requests_per_minute_max", "tokens_per_minute_max", "retires_at",
    "ttft_ms", "throughput_tps", "cache_hit_share",
)  # fmt: skip


ENTERED = "own"
"""The source of what people enter."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Whose word stands: the lower, the more trusted. ``own`` maps a channel to the source that is its own API.

    Nobody outranks what a person entered.
    """

    ranks: Mapping[str, int]
    own: Mapping[str, str] = field(default_factory=dict)

    def key(self, source: str, channel: str) -> tuple[bool, bool, int, str]:
        """Return the sort key of a source for offers of one channel; equal ranks are told apart by name."""
        return (source != ENTERED, self.own.get(channel) != source, self.ranks.get(source, 10_000), source)


@dataclass(frozen=True, slots=True)
class Belief:
    """What planner believes of one offer: merged facts, the segments of one claim, and whose claim it is.

    Without segments the offer is unpriced, and ``unpriced`` says why. Never an average: the price is one
    source's, whole.
    """

    facts: OfferFacts
    source: str
    segments: tuple[Segment, ...]
    unpriced: str | None


def believe(claims: Sequence[tuple[str, Claim]], ranking: Ranking, *, free: bool) -> Belief:
    """Choose among the current claims of one offer, given as (source, claim).

    The most trusted source with a price is believed. A price of zero for input and output is "not stated"
    unless the offer is curated as free. Facts are taken one by one from the most trusted source that
    states them.
    """
    ordered = sorted(claims, key=lambda item: ranking.key(item[0], item[1].facts.channel))
    priced = ((source, claim) for source, claim in ordered if not unpriced_reason(claim, free=free))
    source, claim = next(priced, ordered[0])
    reason = unpriced_reason(claim, free=free)
    facts = _merged([claim, *(other for _source, other in ordered)])
    return Belief(facts, source, () if reason else claim.segments, reason)


def unpriced_reason(claim: Claim, *, free: bool) -> str | None:
    """Return why a claim sets no price, or None where it does."""
    if not claim.segments:
        return claim.unpriced or "missing_price"
    if not free and all(_all_zero(segment.rates) for segment in claim.segments):
        return "zero_price"
    return None


def _all_zero(rates: RateTable) -> bool:
    return all(price.base.usd == 0 and all(band.rate.usd == 0 for band in price.bands) for price in rates.values())


def _merged(claims: Iterable[Claim]) -> OfferFacts:
    first, *others = (claim.facts for claim in claims)
    changes: dict[str, object] = {}
    for name in _STATED:
        if getattr(first, name) is None:
            stated = next((value for facts in others if (value := getattr(facts, name)) is not None), None)
            if stated is not None:
                changes[name] = stated
    measured = next((facts for facts in others if facts.uptime is not None), None)
    if first.uptime is None and measured is not None:
        # An uptime says nothing without the window it was measured over.
        changes |= {"uptime": measured.uptime, "uptime_minutes": measured.uptime_minutes}
    capabilities: dict[str, bool] = {}
    for facts in (*reversed(others), first):
        capabilities.update(facts.capabilities)
    if capabilities != dict(first.capabilities):
        changes["capabilities"] = capabilities
    return replace(first, **changes) if changes else first  # type: ignore[arg-type]  # fields by name


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the record: rates that hold from ``valid_from`` to ``valid_to`` (None: until further notice)."""

    valid_from: datetime
    valid_to: datetime | None
    rates: RateTable


@dataclass(frozen=True, slots=True)
class Redating:
    """What a belief changes on the record of one offer: spans to close and spans to write. Equal spans stay untouched.

    ``past_undated`` counts claimed segments that ended before we looked and do not say when they began.
    """

    close: tuple[Span, ...]
    write: tuple[Span, ...]
    past_undated: int = 0


def redate(
    record: Sequence[Span], segments: Sequence[Segment], at: datetime, corrections: Sequence[Segment] = ()
) -> Redating:
    """Lay the claimed segments over the record of one offer.

    Args:
        record: the spans believed now, in time order, without overlaps.
        segments: the believed claim's; empty ends the offer's price at ``at``.
        at: when the claim was observed. A segment that does not say since when it holds begins here, or
            goes on where the same rates are already in force.
        corrections: what a person entered about stretches of the past; it stands over whatever a source says.

    Returns:
        The changes. What the record says about the time before the first claimed moment stays as it is;
        from then on the claim alone speaks.
    """
    spans: list[Span] = []
    past_undated = 0
    current = next((span for span in record if span.valid_from <= at and _open_at(span, at)), None)
    for segment in segments:
        if segment.valid_from is not None:
            spans.append(Span(segment.valid_from, segment.valid_to, segment.rates))
        elif segment.valid_to is not None and segment.valid_to <= at:
            past_undated += 1
        else:
            goes_on = current is not None and current.rates == segment.rates
            start = current.valid_from if goes_on and current is not None else at
            spans.append(Span(start, segment.valid_to, segment.rates))
    start = min((span.valid_from for span in spans), default=at)
    kept = [span for span in record if span.valid_from < start]
    if kept and _open_at(kept[-1], start):
        kept[-1] = replace(kept[-1], valid_to=start)
    laid = [*kept, *sorted(spans, key=lambda span: span.valid_from)]
    for correction in corrections:
        laid = _corrected(laid, correction)
    wanted = _joined(laid)
    # Between the last claimed moment and nothing: a claim whose segments all ended leaves no price.
    return Redating(
        close=tuple(span for span in record if span not in wanted),
        write=tuple(span for span in wanted if span not in record),
        past_undated=past_undated,
    )


def correct(record: Sequence[Span], corrections: Sequence[Segment]) -> Redating:
    """Return what corrections alone change on a record."""
    laid = list(record)
    for correction in corrections:
        laid = _corrected(laid, correction)
    wanted = _joined(laid)
    return Redating(
        close=tuple(span for span in record if span not in wanted),
        write=tuple(span for span in wanted if span not in record),
    )


def _corrected(spans: Sequence[Span], correction: Segment) -> list[Span]:
    """Put a corrected stretch in place of whatever the spans say about it."""
    start, end = correction.valid_from, correction.valid_to
    if start is None or end is None:
        raise AssertionError("a correction says from when to when")
    laid = [Span(start, end, correction.rates)]
    for span in spans:
        if span.valid_from < start:
            ends = span.valid_to is not None and span.valid_to <= start
            laid.append(span if ends else replace(span, valid_to=start))
        if _open_at(span, end):
            laid.append(span if span.valid_from >= end else replace(span, valid_from=end))
    return sorted(laid, key=lambda span: span.valid_from)


def _open_at(span: Span, at: datetime) -> bool:
    return span.valid_to is None or at < span.valid_to


def _joined(spans: Iterable[Span]) -> list[Span]:
    """Join neighbours with the same rates: a claim that repeats a price changes nothing."""
    joined: list[Span] = []
    for span in spans:
        if joined and joined[-1].valid_to == span.valid_from and joined[-1].rates == span.rates:
            joined[-1] = replace(joined[-1], valid_to=span.valid_to)
        else:
            joined.append(span)
    return joined
