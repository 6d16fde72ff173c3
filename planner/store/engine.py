"""Opening the database, and the two kinds of transaction a story may have: one consistent read, one atomic write."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa

from planner.core.errors import Conflict, InvalidInput, NotFound, Unavailable
from planner.store.bounded import Bounded

BUSY_SECONDS = 30
TRIES_MAX = 5
# PostgreSQL: serialization failure, deadlock. The whole story is run again, never a part of it.
_AGAIN = frozenset({"40001", "40P01"})

# A trigger raises, or PostgreSQL is a standby that only reads: nothing the story says would change that.
_SHUT = frozenset({"P0001", "25006", "SQLITE_CONSTRAINT_TRIGGER"})
_REFUSES = "the database refuses to be written"

# Nobody waits for a row longer than for SQLite's file; who stopped in the middle of a transaction loses it.
_POSTGRESQL = f"-c timezone=UTC -c lock_timeout={BUSY_SECONDS}s -c idle_in_transaction_session_timeout=120s"
# Every story writes to the one trail, so two at once would only collide and be told again. Who reads waits for nobody.
# A lock of a table takes no snapshot: what the story then sees is what the one before it committed.
_TURN = "LOCK TABLE heads IN SHARE ROW EXCLUSIVE MODE"
# A host that went away without a word is found out in as long.
_LINK = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 4, "tcp_user_timeout": 30_000}

_BY_QUERY = "planner_by_query"

Result = TypeVar("Result")
Connection = sa.Connection
"""An open transaction, as flows hand it from one store module to the next."""


@dataclass(frozen=True, slots=True)
class Store:
    """An opened database."""

    engine: sa.Engine
    url: str

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the embedded database."""
        return self.engine.dialect.name == "sqlite"

    @property
    def by_query(self) -> bool:
        """Whether files are rated where they lie by queries, where that can be done."""
        return rates_by_query(self.engine)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Open one consistent read: everything in it sees the same moment.

        Raises:
            Unavailable: the database does not answer.
        """
        options = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        try:
            with self.engine.connect().execution_options(**options) as connection, connection.begin():
                yield connection
        except sa.exc.OperationalError as error:
            raise Unavailable("the database does not answer") from error

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Open one atomic write: committed whole at the end, or not at all. One at a time; the others queue."""
        options = {"planner_write": True} if self.is_sqlite else {"isolation_level": "SERIALIZABLE"}
        with self.engine.connect().execution_options(**options) as connection, connection.begin():
            if not self.is_sqlite:
                connection.exec_driver_sql(_TURN)
            yield connection

    def tell(self, story: Callable[[sa.Connection], Result]) -> Result:
        """Run a whole story in one write, again from its beginning where PostgreSQL could not serialise it.

        Raises:
            Unavailable: the database does not answer, has no turn for this story, or refuses to be written.
            Conflict: what the story writes contradicts what is there, also when it is told once more.
        """
        for attempt in range(1, TRIES_MAX + 1):
            try:
                with self.write() as connection:
                    return story(connection)
            except sa.exc.IntegrityError as error:
                if _shut(error):
                    raise Unavailable(_REFUSES) from error
                # Somebody else may have written the same row a moment earlier; the story reads it the second time.
                if attempt > 1:
                    raise Conflict("row", "", "it contradicts what is there") from error
            except sa.exc.OperationalError as error:
                if attempt == TRIES_MAX or getattr(error.orig, "sqlstate", None) not in _AGAIN:
                    raise Unavailable("the database does not answer, or has no turn for a change") from error
                # The jitter keeps two stories that collided from colliding again; it decides nothing else.
                time.sleep(random.uniform(0.01, 0.05) * attempt)  # noqa: S311  # not for secrets
            except sa.exc.DatabaseError as error:
                if not _shut(error):
                    raise
                raise Unavailable(_REFUSES) from error
        raise AssertionError("the last attempt returns or raises")

    def clock(self, connection: sa.Connection) -> datetime:
        """Return the database's own clock: the one that all workers share."""
        if self.is_sqlite:
            text = connection.execute(sa.text("SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now')")).scalar_one()
            return datetime.fromisoformat(text).replace(tzinfo=UTC)
        moment: datetime = connection.execute(sa.text("SELECT clock_timestamp()")).scalar_one()
        return moment.astimezone(UTC)

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _shut(error: sa.exc.DatabaseError) -> bool:
    states = (getattr(error.orig, name, None) for name in ("sqlstate", "sqlite_errorname"))
    return not _SHUT.isdisjoint(states)


def rates_by_query(asked: sa.Engine | sa.Connection) -> bool:
    """Tell the same of whatever is at hand; see `Store.by_query`."""
    return bool(asked.get_execution_options().get(_BY_QUERY, True))


def open_store(url: str, *, create: bool = False, by_query: bool = True) -> Store:
    """Open a database by URL: ``sqlite:///file`` or ``postgresql://…``.

    Args:
        url: where it is.
        create: also where there is none yet.
        by_query: see `Store.by_query`.

    Raises:
        NotFound: the SQLite file does not exist and ``create`` was not asked: an empty database where a
            full one was expected must never pass unnoticed.
        InvalidInput: another kind of URL.
    """
    try:
        made = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise InvalidInput("database_url", "not a database URL") from None
    if made.drivername == "sqlite":
        path = Path(made.database or "")
        if not create and not path.is_file():
            raise NotFound("database", path.name)
        return Store(_sqlite(made, {_BY_QUERY: by_query}), url)
    if made.get_backend_name() == "postgresql":
        engine = sa.create_engine(
            made.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            execution_options={_BY_QUERY: by_query},
            connect_args={"connect_timeout": 5, "options": _POSTGRESQL, **_LINK},
        )
        sa.event.listen(engine, "do_connect", _bounded)
        return Store(engine, url)
    raise InvalidInput("database_url", "sqlite:///file or postgresql://… is needed")


def _bounded(_dialect: object, _record: object, arguments: list[Any], options: dict[str, Any]) -> Bounded:
    return Bounded.connect(*arguments, **options)


def _sqlite(url: sa.URL, options: dict[str, bool]) -> sa.Engine:
    # A writer waits its turn for the file; the driver's own transactions are off, ours begin below.
    engine = sa.create_engine(
        url, connect_args={"timeout": BUSY_SECONDS, "isolation_level": None}, execution_options=options
    )
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:  # noqa: ANN401  # the driver's own types
    for pragma in (
        "journal_mode=WAL",
        # An acknowledged write must survive a power cut; FULL costs one fsync per commit, and commits are rare.
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_SECONDS * 1000}",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: sa.Connection) -> None:
    # A transaction that reads first and writes later cannot be upgraded safely, so a writer says so at once.
    write = connection.get_execution_options().get("planner_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
