"""Upgrading the schema: done by one command, under a lock; everybody else only checks it."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from planner.core.errors import Unavailable
from planner.places import migrations_dir
from planner.store.engine import Store, open_store

# Any number will do, as long as nobody else in the same database uses it.
_LOCK = 7_237_265_001


def upgrade(url: str) -> None:
    """Bring the schema to this version's revision. Safe to run from many places at once: one works, the others wait.

    Raises:
        Unavailable: the database does not answer.
    """
    store = open_store(url, create=True)
    try:
        with _locked(store), store.engine.connect() as connection:
            if store.is_sqlite:
                # Batch mode copies tables; with foreign keys enforced it would delete the children of a parent.
                connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
                connection.commit()
            command.upgrade(_config(connection), "head")
            if store.is_sqlite:
                broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
                if broken is not None:
                    raise AssertionError(f"the migration left a dangling reference in {broken[0]}")
    except sa.exc.OperationalError as error:
        raise Unavailable("the database does not answer") from error
    finally:
        store.close()


def _config(connection: sa.Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrations_dir()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


@contextmanager
def _locked(store: Store) -> Iterator[None]:
    if store.is_sqlite:
        # SQLite's own lock would be held by the connection that migrates; a file beside it serves everybody.
        path = Path(f"{store.engine.url.database}.upgrade-lock")
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        return
    # Outside of any transaction, and without a bound: a migration of a large table may take its time.
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("SET lock_timeout = 0")
        connection.execute(sa.select(sa.func.pg_advisory_lock(_LOCK)))
        try:
            yield
        finally:
            connection.execute(sa.select(sa.func.pg_advisory_unlock(_LOCK)))
            connection.exec_driver_sql("RESET lock_timeout")
