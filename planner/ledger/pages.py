"""Pages of a vendor's usage or cost API: the results in their buckets, each named by its place and by what it counts."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

from planner.ledger.apart import digest, within
from planner.ledger.format import File, Refused, Row, Skipped

_LOOK = 1_000
# A label stands beside the id it is of, and a person may change it between two pulls of one bucket.
_LABELS = ("_name", "_email")


class Entry(NamedTuple):
    """One result of a page: where it stands, the bucket that says its time, and its own values.

    Where a page has rows instead of buckets with results, the row is both.
    """

    place: str
    bucket: Mapping[str, Any]
    values: Mapping[str, Any]


def entries(file: File) -> Iterator[Entry | Refused | Skipped]:
    """Yield every result of every page of a file in its order: a page as the document, one a line, or a list of them.

    Where the last page says that more follow, that is said too: what they hold is in no row.
    """
    last: Row | None = None
    for page in file.rows():
        if isinstance(page, Refused):
            yield page
            continue
        last = page
        buckets = page.values.get("data")
        if not isinstance(buckets, list):
            yield Refused(page.place, "data: a list is needed")
            continue
        for number, bucket in enumerate(buckets):
            yield from _results(within(page.place, f"data[{number}]"), bucket)
    if last is not None and last.values.get("has_more") is True:
        yield Skipped(last.place, "has_more: more pages follow this one, and the file does not hold them")


def _results(place: str, bucket: object) -> Iterator[Entry | Refused]:
    if not isinstance(bucket, dict):
        yield Refused(place, "an object is needed")
        return
    if "results" not in bucket:
        yield Entry(place, bucket, bucket)
        return
    results = bucket["results"]
    if not isinstance(results, list):
        yield Refused(place, "results: a list is needed")
        return
    for number, result in enumerate(results):
        inside = f"{place}.results[{number}]"
        yield Entry(inside, bucket, result) if isinstance(result, dict) else Refused(inside, "an object is needed")


def first_entry(file: File) -> Entry | None:
    """Return the first result of a file of pages, whatever empty buckets stand before it; None where there is none."""
    if file.layout not in ("json", "jsonl") or "data" not in file.columns:
        return None
    return next((entry for entry in islice(entries(file), _LOOK) if isinstance(entry, Entry)), None)


def row_id(kind: str, begins: datetime, ends: datetime, dimensions: Mapping[str, object]) -> str:
    """Return the id of an aggregate: the same in every pull of the same bucket, dimension by dimension.

    A dimension that nothing is grouped by is null or missing, which is the same. Figures are no dimensions, and labels
    are none either; every other word is one, also one that planner has never seen, since two rows that differ in it
    are two rows.
    """
    named = {
        name: value
        for name, value in dimensions.items()
        if isinstance(value, str | bool) and not name.endswith(_LABELS)
    }
    return digest(kind, begins.isoformat(), ends.isoformat(), named)


def named(values: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, str]:
    """Return those of these fields that say something, as the tags of a row."""
    return {name: value for name in names if isinstance(value := values.get(name), str) and value}
