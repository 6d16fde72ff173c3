"""Lines of invoices come in: each is kept once, as it was stated."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from planner.core.event import Event
from planner.core.invoice import InvoiceLine
from planner.core.money import plain
from planner.flows.ingest import AT_MIN, CONFLICT, EVIDENCE, KNOWN, NEWER, REFUSED, STORED, Result
from planner.store import invoices, usage
from planner.store.engine import Connection

_YEAR_MAX = 2100


def take(
    connection: Connection,
    lines: Sequence[InvoiceLine],
    *,
    at: datetime,
    by: str,
    mutable: bool = False,
    import_id: int | None = None,
) -> list[Result]:
    """Take lines in, each once by its source and id, and return what became of each.

    One that says otherwise than the one on record is a conflict, or takes its place where its source may say something
    newer (``mutable``). Whoever entered a line by mistake enters an adjustment beside it.
    """
    ids: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        ids[line.source].append(line.id)
    known: dict[tuple[str, str], invoices.Known] = {}
    for source, named in ids.items():
        known |= {(source, id_): found for id_, found in invoices.known(connection, source, named).items()}
    fresh: dict[tuple[str, str], InvoiceLine] = {}
    ended: list[int] = []
    results: list[Result] = []
    for line in lines:
        place = line.source, line.id
        old, digest = known.get(place), invoices.digest_of(line)
        if line.start < AT_MIN or line.last_moment.year >= _YEAR_MAX:
            results.append(Result(REFUSED, f"start: from {AT_MIN.year} to {_YEAR_MAX} is needed"))
        elif old is not None and old.digest == digest:
            results.append(Result(KNOWN))
        elif old is not None and (not mutable or place in fresh):
            results.append(Result(CONFLICT, "this id was told before and said otherwise"))
        else:
            if old is not None:
                ended.append(old.row)
            results.append(Result(STORED if old is None else NEWER))
            fresh[place], known[place] = line, invoices.Known(0, digest)
    invoices.end(connection, ended, at)
    invoices.insert(connection, list(fresh.values()), import_id, at, by)
    return results


def take_place(connection: Connection, source: str, told: Iterable[tuple[object, Result]], at: datetime) -> None:
    """Let what was told now count in place of what was told under the same id as a row of the other kind.

    A charge of FOCUS may be usage, and a correction the next time: evidence first, and then a line, or the other way.
    """
    lines, events = list[str](), list[str]()
    for row, result in told:
        if isinstance(row, InvoiceLine) and result.status in (STORED, NEWER):
            lines.append(row.id)
        if isinstance(row, Event) and result.status == EVIDENCE:
            events.append(row.id)
    for stored in usage.by_ids(connection, source, lines).values():
        if stored.state == usage.EVIDENCE:
            usage.mark(connection, stored.row, usage.SUPERSEDED)
    invoices.end(connection, [found.row for found in invoices.known(connection, source, events).values()], at)


def count(found: dict[tuple[str, str], str], line: InvoiceLine) -> None:
    """Add a line to what a file comes to, by kind and currency."""
    place = line.kind.value, line.currency
    found[place] = plain(Decimal(found.get(place, "0")) + line.amount)
