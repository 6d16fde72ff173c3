"""Lines of invoices come in: each is kept once, as it was stated."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from planner.core.invoice import InvoiceLine
from planner.core.money import plain
from planner.flows.ingest import AT_MIN, CONFLICT, KNOWN, NEWER, REFUSED, STORED, Result
from planner.store import invoices
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


def count(found: dict[tuple[str, str], str], line: InvoiceLine) -> None:
    """Add a line to what a file comes to, by kind and currency."""
    place = line.kind.value, line.currency
    found[place] = plain(Decimal(found.get(place, "0")) + line.amount)
