"""Every kind of change that may wait for a second person."""

from planner.flows import evidence, policy
from planner.flows.second import Kind

KINDS: dict[str, Kind] = {**policy.KINDS, **evidence.KINDS}
