"""A line of an invoice is made of what a row says in words and figures."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from planner.core.errors import InvalidInput
from planner.core.invoice import InvoiceLine, Kind
from planner.core.units import Unit
from planner.ledger import cells

_TEXTS = ("provider", "model", "service_tier", "project", "key", "description")


def line_of(words: Mapping[str, str | None], *, quantity: Decimal | None, **stated: Any) -> InvoiceLine:  # noqa: ANN401  # fields of a line
    """Make a line of its words, such as its kind and its unit, and its figures.

    Raises:
        InvalidInput: a word that is none of ours, a part of a token, or what no line can be.
    """
    kind, unit = words["line_kind"], words["unit"]
    if kind not in tuple(Kind):
        raise InvalidInput("line_kind", f"one of {', '.join(Kind)} is needed")
    if unit is not None and unit not in tuple(Unit):
        raise InvalidInput("unit", "a unit of planner is needed, such as input_token")
    if quantity is not None and quantity != quantity.to_integral_value():
        raise InvalidInput("quantity", "a whole number is needed")
    texts: dict[str, Any] = {name: words[name] for name in _TEXTS}
    return InvoiceLine(
        kind=Kind(kind),
        unit=None if unit is None else Unit(unit),
        quantity=None if quantity is None else int(quantity),
        channel=words["channel"] or "direct",
        usd_per_unit=cells.decimal(words, "usd_per_unit"),
        per=cells.count(words, "per") or 1,
        **texts,
        **stated,
    )
