"""What has to be booked anew, piece by piece: said in the transaction that made it necessary, done in later ones."""

from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from planner.store import json_text
from planner.store.tables import ledger

_w, _h = ledger.ledger_work.c, ledger.ledger_heads.c


class Work(NamedTuple):
    """Rows to be booked anew: of which kind, which ones, and after which row it goes on."""

    id: int
    kind: str
    selector: dict[str, Any]
    after: int


def add(connection: sa.Connection, kind: str, selector: dict[str, Any], at: datetime) -> None:
    """Say that rows have to be booked anew."""
    text = json_text.dump(selector)
    connection.execute(sa.insert(ledger.ledger_work).values(kind=kind, selector=text, after=0, created_at=at))


def first(connection: sa.Connection) -> Work | None:
    """Return the oldest that is not done."""
    row = connection.execute(sa.select(ledger.ledger_work).where(_w.done_at.is_(None)).order_by(_w.id).limit(1)).first()
    return None if row is None else Work(row.id, row.kind, json_text.load(row.selector), row.after)


def go_on(connection: sa.Connection, work: Work, after: int) -> None:
    """Write how far it got."""
    connection.execute(sa.update(ledger.ledger_work).where(_w.id == work.id).values(after=after))


def done(connection: sa.Connection, work: Work, at: datetime) -> None:
    """Write that it is done."""
    connection.execute(sa.update(ledger.ledger_work).where(_w.id == work.id).values(done_at=at))


def waiting(connection: sa.Connection) -> int:
    """Return how many are not done."""
    return (
        connection.scalar(sa.select(sa.func.count()).select_from(ledger.ledger_work).where(_w.done_at.is_(None))) or 0
    )


def rated_revision(connection: sa.Connection) -> int | None:
    """Return the revision of the catalogue through which rows are rated; None: nothing was ever told."""
    return connection.scalar(sa.select(_h.revision))


def rate_through(connection: sa.Connection, revision: int) -> None:
    """Write through which revision rows are rated."""
    _write(connection, revision=revision)


def booked_month(connection: sa.Connection) -> str | None:
    """Return the month through which revenue until further notice is booked; None: there is none yet."""
    return connection.scalar(sa.select(_h.month))


def book_through(connection: sa.Connection, month: str) -> None:
    """Write through which month revenue until further notice is booked."""
    _write(connection, month=month)


def _write(connection: sa.Connection, **values: int | str) -> None:
    if connection.execute(sa.update(ledger.ledger_heads).values(**values)).rowcount == 0:
        connection.execute(sa.insert(ledger.ledger_heads).values(id=1, **values))
