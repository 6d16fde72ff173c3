"""Laying what is believed now over the record: offers merged, cards closed and opened, moves announced."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from planner.core.claim import Claim
from planner.core.claim_form import read_claim, write_facts
from planner.core.price import RateTable
from planner.core.rate_form import read_rates, write_rates
from planner.core.reconcile import Belief, Ranking, Span, believe, moves, redate
from planner.store import json_text
from planner.store import tables as t

BATCH = 500
FALL_ANNOUNCED = 2
"""A price that falls to less than half is announced; every rise is."""


class Spoken(NamedTuple):
    """What one source says of an offer: the quote's row, the claim, and when it was observed."""

    quote: int
    claim: Claim
    observed_at: datetime


class Kept(NamedTuple):
    """The rows behind a span of the record: its card and the quote the card rests on."""

    card: int
    quote: int


@dataclass(slots=True)
class Change:
    """One offer that some source now speaks of differently: since when, and what those sources say now."""

    at: datetime
    claims: dict[str, Spoken] = field(default_factory=dict)
    withdrawn: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Published:
    """What one publication did. ``revision`` is None when nothing changed."""

    revision: int | None = None
    opened: int = 0
    closed: int = 0
    past_undated: int = 0
    alerts: int = 0
    quotes: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Rows:
    """Rows to write, gathered first: a database likes few long statements better than many short ones."""

    offers_new: list[dict[str, Any]] = field(default_factory=list)
    offers_changed: list[dict[str, Any]] = field(default_factory=list)
    offers_gone: list[dict[str, Any]] = field(default_factory=list)
    cards_closed: list[dict[str, Any]] = field(default_factory=list)
    cards_new: list[dict[str, Any]] = field(default_factory=list)
    alerts: list[dict[str, Any]] = field(default_factory=list)


def lay(
    connection: sa.Connection,
    changes: Mapping[str, Change],
    quotes: tuple[Sequence[dict[str, Any]], Sequence[int]],
    done: Published,
    *,
    at: datetime,
    announce: bool,
) -> None:
    """Decide every changed offer anew from all its current claims, and write what that changes.

    ``quotes`` are (rows to insert, ids to withdraw); ``done`` is completed with the counts.
    """
    others = _other_claims(connection, changes)
    ranking = _ranking(connection)
    free = set(connection.execute(sa.select(t.free_offers.c.offer_id)).scalars())
    known: dict[str, str] = dict(_of_offers(connection, (t.offers.c.id, t.offers.c.facts), t.offers.c.id, changes))
    record = _spans(connection, changes)
    rows = _Rows()
    for offer, change in changes.items():
        claims = {**others.get(offer, {}), **change.claims}
        spans = record.get(offer, {})
        if not claims:
            rows.offers_gone.append({"b_id": offer, "at": at})
            _redate(offer, spans, None, None, change.at, rows, done, at)
            continue
        said = [(source, spoken.claim) for source, spoken in claims.items()]
        belief = believe(said, ranking, free=offer in free)
        believed = claims[belief.source]
        moment = believed.observed_at if belief.source in change.claims else change.at
        _note_offer(offer, belief, known.get(offer), change.at, rows)
        written = _redate(offer, spans, belief, believed, moment, rows, done, at)
        if announce:
            rows.alerts += _announcements(offer, spans, written, done, at)
    _write(connection, rows, quotes, done, at)


def _redate(  # one offer's whole story
    offer: str,
    spans: Mapping[Span, Kept],
    belief: Belief | None,
    believed: Spoken | None,
    moment: datetime,
    rows: _Rows,
    done: Published,
    at: datetime,
) -> Sequence[Span]:
    # Time does not run backwards: a claim observed before the span in force began speaks from that beginning.
    starts = [span.valid_from for span in spans if span.valid_from <= at]
    redating = redate(list(spans), () if belief is None else belief.segments, max([moment, *starts]))
    done.past_undated += redating.past_undated
    rows.cards_closed += [{"b_id": spans[span].card, "at": at} for span in redating.close]
    begun = {(span.valid_from, span.rates): kept.quote for span, kept in spans.items()}
    for span in redating.write:
        # A span that was only cut or prolonged still rests on the quote it was built from.
        quote = begun.get((span.valid_from, span.rates), None if believed is None else believed.quote)
        if quote is None:
            raise AssertionError("a new span needs a claim")
        rows.cards_new.append(
            {
                "offer_id": offer,
                "quote_id": quote,
                "rates": json_text.dump(write_rates(span.rates)),
                "valid_from": span.valid_from,
                "valid_to": span.valid_to,
                "recorded_from": at,
                "revision": done.revision,
            }
        )
    return redating.write


def _note_offer(offer: str, belief: Belief, known: str | None, at: datetime, rows: _Rows) -> None:
    text = json_text.dump(write_facts(belief.facts))
    facts = belief.facts
    if known is None:
        rows.offers_new.append(
            {
                "id": offer,
                "model_spelling": facts.model_spelling,
                "provider_id": facts.provider,
                "channel_id": facts.channel,
                "facts": text,
                "first_seen_at": at,
            }
        )
    else:
        rows.offers_changed.append({"b_id": offer, "text": text})


def _announcements(
    offer: str, spans: Mapping[Span, Kept], written: Sequence[Span], done: Published, at: datetime
) -> Iterator[dict[str, Any]]:
    """Yield an alert for each price that rose, or fell to less than half, against the price in force before."""
    before = next((span for span in spans if span.valid_to is None), None)
    after = next((span for span in written if span.valid_to is None), None)
    if before is None or after is None:
        return
    for move in moves(before.rates, after.rates):
        if move.rises or move.falls_by(FALL_ANNOUNCED):
            facts = {
                "unit": move.unit,
                "before_usd_per_mtok": move.before.usd_per_mtok(),
                "after_usd_per_mtok": move.after.usd_per_mtok(),
            }
            kind = "price_rise" if move.rises else "price_fall"
            yield {"at": at, "kind": kind, "subject": offer, "facts": json_text.dump(facts), "revision": done.revision}


def _write(
    connection: sa.Connection,
    rows: _Rows,
    quotes: tuple[Sequence[dict[str, Any]], Sequence[int]],
    done: Published,
    at: datetime,
) -> None:
    fresh, withdrawn = quotes
    id_: sa.BindParameter[Any] = sa.bindparam("b_id")
    offers, cards = t.offers, t.price_cards
    _run(connection, sa.insert(offers), rows.offers_new)
    change = sa.update(offers).where(offers.c.id == id_).values(facts=sa.bindparam("text"), gone_at=None)
    _run(connection, change, rows.offers_changed)
    _run(connection, sa.update(offers).where(offers.c.id == id_).values(gone_at=sa.bindparam("at")), rows.offers_gone)
    withdraw = sa.update(t.quotes).where(t.quotes.c.id == id_).values(withdrawn_at=sa.bindparam("at"))
    _run(connection, withdraw, [{"b_id": quote, "at": at} for quote in withdrawn])
    _run(connection, sa.insert(t.quotes), fresh)
    # Closed before opened: the index allows one open card per offer at any moment.
    close = sa.update(cards).where(cards.c.id == id_).values(recorded_to=sa.bindparam("at"))
    _run(connection, close, rows.cards_closed)
    next_id = (connection.execute(sa.select(sa.func.max(cards.c.id))).scalar() or 0) + 1
    made = [{**row, "id": number} for number, row in enumerate(rows.cards_new, next_id)]
    _run(connection, sa.insert(cards), made)
    _run(connection, sa.insert(t.alerts), rows.alerts)
    done.opened += len(made)
    done.closed += len(rows.cards_closed)
    done.alerts += len(rows.alerts)


def _run(connection: sa.Connection, statement: sa.Executable, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        connection.execute(statement, rows)


def _of_offers(
    connection: sa.Connection, columns: Sequence[sa.ColumnElement[Any]], key: sa.Column[str], offers: Iterable[str]
) -> Iterator[Any]:
    """Yield rows of the named offers, a batch of ids at a time: a statement takes only so many parameters."""
    ids = list(offers)
    for start in range(0, len(ids), BATCH):
        yield from connection.execute(sa.select(*columns).where(key.in_(ids[start : start + BATCH])))


def _other_claims(connection: sa.Connection, changes: Mapping[str, Change]) -> dict[str, dict[str, Spoken]]:
    """Return what the sources that did not speak anew say of the changed offers."""
    quotes = t.quotes.c
    found: dict[str, dict[str, Spoken]] = {}
    columns = (quotes.id, quotes.offer_id, quotes.source, quotes.claim, quotes.observed_at, quotes.withdrawn_at)
    for id_, offer, source, text, observed_at, withdrawn_at in _of_offers(
        connection, columns, quotes.offer_id, changes
    ):
        change = changes[offer]
        if withdrawn_at is None and source not in change.claims and source not in change.withdrawn:
            found.setdefault(offer, {})[source] = Spoken(id_, read_claim(json_text.load(text)), observed_at)
    return found


def _ranking(connection: sa.Connection) -> Ranking:
    rows = connection.execute(sa.select(t.sources.c.name, t.sources.c.rank, t.sources.c.own_channel)).all()
    return Ranking(
        {row.name: row.rank for row in rows}, {row.own_channel: row.name for row in rows if row.own_channel is not None}
    )


def _spans(connection: sa.Connection, changes: Iterable[str]) -> dict[str, dict[Span, Kept]]:
    cards = t.price_cards.c
    columns = (
        cards.id,
        cards.offer_id,
        cards.quote_id,
        cards.rates,
        cards.valid_from,
        cards.valid_to,
        cards.recorded_to,
    )
    tables: dict[str, RateTable] = {}
    found: dict[str, list[tuple[Span, Kept]]] = {}
    for id_, offer, quote, text, valid_from, valid_to, recorded_to in _of_offers(
        connection, columns, cards.offer_id, changes
    ):
        if recorded_to is None:
            rates = tables.get(text) or tables.setdefault(text, read_rates(json_text.load(text)))
            found.setdefault(offer, []).append((Span(valid_from, valid_to, rates), Kept(id_, quote)))
    return {offer: dict(sorted(spans, key=lambda item: item[0].valid_from)) for offer, spans in found.items()}


def catalogue_digest(connection: sa.Connection) -> str:
    """Return the SHA-256 over every card believed now: a revision is whole when its digest fits its cards."""
    cards = t.price_cards.c
    query = sa.select(cards.offer_id, cards.valid_from, cards.valid_to, cards.rates).where(cards.recorded_to.is_(None))
    lines = sorted(
        f"{offer}\t{valid_from.isoformat()}\t{'' if valid_to is None else valid_to.isoformat()}\t{rates}\n"
        for offer, valid_from, valid_to, rates in connection.execute(query)
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()
