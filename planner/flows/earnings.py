"""What customers paid is booked: one figure per customer and month, anew whenever more is known."""

from datetime import datetime
from typing import Any

from planner.store.engine import Connection


def rebook(connection: Connection, selector: dict[str, Any], at: datetime) -> int:
    """Book the months of a customer anew."""
    raise NotImplementedError
