"""Builders of core values for tests: each makes the smallest thing that is whole."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from planner.core.ask import Ask
from planner.core.catalogue import Catalogue
from planner.core.claim import Claim, ModelFacts, Reading, Segment
from planner.core.offer import Offer, OfferFacts
from planner.core.plan import Economics, Needs
from planner.core.policy import Policy
from planner.core.price import Evidence, PriceCard, Rate, RateTable
from planner.core.terms import Confidence, Terms
from planner.core.tier import PriceBand, TierBands
from planner.core.units import Unit
from planner.core.usage import Usage
from planner.core.workload import Workload
from planner.store.engine import Store
from planner.store.publish import publish

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
MTOK = 1_000_000
BANDS = TierBands((PriceBand(1, Decimal(4)), PriceBand(2, Decimal("0.25"))))


def rate(usd: str, per: int = MTOK) -> Rate:
    """Make a rate in USD per million."""
    return Rate(Decimal(usd), per)


def rates(input: str | None = "1", output: str | None = "2", **others: str) -> RateTable:
    """Make a flat table in USD per million tokens; other units by their enum name in lower case."""
    given = {"input": input, "output": output, **others}
    return RateTable.flat({Unit[name.upper()]: rate(usd) for name, usd in given.items() if usd is not None})


def card(
    offer: str, table: RateTable, valid_from: datetime = SINCE, valid_to: datetime | None = None, number: int = 1
) -> PriceCard:
    """Make a price card."""
    evidence = Evidence("test", "https://example.com/prices", valid_from)
    return PriceCard(f"{offer}#{number}", offer, valid_from, valid_to, table, evidence)


def offer(id: str, model: str | None = "acme/small", **facts: Any) -> Offer:
    """Make an offer; facts default to a direct chat offer of provider ``acme``."""
    free = facts.pop("free", False)
    stated = {"model_spelling": "small", "provider": "acme", "channel": "direct", **facts}
    return Offer(id=id, facts=OfferFacts(**stated), model=model, free=free)


def terms(subject: str, kind: str = "provider", **facts: Any) -> Terms:
    """Make a curated row that says the provider does not train, unless told otherwise."""
    said: dict[str, Any] = {
        "trains_on_prompts": False,
        "curated": True,
        "confidence": Confidence.BROKER_CLAIM,
        "source": "test",
        "source_url": "https://example.com/terms",
        "observed_at": SINCE,
        **facts,
    }
    return Terms(
        id=said.pop("id", f"terms:{kind}:{subject}"),
        subject_kind=kind,
        subject=subject,
        **said,
    )


def catalogue(priced: Mapping[Offer, RateTable | None], **parts: Any) -> Catalogue:
    """Make a catalogue of offers with one open card each (None: no card)."""
    offers = tuple(sorted(priced, key=lambda offer: offer.id.encode()))
    cards = {offer.id: (card(offer.id, table),) for offer, table in priced.items() if table is not None}
    models = {offer.model: model(offer.model) for offer in offers if offer.model is not None}
    own = {"offers": offers, "cards": cards, "models": models, "tier_bands": BANDS}
    return Catalogue(**{"revision": 1, "policy_revision": 1, **own, **parts})


def model(id_: str, *, settled: bool = True) -> ModelFacts:
    """Make a canonical model that a person looked at, or one that only a feed has named."""
    return ModelFacts(id=id_, name=id_, author=id_.partition("/")[0], settled=settled)


def by_subject(*rows: Terms) -> dict[tuple[str, str], tuple[Terms, ...]]:
    """Group rows of evidence as a catalogue holds them."""
    found: dict[tuple[str, str], tuple[Terms, ...]] = {}
    for row in rows:
        found[row.subject_kind, row.subject] = (*found.get((row.subject_kind, row.subject), ()), row)
    return found


OPEN = Policy(name="open", version=1, allow_unknown=True, allow_free=True)


def ask(usage: Usage | None = None, **parts: Any) -> Ask:
    """Make a question: 1,000 tokens in, 500 out, once, under a policy that refuses nothing."""
    requests = parts.pop("requests", 1)
    workload = Workload.of(usage or Usage(input_tokens=1_000, output_tokens=500), requests)
    return Ask(**{"workload": workload, "policy": OPEN, "needs": Needs(), "at": NOON, "decided_at": NOON, **parts})


def economics(revenue: str = "20", margin: str | None = "0.70", **parts: Any) -> Economics:
    """Make the economics of a plan."""
    return Economics(revenue_usd=Decimal(revenue), margin=None if margin is None else Decimal(margin), **parts)


def stranger(store: Store, at: datetime = NOON) -> None:
    """Publish one offer of a provider nobody registered, as ``models_dev`` would."""
    facts = OfferFacts(model_spelling="m", provider="stranger", channel="direct")
    claim = Claim(offer_id="direct:stranger/m", facts=facts, segments=(Segment(None, None, rates()),))
    reading = Reading(
        source="models_dev", source_url="https://t.test", observed_at=at, rows_read=1, claims=(claim,), whole=False
    )
    with store.write() as connection:
        publish(connection, [reading], at=at, actor="test", reason="test")


def joined(policy: Policy, *parts: Policy) -> Policy:
    """Make a policy of which others are parts."""
    return replace(policy, all_of=frozenset(part.name for part in parts), parts=parts)
