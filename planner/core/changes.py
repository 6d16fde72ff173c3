"""What one record of a price says otherwise than another: what began, ended, was cancelled, replaced or prolonged."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from planner.core.price import PriceCard

BEGAN, ENDED, CANCELLED, REPLACED, PROLONGED = "began", "ended", "cancelled", "replaced", "prolonged"


class Change(NamedTuple):
    """One change of an offer's price from a moment on: the card before and the card after, if any.

    ``kind`` is began (``before`` is what held until then), ended, cancelled (planned and taken back before it began;
    ``after`` goes on instead, if anything does), replaced (planned, and another one instead), or prolonged (it was to
    end, and goes on).
    """

    kind: str
    at: datetime
    before: PriceCard | None
    after: PriceCard | None


def differences(was: Sequence[PriceCard], now: Sequence[PriceCard], recorded_at: datetime) -> list[Change]:
    """Return in time order from when on the price is another one in ``now`` than in ``was``.

    Args:
        was: the cards of one offer on record before, in time order.
        now: those on record after.
        recorded_at: when the record changed: what was to begin later was planned.
    """
    edges = {edge for card in (*was, *now) for edge in (card.valid_from, card.valid_to) if edge is not None}
    found: list[Change] = []
    last = None
    for edge in sorted(edges):
        old, new = _at(was, edge), _at(now, edge)
        rates = None if old is None else old.rates, None if new is None else new.rates
        if rates[0] != rates[1] and rates != last:
            found.append(_change(edge, old, new, now, recorded_at))
        last = rates
    return found


def _at(cards: Sequence[PriceCard], moment: datetime) -> PriceCard | None:
    return next((card for card in cards if card.in_force(moment)), None)


def _change(
    edge: datetime, old: PriceCard | None, new: PriceCard | None, now: Sequence[PriceCard], recorded_at: datetime
) -> Change:
    goes_on = new is not None and new.valid_from < edge
    if old is None:
        earlier = [card for card in now if card.valid_from < edge]
        kind, last = (PROLONGED, None) if goes_on else (BEGAN, earlier[-1] if earlier else None)
        return Change(kind, edge, last, new)
    if edge >= recorded_at and old.valid_from == edge:
        return Change(CANCELLED if new is None or goes_on else REPLACED, edge, old, new)
    return Change(ENDED if new is None else BEGAN, edge, old, new)


def differing(was: Sequence[PriceCard], now: Sequence[PriceCard]) -> list[tuple[datetime, datetime | None]]:
    """Return the spans of time in which a price is another one in ``now`` than in ``was``; None has no end.

    Cards that say the same and are only cut at other moments are no difference.

    Args:
        was: the cards of one offer on record before, in time order.
        now: those on record after.
    """
    edges = sorted({edge for card in (*was, *now) for edge in (card.valid_from, card.valid_to) if edge is not None})
    found: list[tuple[datetime, datetime | None]] = []
    for place, edge in enumerate(edges):
        old, new = _at(was, edge), _at(now, edge)
        if (None if old is None else old.rates) == (None if new is None else new.rates):
            continue
        ends = edges[place + 1] if place + 1 < len(edges) else None
        if found and found[-1][1] == edge:
            found[-1] = found[-1][0], ends
        else:
            found.append((edge, ends))
    return found
