"""When each key was used last: gathered in memory by whoever answers, and written down once a minute by a thread."""

import contextlib
import threading
from datetime import datetime

from planner.core.errors import Conflict, Unavailable
from planner.store import keys
from planner.store.engine import Store

WRITTEN_EVERY_SECONDS = 60.0
# A database that does not answer must not keep a process from ending.
CLOSING_SECONDS_MAX = 5.0


class Uses:
    """The last use of every key this process let in."""

    def __init__(self, store: Store, every_seconds: float = WRITTEN_EVERY_SECONDS) -> None:
        """Begin with nothing used; nothing is written before `start`."""
        self._store, self._every_seconds = store, every_seconds
        self._used: dict[str, datetime] = {}
        self._written: dict[str, datetime] = {}
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def note(self, prefix: str, at: datetime) -> None:
        """Remember that a key was used: one entry of a dictionary, in front of every answer."""
        self._used[prefix] = at

    def start(self) -> None:
        """Begin to write."""
        self._ended.clear()
        self._thread = threading.Thread(target=self._run, name="uses", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what is left, and end."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(CLOSING_SECONDS_MAX)

    def _run(self) -> None:
        while not self._ended.wait(self._every_seconds):
            self._write()
        self._write()

    def _write(self) -> None:
        # A copy is made in one step, so that those who note meanwhile need no lock.
        fresh = {prefix: at for prefix, at in self._used.copy().items() if self._written.get(prefix) != at}
        if not fresh:
            return
        # What cannot be written now is written with the next.
        with contextlib.suppress(Unavailable, Conflict):
            self._store.tell(lambda connection: keys.used(connection, fresh))
            self._written.update(fresh)
