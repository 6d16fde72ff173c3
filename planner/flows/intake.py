"""Usage that many callers send at once is committed together: each waits for the commit that holds its rows."""

import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import NamedTuple

from planner.core.errors import PlannerError, Unavailable
from planner.core.event import Event
from planner.flows.ingest import Result, ingest
from planner.store.engine import Connection, Store
from planner.store.streams import Stream

# Rows in one transaction: enough that the wait for the disk is shared, few enough that nobody waits long.
ROWS_MAX = 5_000
WAITING_MAX = 2_000
CLOSING_SECONDS_MAX = 10.0


class Batch(NamedTuple):
    """Rows of one stream that one caller sent together."""

    stream: Stream
    events: Sequence[Event]
    at: datetime
    by: str


class _Sent(NamedTuple):
    batches: Sequence[Batch]
    answer: "Future[list[list[Result]]]"

    @property
    def rows(self) -> int:
        return sum(len(batch.events) for batch in self.batches)


def take(connection: Connection, batches: Sequence[Batch]) -> list[list[Result]]:
    """Take the rows of one caller in, stream by stream, in an open write transaction."""
    return [
        ingest(connection, batch.stream, batch.events, at=batch.at, by=batch.by) for batch in batches if batch.events
    ]


class Intake:
    """One thread that writes what callers send; whoever comes while it writes is written with the next commit."""

    def __init__(self, store: Store) -> None:
        """Begin with nothing sent; nothing is written before `start`."""
        self._store = store
        self._sent: queue.Queue[_Sent | None] = queue.Queue(WAITING_MAX)
        self._thread: threading.Thread | None = None
        self._closed = False

    def start(self) -> None:
        """Begin to write."""
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what was sent, and end."""
        self._closed = True
        if self._thread is not None:
            self._sent.put(None)
            self._thread.join(CLOSING_SECONDS_MAX)

    def send(self, batches: Sequence[Batch]) -> "Future[list[list[Result]]]":
        """Return what will be known of the rows once they are committed, or why they are not.

        Raises:
            Unavailable: too many callers wait already, or the process is about to end.
        """
        answer: Future[list[list[Result]]] = Future()
        if self._closed:
            raise Unavailable("the server is about to end")
        try:
            self._sent.put_nowait(_Sent(batches, answer))
        except queue.Full:
            raise Unavailable("too many rows of usage wait to be written") from None
        return answer

    def _run(self) -> None:
        while True:
            first = self._sent.get()
            if first is None:
                return
            together = [first]
            while sum(sent.rows for sent in together) < ROWS_MAX:
                try:
                    following = self._sent.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    # Asked to end: what is in hand is written first, and then nothing more is taken.
                    self._write(together)
                    return
                together.append(following)
            self._write(together)

    def _write(self, together: Sequence[_Sent]) -> None:
        try:
            found = self._store.tell(lambda connection: [_apart(connection, sent.batches) for sent in together])
        except BaseException as error:  # noqa: BLE001  # whoever waits has to hear of it, whatever it is
            for sent in together:
                sent.answer.set_exception(error)
            return
        # Only now, after the commit, does anybody hear that a row is stored.
        for sent, outcome in zip(together, found, strict=True):
            if isinstance(outcome, PlannerError):
                sent.answer.set_exception(outcome)
            else:
                sent.answer.set_result(outcome)


def _apart(connection: Connection, batches: Sequence[Batch]) -> list[list[Result]] | PlannerError:
    """Take one caller's rows in, all or none, without harm to the others in the same transaction."""
    try:
        with connection.begin_nested():
            return take(connection, batches)
    except PlannerError as error:
        return error
