"""Usage goes by once more, row by row: what is on record in pages, what lies in files as it was read before."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from pathlib import Path
from typing import Any

from planner.core.errors import InvalidInput, NotFound
from planner.core.event import Containment, Event, Outcome, Role, inclusive
from planner.core.event_form import read_event
from planner.core.periods import slot_start
from planner.core.price import PriceCard
from planner.core.replay import Kind, Offering, Replay
from planner.core.scenario import Heads
from planner.core.tally import Costs, Lane, Tally
from planner.core.units import Unit
from planner.core.usage import Parts
from planner.flows import bulk
from planner.flows.rating_in_place import Rows, rate
from planner.ledger import reading
from planner.ledger.format import Given
from planner.store import bulk as files
from planner.store import streams, usage
from planner.store.engine import Connection
from planner.store.joins import Joins
from planner.store.tariffs import Tariffs

ROWS_AT_ONCE = 2_000
MEMORY_MAX = 20_000
"""Costs of rows that are kept for others like them."""

Progress = Callable[[int], None]
_Said = Event | Mapping[str, Any]
_KIND = (
    "source", "offer", "channel", "provider", "model", "service_tier", "region", "plan", "task", "outcome",
    "includes_cached", "cache_stated", "rateable", "until",
)  # fmt: skip
_kind_of = attrgetter(*_KIND)


class Market:
    """Offers and prices on record, as `planner.core.replay.Book` asks for them."""

    def __init__(self, tariffs: Tariffs) -> None:
        """Read nothing yet."""
        self.tariffs = tariffs
        self._offerings: dict[str, Offering] = {}

    def offering(self, offer: str) -> Offering:
        """Return an offer.

        Raises:
            NotFound: there is none of this id.
        """
        if offer not in self._offerings:
            facts = self.tariffs.facts(offer)
            if facts is None:
                raise NotFound("offer", offer)
            named = Event(source="-", id="-", at=slot_start(0), counts={}, offer=offer)
            served = self.tariffs.served(named)
            self._offerings[offer] = Offering(
                offer, served.provider, served.model, served.channel, served.region,
                facts.capabilities.get("prompt_caching") is not False, facts.cacheable_tokens_min or 0,
            )  # fmt: skip
        return self._offerings[offer]

    def listed(self, offer: str) -> tuple[PriceCard, ...]:
        """Return every card of an offer."""
        return self.tariffs.listed(offer)

    def cards(self, offer: str, since: datetime, until: datetime | None) -> tuple[PriceCard, ...]:
        """Return the cards in force."""
        return self.tariffs.cards(offer, since, until)

    def agreed(self, channel: str, provider: str, model: str) -> Any:  # noqa: ANN401  # contracts and fees
        """Return the contracts about a model, and the fees of its channel."""
        return self.tariffs.agreed(channel, provider, model)


@dataclass(slots=True)
class _Track:
    """Rows of one kind and plan, and the lanes they are priced in as time goes on; None: they are not asked for."""

    kind: Kind
    edges: tuple[datetime, ...]
    lanes: dict[tuple[int, int], Lane] = field(default_factory=dict)


@dataclass(slots=True)
class _Family:
    """Rows that say the same but for their time and their counts."""

    template: Event
    includes: bool
    heads: Heads
    offering: Offering | None
    simple: bool
    tracks: dict[tuple[str, str], _Track | None] = field(default_factory=dict)


class Replaying:
    """Rows in, sums out; memory grows with what rows have in common and not with their number."""

    def __init__(
        self, connection: Connection, replay: Replay, market: Market, where: Mapping[str, frozenset[str]], *,
        by_customer: bool = False,
    ) -> None:  # fmt: skip
        """Begin with nothing.

        Args:
            connection: one consistent read.
            replay: the scenario, over ``market``.
            market: offers and prices.
            where: values that heads must have.
            by_customer: whether rows of one customer are told from those of another: there are many of them.
        """
        self._by_customer = by_customer
        self._connection, self._replay, self._market, self._where = connection, replay, market, where
        self._joins = Joins(connection)
        self._families: dict[tuple[Any, ...], _Family] = {}
        self._streams: dict[str, tuple[str, Mapping[str, Containment]]] = {}
        self._memory: dict[tuple[int, tuple[tuple[str, int], ...]], Costs] = {}

    def on_record(self, since: datetime, until: datetime, progress: Progress = lambda _: None) -> None:
        """Let the rows on record that count go by, from a moment to before another one."""
        offers = self._where.get("offer")
        where: Sequence[usage.Condition] = [] if offers is None else [usage.served_by_any(offers)]
        after = 0
        while found := usage.told(self._connection, since, until, after, ROWS_AT_ONCE, where):
            self._joins.expect((form["source"], form["customer"]) for _row, form in found if form.get("customer"))
            for _row, form in found:
                self._form(form)
            after = found[-1][0]
            progress(len(found))

    def found(self, number: int) -> tuple[files.InPlace, Rows]:
        """Return a file that is to be read again, and how.

        Raises:
            RowsUnavailable: it is gone, or has other bytes.
        """
        held = files.one(self._connection, number)
        rows = Rows(
            path=Path(held.path), format=held.format, given=Given(**held.given),
            stream=streams.required(self._connection, held.source),
            containments=streams.containments(self._connection, held.source), at=held.at,
        )  # fmt: skip
        try:
            bulk.mark(rows.path)
            if reading.digest(rows.path) != held.digest:
                raise bulk.unavailable(held, "the file has other bytes now")
        except OSError:
            raise bulk.unavailable(held, "the file is not where it was") from None
        return held, rows

    def in_place(
        self, held: files.InPlace, rows: Rows, since: datetime, until: datetime, progress: Progress = lambda _: None
    ) -> None:
        """Let the rows of a file go by where it lies, those from a moment to before another one.

        Raises:
            RowsUnavailable: it changed while it was read, or cannot be read as it was.
        """
        if rows.stream.role is Role.EVIDENCE:
            return
        told: list[Event] = []

        def tell(event: Event) -> None:
            if since <= event.at < until:
                told.append(event)
            if len(told) >= ROWS_AT_ONCE:
                self._events(told, progress)

        try:
            before = bulk.mark(rows.path)
            rate(self._connection, rows, tell=tell)
            self._events(told, progress)
            if bulk.mark(rows.path) != before:
                raise bulk.unavailable(held, "the file changed while it was read")
        except OSError:
            raise bulk.unavailable(held, "the file is not where it was") from None
        except InvalidInput as error:
            raise bulk.unavailable(held, f"{error.field}: {error.problem}") from None

    def _events(self, told: list[Event], progress: Progress) -> None:
        self._joins.expect((event.source, event.customer) for event in told if event.customer)
        for event in told:
            self._go(self._family(_kind_of(event), event), event.at, event.customer, event.counts, event)
        progress(len(told))
        told.clear()

    def _form(self, form: Mapping[str, Any]) -> None:
        family = self._family(tuple([form.get(name) for name in _KIND]), form)
        self._go(family, datetime.fromisoformat(form["at"]), form.get("customer"), form["counts"], form)

    def _go(
        self, family: _Family, at: datetime, spelled: str | None, counts: Mapping[str, int], said: _Said
    ) -> None:  # fmt: skip
        customer = self._joins.customer(family.template.source, spelled)
        plan = family.heads.plan or self._joins.plan(customer, at)
        place = plan, customer.id if self._by_customer else ""
        if place in family.tracks:
            track = family.tracks[place]
        else:
            track = family.tracks[place] = self._track(family, *place)
        if track is None:
            return
        lane = self._lane(track, at, family.template.until)
        memory = id(lane), tuple(counts.items())
        known = self._memory.get(memory) if family.simple and not lane.clocked else None
        if known is not None:
            lane.add(known)
            return
        parts = Parts.of(counts if family.includes else inclusive(counts))
        if not family.simple or (len(parts.parts) == 1 and parts.parts[0][0] is Unit.REQUEST):
            lane.add(lane.bounds(_event(said), parts))
            return
        costs = lane.costs(parts, at)
        lane.add(costs)
        if len(self._memory) >= MEMORY_MAX:
            self._memory.clear()
        self._memory[memory] = costs

    def _family(self, key: tuple[Any, ...], said: _Said) -> _Family:
        found = self._families.get(key)
        if found is not None:
            return found
        told = _event(said)
        if told.source not in self._streams:
            stream = streams.find(self._connection, told.source)
            declared = streams.containments(self._connection, told.source)
            self._streams[told.source] = "" if stream is None else stream.feed, declared
        feed, contained = self._streams[told.source]
        containment = contained.get(told.provider or "")
        includes = told.includes_cached if containment is None else containment.includes_cached
        served = self._market.tariffs.served(told, feed)
        heads = Heads(
            plan=told.plan or "", task=told.task or "", model=served.model, provider=served.provider,
            offer=served.offer or "", channel=served.channel,
        )  # fmt: skip
        family = self._families[key] = _Family(
            told, includes is not False, heads,
            None if served.offer is None else self._market.offering(served.offer),
            told.until is None and told.cache_stated and told.rateable and told.outcome is Outcome.OK,
        )  # fmt: skip
        return family

    def _track(self, family: _Family, plan: str, customer: str) -> _Track | None:
        heads = family.heads._replace(plan=plan, customer=customer)
        if not all(getattr(heads, name) in values for name, values in self._where.items()):
            return None
        kind = Kind(heads, family.offering, family.template.service_tier, family.template.region)
        return _Track(kind, self._replay.edges(kind))

    def _lane(self, track: _Track, at: datetime, until: datetime | None) -> Lane:
        # Nothing that a row is priced by changes between two edges.
        place = bisect_right(track.edges, at), -1 if until is None else bisect_left(track.edges, until)
        lane = track.lanes.get(place)
        if lane is None:
            lane = track.lanes[place] = Lane(self._replay.ways(track.kind, at, until))
        return lane

    def tallies(self) -> Iterable[tuple[Kind, Tally]]:
        """Yield what rows come to, kind by kind."""
        for family in self._families.values():
            for track in family.tracks.values():
                if track is not None:
                    yield from ((track.kind, lane.tally()) for lane in track.lanes.values())


def _event(said: _Said) -> Event:
    return said if isinstance(said, Event) else read_event(said)
