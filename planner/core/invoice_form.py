"""A line of an invoice as JSON and back, in a form whose bytes can be compared."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from planner.core.invoice import InvoiceLine, Kind
from planner.core.money import plain
from planner.core.units import Unit

_MOMENTS = ("start", "end")
_AMOUNTS = ("amount", "usd_per_unit", "list_amount", "unit_price")


def write_line(line: InvoiceLine) -> dict[str, Any]:
    """Return a line as JSON; what it does not say is left out."""
    form: dict[str, Any] = {}
    for name in line.__slots__:
        value = getattr(line, name)
        if value is None:
            continue
        if isinstance(value, datetime):
            value = value.astimezone(UTC).isoformat()
        elif isinstance(value, Decimal):
            value = plain(value)
        form[name] = value.value if isinstance(value, Kind | Unit) else value
    return form


def read_line(form: Mapping[str, Any]) -> InvoiceLine:
    """Read what `write_line` gave."""
    given = {**form, "kind": Kind(form["kind"])}
    if "unit" in given:
        given["unit"] = Unit(given["unit"])
    for name in _MOMENTS:
        if name in given:
            given[name] = datetime.fromisoformat(given[name])
    for name in _AMOUNTS:
        if name in given:
            given[name] = Decimal(given[name])
    return InvoiceLine(**given)
