"""Writing a refresh: quotes, offers, cards, alerts, revision and audit entry, in the transaction it is given."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from planner.core.claim import Reading
from planner.core.claim_form import read_claim, write_claim
from planner.core.doubt import Bounds
from planner.core.price import RateTable
from planner.store import audit, json_text
from planner.store import tables as t
from planner.store.decide import Change
from planner.store.load import rates_of
from planner.store.recall import Spoken, catalogue_digest
from planner.store.record import Published, lay
from planner.store.registry import register
from planner.store.revision import bump, read_heads


class Known(NamedTuple):
    """A quote as it stands: its row and the digest of its claim."""

    id: int
    digest: str


def publish(
    connection: sa.Connection,
    readings: Sequence[Reading],
    *,
    at: datetime,
    actor: str,
    reason: str,
    announce: bool = True,
    bounds: Bounds = Bounds(),  # noqa: B008  # frozen
) -> Published:
    """Publish readings: each source's claims replace what it claimed before.

    Args:
        connection: an open write transaction; the caller commits it.
        readings: accepted readings, at most one per source.
        at: when this is recorded.
        actor: who publishes, for the audit entry.
        reason: why, for the revision.
        announce: whether price moves are alerts; the bundled catalogue moves nothing anybody relied on.
        bounds: how far a price may move before it waits for a person.

    Returns:
        What was done. Nothing changed: no revision, no audit entry.
    """
    done, at = Published(), _not_before(connection, at)
    current = _current_quotes(connection, [reading.source for reading in readings])
    changes: dict[str, Change] = {}
    next_id = (connection.execute(sa.select(sa.func.max(t.quotes.c.id))).scalar() or 0) + 1
    rows: list[dict[str, Any]] = []
    withdrawn: list[int] = []
    for reading in readings:
        known = current.get(reading.source, {})
        fresh, gone = _compare(reading, known, changes, next_id, at)
        next_id += len(fresh)
        rows += fresh
        withdrawn += gone
        done.quotes[reading.source] = len(fresh)
        done.withdrawn[reading.source] = len(gone) - sum(
            row["offer_id"] in current.get(reading.source, {}) for row in fresh
        )
    done.registered = register(connection, readings, at)
    if not (changes or any(done.registered.values())):
        return done
    write_revision(
        connection,
        changes,
        (rows, withdrawn),
        done,
        at=at,
        actor=actor,
        reason=reason,
        announce=announce,
        bounds=bounds,
    )
    return done


def reconsider(
    connection: sa.Connection, offers: Sequence[str], *, at: datetime, actor: str, reason: str, bounds: Bounds,
    named: bool = False,
) -> Published:  # fmt: skip
    """Decide offers anew from what sources say already, because a person decided about one of their claims.

    ``named``: because a person said which model they are of.
    """
    done, at = Published(), _not_before(connection, at)
    changes = {offer: Change(at, late=not named, named=named) for offer in offers}
    write_revision(connection, changes, ([], []), done, at=at, actor=actor, reason=reason, announce=True, bounds=bounds)
    return done


def turn_page(connection: sa.Connection, *, at: datetime, actor: str, reason: str) -> None:
    """Write a revision without a new price, because something else changed that answers rest on."""
    done, at = Published(), _not_before(connection, at)
    write_revision(
        connection, {}, ([], []), done, at=at, actor=actor, reason=reason, announce=False, bounds=Bounds()
    )  # fmt: skip


def _not_before(connection: sa.Connection, at: datetime) -> datetime:
    """Return the moment, or that of the newest revision where it is later.

    What takes long began before somebody else was quick, and clocks differ; the record only goes forwards.
    """
    newest: datetime | None = connection.scalar(sa.select(sa.func.max(t.revisions.c.published_at)))
    return at if newest is None else max(at, newest)


def write_revision(
    connection: sa.Connection,
    changes: Mapping[str, Change],
    quotes: tuple[Sequence[dict[str, Any]], Sequence[int]],
    done: Published,
    *,
    at: datetime,
    actor: str,
    reason: str,
    announce: bool,
    bounds: Bounds,
) -> None:
    """Write the next revision: its cards, its digest and its audit entry. ``done`` is completed."""
    done.revision = read_heads(connection).catalogue + 1
    # The cards point at their revision, so its row comes first and is completed last.
    connection.execute(
        sa.insert(t.revisions).values(
            number=done.revision, published_at=at, reason=reason, cards_opened=0, cards_closed=0, digest=""
        )
    )
    if changes:
        lay(connection, changes, quotes, done, at=at, announce=announce, bounds=bounds)
    connection.execute(
        sa.update(t.revisions)
        .where(t.revisions.c.number == done.revision)
        .values(cards_opened=done.opened, cards_closed=done.closed, digest=catalogue_digest(connection))
    )
    bump(connection, catalogue=done.revision)
    audit.record(
        connection, at=at, actor=actor, action="catalogue.publish", subject=f"revision {done.revision}", reason=reason,
        before={"revision": done.revision - 1},
        after={"revision": done.revision, "opened": done.opened, "closed": done.closed, "quotes": done.quotes,
               "held": len(done.held)},
    )  # fmt: skip


def current_rates(connection: sa.Connection, source: str) -> dict[str, RateTable]:
    """Return the rates a source's own current quotes claim, by offer id."""
    query = sa.select(t.quotes.c.claim).where(t.quotes.c.source == source, t.quotes.c.withdrawn_at.is_(None))
    claims = (read_claim(json_text.load(text)) for text in connection.execute(query).scalars())
    return {claim.offer_id: claim.segments[-1].rates for claim in claims if claim.segments}


def believed_rates(connection: sa.Connection, source: str) -> dict[str, RateTable]:
    """Return the rates believed until further notice of the offers a source's own current quotes are about."""
    cards, quotes = t.price_cards.c, t.quotes.c
    own = sa.select(quotes.offer_id).where(quotes.source == source, quotes.withdrawn_at.is_(None))
    query = sa.select(cards.offer_id, cards.rates).where(
        cards.recorded_to.is_(None), cards.valid_to.is_(None), cards.offer_id.in_(own)
    )
    return {offer: rates_of(text) for offer, text in connection.execute(query)}


def _current_quotes(connection: sa.Connection, sources: Sequence[str]) -> dict[str, dict[str, Known]]:
    quotes = t.quotes.c
    query = sa.select(quotes.id, quotes.offer_id, quotes.source, quotes.claim_digest).where(
        quotes.withdrawn_at.is_(None), quotes.source.in_(sources)
    )
    found: dict[str, dict[str, Known]] = {}
    for id_, offer, source, digest in connection.execute(query):
        found.setdefault(source, {})[offer] = Known(id_, digest)
    return found


def _compare(
    reading: Reading, current: Mapping[str, Known], changes: dict[str, Change], next_id: int, at: datetime
) -> tuple[list[dict[str, Any]], list[int]]:
    """Return quote rows to insert and quote ids to withdraw, and note the offers they change."""
    rows: list[dict[str, Any]] = []
    gone = [(offer, quote.id) for offer, quote in current.items()]
    kept: set[str] = set()
    payload = next(iter(reading.digests.values()), None) if len(reading.digests) == 1 else None
    for claim in reading.claims:
        text = json_text.dump(write_claim(claim))
        digest = json_text.digest(text)
        known = current.get(claim.offer_id)
        if known is not None and known.digest == digest:
            kept.add(claim.offer_id)
            continue
        change = changes.setdefault(claim.offer_id, Change(reading.observed_at))
        change.claims[reading.source] = Spoken(next_id + len(rows), claim, reading.observed_at)
        url = claim.source_url or reading.source_url
        rows.append(
            {
                "id": next_id + len(rows),
                "offer_id": claim.offer_id,
                "source": reading.source,
                "source_url": url,
                "observed_at": reading.observed_at,
                "payload_digest": reading.digests.get(url, payload),
                "claim": text,
                "claim_digest": digest,
                "unpriced": claim.unpriced,
                "recorded_at": at,
            }
        )
    spoken = {claim.offer_id for claim in reading.claims}
    # A part of a source's words leaves the rest of them standing.
    gone = [(offer, id_) for offer, id_ in gone if reading.whole or offer in spoken]
    for offer, _id in gone:
        if offer not in kept:
            change = changes.setdefault(offer, Change(reading.observed_at))
            change.at = max(change.at, reading.observed_at)
            change.withdrawn.add(reading.source)
    return rows, [id_ for offer, id_ in gone if offer not in kept]
