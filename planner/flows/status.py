"""How old is what we know: the state of every source."""

from collections.abc import Iterable, Sequence
from typing import Any

from planner.store.engine import Store
from planner.store.status import SourceStatus, refreshes_of, source_states_of


def sources(store: Store, enabled: Iterable[str] = (), *, everything: bool = False) -> Sequence[SourceStatus]:
    """Return the state of the enabled sources and of every one ever refreshed, or of all, most trusted first."""
    with store.read() as connection:
        return source_states_of(connection, enabled, everything=everything)


def refreshes(store: Store, *, source: str | None, before: int | None, limit: int) -> list[dict[str, Any]]:
    """Return what became of refreshes, newest first."""
    with store.read() as connection:
        return refreshes_of(connection, source=source, before=before, limit=limit)
