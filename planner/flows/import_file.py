"""A file of usage, cost, revenue or invoices is taken in: guessed, looked at as a whole, then booked piece by piece."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from planner.core.errors import Conflict, InvalidInput
from planner.core.event import UNKNOWN, Containment, Event, Judge, Role
from planner.core.invoice import InvoiceLine
from planner.core.posting import Measures
from planner.core.rating import unreadable
from planner.core.revenue import Item
from planner.flows import earnings, ingest, invoices, regrouped, renamed
from planner.flows.successors import days_of
from planner.ledger import formats, reading
from planner.ledger.format import File, Format, Given, Read, Refused, Skipped
from planner.store import imports, streams
from planner.store.engine import Connection, Store
from planner.store.streams import Stream

ROWS_AT_ONCE = 2_000
NAMED_MAX = 100
"""Rows that are named in a summary, of those that were refused; all are counted."""

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
    ``dry_run`` stores nothing.
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


@dataclass(slots=True)
class Summary:
    """What was found in a file, and what became of it.

    ``outcomes`` counts rows by what became of them, ``refused`` names those that could not be read with their reasons,
    ``skipped`` counts those left out on purpose by reason. ``containment`` says for each provider whether prompts
    contain their cached part, and how that is known. ``measures`` are of the rows that were booked by this import,
    ``unpriced`` counts those without a cost by reason; ``evidence_usd`` is what rows state that do not count.
    ``revenue`` is what items come to, and ``invoiced`` what lines of invoices do: kind and currency -> amount.
    ``in_place``: the rows stay in their file.
    """

    file: str
    format: str
    because: str
    source: str
    role: str
    dry_run: bool
    strict: bool
    in_place: bool = False
    import_id: int | None = None
    repeated: int | None = None
    rows: int = 0
    previewed: int | None = None
    outcomes: Counter[str] = field(default_factory=Counter)
    refused: list[Refused] = field(default_factory=list)
    refused_rows: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    containment: dict[str, Containment] = field(default_factory=dict)
    measures: dict[str, Measures] = field(default_factory=dict)
    unpriced: Counter[str] = field(default_factory=Counter)
    evidence_usd: Decimal = Decimal(0)
    revenue: dict[tuple[str, str], str] = field(default_factory=dict)
    invoiced: dict[tuple[str, str], str] = field(default_factory=dict)
    stopped: str | None = None
    told: tuple[tuple[Event, dict[int, bool]], ...] = ()

    def refuse(self, refused: Refused) -> None:
        """Count a row that cannot be read, and name it while there are few."""
        self.refused_rows += 1
        if len(self.refused) < NAMED_MAX:
            self.refused.append(refused)

    def refuse_once(self, refused: Refused) -> None:
        """Do the same with a row that may have been refused before, when the whole file was looked at."""
        if not any(known.place == refused.place for known in self.refused):
            self.refuse(refused)


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
        Conflict: another stream that counts may tell of the same requests.
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
        return imports.begin(connection, asked.name, looked.digest, chosen.name, given.source, now(), by)

    summary.import_id = store.tell(begin)
    for piece in _pieces(opened, chosen, given):
        _told(store, piece, looked, now, by)
    store.tell(lambda connection: imports.finish(connection, summary.import_id or 0, written(summary)))
    return summary


class Looked(NamedTuple):
    """A file that was looked at as a whole, and nothing of it booked yet: how it is read, and what it showed.

    ``summary`` says so if it is not to be booked: ``stopped``.
    """

    chosen: Format
    given: Given
    stream: Stream
    size: int
    digest: str
    summary: Summary

    @property
    def containments(self) -> Mapping[str, Containment]:
        """Whether prompts contain their cached part, for each provider of which it is known."""
        found = self.summary.containment.items()
        return {provider: one for provider, one in found if one.includes_cached is not None}


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
    pulled = _survey(opened, chosen, given, summary)
    if asked.strict and summary.refused_rows:
        summary.stopped = BAD_ROWS
        return looked
    undecided = [provider or "-" for provider, found in summary.containment.items() if found.because == UNKNOWN]
    if undecided:
        raise InvalidInput(
            "includes_cached",
            f"it is not known whether prompts of {', '.join(undecided)} contain their cached part: say",
        )
    if in_place:
        summary.told = tuple((event, dict.fromkeys(days, False)) for event, days in summary.told)
    with store.read() as connection:
        ingest.refuse_overlap(connection, stream, summary.told)
        # As of other streams, a person may say that these rows count besides; each time, since a pull follows a pull.
        if asked.role is None:
            regrouped.refuse(connection, stream, pulled)
    return looked


class _Survey:
    """What all rows of a file show together: what prompts contain, who was paid on which days, what is impossible."""

    def __init__(self, given: Given) -> None:
        self._given = given
        self._judges: dict[str, Judge] = {}
        # Whether counts contradict each other depends on what the prompts contain, which the last row may decide.
        self._doubtful: list[tuple[str, str, dict[bool, str | None]]] = []
        self._told: dict[tuple[str | None, ...], tuple[Event, dict[int, bool]]] = {}

    def see(self, place: str, event: Event) -> None:
        """Note what one row shows."""
        provider = event.provider or ""
        if any(event.counts.get(name) for name in _TOKENS):
            self._judges.setdefault(provider, Judge(self._given.includes_cached)).see(event)
        problems = {inside: unreadable(event, includes_cached=inside) for inside in (True, False)}
        # A row that is impossible one way only says which way it is, and that is the judge's to weigh.
        if problems[False] is not None:
            self._doubtful.append((place, provider, problems))
        named = event.request_id is not None
        _event, days = self._told.setdefault((event.offer, event.channel, provider, event.model), (event, {}))
        for day in days_of(event):
            days[day] = days.get(day, True) and named

    def end(self, summary: Summary) -> None:
        """Write what was found."""
        summary.containment = {provider: judge.verdict() for provider, judge in self._judges.items()}
        for place, provider, problems in self._doubtful:
            found = summary.containment.get(provider)
            problem = problems[found is None or found.includes_cached is not False]
            if problem is not None:
                summary.refuse(Refused(place, problem))
        summary.told = tuple(self._told.values())


_TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens")


def _survey(opened: File, chosen: Format, given: Given, summary: Summary) -> list[Event]:
    """See whether every row can be read, and what they show together; return those that were grouped as was asked."""
    survey, grouped = _Survey(given), list[Event]()
    for read in chosen.read(opened, given):
        summary.rows += 1
        if isinstance(read, Refused):
            summary.refuse(read)
        elif isinstance(read, Skipped):
            summary.skipped[read.reason] += 1
        elif isinstance(read.said, Event):
            survey.see(read.place, read.said)
            if chosen.name in formats.GROUPED:
                grouped.append(read.said)
        elif isinstance(read.said, Item) and summary.role == Role.EVIDENCE.value:
            raise InvalidInput("role", "revenue has none and always counts: leave it out")
    survey.end(summary)
    return grouped


def _pieces(opened: File, chosen: Format, given: Given) -> Iterator[list[Read]]:
    rows = (read for read in chosen.read(opened, given) if isinstance(read, Read))
    while piece := list(islice(rows, ROWS_AT_ONCE)):
        yield piece


def _told(store: Store, piece: list[Read], looked: Looked, now: Callable[[], datetime], by: str) -> None:
    # The moment is asked for inside the transaction: nothing is recorded at a moment that was reported without it.
    outcomes = store.tell(lambda connection: _book(connection, piece, looked, now(), by))
    _count(looked.summary, piece, outcomes)


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
    return [next(found[type(read.said)]) for read in piece]


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
    }
