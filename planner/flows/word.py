"""Saying which provider a feed's word means: from then on the evidence about that provider speaks for its offers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from planner.flows.second import By, Kind, Reply, Wish
from planner.store import provider_words
from planner.store.engine import Connection

SETTLE = "provider.settle"


def body_of(words: Sequence[provider_words.Settled], new: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Write what is to be settled, with the providers to be registered for it as (id, name)."""
    return {"words": [list(row) for row in words], "providers": [list(row) for row in new]}


def _wish(connection: Connection, subject: str, body: dict[str, Any], _at: datetime) -> Wish:
    wanted = provider_words.wanted(connection, _rows(body["words"]), _rows(body["providers"]))
    return Wish(
        kind=SETTLE,
        subject=subject,
        body=body,
        # Whose offers they were so far nobody knew, and unknown refuses.
        widens=tuple(f"{feed}:{word} as {provider}" for (feed, word), provider in sorted(wanted.items())),
        basis=" ".join(sorted(f"{feed}:{word}" for feed, word in wanted)),
    )


def _do(connection: Connection, wish: Wish, by: By) -> Reply:
    words, new = _rows(wish.body["words"]), _rows(wish.body["providers"])
    settled = provider_words.settle(connection, words, new, at=by.at, actor=by.actor, reason=by.reason)
    return {"settled": settled}


def _rows(listed: Sequence[Sequence[str]]) -> list[Any]:
    return [tuple(row) for row in listed]


KINDS: dict[str, Kind] = {SETTLE: Kind(_wish, _do, plans=False)}
