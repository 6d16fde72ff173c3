"""What became known late is booked late, a bounded piece at a time: a price, a customer, a plan, an offer."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from planner.core.event import Event
from planner.core.posting import Posting
from planner.flows import earnings
from planner.flows.posting import Record
from planner.store import moved_prices, periods, rollups, streams, usage, work
from planner.store.engine import Connection, Store
from planner.store.revision import read_heads
from planner.store.usage import Change, Stored
from planner.store.work import Work

ROWS_AT_ONCE = 2_000
"""Rows booked anew in one transaction; the others wait that long for their turn."""


class Rebooked(NamedTuple):
    """What a turn did: rows it looked at, lines it added, and how many pieces of work still wait."""

    rows: int
    lines: int
    waiting: int


def catch_up(store: Store, now: Callable[[], datetime], turns_max: int | None = None) -> Rebooked:
    """Book everything anew that waits for it, a bounded transaction at a time.

    Args:
        store: the database.
        now: the clock; each line carries the moment of its own turn.
        turns_max: how many turns are taken at most; None: until nothing waits.
    """
    rows = lines = turns = 0
    while turns_max is None or turns < turns_max:
        done = store.tell(lambda connection: turn(connection, now()))
        if done is None:
            break
        rows, lines, turns = rows + done.rows, lines + done.lines, turns + 1
    with store.read() as connection:
        return Rebooked(rows, lines, behind(connection))


def behind(connection: Connection) -> int:
    """Return how many pieces of work wait, a revision that rows are not rated by yet among them."""
    rated = work.rated_revision(connection)
    return work.waiting(connection) + (rated is not None and read_heads(connection).catalogue > rated)


def turn(connection: Connection, at: datetime) -> Rebooked | None:
    """Do a piece of what waits, in an open write transaction; None: nothing waits."""
    _note_revisions(connection, at)
    waiting = work.first(connection)
    if waiting is None:
        return None
    if waiting.kind == "revenue":
        lines = earnings.rebook(connection, waiting.selector, at)
        work.done(connection, waiting, at)
        return Rebooked(0, lines, 0)
    found = usage.live(connection, _where(waiting), waiting.after, ROWS_AT_ONCE)
    lines = _rebook(connection, found, waiting, at)
    if len(found) < ROWS_AT_ONCE:
        work.done(connection, waiting, at)
    else:
        work.go_on(connection, waiting, found[-1].row)
    return Rebooked(len(found), lines, 0)


def _note_revisions(connection: Connection, at: datetime) -> None:
    """Turn each revision since the last one that rows are rated by into the rows it concerns."""
    rated, newest = work.rated_revision(connection), read_heads(connection).catalogue
    if rated is None or newest <= rated:
        return
    was = moved_prices.published_at(connection, rated)
    for offer in usage.offers_used(connection, moved_prices.offers(connection, rated, was)):
        spans = [span for span in moved_prices.spans(connection, offer, rated, was) if span[0] <= at]
        if spans:
            written = [[since.isoformat(), None if until is None else until.isoformat()] for since, until in spans]
            work.add(connection, "price", {"offer": offer, "spans": written}, at)
    for channel, since in moved_prices.terms(connection, was):
        work.add(connection, "terms", {"channel": channel, "since": since.isoformat()}, at)
    # A new offer or spelling may say who served rows that nobody knew an offer of.
    work.add(connection, "unserved", {}, at)
    work.rate_through(connection, newest)


def _where(waiting: Work) -> Sequence[usage.Condition]:
    selector = waiting.selector
    match waiting.kind:
        case "price":
            spans = [
                (datetime.fromisoformat(since), None if until is None else datetime.fromisoformat(until))
                for since, until in selector["spans"]
            ]
            return usage.of_offer(selector["offer"], spans)
        case "terms":
            return usage.of_channel(selector["channel"], datetime.fromisoformat(selector["since"]))
        case "customer":
            return usage.of_customers(selector["ids"])
        case "stream":
            return usage.of_stream(selector["source"], selector["provider"])
        case _:
            return usage.unserved()


def _rebook(connection: Connection, found: Sequence[Stored], waiting: Work, at: datetime) -> int:
    record, changes, served = Record(connection), [], dict[int, str | None]()
    known: dict[str, tuple[str, dict[str, bool | None]]] = {}
    for stored in found:
        event = stored.event
        if event.source not in known:
            stream = streams.find(connection, event.source)
            said = streams.containments(connection, event.source)
            includes = {provider: containment.includes_cached for provider, containment in said.items()}
            known[event.source] = "" if stream is None else stream.feed, includes
        feed, includes = known[event.source]
        new = _anew(record, event, feed, includes)
        if new is None or stored.posting is None:
            continue
        posting, offer = new
        if waiting.kind in ("customer", "stream") or _differs(stored.posting, posting):
            posting = posting if _differs(stored.posting, posting) else _as_rated(stored.posting, posting)
            if posting != stored.posting:
                changes.append(Change(_KINDS[waiting.kind], stored.row, event.at, stored.posting, posting))
        if offer != stored.offer:
            served[stored.row] = offer
    usage.served_by(connection, served)
    rollups.apply(connection, usage.book(connection, changes, periods.closed(connection), at))
    return len(changes)


_KINDS = {
    "price": "repriced", "terms": "repriced", "unserved": "repriced", "customer": "reassigned", "stream": "recounted",
}  # fmt: skip


def _anew(
    record: Record, event: Event, feed: str, includes: dict[str, bool | None]
) -> tuple[Posting, str | None] | None:
    said = includes.get(event.provider or "", event.includes_cached)
    judged = record.judge(event, feed=feed, includes_cached=said is not False)
    return judged.posting, judged.served.offer


def _differs(old: Posting, new: Posting) -> bool:
    """Tell whether a price became another one. The same rates on a card that was only cut anew are no news."""
    return (old.measures, old.units, old.dims.cost_basis, old.dims.offer) != (
        new.measures, new.units, new.dims.cost_basis, new.dims.offer,
    )  # fmt: skip


def _as_rated(old: Posting, new: Posting) -> Posting:
    """Return a posting under its new heads, still by the card it was rated by."""
    return new._replace(dims=new.dims._replace(price_version=old.dims.price_version))
