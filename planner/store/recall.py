"""What the record says of some offers: their claims, their spans, their facts, and whom to trust."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any, NamedTuple

import sqlalchemy as sa

from planner.core.claim import Claim
from planner.core.claim_form import read_claim, read_facts
from planner.core.doubt import Golden
from planner.core.identity import canonical_model
from planner.core.market import Listed
from planner.core.reconcile import Ranking, Span
from planner.core.units import Unit
from planner.store import json_text
from planner.store import tables as t
from planner.store.ages import BELIEVED_FOR
from planner.store.load import aliases_of, rates_of

BATCH = 500


class Spoken(NamedTuple):
    """What one source says of an offer: the quote's row, the claim, and when it was observed."""

    quote: int
    claim: Claim
    observed_at: datetime


class Kept(NamedTuple):
    """The rows behind a span of the record: its card, the quote the card rests on, and whose quote it is."""

    card: int
    quote: int
    source: str


def of_offers(
    connection: sa.Connection, columns: Sequence[sa.ColumnElement[Any]], key: sa.Column[str], offers: Iterable[str],
    *where: sa.ColumnElement[bool],
) -> Iterator[Any]:  # fmt: skip
    """Yield rows of the named offers, a batch of ids at a time: a statement takes only so many parameters."""
    ids = list(offers)
    for start in range(0, len(ids), BATCH):
        yield from connection.execute(sa.select(*columns).where(key.in_(ids[start : start + BATCH]), *where))


def facts_of(connection: sa.Connection, offers: Iterable[str]) -> dict[str, str]:
    """Return the stored facts of offers, as text."""
    return dict(of_offers(connection, (t.offers.c.id, t.offers.c.facts), t.offers.c.id, offers))


def claims_of(connection: sa.Connection, offers: Iterable[str]) -> dict[str, dict[str, Spoken]]:
    """Return the current claims of offers: offer id -> source -> what it says."""
    quotes = t.quotes.c
    found: dict[str, dict[str, Spoken]] = {}
    columns = (quotes.id, quotes.offer_id, quotes.source, quotes.claim, quotes.observed_at, quotes.withdrawn_at)
    for id_, offer, source, text, observed_at, withdrawn_at in of_offers(connection, columns, quotes.offer_id, offers):
        if withdrawn_at is None:
            found.setdefault(offer, {})[source] = Spoken(id_, read_claim(json_text.load(text)), observed_at)
    return found


def ranking_of(connection: sa.Connection) -> Ranking:
    """Return whose word stands where sources disagree."""
    rows = connection.execute(sa.select(t.sources.c.name, t.sources.c.rank, t.sources.c.own_channel)).all()
    return Ranking(
        {row.name: row.rank for row in rows}, {row.own_channel: row.name for row in rows if row.own_channel is not None}
    )


def spans_of(connection: sa.Connection, offers: Iterable[str]) -> dict[str, dict[Span, Kept]]:
    """Return the record of offers, in time order, with the rows behind it."""
    cards = t.price_cards.c
    columns = (
        cards.id,
        cards.offer_id,
        cards.quote_id,
        cards.rates,
        cards.valid_from,
        cards.valid_to,
        t.quotes.c.source,
    )
    live = cards.recorded_to.is_(None), cards.quote_id == t.quotes.c.id
    found: dict[str, list[tuple[Span, Kept]]] = {}
    for id_, offer, quote, text, valid_from, valid_to, source in of_offers(
        connection, columns, cards.offer_id, offers, *live
    ):
        found.setdefault(offer, []).append((Span(valid_from, valid_to, rates_of(text)), Kept(id_, quote, source)))
    return {offer: dict(sorted(spans, key=lambda item: item[0].valid_from)) for offer, spans in found.items()}


def market_of(connection: sa.Connection) -> dict[str, Listed]:
    """Return every price in force until further notice, with its model and its facts."""
    aliases = aliases_of(connection)
    cards, offers = t.price_cards.c, t.offers.c
    query = (
        sa.select(offers.id, offers.facts, cards.rates, offers.first_seen_at)
        .join(t.offers, offers.id == cards.offer_id)
        .where(cards.recorded_to.is_(None), cards.valid_to.is_(None), offers.gone_at.is_(None))
    )
    found = {}
    for id_, text, rates, since in connection.execute(query):
        facts = read_facts(json_text.load(text))
        model = canonical_model(facts.channel, facts.provider, facts.model_spelling, aliases)
        found[id_] = Listed(model, facts, rates_of(rates), since)
    return found


def lost_sources(connection: sa.Connection, at: datetime) -> frozenset[str]:
    """Return the sources that were read once, and not for so long that nothing they say is believed any more."""
    state = t.source_states.c
    return frozenset(connection.scalars(sa.select(state.source).where(state.last_success_at <= at - BELIEVED_FOR)))


def models_of(connection: sa.Connection) -> dict[str, str | None]:
    """Return the canonical model of every listed offer, None while its spelling is pending."""
    aliases, o = aliases_of(connection), t.offers.c
    query = sa.select(o.id, o.channel_id, o.provider_id, o.model_spelling).where(o.gone_at.is_(None))
    return {
        row.id: canonical_model(row.channel_id, row.provider_id, row.model_spelling, aliases)
        for row in connection.execute(query)
    }


def providers_of(connection: sa.Connection) -> frozenset[str]:
    """Return the providers of the registry."""
    return frozenset(connection.execute(sa.select(t.providers.c.id)).scalars())


def golden_of(connection: sa.Connection) -> tuple[Golden, ...]:
    """Return the well-known prices that gate publication."""
    rows = connection.execute(sa.select(t.golden_facts).order_by(t.golden_facts.c.offer_id))
    return tuple(
        Golden(row.offer_id, Unit(row.unit), Fraction(row.usd_per_mtok_min), Fraction(row.usd_per_mtok_max))
        for row in rows
    )


def catalogue_digest(connection: sa.Connection) -> str:
    """Return the SHA-256 over every card believed now: a revision is whole when its digest fits its cards."""
    cards = t.price_cards.c
    query = sa.select(cards.offer_id, cards.valid_from, cards.valid_to, cards.rates).where(cards.recorded_to.is_(None))
    lines = sorted(
        f"{offer}\t{valid_from.isoformat()}\t{'' if valid_to is None else valid_to.isoformat()}\t{rates}\n"
        for offer, valid_from, valid_to, rates in connection.execute(query)
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()
