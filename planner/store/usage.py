"""Rows of usage as they were said, and the lines they were booked in."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from planner.core.event import Event
from planner.core.event_form import read_event, write_event
from planner.core.money import pico_text
from planner.core.periods import period_of, slot_in, slot_of
from planner.core.posting import RATED, Posting, Sums
from planner.store import json_text
from planner.store.recall import BATCH
from planner.store.tables import ledger, offers

LIVE, EVIDENCE, DUPLICATE, VOIDED, SUPERSEDED = "live", "evidence", "duplicate", "voided", "superseded"
Condition = sa.ColumnElement[bool]
"""Which rows are meant."""

_e, _l = ledger.usage_events.c, ledger.ledger_lines.c
# Written out, and not parameters, so that the indices of these few rows and lines are used.
_CHANGES = _l.kind != sa.literal_column("'usage'")
_DUPLICATES = _e.state == sa.literal_column("'duplicate'")
_COUNTING = _e.state == sa.literal_column("'live'")


class Stored(NamedTuple):
    """A row as it is on record: what was said, in which state it is, and what is booked for it now."""

    row: int
    event: Event
    digest: str
    state: str
    offer: str | None
    posting: Posting | None
    booked_in: str | None


_COLUMNS = (
    _e.id, _e.document, _e.digest, _e.state, _e.offer_id, _l.new, _l.booked_in,
)  # fmt: skip


def _stored(row: Any) -> Stored:  # noqa: ANN401  # a row of `_COLUMNS`
    posting = None if row.new is None else Posting.read(json_text.load(row.new))
    event = read_event(json_text.load(row.document))
    return Stored(row.id, event, row.digest, row.state, row.offer_id, posting, row.booked_in)


def _query(*where: sa.ColumnElement[bool]) -> sa.Select[Any]:
    joined = ledger.usage_events.outerjoin(ledger.ledger_lines, _l.id == _e.line_id)
    return sa.select(*_COLUMNS).select_from(joined).where(*where)


def written(event: Event) -> tuple[str, str]:
    """Return a row as it is stored, and the digest of what it says; when it was last touched is no part of that."""
    form = write_event(event)
    document = json_text.dump(form)
    said = document if form.pop("updated_at", None) is None else json_text.dump(form)
    return document, json_text.digest(said)


def by_ids(connection: sa.Connection, source: str, ids: Iterable[str]) -> dict[str, Stored]:
    """Return the current rows of a stream with these ids."""
    found: dict[str, Stored] = {}
    wanted = sorted(set(ids))
    for start in range(0, len(wanted), BATCH):
        place = _e.source == source, _e.event_id.in_(wanted[start : start + BATCH]), _e.state != SUPERSEDED
        for row in connection.execute(_query(*place)):
            stored = _stored(row)
            found[stored.event.id] = stored
    return found


def by_requests(connection: sa.Connection, requests: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return which row counts for a provider's own request ids: request id -> (source, id)."""
    found: dict[str, tuple[str, str]] = {}
    wanted = sorted(set(requests))
    for start in range(0, len(wanted), BATCH):
        query = sa.select(_e.request_id, _e.source, _e.event_id).where(
            _e.request_id.in_(wanted[start : start + BATCH]), _COUNTING
        )
        found |= {request: (source, id_) for request, source, id_ in connection.execute(query)}
    return found


def counting(connection: sa.Connection, requests: Iterable[str]) -> list[Stored]:
    """Return the rows that count for a provider's own request ids."""
    found: list[Stored] = []
    wanted = sorted(set(requests))
    for start in range(0, len(wanted), BATCH):
        query = _query(_e.request_id.in_(wanted[start : start + BATCH]), _COUNTING)
        found += [_stored(row) for row in connection.execute(query)]
    return found


def waiting(connection: sa.Connection, requests: Iterable[str]) -> list[Stored]:
    """Return rows of streams that count whose request counted by another row, the oldest first."""
    counts = sa.select(ledger.streams.c.source).where(ledger.streams.c.role == "ledger")
    found: list[Stored] = []
    wanted = sorted(set(requests))
    for start in range(0, len(wanted), BATCH):
        query = _query(_e.request_id.in_(wanted[start : start + BATCH]), _DUPLICATES, _e.source.in_(counts))
        found += [_stored(row) for row in connection.execute(query.order_by(_e.id))]
    return found


def some(
    connection: sa.Connection, where: Sequence[Condition], after: int, limit: int, states: Sequence[str] = (LIVE,)
) -> list[Stored]:
    """Return rows in some states, by default those that count, in the order they were stored, from after a number."""
    query = _query(_e.state.in_(states), _e.id > after, *where).order_by(_e.id).limit(limit)
    return [_stored(row) for row in connection.execute(query)]


def told(
    connection: sa.Connection, since: datetime, until: datetime, after: int, limit: int, where: Sequence[Condition] = ()
) -> list[tuple[int, Any]]:
    """Return what rows that count say, as `planner.core.event_form` writes it, in the order they were stored.

    Args:
        connection: one consistent read.
        since: of this moment or later.
        until: before this moment.
        after: from after this number.
        limit: so many at most.
        where: conditions besides.
    """
    place = _COUNTING, _e.at >= since, _e.at < until, _e.id > after, *where
    query = sa.select(_e.id, _e.document).where(*place).order_by(_e.id).limit(limit)
    return [(number, json_text.load(document)) for number, document in connection.execute(query)]


def served_by_any(among: Iterable[str]) -> Condition:
    """Return the condition for rows that one of these offers served."""
    return _e.offer_id.in_(sorted(set(among)))


def of_offer(offer: str, spans: Sequence[tuple[datetime, datetime | None]]) -> list[Condition]:
    """Return the condition for rows of an offer that began in one of these spans, or may have run into one."""
    whens = [sa.and_(_e.at >= since - LONGEST, *([] if until is None else [_e.at < until])) for since, until in spans]
    return [_e.offer_id == offer, sa.or_(*whens)]


LONGEST = timedelta(days=32)
"""The longest an aggregate may be, a month in whose days clocks are changed: what began earlier ended before a span."""


def of_channel(channel: str, since: datetime) -> list[Condition]:
    """Return the condition for rows that were served through a channel from a moment on."""
    through = sa.select(offers.c.id).where(offers.c.channel_id == channel)
    return [_e.offer_id.in_(through), _e.at >= since - LONGEST]


def of_customers(ids: Sequence[tuple[str | None, str]]) -> list[Condition]:
    """Return the condition for rows of a customer: (stream, how it spells the customer), None for any stream."""
    said = [
        sa.and_(_e.customer == spelled, *([] if source is None else [_e.source == source])) for source, spelled in ids
    ]
    return [sa.or_(sa.false(), *said)]


def of_stream(source: str, provider: str) -> list[Condition]:
    """Return the condition for a stream's rows of one provider, as it spells it."""
    return [_e.source == source, sa.func.coalesce(_e.provider, "") == provider]


def unserved() -> list[Condition]:
    """Return the condition for rows of which nobody knows the offer."""
    return [_e.offer_id.is_(None)]


def offers_used(connection: sa.Connection, among: Iterable[str]) -> list[str]:
    """Return which of these offers some row was served by."""
    found: list[str] = []
    wanted = sorted(set(among))
    for start in range(0, len(wanted), BATCH):
        query = (
            sa.select(_e.offer_id).where(_e.offer_id.in_(wanted[start : start + BATCH]), _e.state == LIVE).distinct()
        )
        found += connection.execute(query).scalars()
    return found


class Change(NamedTuple):
    """What is booked anew for a row: what was until now, and what is from now on; None is nothing.

    ``booked_in`` is the period in which the old stands: while that is open, it is taken back there.
    """

    kind: str
    row: int
    at: datetime
    old: Posting | None
    new: Posting | None
    booked_in: str | None = None


def numbered(connection: sa.Connection, changes: Sequence[Change]) -> dict[int, int]:
    """Return the number that the line of each change gets, by row."""
    first = (connection.scalar(sa.select(sa.func.max(_l.id))) or 0) + 1
    return {change.row: number for number, change in enumerate(changes, start=first)}


def book(
    connection: sa.Connection, changes: Sequence[Change], closed: Mapping[str, str], at: datetime,
    fresh: Container[int] = (),
) -> Sums:  # fmt: skip
    """Add a line for each change, in its own period or the first open one after it, and return what they sum up to.

    Args:
        connection: an open transaction.
        changes: at most one of each row.
        closed: each closed period, and the first open one after it.
        at: when this is recorded.
        fresh: rows that were stored with the number of their line a moment ago.
    """
    sums = Sums()
    if not changes:
        return sums
    numbers, rows = numbered(connection, changes), []
    for change in changes:
        slot, period = slot_of(change.at), period_of(change.at)
        stands = change.booked_in or period
        booked_in = closed.get(stands, stands)
        booked_slot = slot_in(slot, booked_in)
        rows.append(
            {
                "id": numbers[change.row], "event": change.row, "kind": _kind(change, late=booked_in != period),
                "usage_at": change.at, "slot": slot,
                "booked_in": booked_in, "booked_slot": booked_slot, "recorded_at": at,
                "old": _text(change.old), "new": _text(change.new),
                "price_version_old": None if change.old is None else change.old.dims.price_version or None,
                "price_version_new": None if change.new is None else change.new.dims.price_version or None,
                "delta_usd": _delta(change),
            }
        )  # fmt: skip
        if change.old is not None:
            sums.add(slot, booked_slot, change.old, -1)
        if change.new is not None:
            sums.add(slot, booked_slot, change.new)
    connection.execute(sa.insert(ledger.ledger_lines), rows)
    heads = [{"b_row": row, "b_line": number} for row, number in numbers.items() if row not in fresh]
    if heads:
        moved = sa.update(ledger.usage_events).where(_e.id == sa.bindparam("b_row"))
        connection.execute(moved.values(line_id=sa.bindparam("b_line")), heads)
    return sums


def _delta(change: Change) -> str | None:
    """Return what a change costs more, of the lower bound where there are two; None: neither side has a price."""
    both = [posting for posting in (change.old, change.new) if posting is not None]
    if all(posting.dims.cost_basis != RATED for posting in both):
        return None
    old, new = (0 if posting is None else posting.measures.cost for posting in (change.old, change.new))
    return pico_text(new - old)


def _kind(change: Change, *, late: bool) -> str:
    return "late" if change.kind == "usage" and late else change.kind


def _text(posting: Posting | None) -> str | None:
    return None if posting is None else json_text.dump(posting.form())


def next_row(connection: sa.Connection) -> int:
    """Return the number the next row of usage gets."""
    return (connection.scalar(sa.select(sa.func.max(_e.id))) or 0) + 1


class New(NamedTuple):
    """A row to be stored: its number, as it is written, the digest of what it says, its state, and who served it."""

    row: int
    event: Event
    document: str
    digest: str
    state: str
    offer: str | None


def insert(
    connection: sa.Connection, rows: Sequence[New], lines: Mapping[int, int], import_id: int | None, at: datetime,
    by: str,
) -> None:  # fmt: skip
    """Store rows as they were said, with the number that the line of each will have."""
    if not rows:
        return
    values = [
        {
            "id": row, "source": event.source, "event_id": event.id, "at": event.at, "request_id": event.request_id,
            "offer_id": offer, "provider": event.provider, "model": event.model, "plan": event.plan,
            "customer": event.customer, "document": document, "digest": digest, "state": state,
            "line_id": lines.get(row), "import_id": import_id, "recorded_at": at, "recorded_by": by,
        }
        for row, event, document, digest, state, offer in rows
    ]  # fmt: skip
    connection.execute(sa.insert(ledger.usage_events), values)


def mark(connection: sa.Connection, row: int, state: str) -> None:
    """Put a row in another state."""
    connection.execute(sa.update(ledger.usage_events).where(_e.id == row).values(state=state))


def rewrite(connection: sa.Connection, row: int, document: str) -> None:
    """Write a row as it was said again: with the same digest, and when it was touched last."""
    connection.execute(sa.update(ledger.usage_events).where(_e.id == row).values(document=document))


def served_by(connection: sa.Connection, rows: Mapping[int, str | None]) -> None:
    """Write which offer served rows."""
    for row, offer in rows.items():
        connection.execute(sa.update(ledger.usage_events).where(_e.id == row).values(offer_id=offer))


class Wanted(NamedTuple):
    """Which lines are asked for; what is None is not asked. ``deltas``: only what changed what was booked before."""

    source: str | None = None
    id: str | None = None
    booked_in: str | None = None
    deltas: bool = False
    after: int = 0


def lines(connection: sa.Connection, wanted: Wanted, limit: int) -> Iterator[Any]:
    """Yield lines with the row each is of, in the order they were recorded."""
    where = [_l.id > wanted.after]
    for column, value in ((_e.source, wanted.source), (_e.event_id, wanted.id), (_l.booked_in, wanted.booked_in)):
        if value is not None:
            where.append(column == value)
    if wanted.deltas:
        where.append(_CHANGES)
    query = (
        sa.select(ledger.ledger_lines, _e.source, _e.event_id)
        .join(ledger.usage_events, _e.id == _l.event)
        .where(*where)
        .order_by(_l.id)
        .limit(limit)
    )
    yield from connection.execute(query)


def deltas(
    connection: sa.Connection, since: datetime, until: datetime, known_at: datetime | None, limit: int
) -> list[Any]:
    """Return what changed something that was booked before and is booked in a span itself, the newest first."""
    where = [_CHANGES, _l.booked_slot >= slot_of(since), _l.booked_slot < slot_of(until)]
    if known_at is not None:
        where.append(_l.recorded_at <= known_at)
    query = (
        sa.select(ledger.ledger_lines, _e.source, _e.event_id)
        .join(ledger.usage_events, _e.id == _l.event)
        .where(*where)
        .order_by(_l.id.desc())
        .limit(limit)
    )
    return list(connection.execute(query))


def of_source(source: str) -> list[Condition]:
    """Return the condition for all rows of a stream."""
    return [_e.source == source]
