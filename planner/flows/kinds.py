"""Every kind of change that may wait for a second person, by its name."""

from planner.flows import evidence, key, person, policy
from planner.flows.second import Kind
from planner.flows.way_in import Doors


def every(pepper: bytes, doors: Doors | None) -> dict[str, Kind]:
    """Return them all; ``doors`` None: whoever changes something has a shell as well."""
    return {**policy.KINDS, **evidence.KINDS, **person.kinds(doors), **key.kinds(pepper, doors)}
