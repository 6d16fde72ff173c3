"""What a vendor counted and billed is pulled: fetched as a whole, then taken in like a file of the same pages.

A window overlaps the one before, since what was said of the last days may still change: rows are known by their bucket
and what they are grouped by, so that a later word takes the place of an earlier one and the difference is booked. Only
whole days that are over are asked for. Nothing is booked before everything was fetched and could be read; a pull that
is cut off while it books is simply done again, and until then the window counts as not pulled.
"""

import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from planner.core.errors import FeedRefused, InvalidInput, Overtaken, PlannerError
from planner.core.event import Role
from planner.flows.import_file import Import, import_file
from planner.flows.survey import Summary
from planner.flows.vanished import Whole
from planner.sources.usage_apis import DAY, Account, Answer, ask
from planner.store import pulls, streams
from planner.store.engine import Connection, Store
from planner.store.pulls import Pull

FIRST_DAYS = 30
"""How far back the first pull goes, where nobody says."""

Told = Callable[[str, int], None]
"""Called with the report and how many of its pages were read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be pulled: None is whatever follows from the pulls before.

    ``role`` is the one a person chooses for the stream of the only report. ``less`` lets a window through that holds
    far less than before; ``dry_run`` fetches, and stores nothing.
    """

    only: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    role: Role | None = None
    less: bool = False
    dry_run: bool = False


class Window(NamedTuple):
    """Whole days of UTC. Those since ``lost_since`` were never pulled, and the vendor tells of them no more."""

    since: datetime
    until: datetime
    lost_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """What became of one report. Without an ``error``, ``summary`` is what was taken in, and ``through`` how far."""

    vendor: str
    report: str
    window: Window
    through: datetime | None = None
    answer: Answer | None = None
    summary: Summary | None = None
    role: Role | None = None
    error: PlannerError | None = None


def unfenced(_connection: Connection) -> None:
    """Let a pull that a person asked for through."""


def pull(
    store: Store,
    account: Account,
    wish: Wish,
    *,
    now: Callable[[], datetime],
    by: str,
    told: Told = lambda *_: None,
    fence: Callable[[Connection], None] = unfenced,
) -> list[Pulled]:
    """Pull the reports of a vendor one after the other; one that fails is noted, and the others go on.

    Args:
        store: the database.
        account: whose reports, from where, and with which key.
        wish: which of them, and of which days.
        now: the present moment.
        by: who asks.
        told: hears about progress.
        fence: called before anything is booked; raises when somebody else has taken this turn over.

    Raises:
        InvalidInput: no such report, or days that cannot be pulled.
        Overtaken: the turn was taken over meanwhile.
    """
    reports = account.vendor.reports
    if wish.only is not None and wish.only not in reports:
        raise InvalidInput("only", f"{account.vendor.name} has {' and '.join(reports)}")
    if wish.role is not None and wish.only is None and len(reports) > 1:
        raise InvalidInput("role", f"say of which report with only: {' or '.join(reports)}")
    with store.read() as connection:
        windows = {
            report: window_of(account, wish, pulls.through(connection, account.vendor.name, report), now())
            for report in reports
            if wish.only in (None, report)
        }
    return [_one(store, account, wish, report, window, (now, by, told, fence)) for report, window in windows.items()]


def window_of(account: Account, wish: Wish, through: datetime | None, at: datetime) -> Window:
    """Return which days to pull: from what may still change on, to the last one that is over.

    Raises:
        InvalidInput: they are no days, not over, or further back than the vendor tells.
    """
    vendor, today = account.vendor, _midnight(at)
    until = today if wish.until is None else wish.until
    if until != _midnight(until) or until > today:
        raise InvalidInput("to", f"a day that has begun, at most {today:%Y-%m-%d}: only days that are over are pulled")
    reached = None if vendor.reach_days is None else today - vendor.reach_days * DAY
    lost = None
    if wish.since is not None:
        since = wish.since
        if since != _midnight(since) or (reached is not None and since < reached):
            raise InvalidInput("from", f"a day is needed, of the last {vendor.reach_days or 'years'} that are over")
    else:
        since = min(until, today if through is None else through)
        since -= (FIRST_DAYS if through is None else vendor.overlap_days) * DAY
        if reached is not None and since < reached:
            lost = through if through is not None and through < reached else None
            since = reached
    if since >= until:
        raise InvalidInput("from", f"before {until:%Y-%m-%d} is needed")
    return Window(since, until, lost)


def _midnight(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


_With = tuple[Callable[[], datetime], str, Told, Callable[[Connection], None]]


def _one(store: Store, account: Account, wish: Wish, report: str, window: Window, with_: _With) -> Pulled:
    now, by, told, fence = with_
    began, done = now(), Pulled(vendor=account.vendor.name, report=report, window=window)
    try:
        answer = asyncio.run(ask(account, report, window.since, window.until, lambda pages: told(report, pages)))
        if not wish.dry_run:
            store.tell(fence)
        through = _complete(window, answer)
        whole = None if through == window.since else Whole(window.since, through, wish.less, answer.untold)
        form = account.vendor.reports[report].format
        summary = _take(store, done, form, (answer, whole), wish, now=now, by=by)
        done = replace(done, answer=answer, summary=summary, through=through, role=_role(store, summary))
    except Overtaken:
        raise
    except PlannerError as error:
        done = replace(done, error=error)
    if not wish.dry_run:
        store.tell(lambda connection: _note(connection, done, began, now(), by))
    return done


def _complete(window: Window, answer: Answer) -> datetime:
    """Return up to which day the answer has everything there is."""
    refreshed = window.until if answer.refreshed_at is None else _midnight(answer.refreshed_at)
    return max(window.since, min(window.until, refreshed))


def _take(
    store: Store, asked: Pulled, form: str, fetched: tuple[Answer, Whole | None], wish: Wish, *,
    now: Callable[[], datetime], by: str,
) -> Summary:  # fmt: skip
    """Take the pages in as the file they are: one JSON list of them, each byte for byte as it came.

    Raises:
        FeedRefused: a row cannot be read, and nothing was stored.
    """
    answer, whole = fetched
    with tempfile.TemporaryDirectory(prefix="planner-pull-") as folder:
        path = Path(folder) / "pages.json"
        path.write_bytes(b"[" + b",".join(answer.pages) + b"]")
        name = f"{asked.vendor} {asked.report} {asked.window.since:%Y-%m-%d} to {asked.window.until:%Y-%m-%d}"
        file = Import(
            path=path, name=name, words={}, format=form, role=wish.role, dry_run=wish.dry_run, whole=whole
        )  # fmt: skip
        summary = import_file(store, file, now=now, by=by)
    if summary.stopped is not None:
        rows = "; ".join(f"{one.place}: {one.reason}" for one in summary.refused[:3])
        raise FeedRefused(asked.vendor, "unreadable", f"{summary.stopped}: {rows}" if rows else summary.stopped)
    return summary


def _role(store: Store, summary: Summary) -> Role:
    """Return in which role the rows were taken in: that of their stream, if it has one by now."""
    with store.read() as connection:
        found = streams.find(connection, summary.source)
    return Role(summary.role) if found is None else found.role


def _note(connection: Connection, done: Pulled, began: datetime, at: datetime, by: str) -> None:
    through, known = done.through, pulls.through(connection, done.vendor, done.report)
    if through is not None and known is not None:
        # What lies behind a hole is not counted on, unless nobody can fill it any more.
        closed = done.window.since <= known or done.window.lost_since is not None
        through = max(known, through) if closed else known
    summary = {} if done.answer is None or done.summary is None else kept(done.answer, done.summary)
    pulled = Pull(
        vendor=done.vendor, report=done.report, since=done.window.since, until=done.window.until, started_at=began,
        through=through, import_id=None if done.summary is None else done.summary.import_id, summary=summary,
        error=None if done.error is None else reason(done.error), by=by,
    )  # fmt: skip
    pulls.note(connection, pulled, at)


def reason(error: PlannerError) -> tuple[str, str]:
    """Return why a pull failed: a stable code, and words for a person."""
    if isinstance(error, FeedRefused):
        return error.reason, error.detail
    return error.code, str(error)


def kept(answer: Answer, summary: Summary) -> dict[str, object]:
    """Return what is kept of a pull that was done: counts, and no contents."""
    return {
        "way": answer.way, "pages": len(answer.pages), "missing": list(answer.missing), "rows": summary.rows,
        "vanished": summary.vanished, "outcomes": dict(summary.outcomes), "refused": summary.refused_rows,
    }  # fmt: skip
