"""The catalogue read whole, in one consistent read, as core values."""

import json
from collections.abc import Container, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

import sqlalchemy as sa

from planner.core.agreement import Contract, Fee, Payment, as_paid
from planner.core.catalogue import Catalogue, Channel, Provider
from planner.core.claim import ModelFacts, Score
from planner.core.claim_form import read_facts
from planner.core.fx import FxRate
from planner.core.identity import OPENROUTER, canonical_model, kind_of
from planner.core.offer import Kind, Offer, OfferFacts
from planner.core.price import Evidence, PriceCard, RateTable
from planner.core.rate_form import read_rates
from planner.core.tier import PriceBand, QualityBand, TierBands
from planner.store import measurements, plans, policies, terms
from planner.store import tables as t
from planner.store.ages import ages_of
from planner.store.known import known
from planner.store.revision import read_heads


def load_catalogue(
    connection: sa.Connection, known_at: datetime | None = None, *, at: datetime | None = None
) -> Catalogue:
    """Load what is believed: open and dated cards, live terms, the newest version of every policy.

    Args:
        connection: one consistent read.
        known_at: load what was believed at that moment instead: its revision, cards, terms, policies, fees,
            contracts, scores, plans and exchange rates. What an offer is able to do, and names, are those of today.
        at: the present, or ``known_at``: which measurements are young enough to go before what feeds claim of an
            offer's speed. Without it, none is.
    """
    heads, ages = read_heads(connection), ages_of(connection)
    registry = _Registry(aliases_of(connection), _kinds(connection), free_offers(connection))
    return Catalogue(
        revision=heads.catalogue if known_at is None else _revision(connection, known_at),
        policy_revision=heads.policy,
        offers=_offers(connection, registry, known_at, at or known_at),
        gone={} if known_at is not None else _gone(connection, registry),
        cards=_cards(connection, known_at) if known_at is not None else ages.aged(_cards(connection, None)),
        terms=terms.load(connection, known_at),
        models=_models(connection),
        providers=_providers(connection),
        channels=_channels(connection),
        scores=_scores(connection, known_at),
        fees=load_fees(connection, known_at),
        contracts=load_contracts(connection, known_at),
        tier_bands=_bands(connection),
        policies=policies.load(connection, known_at),
        plans=plans.load(connection, known_at),
        fx=load_fx(connection, known_at),
        stale_from={} if known_at is not None else ages.stale_from,
        believed_until={} if known_at is not None else ages.believed_until,
    )


def _revision(connection: sa.Connection, known_at: datetime) -> int:
    query = sa.select(sa.func.max(t.revisions.c.number)).where(t.revisions.c.published_at <= known_at)
    return connection.execute(query).scalar() or 0


def aliases_of(connection: sa.Connection) -> dict[tuple[str, str], str]:
    """Return what every spelling means: curated aliases, and registered ids as OpenRouter spells them."""
    columns = t.aliases.c
    found = {(OPENROUTER, id_): id_ for id_ in connection.execute(sa.select(t.models.c.id)).scalars()}
    query = sa.select(columns.namespace, columns.spelling, columns.model_id)
    for namespace, spelling, model in connection.execute(query):
        if model is not None:
            found[namespace, spelling] = model
        else:
            # Somebody took it back; that stands over the definition too.
            found.pop((namespace, spelling), None)
    return found


def free_offers(connection: sa.Connection) -> frozenset[str]:
    """Return the offers that are curated as free."""
    return frozenset(connection.execute(sa.select(t.free_offers.c.offer_id)).scalars())


class _Registry(NamedTuple):
    """What offers are read with: spellings, what models are registered as, and the offers that are curated as free."""

    aliases: Mapping[tuple[str, str], str]
    kinds: Mapping[str, Kind]
    free: Container[str]

    def offer(self, id_: str, text: str) -> Offer:
        """Build an offer from its stored facts."""
        facts = facts_of(text)
        model = canonical_model(facts.channel, facts.provider, facts.model_spelling, self.aliases)
        kind = kind_of(facts.kind, facts.model_spelling, self.kinds.get(model or ""))
        if kind is not facts.kind:
            facts = replace(facts, kind=kind)
        return Offer(id=id_, facts=facts, model=model, free=id_ in self.free)


def _offers(
    connection: sa.Connection, registry: _Registry, known_at: datetime | None, measured_by: datetime | None
) -> tuple[Offer, ...]:
    query = sa.select(t.offers.c.id, t.offers.c.facts).where(t.offers.c.gone_at.is_(None))
    if known_at is not None:
        heard = sa.select(t.quotes.c.offer_id).where(sa.func.coalesce(t.quotes.c.recorded_at, known_at) <= known_at)
        there = sa.or_(t.offers.c.gone_at.is_(None), t.offers.c.gone_at > known_at)
        query = sa.select(t.offers.c.id, t.offers.c.facts).where(there, t.offers.c.id.in_(heard))
    offers = [registry.offer(row.id, row.facts) for row in connection.execute(query)]
    if measured_by is not None:
        offers = measurements.laid_over(connection, offers, measured_by)
    return tuple(sorted(offers, key=lambda offer: offer.id.encode()))


def _gone(connection: sa.Connection, registry: _Registry) -> dict[str, Offer]:
    query = sa.select(t.offers.c.id, t.offers.c.facts).where(t.offers.c.gone_at.is_not(None))
    return {row.id: registry.offer(row.id, row.facts) for row in connection.execute(query)}


def _kinds(connection: sa.Connection) -> dict[str, Kind]:
    """Return what every model does that a person registered, whatever a list calls it."""
    query = sa.select(t.models.c.id, t.models.c.kind).where(t.models.c.settled_by.is_not(None))
    return {id_: Kind(kind) for id_, kind in connection.execute(query)}


# What an offer is able to do, and its rates, stay from one revision to the next; many share rates with others.
@lru_cache(maxsize=30_000)
def facts_of(text: str) -> OfferFacts:
    """Read the stored facts of an offer."""
    return read_facts(json.loads(text))


@lru_cache(maxsize=30_000)
def rates_of(text: str) -> RateTable:
    """Read a stored rate table."""
    return read_rates(json.loads(text))


def _cards(connection: sa.Connection, known_at: datetime | None) -> dict[str, tuple[PriceCard, ...]]:
    cards, quotes = t.price_cards, t.quotes
    query = (
        sa.select(
            cards.c.id, cards.c.offer_id, cards.c.rates, cards.c.valid_from, cards.c.valid_to,
            quotes.c.source, quotes.c.source_url, quotes.c.observed_at, quotes.c.payload_digest,
        )
        .join(quotes, quotes.c.id == cards.c.quote_id)
        .where(known(cards, known_at))
        .order_by(cards.c.offer_id, cards.c.valid_from)
    )  # fmt: skip
    found: dict[str, list[PriceCard]] = {}
    for id_, offer, rates, valid_from, valid_to, source, url, observed_at, digest in connection.execute(query):
        evidence = Evidence(source, url, observed_at, digest)
        card = PriceCard(str(id_), offer, valid_from, valid_to, rates_of(rates), evidence)
        found.setdefault(offer, []).append(card)
    return {offer: tuple(listed) for offer, listed in found.items()}


def _models(connection: sa.Connection) -> dict[str, ModelFacts]:
    return {
        row.id: ModelFacts(
            id=row.id,
            name=row.name,
            author=row.author,
            open_weights=row.open_weights,
            released=row.released,
            kind=Kind(row.kind),
            settled=row.settled_by is not None,
        )
        for row in connection.execute(sa.select(t.models))
    }


def _providers(connection: sa.Connection) -> dict[str, Provider]:
    return {
        row.id: Provider(
            id=row.id,
            name=row.name,
            kind=row.kind,
            headquarters=row.headquarters,
            creator_of=frozenset(json.loads(row.creator_of)),
            upstream=row.upstream,
        )
        for row in connection.execute(sa.select(t.providers))
    }


def _channels(connection: sa.Connection) -> dict[str, Channel]:
    return {
        row.id: Channel(
            id=row.id,
            name=row.name,
            overhead_ms=row.overhead_ms,
            overhead_source_url=row.overhead_source_url,
            overhead_observed_at=row.overhead_observed_at,
        )
        for row in connection.execute(sa.select(t.channels))
    }


def _scores(connection: sa.Connection, known_at: datetime | None) -> dict[tuple[str, str], tuple[Score, ...]]:
    scores = t.scores.c
    found: dict[tuple[str, str], list[Score]] = {}
    # `index` is a method of a row, so the columns are taken by position.
    columns = (
        scores.model_id,
        scores["index"],
        scores.score,
        scores.as_of,
        scores.source,
        scores.source_url,
        scores.note,
    )
    for model, index, score, as_of, source, url, note in connection.execute(
        sa.select(*columns).order_by(scores.as_of, scores.source)
    ):
        if known_at is not None and as_of > known_at.date():
            continue
        made = Score(
            model=model, index=index, score=Decimal(score), as_of=as_of, source=source, source_url=url, note=note
        )
        found.setdefault((model, index), []).append(made)
    return {key: tuple(listed) for key, listed in found.items()}


def load_fees(connection: sa.Connection, known_at: datetime | None = None) -> tuple[Fee, ...]:
    """Load what brokers charge, each fee cut where the way a broker is paid here changes."""
    query = sa.select(t.fees).where(known(t.fees, known_at)).order_by(t.fees.c.id)
    fees = tuple(
        Fee(
            id=row.id,
            channel=row.channel_id,
            percent=Fraction(row.percent),
            basis=row.basis,
            valid_from=row.valid_from,
            valid_to=row.valid_to,
            source=row.source,
            source_url=row.source_url,
            payment=row.payment,
            allowance_usd_per_month=_fraction(row.allowance_usd_per_month),
            minimum_usd=_fraction(row.minimum_usd),
        )
        for row in connection.execute(query)
    )
    p = t.channel_payments
    said = sa.select(p).where(known(p, known_at)).order_by(p.c.channel_id, p.c.valid_from)
    paid = [
        Payment(row.channel_id, row.payment, _fraction(row.list_usd_per_month), row.valid_from)
        for row in connection.execute(said)
    ]
    return as_paid(fees, paid)


def _fraction(text: str | None) -> Fraction | None:
    return None if text is None else Fraction(text)


def load_contracts(connection: sa.Connection, known_at: datetime | None = None) -> tuple[Contract, ...]:
    """Load the negotiated discounts and commitments."""
    query = sa.select(t.contracts).where(known(t.contracts, known_at)).order_by(t.contracts.c.id)
    return tuple(
        Contract(
            id=row.id,
            name=row.name,
            channel=row.channel_id,
            provider=row.provider_id,
            model=row.model_id,
            discount_percent=Fraction(row.discount_percent),
            commitment_usd=_fraction(row.commitment_usd),
            commitment_period=row.commitment_period,
            valid_from=row.valid_from,
            valid_to=row.valid_to,
            reference=row.reference,
        )
        for row in connection.execute(query)
    )


def _bands(connection: sa.Connection) -> TierBands:
    prices = connection.execute(sa.select(t.price_bands).order_by(t.price_bands.c.tier))
    quality = t.quality_bands.c
    qualities = connection.execute(
        sa.select(quality["index"], quality.tier, quality.score_min, quality.valid_from, quality.valid_to).order_by(
            quality.position, quality.tier
        )
    )
    return TierBands(
        tuple(PriceBand(row.tier, Decimal(row.usd_per_mtok_min), row.valid_from, row.valid_to) for row in prices),
        tuple(
            QualityBand(index, tier, Decimal(score_min), valid_from, valid_to)
            for index, tier, score_min, valid_from, valid_to in qualities
        ),
    )


def load_fx(connection: sa.Connection, known_at: datetime | None = None) -> tuple[FxRate, ...]:
    """Load the exchange rates that somebody entered, oldest first."""
    query = sa.select(t.fx_rates).where(known(t.fx_rates, known_at)).order_by(t.fx_rates.c.day, t.fx_rates.c.currency)
    return tuple(FxRate(row.currency, row.day, Decimal(row.usd), row.source) for row in connection.execute(query))
