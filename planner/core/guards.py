"""What a whole feed must look like before any of it is believed."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from statistics import median
from types import MappingProxyType

from planner.core.claim import Reading
from planner.core.doubt import Golden, broken_golden
from planner.core.errors import FeedRefused
from planner.core.price import RateTable
from planner.core.reconcile import unpriced_reason
from planner.core.units import Unit

# A feed that lost a third of its rows, of its prices or of its names, lost them by mistake more often than on purpose.
SHARE_KEPT_MIN = Decimal("0.70")
# All prices x1000, or all a thousandth, is a change of unit. Half of a market never moved threefold in a day.
SCALE_MAX = 3
COMMON_OFFERS_MIN = 20
# One well-known price may really have moved; more than one, and more than a fifth of them, is another list.
GOLDEN_BROKEN_MIN = 2
GOLDEN_SHARE = 5


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the largest of a source's accepted readings of the last weeks looked like; zeros before the first.

    ``live``: at least one of them was read from the source itself, not from a bundle that may be months old.
    """

    rows_read: int = 0
    offers_priced: int = 0
    live: bool = True


# What a person waived holds for another reading that is about as bad, not for any reading.
WAIVED_SHARE = Decimal("0.10")


def check_feed(
    reading: Reading,
    last: Accepted,
    believed: Mapping[str, RateTable],
    golden: Iterable[Golden] = (),
    waived: Mapping[str, str] = MappingProxyType({}),
    free: frozenset[str] = frozenset(),
) -> None:
    """Refuse a reading that cannot be meant.

    Args:
        reading: what the source says now.
        last: what it said before.
        believed: the rates this source's own current quotes claim, by offer id.
        golden: well-known prices; a list that gets several of them wrong is wrong about the others too.
        waived: reasons a person has looked at and waived, each with the figure that was looked at.
        free: offers that are curated as free; of others, a price of zero is none.

    Raises:
        FeedRefused: ``empty``, ``shrunk``, ``unpriced`` (its prices are gone), ``renamed`` (other offers instead),
            ``scaled`` (all moved by one factor) or ``golden``.
    """
    for error in _refusals(reading, last, believed, golden, free):
        if not about_as_bad(error.reason, error.figure, waived.get(error.reason)):
            raise error


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


def _refusals(
    reading: Reading,
    last: Accepted,
    believed: Mapping[str, RateTable],
    golden: Iterable[Golden],
    free: frozenset[str],
) -> Iterator[FeedRefused]:
    source = reading.source
    priced = {
        claim.offer_id: claim.segments[-1].rates
        for claim in reading.claims
        if unpriced_reason(claim, free=claim.offer_id in free) is None
    }
    rows, count = str(reading.rows_read), str(len(priced))
    if reading.rows_read == 0 or not (reading.claims or reading.scores):
        yield FeedRefused(source, "empty", "no row was read")
    if reading.claims and not priced:
        yield FeedRefused(source, "unpriced", "no row has a price", count)
    if reading.rows_read < last.rows_read * SHARE_KEPT_MIN:
        yield FeedRefused(source, "shrunk", f"{rows} rows, {last.rows_read} before", rows)
    elif len(priced) < last.offers_priced * SHARE_KEPT_MIN:
        yield FeedRefused(source, "unpriced", f"{count} offers with a price, {last.offers_priced} before", count)
    kept = len(believed.keys() & priced.keys())
    if last.live and len(believed) >= COMMON_OFFERS_MIN and kept < len(believed) * SHARE_KEPT_MIN:
        yield FeedRefused(source, "renamed", f"{kept} of {len(believed)} offers are still priced", str(kept))
    ratios = sorted(_ratios(reading, believed))
    if len(ratios) >= COMMON_OFFERS_MIN:
        middle = median(ratios)
        if middle > SCALE_MAX or middle * SCALE_MAX < 1:
            yield FeedRefused(source, "scaled", f"prices moved by a factor of {middle:.4g} at the median", str(middle))
    checked, broken = broken_golden(golden, priced)
    if broken >= GOLDEN_BROKEN_MIN and broken * GOLDEN_SHARE > checked:
        detail = f"{broken} of {checked} well-known prices are out of bounds"
        yield FeedRefused(source, "golden", detail, str(broken))


def _ratios(reading: Reading, believed: Mapping[str, RateTable]) -> list[Decimal]:
    ratios = []
    for claim in reading.claims:
        before = believed.get(claim.offer_id)
        if before is None or not claim.segments:
            continue
        old, new = before.get(Unit.INPUT), claim.segments[-1].rates.get(Unit.INPUT)
        if old is not None and new is not None and old.base.pico and new.base.pico:
            ratios.append(Decimal(new.base.pico * old.base.pico_per) / Decimal(old.base.pico * new.base.pico_per))
    return ratios
