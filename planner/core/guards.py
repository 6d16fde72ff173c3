"""What a whole feed must look like before any of it is believed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from statistics import median

from planner.core.claim import Reading
from planner.core.doubt import Golden, broken_golden
from planner.core.errors import FeedRefused
from planner.core.price import RateTable
from planner.core.reconcile import unpriced_reason
from planner.core.units import Unit

# A feed that lost a third of its rows, of its prices or of its names, lost them by mistake more often than on purpose.
SHARE_KEPT_MIN = Decimal("0.70")
# All prices x1000, or all a thousandth, is a change of unit. Half of a market never rose threefold or halved in a day.
SCALE_MAX = 3
SCALE_MIN = Decimal("0.5")
COMMON_OFFERS_MIN = 20
# One well-known price may really have moved; more than one, and more than a fifth of them, is another list.
GOLDEN_BROKEN_MIN = 2
GOLDEN_SHARE = 5


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the largest of a source's accepted readings of the last weeks looked like; zeros before the first.

    ``live``: at least one of them was read from the source itself, not from a bundle that may be months old. ``names``
    are all offers that any of them priced.
    """

    rows_read: int = 0
    offers_priced: int = 0
    live: bool = True
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a reading of a source is held against.

    ``last`` is what its accepted readings looked like. By offer id, ``said`` are the rates its own current quotes
    claim, and ``believed`` those that are believed of the same offers; they differ where a price waits or another
    source is trusted more. ``golden`` are well-known prices; a list that gets several of them wrong is wrong about
    the others too. ``free`` offers are curated as free; of others, a price of zero is none. ``repeats`` is the digest
    of an older answer that comes again, byte for byte, after a newer one, with when it was last sent.
    """

    last: Accepted = Accepted()
    said: Mapping[str, RateTable] = field(default_factory=dict)
    believed: Mapping[str, RateTable] = field(default_factory=dict)
    golden: Sequence[Golden] = ()
    free: frozenset[str] = frozenset()
    repeats: tuple[str, datetime] | None = None


# What a whole list can be refused for that a person may waive; the rest cannot be read at all.
WAIVABLE = frozenset({"shrunk", "unpriced", "renamed", "scaled", "golden", "rollback"})
# What a person waived holds for another reading that is about as bad, not for any reading.
WAIVED_SHARE = Decimal("0.10")


def check_feed(reading: Reading, standing: Standing) -> tuple[FeedRefused, ...]:
    """Return everything that speaks against a reading; nothing where it can be meant.

    A list that says exactly what is believed is never an old one or one at another scale: it changes nothing.

    Args:
        reading: what the source says now.
        standing: what is known already.

    Returns:
        ``rollback``, ``empty``, ``shrunk``, ``unpriced`` (its prices are gone), ``renamed`` (other offers instead),
        ``scaled`` (all moved by one factor) or ``golden``.
    """
    # What nobody can waive comes first: it decides what becomes of the reading.
    return tuple(sorted(_refusals(reading, standing), key=lambda error: error.reason in WAIVABLE))


def not_waived(refusals: Sequence[FeedRefused], waived: Mapping[str, str]) -> tuple[FeedRefused, ...]:
    """Return what still speaks against a reading of which a person waived some reasons, each at the figure seen."""
    return tuple(error for error in refusals if not about_as_bad(error.reason, error.figure, waived.get(error.reason)))


def about_as_bad(reason: str, figure: str, seen: str | None) -> bool:
    """Tell whether what is refused now is what a person looked at: the same, or not much worse."""
    if seen is None or not figure or reason == "rollback":
        return figure == seen
    now, then = Decimal(figure), Decimal(seen)
    if reason == "golden":
        return now <= then
    if reason == "scaled":
        return abs(now - then) <= then * WAIVED_SHARE
    return now >= then * (1 - WAIVED_SHARE)


def _refusals(reading: Reading, standing: Standing) -> Iterator[FeedRefused]:
    source, last, said = reading.source, standing.last, standing.said
    priced = {
        claim.offer_id: claim.segments[-1].rates
        for claim in reading.claims
        if unpriced_reason(claim, free=claim.offer_id in standing.free) is None
    }
    rows, count = str(reading.rows_read), str(len(priced))
    if standing.repeats is not None and priced != standing.believed:
        digest, sent = standing.repeats
        yield FeedRefused(source, "rollback", f"the same bytes were last sent on {sent:%Y-%m-%d %H:%M} UTC", digest)
    if reading.rows_read == 0 or not (reading.claims or reading.scores):
        yield FeedRefused(source, "empty", "no row was read")
    if reading.claims and not priced:
        yield FeedRefused(source, "unpriced", "no row has a price", count)
    if reading.rows_read < last.rows_read * SHARE_KEPT_MIN:
        yield FeedRefused(source, "shrunk", f"{rows} rows, {last.rows_read} before", rows)
    if priced and len(priced) < last.offers_priced * SHARE_KEPT_MIN:
        yield FeedRefused(source, "unpriced", f"{count} offers with a price, {last.offers_priced} before", count)
    kept = len(last.names & priced.keys())
    if last.live and len(last.names) >= COMMON_OFFERS_MIN and kept < len(last.names) * SHARE_KEPT_MIN:
        yield FeedRefused(source, "renamed", f"{kept} of {len(last.names)} offers are still priced", str(kept))
    factors = [factor for known in (said, standing.believed) if (factor := _factor(priced, known)) is not None]
    # What goes on as it was believed, or as a person let it through, did not move.
    if factors and all(factor > SCALE_MAX or factor <= SCALE_MIN for factor in factors):
        detail = f"prices moved by a factor of {factors[0]:.4g} at the median"
        yield FeedRefused(source, "scaled", detail, str(factors[0]))
    checked, broken = broken_golden(standing.golden, priced)
    if broken >= GOLDEN_BROKEN_MIN and broken * GOLDEN_SHARE > checked:
        detail = f"{broken} of {checked} well-known prices are out of bounds"
        yield FeedRefused(source, "golden", detail, str(broken))


def _factor(priced: Mapping[str, RateTable], known: Mapping[str, RateTable]) -> Decimal | None:
    """Return by which factor input prices differ from known ones at the median; None of too few offers."""
    ratios = []
    for offer, rates in priced.items():
        old, new = known.get(offer, _NONE).get(Unit.INPUT), rates.get(Unit.INPUT)
        if old is not None and new is not None and old.base.pico and new.base.pico:
            ratios.append(Decimal(new.base.pico * old.base.pico_per) / Decimal(old.base.pico * new.base.pico_per))
    return median(ratios) if len(ratios) >= COMMON_OFFERS_MIN else None


_NONE = RateTable({})
