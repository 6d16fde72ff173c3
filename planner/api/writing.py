"""What every admin write has in common: the state it was made for, a key to repeat it by, and who sent it."""

from collections.abc import Callable
from typing import Any

from fastapi import Request
from starlette.responses import JSONResponse, Response

from planner.api.guard import admitted, now_of
from planner.core.errors import InvalidInput
from planner.flows import second
from planner.flows.second import By
from planner.flows.write import Request as Write
from planner.flows.write import tag, tag_of, write
from planner.store.engine import Connection

KEY_CHARACTERS_MAX = 200


def actor_of(request: Request) -> str:
    """Return who asks, for the audit trail."""
    return admitted(request).principal.actor


def by(request: Request, reason: str) -> By:
    """Return who does something, when and why."""
    return By(actor=actor_of(request), at=now_of(request), reason=reason, two_people=request.app.state.two_people)


def written(
    request: Request,
    body: object,
    story: Callable[[Connection], dict[str, Any]],
    status: int = 200,
    tagged: Callable[[Connection], str] = tag_of,
    once: str = "",
) -> Response:
    """Run a story under the request's ``If-Match`` and ``Idempotency-Key``, and answer with the new ETag.

    ``once`` names a secret in the answer: a repeated request gets null for it.
    """
    key = request.headers.get("idempotency-key")
    if key is not None and not (key.isascii() and key.isprintable() and 0 < len(key) <= KEY_CHARACTERS_MAX):
        raise InvalidInput("Idempotency-Key", f"1 to {KEY_CHARACTERS_MAX} printable characters are needed")
    asked = Write(
        actor=actor_of(request),
        # The id of what is written may stand in the query.
        what=f"{request.method} {request.url.path}?{request.url.query}",
        body=body,
        match=request.headers.get("if-match"),
        key=key,
    )
    reply, etag = write(request.app.state.store, asked, story, admitted(request).now, tagged, once)
    return JSONResponse(reply, status, headers={"ETag": etag})


def changed(
    request: Request, body: object, reason: str, kind: str, subject: str, change: dict[str, Any], *, status: int = 200,
    once: str = "",
) -> Response:  # fmt: skip
    """Make a change, or let it wait where the house asks for a second person; otherwise as `written`."""
    who, found = by(request, reason), request.app.state.kinds[kind]
    return written(
        request, body, lambda connection: second.change(connection, found, subject, change, who), status, once=once
    )


def tagged(request: Request, document: dict[str, Any], etag: str | None = None) -> Response:
    """Answer a read with the ETag a write can be made for: that of what was read, or of everything admins write."""
    return JSONResponse(document, headers={"ETag": etag or tag(request.app.state.store)})
