"""Lines of invoices as they were stated, and the evidence of usage beside them that a ledger is held against."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from planner.core.event import Event
from planner.core.event_form import read_event
from planner.core.invoice import InvoiceLine, Kind
from planner.core.invoice_form import read_line, write_line
from planner.store import json_text
from planner.store.recall import BATCH
from planner.store.tables import invoice_lines, ledger

_e, _i = ledger.usage_events.c, invoice_lines.c
# Written out, and no parameter, so that the index of these few rows is used.
_EVIDENCE = _e.state == sa.literal_column("'evidence'")
# How many rows are held at once while they are read.
_AT_ONCE = 1_000


class Known(NamedTuple):
    """A line that is on record: its row, and the digest of what it says."""

    row: int
    digest: str


def known(connection: sa.Connection, source: str, ids: Iterable[str]) -> dict[str, Known]:
    """Return the live lines of a source with these ids."""
    found: dict[str, Known] = {}
    wanted = sorted(set(ids))
    for start in range(0, len(wanted), BATCH):
        query = sa.select(_i.id, _i.line_id, _i.digest).where(
            _i.source == source, _i.line_id.in_(wanted[start : start + BATCH]), _i.recorded_to.is_(None)
        )
        found |= {row.line_id: Known(row.id, row.digest) for row in connection.execute(query)}
    return found


def digest_of(line: InvoiceLine) -> str:
    """Return the digest of what a line says."""
    return json_text.digest(json_text.dump(write_line(line)))


def end(connection: sa.Connection, rows: Iterable[int], at: datetime) -> None:
    """End lines that newer ones take the place of."""
    for row in rows:
        connection.execute(sa.update(invoice_lines).where(_i.id == row).values(recorded_to=at))


def insert(
    connection: sa.Connection, lines: Sequence[InvoiceLine], import_id: int | None, at: datetime, by: str
) -> None:  # fmt: skip
    """Store lines as they were stated."""
    rows = [
        {
            "source": line.source, "line_id": line.id, "kind": line.kind.value, "start": line.start,
            "document": json_text.dump(write_line(line)), "digest": digest_of(line), "import_id": import_id,
            "recorded_from": at, "recorded_by": by,
        }
        for line in lines
    ]  # fmt: skip
    if rows:
        connection.execute(sa.insert(invoice_lines), rows)


def discounting(
    connection: sa.Connection, since: datetime, until: datetime, sources: Sequence[str]
) -> frozenset[str]:  # fmt: skip
    """Return the sources that take discounts off on lines of their own in a span of time."""
    where = [_i.recorded_to.is_(None), _i.start >= since, _i.start < until, _i.kind == Kind.DISCOUNT.value]
    if sources:
        where.append(_i.source.in_(sources))
    return frozenset(connection.execute(sa.select(_i.source).where(*where).distinct()).scalars())


def lines(
    connection: sa.Connection, since: datetime, until: datetime, sources: Sequence[str]
) -> Iterator[tuple[InvoiceLine, int | None]]:
    """Yield live lines that begin in a span of time, each with its import; of all sources where none is named."""
    where = [_i.recorded_to.is_(None), _i.start >= since, _i.start < until]
    if sources:
        where.append(_i.source.in_(sources))
    query = sa.select(_i.document, _i.import_id).where(*where).order_by(_i.id)
    for row in connection.execute(query.execution_options(yield_per=_AT_ONCE)):
        yield read_line(json_text.load(row.document)), row.import_id


def evidence(
    connection: sa.Connection, since: datetime, until: datetime, sources: Sequence[str]
) -> Iterator[tuple[Event, int | None]]:
    """Yield rows of evidence that begin in a span of time, each with its import.

    One that is a line of an invoice too is that: what earlier versions took in as evidence may have come again.
    """
    twice = sa.exists().where(_i.source == _e.source, _i.line_id == _e.event_id, _i.recorded_to.is_(None))
    where = [_EVIDENCE, _e.at >= since, _e.at < until, ~twice]
    if sources:
        where.append(_e.source.in_(sources))
    query = sa.select(_e.document, _e.import_id).where(*where).order_by(_e.id)
    for row in connection.execute(query.execution_options(yield_per=_AT_ONCE)):
        yield read_event(json_text.load(row.document)), row.import_id
