"""The database itself refuses to change, replace or remove an entry of the audit trail."""

import pytest
import sqlalchemy as sa
from alembic import command

from planner.store import audit, migrate
from planner.store import tables as t
from planner.store.engine import Store
from planner.store.schema import REVISION
from tests.conftest import NOW

CHANGES = [
    "UPDATE audit SET reason = 'another' WHERE seq = 1",
    "DELETE FROM audit WHERE seq = 1",
    "DELETE FROM audit",
]
# What only one of the two engines knows.
SQLITE = ["INSERT OR REPLACE INTO audit SELECT * FROM audit", "UPDATE OR REPLACE audit SET seq = 2 WHERE seq = 1"]
POSTGRESQL = [
    "TRUNCATE audit",
    "INSERT INTO audit SELECT * FROM audit ON CONFLICT (seq) DO UPDATE SET reason = 'another'",
]


def test_no_entry_is_changed_replaced_or_removed(store: Store) -> None:
    """Each way SQL knows to do it fails with the same words, and the entries stay as they were; one more is added."""
    _add(store, 2)
    before = _entries(store)
    for statement in [*CHANGES, *(SQLITE if store.is_sqlite else POSTGRESQL)]:
        with pytest.raises(sa.exc.DatabaseError, match="the audit trail is append-only"), store.write() as connection:
            connection.exec_driver_sql(statement)
        assert _entries(store) == before, statement
    _add(store, 1)
    assert len(_entries(store)) == 3


def test_the_guard_can_be_taken_back_and_comes_again(store: Store) -> None:
    """The migration goes down and up again; the entries live through it, and are guarded at the end."""
    _add(store, 2)
    before = _entries(store)
    with store.engine.connect() as connection:
        command.downgrade(migrate._config(connection), "0004")
        connection.commit()
    with store.engine.connect() as connection:
        command.upgrade(migrate._config(connection), REVISION)
        connection.commit()
    assert _entries(store) == before
    with pytest.raises(sa.exc.DatabaseError, match="append-only"), store.write() as connection:
        connection.exec_driver_sql(CHANGES[0])


def _add(store: Store, count: int) -> None:
    with store.write() as connection:
        for number in range(count):
            audit.record(
                connection, at=NOW, actor="a", action="x", subject=str(number), before=None, after=None, reason="z"
            )


def _entries(store: Store) -> list[tuple[object, ...]]:
    with store.read() as connection:
        return [tuple(row) for row in connection.execute(sa.select(t.audit).order_by(t.audit.c.seq))]
