"""Reading whether anything changed, as cheaply as the database allows: this read stands in front of every answer."""

import sqlite3
import threading

import psycopg

from planner.core.errors import Unavailable
from planner.store.engine import Store
from planner.store.revision import Heads

_QUERY = "SELECT catalogue, policy, keys FROM heads WHERE id = 1"


class Watch:
    """Reads the three numbers outside SQLAlchemy.

    One connection, one thread at a time; after an error the connection is opened anew.
    """

    def __init__(self, store: Store) -> None:
        """Remember where to look; the connection is opened by the first read."""
        self._store = store
        self._lock = threading.Lock()
        self._sqlite: sqlite3.Connection | None = None
        self._postgres: psycopg.Connection[tuple[int, int, int]] | None = None

    def heads(self) -> Heads:
        """Return the three numbers as committed now.

        Raises:
            Unavailable: the database does not answer.
        """
        with self._lock:
            try:
                row = self._read_sqlite() if self._store.is_sqlite else self._read_postgres()
            except (sqlite3.Error, psycopg.Error, OSError) as error:
                self.forget()
                raise Unavailable("the database does not answer") from error
        if row is None:
            raise Unavailable("the database holds no catalogue yet")
        return Heads(*row)

    def _read_sqlite(self) -> tuple[int, int, int] | None:
        if self._sqlite is None:
            # Read-only, so that a vanished file is an error and never a new empty database.
            self._sqlite = sqlite3.connect(
                f"file:{self._store.engine.url.database}?mode=ro", uri=True, check_same_thread=False, timeout=2
            )
        row: tuple[int, int, int] | None = self._sqlite.execute(_QUERY).fetchone()
        return row

    def _read_postgres(self) -> tuple[int, int, int] | None:
        if self._postgres is None or self._postgres.closed:
            url = self._store.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
            self._postgres = psycopg.connect(url, autocommit=True, connect_timeout=2)
        return self._postgres.execute(_QUERY).fetchone()

    def forget(self) -> None:
        """Close the connection; the next read opens another."""
        for connection in (self._sqlite, self._postgres):
            if connection is not None:
                connection.close()
        self._sqlite = self._postgres = None
