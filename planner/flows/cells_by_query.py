"""Sums of a query become what is booked: the numbers of its small tables stand for names, heads and prices."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from planner.core.event import Event, StatedBy
from planner.core.posting import RATED, REPORTED, UNPRICED, Counted, Dims, Measures, Posting
from planner.core.rate_pieces import Piece
from planner.core.rating import UNKNOWN_BAND
from planner.core.units import Unit
from planner.ledger.bulk_file import Shown
from planner.ledger.mapping import Layout
from planner.ledger.rating_sql import NOTHING_COUNTED, WITHOUT_TIER
from planner.ledger.rating_tables import varied
from planner.store.tariffs import Served


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
    layout: Layout
    _bands: dict[tuple[int, int], str] = field(default_factory=dict)
    _dims: dict[tuple[Any, ...], Dims] = field(default_factory=dict)

    def posting(self, row: Mapping[str, Any]) -> tuple[int, Posting]:
        """Return the slot of a row of sums, and what is booked in it."""
        units = tuple(self._units(row))
        tokens = [(unit.startswith(_OUTWARD), one.quantity) for unit, one in units if unit.endswith("_token")]
        measures = Measures(
            rows=row["n"],
            requests=int(row[Unit.REQUEST]),
            input_tokens=sum(quantity for outward, quantity in tokens if not outward),
            output_tokens=sum(quantity for outward, quantity in tokens if outward),
            cost=sum(one.cost for _unit, one in units),
            high=sum(one.high for _unit, one in units),
            list=sum(one.list for _unit, one in units),
            stated=int(row["stated"]),
        )
        key = row["piece"], row["head"], row["why"], row["priced_by"], row["certain"], row["used"]
        if key not in self._dims:
            # Cells of one combination are booked under one object, however many slots there are.
            self._dims[key] = self._heads(*key)
        return row["slot"], Posting(self._dims[key], measures, units)

    def _heads(self, number: int, head: int, why: int, stated: bool, certain: bool, used: int) -> Dims:  # noqa: FBT001  # as they come
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

    def _units(self, row: Mapping[str, Any]) -> Iterator[tuple[str, Counted]]:
        for unit in self.units:
            quantity, low = int(row[unit]), int(row[f"{unit}_low"])
            if quantity:
                high = int(row.get(f"{unit}_high", low))
                yield unit.value, Counted(quantity, low, high, int(row.get(f"{unit}_listed", low)))


_OUTWARD = ("output", "reasoning")
