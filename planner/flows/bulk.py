"""Bulk usage stays where it is: what the rows of a file come to is booked, and booked anew when something is learnt.

Ids are known within one file only, so what else a stream tells of the same days has to be confirmed by a person.
"""

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from planner.core.errors import Conflict, InvalidInput, Overtaken, PlannerError, RowsUnavailable
from planner.core.event import Event, Role
from planner.core.periods import period_of, slot_in, slot_start
from planner.core.posting import Measures, Sums
from planner.core.restating import difference
from planner.flows import ingest, renamed
from planner.flows.rating_in_place import Progress, Rating, Rows, rate
from planner.flows.second import By
from planner.ledger import reading
from planner.ledger.format import Given, Refused
from planner.store import audit, bulk, imports, json_text, periods, rollups, streams, work
from planner.store.bulk import InPlace
from planner.store.engine import Connection, Store
from planner.store.revision import read_heads
from planner.store.streams import Stream

STALE = "rows_unavailable"
"""What the summary of an import says, and since when, if its file could not be rated again."""

Told = Iterable[tuple[Event, Mapping[int, bool]]]


class Known(NamedTuple):
    """What was on record when a file was rated: the revision of the catalogue, what was said of rows, and its runs."""

    revision: int
    work: int
    run: int | None = None

    def outdated(self, connection: Connection) -> bool:
        """Tell whether anything was said of rows since."""
        return work.newest(connection) > self.work or (work.rated_revision(connection) or 0) > self.revision


class Rerated(NamedTuple):
    """What rating a file again came to: rows read, cells that differ, and the difference."""

    number: int
    file: str
    rows: int
    cells: int
    delta: Measures


# --- a file is imported -----------------------------------------------------------------------------------


def begin(connection: Connection, asked: Rows, by: str) -> Rows:
    """Write what is known of the stream of a file, and return how its rows are counted then.

    Raises:
        Conflict: the stream is in another role, of another account, or has its rows on record.
    """
    stream = ingest.enter(connection, asked.stream, asked.at, by)
    ingest.settle(connection, stream, (), asked.containments, asked.at)
    return replace(asked, stream=stream, containments=streams.containments(connection, stream.source))


def known(connection: Connection, number: int | None = None) -> Known:
    """Return what is on record now, of an import too, to find out later whether something was said in between."""
    run = None if number is None else bulk.newest_run(connection, number)
    return Known(read_heads(connection).catalogue, work.newest(connection), run)


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
        AlreadyImported: another stream that counts has exactly this file.
    """
    other = imports.find(connection, digest, rows.stream.source)
    if other is not None:
        return other, True
    renamed.refuse(connection, rows.stream, digest)
    days = refuse_overlap(connection, rows.stream, told, sure=sure)
    streams.note_days(connection, rows.stream, days)
    number = imports.begin(
        connection, name, digest, rows.format, rows.stream.source, rows.at, by, given=_form(rows.given),
        path=str(rows.path),
    )  # fmt: skip
    _book(connection, number, bulk.IMPORTED, rating, at)
    if rating.sums.facts and work.rated_revision(connection) is None:
        work.rate_through(connection, then.revision)
    if then.outdated(connection):
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
    closed, booked = periods.closed(connection), bulk.booked(connection, number)
    stands: dict[int, int] = {}
    for slot, booked_slot, _dims in booked.facts:
        stands[slot] = max(stands.get(slot, booked_slot), booked_slot)

    def placed(slot: int) -> int:
        # What was booked late is corrected where it was booked, also when its own month was opened again.
        period = period_of(slot_start(stands.get(slot, slot)))
        return slot_in(slot, closed.get(period, period))

    delta = difference(rating.sums, booked, placed)
    again = bulk.newest(connection, number) in (None, bulk.UNAVAILABLE)
    if delta.facts or again:
        bulk.record(connection, number, kind, delta, rating.unserved, at)
        rollups.apply(connection, delta)
    return delta


# --- it is rated again ------------------------------------------------------------------------------------


def again(store: Store, number: int, progress: Progress = lambda _: None) -> tuple[InPlace, Rating, Known]:
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
            return found, Rating(), known(connection, number)
    rows = Rows(
        path=Path(found.path), format=found.format, given=Given(**found.given), stream=stream, containments={},
        at=found.at,
    )  # fmt: skip
    try:
        before = mark(rows.path)
        if reading.digest(rows.path) != found.digest:
            raise unavailable(found, "the file has other bytes now")
        with store.read() as connection:
            stream = streams.required(connection, found.source)
            containments = streams.containments(connection, found.source)
            rating = rate(connection, replace(rows, stream=stream, containments=containments), progress=progress)
            then = known(connection, number)
        if mark(rows.path) != before:
            raise unavailable(found, "the file changed while it was read")
    except OSError:
        raise unavailable(found, "the file is not where it was") from None
    except InvalidInput as error:
        raise unavailable(found, f"{error.field}: {error.problem}") from None
    return found, rating, then


def mark(path: Path) -> tuple[int, int, int]:
    """Return what tells that a file is the one it was: its inode, its size, and when it was written.

    Raises:
        OSError: it is not there.
    """
    stat = path.stat()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def unavailable(found: InPlace, problem: str) -> RowsUnavailable:
    """Return the refusal for a file that cannot be read again."""
    return RowsUnavailable("import", str(found.id), problem, found.file)


def book_again(
    connection: Connection, found: InPlace, rating: Rating, then: Known, at: datetime, by: By | None = None
) -> Rerated:
    """Book what a file comes to more, or less, than is booked of it; in its own month, or else in the first open one.

    Args:
        connection: an open write transaction.
        found: the import.
        rating: what its rows come to.
        then: what was on record when it was rated.
        at: when this is recorded.
        by: who asked for it, if a person did.

    Raises:
        Overtaken: somebody else booked it since, who may know more.
    """
    if bulk.newest_run(connection, found.id) != then.run:
        raise Overtaken("import", str(found.id), "it was rated again by somebody else meanwhile")
    delta = _book(connection, found.id, bulk.RERATED, rating, at)
    if then.outdated(connection):
        work.add_files(connection, [found.id], at)
    imports.note(connection, found.id, STALE, None)
    total = sum(delta.facts.values(), Measures())
    done = Rerated(found.id, found.file, rating.rows, len(delta.facts), total)
    if by is not None:
        audit.record(
            connection, at=by.at, actor=by.actor, action="import.rerate", subject=str(found.id), reason=by.reason,
            before=None, after={"rows": done.rows, "cells": done.cells},
        )  # fmt: skip
    return done


def rerate(store: Store, number: int, now: Callable[[], datetime], by: By) -> Rerated:
    """Rate the file of an import again and book the difference, because a person wants it.

    Raises:
        NotFound: no import has this number.
        Conflict: its rows were taken in.
        RowsUnavailable: its file is gone, has other bytes, or cannot be read as it was.
        Overtaken: somebody else booked it meanwhile.
    """
    found, rating, then = again(store, number)
    return store.tell(lambda connection: book_again(connection, found, rating, then, now(), by))


def turn(store: Store, now: Callable[[], datetime]) -> Rerated | None:
    """Rate one file again that waits for it: outside any write transaction, as long as it takes. None: none waits.

    Where its rows are unavailable, that is written down and it waits no more. Where somebody else booked it meanwhile,
    it waits for one more turn.
    """
    held = store.tell(lambda connection: work.claim(connection, now()))
    if held is None:
        return None
    mine = held

    def booked(connection: Connection) -> Rerated:
        done = book_again(connection, found, rating, then, now())
        work.end(connection, mine, now())
        return done

    try:
        found, rating, then = again(store, mine.number)
        return store.tell(booked)
    except RowsUnavailable as gone:
        store.tell(lambda connection: _gone(connection, mine, now()))
        return Rerated(mine.number, gone.file, 0, 0, Measures())
    except Overtaken:
        store.tell(lambda connection: work.give_back(connection, mine))
        return Rerated(mine.number, "", 0, 0, Measures())
    except Exception:
        # Whatever stopped it: the file is anybody's again at once, and not only when the lease is over.
        with contextlib.suppress(PlannerError):
            store.tell(lambda connection: work.give_back(connection, mine))
        raise


def _gone(connection: Connection, held: work.Claim, at: datetime) -> None:
    if bulk.newest(connection, held.number) != bulk.UNAVAILABLE:
        bulk.record(connection, held.number, bulk.UNAVAILABLE, Sums(), (), at)
        imports.note(connection, held.number, STALE, json_text.time_text(at))
    work.end(connection, held, at)
