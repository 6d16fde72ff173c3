"""A timer and nothing more: when it is time, the refresh runs once, in the background, and never raises."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

import structlog
from apscheduler.schedulers.background import BackgroundScheduler

from planner.flows.refresh import refresh
from planner.sources.feed import Source
from planner.store.engine import Store

FIRST_AFTER = timedelta(minutes=1)

log = structlog.get_logger()


class Timer:
    """Refreshes the enabled sources a minute after start and then at an interval, while it is entered.

    The scheduler keeps its one job in memory: a shared job store runs jobs twice.
    """

    def __init__(
        self,
        store: Store,
        sources: Mapping[str, tuple[Source, str]],
        minutes: int,
        now: Callable[[], datetime],
        owner: str,
    ) -> None:
        """Remember what to refresh; nothing starts before the timer is entered."""
        self._store, self._sources, self._now, self._owner = store, sources, now, owner
        self._minutes = minutes
        self._scheduler = BackgroundScheduler(timezone="UTC")

    def __enter__(self) -> Self:
        """Start the timer, unless every source is turned off."""
        if self._sources:
            self._scheduler.add_job(
                self._refresh,
                "interval",
                minutes=self._minutes,
                jitter=min(60, self._minutes * 6),
                next_run_time=self._now() + FIRST_AFTER,
                coalesce=True,
                max_instances=1,
                misfire_grace_time=None,
            )
            self._scheduler.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the timer without waiting for a refresh that runs: its transaction is whole or absent."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def _refresh(self) -> None:
        try:
            summary = refresh(self._store, self._sources, self._now(), lambda _source, _done, _total: None)
        except Exception:
            # Whatever went wrong, the timer lives on and the published catalogue stands.
            log.exception("refresh failed", owner=self._owner)
            return
        log.info("refreshed", owner=self._owner, revision=summary.revision)
