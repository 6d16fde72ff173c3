"""How old is what we know: the state of every source."""

from collections.abc import Sequence

from planner.store.engine import Store
from planner.store.status import SourceStatus, source_states_of


def sources(store: Store) -> Sequence[SourceStatus]:
    """Return the state of every source, most trusted first."""
    with store.read() as connection:
        return source_states_of(connection)
