"""What has to be booked anew, piece by piece: said in the transaction that made it necessary, done in later ones.

Rows are booked anew in the transaction that says so. A file that is to be rated again takes minutes: who does it claims
it first, and for that time it is nobody else's.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from planner.store import json_text
from planner.store.tables import ledger

FILE = "bulk"
"""The kind of work that is a file to be rated again where it lies."""
LEASE = timedelta(minutes=15)
"""How long a file is whoever's who claimed it; if it is not done by then, somebody else may begin again."""

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
    """Return the oldest that is not done; files come after everything else, see `claim`."""
    query = sa.select(ledger.ledger_work).where(_w.done_at.is_(None), _w.kind != FILE).order_by(_w.id).limit(1)
    row = connection.execute(query).first()
    return None if row is None else Work(row.id, row.kind, json_text.load(row.selector), row.after)


def go_on(connection: sa.Connection, work: Work, after: int) -> None:
    """Write how far it got."""
    connection.execute(sa.update(ledger.ledger_work).where(_w.id == work.id).values(after=after))


def done(connection: sa.Connection, work: Work, at: datetime) -> None:
    """Write that it is done."""
    connection.execute(sa.update(ledger.ledger_work).where(_w.id == work.id).values(done_at=at))


def newest(connection: sa.Connection) -> int:
    """Return the number of the last that was said of rows."""
    return connection.scalar(sa.select(sa.func.max(_w.id)).where(_w.kind != FILE)) or 0


def add_files(connection: sa.Connection, imports: Iterable[int], at: datetime) -> None:
    """Say that files have to be rated again. One that waits already, and that nobody has begun, waits once."""
    for number in imports:
        selector = {"import": number}
        same = _w.kind == FILE, _w.selector == json_text.dump(selector), _w.done_at.is_(None), _w.after == 0
        if connection.execute(sa.select(_w.id).where(*same).limit(1)).first() is None:
            add(connection, FILE, selector, at)


class Claim(NamedTuple):
    """A file that is somebody's to rate again: the import, and until when (seconds since 1970)."""

    number: int
    until: int


def claim(connection: sa.Connection, at: datetime) -> Claim | None:
    """Return a file that waits to be rated again and is nobody's, and make it the caller's; None: there is none."""
    free = _w.kind == FILE, _w.done_at.is_(None), _w.after <= int(at.timestamp())
    selector = connection.scalar(sa.select(_w.selector).where(*free).order_by(_w.id).limit(1))
    if selector is None:
        return None
    until = int((at + LEASE).timestamp())
    connection.execute(sa.update(ledger.ledger_work).where(*free, _w.selector == selector).values(after=until))
    return Claim(json_text.load(selector)["import"], until)


def give_back(connection: sa.Connection, held: Claim) -> None:
    """Give back a file that was claimed, and not done."""
    connection.execute(sa.update(ledger.ledger_work).where(*_held(held)).values(after=0))


def end(connection: sa.Connection, held: Claim, at: datetime) -> None:
    """Write that a file that was claimed is done. What was said of it since it was claimed still waits."""
    connection.execute(sa.update(ledger.ledger_work).where(*_held(held)).values(done_at=at))


def _held(held: Claim) -> tuple[sa.ColumnElement[bool], ...]:
    selector = json_text.dump({"import": held.number})
    return _w.kind == FILE, _w.selector == selector, _w.after == held.until, _w.done_at.is_(None)


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
