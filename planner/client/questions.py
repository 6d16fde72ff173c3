"""Questions as they go over the wire: paths with their names escaped, bodies without a single float."""

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from planner.client.talk import Clock, Pace, Reply, Request, Talk, ask, failure

OK, NOT_MODIFIED = 200, 304


def polled(plan: str, task: str, customer: str | None, etag: str | None = None) -> Request:
    """Ask for the recommendation of a stored plan and task, and for a customer what is left of a budget allows."""
    query = () if customer is None else (("customer", customer),)
    return Request(f"{_task(plan, task)}/recommendation", query, if_none_match=etag)


def gateway(plan: str, task: str, format: str) -> Request:
    """Ask for the configuration that makes a gateway follow the recommendation."""
    return Request(f"{_task(plan, task)}/recommendation/gateway", (("format", format),))


def posted(path: str, body: Mapping[str, Any] | None, fields: Mapping[str, Any]) -> Request:
    """Ask a question that is spelled out: a whole body, or its fields by name; None leaves a field out.

    Raises:
        TypeError: both, or a float in it.
    """
    if body is not None and fields:
        raise TypeError("either a body or its fields, not both")
    given = fields if body is None else body
    sent = {name: value for name, value in given.items() if value is not None}
    return Request(path, body=json.dumps(_plain(sent)).encode())


def _task(plan: str, task: str) -> str:
    return f"/v1/plans/{quote(plan, safe='')}/tasks/{quote(task, safe='')}"


def _plain(value: object) -> object:
    """Return a value as JSON writes it: amounts and times as text. A float is refused, whatever it stands for."""
    if isinstance(value, float):
        raise TypeError("a float is not exact: write the amount as text or as Decimal")
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value


def answered(request: Request, pace: Pace, clock: Clock) -> Talk[Reply]:
    """Ask, and return the answer.

    Raises:
        PlannerError: it was refused, or nobody answered.
    """
    reply = yield from ask(request, pace, clock)
    if reply.status != OK:
        raise failure(reply)
    return reply
