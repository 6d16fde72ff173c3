"""How old is what we know: the state of every source."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from planner.store.engine import Store
from planner.store.status import SourceStatus, last_notes, refreshes_of, source_states_of

_UNMAPPED = "unmapped:"


def sources(store: Store, enabled: Iterable[str] = (), *, everything: bool = False) -> Sequence[SourceStatus]:
    """Return the state of the enabled sources and of every one ever refreshed, or of all, most trusted first."""
    with store.read() as connection:
        return source_states_of(connection, enabled, everything=everything)


def refreshes(store: Store, *, source: str | None, before: int | None, limit: int) -> list[dict[str, Any]]:
    """Return what became of refreshes, newest first."""
    with store.read() as connection:
        return refreshes_of(connection, source=source, before=before, limit=limit)


def unmapped(notes: Mapping[str, int]) -> dict[str, int]:
    """Return the price keys among the notes of a reading that nobody has mapped, the most frequent first.

    Example:
        >>> unmapped({"duplicate_row": 9, "unmapped:a": 1, "unmapped:c": 2, "unmapped:b": 2})
        {'b': 2, 'c': 2, 'a': 1}
    """
    keys = {name.removeprefix(_UNMAPPED): count for name, count in notes.items() if name.startswith(_UNMAPPED)}
    return dict(Counter(dict(sorted(keys.items()))).most_common())


def unmapped_keys(store: Store, names: Iterable[str]) -> dict[str, dict[str, int]]:
    """Return the price keys nobody has mapped in the last reading of each source, and how many rows have them."""
    with store.read() as connection:
        return {name: unmapped(last_notes(connection, name)) for name in names}
