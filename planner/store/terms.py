"""Evidence about what is done with prompts: what came with planner, what feeds say, and how all of it is read back."""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from planner.core.terms import Confidence, Terms
from planner.core.terms_form import narrows, no_wider, read_facts, write_facts
from planner.store import json_text
from planner.store import tables as t
from planner.store.known import known

# What stands in a column of its own; everything else a row says is one document.
_COLUMNS = (
    "id", "subject_kind", "subject", "source", "source_url", "observed_at", "expires_at", "confidence", "curated",
)  # fmt: skip
_AGAIN = "#"  # no id of a feed holds one


def load(connection: sa.Connection, known_at: datetime | None = None) -> dict[tuple[str, str], tuple[Terms, ...]]:
    """Load the rows on record by (subject kind, subject), now or as they were known at a moment."""
    found: dict[tuple[str, str], list[Terms]] = {}
    for row in connection.execute(sa.select(t.terms).where(known(t.terms, known_at)).order_by(t.terms.c.id)):
        found.setdefault((row.subject_kind, row.subject), []).append(read(row))
    return {subject: tuple(rows) for subject, rows in found.items()}


def about(connection: sa.Connection, kind: str, subject: str) -> tuple[Terms, ...]:
    """Load the rows on record about one subject."""
    columns = t.terms.c
    query = sa.select(t.terms).where(known(t.terms, None), columns.subject_kind == kind, columns.subject == subject)
    return tuple(read(row) for row in connection.execute(query.order_by(columns.id)))


def read(row: sa.Row[Any]) -> Terms:
    """Read one stored row."""
    columns = {name: getattr(row, name) for name in _COLUMNS}
    return Terms(**{**columns, "confidence": Confidence(row.confidence)}, **read_facts(json.loads(row.facts)))


def insert(connection: sa.Connection, rows: Iterable[Terms], at: datetime, by: str | None = None) -> None:
    """Insert rows of evidence; ``by`` is the person who entered them."""
    made = [
        {
            **{name: getattr(row, name) for name in _COLUMNS},
            "confidence": int(row.confidence),
            "facts": json_text.dump(write_facts(row)),
            "recorded_from": at,
            "recorded_by": by,
        }
        for row in rows
    ]
    if made:
        connection.execute(sa.insert(t.terms), made)


def close(connection: sa.Connection, ids: Iterable[str], at: datetime, by: str | None = None) -> None:
    """Close rows that are on record; ``by`` is the person who ended them, and then they do not come back."""
    listed = [{"b_id": id_} for id_ in ids]
    if listed:
        change = sa.update(t.terms).where(t.terms.c.id == sa.bindparam("b_id"), t.terms.c.recorded_to.is_(None))
        connection.execute(change.values(recorded_to=at, ended_by=by), listed)


def plant(connection: sa.Connection, rows: Iterable[Terms], at: datetime) -> int:
    """Write the curated rows that travel with planner, and return how many are new.

    A newer edition of a row takes the place of the older one. What a person ended does not come back, and what a
    person entered is left alone.
    """
    columns = t.terms.c
    ever = set(connection.execute(sa.select(columns.id)).scalars())
    fresh = [row for row in rows if row.id not in ever]
    places = {(row.subject_kind, row.subject, row.source) for row in fresh}
    query = sa.select(columns.id, columns.subject_kind, columns.subject, columns.source).where(
        columns.curated, columns.recorded_to.is_(None), columns.recorded_by.is_(None)
    )
    held = connection.execute(query).all()
    close(connection, [id_ for id_, *place in held if tuple(place) in places], at)
    insert(connection, fresh, at)
    return len(fresh)


def hear(connection: sa.Connection, rows: Iterable[Terms], at: datetime) -> int:
    """Write what a feed says of terms, and return how many rows moved. All rows are of one source.

    A row is known by its id, which is a digest of what it says. What a feed does not say any more is closed, unless it
    took something away that its newer words do not: then it stands, marked, until a person looks. A feed that falls
    silent, or changes its mind, must not let anybody in.
    """
    wanted = {row.id: row for row in rows}
    columns = t.terms.c
    source = next(iter(wanted.values())).source
    heard = connection.execute(sa.select(t.terms).where(columns.source == source, columns.curated.is_(False))).all()
    live = {_base(row.id): row for row in heard if row.recorded_to is None}
    dismissed = {_base(row.id) for row in heard if row.ended_by is not None}
    ever = {row.id for row in heard}
    fresh = [_unused(row, ever) for id_, row in wanted.items() if id_ not in live and id_ not in dismissed]
    said = [live[id_].id for id_ in wanted if id_ in live and live[id_].unsaid_at is not None]
    by_subject: dict[tuple[str, str], list[Terms]] = {}
    for row in wanted.values():
        by_subject.setdefault((row.subject_kind, row.subject), []).append(row)
    gone, unsaid = [], []
    for id_, held in live.items():
        if id_ in wanted:
            continue
        old = read(held)
        newer = by_subject.get((old.subject_kind, old.subject), ())
        if not narrows(old) or any(no_wider(new, old) for new in newer):
            gone.append(held.id)
        elif held.unsaid_at is None:
            unsaid.append(held.id)
    insert(connection, fresh, at)
    close(connection, gone, at)
    _mark(connection, unsaid, at)
    _mark(connection, said, None)
    return len(fresh) + len(gone) + len(unsaid) + len(said)


def _base(id_: str) -> str:
    return id_.partition(_AGAIN)[0]


def _unused(row: Terms, ever: set[str]) -> Terms:
    """Return a row under an id of its own, where the same was said, and ended, before: the past stays on record."""
    id_, number = row.id, 1
    while id_ in ever:
        number += 1
        id_ = f"{row.id}{_AGAIN}{number}"
    ever.add(id_)
    return replace(row, id=id_)


def _mark(connection: sa.Connection, ids: Iterable[str], at: datetime | None) -> None:
    listed = [{"b_id": id_} for id_ in ids]
    if listed:
        connection.execute(sa.update(t.terms).where(t.terms.c.id == sa.bindparam("b_id")).values(unsaid_at=at), listed)


def one(connection: sa.Connection, id_: str) -> Terms | None:
    """Return a row on record by its id."""
    row = connection.execute(sa.select(t.terms).where(t.terms.c.id == id_, t.terms.c.recorded_to.is_(None))).first()
    return None if row is None else read(row)


def known_subject(connection: sa.Connection, kind: str, subject: str) -> bool:
    """Tell whether there is such a provider, channel or offer, also one nobody lists any more."""
    table = {"provider": t.providers, "channel": t.channels, "offer": t.offers}[kind]
    return connection.execute(sa.select(table.c.id).where(table.c.id == subject)).first() is not None


def ending(connection: sa.Connection, until: datetime) -> list[Terms]:
    """Return the curated rows on record that expire by a moment, or did, first the one that ends first."""
    columns = t.terms.c
    query = sa.select(t.terms).where(columns.recorded_to.is_(None), columns.curated, columns.expires_at <= until)
    return [read(row) for row in connection.execute(query.order_by(columns.expires_at, columns.id))]


def unsaid(connection: sa.Connection) -> frozenset[str]:
    """Return the ids of the rows on record that their feeds do not say any more."""
    columns = t.terms.c
    query = sa.select(columns.id).where(columns.recorded_to.is_(None), columns.unsaid_at.is_not(None))
    return frozenset(connection.execute(query).scalars())


def count_offers(connection: sa.Connection, kind: str, subject: str) -> int:
    """Count the listed offers whose prompts a subject sees."""
    columns = t.offers.c
    of = {"provider": columns.provider_id, "channel": columns.channel_id, "offer": columns.id}[kind]
    query = sa.select(sa.func.count()).select_from(t.offers).where(of == subject, columns.gone_at.is_(None))
    return connection.execute(query).scalar_one()


def listed(
    connection: sa.Connection,
    *,
    subject: str | None = None,
    source: str | None = None,
    after: str = "",
    limit: int = 100,
) -> list[dict[str, Any]]:
    """Return rows on record in the order of their ids, with who entered each and whether its feed still says it."""
    columns = t.terms.c
    query = sa.select(t.terms).where(columns.recorded_to.is_(None), columns.id > after)
    if subject is not None:
        query = query.where(columns.subject == subject)
    if source is not None:
        query = query.where(columns.source == source)
    rows = connection.execute(query.order_by(columns.id).limit(limit))
    return [{"row": read(row), "recorded_by": row.recorded_by, "unsaid_at": row.unsaid_at} for row in rows]
