"""A revenue item as JSON and back, in a form whose bytes can be compared."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from planner.core.money import plain
from planner.core.revenue import Item, Kind

_MOMENTS = ("start", "end")
_AMOUNTS = ("amount", "fee", "tax")


def write_item(item: Item) -> dict[str, Any]:
    """Return an item as JSON; what it does not say is left out."""
    form: dict[str, Any] = {}
    for name in item.__slots__:
        value = getattr(item, name)
        if value is None or value is False or value == {}:
            continue
        if isinstance(value, datetime):
            value = value.astimezone(UTC).isoformat()
        elif isinstance(value, Decimal):
            value = plain(value)
        elif isinstance(value, Mapping):
            value = dict(value)
        form[name] = value.value if isinstance(value, Kind) else value
    return form


def read_item(form: Mapping[str, Any]) -> Item:
    """Read what `write_item` gave."""
    given = {**form, "kind": Kind(form["kind"])}
    for name in _MOMENTS:
        if name in given:
            given[name] = datetime.fromisoformat(given[name])
    for name in _AMOUNTS:
        if name in given:
            given[name] = Decimal(given[name])
    return Item(**given)
