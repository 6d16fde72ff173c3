"""Bytes to JSON, without ever making a binary float."""

import json
from decimal import Decimal

from planner.client.refusals import Unreadable


def decoded(body: bytes, *, strict: bool = True) -> object:
    """Return the JSON document in a body; numbers with a fraction are exact decimals.

    Raises:
        Unreadable: it is no JSON, and ``strict`` does not take None instead.
    """
    try:
        return json.loads(body, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError):
        if strict:
            raise Unreadable("the body is not JSON") from None
        return None
