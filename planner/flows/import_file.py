"""A file of usage, cost, revenue or invoices is taken in: guessed, looked at as a whole, then booked piece by piece."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

from planner.core.errors import Conflict
from planner.core.event import Containment, Event, Role
from planner.core.invoice import InvoiceLine
from planner.core.posting import Measures
from planner.core.revenue import Item
from planner.flows import earnings, ingest, invoices, regrouped, renamed
from planner.flows.survey import Summary, known_containments, survey, survey_by_query
from planner.flows.vanished import Vanished, Whole, vanished
from planner.ledger import formats, reading
from planner.ledger.bulk_columns import NotPlain
from planner.ledger.bulk_file import opened_for_queries
from planner.ledger.format import File, Format, Given, Read, Refused
from planner.store import aggregates, imports, streams, usage
from planner.store.engine import Connection, Store
from planner.store.streams import Stream

ROWS_AT_ONCE = 2_000

BAD_ROWS = "a row cannot be read, and nothing was stored"
"""Why an import stopped; how such rows are left out instead is said by the door, in its own words."""

PREVIEWED = 1_000
Progress = Callable[[str, int, int], None]
"""Called with what is being done, and the bytes of the file that were read, of how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """What is to be taken in, and how.

    ``words`` are what a person said of its rows: fields of `planner.ledger.format.Given`; without a ``source`` the
    stream is named for the format. ``format`` None is guessed. ``role`` None is what the format is for. ``strict``
    stops before anything is stored where a single row cannot be read; otherwise such rows are left out and named.
    ``dry_run`` stores nothing. ``whole`` is the span of time of which the file has everything its stream has: rows on
    record there that it does not tell again count nothing any more.
    """

    path: Path
    name: str
    words: Mapping[str, Any]
    mapping: Mapping[str, Any] = field(default_factory=dict)
    format: str | None = None
    role: Role | None = None
    account: str = ""
    strict: bool = True
    dry_run: bool = False
    whole: Whole | None = None


class Undone(Exception):  # no error: what was tried is taken back
    """A dry run has seen enough."""


def import_file(
    store: Store, asked: Import, *, now: Callable[[], datetime], by: str, progress: Progress = lambda *_: None
) -> Summary:
    """Take a file in.

    It is read twice: once to see whether every row can be read and what its prompts contain, which no row shows alone,
    and once to book it, some thousand rows a transaction. Cut off in between, it is simply imported again: rows that
    are on record are known.

    Raises:
        InvalidInput: no known format, or the file as a whole cannot be read.
        Conflict: another stream that counts may tell of the same requests, or rows of this one came in between.
        AlreadyImported: another stream has exactly this file.
    """
    looked = look(store, asked, progress)
    chosen, given, summary = looked.chosen, looked.given, looked.summary
    if summary.stopped is not None:
        return summary
    opened = reading.open_file(asked.path, lambda done: progress("booking", done, looked.size))
    if asked.dry_run:
        _preview(store, opened, looked, now(), by)
        return summary

    def begin(connection: Connection) -> int:
        renamed.refuse(connection, looked.stream, looked.digest)
        if asked.whole is not None and aggregates.stored_since(connection, given.source, looked.next_row):
            raise _between(given.source)
        return imports.begin(connection, asked.name, looked.digest, chosen.name, given.source, now(), by)

    summary.import_id = store.tell(begin)
    for piece in _pieces(opened, looked):
        _told(store, piece, looked, now, by, alone=asked.whole is not None)
    store.tell(lambda connection: imports.finish(connection, summary.import_id or 0, written(summary)))
    return summary


class Looked(NamedTuple):
    """A file that was looked at as a whole, and nothing of it booked yet: how it is read, and what it showed.

    ``summary`` says so if it is not to be booked: ``stopped``. Rows of usage from the number ``next_row`` on were not
    there yet.
    """

    chosen: Format
    given: Given
    stream: Stream
    size: int
    digest: str
    summary: Summary
    vanished: tuple[Event, ...] = ()
    next_row: int = 0

    @property
    def containments(self) -> Mapping[str, Containment]:
        """Whether prompts contain their cached part, for each provider of which it is known."""
        return known_containments(self.summary)


def look(store: Store, asked: Import, progress: Progress, *, in_place: bool = False) -> Looked:
    """Look at a file as a whole, before anything of it is booked.

    Args:
        store: the database.
        asked: the file, and how it is taken in.
        progress: see `Progress`.
        in_place: its rows stay where they are, so that nobody knows them by their ids later.

    Raises:
        InvalidInput: no known format, or the file as a whole cannot be read.
        Conflict: another stream that counts, or this one under another grouping, may tell of the same requests, or the
            stream's rows lie elsewhere.
        AlreadyImported: another stream that counts has exactly this file.
    """
    size = asked.path.stat().st_size
    opened = reading.open_file(asked.path, lambda done: progress("reading", done, size))
    if asked.format is None:
        chosen, because = formats.guess(opened)
    else:
        chosen, because = formats.named(asked.format), "it was named"
    given = Given(**{**asked.words, "source": asked.words.get("source") or chosen.name}, mapping=asked.mapping)
    role = asked.role or chosen.role
    summary = Summary(
        file=asked.name, format=chosen.name, because=because, source=given.source, dry_run=asked.dry_run,
        role=role.value, strict=asked.strict, in_place=in_place,
    )  # fmt: skip
    # How a format spells providers is the first word of its name.
    stream = Stream(
        given.source, role, asked.role is not None, asked.account, chosen.name.partition("_")[0], chosen.mutable,
        in_place=in_place,
    )  # fmt: skip
    looked = Looked(chosen, given, stream, size, reading.digest(asked.path), summary)
    with store.read() as connection:
        summary.repeated = imports.find(connection, looked.digest, given.source)
        ingest.refuse_mixing(streams.find(connection, given.source), stream)
        renamed.refuse(connection, stream, looked.digest)
    if in_place and summary.repeated is not None:
        return looked
    told = _surveyed(asked, opened, looked, progress, by_query=in_place and store.by_query)
    known, next_row = list[Vanished](), 0
    if asked.strict and summary.refused_rows:
        summary.stopped = BAD_ROWS
        return looked
    known_containments(summary)
    if in_place:
        summary.told = tuple((event, dict.fromkeys(days, False)) for event, days in summary.told)
    with store.read() as connection:
        ingest.refuse_overlap(connection, stream, summary.told)
        if asked.whole is not None:
            known, next_row = vanished(connection, given.source, asked.whole, told), usage.next_row(connection)
        # As of other streams, a person may say that these rows count besides; each time, since a pull follows a pull.
        if asked.role is None and chosen.name in formats.GROUPED:
            regrouped.refuse(connection, stream, [*told, *(one.event for one in known)])
    summary.vanished = sum(not one.before for one in known)
    return looked._replace(vanished=tuple(one.event for one in known if not one.before), next_row=next_row)


def _surveyed(asked: Import, opened: File, looked: Looked, progress: Progress, *, by_query: bool) -> list[Event]:
    """See what all rows show, by queries where they stay in their file; return those that are held against others."""
    chosen, given, summary = looked.chosen, looked.given, looked.summary
    if by_query:
        with suppress(NotPlain):

            def told(share: float) -> None:
                progress("reading", int(looked.size * share), looked.size)

            with opened_for_queries(asked.path, chosen.name, given, told) as file:
                survey_by_query(file, chosen, given, summary)
                return []
    return survey(opened, chosen, given, summary, held=asked.whole is not None or chosen.name in formats.GROUPED)


def _pieces(opened: File, looked: Looked) -> Iterator[list[Read]]:
    told = (read for read in looked.chosen.read(opened, looked.given) if isinstance(read, Read))
    rows = chain((Read("not told again", event) for event in looked.vanished), told)
    while piece := list(islice(rows, ROWS_AT_ONCE)):
        yield piece


def _told(
    store: Store, piece: list[Read], looked: Looked, now: Callable[[], datetime], by: str, *, alone: bool
) -> None:  # fmt: skip
    def story(connection: Connection) -> list[ingest.Result]:
        if alone and imports.begun_since(connection, looked.given.source, looked.summary.import_id or 0):
            raise _between(looked.given.source)
        # The moment is asked for in here: nothing is recorded at a moment that was reported without it.
        return _book(connection, piece, looked, now(), by)

    outcomes = store.tell(story)
    _count(looked.summary, piece, outcomes)


def _between(source: str) -> Conflict:
    """Return why a span is not told as a whole: of rows that came in between nobody knows if it has them too."""
    return Conflict("import", source[:80], "other rows of this stream came in between: ask again")


def _book(connection: Connection, piece: list[Read], looked: Looked, at: datetime, by: str) -> list[ingest.Result]:
    events = [read.said for read in piece if isinstance(read.said, Event)]
    items = [read.said for read in piece if isinstance(read.said, Item)]
    lines = [read.said for read in piece if isinstance(read.said, InvoiceLine)]
    number, mutable, found = looked.summary.import_id, looked.chosen.mutable, dict[type, Iterator[ingest.Result]]()
    if items:
        found[Item] = iter(earnings.take(connection, items, at=at, by=by, mutable=mutable, import_id=number))
    if lines:
        if looked.stream.role is Role.EVIDENCE:
            # Whose spellings of providers it uses, and of which account it is, is known of a stream.
            ingest.enter(connection, looked.stream, at, by)
        found[InvoiceLine] = iter(invoices.take(connection, lines, at=at, by=by, mutable=mutable, import_id=number))
    if events:
        booked = ingest.ingest(
            connection, looked.stream, events, at=at, by=by, containments=looked.containments, import_id=number
        )
        found[Event] = iter(booked)
    results = [next(found[type(read.said)]) for read in piece]
    if mutable:
        invoices.take_place(
            connection, looked.given.source, zip((read.said for read in piece), results, strict=True), at
        )
    return results


def _count(summary: Summary, piece: list[Read], outcomes: list[ingest.Result]) -> None:
    for read, outcome in zip(piece, outcomes, strict=True):
        if outcome.status == ingest.REFUSED:
            summary.refuse_once(Refused(read.place, outcome.detail or ""))
            continue
        summary.outcomes[outcome.status] += 1
        if outcome.status == ingest.CONFLICT:
            summary.refuse(Refused(read.place, outcome.detail or ""))
        if outcome.status == ingest.EVIDENCE and isinstance(read.said, Event):
            summary.evidence_usd += read.said.stated_usd or 0
        if outcome.posting is not None and outcome.status in (ingest.STORED, ingest.NEWER):
            basis = outcome.posting.dims.cost_basis
            summary.measures[basis] = summary.measures.get(basis, Measures()) + outcome.posting.measures
            if outcome.posting.dims.unpriced:
                summary.unpriced[outcome.posting.dims.unpriced] += 1
        if isinstance(read.said, Item) and outcome.status in (ingest.STORED, ingest.NEWER):
            earnings.count(summary.revenue, read.said)
        if isinstance(read.said, InvoiceLine) and outcome.status in (ingest.STORED, ingest.NEWER):
            invoices.count(summary.invoiced, read.said)


def _preview(store: Store, opened: File, looked: Looked, at: datetime, by: str) -> None:
    """Book the first rows and take them back: what an import would say, without doing it."""
    rows = (read for read in looked.chosen.read(opened, looked.given) if isinstance(read, Read))
    piece, outcomes = list(islice(rows, PREVIEWED)), list[ingest.Result]()
    looked.summary.previewed = len(piece)

    def story(connection: Connection) -> None:
        outcomes[:] = _book(connection, piece, looked, at, by)
        raise Undone

    try:
        store.tell(story)
    except Undone:
        _count(looked.summary, piece, outcomes)
    except Conflict as conflict:
        looked.summary.stopped = str(conflict)


def written(summary: Summary) -> dict[str, object]:
    """Return what is kept of a summary: counts, and no contents."""
    return {
        "rows": summary.rows,
        "outcomes": dict(summary.outcomes),
        "refused": summary.refused_rows,
        "skipped": dict(summary.skipped),
        "unpriced": dict(summary.unpriced),
        **({"vanished": summary.vanished} if summary.vanished else {}),
    }
