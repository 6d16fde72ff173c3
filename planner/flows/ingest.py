"""Usage comes in: each row is counted once, priced at its own time, and booked, all in one transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from planner.core.errors import Conflict, NotFound
from planner.core.event import LARGER, NO_CACHE, UNKNOWN, Containment, Event, Judge, Role
from planner.core.money import PICO, pico_text
from planner.core.posting import Posting
from planner.core.rating import unreadable
from planner.flows.posting import Judged, Record
from planner.flows.successors import contested, days_told, hand_over, has_cost, succeed
from planner.store import periods, rollups, streams, usage, work
from planner.store.engine import Connection
from planner.store.streams import Stream
from planner.store.tariffs import Tariffs
from planner.store.usage import Change, New, Stored

STORED, KNOWN, EVIDENCE, SAME_REQUEST, NEWER, OLDER, CONFLICT, REFUSED = (
    "stored", "duplicate", "evidence", "same_request", "superseded", "outdated", "conflict", "invalid",
)  # fmt: skip
# More than any single row of usage ever cost: what a column of 64 bits holds.
USD_MAX = (2**63 - 1) // PICO
FUTURE_HOURS_MAX = 24
# Before that there was nothing to pay for: what says so was not dated, or counts its days from 1900.
AT_MIN = datetime(2000, 1, 1, tzinfo=UTC)
# Beyond what any row ever counted, and few enough that millions of rows add up in 64 bits.
COUNT_MAX = 10**13


class Result(NamedTuple):
    """What became of a row: what was booked for it, and why it was not taken, or what it equals."""

    status: str
    detail: str | None = None
    posting: Posting | None = None
    ttl_assumed: bool = False


@dataclass(slots=True)
class _Batch:
    connection: Connection
    stream: Stream
    at: datetime
    by: str
    import_id: int | None
    record: Record
    containments: dict[str, Containment]
    rows: list[New]
    changes: list[Change]
    next_row: int
    freed: list[str] = field(default_factory=list)  # requests whose row became another request's
    doubtful: list[str] = field(default_factory=list)  # those that may count by a row without a cost, and need not


class _Fresh(NamedTuple):
    """A row of this batch that was taken in: what it says, and what is booked for it."""

    digest: str
    posting: Posting | None


def ingest(
    connection: Connection,
    stream: Stream,
    events: Sequence[Event],
    *,
    at: datetime,
    by: str,
    containments: Mapping[str, Containment] | None = None,
    import_id: int | None = None,
) -> list[Result]:
    """Take rows of one stream in.

    Args:
        connection: an open write transaction; the caller commits it, and acknowledges after that.
        stream: the stream as it was asked for; what a person chose for it before goes first.
        events: its rows, in any order.
        at: when they are recorded.
        by: who sends them.
        containments: whether prompts contain their cached part, by provider as the stream spells it, where somebody
            looked at all rows first. Else it is judged from what was seen until now.
        import_id: the import they belong to.

    Returns:
        What became of each row, in their order.

    Raises:
        Conflict: another stream that counts may have told the same requests, and neither names them: a person has to
            choose which one counts.
    """
    stream = enter(connection, stream, at, by)
    settle(connection, stream, events, containments, at)
    batch = _Batch(
        connection, stream, at, by, import_id, Record(connection), streams.containments(connection, stream.source),
        [], [], usage.next_row(connection),
    )  # fmt: skip
    batch.record.expect(events)
    known: dict[str, Stored | _Fresh] = dict(usage.by_ids(connection, stream.source, [event.id for event in events]))
    requests = usage.by_requests(connection, [event.request_id for event in events if event.request_id])
    newest = _newest(events) if stream.mutable else {}
    results = [_take(batch, event, known, requests, newest.get(event.id, event)) for event in events]
    if stream.role is Role.LEDGER:
        _note_days(batch)
    usage.insert(connection, batch.rows, usage.numbered(connection, batch.changes), import_id, at, by)
    fresh = {new.row for new in batch.rows}
    closed = periods.closed(connection)
    rollups.apply(connection, usage.book(connection, batch.changes, closed, at, fresh))
    if batch.freed:
        rollups.apply(connection, usage.book(connection, succeed(connection, batch.freed), closed, at))
    if batch.doubtful:
        results = _handed_over(batch, events, results, closed)
    if batch.changes and work.rated_revision(connection) is None:
        work.rate_through(connection, batch.record.tariffs.revision)
    return results


def enter(connection: Connection, asked: Stream, at: datetime, by: str) -> Stream:
    """Return a stream as it is on record, after what is asked for it now.

    Raises:
        Conflict: it is in another role, of another account, or its rows lie elsewhere.
    """
    found = streams.find(connection, asked.source)
    refuse_mixing(found, asked)
    if found is None:
        streams.keep(connection, asked, at, by)
        return asked
    if asked.chosen and (asked.role, asked.account) != (found.role, found.account):
        if asked.role is not found.role:
            raise Conflict("stream", asked.source[:80], f"its role is {found.role}: planner streams set changes it")
        raise Conflict("stream", asked.source[:80], "it belongs to another account")
    if asked.chosen and not found.chosen:
        found = replace_role(found, asked.role)
        streams.keep(connection, found, at, by)
    # A stream that was seen before keeps its role and account; how it spells providers is the door's to say, and is
    # kept for when its rows are booked anew.
    told = found._replace(feed=asked.feed or found.feed, mutable=asked.mutable or found.mutable)
    if told != found:
        streams.keep(connection, told, at, by)
    return told


def refuse_mixing(found: Stream | None, asked: Stream) -> None:
    """Refuse rows of a stream whose others lie elsewhere: those on record are known by their ids, and no others are.

    Raises:
        Conflict: its rows are on record and these lie in a file, or the other way round.
    """
    if found is not None and found.in_place is not asked.in_place:
        where = "are rated in place" if found.in_place else "are on record"
        raise Conflict("stream", asked.source[:80], f"its rows {where}: name another stream for these")


def replace_role(stream: Stream, role: Role) -> Stream:
    """Return a stream in the role that a person chose."""
    return stream._replace(role=role, chosen=True)


def settle(
    connection: Connection,
    stream: Stream,
    events: Sequence[Event],
    found: Mapping[str, Containment] | None,
    at: datetime,
) -> None:
    """Write what these rows show of the stream's prompts; where that is news, what was booked before is booked anew."""
    before = streams.containments(connection, stream.source)
    if found is None:
        judges: dict[str, Judge] = {}
        for event in events:
            judges.setdefault(event.provider or "", Judge()).see(event)
        found = {provider: judge.verdict() for provider, judge in judges.items()}
    for provider, containment in found.items():
        known = before.get(provider)
        # That nothing was cached until now says nothing of a row that will be.
        if containment.because in (UNKNOWN, NO_CACHE) or (known is not None and known.because == LARGER):
            continue
        if known is None or containment.because == LARGER:
            streams.settle(connection, stream.source, provider, containment, at)
            if known is not None and known.includes_cached != containment.includes_cached:
                work.add(connection, "stream", {"source": stream.source, "provider": provider}, at)


def _take(
    batch: _Batch, event: Event, known: dict[str, Stored | _Fresh], requests: dict[str, tuple[str, str]],
    newest: Event,
) -> Result:  # fmt: skip
    (document, digest), old = usage.written(event), known.get(event.id)
    if newest is not event and usage.written(newest)[1] != digest:
        return Result(OLDER, "a newer version of this row came with it")
    settled = refusal(event, batch.stream, batch.at) or _settled(batch, event, digest, old)
    if settled is not None:
        return settled
    judged = judge(event, batch.stream, batch.containments, batch.record)
    if isinstance(judged, Result):
        return judged
    other = requests.get(event.request_id or "", (event.source, event.id))
    state, status, detail = usage.LIVE, STORED, None
    if batch.stream.role is Role.EVIDENCE:
        state, status = usage.EVIDENCE, EVIDENCE
    elif other != (event.source, event.id):
        state, status, detail = usage.DUPLICATE, SAME_REQUEST, f"{other[0]} {other[1]}"
    if isinstance(old, Stored):
        status = NEWER if status == STORED else status
        _supersede(batch, old, event, state)
    row, batch.next_row = batch.next_row, batch.next_row + 1
    batch.rows.append(New(row, event, document, digest, state, judged.served.offer))
    known[event.id] = _Fresh(digest, judged.posting if state == usage.LIVE else None)
    costs = has_cost(judged.posting)
    if event.request_id and (costs if state == usage.DUPLICATE else status == NEWER and not costs):
        batch.doubtful.append(event.request_id)
    if state != usage.LIVE:
        return Result(status, detail, ttl_assumed=judged.ttl_assumed)
    batch.changes.append(Change("usage", row, event.at, None, judged.posting))
    if event.request_id:
        requests[event.request_id] = event.source, event.id
    return Result(status, detail, judged.posting, judged.ttl_assumed)


def _supersede(batch: _Batch, old: Stored, event: Event, state: str) -> None:
    """Take the version of a row back that a newer one, in this state, takes the place of."""
    usage.mark(batch.connection, old.row, usage.SUPERSEDED)
    if old.posting is not None:
        batch.changes.append(Change("superseded", old.row, old.event.at, old.posting, None, old.booked_in))
        # The newer one counts for no request where its stream is evidence, and the older was not booked back yet.
        if old.event.request_id and (old.event.request_id != event.request_id or state == usage.EVIDENCE):
            batch.freed.append(old.event.request_id)


def _newest(events: Sequence[Event]) -> dict[str, Event]:
    """Return the newest version of each row: the one that was touched last, or else that came last."""
    found: dict[str, Event] = {}
    for event in events:
        had = found.get(event.id)
        if had is None or not _later(had, event):
            found[event.id] = event
    return found


def _later(event: Event, other: Event) -> bool:
    return event.updated_at is not None and (other.updated_at is None or event.updated_at > other.updated_at)


def _settled(batch: _Batch, event: Event, digest: str, old: Stored | _Fresh | None) -> Result | None:
    """Return what there is to say of a row whose id is known, or None where it is new or takes the old one's place."""
    if old is None:
        return None
    if old.digest == digest:
        if isinstance(old, Stored) and _later(event, old.event):
            # It says the same once more, and later: what was said in between is older.
            usage.rewrite(batch.connection, old.row, usage.written(event)[0])
        return Result(KNOWN, posting=old.posting)
    if isinstance(old, _Fresh):
        return Result(CONFLICT, "this id was sent at the same time with another body")
    if not batch.stream.mutable or old.state == usage.VOIDED:
        return Result(CONFLICT, "this id was sent before with another body")
    if event.updated_at and old.event.updated_at and event.updated_at <= old.event.updated_at:
        return Result(OLDER, "a newer version of this row is on record", old.posting)
    return None


def refusal(event: Event, stream: Stream, at: datetime) -> Result | None:
    """Return why a row that comes at a moment is not taken, whatever it counts; None where nothing is wrong."""
    if (event.at - at).total_seconds() > FUTURE_HOURS_MAX * 3600:
        return Result(REFUSED, "at: more than a day from now")
    if event.at < AT_MIN:
        return Result(REFUSED, f"at: before {AT_MIN.year}")
    if event.until is not None and event.until - event.at > usage.LONGEST and stream.role is Role.LEDGER:
        return Result(REFUSED, f"until: one row is of {usage.LONGEST.days} days at most")
    # Who bills may give back what was billed; what a request cost is no less than nothing.
    least = -USD_MAX if stream.role is Role.EVIDENCE else 0
    if event.stated_usd is not None and not least <= event.stated_usd <= USD_MAX:
        return Result(REFUSED, f"stated_usd: from {least} to {USD_MAX} is needed")
    return None


def judge(
    event: Event, stream: Stream, containments: Mapping[str, Containment], record: Record
) -> Judged | Result:  # fmt: skip
    """Return what is to be booked for a row of a stream, or why it is not taken."""
    containment = containments.get(event.provider or "")
    includes = event.includes_cached if containment is None else containment.includes_cached
    if includes is None:
        if any(event.counts.get(name) for name in _CACHED):
            return Result(
                REFUSED, "includes_cached: the stream does not say if input_tokens contain what a cache served"
            )
        includes = True
    wrong = unreadable(event, includes_cached=includes)
    if wrong is not None:
        return Result(REFUSED, wrong)
    if any(count > COUNT_MAX for count in event.counts.values()):
        return Result(REFUSED, f"counts: at most {COUNT_MAX} of anything is one row")
    judged = record.judge(event, feed=stream.feed, includes_cached=includes)
    if max(judged.posting.measures.high, judged.posting.measures.list) > USD_MAX * PICO:
        return Result(REFUSED, f"counts: one row that costs more than {USD_MAX} USD is a mistake")
    return judged


_CACHED = ("cache_read_tokens", "cache_write_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")


def _handed_over(
    batch: _Batch, events: Sequence[Event], results: Sequence[Result], closed: Mapping[str, str]
) -> list[Result]:
    """Let rows with a cost count in place of those without; return what became of each row of the batch after all."""
    connection, said = batch.connection, dict[tuple[str, str], Result]()
    found = contested(connection, batch.doubtful)
    if not found:
        return list(results)
    mine = [one for one in found if one.counts.event.source == batch.stream.source]
    _refuse(connection, batch.stream, days_told((one.judged.served.party, one.counts.event) for one in mine))
    rollups.apply(connection, usage.book(connection, hand_over(connection, found), closed, batch.at))
    for old, new, judged in found:
        first, second = ((one.event.source, one.event.id) for one in (old, new))
        said[first] = Result(SAME_REQUEST, " ".join(second))
        said[second] = Result(
            STORED, f"counts in place of {' '.join(first)}, which has no cost", judged.posting, judged.ttl_assumed
        )
    return [
        said.get((event.source, event.id), result) if result.status in (STORED, NEWER, SAME_REQUEST) else result
        for event, result in zip(events, results, strict=True)
    ]


def _note_days(batch: _Batch) -> None:
    live = [new.event for new in batch.rows if new.state == usage.LIVE]
    days = days_told((batch.record.tariffs.served(event, batch.stream.feed).party, event) for event in live)
    _refuse(batch.connection, batch.stream, days)
    streams.note_days(batch.connection, batch.stream, days)


def refuse_overlap(
    connection: Connection, stream: Stream, told: Iterable[tuple[Event, Mapping[int, bool]]]
) -> Mapping[streams.Day, bool]:
    """Refuse rows that another stream may have told, before any of them is taken in.

    Args:
        connection: one consistent read.
        stream: the stream as it is asked for.
        told: one row for each way of naming who served it, and for each day whether all its rows name the request.

    Returns:
        On which days who is paid for these rows, and whether all of them name the request; nothing of evidence.

    Raises:
        Conflict: a person has to choose which stream counts.
    """
    found = streams.find(connection, stream.source)
    stream = stream if found is None or stream.chosen else found
    if stream.role is Role.EVIDENCE:
        return {}
    tariffs = Tariffs(connection)
    days = streams.days_of(
        (tariffs.served(event, stream.feed).party, day, named) for event, days in told for day, named in days.items()
    )
    _refuse(connection, stream, days)
    return days


def _refuse(connection: Connection, stream: Stream, days: Mapping[streams.Day, bool]) -> None:
    other = None if stream.chosen else streams.told_twice(connection, stream, days)
    if other is not None:
        raise Conflict(
            "stream_overlap", stream.source[:80],
            f"{other} tells of the same provider and day, and not both name the provider's request ids: "
            "choose with role=ledger or role=evidence",
        )  # fmt: skip


def void(connection: Connection, source: str, id_: str, *, at: datetime, by: str) -> Result:
    """Take a row back: what was booked for it is booked back, and its id stays used.

    Raises:
        NotFound: there is no such row.
        Conflict: it was taken back before.
    """
    found = usage.by_ids(connection, source, [id_]).get(id_)
    if found is None:
        raise NotFound("usage", f"{source} {id_}"[:200])
    if found.state == usage.VOIDED:
        raise Conflict("usage", id_[:80], "it was voided before")
    usage.mark(connection, found.row, usage.VOIDED)
    if found.posting is not None:
        changes = [Change("voided", found.row, found.event.at, found.posting, None, found.booked_in)]
        if found.event.request_id:
            changes += succeed(connection, [found.event.request_id])
        rollups.apply(connection, usage.book(connection, changes, periods.closed(connection), at))
    del by
    return Result("voided", posting=found.posting)


def reported_usd(posting: Posting | None) -> str | None:
    """Return what a row cost, as text; None where nobody knows or nothing is booked."""
    if posting is None or posting.dims.cost_basis != "rated":
        return None
    return pico_text(posting.measures.cost)
