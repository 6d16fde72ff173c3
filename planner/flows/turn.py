"""Scheduled work: its slot is claimed in the database, so that many workers do it once, whoever is awake."""

import contextlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from planner.core.doubt import Bounds
from planner.core.errors import Overtaken, PlannerError
from planner.flows.pull import Pulled, Wish, pull
from planner.flows.refresh import RefreshSummary, Sources, refresh
from planner.sources.usage_apis import Account
from planner.store import slots, status
from planner.store.engine import Connection, Store

LEASE = timedelta(minutes=5)
PULL_LEASE = timedelta(minutes=20)
"""Longer than all reports of a vendor take to be fetched."""


def scheduled_refresh(
    store: Store,
    sources: Sources,
    name: str,
    interval: timedelta,
    owner: str,
    *,
    bounds: Bounds = Bounds(),  # noqa: B008  # frozen
    lease: timedelta = LEASE,
) -> RefreshSummary | None:
    """Refresh one source if its present slot is free, and return what it did; None where there was nothing to do.

    The slot ends in the transaction that publishes. A worker that was stopped in between finds its turn taken over
    and writes nothing. A source whose circuit is open lets its slot pass.

    Raises:
        Overtaken: the turn was taken over meanwhile.
        Unavailable: the database does not answer.
    """

    def begin(connection: Connection) -> tuple[slots.Turn | None, datetime, bool]:
        now = store.clock(connection)
        turn = slots.claim(connection, f"refresh:{name}", slots.slot_of(now, interval), owner, at=now, lease=lease)
        resting = turn is not None and not status.due(connection, [name], now)
        if turn is not None and resting:
            slots.finish(connection, turn, now)
        return turn, now, resting

    turn, now, resting = store.tell(begin)
    if turn is None or resting:
        return None
    mine: slots.Turn = turn

    def fence(connection: Connection) -> None:
        slots.finish(connection, mine, store.clock(connection))

    try:
        return refresh(
            store, {name: sources[name]}, now, lambda *_: None, actor=f"schedule:{owner}", bounds=bounds, fence=fence
        )
    except Overtaken:
        raise
    except Exception:
        with contextlib.suppress(PlannerError):
            store.tell(lambda connection: slots.finish(connection, mine, store.clock(connection), slots.FAILED))
        raise


def scheduled_pull(store: Store, account: Account, interval: timedelta, owner: str) -> list[Pulled] | None:
    """Pull the reports of a vendor if its present slot is free; None where there was nothing to do.

    A report that cannot be pulled is noted with its reason, and asked for again in the next slot. Who was stopped
    before anything was booked, and finds the turn taken over, books nothing.

    Raises:
        Overtaken: the turn was taken over meanwhile.
        Unavailable: the database does not answer.
    """
    job = f"pull:{account.vendor.name}"

    def begin(connection: Connection) -> slots.Turn | None:
        now = store.clock(connection)
        return slots.claim(connection, job, slots.slot_of(now, interval), owner, at=now, lease=PULL_LEASE)

    turn = store.tell(begin)
    if turn is None:
        return None
    mine: slots.Turn = turn

    def now() -> datetime:
        with store.read() as connection:
            return store.clock(connection)

    def end(connection: Connection, state: str = slots.DONE) -> None:
        slots.finish(connection, mine, store.clock(connection), state)

    try:
        done = pull(
            store, account, Wish(), now=now, by=f"schedule:{owner}",
            fence=lambda connection: slots.held(connection, mine),
        )  # fmt: skip
    except Overtaken:
        raise
    except Exception:
        with contextlib.suppress(PlannerError):
            store.tell(lambda connection: end(connection, slots.FAILED))
        raise
    store.tell(end)
    return done


def hourly(store: Store, job: str, owner: str, work: Callable[[Connection, datetime], object]) -> bool:
    """Do a job in its hourly slot, in the transaction that claims it; tell whether the slot was free."""

    def story(connection: Connection) -> bool:
        now = store.clock(connection)
        turn = slots.claim(connection, job, slots.slot_of(now, timedelta(hours=1)), owner, at=now, lease=LEASE)
        if turn is None:
            return False
        work(connection, now)
        slots.finish(connection, turn, now)
        return True

    return store.tell(story)


def leave(store: Store, owner: str) -> None:
    """Give up the turns of a worker that stops."""
    store.tell(lambda connection: slots.release(connection, owner, store.clock(connection)))


def jobs(store: Store) -> list[dict[str, Any]]:
    """Return the newest slot of every job: who had it, and how it ended."""
    with store.read() as connection:
        return slots.latest(connection)


def intervals(store: Store) -> dict[str, timedelta]:
    """Return how often each source is to be read, by the registry."""
    with store.read() as connection:
        states = status.source_states_of(connection, everything=True)
    return {state.source: timedelta(minutes=state.interval_minutes) for state in states if state.interval_minutes}
