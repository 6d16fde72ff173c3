"""An event as JSON and back: what a stream said of a row, in a form whose bytes can be compared."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any

from planner.core.event import Event, Outcome, StatedBy
from planner.core.money import plain

_MOMENTS = ("at", "until", "updated_at")
_DEFAULT = Event(source="-", id="-", at=datetime(1970, 1, 1, tzinfo=UTC), counts={})
_FIELDS = tuple(_DEFAULT.__slots__)
_values = attrgetter(*_FIELDS)
_DEFAULTS = _values(_DEFAULT)


def write_event(event: Event) -> dict[str, Any]:
    """Return an event as JSON; what is left out is the default."""
    form: dict[str, Any] = {}
    for name, value, default in zip(_FIELDS, _values(event), _DEFAULTS, strict=True):
        if value != default or name in ("source", "id"):
            form[name] = _put(value)
    form["counts"] = {name: count for name, count in event.counts.items() if count or name == "requests"}
    return form


def read_event(form: Mapping[str, Any]) -> Event:
    """Read what `write_event` gave."""
    given = dict(form)
    for name in _MOMENTS:
        if name in given:
            given[name] = datetime.fromisoformat(given[name])
    if "stated_usd" in given:
        given["stated_usd"] = Decimal(given["stated_usd"])
    if "outcome" in given:
        given["outcome"] = Outcome(given["outcome"])
    if "stated_by" in given:
        given["stated_by"] = StatedBy(given["stated_by"])
    return Event(**given)


def _put(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Decimal):
        return plain(value)
    return dict(value) if isinstance(value, Mapping) else value
