"""Bulk usage stays where it is: a file is rated where it lies, and only what its cells come to is booked.

The engine is one function, `rate`: the rows of a file -> sums. Its memory grows with the cells that are booked, and not
with the rows, but for 16 bytes of each id, so that no row counts twice: with all that Python needs for them, 100 bytes
for each row, and half as much again where rows name the provider's own request besides. Ids are known within
one file only, so what else a stream tells of the same days has to be confirmed by a person.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from planner.core.errors import Conflict, InvalidInput, PlannerError, RowsUnavailable
from planner.core.event import Containment, Event, Role
from planner.core.periods import period_bounds, period_of, slot_of, slot_start
from planner.core.posting import Measures, Sums
from planner.core.restating import difference
from planner.flows import ingest
from planner.flows.ingest import Result
from planner.flows.posting import Record
from planner.flows.second import By
from planner.ledger import formats, reading
from planner.ledger.format import Given, Read, Refused
from planner.store import audit, bulk, imports, json_text, periods, rollups, streams, work
from planner.store.bulk import InPlace, Names
from planner.store.engine import Connection, Store
from planner.store.revision import read_heads
from planner.store.streams import Stream
from planner.store.tariffs import Tariffs

RATED = "rated"
"""What becomes of a row that counts: it is nowhere but in its file and in the sums."""
ROWS_AT_ONCE = 2_000
NAMES_MAX = 1_000
"""Names without an offer that are kept of a file, to see when one becomes known."""
STALE = "rows_unavailable"
"""What the summary of an import says, and since when, if its file could not be rated again."""

Progress = Callable[[int], None]
Told = Iterable[tuple[Event, Mapping[int, bool]]]


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


class Known(NamedTuple):
    """What was on record when a file was rated: the revision of the catalogue, and what was said of rows by then."""

    revision: int
    work: int


class Rerated(NamedTuple):
    """What rating a file again came to: rows read, cells that differ, and the difference."""

    number: int
    file: str
    rows: int
    cells: int
    delta: Measures


def rate(
    connection: Connection, rows: Rows, *, refuse: Callable[[Refused], None] = lambda _: None,
    progress: Progress = lambda _: None, rows_max: int | None = None,
) -> Rating:  # fmt: skip
    """Rate the rows of a file by everything on record: the engine.

    Args:
        connection: one consistent read.
        rows: the file and how it is read.
        refuse: is told each row that cannot be counted.
        progress: is told how many bytes of the file were read.
        rows_max: how many rows are rated at most.

    Raises:
        InvalidInput: the file cannot be read, or tells of revenue.
    """
    counting, opened = _Counting(connection, rows, refuse), reading.open_file(rows.path, progress)
    found = (read for read in formats.named(rows.format).read(opened, rows.given) if isinstance(read, Read))
    some = islice(found, rows_max)
    while piece := list(islice(some, ROWS_AT_ONCE)):
        bulk.stay(connection)
        counting.count(piece)
    return counting.rating


class _Counting:
    """Counts rows into sums, each id and each request once."""

    def __init__(self, connection: Connection, rows: Rows, refuse: Callable[[Refused], None]) -> None:
        self.rating = Rating()
        self._record, self._rows, self._refuse = Record(connection), rows, refuse
        self._ids: set[bytes] = set()
        self._requests: set[bytes] = set()

    def count(self, piece: list[Read]) -> None:
        """Count some rows."""
        events = [(read.place, read.said) for read in piece if isinstance(read.said, Event)]
        if len(events) < len(piece):
            raise InvalidInput("in_place", "only usage is rated where it lies; import revenue without it")
        self._record.expect(event for _place, event in events)
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
        judged = ingest.judge(event, stream, rows.containments, self._record)
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
        slot = slot_of(event.at)
        self.rating.sums.add(slot, slot, judged.posting)
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


# --- a file is imported -----------------------------------------------------------------------------------


def begin(connection: Connection, asked: Rows, by: str) -> Rows:
    """Write what is known of the stream of a file, and return how its rows are counted then.

    Raises:
        Conflict: the stream is in another role, of another account, or has its rows on record.
    """
    stream = ingest.enter(connection, asked.stream, asked.at, by)
    ingest.settle(connection, stream, (), asked.containments, asked.at)
    return replace(asked, stream=stream, containments=streams.containments(connection, stream.source))


def known(connection: Connection) -> Known:
    """Return what is on record now, to find out later whether something was said in between."""
    return Known(read_heads(connection).catalogue, work.newest(connection))


def rated(
    store: Store, rows: Rows, *, refuse: Callable[[Refused], None] = lambda _: None,
    progress: Progress = lambda _: None,
) -> tuple[Rating, Known]:  # fmt: skip
    """Rate a file in one consistent read, however long that takes."""
    with store.read() as connection:
        return rate(connection, rows, refuse=refuse, progress=progress), known(connection)


def refuse_overlap(connection: Connection, stream: Stream, told: Told, *, sure: bool) -> Mapping[streams.Day, bool]:
    """Refuse rows that may have been told before, by another stream or by another file of this one.

    Args:
        connection: an open transaction.
        stream: the stream as it is asked for.
        told: one row for each way of naming who served it, and its days; no row that stays in its file is named.
        sure: whether a person says that these rows count besides what this stream told of the same days.

    Returns:
        The days that are told; none of evidence.

    Raises:
        Conflict: a person has to choose.
    """
    days = ingest.refuse_overlap(connection, stream, told)
    again = None if sure else streams.told_before(connection, stream.source, days)
    if again is not None:
        raise Conflict(
            "stream_overlap", stream.source[:80],
            "another file of it tells of the same provider and day, and rows that stay in their files are not known by "
            "their ids: role=ledger says that these are others",
        )  # fmt: skip
    return days


def take_in(
    connection: Connection, rows: Rows, rating: Rating, then: Known, told: Told, *, sure: bool, name: str, digest: str,
    at: datetime, by: str,
) -> tuple[int, bool]:  # fmt: skip
    """Book what the rows of a file come to, and write where they lie.

    Args:
        connection: an open write transaction.
        rows: the file as it was read.
        rating: what its rows come to.
        then: what was on record when it was rated.
        told: see `refuse_overlap`, as ``sure``.
        sure: see there.
        name: what the file is called.
        digest: of its bytes.
        at: when this is recorded.
        by: who imports it.

    Returns:
        The number of the import, and whether somebody else took the same file in meanwhile, so that nothing was done.

    Raises:
        Conflict: another stream that counts, or another file of this one, may have told the same.
    """
    other = imports.find(connection, digest, rows.stream.source)
    if other is not None:
        return other, True
    days = refuse_overlap(connection, rows.stream, told, sure=sure)
    streams.note_days(connection, rows.stream, days)
    number = imports.begin(
        connection, name, digest, rows.format, rows.stream.source, rows.at, by, given=_form(rows.given),
        path=str(rows.path),
    )  # fmt: skip
    _book(connection, number, bulk.IMPORTED, rating, at)
    if rating.sums.facts and work.rated_revision(connection) is None:
        work.rate_through(connection, then.revision)
    if work.newest(connection) > then.work or (work.rated_revision(connection) or 0) > then.revision:
        # What was said meanwhile was said of the files that were known by then.
        work.add_files(connection, [number], at)
    return number, False


def lies_at(connection: Connection, number: int, path: Path, at: datetime) -> None:
    """Write where the file of an import was found again; if it was missed meanwhile, it is rated again."""
    bulk.move(connection, number, str(path))
    if bulk.newest(connection, number) == bulk.UNAVAILABLE:
        work.add_files(connection, [number], at)


def _form(given: Given) -> dict[str, Any]:
    form = asdict(given)
    # TOML has moments, and JSON has none.
    form["mapping"] = {
        key: value.isoformat() if isinstance(value, datetime) else value for key, value in given.mapping.items()
    }
    return form


def _book(connection: Connection, number: int, kind: str, rating: Rating, at: datetime) -> Sums:
    closed = periods.closed(connection)

    def placed(slot: int) -> int:
        period = period_of(slot_start(slot))
        return slot_of(period_bounds(closed[period])[0]) if period in closed else slot

    delta = difference(rating.sums, bulk.booked(connection, number), placed)
    again = bulk.newest(connection, number) in (None, bulk.UNAVAILABLE)
    if delta.facts or again:
        bulk.record(connection, number, kind, delta, rating.unserved, at)
        rollups.apply(connection, delta)
    return delta


# --- it is rated again ------------------------------------------------------------------------------------


def again(store: Store, number: int, progress: Progress = lambda _: None) -> tuple[InPlace, Rating]:
    """Rate the file of an import once more, by everything that is on record now; nothing is booked yet.

    Raises:
        NotFound: no import has this number.
        Conflict: its rows were taken in.
        RowsUnavailable: its file is gone, has other bytes, or cannot be read as it was.
    """
    with store.read() as connection:
        found = bulk.one(connection, number)
        stream = streams.required(connection, found.source)
        if stream.role is Role.EVIDENCE:
            return found, Rating()
    rows = Rows(
        path=Path(found.path), format=found.format, given=Given(**found.given), stream=stream, containments={},
        at=found.at,
    )  # fmt: skip
    try:
        before = mark(rows.path)
        if reading.digest(rows.path) != found.digest:
            raise _unavailable(found, "the file has other bytes now")
        with store.read() as connection:
            stream = streams.required(connection, found.source)
            containments = streams.containments(connection, found.source)
            rating = rate(connection, replace(rows, stream=stream, containments=containments), progress=progress)
        if mark(rows.path) != before:
            raise _unavailable(found, "the file changed while it was read")
    except OSError:
        raise _unavailable(found, "the file is not where it was") from None
    except InvalidInput as error:
        raise _unavailable(found, f"{error.field}: {error.problem}") from None
    return found, rating


def mark(path: Path) -> tuple[int, int, int]:
    """Return what tells that a file is the one it was: its inode, its size, and when it was written.

    Raises:
        OSError: it is not there.
    """
    stat = path.stat()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _unavailable(found: InPlace, problem: str) -> RowsUnavailable:
    return RowsUnavailable("import", str(found.id), problem, found.file)


def book_again(connection: Connection, found: InPlace, rating: Rating, at: datetime, by: By | None = None) -> Rerated:
    """Book what a file comes to more, or less, than is booked of it; in its own month, or else in the first open one.

    Args:
        connection: an open write transaction.
        found: the import.
        rating: what its rows come to now.
        at: when this is recorded.
        by: who asked for it, if a person did.
    """
    delta = _book(connection, found.id, bulk.RERATED, rating, at)
    imports.note(connection, found.id, STALE, None)
    total = sum(delta.facts.values(), Measures())
    done = Rerated(found.id, found.file, rating.rows, len(delta.facts), total)
    if by is not None:
        audit.record(
            connection, at=at, actor=by.actor, action="import.rerate", subject=str(found.id), reason=by.reason,
            before=None, after={"rows": done.rows, "cells": done.cells},
        )  # fmt: skip
    return done


def rerate(store: Store, number: int, now: Callable[[], datetime], by: By) -> Rerated:
    """Rate the file of an import again and book the difference, because a person wants it.

    Raises:
        NotFound: no import has this number.
        Conflict: its rows were taken in.
        RowsUnavailable: its file is gone, has other bytes, or cannot be read as it was.
    """
    found, rating = again(store, number)
    return store.tell(lambda connection: book_again(connection, found, rating, now(), by))


def turn(store: Store, now: Callable[[], datetime]) -> Rerated | None:
    """Rate one file again that waits for it: outside any write transaction, as long as it takes. None: none waits.

    Where its rows are unavailable, that is written down and it waits no more.
    """
    held = store.tell(lambda connection: work.claim(connection, now()))
    if held is None:
        return None
    mine = held

    def booked(connection: Connection) -> Rerated:
        done = book_again(connection, found, rating, now())
        work.end(connection, mine, now())
        return done

    try:
        found, rating = again(store, mine.number)
        return store.tell(booked)
    except RowsUnavailable as gone:
        store.tell(lambda connection: _gone(connection, mine, now()))
        return Rerated(mine.number, gone.file, 0, 0, Measures())
    except Exception:
        with contextlib.suppress(PlannerError):
            store.tell(lambda connection: work.give_back(connection, mine))
        raise


def _gone(connection: Connection, held: work.Claim, at: datetime) -> None:
    if bulk.newest(connection, held.number) != bulk.UNAVAILABLE:
        bulk.record(connection, held.number, bulk.UNAVAILABLE, Sums(), (), at)
        imports.note(connection, held.number, STALE, json_text.time_text(at))
    work.end(connection, held, at)
