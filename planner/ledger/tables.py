"""Rows of a table, in whatever kind of file they lie, read one by one into what they say."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from planner.core.errors import InvalidInput
from planner.ledger.format import File, Given, Read, Refused, Row, Said, Skipped

LIST = "data"
"""Where an API puts the list of rows that an export has alone."""
TAGS_MAX, TAG_MAX = 32, 200
# How far into a list its first object may stand.
_LOOK = 1_000


def table(file: File) -> Iterator[Row | Refused]:
    """Yield the rows of a table: of a JSON document those of its list, or the document itself, which may be one row."""
    for row in file.rows():
        listed = row.values.get(LIST) if isinstance(row, Row) and file.layout == "json" else None
        if not isinstance(listed, list):
            yield row
            continue
        for index, found in enumerate(listed):
            place = f"{row.place} {LIST}[{index}]".lstrip()
            yield Row(place, found) if isinstance(found, dict) else Refused(place, "not an object")


def columns(file: File) -> frozenset[str]:
    """Return the columns of a table: of JSON the keys of the first of its rows."""
    if file.layout != "json":
        return frozenset(file.columns)
    first = next((row for row in islice(table(file), _LOOK) if isinstance(row, Row)), None)
    return frozenset() if first is None else frozenset(first.values)


def each(rows: Iterable[Row | Refused], said_of: Callable[[Row], Said | Skipped]) -> Iterator[Read | Refused | Skipped]:
    """Read rows one by one. One that cannot be read is refused by its place, and the others go on."""
    for row in rows:
        if isinstance(row, Refused):
            yield row
            continue
        try:
            said = said_of(row)
        except InvalidInput as error:
            # A field's name may come from the file itself, as a key of an object.
            field = error.field[:80] if error.field.isprintable() else "a field"
            yield Refused(row.place, f"{field}: {error.problem}")
            continue
        yield said if isinstance(said, Skipped) else Read(row.place, said)


class Named(NamedTuple):
    """Who a request was for, and what."""

    plan: str | None
    customer: str | None
    task: str | None


def named(labels: Mapping[str, Any], given: Given, user: str | None = None) -> Named:
    """Return the plan, the customer and the task a row's labels name, or else what was given for every row.

    ``user`` is the user a row names in a column of its own: the customer, unless a label says more.
    """
    customer = label(labels, "customer", "customer_id") or user or label(labels, "user_id")
    return Named(
        label(labels, "plan") or given.plan, customer or given.customer, label(labels, "task", "feature") or given.task
    )


def tags(labels: Mapping[str, Any]) -> dict[str, str]:
    """Return the labels that are short texts, the first 32 of them; anything longer is no label but contents."""
    short = ((name, value) for name, value in labels.items() if _short(name) and _short(value))
    return dict(islice(short, TAGS_MAX))


def label(labels: Mapping[str, Any], *names: str) -> str | None:
    """Return the first of these labels that is there and is a short text."""
    found = (labels.get(name) for name in names)
    return next((value for value in found if value and _short(value)), None)


def _short(value: object) -> bool:
    return isinstance(value, str) and len(value) <= TAG_MAX and value.isprintable()
