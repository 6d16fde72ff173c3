"""What customers paid is booked: one figure per customer and month, anew whenever more is known."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from planner.core.revenue import Item
from planner.flows.ingest import Result
from planner.store.engine import Connection


def take(
    connection: Connection, items: Sequence[Item], *, at: datetime, by: str, import_id: int | None
) -> list[Result]:
    """Take items in."""
    raise NotImplementedError


def count(revenue: dict[tuple[str, str], str], item: Item) -> None:
    """Count."""
    raise NotImplementedError


def rebook(connection: Connection, selector: dict[str, Any], at: datetime) -> int:
    """Book the months of a customer anew."""
    raise NotImplementedError
