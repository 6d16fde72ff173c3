"""What both clients put on the wire, and what they take from it."""

from typing import Any

import httpx

from planner.client.talk import Reply, Request

# The largest answers, rankings of every offer, are a few MiB; more than this is not planner's.
BODY_BYTES_MAX = 64 * 1024 * 1024
_CONNECTIONS_MAX = 200


def headers_of(key: str) -> dict[str, str]:
    """Return what stands in every request. Nothing is to be unpacked: a small body may be endless when it is."""
    return {
        "Authorization": f"Bearer {key}",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": "planner-client",
    }


def limits() -> httpx.Limits:
    """Return how many connections are held. A server closes idle ones after five seconds, so they are not kept."""
    return httpx.Limits(
        max_connections=_CONNECTIONS_MAX, max_keepalive_connections=_CONNECTIONS_MAX, keepalive_expiry=4
    )


def timeout_of(step_seconds: float, left_seconds: float) -> httpx.Timeout:
    """Return how long one step of an attempt may take."""
    return httpx.Timeout(max(min(step_seconds, left_seconds), 0.001))


def wired(request: Request) -> tuple[str, dict[str, Any]]:
    """Return the method of a question, and the options httpx is called with."""
    options: dict[str, Any] = {"params": dict(request.query)} if request.query else {}
    headers = {} if request.if_none_match is None else {"If-None-Match": request.if_none_match}
    if request.body is None:
        return "GET", {**options, "headers": headers}
    return "POST", {**options, "content": request.body, "headers": {**headers, "Content-Type": "application/json"}}


def reply_of(response: httpx.Response, body: bytes) -> Reply:
    """Return an answer as a value."""
    return Reply(response.status_code, {name.lower(): value for name, value in response.headers.items()}, body)
