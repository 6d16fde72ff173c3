"""What became known late is booked late, a bounded piece at a time: a price, a customer, a plan, an offer."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from planner.core.event import Event, Role
from planner.core.periods import period_of
from planner.core.posting import Posting
from planner.flows import bulk, earnings
from planner.flows.posting import Anew
from planner.flows.rating_in_place import served_now
from planner.flows.successors import contested, hand_over, has_cost, note_days, succeed
from planner.store import bulk as files
from planner.store import moved_prices, periods, rollups, usage, work
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
        turns_max: how many turns are taken at most; None: until nothing waits. A file that is to be rated again takes
            as long as it takes, so that it is left to whoever has all the time.
    """
    rows = lines = turns = 0
    while (turns_max is None or turns < turns_max) and _waits(store, now()):
        done = store.tell(lambda connection: turn(connection, now()))
        if done is None and turns_max is None:
            done = _file(store, now)
        if done is None:
            break
        rows, lines, turns = rows + done.rows, lines + done.lines, turns + 1
    with store.read() as connection:
        return Rebooked(rows, lines, behind(connection))


def _file(store: Store, now: Callable[[], datetime]) -> Rebooked | None:
    rated = bulk.turn(store, now)
    return None if rated is None else Rebooked(rated.rows, int(rated.cells > 0), 0)


def _waits(store: Store, at: datetime) -> bool:
    """Tell whether anything waits, without a turn to write: mostly nothing does."""
    with store.read() as connection:
        return behind(connection) > 0 or (work.booked_month(connection) or "") < period_of(at)


def behind(connection: Connection) -> int:
    """Return how many pieces of work wait, a revision that rows are not rated by yet among them."""
    rated = work.rated_revision(connection)
    return work.waiting(connection) + (rated is not None and read_heads(connection).catalogue > rated)


def turn(connection: Connection, at: datetime) -> Rebooked | None:
    """Do a piece of what waits, in an open write transaction; None: nothing waits."""
    _note_revisions(connection, at)
    _note_month(connection, at)
    waiting = work.first(connection)
    if waiting is None:
        return None
    if waiting.after == 0:
        work.add_files(connection, _files(connection, waiting), at)
    if waiting.kind == "revenue":
        lines, after = earnings.rebook(connection, waiting.selector, waiting.after, at)
        if after is None:
            work.done(connection, waiting, at)
        else:
            work.go_on(connection, waiting, after)
        return Rebooked(0, lines, 0)
    if waiting.kind == "role":
        found, lines = _turn_role(connection, waiting, at)
    else:
        # A row that waits for its request may have a cost by now, and the one that counts none.
        states = usage.LIVE, usage.DUPLICATE
        found = usage.some(connection, _where(waiting), waiting.after, ROWS_AT_ONCE, states)
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
    moved = moved_prices.offers(connection, rated, was)
    for offer in sorted({*usage.offers_used(connection, moved), *files.offers_used(connection, moved)}):
        # What is to begin later concerns rows too: an aggregate that is not over yet, or a clock that runs fast.
        spans = moved_prices.spans(connection, offer, rated, was)
        if spans:
            written = [[since.isoformat(), None if until is None else until.isoformat()] for since, until in spans]
            work.add(connection, "price", {"offer": offer, "spans": written}, at)
    # A new offer or spelling may say who served rows that nobody knew an offer of.
    work.add(connection, "unserved", {}, at)
    work.rate_through(connection, newest)


def _note_month(connection: Connection, at: datetime) -> None:
    """Turn a new month into the revenue of all who are on a plan until further notice."""
    month = period_of(at)
    if (work.booked_month(connection) or "") < month:
        work.add(connection, "revenue", {"everybody": True}, at)
        work.book_through(connection, month)


def _files(connection: Connection, waiting: Work) -> list[int]:
    """Return the imports whose files have to be rated again for the same reason; more than needed, and never less."""
    selector = waiting.selector
    match waiting.kind:
        case "price":
            return files.of_offer(connection, selector["offer"], _spans(selector))
        case "terms":
            return files.of_channel(connection, selector["channel"], datetime.fromisoformat(selector["since"]))
        case "customer":
            return files.of_customers(connection, selector["ids"])
        case "stream" | "role":
            return files.of_source(connection, selector["source"])
        case "unserved":
            return served_now(connection)
        case _:
            return []


def _spans(selector: Mapping[str, Any]) -> list[moved_prices.Span]:
    return [
        (datetime.fromisoformat(since), None if until is None else datetime.fromisoformat(until))
        for since, until in selector["spans"]
    ]


def _where(waiting: Work) -> Sequence[usage.Condition]:
    selector = waiting.selector
    match waiting.kind:
        case "price":
            return usage.of_offer(selector["offer"], _spans(selector))
        case "terms":
            return usage.of_channel(selector["channel"], datetime.fromisoformat(selector["since"]))
        case "customer":
            return usage.of_customers(selector["ids"])
        case "stream":
            return usage.of_stream(selector["source"], selector["provider"])
        case _:
            return usage.unserved()


def _rebook(connection: Connection, found: Sequence[Stored], waiting: Work, at: datetime) -> int:
    anew, changes, served, doubtful = Anew(connection), list[Change](), dict[int, str | None](), list[str]()
    paid: dict[str, list[tuple[str, Event]]] = {}
    for stored in found:
        old, judged = stored.posting, anew.judge(stored.event)
        if judged.served.offer != stored.offer:
            served[stored.row] = judged.served.offer
        if old is not None:
            new = judged.posting if _differs(old, judged.posting) else _as_rated(old, judged.posting)
            if new == old:
                continue
            kind = _KINDS[waiting.kind]
            changes.append(Change(kind, stored.row, stored.event.at, old, new, stored.booked_in))
            if new.dims.provider != old.dims.provider:
                paid.setdefault(stored.event.source, []).append((judged.served.party, stored.event))
        if stored.event.request_id and has_cost(judged.posting) is (old is None):
            doubtful.append(stored.event.request_id)
    usage.served_by(connection, served)
    # Who is paid has another name by now: streams that come later and use it are held against these days too.
    for source, told in paid.items():
        note_days(connection, source, told)
    return _booked(connection, changes, at) + _hand_over(connection, doubtful, at)


def _booked(connection: Connection, changes: Sequence[Change], at: datetime) -> int:
    rollups.apply(connection, usage.book(connection, changes, periods.closed(connection), at))
    return len(changes)


def _hand_over(connection: Connection, requests: Sequence[str], at: datetime) -> int:
    """Let rows with a cost count in place of those without; return how many lines that took."""
    return _booked(connection, hand_over(connection, contested(connection, requests)), at)


def _turn_role(connection: Connection, waiting: Work, at: datetime) -> tuple[list[Stored], int]:
    """Book a stream's rows that count from now on, or book them back."""
    source, counts = waiting.selector["source"], waiting.selector["role"] == Role.LEDGER.value
    # A row whose request counts by another one may count itself, if that one was taken out meanwhile.
    was = (usage.EVIDENCE, usage.DUPLICATE) if counts else (usage.LIVE,)
    found = usage.some(connection, usage.of_source(source), waiting.after, ROWS_AT_ONCE, was)
    anew, changes, told = Anew(connection), list[Change](), []
    named = [stored.event.request_id for stored in found if stored.event.request_id]
    taken = usage.by_requests(connection, named) if counts else {}
    for stored in found:
        event = stored.event
        if not counts:
            usage.mark(connection, stored.row, usage.EVIDENCE)
            changes.append(Change("unbooked", stored.row, event.at, stored.posting, None, stored.booked_in))
        elif event.request_id and event.request_id in taken:
            usage.mark(connection, stored.row, usage.DUPLICATE)
        else:
            usage.mark(connection, stored.row, usage.LIVE)
            taken[event.request_id or ""] = event.source, event.id
            judged = anew.judge(event)
            told.append((judged.served.party, event))
            changes.append(Change("usage", stored.row, event.at, None, judged.posting))
    if counts:
        note_days(connection, source, told)
    else:
        changes += succeed(connection, named)
    lines = _booked(connection, changes, at)
    return found, lines + _hand_over(connection, named if counts else (), at)


_KINDS = {
    "price": "repriced", "terms": "repriced", "unserved": "repriced", "customer": "reassigned", "stream": "recounted",
}  # fmt: skip


def _differs(old: Posting, new: Posting) -> bool:
    """Tell whether a price became another one. The same rates on a card that was only cut anew are no news."""
    return (old.measures, old.units, old.dims.cost_basis, old.dims.offer) != (
        new.measures, new.units, new.dims.cost_basis, new.dims.offer,
    )  # fmt: skip


def _as_rated(old: Posting, new: Posting) -> Posting:
    """Return a posting under its new heads, still by the card it was rated by."""
    return new._replace(dims=new.dims._replace(price_version=old.dims.price_version))
