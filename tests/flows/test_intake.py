"""Rows of many callers in one commit: each hears of its own, and none is harmed by another's."""

from concurrent.futures import Future
from typing import Any

import pytest
import sqlalchemy as sa

from planner.core.errors import Conflict, Unavailable
from planner.core.event import Event, Role
from planner.flows.ingest import Result
from planner.flows.intake import WAITING_MAX, Batch, Intake
from planner.store.engine import Store
from planner.store.streams import Stream
from planner.store.tables import ledger
from tests.ledger_books import BACKEND, NOON, event

SPANS = Stream("spans", Role.LEDGER)


def sent(intake: Intake, *events: Event, stream: Stream = BACKEND) -> "Future[list[list[Result]]]":
    """Send rows of one stream, as one caller does."""
    return intake.send([Batch(stream, events, "test")])


def heard(answer: "Future[list[list[Result]]]") -> list[str]:
    """Return what a caller was told of its rows."""
    return [result.status for results in answer.result(60) for result in results]


def written(store: Store, intake: Intake) -> list[str]:
    """Let everything that was sent be written, in one go, and return the ids on record."""
    intake.start()
    intake.close()
    with store.read() as connection:
        return sorted(connection.execute(sa.select(ledger.usage_events.c.event_id)).scalars())


def test_the_same_row_of_two_callers_is_stored_once(books: Store) -> None:
    """In one commit: both hear its cost, and whoever sends another body hears of the conflict."""
    intake = Intake(books, lambda: NOON)
    first, again = sent(intake, event("1"), event("2")), sent(intake, event("2"), event("3"))
    other = sent(intake, event("3", input_tokens=1), event("4"))
    assert written(books, intake) == ["1", "2", "3", "4"]
    assert [heard(one) for one in (first, again, other)] == [
        ["stored", "stored"], ["duplicate", "stored"], ["conflict", "stored"],
    ]  # fmt: skip
    assert again.result()[0][0].posting == first.result()[0][1].posting is not None


def test_each_caller_gets_its_rows_stream_by_stream(books: Store) -> None:
    """Rows of one stream are taken in together, whoever sent them, and sorted out again."""
    intake, jobs = Intake(books, lambda: NOON), BACKEND._replace(source="jobs")
    own, others = (
        {id_: Batch(stream, [event(id_, source=stream.source)], "test") for id_ in "12"} for stream in (BACKEND, jobs)
    )
    mine, yours = intake.send([own["1"], others["1"]]), intake.send([others["1"], own["2"]])
    assert written(books, intake) == ["1", "1", "2"]
    assert [[row.status for (row,) in answer.result()] for answer in (mine, yours)] == [
        ["stored", "stored"], ["duplicate", "stored"],
    ]  # fmt: skip


def test_a_caller_who_is_refused_takes_nobody_with_it(books: Store) -> None:
    """Spans that may tell what the backend told wait for a person; the backend's rows do not."""
    intake = Intake(books, lambda: NOON)
    good, bad = sent(intake, event("1")), sent(intake, event("2", source="spans"), stream=SPANS)
    more = sent(intake, event("3"))
    assert written(books, intake) == ["1", "3"]
    assert (heard(good), heard(more)) == (["stored"], ["stored"])
    with pytest.raises(Conflict, match="choose"):
        bad.result()


def test_rows_nobody_could_foresee_take_nobody_with_them(books: Store) -> None:
    """A text that no database takes is told to whoever sent it, and to nobody else."""
    intake = Intake(books, lambda: NOON)
    good, bad = sent(intake, event("1")), sent(intake, event("\ud800"))
    more = sent(intake, event("2"))
    assert written(books, intake) == ["1", "2"]
    assert (heard(good), heard(more)) == (["stored"], ["stored"])
    with pytest.raises(UnicodeEncodeError):
        bad.result()


def test_who_gave_up_before_its_rows_were_written_is_not_written(books: Store) -> None:
    """Nothing was said to it, so that it sends them again; those after it are written."""
    intake = Intake(books, lambda: NOON)
    gone = sent(intake, event("1"))
    stayed = sent(intake, event("2"))
    assert gone.cancel()
    assert written(books, intake) == ["2"]
    assert heard(stayed) == ["stored"]


def test_what_was_sent_before_the_end_is_written_and_nothing_after_it(books: Store) -> None:
    """A caller that comes too late is sent elsewhere at once, and does not wait for an answer that never comes."""
    intake = Intake(books, lambda: NOON)
    intake.start()
    answers = [sent(intake, event(str(number))) for number in range(20)]
    intake.close()
    assert [heard(answer) for answer in answers] == [["stored"]] * 20
    with pytest.raises(Unavailable):
        sent(intake, event("late"))


def test_too_many_who_wait_are_sent_away() -> None:
    """Memory is not for rent."""
    intake = Intake(_never(), lambda: NOON)
    for _ in range(WAITING_MAX):
        sent(intake, event())
    with pytest.raises(Unavailable):
        sent(intake, event())


def _never() -> Any:
    """Return no database: nothing is started that would ask for one."""
    return None
