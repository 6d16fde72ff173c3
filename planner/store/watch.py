"""Reading whether anything changed, as cheaply as the database allows: this read stands in front of every answer."""

import os
import sqlite3
import threading
import time
from datetime import UTC, datetime

import psycopg
from psycopg.conninfo import make_conninfo

from planner.core.errors import Unavailable
from planner.store.bounded import Bounded, patience
from planner.store.engine import Store
from planner.store.line import Line, open_line
from planner.store.revision import Heads, Marks

_READ = "SELECT catalogue, policy, keys, {clock} FROM heads WHERE id = 1"
# The embedded database has no clock but the machine's.
_SQLITE = _READ.format(clock="NULL")
_POSTGRES = _READ.format(clock="extract(epoch FROM clock_timestamp())::float8")
_Row = tuple[int, int, int, float | None]
# A read of one row takes a millisecond; a link that needs this long is as good as cut.
READ_SECONDS_MAX = 1.5
# After a wait in vain nobody waits again for so long, or every thread would, one after the other.
QUIET_SECONDS = 1.0
_LINK = {
    "connect_timeout": 2, "tcp_user_timeout": 2_000, "keepalives_idle": 5, "keepalives_interval": 1,
    "keepalives_count": 2,
}  # fmt: skip


class Watch:
    """Reads the three numbers outside SQLAlchemy.

    One connection, one thread at a time. A connection that turns out to be dead is opened anew at once: a database
    that can be reached is asked, whatever became of the link of before. Who waited for a read that failed shares its
    failure, so that a stalled link holds nobody for longer than one read.
    """

    def __init__(self, store: Store) -> None:
        """Remember where to look; the connection is opened by the first read."""
        self._store = store
        self._lock = threading.Lock()
        self._sqlite: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._postgres: Bounded | None = None
        self._marks = Marks()
        self._clock: tuple[float, float] | None = None
        self._failed_at = self._quiet_until = 0.0

    def heads(self) -> Heads:
        """Return the three numbers as committed now.

        Raises:
            Unavailable: the database does not answer, or is an older one than before.
        """
        came = time.monotonic()
        with self._lock:
            if came <= self._failed_at or came < self._quiet_until:
                raise Unavailable("the database does not answer")
            began = time.monotonic()
            try:
                row = self._read_sqlite() if self._store.is_sqlite else self._read_postgres()
            except (sqlite3.Error, psycopg.Error, OSError) as error:
                self._close()
                self._failed(in_vain=time.monotonic() - began >= READ_SECONDS_MAX)
                raise Unavailable("the database does not answer") from error
            if row is None:
                raise Unavailable("the database holds no catalogue yet")
            catalogue, policy, keys, seconds = row
            if seconds is not None:
                self._clock = (time.monotonic(), seconds)
            # In the order of the reads: two threads must not take each other's older numbers for a restored backup.
            return self._marks.see(Heads(catalogue, policy, keys))

    async def line(self) -> Line | None:
        """Open a second connection, for `unmoved`; None: the server cannot be reached, or gives no second one."""
        try:
            return await open_line(self._conninfo(), _POSTGRES)
        except (psycopg.Error, OSError):
            return None

    async def unmoved(self, line: Line, held: Heads) -> bool:
        """Tell whether a line confirms that the numbers committed now are those held, and the newest seen.

        Whatever else it says has to be read by `heads`: answers on two connections arrive in any order, and one that
        was overtaken must not pass for a restored backup.
        """
        try:
            row = await line.ask(READ_SECONDS_MAX)
        except TimeoutError:
            self._failed(in_vain=True)
            return False
        except psycopg.Error:
            return False
        if row is None:
            return False
        catalogue, policy, keys, seconds = row
        if (int(catalogue), int(policy), int(keys)) != held or not self._marks.newest(held):
            return False
        self._clock = (time.monotonic(), float(seconds))
        return True

    def now(self) -> datetime | None:
        """Return the server's moment: its clock at the last read, and what has passed since. None: it has no own."""
        if self._clock is None:
            return None
        read_at, seconds = self._clock
        return datetime.fromtimestamp(seconds + time.monotonic() - read_at, UTC)

    def newest(self, held: Heads) -> bool:
        """Tell whether the database has said nothing newer than these numbers, and is not refused."""
        return self._marks.newest(held)

    def _read_sqlite(self) -> _Row | None:
        path = self._store.engine.url.database or ""
        found = os.stat(path)  # noqa: PTH116  # half the time of a Path, before every answer
        if (found.st_dev, found.st_ino) != self._file:
            # Another file took the place of the one that is open, a backup perhaps: the old one would never move again.
            replaced = self._file is not None
            self._close()
            if replaced:
                self._store.close()
            self._sqlite = sqlite3.connect(f"file:{path}?mode=ro", uri=True, check_same_thread=False, timeout=2)
            self._file = (found.st_dev, found.st_ino)
        # Opened read-only, so that a vanished file is an error and never a new empty database.
        if self._sqlite is None:
            raise sqlite3.OperationalError("closed")
        row: _Row | None = self._sqlite.execute(_SQLITE).fetchone()
        return row

    def _read_postgres(self) -> _Row | None:
        began = time.monotonic()
        if self._postgres is not None and not self._postgres.closed:
            try:
                return self._ask(self._postgres)
            except psycopg.Error:
                self._close()
                if time.monotonic() - began >= READ_SECONDS_MAX:
                    raise
        self._postgres = Bounded.connect(self._conninfo(), autocommit=True)
        return self._ask(self._postgres)

    def _failed(self, *, in_vain: bool) -> None:
        """Let who came before this moment share its failure, and after a wait in vain nobody else wait for a while."""
        self._failed_at = time.monotonic()
        if in_vain:
            self._quiet_until = self._failed_at + QUIET_SECONDS

    def _conninfo(self) -> str:
        url = self._store.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        return make_conninfo(url, **_LINK)

    @staticmethod
    def _ask(connection: Bounded) -> _Row | None:
        with patience(READ_SECONDS_MAX):
            row: _Row | None = connection.execute(_POSTGRES).fetchone()
        return row

    def _close(self) -> None:
        for connection in (self._sqlite, self._postgres):
            if connection is not None:
                connection.close()
        self._sqlite = self._postgres = self._file = None

    def forget(self) -> None:
        """Close the connection; the next read opens another."""
        with self._lock:
            self._close()
