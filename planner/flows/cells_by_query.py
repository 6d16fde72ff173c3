"""Sums of a query become what is booked: the numbers of its small tables stand for names, heads and prices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from planner.core.event import Event, StatedBy
from planner.core.posting import RATED, REPORTED, UNPRICED, Counted, Dims, Measures, Posting
from planner.core.rate_pieces import Piece
from planner.core.rating import UNKNOWN_BAND
from planner.core.units import REGISTRY, Dimension, Direction, Unit
from planner.ledger.bulk_file import Shown
from planner.ledger.mapping import Layout
from planner.ledger.rating_sql import KEYS, NOTHING_COUNTED, WITHOUT_TIER
from planner.ledger.rating_tables import Shape, kinds, varied
from planner.store.tariffs import Served

_FIRST = len(KEYS) + 2
_IN, _OUT = Direction.INPUT, Direction.OUTPUT


class Name(NamedTuple):
    """One way in which rows name who served them: as they spell it, as an event would say it, and who it is.

    ``inside``: their prompts contain their cached part. ``shown`` is what these rows show.
    """

    spelled: Mapping[str, str]
    event: Event
    served: Served
    inside: bool
    shown: Shown


@dataclass(slots=True)
class Cells:
    """What rows of the query mean: their names, heads, pieces and units by their places.

    ``pieces`` stand beside the place of their name.
    """

    names: Sequence[Name]
    heads: Sequence[Dims]
    pieces: Sequence[tuple[int, Piece]]
    units: Sequence[Unit]
    shape: Shape
    layout: Layout
    _bands: dict[tuple[int, int], str] = field(default_factory=dict)
    _dims: dict[tuple[Any, ...], Dims] = field(default_factory=dict)
    _places: list[tuple[str, Direction | None, int, int, int]] = field(init=False)

    def __post_init__(self) -> None:
        """Note where the figures of each unit stand in a row."""
        self._places, at = [], _FIRST
        for unit in self.units:
            amounts = kinds(unit, self.shape)
            facts = REGISTRY[unit]
            where = {kind: at + 1 + place for place, kind in enumerate(amounts)}
            self._places.append((
                unit.value, facts.direction if facts.dimension is Dimension.TOKEN else None, at,
                where.get("high", at + 1), where.get("listed", at + 1),
            ))  # fmt: skip
            at += 1 + len(amounts)

    def posting(self, row: tuple[Any, ...]) -> tuple[int, Posting]:
        """Return the slot of a row of sums, as `planner.ledger.rating_sql.rating` has it, and what is booked in it."""
        slot, *key, rows, stated = row[:_FIRST]
        heads = self._dims.get(tuple(key))
        if heads is None:
            # Cells of one combination are booked under one object, however many slots there are.
            heads = self._dims[tuple(key)] = self._heads(*key)
        units, requests, inward, outward, cost, high, listed = [], 0, 0, 0, 0, 0, 0
        for unit, direction, at, high_at, list_at in self._places:
            quantity = row[at]
            if not quantity:
                continue
            one = Counted(int(quantity), int(row[at + 1]), int(row[high_at]), int(row[list_at]))
            units.append((unit, one))
            cost, high, listed = cost + one.cost, high + one.high, listed + one.list
            if direction is _IN:
                inward += one.quantity
            elif direction is _OUT:
                outward += one.quantity
            elif unit == Unit.REQUEST:
                requests = one.quantity
        measures = Measures(int(rows), requests, inward, outward, cost, high, listed, int(stated))
        return int(slot), Posting(heads, measures, tuple(units))

    def _heads(self, number: int, head: int, used: int, why: int, *flags: bool) -> Dims:
        certain, stated = flags
        place, piece = self.pieces[number]
        name, card = self.names[place], piece.span.card
        unpriced = self._unpriced(why, piece, name)
        stated_by = StatedBy(self.layout.constants.get("stated_by", StatedBy.ESTIMATE)) if stated else None
        reported = stated_by is not None and stated_by is not StatedBy.ESTIMATE
        return self.heads[head]._replace(
            model=name.served.model,
            provider=name.served.provider,
            offer=name.served.offer or "",
            price_version="" if unpriced or card is None else card.id,
            cost_basis=RATED if not unpriced else REPORTED if reported else UNPRICED,
            stated_by="" if stated_by is None else stated_by.value,
            unpriced=unpriced,
            service_tier=name.event.service_tier,
            region=name.event.region or name.served.region or "",
            band="" if unpriced else self._band(number, used) if certain else UNKNOWN_BAND,
        )

    def _unpriced(self, why: int, piece: Piece, name: Name) -> str:
        if piece.span.card is None:
            return name.served.why_not or "no_price"
        if why in (NOTHING_COUNTED, WITHOUT_TIER):
            return "nothing_counted" if why == NOTHING_COUNTED else "no_tier_price"
        return f"no_rate:{self.units[why - 1]}" if why else ""

    def _band(self, number: int, used: int) -> str:
        if (number, used) not in self._bands:
            piece = self.pieces[number][1]
            several = varied(piece, self.units)
            asked = [unit for place, unit in enumerate(self.units) if not several or used >> place & 1]
            self._bands[number, used] = piece.band(asked)
        return self._bands[number, used]
