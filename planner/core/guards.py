"""What a whole feed must look like before any of it is believed."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from statistics import median

from planner.core.claim import Reading
from planner.core.doubt import Golden, broken_golden
from planner.core.errors import FeedRefused
from planner.core.price import RateTable
from planner.core.units import Unit

# A feed that lost a third of its rows, or of its prices, lost them by mistake more often than on purpose.
SHARE_KEPT_MIN = Decimal("0.70")
# All prices x1000, or all a thousandth, is a change of unit. Half of a market never moved threefold in a day.
SCALE_MAX = 3
COMMON_OFFERS_MIN = 20
# One well-known price may really have moved; more than one, and more than a fifth of them, is another list.
GOLDEN_BROKEN_MIN = 2
GOLDEN_SHARE = 5


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the last accepted reading of a source looked like; zeros before the first."""

    rows_read: int = 0
    offers_priced: int = 0


def check_feed(
    reading: Reading,
    last: Accepted,
    believed: Mapping[str, RateTable],
    golden: Iterable[Golden] = (),
    waived: frozenset[str] = frozenset(),
) -> None:
    """Refuse a reading that cannot be meant.

    Args:
        reading: what the source says now.
        last: its last accepted reading.
        believed: the rates this source's own current quotes claim, by offer id.
        golden: well-known prices; a list that gets several of them wrong is wrong about the others too.
        waived: reasons a person has looked at and waived for this reading.

    Raises:
        FeedRefused: ``empty``, ``shrunk``, ``unpriced`` (its prices are gone), ``scaled`` (all moved by one factor)
            or ``golden``.
    """
    refused = _refusal(reading, last, believed, golden)
    for error in refused:
        if error.reason not in waived:
            raise error


def _refusal(
    reading: Reading, last: Accepted, believed: Mapping[str, RateTable], golden: Iterable[Golden]
) -> Iterator[FeedRefused]:
    source = reading.source
    priced = {claim.offer_id: claim.segments[-1].rates for claim in reading.claims if claim.segments}
    if reading.rows_read == 0 or not (reading.claims or reading.scores):
        yield FeedRefused(source, "empty", "no row was read")
    if reading.claims and not priced:
        yield FeedRefused(source, "unpriced", "no row has a price")
    if reading.rows_read < last.rows_read * SHARE_KEPT_MIN:
        yield FeedRefused(source, "shrunk", f"{reading.rows_read} rows, {last.rows_read} before")
    elif len(priced) < last.offers_priced * SHARE_KEPT_MIN:
        yield FeedRefused(source, "unpriced", f"{len(priced)} offers with a price, {last.offers_priced} before")
    ratios = sorted(_ratios(reading, believed))
    if len(ratios) >= COMMON_OFFERS_MIN:
        middle = median(ratios)
        if middle > SCALE_MAX or middle * SCALE_MAX < 1:
            yield FeedRefused(source, "scaled", f"prices moved by a factor of {middle:.4g} at the median")
    checked, broken = broken_golden(golden, priced)
    if broken >= GOLDEN_BROKEN_MIN and broken * GOLDEN_SHARE > checked:
        yield FeedRefused(source, "golden", f"{broken} of {checked} well-known prices are out of bounds")


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
