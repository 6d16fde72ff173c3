"""The recommendation document: what was asked, what was recommended, and all that an export of it rests on."""

import hashlib
import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Any

from planner.core.agreement import discount
from planner.core.ask import Answer, Ask, Pick
from planner.core.catalogue import Catalogue
from planner.core.checks import context_of
from planner.core.money import plain, usd_text
from planner.core.price import Rate
from planner.core.rate_form import write_rates
from planner.core.units import Unit

Shape = dict[str, Any]
ALIAS = "planner"
_DIGITS = 24


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A link of the chain that a gateway's configuration cannot say, and why not."""

    offer: str
    reason: str


@dataclass(frozen=True)
class Link:
    """One offer of the chain in its place, counted from 1.

    ``discount`` is the share taken off its list price, ``factor`` list price -> what is paid, after the discount and
    with the channel's fees. ``terms`` are the ids of the evidence of everybody who sees a prompt on this way.
    """

    place: int
    pick: Pick
    discount: Fraction
    factor: Fraction
    terms: tuple[str, ...]
    reasons: tuple[str, ...]
    ask: Ask

    @cached_property
    def rates(self) -> Mapping[Unit, Rate]:
        """The rates in force for the longest prompts of the workload, in USD; the dearest where length matters."""
        context = context_of(self.pick.offer, self.pick.service_tier)
        longest = max(kind.usage.input_tokens for kind in self.pick.kinds)
        return self.pick.card.rates.selected(context, longest, self.ask.at)

    @property
    def fee(self) -> Fraction | None:
        """The share added to what is left after the discount, or None where nothing is left to add it to."""
        kept = 1 - self.discount
        return self.factor / kept - 1 if kept else None


@dataclass(frozen=True)
class Recommendation:
    """A question with its answer, and the state of the catalogue both rest on.

    ``plan`` and ``task`` are None where the question was spelled out. ``valid_until`` is the next moment at which the
    answer may change by itself, None where there is none in sight.
    """

    ask: Ask
    answer: Answer
    catalogue: Catalogue
    valid_until: datetime | None
    plan: str | None = None
    task: str | None = None

    @property
    def alias(self) -> str:
        """The name under which backends ask a gateway for this plan and task."""
        return ALIAS if self.plan is None else f"plan-{self.plan}-{self.task}"

    @property
    def origin(self) -> tuple[str, ...]:
        """Say where a file comes from, for its top."""
        policy = self.ask.policy
        lasts = "the next change" if self.valid_until is None else moment_text(self.valid_until)
        return (
            f"{self.id}: what planner recommends for {self.alias}, valid until {lasts}",
            f"revision {self.catalogue.revision}, policy {policy.name} version {policy.version}",
        )

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """The choice and its fallbacks, in order."""
        picks = (self.answer.choice, *self.answer.fallbacks)
        return tuple(self._link(place, pick) for place, pick in enumerate(picks, 1))

    def _link(self, place: int, pick: Pick) -> Link:
        facts, at = pick.offer.facts, self.ask.at
        taken_off, contract = discount(self.catalogue.contracts, facts.channel, facts.provider, pick.offer.model, at)
        terms = self.catalogue.terms_of(pick.offer, self.ask.decided_at)
        return Link(
            place=place,
            pick=pick,
            discount=taken_off,
            factor=self.catalogue.factor(pick.offer, at),
            terms=tuple(id_ for party in terms for id_ in party.evidence),
            reasons=tuple(self._reasons(place, pick, None if contract is None else contract.name)),
            ask=self.ask,
        )

    def _reasons(self, place: int, pick: Pick, contract: str | None) -> list[str]:
        dearer = pick.cost_usd - self.answer.choice.cost_usd
        first = f"{self.ask.objective}: first of {self.answer.eligible} offers that pass"
        said = [first if place == 1 else f"fallback {place - 1}: {_compared(dearer)} a request"]
        if place > 1 and self.ask.independent_upstreams:
            said.append("no earlier link has its provider")
        if contract is not None:
            said.append(f"discounted by contract {contract}")
        return said

    @cached_property
    def input_digest(self) -> str:
        """SHA-256 of the question: the same question has the same digest at any time."""
        ask = self.ask
        asked = {
            "plan": self.plan, "task": self.task, "workload": ask.workload, "needs": ask.needs,
            "economics": ask.economics, "objective": ask.objective, "fallbacks": ask.fallbacks,
            "independent_upstreams": ask.independent_upstreams, "policy": ask.policy.name,
        }  # fmt: skip
        return _digest(asked)

    @cached_property
    def id(self) -> str:
        """The recommendation's id: the same question, state of the catalogue and chain have the same one, anywhere."""
        chain = [(pick.offer.id, pick.card.id) for pick in (self.answer.choice, *self.answer.fallbacks)]
        state = [self.input_digest, self.catalogue.revision, self.ask.policy.version, chain]
        return f"rec_{_digest(state)[:_DIGITS]}"

    def shape(self) -> Shape:
        """Write the document; money is text."""
        policy = self.ask.policy
        return {
            "recommendation_id": self.id,
            "input_digest": self.input_digest,
            "plan": self.plan,
            "task": self.task,
            "revision": self.catalogue.revision,
            "policy": {"name": policy.name, "version": policy.version},
            "objective": self.ask.objective,
            "chain": [_link_shape(link) for link in self.links],
            "valid_until": None if self.valid_until is None else moment_text(self.valid_until),
        }


def moment_text(at: datetime) -> str:
    """Write a moment in UTC as RFC 3339."""
    return at.isoformat().replace("+00:00", "Z")


def _compared(dearer: Fraction) -> str:
    if not dearer:
        return "costs the same"
    return f"costs {usd_text(abs(dearer))} USD {'more' if dearer > 0 else 'less'}"


def _link_shape(link: Link) -> Shape:
    pick, facts = link.pick, link.pick.offer.facts
    return {
        "place": link.place,
        "offer": pick.offer.id,
        "model": pick.offer.model,
        "model_spelling": facts.model_spelling,
        "provider": facts.provider,
        "channel": facts.channel,
        "service_tier": pick.service_tier,
        "price_version": pick.card.id,
        "rates": write_rates(pick.card.rates),
        "discount_share": usd_text(link.discount),
        "fee_share": None if link.fee is None else usd_text(link.fee),
        "cost_usd": usd_text(pick.cost_usd),
        "list_cost_usd": usd_text(pick.list_usd),
        "terms_evidence": list(link.terms),
        "reasons": list(link.reasons),
    }


def _digest(value: object) -> str:
    text = json.dumps(_written(value), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _written(value: object) -> object:  # noqa: PLR0911  # one way of writing per kind of value
    """Write any value of the core so that equal values have equal texts, whatever order a set happens to have."""
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    if isinstance(value, Mapping):
        return {str(key): _written(inner) for key, inner in value.items()}
    if isinstance(value, AbstractSet):
        return sorted(str(inner) for inner in value)
    if is_dataclass(value):
        return {each.name: _written(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, list | tuple):
        return [_written(inner) for inner in value]
    raise TypeError(f"a question holds no {type(value).__name__}")
