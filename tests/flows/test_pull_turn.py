"""Pulling on a schedule: one worker does it, what came of it is on record, and long silence is told once."""

from datetime import UTC, datetime, timedelta

import pytest

from planner.core.errors import Overtaken
from planner.flows import turn
from planner.flows.pull import Pulled, Wish, pull
from planner.flows.turn import scheduled_pull
from planner.schedule import Pulls, Timer
from planner.sources.usage_apis import Account
from planner.store import alerts, pulls, slots
from planner.store.engine import Connection, Store
from planner.store.pulls import Pull
from tests import vendors
from tests.ledger_books import DAY, HOUR, NOON, know, total
from tests.test_service import until
from tests.vendors import COMPLETIONS


def test_one_worker_pulls_and_the_slot_is_done(store: Store) -> None:
    """Whoever asks first; the others find it done, and the next slot asks again."""
    know(store)
    vendor = vendors.openai()
    with store.read() as connection:
        now = store.clock(connection)
    yesterday = now.replace(hour=0, minute=0, second=0, microsecond=0) - DAY
    vendor.put(COMPLETIONS, yesterday, vendors.completion(100))
    with vendor.serving() as account:
        done = scheduled_pull(store, account, timedelta(days=3650), "one")
        assert done is not None
        assert [one.error for one in done] == [None, None]
        assert scheduled_pull(store, account, timedelta(days=3650), "two") is None
    assert total(store).input_tokens == 100
    (job,) = turn.jobs(store)
    assert (job["job"], job["owner"], job["state"]) == ("pull:openai", "one", slots.DONE)


def test_a_report_that_cannot_be_pulled_ends_its_turn(store: Store) -> None:
    """The reason is on record, and the vendor is asked again in the next slot and not before."""
    vendor = vendors.openai()
    vendor.faults = [(401, {}, b"{}")] * 2
    with vendor.serving() as account:
        assert scheduled_pull(store, account, timedelta(days=3650), "one") is not None
        assert scheduled_pull(store, account, timedelta(days=3650), "one") is None
    with store.read() as connection:
        rows = pulls.every(connection, 10)
    assert [(row["report"], row["outcome"], row["error_code"]) for row in rows] == [
        ("costs", "failed", "http_status"), ("usage", "failed", "http_status"),
    ]  # fmt: skip
    assert turn.jobs(store)[0]["state"] == slots.DONE


def test_a_worker_whose_turn_was_taken_over_books_nothing(store: Store) -> None:
    """It slept through its lease while it fetched, and another one took the slot."""
    know(store)
    vendor, interval = vendors.openai(), timedelta(days=3650)

    def take_over(connection: Connection) -> None:
        now = store.clock(connection)
        later = now + turn.PULL_LEASE + HOUR
        slots.claim(connection, "pull:openai", slots.slot_of(now, interval), "two", at=later, lease=HOUR)

    vendor.before = lambda: store.tell(take_over)
    with vendor.serving() as account, pytest.raises(Overtaken):
        scheduled_pull(store, account, interval, "one")
    assert total(store).rows == 0


def test_the_timer_pulls_and_outlives_a_vendor_that_is_down(store: Store) -> None:
    """When it is time both reports are asked for; what goes wrong is on record, and nothing raises."""
    vendor = vendors.openai()
    vendor.faults = [(401, {}, b"{}")]

    def early() -> datetime:
        return datetime.now(UTC)  # noqa: TID251  # the timer runs on the real clock

    def attempts() -> list[tuple[str, str]]:
        with store.read() as connection:
            return [(row["report"], row["outcome"]) for row in pulls.every(connection, 10)]

    with vendor.serving() as account:
        every = Pulls((account,), timedelta(days=3650))
        with Timer(store, {}, {}, early, "test", pulls=every, first_after=timedelta(seconds=1)):
            until(lambda: len(attempts()) > 1)
    assert attempts() == [("costs", "done"), ("usage", "failed")]


def failed(report: str = "usage") -> Pull:
    """Return a pull that failed."""
    return Pull(
        vendor="openai", report=report, since=NOON - DAY, until=NOON, started_at=NOON, through=None, import_id=None,
        summary={}, error=("http_status", "status 500"), by="test",
    )  # fmt: skip


def test_long_silence_is_told_once(store: Store) -> None:
    """Two days after the last success, once, and again when it falls silent again after one."""

    def remind(hours: int) -> int:
        return store.tell(lambda connection: pulls.remind(connection, NOON + hours * HOUR))

    store.tell(lambda connection: pulls.note(connection, failed(), NOON))
    assert [remind(hours) for hours in (47, 49, 50)] == [0, 1, 0]
    with vendors.openai().serving() as account:
        worked = pull(store, account, Wish(only="usage"), now=lambda: NOON + 60 * HOUR, by="test")
    assert worked[0].error is None
    store.tell(lambda connection: pulls.note(connection, failed(), NOON + 61 * HOUR))
    assert [remind(hours) for hours in (100, 109, 120)] == [0, 1, 0]
    assert pulls.STALE in alerts.KINDS


@pytest.mark.parametrize(("hours", "says"), [(1, "failing"), (49, "stale")])
def test_the_state_of_a_report_is_a_word(store: Store, hours: int, says: str) -> None:
    """Fresh, failing for a while, stale when nothing came for two days."""
    with vendors.openai().serving() as account:
        assert isinstance(pulled_once(store, account), Pulled)
    with store.read() as connection:
        (one,) = pulls.states(connection)
    assert pulls.state(one, NOON) == "fresh"
    store.tell(lambda connection: pulls.note(connection, failed(), NOON))
    with store.read() as connection:
        (one,) = pulls.states(connection)
    assert pulls.state(one, NOON + hours * HOUR) == says


def pulled_once(store: Store, account: Account) -> Pulled:
    """Pull usage at noon."""
    (done,) = pull(store, account, Wish(only="usage"), now=lambda: NOON, by="test")
    return done
