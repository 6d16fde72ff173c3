"""A timer and nothing more: every minute a worker asks whose turn it is; it never raises and never decides."""

import contextlib
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from types import TracebackType
from typing import NamedTuple, Self

import structlog
from apscheduler.schedulers.background import BackgroundScheduler

from planner.core.doubt import Bounds
from planner.core.errors import Overtaken, PlannerError
from planner.flows import deliver, rebook, turn
from planner.flows.deliver import Ways, log_alerts
from planner.flows.pull import reason
from planner.flows.refresh import Sources
from planner.sources.usage_apis import Account
from planner.store.engine import Store

FIRST_AFTER = timedelta(minutes=1)
DELIVER_EVERY = timedelta(seconds=15)
BOOK_EVERY = timedelta(seconds=15)
# A slot whose worker died is taken over when somebody asks for it, so they ask more often than slots begin.
ASK_EVERY = timedelta(minutes=1)
JITTER_SECONDS_MAX = 30
GRACE_SECONDS = 5.0

log = structlog.get_logger()


class Pulls(NamedTuple):
    """Whose usage and costs are pulled, and how often."""

    accounts: tuple[Account, ...] = ()
    interval: timedelta = timedelta(hours=6)


class Timer:
    """Asks for the turn of every source and vendor, for alerts that are due and for usage to be booked anew, meanwhile.

    The scheduler keeps its jobs in memory: a shared job store runs jobs twice. Which worker really refreshes is
    decided by the slot in the database.
    """

    def __init__(
        self,
        store: Store,
        sources: Sources,
        intervals: Mapping[str, timedelta],
        now: Callable[[], datetime],
        owner: str,
        *,
        ways: Ways | None = None,
        bounds: Bounds = Bounds(),  # noqa: B008  # frozen
        pulls: Pulls = Pulls(),  # noqa: B008  # frozen
        first_after: timedelta = FIRST_AFTER,
    ) -> None:
        """Remember what to refresh; nothing starts before the timer is entered."""
        self._store, self._sources, self._intervals, self._now = store, sources, intervals, now
        self._owner, self._bounds, self._first_after = owner, bounds, first_after
        self._ways, self._pulls = ways or Ways(log_alerts), pulls
        self._scheduler = BackgroundScheduler(timezone="UTC")
        self._idle = threading.Condition()
        self._running = 0

    def __enter__(self) -> Self:
        """Start the timer."""
        for name in self._sources:
            self._add(f"refresh:{name}", self._refresh, min(self._intervals[name], ASK_EVERY), name)
        for account in self._pulls.accounts:
            job = f"pull:{account.vendor.name}"
            self._add(job, partial(self._pull, account), min(self._pulls.interval, ASK_EVERY))
        self._add("deliver", self._deliver, DELIVER_EVERY)
        self._add("book", self._book, BOOK_EVERY)
        self._add("look", self._look, ASK_EVERY)
        self._scheduler.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the timer, give what runs a moment to end, and give up the turns of what does not.

        Nothing is half done by that: a refresh's transaction is whole or absent.
        """
        self._scheduler.shutdown(wait=False)
        with self._idle:
            self._idle.wait_for(lambda: not self._running, GRACE_SECONDS)
        with contextlib.suppress(PlannerError):
            turn.leave(self._store, self._owner)

    def _add(self, job: str, work: Callable[..., None], interval: timedelta, *arguments: str) -> None:
        seconds = interval.total_seconds()
        self._scheduler.add_job(
            self._quietly,
            "interval",
            args=(job, work, *arguments),
            seconds=seconds,
            # Workers started together should not all knock at the same moment.
            jitter=min(JITTER_SECONDS_MAX, seconds / 10),
            next_run_time=self._now() + min(self._first_after, interval),
            id=job,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
        )

    def _quietly(self, job: str, work: Callable[..., None], *arguments: str) -> None:
        with self._idle:
            self._running += 1
        try:
            work(*arguments)
        except Overtaken as error:
            log.warning("turn taken over", job=job, owner=self._owner, turn=error.id)
        except PlannerError as error:
            log.warning("not now", job=job, owner=self._owner, code=error.code)
        except Exception:
            # Whatever went wrong, the timer lives on and the published catalogue stands.
            log.exception("a scheduled job failed", job=job, owner=self._owner)
        finally:
            with self._idle:
                self._running -= 1
                self._idle.notify_all()

    def _refresh(self, name: str) -> None:
        summary = turn.scheduled_refresh(
            self._store, self._sources, name, self._intervals[name], self._owner, bounds=self._bounds
        )
        if summary is not None:
            line = summary.sources[0]
            log.info("refreshed", source=name, owner=self._owner, outcome=line.outcome, revision=summary.revision)

    def _pull(self, account: Account) -> None:
        for done in turn.scheduled_pull(self._store, account, self._pulls.interval, self._owner) or ():
            name = {"vendor": done.vendor, "report": done.report, "owner": self._owner}
            if done.error is not None:
                code, detail = reason(done.error)
                log.warning("not pulled", **name, code=code, detail=detail)
            elif done.summary is not None:
                log.info("pulled", **name, rows=done.summary.rows, outcomes=dict(done.summary.outcomes))

    def _look(self) -> None:
        turn.hourly(self._store, "remind", self._owner, deliver.remind)

    def _book(self) -> None:
        booked = rebook.catch_up(self._store, self._now)
        if booked.lines:
            log.info("booked anew", owner=self._owner, rows=booked.rows, lines=booked.lines)

    def _deliver(self) -> None:
        deliver.deliver(self._store, self._ways, self._store.clock)
