"""Aggregates of one stream that may count the same requests: pulled under another grouping, or in other buckets."""

from planner.core.event import Event

NOT_GROUPED_BY = "not_grouped_by"
"""The tag of an aggregate that names what it is not grouped by, of the words that its price depends on."""

_TIERS = frozenset({"batch", "service_tier", "speed"})


def may_share(one: Event, other: Event) -> bool:
    """Tell whether two aggregates may count the same request: they overlap, and differ in nothing both say.

    What only one of them says the other may have summed over. That alone is no proof: what a pull is grouped by may be
    null too, such as the default workspace.
    """
    if one.until is None or other.until is None or one.at >= other.until or other.at >= one.until:
        return False
    said, told = _said(one), _said(other)
    return all(told[name] == value for name, value in said.items() if name in told)


def _said(event: Event) -> dict[str, str]:
    ungrouped = event.tags.get(NOT_GROUPED_BY, "").split()
    named = {"model": event.model, "region": event.region, "project": event.project, "key": event.key}
    if _TIERS.isdisjoint(ungrouped):
        named["service_tier"] = event.service_tier
    named |= event.tags
    return {name: value for name, value in named.items() if value is not None and name != NOT_GROUPED_BY}
