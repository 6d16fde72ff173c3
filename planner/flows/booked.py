"""What the ledger has booked, in the cells that an invoice is held against: by day, who is paid, unit and heads."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

from planner.core.agreement import Contract, Fee, discount, gross_up
from planner.core.event import Outcome
from planner.core.matching import HEADS, Cell
from planner.core.money import half_even
from planner.core.periods import Window, slot_of, slot_start
from planner.core.posting import RATED, REPORTED, Counted, Measures
from planner.core.price import PriceCard
from planner.core.units import Unit
from planner.core.waterfall import Booked
from planner.flows.cost_basis import BEST, basis_of, billed
from planner.store import cards, report_sums, streams
from planner.store.engine import Connection
from planner.store.load import load_contracts, load_fees
from planner.store.offers_of_costs import brokers, channels
from planner.store.report_sums import USAGE, Asked

# What every cell is read by; further heads are read only where an invoice states them.
_READ = (
    *("provider", "model", "offer", "price_version", "cost_basis", "stated_by", "status", "source", "service_tier"),
)
_OPTIONAL = ("project", "key")


@dataclass(slots=True)
class Ledger:
    """The cells of the providers that are asked about, what was paid to others, and what explains both.

    ``priced`` is what was booked by each version of a price.
    """

    cells: list[Cell] = field(default_factory=list)
    others: dict[str, int] = field(default_factory=dict)
    priced: dict[str, Measures] = field(default_factory=dict)


class _Payee(NamedTuple):
    party: str
    channel: str
    upstream: str
    account: str


def read(connection: Connection, pieces: Sequence[Window], parties: Collection[str], stated: Collection[str]) -> Ledger:
    """Read what was booked for usage of a span of time, whenever it was booked.

    Args:
        connection: one consistent read.
        pieces: the windows of time.
        parties: who is paid; what was paid to others is summed up apart.
        stated: the heads that some line of an invoice states.
    """
    heads = (*_READ, *(name for name in _OPTIONAL if name in stated))
    reader = _Reader(connection, pieces, heads)
    asked = Asked(windows=reader.windows, heads=heads, basis=USAGE)
    units = report_sums.units(connection, asked)
    facts = report_sums.facts(connection, asked)
    payees = reader.payees([values for _number, values in facts])
    versions = {str(values[heads.index("price_version")]) for _number, values in facts} - {""}
    reader.cards = cards.by_ids(connection, map(int, versions))
    ledger = Ledger()
    for (number, values, unit), counted in units.items():
        payee = payees.get(values)
        if payee is not None and payee.party in parties:
            ledger.cells += reader.counted(number, values, payee, Unit(unit), counted)
    for (number, values), measures in facts.items():
        payee, said = payees[values], reader.said[values]
        basis = basis_of(BEST, said["cost_basis"], reported=billed(said["stated_by"]))
        paid = measures.cost if basis == RATED else measures.stated if basis == REPORTED else 0
        if payee.party not in parties:
            ledger.others[payee.party] = ledger.others.get(payee.party, 0) + paid
            continue
        if basis == REPORTED:
            ledger.cells.append(reader.cell(number, values, payee, None, Booked(0, 0, paid, paid, paid, 0, whole=True)))
        elif basis == RATED and said["price_version"]:
            had = ledger.priced.get(said["price_version"], Measures())
            ledger.priced[said["price_version"]] = had + measures
    return ledger


class _Reader:
    def __init__(self, connection: Connection, pieces: Sequence[Window], heads: tuple[str, ...]) -> None:
        self.cards: Mapping[str, PriceCard] = {}
        self._connection, self._heads = connection, heads
        self._fees, self._contracts = load_fees(connection), load_contracts(connection)
        parts = _at_one_rate(pieces, (*self._fees, *self._contracts))
        self.windows, self._piece = [window for _number, window in parts], [number for number, _window in parts]
        self.said: dict[tuple[Any, ...], dict[str, Any]] = {}
        self._placed: dict[tuple[Any, ...], tuple[str, ...]] = {}
        self._kept: dict[tuple[str, str, str, datetime], Fraction] = {}

    def payees(self, listed: Sequence[tuple[Any, ...]]) -> dict[tuple[Any, ...], _Payee]:
        """Return who is paid for each combination of heads."""
        told = {stream.source: stream for stream in streams.every(self._connection)}
        known = brokers(self._connection)
        found: dict[tuple[Any, ...], _Payee] = {}
        self.said = said = {values: dict(zip(self._heads, values, strict=True)) for values in listed}
        reached = channels(self._connection, (one["offer"] for one in said.values() if one["offer"]))
        for values, one in said.items():
            stream = told.get(one["source"])
            # Of what no offer is known, the channel is that of the broker whose export told it.
            broker = stream.feed if stream is not None and stream.feed in known else "direct"
            channel = reached.get(one["offer"], broker)
            direct = channel == "direct"
            found[values] = _Payee(
                one["provider"] if direct else channel, channel, "" if direct else one["provider"],
                "" if stream is None else stream.account,
            )  # fmt: skip
        return found

    def counted(
        self, number: int, values: tuple[Any, ...], payee: _Payee, unit: Unit, counted: Counted
    ) -> Iterator[Cell]:
        """Yield the cell of a unit; what a gateway answered itself no provider ever saw."""
        said = self.said[values]
        basis = basis_of(BEST, said["cost_basis"], reported=billed(said["stated_by"]))
        if said["status"] == Outcome.GATEWAY_CACHE or basis == REPORTED:
            return
        if basis != RATED:
            yield self.cell(number, values, payee, unit, Booked(unpriced=counted.quantity))
            return
        kept = self._without_fee(payee, said["model"], self.windows[number].start)
        net, most = counted.cost, counted.high
        if kept != 1:
            net, most = _round(kept * net), _round(kept * most)
        booked = Booked(counted.quantity, 0, counted.list, net, counted.cost, most - net)
        yield self.cell(number, values, payee, unit, booked)

    def cell(
        self, number: int, values: tuple[Any, ...], payee: _Payee, unit: Unit | None, booked: Booked
    ) -> Cell:  # fmt: skip
        """Return a cell under its heads, in the piece of time that its window is a part of."""
        said = self.said[values]
        if values not in self._placed:
            known = {**said, "upstream": payee.upstream, "account": payee.account}
            self._placed[values] = tuple(str(known.get(name, "")) for name in HEADS)
        card = self.cards.get(said["price_version"])
        return Cell(self._piece[number], payee.party, unit, self._placed[values], booked, card)

    def _without_fee(self, payee: _Payee, model: str, at: datetime) -> Fraction:
        """Return the share of what is paid that is no fee of the channel."""
        provider = payee.upstream or payee.party
        place = payee.channel, provider, model, at
        if place not in self._kept:
            off, _contract = discount(self._contracts, payee.channel, provider, model, at)
            charged = gross_up(self._fees, payee.channel, at, 1 - off)
            self._kept[place] = (1 - off) / charged if charged else Fraction(1)
        return self._kept[place]


def _at_one_rate(pieces: Sequence[Window], terms: Iterable[Fee | Contract]) -> list[tuple[int, Window]]:
    """Cut pieces of time where a fee or a discount begins or ends; return the parts, each with its piece's number.

    Sums know quarter hours: one that a change falls into counts as before it.
    """
    changes = {edge for one in terms for edge in (one.valid_from, one.valid_to) if edge is not None}
    cuts = sorted({slot_start(slot_of(edge - timedelta.resolution) + 1) for edge in changes})
    found = list[tuple[int, Window]]()
    for number, piece in enumerate(pieces):
        edges = [piece.start, *(cut for cut in cuts if piece.start < cut < piece.end), piece.end]
        found += [(number, Window(piece.label, start, end)) for start, end in pairwise(edges)]
    return found


def _round(pico: Fraction) -> int:
    return half_even(pico.numerator, pico.denominator)
