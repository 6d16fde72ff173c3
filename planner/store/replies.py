"""What a write answered, by the key it came with."""

from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from planner.store import json_text
from planner.store.tables import replies

STATUS = 200


class Known(NamedTuple):
    """An earlier request under the same key: the digest of what it asked, and what was answered."""

    digest: str
    body: dict[str, Any]


def find(connection: sa.Connection, actor: str, key: str) -> Known | None:
    """Return what was answered to an actor's key, if it was used."""
    query = sa.select(replies.c.request_digest, replies.c.body).where(replies.c.actor == actor, replies.c.key == key)
    row = connection.execute(query).first()
    return None if row is None else Known(row.request_digest, json_text.load(row.body))


def keep(connection: sa.Connection, actor: str, key: str, digest: str, body: dict[str, Any], at: datetime) -> None:
    """Remember an answer, in the transaction of the write."""
    connection.execute(
        sa.insert(replies).values(
            actor=actor, key=key, request_digest=digest, status=STATUS, body=json_text.dump(body), at=at
        )
    )
