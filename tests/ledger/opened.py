"""Files of usage in memory, and the same ones broken in one place."""

import copy
import json
from collections.abc import Iterable, Iterator
from typing import Any

from hypothesis import strategies as st

from planner.core import strict_json
from planner.core.event import Event
from planner.ledger.format import Given, Read, Refused, Skipped
from planner.ledger.reading import DocumentFile

GIVEN = Given(source="s")
WRONG = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from(
        ["", "x", "-1", "1e30", "NaN", "2026-13-01", "9" * 19, "a\tb", "x" * 900, [], {}, [None], {"a": []}, 0.5]
    ),
)


def document(value: Any) -> DocumentFile:
    """Open a JSON document as `planner.ledger.reading.open_file` does."""
    read = strict_json.read(json.dumps(value).encode())
    first = read if isinstance(read, dict) else next((each for each in read if isinstance(each, dict)), {})
    return DocumentFile("page.json", tuple(first), read)


def events(found: Iterable[Read | Refused | Skipped]) -> list[Event]:
    """Return the events that were read, where nothing was refused."""
    kept = list(found)
    assert not [row for row in kept if isinstance(row, Refused)]
    return [row.said for row in kept if isinstance(row, Read) and isinstance(row.said, Event)]


def refusals(found: Iterable[Read | Refused | Skipped]) -> list[str]:
    """Return why rows were refused."""
    return [row.reason for row in found if isinstance(row, Refused)]


@st.composite
def broken(draw: st.DrawFn, value: Any) -> Any:
    """Return a document in which one value is gone, or another one."""
    whole = copy.deepcopy(value)
    place, key = draw(st.sampled_from(list(_places(whole))))
    if draw(st.booleans()):
        place[key] = draw(WRONG)
    else:
        del place[key]
    return whole


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, held in inside:
        yield value, key
        yield from _places(held)
