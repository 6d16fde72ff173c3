"""Which offer served a row of usage, and what it cost at the time: looked up in the record for a batch of rows."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

import sqlalchemy as sa

from planner.core.agreement import Contract, Fee, discount, gross_up
from planner.core.event import Event
from planner.core.identity import OPENROUTER, canonical_model
from planner.core.offer import OfferFacts, offer_id
from planner.core.price import PriceCard
from planner.core.rate_pieces import Span
from planner.store import cards
from planner.store import tables as t
from planner.store.load import facts_of, load_contracts, load_fees
from planner.store.recall import facts_of as facts_by_id
from planner.store.revision import read_heads

_LIST_PRICE = Fraction(1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Served(NamedTuple):
    """Who served a row: the offer, if one is known, and what is known of provider, model and region anyway.

    ``why_not`` says why no offer is known.
    """

    offer: str | None
    provider: str
    model: str
    region: str | None = None
    channel: str = "direct"
    why_not: str | None = None

    @property
    def party(self) -> str:
        """Who is paid: the broker, or the provider itself."""
        return self.provider if self.channel == "direct" else self.channel


class Tariffs:
    """Offers and prices as they are on record in one transaction; each is read once."""

    def __init__(self, connection: sa.Connection) -> None:
        """Read nothing yet."""
        self._connection = connection
        self.revision = read_heads(connection).catalogue
        self._served: dict[tuple[str | None, ...], Served] = {}
        self._cards: dict[str, list[PriceCard]] = {}
        self._fees = load_fees(connection)
        self._contracts = load_contracts(connection)
        self._terms: dict[tuple[str, str, str], tuple[list[Contract], list[Fee]]] = {}

    def expect(self, offers: Iterable[str]) -> None:
        """Read together what is on record of offers: one by one takes far longer."""
        wanted = {id_ for id_ in offers if (id_,) not in self._served}
        listed = facts_by_id(self._connection, wanted)
        self._served |= {(id_,): self._by_id(id_, listed.get(id_)) for id_ in wanted}
        # A row that names its model may have asked for the prices of an offer before one that names the offer.
        self._cards |= cards.of_offers(self._connection, wanted - self._cards.keys())

    def served(self, event: Event, feed: str = "") -> Served:
        """Return who served a row. Ids are compared byte for byte, and spellings only by curated rows.

        Args:
            event: the row.
            feed: the feed whose spellings of providers its stream uses; "" for planner's own ids.
        """
        if event.offer is not None:
            key: tuple[str | None, ...] = (event.offer,)
        else:
            key = (feed, event.channel, event.provider, event.model, event.region)
        if key not in self._served:
            if event.offer is not None:
                self.expect([event.offer])
            else:
                self._served[key] = self._by_name(event, feed)
        return self._served[key]

    def cards(self, offer: str, since: datetime, until: datetime | None) -> tuple[PriceCard, ...]:
        """Return the cards in force at a moment, or at some moment of a span; none where a part of it has no price."""
        if offer not in self._cards:
            self._cards |= cards.of_offers(self._connection, [offer])
        listed = self._cards[offer]
        if until is None:
            return tuple(card for card in listed if card.in_force(since))
        over = [card for card in listed if card.valid_from < until and (card.valid_to is None or card.valid_to > since)]
        edges = [since, *(card.valid_to for card in over)]
        whole = all(card.valid_from <= (edge or card.valid_from) for card, edge in zip(over, edges, strict=False))
        ends = over[-1].valid_to if over else since
        return tuple(over) if whole and over and (ends is None or ends >= until) else ()

    def listed(self, offer: str) -> tuple[PriceCard, ...]:
        """Return all cards of an offer, in time order."""
        if offer not in self._cards:
            self._cards |= cards.of_offers(self._connection, [offer])
        return tuple(self._cards[offer])

    def agreed(self, channel: str, provider: str, model: str) -> tuple[list[Contract], list[Fee]]:
        """Return the contracts about a model of a provider, and the fees of its channel."""
        key = channel, provider, model
        if key not in self._terms:
            contracts = [contract for contract in self._contracts if contract.covers(*key)]
            self._terms[key] = contracts, [fee for fee in self._fees if fee.channel == channel]
        return self._terms[key]

    def facts(self, offer: str) -> OfferFacts | None:
        """Return what is on record of an offer besides its price; None: there is no such offer."""
        text = facts_by_id(self._connection, [offer]).get(offer)
        return None if text is None else facts_of(text)

    def factor(self, served: Served, at: datetime) -> Fraction:
        """Return list price -> what is paid: after a negotiated discount, with the channel's fee."""
        key = served.channel, served.provider, served.model
        contracts, fees = self.agreed(*key)
        if not contracts and not fees:
            return _LIST_PRICE
        off, _contract = discount(contracts, *key, at)
        return gross_up(fees, served.channel, at, 1 - off)

    def spans(self, served: Served) -> Iterator[Span]:
        """Yield all of time, cut wherever another card or another factor begins to hold for who served a row."""
        contracts, fees = self.agreed(served.channel, served.provider, served.model)
        dated: list[PriceCard | Contract | Fee] = [*contracts, *fees]
        dated += [] if served.offer is None else self.listed(served.offer)
        edges = {moment for one in dated for moment in (one.valid_from, one.valid_to) if moment is not None}
        ordered = [None, *sorted(edges), None]
        for since, until in pairwise(ordered):
            # Before the first edge everything is as it was at any moment before it.
            at = since or ((until or _EPOCH) - timedelta.resolution)
            cards = () if served.offer is None else self.cards(served.offer, at, None)
            yield Span(since, until, cards[-1] if cards else None, self.factor(served, at))

    def _by_id(self, offer: str, facts: str | None) -> Served:
        if facts is None:
            return Served(None, "", "", why_not="unknown_offer")
        return self._of(offer, facts_of(facts))

    def _of(self, offer: str, facts: OfferFacts) -> Served:
        model = canonical_model(facts.channel, facts.provider, facts.model_spelling, _Aliases(self._connection))
        return Served(offer, facts.provider, model or facts.model_spelling, facts.region, facts.channel)

    def _by_name(self, event: Event, feed: str) -> Served:
        spelled, model = event.provider, event.model or ""
        if not model:
            return Served(None, spelled or "", "", channel=event.channel, why_not="no_model")
        if spelled is None:
            return Served(None, "", model, channel=event.channel, why_not="no_provider")
        provider = self.provider(spelled, feed)
        aliases = _Aliases(self._connection)
        canonical = canonical_model(event.channel, provider, model, aliases) or aliases.get((OPENROUTER, model))
        known = Served(None, provider, canonical or model, channel=event.channel)
        found = list(self._candidates(event.channel, provider, model, canonical))
        regions = {None, "global"} if event.region is None else {event.region, None, "global"}
        fitting = [(id_, facts) for id_, facts in found if facts.region in regions]
        exact = [pair for pair in fitting if pair[1].region == event.region] or fitting
        plain = [pair for pair in exact if pair[0] == offer_id(event.channel, provider, model)] or exact
        if len(plain) == 1:
            return self._of(*plain[0])
        return known._replace(why_not="several_offers" if plain else "unknown_offer")

    def _candidates(
        self, channel: str, provider: str, spelling: str, canonical: str | None
    ) -> Iterator[tuple[str, OfferFacts]]:
        """Yield standard offers of this spelling; without any, those of the same canonical model."""
        o = t.offers.c
        own = sa.select(o.id, o.facts).where(o.channel_id == channel, o.provider_id == provider)
        found = [
            (row.id, facts_of(row.facts)) for row in self._connection.execute(own.where(o.model_spelling == spelling))
        ]
        if not found and canonical is not None:
            aliases = _Aliases(self._connection)
            rows = [(row.id, facts_of(row.facts)) for row in self._connection.execute(own)]
            found = [
                (id_, facts)
                for id_, facts in rows
                if canonical_model(channel, provider, facts.model_spelling, aliases) == canonical
            ]
        yield from ((id_, facts) for id_, facts in found if facts.variant is None and facts.service_tier == "standard")

    def provider(self, spelled: str, feed: str) -> str:
        """Return the provider that a feed spells so; itself where nobody said otherwise."""
        words = t.provider_spellings.c
        query = sa.select(words.provider_id).where(words.feed == feed, words.spelling == spelled)
        settled: str | None = self._connection.scalar(query) if feed else None
        return settled or spelled


class _Aliases(Mapping[tuple[str, str], str]):
    """What spellings mean, asked one by one: a batch names few, and there are many."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def __getitem__(self, key: tuple[str, str]) -> str:
        a, (namespace, spelling) = t.aliases.c, key
        row = self._connection.execute(
            sa.select(a.model_id).where(a.namespace == namespace, a.spelling == spelling)
        ).first()
        model: str | None = None if row is None else row.model_id
        if row is None and namespace == OPENROUTER:
            model = self._connection.scalar(sa.select(t.models.c.id).where(t.models.c.id == spelling))
        if model is None:
            raise KeyError(key)
        return model

    def __iter__(self) -> Iterator[tuple[str, str]]:
        raise TypeError("spellings are asked one by one")

    def __len__(self) -> int:
        raise TypeError("spellings are asked one by one")
