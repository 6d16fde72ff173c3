"""The curated registry and what feeds add to it: models, names, terms, scores, fees, bands, policies."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from planner.core.claim import Reading, Score
from planner.core.identity import new_ids
from planner.core.names import ProviderNames
from planner.store import json_text, terms
from planner.store import tables as t

Rows = Sequence[Mapping[str, Any]]

# In the order in which rows may refer to each other.
_CURATED: tuple[sa.Table, ...] = (
    t.providers, t.channels, t.provider_spellings, t.models, t.aliases, t.free_offers, t.sources, t.fees,
    t.golden_facts, t.price_bands, t.quality_bands,
)  # fmt: skip


def write_curated(connection: sa.Connection, rows: Mapping[str, Rows]) -> list[tuple[str, str, str | None, str]]:
    """Write the curated tables: rows that exist are updated, new ones inserted, none is taken away.

    ``rows`` maps a table's name to its rows. Removing a row from the seeds does not remove what an admin may rely on,
    and a spelling that a person settled, or took back, stays as the person left it.

    Returns the aliases that mean another model now, as (namespace, spelling, before, now).
    """
    columns = t.aliases.c
    held = {
        (row.namespace, row.spelling): row
        for row in connection.execute(
            sa.select(columns.namespace, columns.spelling, columns.model_id, columns.settled_by)
        )
    }
    by_people = {place for place, row in held.items() if row.settled_by is not None}
    aliases = [row for row in rows.get("aliases", ()) if (row["namespace"], row["spelling"]) not in by_people]
    changed = []
    for row in aliases:
        before = held.get((row["namespace"], row["spelling"]))
        if before is not None and before.model_id != row["model_id"]:
            changed.append((row["namespace"], row["spelling"], before.model_id, row["model_id"]))
    spelled = t.provider_spellings.c
    settled = sa.select(spelled.feed, spelled.spelling).where(spelled.settled_by.is_not(None))
    words = {(row.feed, row.spelling) for row in connection.execute(settled)}
    kept = {
        t.aliases: aliases,
        t.provider_spellings: [
            row for row in rows.get("provider_spellings", ()) if (row["feed"], row["spelling"]) not in words
        ],
    }
    for table in _CURATED:
        _upsert(connection, table, kept.get(table, rows.get(table.name, ())))
    return changed


def write_policies(connection: sa.Connection, policies: Rows, at: datetime, actor: str) -> int:
    """Publish starter policies that do not exist yet; a name that exists is the admin's from then on."""
    known = set(connection.execute(sa.select(t.policies.c.name)).scalars())
    fresh = [policy for policy in policies if policy["name"] not in known]
    for policy in fresh:
        document = {"title": policy["title"], "rules": policy["rules"]}
        connection.execute(
            sa.insert(t.policies).values(
                name=policy["name"], version=1, rules=json_text.dump(document), published_at=at, published_by=actor
            )
        )
    return len(fresh)


def write_scores(connection: sa.Connection, scores: Iterable[Score]) -> int:
    """Write scores that say something new, and return how many did.

    A score of a date is never changed, and one that only repeats the last known figure is no news: feeds that state
    no date of their own are stamped with the day they were read.
    """
    s = t.scores.c
    columns = s.model_id, s["index"], s.source, s.as_of, s.score
    known: dict[tuple[str, str, str], dict[date, Decimal]] = {}
    for model, index, source, as_of, figure in connection.execute(sa.select(*columns)):
        known.setdefault((model, index, source), {})[as_of] = Decimal(figure)
    fresh = []
    for score in sorted(scores, key=lambda score: score.as_of):
        dated = known.setdefault((score.model, score.index, score.source), {})
        last = max((day for day in dated if day <= score.as_of), default=None)
        if last is not None and (last == score.as_of or dated[last] == score.score):
            continue
        dated[score.as_of] = score.score
        fresh.append(
            {
                "model_id": score.model,
                "index": score.index,
                "as_of": score.as_of,
                "source": score.source,
                "score": str(score.score),
                "source_url": score.source_url,
                "note": score.note,
            }
        )
    if fresh:
        connection.execute(sa.insert(t.scores), fresh)
    return len(fresh)


def register(connection: sa.Connection, readings: Iterable[Reading], at: datetime) -> dict[str, int]:
    """Write what readings say besides prices: models nobody has named yet, terms, scores.

    Returns how many rows moved, by source.

    A feed's terms are marked as not curated: they can only narrow what curated rows grant.
    """
    found = {}
    for reading in readings:
        moved = 0
        if reading.models:
            known = set(connection.execute(sa.select(t.models.c.id)).scalars())
            fresh = frozenset(new_ids((model.id for model in reading.models), known))
            rows = {
                model.id: {
                    "id": model.id,
                    "name": model.name,
                    "author": model.author,
                    "open_weights": model.open_weights,
                    "released": model.released,
                    "kind": model.kind.value,
                }
                for model in reading.models
                if model.id in fresh
            }
            if rows:
                connection.execute(sa.insert(t.models), list(rows.values()))
            moved += len(rows)
        moved += write_scores(connection, reading.scores)
        if reading.terms:
            moved += terms.hear(connection, reading.terms, at)
        found[reading.source] = moved
    return found


def model_ids(connection: sa.Connection) -> frozenset[str]:
    """Return every canonical model that is registered, or that a spelling means."""
    named = connection.execute(sa.select(t.models.c.id)).scalars()
    meant = connection.execute(sa.select(t.aliases.c.model_id).where(t.aliases.c.model_id.is_not(None))).scalars()
    return frozenset(named) | frozenset(meant)


def register_source(connection: sa.Connection, row: Mapping[str, Any], channel: str, provider: str | None) -> None:
    """Make a source, its channel and its provider known, where they are not; what is known stays as it is."""
    if connection.execute(sa.select(t.channels.c.id).where(t.channels.c.id == channel)).first() is None:
        connection.execute(sa.insert(t.channels).values(id=channel, name=channel))
    known = sa.select(t.providers.c.id).where(t.providers.c.id == provider)
    if provider is not None and connection.execute(known).first() is None:
        connection.execute(
            sa.insert(t.providers).values(id=provider, name=provider, kind="provider", creator_of=json_text.dump([]))
        )
    _upsert(connection, t.sources, [row])


def load_names(connection: sa.Connection, feed: str) -> ProviderNames:
    """Load how one feed spells providers."""
    spellings, providers = t.provider_spellings.c, t.providers.c
    kinds = {row.id: row.kind for row in connection.execute(sa.select(providers.id, providers.kind))}
    direct: dict[str, str] = {}
    brokers: dict[str, str] = {}
    via: dict[str, tuple[str, str]] = {}
    query = sa.select(spellings.spelling, spellings.provider_id, spellings.channel_id).where(spellings.feed == feed)
    for spelling, provider, channel in connection.execute(query):
        if channel not in ("direct", provider):
            via[spelling] = (channel, provider)
        elif kinds[provider] == "broker":
            brokers[spelling] = provider
        else:
            direct[spelling] = provider
    own = sa.select(t.aliases.c.spelling, t.aliases.c.model_id).where(t.aliases.c.namespace == feed)
    models = {row.spelling: row.model_id for row in connection.execute(own) if row.model_id is not None}
    return ProviderNames(direct, brokers, via, frozenset(kinds), models)


def _upsert(connection: sa.Connection, table: sa.Table, rows: Rows) -> None:
    if not rows:
        return
    key = list(table.primary_key.columns)
    known = {tuple(row) for row in connection.execute(sa.select(*key))}
    fresh = [row for row in rows if tuple(row[column.name] for column in key) not in known]
    held = [row for row in rows if tuple(row[column.name] for column in key) in known]
    names = {name for row in rows for name in row}
    if fresh:
        connection.execute(sa.insert(table), [{name: row.get(name) for name in names} for row in fresh])
    others = [column for column in table.columns if not column.primary_key and column.name in names]
    if held and others:
        match = [column == sa.bindparam(f"b_{column.name}") for column in key]
        change = sa.update(table).where(*match).values({column: sa.bindparam(f"n_{column.name}") for column in others})
        connection.execute(
            change,
            [
                {f"b_{column.name}": row[column.name] for column in key}
                | {f"n_{column.name}": row.get(column.name) for column in others}
                for row in held
            ],
        )
