"""Whose turn it is: one publication per slot, whoever is awake; who slept through his turn writes nothing."""

import itertools
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context

import pytest
import sqlalchemy as sa

from planner.core.errors import Overtaken
from planner.flows import turn
from planner.flows.refresh import refresh
from planner.sources import ADAPTERS
from planner.store import slots, status
from planner.store import tables as t
from planner.store.engine import Store, open_store
from tests.kill import prepare
from tests.loopback import Feed

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
SOURCE = "models_dev"


class Moving(Feed):
    """A feed that says something new to everybody who asks."""

    def __init__(self) -> None:
        super().__init__()
        self._count = itertools.count(1)

    @property
    def body(self) -> bytes:
        """Thirty models that cost a little more than the last time."""
        number = next(self._count)
        usd = 1 + number / 10_000
        models = {f"m{n}": {"cost": {"input": usd, "output": usd}} for n in range(30)}
        return json.dumps({"acme": {"turn": number, "models": models}}).encode()

    @body.setter
    def body(self, _value: bytes) -> None:
        """Nobody else sets what it says."""


def schedule(url: str, feed: str, owner: str, seconds: float) -> None:
    """Ask for the turn again and again, as a worker's timer does."""
    store = open_store(url)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            turn.scheduled_refresh(store, {SOURCE: (ADAPTERS[SOURCE], feed)}, SOURCE, SECOND, owner)
        except Exception as error:  # noqa: BLE001  # a worker lives on, whatever happens
            print(owner, type(error).__name__, error)
        time.sleep(0.1)


@contextmanager
def workers(url: str, feed: str, count: int, seconds: float) -> Iterator[list[int]]:
    """Run worker processes, and yield their ids."""
    context = get_context("spawn")
    running = [context.Process(target=schedule, args=(url, feed, f"w{n}", seconds), daemon=True) for n in range(count)]
    for process in running:
        process.start()
    try:
        yield [process.pid or 0 for process in running]
    finally:
        for process in running:
            process.join(seconds + 30)
            process.kill()


def published(store: Store) -> dict[datetime, int]:
    """Return how many revisions were published in the turn of each slot that was ended."""
    with store.read() as connection:
        done = connection.execute(sa.select(t.slots.c.slot_start).where(t.slots.c.state == "done")).scalars().all()
        # A turn is dated by its beginning; a revision of a worker that slept is dated after those before it.
        began = sa.select(t.refreshes.c.started_at).where(t.refreshes.c.revision.is_not(None))
        moments = list(connection.execute(began).scalars())
    return {slot: sum(1 for moment in moments if slots.slot_of(moment, SECOND) == slot) for slot in done}


def test_many_workers_publish_once_per_slot(store: Store) -> None:
    """Three workers, six seconds: every slot that was somebody's has exactly one revision."""
    prepare(store)
    with Moving().serving() as feed, workers(store.url, feed, 3, 6):
        pass
    counts = published(store)
    assert len(counts) >= 4
    assert set(counts.values()) == {1}


def test_who_slept_past_a_later_turn_writes_nothing(store: Store) -> None:
    """His own slot was never taken over, and yet his answer is older than what was read since."""
    hour = timedelta(hours=1)

    def claim(at: datetime) -> slots.Turn:
        slot = slots.slot_of(at, hour)
        turn_ = store.tell(
            lambda connection: slots.claim(connection, "job", slot, "w", at=at, lease=timedelta(minutes=5))
        )
        assert turn_ is not None
        return turn_

    slept, later = claim(NOON), claim(NOON + hour)
    store.tell(lambda connection: slots.finish(connection, later, NOON + hour))
    with pytest.raises(Overtaken):
        store.tell(lambda connection: slots.finish(connection, slept, NOON + hour))


def test_a_slot_is_claimed_once_and_taken_over_when_its_lease_ran_out(store: Store) -> None:
    """The second asks in vain, the third after the lease gets a higher token; the first is then told apart."""
    slot = slots.slot_of(NOON + timedelta(minutes=7), timedelta(hours=1))
    assert slot == NOON

    def claim(owner: str, at: datetime) -> slots.Turn | None:
        return store.tell(
            lambda connection: slots.claim(connection, "job", slot, owner, at=at, lease=timedelta(minutes=5))
        )

    first = claim("a", NOON)
    assert first is not None
    assert claim("b", NOON + timedelta(minutes=4)) is None
    second = claim("c", NOON + timedelta(minutes=5))
    assert second is not None
    assert second.token > first.token
    with pytest.raises(Overtaken):
        store.tell(lambda connection: slots.finish(connection, first, NOON))
    store.tell(lambda connection: slots.finish(connection, second, NOON))
    assert claim("d", NOON + timedelta(days=1)) is None
    assert [(job["job"], job["owner"], job["state"]) for job in turn.jobs(store)] == [("job", "c", "done")]


def test_who_slept_through_his_turn_writes_nothing(store: Store) -> None:
    """The feed answers after the lease; somebody else has published meanwhile; the late one is refused whole."""
    prepare(store)
    feed = Moving()
    lease = timedelta(milliseconds=50)
    with feed.serving() as url:
        sources = {SOURCE: (ADAPTERS[SOURCE], url)}

        def asleep(connection: object) -> None:
            del connection
            time.sleep(0.2)
            done = turn.scheduled_refresh(store_of_another, sources, SOURCE, timedelta(hours=1), "other", lease=lease)
            assert done is not None
            assert done.revision == 1

        store_of_another = open_store(store.url)
        taken = store.tell(
            lambda connection: slots.claim(
                connection, f"refresh:{SOURCE}", slots.slot_of(store.clock(connection), timedelta(hours=1)), "sleeper",
                at=store.clock(connection), lease=lease,
            )
        )  # fmt: skip
        assert taken is not None
        asleep(None)
        with pytest.raises(Overtaken):
            refresh(
                store, sources, NOON, lambda *_: None,
                fence=lambda connection: slots.finish(connection, taken, NOON),
            )  # fmt: skip
        store_of_another.close()
    with store.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(t.revisions)).scalar() == 1


def test_a_turn_that_failed_says_so_and_is_taken_again_after_its_lease(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever nobody foresaw: the slot is marked, and free again when its lease has run out."""
    prepare(store)
    sources = {SOURCE: (ADAPTERS[SOURCE], "http://127.0.0.1:1")}
    lease = timedelta(milliseconds=50)

    def ask(owner: str) -> object:
        return turn.scheduled_refresh(store, sources, SOURCE, timedelta(hours=1), owner, lease=lease)

    with monkeypatch.context() as patched:
        patched.setattr("planner.flows.turn.refresh", lambda *_others, **_named: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            ask("first")
    assert [job["state"] for job in turn.jobs(store)] == ["failed"]
    time.sleep(0.1)
    assert ask("second") is not None
    assert [(job["owner"], job["state"]) for job in turn.jobs(store)] == [("second", "done")]


def test_who_was_asked_by_hand_and_was_slower_than_a_turn_writes_nothing(store: Store) -> None:
    """A refresh that began earlier and ends later holds the older answer: what was read since stands, and its age."""
    prepare(store)
    with Moving().serving() as feed:
        sources = {SOURCE: (ADAPTERS[SOURCE], feed)}
        assert refresh(store, sources, NOON, lambda *_: None).revision == 1
        slow = refresh(store, sources, NOON - SECOND, lambda *_: None)
    assert (slow.revision, slow.sources[0].outcome) == (None, "overtaken")
    with store.read() as connection:
        assert status.source_states_of(connection, [SOURCE])[0].last_success_at == NOON


def test_a_stopped_leader_is_replaced(store: Store) -> None:
    """One of two workers is stopped for two seconds and wakes up again: still one revision per ended slot."""
    prepare(store)
    with Moving().serving() as feed, workers(store.url, feed, 2, 7) as pids:
        time.sleep(2.5)
        os.kill(pids[0], signal.SIGSTOP)
        time.sleep(2)
        os.kill(pids[0], signal.SIGCONT)
    counts = published(store)
    assert len(counts) >= 4
    assert set(counts.values()) == {1}


def test_a_slot_of_a_resting_source_passes(store: Store) -> None:
    """While its circuit is open nothing is fetched, and the slot is done."""
    prepare(store)
    with store.write() as connection:
        connection.execute(
            sa.insert(t.source_states).values(source=SOURCE, failures=5, retry_at=datetime(2100, 1, 1, tzinfo=UTC))
        )
    sources = {SOURCE: (ADAPTERS[SOURCE], "http://127.0.0.1:1")}
    assert turn.scheduled_refresh(store, sources, SOURCE, timedelta(hours=1), "w") is None
    assert [job["state"] for job in turn.jobs(store)] == ["done"]


def test_an_hourly_job_is_done_once_and_its_slot_is_free_again_where_it_failed(store: Store) -> None:
    """What it writes and the end of its slot are one transaction."""
    prepare(store)
    done: list[str] = []
    with pytest.raises(ZeroDivisionError):
        turn.hourly(store, "remind", "u", lambda _connection, _at: 1 / 0)
    for owner in ("v", "w"):
        turn.hourly(store, "remind", owner, lambda _connection, _at, owner=owner: done.append(owner))  # type: ignore[misc]
    assert done == ["v"]


def test_the_databases_clock_is_the_clock(store: Store) -> None:
    """It is in UTC, moves, and is close to this machine's."""
    with store.read() as connection:
        one, two = store.clock(connection), store.clock(connection)
    assert abs(datetime.now(UTC) - one) < timedelta(seconds=5)  # noqa: TID251  # compared with the real clock
    assert two >= one
