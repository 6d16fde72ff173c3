"""Pages of lists: how many items, and a cursor that only its own list can read."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterable
from typing import Annotated, Any

from fastapi import Path, Query

from planner.api.shapes import Shape
from planner.core.errors import InvalidInput

Limit = Annotated[int, Query(ge=1, le=1000, description="items on one page")]
Number = Annotated[int, Path(ge=1, le=2**53 - 1, description="its number")]
Cursor = Annotated[str | None, Query(max_length=1_200, description="`next_cursor` of the page before")]


def cursor_of(place: str) -> str:
    """Write a place in a list as a cursor."""
    return urlsafe_b64encode(place.encode()).decode()


def read_cursor(cursor: str | None, pattern: str | None = None) -> str | None:
    """Read a cursor back into the place it stands for.

    Raises:
        InvalidInput: the cursor is not one of this list.
    """
    if cursor is None:
        return None
    try:
        place = urlsafe_b64decode(cursor.encode("ascii")).decode()
    except (Base64Error, UnicodeError):
        raise InvalidInput("cursor", "not a cursor of this list") from None
    if pattern is not None and not re.fullmatch(pattern, place, re.ASCII):
        raise InvalidInput("cursor", "not a cursor of this list")
    return place


def page(
    items: Iterable[tuple[str, Callable[[], Shape]]], limit: int, cursor: str | None, standing: Shape
) -> dict[str, Any]:
    """Return one page of items sorted by their ids.

    Raises:
        InvalidInput: the cursor is not one of ours.
    """
    after = read_cursor(cursor)
    left = [(key, make) for key, make in items if after is None or key.encode() > after.encode()]
    more = len(left) > limit
    return {
        "items": [make() for _key, make in left[:limit]],
        "next_cursor": cursor_of(left[limit - 1][0]) if more else None,
        **standing,
    }
