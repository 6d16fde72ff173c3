"""Which provider a feed's word means: words nobody has settled, how much waits on each, and settling them."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from planner.core.errors import InvalidInput
from planner.core.offer import valid_feed_id
from planner.store import audit, json_text
from planner.store.revision import bump
from planner.store.tables import channels, fetches, offers, provider_spellings, providers, quotes, sources

Settled = tuple[str, str, str]
"""(feed, its word, the provider it means)."""


class Word(NamedTuple):
    """A word of a feed that no curated provider has, how many offers wait on it, and one of them."""

    feed: str
    word: str
    offers: int
    example: str


def pending(connection: sa.Connection) -> list[Word]:
    """Return every such word, most offers first. Its offers are priced, and no terms are known of them."""
    known = sa.select(providers.c.id)
    query = (
        sa.select(quotes.c.source, offers.c.provider_id, sa.func.count(), sa.func.min(offers.c.id))
        .join(offers, offers.c.id == quotes.c.offer_id)
        .where(quotes.c.withdrawn_at.is_(None), offers.c.provider_id.not_in(known))
        .group_by(quotes.c.source, offers.c.provider_id)
        .order_by(sa.func.count().desc(), quotes.c.source, offers.c.provider_id)
    )
    return [Word(*row) for row in connection.execute(query)]


def settle(
    connection: sa.Connection, rows: Sequence[Settled], new: Sequence[tuple[str, str]], *, at: datetime, actor: str,
    reason: str,
) -> int:  # fmt: skip
    """Say which providers words mean, all or none, and return how many are new; ``new`` are providers as (id, name).

    The feeds concerned are read anew by the next refresh, whether they changed or not.

    Raises:
        InvalidInput: a feed, a provider or a word that cannot be, or one that is settled as another provider.
    """
    for id_, name in new:
        if not valid_feed_id(id_) or not name.isprintable():
            raise InvalidInput("providers", f"{id_[:80]!a} cannot be registered")
    fresh = _register(connection, new)
    known = set(connection.execute(sa.select(providers.c.id)).scalars())
    feeds = set(connection.execute(sa.select(sources.c.name)).scalars())
    words = provider_spellings.c
    held = {
        (row.feed, row.spelling): row.provider_id
        for row in connection.execute(sa.select(words.feed, words.spelling, words.provider_id))
    }
    wanted: dict[tuple[str, str], str] = {}
    for feed, word, provider in rows:
        field = f"{feed[:40]!a} {word[:80]!a}"
        if feed not in feeds or not valid_feed_id(word):
            raise InvalidInput(field, "a known feed and a word it may send are needed")
        if provider not in known:
            raise InvalidInput(field, f"no provider is registered as {provider[:80]!a}")
        if held.get((feed, word), wanted.get((feed, word), provider)) != provider:
            raise InvalidInput(field, "it means another provider already")
        if (feed, word) not in held:
            wanted[feed, word] = provider
    settled = {"channel_id": "direct", "settled_at": at, "settled_by": actor}
    if wanted:
        _direct(connection)
        connection.execute(
            sa.insert(provider_spellings),
            [{"feed": f, "spelling": w, "provider_id": p, **settled} for (f, w), p in wanted.items()],
        )
        connection.execute(sa.delete(fetches).where(fetches.c.source.in_({feed for feed, _word in wanted})))
    if wanted or fresh:
        audit.record(
            connection, at=at, actor=actor, action="provider.settle", subject=f"{len(wanted)} words", reason=reason,
            # A word nobody settled means no provider.
            before={"words": [[*place, None] for place in wanted], "providers": []},
            after={"words": [[*place, provider] for place, provider in wanted.items()], "providers": fresh},
        )  # fmt: skip
        bump(connection, policy=True)
    return len(wanted)


def _register(connection: sa.Connection, new: Sequence[tuple[str, str]]) -> list[str]:
    known = set(connection.execute(sa.select(providers.c.id)).scalars())
    fresh = {id_: name for id_, name in new if id_ not in known}
    if fresh:
        creates = json_text.dump([])
        values = [{"id": id_, "name": name, "kind": "provider", "creator_of": creates} for id_, name in fresh.items()]
        connection.execute(sa.insert(providers), values)
    return sorted(fresh)


def _direct(connection: sa.Connection) -> None:
    if connection.execute(sa.select(channels.c.id).where(channels.c.id == "direct")).first() is None:
        connection.execute(sa.insert(channels).values(id="direct", name="direct"))
