"""What is to be booked for a row, from everything on record now: who served it, at what price, for which customer."""

from collections.abc import Sequence
from typing import NamedTuple

from planner.core.event import Containment, Event
from planner.core.posting import Dims, Posting
from planner.core.rating import rate
from planner.store import streams
from planner.store.engine import Connection
from planner.store.joins import Joins
from planner.store.tariffs import Served, Tariffs


class Judged(NamedTuple):
    """What is to be booked for a row, who served it, and what was assumed to price it."""

    posting: Posting
    served: Served
    ttl_assumed: bool


class Record:
    """Everything on record in one transaction that a row is booked by."""

    def __init__(self, connection: Connection) -> None:
        """Open it; what is not asked for is not read."""
        self.tariffs = Tariffs(connection)
        self.joins = Joins(connection)

    def expect(self, events: Sequence[Event]) -> None:
        """Read together who served rows and who their customers are, before each row is judged."""
        self.tariffs.expect(event.offer for event in events if event.offer)
        self.joins.expect((event.source, event.customer) for event in events if event.customer)

    def judge(self, event: Event, *, feed: str, includes_cached: bool) -> Judged:
        """Return what is to be booked for a row.

        Raises:
            InvalidInput: its counts are none, or contradict each other.
        """
        served = self.tariffs.served(event, feed)
        cards = () if served.offer is None else self.tariffs.cards(served.offer, event.at, event.until)
        factor = self.tariffs.factor(served, event.at)
        rated = rate(event, cards, factor, includes_cached=includes_cached, region=served.region)
        customer = self.joins.customer(event.source, event.customer)
        dims = Dims(
            # An event's own plan goes before what is known of its customer.
            plan=event.plan or self.joins.plan(customer, event.at),
            task=event.task or "",
            customer=customer.id,
            matched=customer.matched,
            project=event.project or "",
            key=event.key or "",
            model=served.model,
            provider=served.provider,
            offer=served.offer or "",
            region=event.region or served.region or "",
        )
        posting = Posting.of(event, rated, dims)
        if rated.unpriced == "no_price" and served.why_not is not None:
            posting = posting._replace(dims=posting.dims._replace(unpriced=served.why_not))
        return Judged(posting, served, rated.ttl_assumed)


class Anew:
    """Judges rows once more, each as its own stream spells and counts it."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._record = connection, Record(connection)
        self._streams: dict[str, tuple[str, dict[str, Containment]]] = {}

    def judge(self, event: Event) -> Judged:
        """Return what is to be booked for a row."""
        if event.source not in self._streams:
            stream = streams.find(self._connection, event.source)
            said = streams.containments(self._connection, event.source)
            self._streams[event.source] = "" if stream is None else stream.feed, said
        feed, said = self._streams[event.source]
        containment = said.get(event.provider or "")
        includes = event.includes_cached if containment is None else containment.includes_cached
        return self._record.judge(event, feed=feed, includes_cached=includes is not False)
