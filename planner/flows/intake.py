"""Usage that many callers send at once is committed together: each waits for the commit that holds its rows."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from planner.core.errors import PlannerError, Unavailable
from planner.core.event import Event
from planner.flows.ingest import Result, ingest
from planner.store.engine import Connection, Store
from planner.store.streams import Stream

# Rows in one transaction: enough that the wait for the disk is shared, few enough that nobody waits long.
ROWS_MAX = 5_000
WAITING_MAX = 2_000
# What a commit costs beside its rows is paid once for all who come within a few thousandths of a second.
LULL_SECONDS, GATHERING_SECONDS_MAX = 0.002, 0.02
# Beside the seconds that begun answers are given, so that a process ends within ten.
CLOSING_SECONDS_MAX = 4.0


class Batch(NamedTuple):
    """Rows of one stream that one caller sent together."""

    stream: Stream
    events: Sequence[Event]
    by: str


class _Sent(NamedTuple):
    batches: Sequence[Batch]
    answer: "Future[list[list[Result]]]"

    @property
    def rows(self) -> int:
        return sum(len(batch.events) for batch in self.batches)


class Intake:
    """One thread that writes what callers send; whoever comes while it writes is written with the next commit."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        """Begin with nothing sent; nothing is written before `start`. ``now`` is the clock."""
        self._store, self._now = store, now
        self._sent: queue.SimpleQueue[_Sent | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._closed = False

    def start(self) -> None:
        """Begin to write."""
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what was sent, and end."""
        with self._lock:
            self._closed = True
            self._sent.put(None)
        if self._thread is not None:
            self._thread.join(CLOSING_SECONDS_MAX)

    def send(self, batches: Sequence[Batch]) -> "Future[list[list[Result]]]":
        """Return what will be known of the rows once they are committed, or why they are not.

        Raises:
            Unavailable: too many callers wait already, or the process is about to end.
        """
        answer: Future[list[list[Result]]] = Future()
        # Nothing may come after the word that ends the thread: nobody would ever answer for it.
        with self._lock:
            if self._closed:
                raise Unavailable("the server is about to end")
            if self._sent.qsize() >= WAITING_MAX:
                raise Unavailable("too many rows of usage wait to be written")
            self._sent.put(_Sent(batches, answer))
        return answer

    def _run(self) -> None:
        while (together := self._gather()) is not None:
            if together:
                self._write(together)

    def _gather(self) -> list[_Sent] | None:
        """Wait for somebody, and a moment for whoever comes right behind; None: nobody comes any more."""
        together, rows, following = list[_Sent](), 0, self._sent.get()
        if following is None:
            return None
        end = time.monotonic() + GATHERING_SECONDS_MAX
        while following is not None:
            # Who gave up waiting meanwhile is not written: to whom nothing was said may send it again.
            if following.answer.set_running_or_notify_cancel():
                together.append(following)
                rows += following.rows
            if rows >= ROWS_MAX:
                return together
            try:
                following = self._sent.get(timeout=LULL_SECONDS if time.monotonic() < end else 0)
            except queue.Empty:
                return together
        # The word that ends the thread is for its next turn.
        self._sent.put(None)
        return together

    def _write(self, together: Sequence[_Sent]) -> None:
        try:
            # Asked for once the transaction has begun: nothing is recorded at a moment that was reported without it.
            found = self._store.tell(lambda connection: _take(connection, together, self._now()))
        except BaseException as error:  # noqa: BLE001  # whoever waits has to hear of it, whatever it is
            if len(together) > 1 and not isinstance(error, Unavailable):
                # Somebody's rows cannot be written, and nobody knows whose: the others must not suffer for it.
                for sent in together:
                    self._write([sent])
            else:
                for sent in together:
                    sent.answer.set_exception(error)
            return
        # Only now, after the commit, does anybody hear that a row is stored.
        for sent, outcome in zip(together, found, strict=True):
            if isinstance(outcome, PlannerError):
                sent.answer.set_exception(outcome)
            else:
                sent.answer.set_result(outcome)


def _take(
    connection: Connection, together: Sequence[_Sent], at: datetime
) -> Sequence[list[list[Result]] | PlannerError]:
    """Take the rows of callers in: of each all or none, without harm to the others in the same transaction."""
    try:
        with connection.begin_nested():
            return _as_one(connection, together, at)
    except PlannerError as error:
        if len(together) == 1:
            return [error]
        return [_take(connection, [sent], at)[0] for sent in together]


def _as_one(connection: Connection, together: Sequence[_Sent], at: datetime) -> list[list[list[Result]]]:
    """Take rows of one stream in as if one caller had sent them: what is on record is read once for all of them."""
    alike: dict[tuple[Stream, str], list[tuple[int, int]]] = {}
    for number, sent in enumerate(together):
        for place, batch in enumerate(sent.batches):
            alike.setdefault((batch.stream, batch.by), []).append((number, place))
    found: list[list[list[Result]]] = [[[] for _batch in sent.batches] for sent in together]
    for (stream, by), places in alike.items():
        batches = [together[number].batches[place] for number, place in places]
        events = [event for batch in batches for event in batch.events]
        results = iter(ingest(connection, stream, events, at=at, by=by))
        for (number, place), batch in zip(places, batches, strict=True):
            found[number][place] = list(islice(results, len(batch.events)))
    return found
