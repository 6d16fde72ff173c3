"""An invoice and a ledger meet under keys that both of them know: the finest there are, and no finer."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from planner.core.price import PriceCard
from planner.core.units import Unit
from planner.core.waterfall import Booked, Pair, Stated

UNIT = "unit"
HEADS = ("model", "upstream", "account", "service_tier", "project", "key")
"""What usage is told apart by besides its time, its provider and its unit."""

# What an invoice that never names the first of these means by the second.
_WITHIN = {Unit.REASONING: Unit.OUTPUT, Unit.CACHE_WRITE_1H: Unit.CACHE_WRITE_5M}
_MODEL = HEADS.index("model")

Said = tuple[str | None, ...]
"""Values of `HEADS`; None is not stated, "" is nobody in particular."""


class Key(NamedTuple):
    """Where both sides meet: the first and the last window of time, who is paid, the unit, and the heads.

    ``unit`` None is everything together; a head that is None was not told apart.
    """

    first: int
    last: int
    party: str
    unit: Unit | None
    heads: Said

    @property
    def group(self) -> tuple[int, int, str, Said]:
        """What the units of one prompt have in common."""
        return self.first, self.last, self.party, self.heads


class Cell(NamedTuple):
    """What the ledger has in one window of time. ``unit`` None is a cost of requests as a whole."""

    window: int
    party: str
    unit: Unit | None
    heads: tuple[str, ...]
    booked: Booked
    card: PriceCard | None = None


@dataclass(slots=True)
class Charges:
    """The lines of usage of an invoice, added up where they differ in nothing that matters here."""

    sums: dict[Key, dict[tuple[bool, Fraction | None], Stated]] = field(default_factory=dict)

    def add(self, key: Key, one: Stated) -> None:
        """Add a line of usage."""
        at_rate = self.sums.setdefault(key, {})
        had = at_rate.get(one.rate)
        at_rate[one.rate] = one if had is None else had.plus(one)

    def __iter__(self) -> Iterator[tuple[Key, Stated]]:
        """Yield every sum with what it was stated for."""
        return ((key, one) for key, at_rate in self.sums.items() for one in at_rate.values())


def match(charges: Charges, cells: Collection[Cell], by: Collection[str]) -> dict[Key, Pair]:
    """Return both sides of every key.

    A head is told apart for a unit if a line of the invoice for that unit states it and the ledger knows it too; of
    what no line names, the ledger's heads are those of the other units. Lines of more than one window, or that overlap,
    are one time together. Where the invoice names no units, or the ledger knows the cost of whole requests only,
    everything of a model is one key without a quantity.

    Args:
        charges: the lines of usage.
        cells: what the ledger has of the same providers.
        by: the heads, and `UNIT`, that may be told apart.
    """
    layouts = {party: _Layout(party, charges, cells, by) for party in _parties(charges, cells)}
    found: dict[Key, Pair] = {}
    sums: dict[Key, Charges] = defaultdict(Charges)
    for key, one in charges:
        place = layouts[key.party].place(key)
        sums[place].add(place, one)
    for place, lines in sums.items():
        found[place] = Pair(place.unit, None, [one for _key, one in lines])
    cards: dict[tuple[int, int, str, Said], dict[str, PriceCard]] = defaultdict(dict)
    for cell in cells:
        place = layouts[cell.party].place(Key(cell.window, cell.window, cell.party, cell.unit, cell.heads))
        pair = found.setdefault(place, Pair(place.unit))
        booked = cell.booked._replace(whole=cell.booked.whole or place.unit is None)
        pair.ours = booked if pair.ours is None else pair.ours.plus(booked)
        if cell.card is not None:
            cards[place.group][cell.card.id] = cell.card
    _price(found, cards, layouts)
    return found


def _parties(charges: Charges, cells: Iterable[Cell]) -> set[str]:
    return {key.party for key in charges.sums} | {cell.party for cell in cells}


class _Layout:
    """How one provider's invoice and our ledger of it tell things apart."""

    def __init__(self, party: str, charges: Charges, cells: Iterable[Cell], by: Collection[str]) -> None:
        lines = [key for key in charges.sums if key.party == party]
        ours = [cell for cell in cells if cell.party == party]
        named = {line.unit for line in lines if line.unit is not None}
        self.within = {unit: other for unit, other in _WITHIN.items() if unit not in named}
        models = {cell.heads[_MODEL] for cell in ours if cell.unit is None}
        stated = any(line.heads[_MODEL] is not None for line in lines)
        self._together = UNIT not in by or not named or (bool(models) and not stated)
        self._whole = models
        known = {name for at, name in enumerate(HEADS) if not ours or any(cell.heads[at] for cell in ours)}
        self._used: dict[Unit | None, set[str]] = defaultdict(set)
        for line in lines:
            said = {name for at, name in enumerate(HEADS) if line.heads[at] is not None}
            self._used[self.unit(line)] |= said & known & set(by)
        self._others = set[str]().union(*self._used.values())
        spans: dict[Unit | None, set[tuple[int, int]]] = defaultdict(set)
        for line in lines:
            spans[self.unit(line)].add((line.first, line.last))
        self._windows = {unit: _merged(found) for unit, found in spans.items()}
        # What is placed differs in little but its time.
        self._placed: dict[tuple[Unit | None, Said], tuple[Unit | None, Said]] = {}

    def unit(self, key: Key) -> Unit | None:
        """Return the unit that something is matched as."""
        if self._together or key.heads[_MODEL] in self._whole or key.unit is None:
            return None
        return self.within.get(key.unit, key.unit)

    def place(self, key: Key) -> Key:
        """Return the key under which both sides can meet."""
        kind = key.unit, key.heads
        if kind not in self._placed:
            placed = self.unit(key)
            used = self._used.get(placed, self._others)
            known = tuple((key.heads[at] or "") if name in used else None for at, name in enumerate(HEADS))
            self._placed[kind] = placed, known
        unit, heads = self._placed[kind]
        first, last = self._windows.get(unit, {}).get(key.first, (key.first, key.last))
        return Key(first, last, key.party, unit, heads)


def _merged(spans: Iterable[tuple[int, int]]) -> dict[int, tuple[int, int]]:
    """Join spans that overlap; return for each window in one of them where that begins and ends."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if joined and first <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(last, joined[-1][1])
        else:
            joined.append((first, last))
    return {window: span for span in joined for window in range(span[0], span[1] + 1)}


def _price(
    found: Mapping[Key, Pair], cards: Mapping[tuple[int, int, str, Said], Mapping[str, PriceCard]],
    layouts: Mapping[str, _Layout],
) -> None:  # fmt: skip
    """Note which rates our cards have for what an invoice charges."""
    rates: dict[tuple[str, Unit], list[Fraction]] = {}
    for key, pair in found.items():
        if key.unit is None or not pair.theirs:
            continue
        units = [key.unit, *(unit for unit, other in layouts[key.party].within.items() if other is key.unit)]
        known: list[Fraction] = []
        for id_, card in sorted(cards.get(key.group, {}).items()):
            for unit in units:
                if (id_, unit) not in rates:
                    rates[id_, unit] = list(_rates(card, unit))
                known += rates[id_, unit]
        pair.known, pair.base = frozenset(known), known[0] if known else None


def _rates(card: PriceCard, unit: Unit) -> Iterator[Fraction]:
    """Yield the list rates of a card for one of a unit, in 1e-12 USD, the one without conditions first."""
    source = card.rates.rate_unit(unit)
    if source is not None:
        yield from (Fraction(rate.pico, rate.pico_per) for _when, rate in card.rates[source].stated())
