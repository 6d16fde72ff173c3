"""Rows are read apart from each other: what is wrong with one is said with its place, and the others go on."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

from planner.core.errors import InvalidInput
from planner.core.event import Event
from planner.ledger.format import Read, Refused, Skipped


class Placed(Protocol):
    """Something that stands somewhere in a file."""

    @property
    def place(self) -> str:
        """Where it stands."""
        ...


_Found = TypeVar("_Found", bound=Placed)


def each(
    found: Iterable[_Found | Refused | Skipped], event_of: Callable[[_Found], Event | Skipped]
) -> Iterator[Read | Refused | Skipped]:
    """Read one by one what was found; what was refused or skipped already is passed on as it is."""
    for one in found:
        if isinstance(one, Refused | Skipped):
            yield one
            continue
        try:
            said = event_of(one)
        except InvalidInput as error:
            yield Refused(one.place, f"{error.field}: {error.problem}")
            continue
        yield said if isinstance(said, Skipped) else Read(one.place, said)


def within(place: str, part: str) -> str:
    """Return the place of a part of what has a place itself, such as ``line 3 data[0]``; a document goes without."""
    return part if place in ("", "document") else f"{place} {part}"


def digest(*parts: object) -> str:
    """Return a short name for what has many parts, the same wherever they are the same."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]
