"""A file of usage is imported and its rows stay in it: looked at as any other, rated where it lies, booked at once."""

from collections.abc import Callable
from datetime import datetime

from planner.core.errors import Conflict
from planner.core.posting import Measures
from planner.flows import bulk
from planner.flows.import_file import PREVIEWED, Import, Looked, Progress, Undone, look, written
from planner.flows.rating_in_place import Rating, Rows, rate
from planner.flows.survey import Summary
from planner.store import imports
from planner.store.engine import Connection, Store


def import_in_place(
    store: Store, asked: Import, *, now: Callable[[], datetime], by: str, progress: Progress = lambda *_: None
) -> Summary:
    """Book what the rows of a file come to, and leave them where they are.

    It is read twice, as by `import_file`, and booked in one short transaction at the end: cut off before, nothing has
    happened. Exactly this file once more changes nothing, but for where it lies now.

    Raises:
        InvalidInput: no known format, the file as a whole cannot be read, or it tells of revenue.
        Conflict: another stream that counts, or another file of this one, may tell of the same requests; the rows of
            the stream are on record; or the file changes while it is read.
    """
    before = bulk.mark(asked.path)
    looked = look(store, asked, progress, in_place=True)
    summary, path = looked.summary, asked.path.resolve()
    if summary.stopped is not None:
        return summary
    if summary.repeated is not None:
        number = summary.repeated
        if not asked.dry_run:
            store.tell(lambda connection: bulk.lies_at(connection, number, path, now()))
        return summary
    rows = Rows(
        path=path, format=looked.chosen.name, given=looked.given, stream=looked.stream, at=now(),
        containments=looked.containments,
    )  # fmt: skip
    if asked.dry_run:
        _preview(store, asked, looked, rows, by)
        return summary
    rows = store.tell(lambda connection: bulk.begin(connection, rows, by))
    rating, then = bulk.rated(
        store, rows, refuse=summary.refuse_once, progress=lambda done: progress("rating", done, looked.size)
    )
    if bulk.mark(asked.path) != before:
        raise Conflict("file", asked.name[:80], "it changed while it was read")
    _count(summary, rows, rating)

    def booked(connection: Connection) -> tuple[int, bool]:
        number, known = bulk.take_in(
            connection, rows, rating, then, summary.told, sure=asked.role is not None, name=asked.name,
            digest=looked.digest, at=now(), by=by,
        )  # fmt: skip
        if not known:
            imports.finish(connection, number, written(summary))
        return number, known

    number, known = store.tell(booked)
    if known:
        summary.repeated = number
    else:
        summary.import_id = number
    return summary


def _count(summary: Summary, rows: Rows, rating: Rating) -> None:
    """Write what the rows come to."""
    summary.role = rows.stream.role.value
    summary.outcomes, summary.evidence_usd = rating.outcomes, rating.evidence_usd
    for (_slot, _booked, dims), measures in rating.sums.facts.items():
        basis = dims.cost_basis
        summary.measures[basis] = summary.measures.get(basis, Measures()) + measures
        if dims.unpriced:
            summary.unpriced[dims.unpriced] += measures.rows


def _preview(store: Store, asked: Import, looked: Looked, rows: Rows, by: str) -> None:
    """Book the first rows and take them back: what an import would say, without doing it."""
    summary, found = looked.summary, list[tuple[Rows, Rating]]()

    def story(connection: Connection) -> None:
        begun = bulk.begin(connection, rows, by)
        rating = rate(connection, begun, refuse=summary.refuse_once, rows_max=PREVIEWED)
        bulk.take_in(
            connection, begun, rating, bulk.known(connection), summary.told, sure=asked.role is not None,
            name=asked.name, digest=looked.digest, at=rows.at, by=by,
        )  # fmt: skip
        found[:] = [(begun, rating)]
        raise Undone

    try:
        store.tell(story)
    except Undone:
        ((begun, rating),) = found
        summary.previewed = rating.rows
        _count(summary, begun, rating)
    except Conflict as conflict:
        summary.stopped = str(conflict)
