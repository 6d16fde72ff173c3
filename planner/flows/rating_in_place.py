"""The rows of a file, rated where it lies: what its cells come to, with each id and each request counted once.

Memory grows with the cells, and not with the rows, but for 16 bytes of each id, so that no row counts twice: with all
that Python needs for them, 100 bytes for each row, and half as much again where rows name the provider's own request
besides.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from itertools import islice
from pathlib import Path

from planner.core.errors import InvalidInput
from planner.core.event import Containment, Event, Role
from planner.core.periods import slot_of, slot_start
from planner.core.posting import Posting, Sums
from planner.flows import ingest, rating_by_query
from planner.flows.ingest import Result
from planner.flows.posting import Record
from planner.ledger import formats, reading
from planner.ledger.bulk_columns import NotPlain
from planner.ledger.bulk_file import BulkFile, opened_for_queries
from planner.ledger.format import File, Given, Read, Refused
from planner.ledger.rating_sql import Grain
from planner.store import bulk, streams
from planner.store.bulk import Names
from planner.store.engine import Connection, rates_by_query
from planner.store.streams import Stream
from planner.store.tariffs import Tariffs

RATED = "rated"
"""What becomes of a row that counts: it is nowhere but in its file and in the sums."""
ROWS_AT_ONCE = 2_000
NAMES_MAX = 1_000
"""Names without an offer that are kept of a file, to see when one becomes known."""

Progress = Callable[[int], None]
Book = Callable[[int, Posting], None]
"""Told what rows come to, and the slot of their use."""
Tell = Callable[[Event], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The rows of a file where it lies: how they are read, and how they are counted.

    ``at`` is when they were told: what is beyond any row at that moment is never counted.
    """

    path: Path
    format: str
    given: Given
    stream: Stream
    containments: Mapping[str, Containment]
    at: datetime


@dataclass(slots=True)
class Rating:
    """What the rows of a file come to, booked nowhere yet: each cell at the slot of its use.

    ``outcomes`` counts rows by what became of them, ``evidence_usd`` is what rows state that do not count, and
    ``unserved`` are the names that nobody knows an offer of.
    """

    sums: Sums = field(default_factory=Sums)
    rows: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    evidence_usd: Decimal = Decimal(0)
    unserved: set[Names] = field(default_factory=set)


def rate(
    connection: Connection, rows: Rows, *, refuse: Callable[[Refused], None] = lambda _: None,
    progress: Progress = lambda _: None, rows_max: int | None = None, book: Book | None = None,
    grain: Grain = Grain.SLOT, file: BulkFile | None = None, tell: Tell | None = None,
) -> Rating:  # fmt: skip
    """Rate the rows of a file by everything on record: plain rows of a table by a query, all others one by one.

    Args:
        connection: one consistent read.
        rows: the file and how it is read.
        refuse: is told each row that cannot be counted.
        progress: is told how many bytes of the file were read.
        rows_max: how many rows are rated at most.
        book: is told what rows come to, at the slot of their use; None: they are summed up in what is returned.
        grain: over which stretches of time rows may be told together, as of the first slot.
        file: it is opened for queries already.
        tell: is told each row that counts, for which they are read one by one.

    Raises:
        InvalidInput: the file cannot be read, or tells of revenue.
    """
    if rates_by_query(connection) and rows_max is None and tell is None and rows.stream.role is Role.LEDGER:
        held: list[tuple[int, Posting]] = []
        with suppress(NotPlain):
            # Whoever is told is told at the end: until then it may turn out that rows are better read one by one.
            keep = None if book is None else lambda slot, posting: held.append((slot, posting))
            counting = _Counting(connection, rows, refuse, keep)
            size = rows.path.stat().st_size

            def told(share: float) -> None:
                bulk.stay(connection)
                progress(int(size * share))

            opening = nullcontext(file) if file else opened_for_queries(rows.path, rows.format, rows.given, told)
            with opening as opened:
                rating = _by_query(connection, rows, counting, opened, grain)
            if book is not None:
                for slot, posting in held:
                    book(slot, posting)
            return rating
    counting = _Counting(connection, rows, refuse, book, tell)
    return _row_by_row(connection, rows, counting, reading.open_file(rows.path, progress), rows_max)


def _row_by_row(
    connection: Connection, rows: Rows, counting: "_Counting", opened: File, rows_max: int | None = None
) -> Rating:
    found = (read for read in formats.named(rows.format).read(opened, rows.given) if isinstance(read, Read))
    some = islice(found, rows_max)
    while piece := list(islice(some, ROWS_AT_ONCE)):
        bulk.stay(connection)
        counting.count(piece)
    return counting.rating


def _by_query(
    connection: Connection, rows: Rows, counting: "_Counting", file: BulkFile, grain: Grain = Grain.SLOT
) -> Rating:
    """Rate the plain rows of a file together, and the odd ones among them one by one.

    Raises:
        NotPlain: it is better read row by row; nobody was told of any row then.
    """
    asked = rating_by_query.Question(
        given=rows.given, stream=rows.stream, containments=rows.containments, at=rows.at, grain=grain
    )
    rating = counting.rating

    def book(slot: int, posting: Posting) -> None:
        counting.book(slot, posting)
        rating.rows += posting.measures.rows
        rating.outcomes[RATED] += posting.measures.rows

    unserved = rating_by_query.rate(file, asked, counting.record, book)
    rating.unserved |= {_names(event) for event in unserved[:NAMES_MAX] if _named(event)}
    return _row_by_row(connection, rows, counting, file.odd()) if file.has_odd else rating


class _Counting:
    """Counts rows into sums, each id and each request once."""

    def __init__(
        self, connection: Connection, rows: Rows, refuse: Callable[[Refused], None], book: "Book | None" = None,
        tell: "Tell | None" = None,
    ) -> None:  # fmt: skip
        self.rating = Rating()
        self.book, self._tell = book or self._add, tell
        self.record, self._rows, self._refuse = Record(connection), rows, refuse
        self._ids: set[bytes] = set()
        self._requests: set[bytes] = set()

    def _add(self, slot: int, posting: Posting) -> None:
        self.rating.sums.add(slot, slot, posting)

    def count(self, piece: list[Read]) -> None:
        """Count some rows."""
        events = [(read.place, read.said) for read in piece if isinstance(read.said, Event)]
        if len(events) < len(piece):
            raise InvalidInput("in_place", "only usage is rated where it lies; import revenue and invoices without it")
        self.record.expect([event for _place, event in events])
        for place, event in events:
            outcome = self._outcome(event)
            self.rating.rows += 1
            if outcome.status == ingest.REFUSED:
                self._refuse(Refused(place, outcome.detail or ""))
            else:
                self.rating.outcomes[outcome.status] += 1

    def _outcome(self, event: Event) -> Result:
        rows, stream, id_ = self._rows, self._rows.stream, _digest(event.id)
        refused = ingest.refusal(event, stream, rows.at)
        if refused is not None:
            return refused
        if id_ in self._ids:
            return Result(ingest.KNOWN)
        judged = ingest.judge(event, stream, rows.containments, self.record)
        if isinstance(judged, Result):
            return judged
        self._ids.add(id_)
        if stream.role is Role.EVIDENCE:
            self.rating.evidence_usd += event.stated_usd or 0
            return Result(ingest.EVIDENCE)
        if event.request_id:
            # Most streams name a row for its request: then one digest stands in both sets.
            request = id_ if event.request_id == event.id else _digest(event.request_id)
            if request in self._requests:
                return Result(ingest.SAME_REQUEST)
            self._requests.add(request)
        if self._tell is not None:
            self._tell(event)
        slot = slot_of(event.at)
        self.book(slot, judged.posting)
        if judged.served.offer is None and len(self.rating.unserved) < NAMES_MAX and _named(event):
            self.rating.unserved.add(_names(event))
        return Result(RATED)


def _digest(id_: str) -> bytes:
    return blake2b(id_.encode(errors="surrogatepass"), digest_size=16).digest()


def _named(event: Event) -> bool:
    """Tell whether a row says enough for an offer to be known one day."""
    return event.offer is not None or (event.provider is not None and bool(event.model))


def _names(event: Event) -> Names:
    if event.offer is not None:
        return event.offer, event.channel, None, None, None
    return None, event.channel, event.provider, event.model, event.region


def served_now(connection: Connection) -> list[int]:
    """Return the imports some row of which nobody knew an offer of, and somebody does now."""
    found, tariffs = [], Tariffs(connection)
    for number, source, names in bulk.unserved(connection):
        feed = streams.required(connection, source).feed
        if any(tariffs.served(_event(one), feed).offer is not None for one in names):
            found.append(number)
    return found


def _event(names: Names) -> Event:
    offer, channel, provider, model, region = names
    return Event(
        source="-", id="-", at=slot_start(0), counts={}, offer=offer, channel=channel, provider=provider, model=model,
        region=region,
    )  # fmt: skip
