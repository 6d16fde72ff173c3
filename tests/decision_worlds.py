"""Small random worlds of evidence and policies: who sees a prompt, what is said of them, and what an admin demands."""

import random
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from planner.core.catalogue import Catalogue, Provider
from planner.core.offer import Offer
from planner.core.policy import AllowPair, Policy
from planner.core.terms import Confidence, Terms
from tests import make

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
REGISTERED, STRANGERS = ("acme", "bolt", "cirrus"), ("Acme", "nobody")
CHANNELS = ("direct", "direct", "openrouter", "requesty")
SETTLED = ("acme/small", "acme/large", "bolt/tiny")
MODELS = (*SETTLED, "nobody/new", None)
COUNTRIES, REGIONS, PAPERS = ("US", "DE", "CN"), ("eu", "us"), ("soc2_t2", "hipaa_baa")
SCOPES = (None, None, None, "all_credentials", "broker:openrouter", "broker:requesty", "own_key", "request_header")


class World(NamedTuple):
    """Offers, the rows about them, and one policy."""

    offers: tuple[Offer, ...]
    rows: tuple[Terms, ...]
    policy: Policy

    def catalogue(self) -> Catalogue:
        """Return it as a catalogue."""
        return make.catalogue(
            dict.fromkeys(self.offers),
            terms=make.by_subject(*self.rows),
            providers={name: Provider(id=name, name=name) for name in REGISTERED},
            models={id_: make.model(id_, settled=id_ in SETTLED) for id_ in MODELS if id_ is not None},
        )


def world(seed: int) -> World:
    """Return the world of a seed."""
    dice = random.Random(seed)
    offers = tuple(_offer(dice, number) for number in range(dice.randint(1, 5)))
    subjects = {("provider", offer.facts.provider) for offer in offers}
    subjects |= {("channel", offer.facts.channel) for offer in offers} | {("offer", dice.choice(offers).id)}
    rows = tuple(
        row(dice, kind, subject, number)
        for kind, subject in sorted(subjects)
        for number in range(dice.choice((0, 1, 1, 2, 2, 3, 4)))
    )
    parts = tuple(policy(dice, offers, f"part{number}", 0.15) for number in range(dice.choice((0, 0, 0, 1, 2))))
    whole = policy(dice, offers, "p", 0.15)
    return World(offers, rows, make.joined(whole, *parts))


def _offer(dice: random.Random, number: int) -> Offer:
    provider, channel = dice.choice((*REGISTERED, *REGISTERED, *STRANGERS)), dice.choice(CHANNELS)
    variant = dice.choice((None,) * 6 + ("free", "contributor", "thinking"))
    return make.offer(
        f"{channel}:{provider}/m{number}", dice.choice(MODELS), provider=provider, channel=channel, variant=variant,
        free=dice.random() < 0.1,
    )  # fmt: skip


def row(dice: random.Random, kind: str, subject: str, number: int) -> Terms:
    """Return one row of evidence, contradictions included."""

    def flag(good: float) -> bool | None:
        return None if dice.random() < 0.3 else dice.random() > good

    def some(words: tuple[str, ...]) -> frozenset[str] | None:
        return None if dice.random() < 0.5 else frozenset(dice.sample(words, dice.randint(0, len(words))))

    return make.terms(
        subject, kind, id=f"{kind}:{subject}:{number}",
        trains_on_prompts=flag(0.75), broker_may_train=flag(0.8) if kind == "channel" or dice.random() < 0.2 else None,
        retains_prompts=flag(0.6), retention_days=dice.choice((None, None, None, 0, 7, 30, 90)),
        zdr=None if (zero := flag(0.4)) is None else zero, zdr_scope=dice.choice(SCOPES), may_publish=flag(0.85),
        headquarters=dice.choice((None, *COUNTRIES, "US")), datacenter_countries=some(COUNTRIES),
        serving_region=dice.choice((None, *REGIONS)), certifications=some(PAPERS),
        expires_at=dice.choice((None, None, None, AT, AT + timedelta(seconds=1), AT - timedelta(days=1))),
        confidence=dice.choice(tuple(Confidence)), curated=dice.random() < 0.75,
    )  # fmt: skip


def policy(dice: random.Random, offers: tuple[Offer, ...], name: str, share: float) -> Policy:
    """Return a policy that asks each rule with a chance of ``share``."""

    def maybe(words: tuple[str | None, ...]) -> frozenset[str] | None:
        known = [word for word in words if word is not None]
        return frozenset(dice.sample(known, dice.randint(0, len(known)))) if dice.random() < share else None

    ids = tuple(offer.id for offer in offers)
    patterns = (*ids, "*", "direct:*", "openrouter:acme/*", "nobody:*")
    pairs = frozenset(
        AllowPair(dice.choice(("*", "acme/small", "bolt/tiny")), dice.choice(patterns))
        for _ in range(dice.randint(0, 3))
    )
    seen = (*REGISTERED, "openrouter", "requesty")
    return Policy(
        name=name, version=1, deny_training=dice.random() < 2 * share, require_zdr=dice.random() < share,
        retention_days_max=dice.choice((0, 7, 30)) if dice.random() < share else None,
        allow_headquarters=maybe(COUNTRIES), deny_headquarters=maybe(COUNTRIES) or frozenset(),
        allow_data_countries=maybe(COUNTRIES), deny_data_countries=maybe(COUNTRIES) or frozenset(),
        require_serving_regions=maybe(REGIONS), require_certifications=maybe(PAPERS) or frozenset(),
        allow_providers=maybe(seen), deny_providers=maybe(seen) or frozenset(),
        allow_models=maybe(MODELS), deny_models=maybe(MODELS) or frozenset(),
        allow_free=dice.random() < 0.5, allow_unknown=dice.random() < 0.5,
        minimum_confidence=dice.choice(tuple(Confidence)) if dice.random() < 2 * share else None,
        allow_list=pairs if dice.random() < share else None,
    )  # fmt: skip
