"""What providers billed in a span of time: rows of evidence and lines of invoices, added up under what they state."""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from planner.core.errors import Conflict
from planner.core.event import Event, Role
from planner.core.fx import FxRate
from planner.core.invoice import InvoiceLine, Kind
from planner.core.matching import HEADS, Charges, Key
from planner.core.periods import Window
from planner.core.waterfall import Stated
from planner.ledger.billed import billed
from planner.store import invoices, streams
from planner.store.engine import Connection
from planner.store.streams import Stream
from planner.store.tariffs import Tariffs
from planner.store.usage import LONGEST

# How far back a line may have begun that reaches into the time that is asked about: evidence is of months at most, and
# of invoices there are few lines.
_BACK = 12 * LONGEST


class LineKey(NamedTuple):
    """What lines that are no usage are added up by: their time, who is paid, and their kind."""

    first: int
    last: int
    party: str
    kind: Kind


class Span(NamedTuple):
    """When a source states what was used."""

    start: datetime
    end: datetime
    source: str


@dataclass(slots=True)
class Source:
    """What one source stated: how many lines, what they come to at our exchange rates, from when to when."""

    feed: str
    lines: int = 0
    pico: int = 0
    since: datetime | None = None
    until: datetime | None = None
    imports: set[int] = field(default_factory=set)

    def note(self, line: InvoiceLine, pico: int, import_id: int | None) -> None:
        """Count a line."""
        end = line.end or line.start
        self.lines, self.pico = self.lines + 1, self.pico + pico
        self.since = line.start if self.since is None else min(self.since, line.start)
        self.until = end if self.until is None else max(self.until, end)
        if import_id is not None:
            self.imports.add(import_id)


@dataclass(slots=True)
class Bill:
    """Everything that was billed, and what could not be read as a bill.

    ``odd`` counts lines by what is odd about them: ``beyond`` reach out of the time that is asked about, ``cut`` begin
    or end within a window, ``costless`` are evidence of which no provider states a cost, and for ``assumed`` ones the
    invoice's own exchange rate was taken for ours. ``unconverted`` is what nobody knows a rate of, by currency.
    ``ends`` is when the last line of usage of a provider ends, ``stating`` who stated when what was used of a provider
    and account, and ``in_files`` are streams of evidence whose rows stay in their files.
    """

    charges: Charges = field(default_factory=Charges)
    lines: dict[LineKey, Stated] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)
    unconverted: dict[str, Decimal] = field(default_factory=dict)
    odd: Counter[str] = field(default_factory=Counter)
    ends: dict[str, datetime] = field(default_factory=dict)
    in_files: list[str] = field(default_factory=list)
    stating: dict[tuple[str, str], set[Span]] = field(default_factory=lambda: defaultdict(set))

    @property
    def parties(self) -> set[str]:
        """Who is paid by any line."""
        return {key.party for key in self.charges.sums} | {key.party for key in self.lines}


def read(
    connection: Connection, pieces: Sequence[Window], sources: Sequence[str], provider: str | None,
    rates: Sequence[FxRate],
) -> Bill:  # fmt: skip
    """Read what was billed.

    Args:
        connection: one consistent read.
        pieces: the windows of time.
        sources: whose statements; none named: all there are.
        provider: who is paid; None: anybody.
        rates: our own exchange rates.

    Raises:
        Conflict: two sources state what was used of one provider and account, and none was chosen.
    """
    since, until = pieces[0].start, pieces[-1].end
    reader = _Reader(connection, pieces, provider, rates)
    reader.discounting = invoices.discounting(connection, since, until, sources)
    for event, import_id in invoices.evidence(connection, since - LONGEST, until, sources):
        reader.event(event, import_id)
    for line, import_id in invoices.lines(connection, since - _BACK, until, sources):
        reader.line(line, import_id)
    reader.bill.in_files = [
        stream.source
        for stream in streams.every(connection)
        if stream.in_place and stream.role is Role.EVIDENCE and (not sources or stream.source in sources)
    ]
    for (party, _account), told in sorted(reader.bill.stating.items()):
        both = () if sources else _both(told)
        if both:
            problem = f"{' and '.join(both)} state what was used at one time, and not both can: choose with source"
            raise Conflict("statement", party, problem)
    return reader.bill


def _both(told: Iterable[Span]) -> tuple[str, ...]:
    """Return two sources that state what was used at one time, if there are any."""
    ends: dict[str, datetime] = {}
    for start, end, source in sorted(told):
        other = next((name for name, until in ends.items() if name != source and until > start), None)
        if other is not None:
            return min(source, other), max(source, other)
        ends[source] = max(end, ends.get(source, end))
    return ()


class _Reader:
    """Adds up lines one by one; who served them is looked up once."""

    def __init__(
        self, connection: Connection, pieces: Sequence[Window], provider: str | None, rates: Sequence[FxRate]
    ) -> None:
        self.bill = Bill()
        self.discounting: frozenset[str] = frozenset()
        self._connection, self._wanted, self._rates = connection, provider, rates
        self._pieces, self._starts = pieces, [piece.start for piece in pieces]
        self._tariffs = Tariffs(connection)
        self._streams: dict[str, tuple[Stream | None, dict[str, bool | None]]] = {}
        self._providers: dict[tuple[str, str], str] = {}
        # The first day of which we know a rate; rates come oldest first.
        self._known = {rate.currency: rate.day for rate in reversed(rates)}

    def event(self, event: Event, import_id: int | None) -> None:
        """Read a row of evidence."""
        _stream, inside = self._stream(event.source)
        declared = inside.get(event.provider or "", event.includes_cached)
        line = billed(event, includes_cached=declared is not False)
        if line is not None:
            self.line(line, import_id)
        elif self._wanted in (None, self._payee(event.channel, event.provider, event.source)[0]):
            self.bill.odd["costless"] += self._windows(event.at, event.until or event.at) is not None

    def line(self, line: InvoiceLine, import_id: int | None) -> None:
        """Read a line of an invoice."""
        stream, _inside = self._stream(line.source)
        feed, account = ("", "") if stream is None else (stream.feed, stream.account)
        party, provider = self._payee(line.channel, line.provider, line.source)
        windows = self._windows(line.start, line.end or line.start) if self._wanted in (None, party) else None
        if windows is None:
            return
        stated = Stated.of(line, self._rates, before_discounts=line.source in self.discounting)
        if stated is None:
            sums = self.bill.unconverted
            sums[line.currency] = sums.get(line.currency, Decimal()) + line.amount
            return
        known = self._known.get(line.currency)
        self.bill.odd["assumed"] += line.currency != "USD" and (known is None or known > line.last_moment.date())
        self.bill.sources.setdefault(line.source, Source(feed)).note(line, stated.booked, import_id)
        if line.kind is not Kind.USAGE:
            place = LineKey(*windows, party, line.kind)
            had = self.bill.lines.get(place)
            self.bill.lines[place] = stated if had is None else had.plus(stated)
            return
        self.bill.stating[party, account].add(Span(line.start, line.end or line.start, line.source))
        self.bill.ends[party] = max(self.bill.ends.get(party, line.start), line.end or line.start)
        heads = {
            "model": self._model(line, provider), "account": account or None, "project": line.project,
            "upstream": provider if line.channel != "direct" and provider else None,
            "service_tier": line.service_tier, "key": line.key,
        }  # fmt: skip
        self.bill.charges.add(Key(*windows, party, line.unit, tuple(heads[name] for name in HEADS)), stated)

    def _payee(self, channel: str, spelled: str | None, source: str) -> tuple[str, str]:
        """Return who is paid, the broker or the provider itself, and the provider as the ledger calls it."""
        place = spelled or "", source
        if place not in self._providers:
            stream, _inside = self._stream(source)
            self._providers[place] = self._tariffs.provider(place[0], "" if stream is None else stream.feed)
        provider = self._providers[place]
        return (provider if channel == "direct" else channel), provider

    def _model(self, line: InvoiceLine, provider: str) -> str | None:
        """Return the model as the ledger calls it."""
        if line.model is None:
            return None
        named = Event(
            source=line.source, id=line.id, at=line.start, counts={}, channel=line.channel,
            provider=provider or None, model=line.model,
        )  # fmt: skip
        return self._tariffs.served(named).model

    def _stream(self, source: str) -> tuple[Stream | None, dict[str, bool | None]]:
        if source not in self._streams:
            said = streams.containments(self._connection, source)
            inside = {provider: found.includes_cached for provider, found in said.items()}
            self._streams[source] = streams.find(self._connection, source), inside
        return self._streams[source]

    def _windows(self, start: datetime, end: datetime) -> tuple[int, int] | None:
        """Return the first and the last window that a line is of; None where it is not within the time."""
        since, until = self._pieces[0].start, self._pieces[-1].end
        if end <= since and start < since:
            return None
        if start < since or end > until:
            self.bill.odd["beyond"] += 1
            return None
        first = bisect_right(self._starts, start) - 1
        last = max(first, bisect_left(self._starts, end) - 1)
        whole = (self._starts[first], self._pieces[last].end) == (start, end)
        self.bill.odd["cut"] += last > first and not whole
        return first, last
