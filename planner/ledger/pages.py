"""Pages of a vendor's usage or cost API: every result of every bucket is a row, with the times of its bucket."""

from collections.abc import Callable, Iterator, Mapping
from itertools import chain, islice
from typing import Any

from planner.core.event import Event
from planner.ledger import cells
from planner.ledger.format import File, Read, Refused, Row, Skipped
from planner.ledger.tables import each

# How many of its results are looked at to tell what a file is.
_LOOK = 1_000
_TIMES = frozenset({"start_time", "end_time", "start_time_iso", "end_time_iso", "starting_at", "ending_at"})


def read_results(file: File, event_of: Callable[[Row], Event | Skipped]) -> Iterator[Read | Refused | Skipped]:
    """Read every result of every page, in order; a page is the document, an object of a list, or a line.

    A result has the fields of its bucket too; a page of rows instead of buckets is read row by row. Where the last page
    says that more follow, that is said: what they hold is in no row.
    """
    last = None
    for page in file.rows():
        yield from each(_of_page(page), event_of)
        last = page
    if isinstance(last, Row) and last.values.get("has_more") is True:
        yield Skipped(last.place or "has_more", "more pages follow this one, and the file does not hold them")


def first_result(file: File) -> Mapping[str, Any]:
    """Return the first result of a file of pages, and an empty one where it has none or is no such file."""
    if file.layout not in ("json", "jsonl") or "data" not in file.columns:
        return {}
    found = islice(chain.from_iterable(map(_of_page, file.rows())), _LOOK)
    return next((row.values for row in found if isinstance(row, Row)), {})


def _of_page(page: Row | Refused) -> Iterator[Row | Refused]:
    if isinstance(page, Refused):
        yield page
        return
    buckets = page.values.get("data")
    if not isinstance(buckets, list):
        yield Refused(page.place or "data", "a list of buckets or rows is needed under data")
        return
    before = page.place and f"{page.place} "
    for number, bucket in enumerate(buckets):
        yield from _of_bucket(f"{before}data[{number}]", bucket)


def _of_bucket(place: str, bucket: object) -> Iterator[Row | Refused]:
    if not isinstance(bucket, dict):
        yield Refused(place, "not an object")
        return
    if "results" not in bucket:
        yield Row(place, bucket)
        return
    listed = bucket["results"]
    if not isinstance(listed, list):
        yield Refused(place, "results: a list is needed")
        return
    shared = {name: value for name, value in bucket.items() if name != "results"}
    for number, found in enumerate(listed):
        inside = f"{place}.results[{number}]"
        yield Row(inside, {**shared, **found}) if isinstance(found, dict) else Refused(inside, "not an object")


def tags(values: Mapping[str, Any], *names: str) -> dict[str, str]:
    """Return those of these fields that say something, as the tags of a row.

    Raises:
        InvalidInput: one of them is no text.
    """
    found = {name: cells.text(values, name) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def dimensions(values: Mapping[str, Any], *figures: str) -> dict[str, Any]:
    """Return what a result is grouped by: everything but the times of its bucket and these figures."""
    return {name: value for name, value in values.items() if name not in _TIMES and name not in figures}
