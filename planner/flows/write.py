"""An admin's write, whole or not at all: on the state that was looked at, and once however often it is sent."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from planner.core.errors import Changed, Conflict
from planner.store import json_text, replies
from planner.store.engine import Connection, Store
from planner.store.revision import read_heads

Reply = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What came with a write: who sends it, which state it was made for, and a key that makes it safe to repeat."""

    actor: str
    what: str
    body: object
    match: str | None = None
    key: str | None = None

    @property
    def digest(self) -> str:
        """Return the digest of what is asked, to tell a repeated request from another one with the same key."""
        return hashlib.sha256(json_text.dump([self.what, self.body]).encode()).hexdigest()


def tag_of(connection: Connection) -> str:
    """Return the ETag of everything admins write: it moves with every change."""
    heads = read_heads(connection)
    return f'"{heads.catalogue}.{heads.policy}.{heads.keys}"'


def write(
    store: Store,
    request: Request,
    story: Callable[[Connection], Reply],
    at: datetime,
    tagged: Callable[[Connection], str] = tag_of,
    once: str = "",
) -> tuple[Reply, str]:
    """Run a story and return its reply with the ETag after it; ``tagged`` gives that of what is written.

    ``once`` names the part of the reply that is a secret: it is not kept, and a repeated request gets null for it.

    Raises:
        Changed: ``If-Match`` names an older state.
        Conflict: the idempotency key was used for something else.
    """

    def whole(connection: Connection) -> tuple[Reply, str]:
        if request.key is not None:
            known = replies.find(connection, request.actor, request.key)
            if known is not None:
                if known.digest != request.digest:
                    raise Conflict("idempotency_key", request.key[:80], "it was used for another request")
                return known.body, tagged(connection)
        if request.match is not None and request.match not in ("*", tagged(connection)):
            raise Changed("state", request.match[:80], f"the newest is {tagged(connection)}")
        reply = story(connection)
        if request.key is not None:
            kept = {**reply, once: None} if once in reply else reply
            replies.keep(connection, request.actor, request.key, request.digest, kept, at)
        return reply, tagged(connection)

    return store.tell(whole)


def tag(store: Store) -> str:
    """Return the ETag as it is now."""
    with store.read() as connection:
        return tag_of(connection)
