"""The rules an admin wrote, and the decision: allowed, or the codes of every rule that refuses."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from planner.core.errors import UnknownPolicy
from planner.core.offer import Offer
from planner.core.parties import BROKER, PartyTerms, Stated
from planner.core.terms import DIRECT, Confidence

FREE_VARIANTS = frozenset({"free", "contributor"})
"""Variants whose prompts pay for them; separate offers, denied unless a policy says otherwise."""

CODES = (
    "policy:provider_denied", "policy:provider_pending", "policy:provider_not_allowed", "policy:model_denied",
    "policy:model_pending", "policy:model_not_allowed", "policy:free_variant", "policy:not_on_allow_list",
    "policy:trains_on_prompts", "policy:broker_may_train", "policy:may_publish", "policy:retains_prompts",
    "policy:retention_days", "policy:headquarters", "policy:data_country", "policy:serving_region",
    "policy:certification", "policy:weak_evidence", "policy:unknown_terms",
)  # fmt: skip
"""Every code of a refusal, in the order in which they are told; a refused offer is counted under its first."""
_PLACE = {code: place for place, code in enumerate(CODES)}
UNKNOWN_TERMS, WEAK_EVIDENCE = "policy:unknown_terms", "policy:weak_evidence"


class AllowPair(NamedTuple):
    """One pair of an allow-list: a canonical model, or ``*``, and an offer id, or an id prefix before a final ``*``."""

    model: str
    offer_pattern: str


AllowList = frozenset[AllowPair]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One published version of a policy. Immutable; unknown refuses unless ``allow_unknown``.

    ``retention_days_max`` counts days; countries are ISO 3166 two-letter codes; providers, channels and models are
    exact ids. A set of what is allowed is None where nothing is asked; an empty one allows nothing.
    ``require_serving_regions`` is met by any of its regions, ``require_certifications`` by all of its words.
    Evidence below ``minimum_confidence`` grants nothing. ``parts`` are the policies named in ``all_of``, each with
    parts of its own: all of them must pass as well, each by its own rules, in any order.
    """

    name: str
    version: int
    title: str = ""
    deny_training: bool = False
    require_zdr: bool = False
    retention_days_max: int | None = None
    allow_headquarters: frozenset[str] | None = None
    deny_headquarters: frozenset[str] = frozenset()
    allow_data_countries: frozenset[str] | None = None
    deny_data_countries: frozenset[str] = frozenset()
    require_serving_regions: frozenset[str] | None = None
    require_certifications: frozenset[str] = frozenset()
    allow_providers: frozenset[str] | None = None
    deny_providers: frozenset[str] = frozenset()
    allow_models: frozenset[str] | None = None
    deny_models: frozenset[str] = frozenset()
    allow_free: bool = False
    allow_unknown: bool = False
    minimum_confidence: Confidence | None = None
    allow_list: AllowList | None = None
    all_of: frozenset[str] = frozenset()
    parts: tuple["Policy", ...] = ()

    @property
    def rules(self) -> tuple["Policy", ...]:
        """This policy and every part of it, each once, in the order of their names and versions."""
        if not self.parts:
            return (self,)
        found = dict.fromkeys((self, *(rule for part in self.parts for rule in part.rules)))
        return tuple(sorted(found, key=lambda rule: (rule.name, rule.version)))


def all_of(name: str, version: int, parts: tuple[Policy, ...] = ()) -> Policy:
    """Return a policy without rules of its own: it refuses what its parts refuse, and without parts nothing."""
    return Policy(name=name, version=version, allow_free=True, allow_unknown=True, parts=parts)


def together(policies: Mapping[str, Policy], names: Iterable[str], version: int) -> Policy:
    """Return the policy that is all of these together; several have the version given.

    Raises:
        UnknownPolicy: no policy has one of these names.
    """
    wanted = sorted(set(names))
    for name in wanted:
        if name not in policies:
            raise UnknownPolicy(name)
    if len(wanted) == 1:
        return policies[wanted[0]]
    return all_of("+".join(wanted), version, tuple(policies[name] for name in wanted))


TermsUnder = Callable[[Confidence | None], tuple[PartyTerms, ...]]
"""What is known of everybody who sees a prompt, given the weakest evidence that may grant."""


def decide(policy: Policy, offer: Offer, terms: TermsUnder, *, registered: bool, settled: bool) -> tuple[str, ...]:
    """Decide one offer under one policy.

    Args:
        policy: the rules, with those of its parts.
        offer: the offer; its provider, its channel and its model are compared byte for byte, here and nowhere else.
        terms: what is known of everybody who sees its prompts.
        registered: whether the registry knows the offer's provider under exactly this id.
        settled: whether a person looked at what the offer's model is called.

    Returns:
        The codes of every rule that refuses, in the order of `CODES`; empty means allowed.
    """
    found: set[str] = set()
    for rules in policy.rules:
        found.update(identity_codes(rules, offer, registered=registered, settled=settled))
        for party in terms(rules.minimum_confidence):
            found.update(terms_codes(rules, party))
    return tuple(sorted(found, key=_PLACE.__getitem__))


def identity_codes(policy: Policy, offer: Offer, *, registered: bool, settled: bool) -> Iterator[str]:
    """Yield what refuses an offer for what it is, whatever is known of its terms; parts of the policy are not asked."""
    facts = offer.facts
    seen = {facts.provider} if facts.channel == DIRECT else {facts.provider, facts.channel}
    if seen & policy.deny_providers:
        yield "policy:provider_denied"
    # Nobody has said whom a pending word means, so it may be one that is denied. The same holds for a model that has
    # no name yet, or one that only a feed gave it.
    if policy.deny_providers and not registered:
        yield "policy:provider_pending"
    if policy.allow_providers is not None and not seen <= policy.allow_providers:
        yield "policy:provider_not_allowed"
    if offer.model in policy.deny_models:
        yield "policy:model_denied"
    if policy.deny_models and not settled:
        yield "policy:model_pending"
    if policy.allow_models is not None and offer.model not in policy.allow_models:
        yield "policy:model_not_allowed"
    if not policy.allow_free and (offer.free or facts.variant in FREE_VARIANTS):
        yield "policy:free_variant"
    if policy.allow_list is not None and not _listed(policy.allow_list, offer):
        yield "policy:not_on_allow_list"


def terms_codes(policy: Policy, party: PartyTerms) -> Iterator[str]:  # noqa: C901, PLR0912  # one branch per rule
    """Yield what refuses one party. A rule that asks for what nobody knows refuses, unless unknown is allowed."""
    unknown = False
    if policy.deny_training:
        unknown |= party.trains_on_prompts is None
        if party.trains_on_prompts:
            yield "policy:broker_may_train" if party.party == BROKER else "policy:trains_on_prompts"
        if party.may_publish:
            yield "policy:may_publish"
    if policy.require_zdr:
        unknown |= party.zdr is None
        if party.zdr is False:
            yield "policy:retains_prompts"
    if policy.retention_days_max is not None:
        unknown |= party.retention_days is None
        if party.days_stated is not None and party.days_stated > policy.retention_days_max:
            yield "policy:retention_days"
    for stated, allowed, denied, code in (
        (party.headquarters, policy.allow_headquarters, policy.deny_headquarters, "policy:headquarters"),
        (party.data_countries, policy.allow_data_countries, policy.deny_data_countries, "policy:data_country"),
        (party.serving_regions, policy.require_serving_regions, frozenset[str](), "policy:serving_region"),
    ):
        if allowed is not None or denied:
            unknown |= not stated.known
            if _outside(stated, allowed, denied):
                yield code
    if policy.require_certifications:
        unknown |= party.certifications is None
        if party.papers_stated is not None and not policy.require_certifications <= party.papers_stated:
            yield "policy:certification"
    if policy.minimum_confidence is not None and not policy.allow_unknown:
        unknown |= party.confidence is None
        if party.confidence is not None and party.confidence < policy.minimum_confidence:
            yield WEAK_EVIDENCE
    if unknown and not policy.allow_unknown:
        yield UNKNOWN_TERMS


def _outside(stated: Stated, allowed: frozenset[str] | None, denied: frozenset[str]) -> bool:
    return bool(stated.values & denied) or (allowed is not None and not stated.values <= allowed)


# --- allow-lists ------------------------------------------------------------------------------------------


class _Admitted(NamedTuple):
    """What an allow-list admits for one model: exact offer ids, and id prefixes by their length."""

    ids: frozenset[str]
    prefixes: dict[int, frozenset[str]]


def _listed(allow_list: AllowList, offer: Offer) -> bool:
    """Tell whether an allow-list admits an offer, byte for byte."""
    index = _index(allow_list)
    places = (index[model] for model in {"*", offer.model} if model in index)
    return any(
        offer.id in place.ids or any(offer.id[:length] in starts for length, starts in place.prefixes.items())
        for place in places
    )


@lru_cache(maxsize=64)
def _index(allow_list: AllowList) -> dict[str | None, _Admitted]:
    """Lay a list out by model, so that a list of a hundred thousand pairs costs an offer a few look-ups."""
    ids: dict[str, set[str]] = {}
    prefixes: dict[str, dict[int, set[str]]] = {}
    for model, pattern in allow_list:
        ids.setdefault(model, set())
        if pattern.endswith("*"):
            prefixes.setdefault(model, {}).setdefault(len(pattern) - 1, set()).add(pattern[:-1])
        else:
            ids[model].add(pattern)
    return {
        model: _Admitted(
            frozenset(exact), {length: frozenset(starts) for length, starts in prefixes.get(model, {}).items()}
        )
        for model, exact in ids.items()
    }


# --- comparing --------------------------------------------------------------------------------------------


def at_least_as_strict(new: Policy, old: Policy) -> bool:
    """Tell whether a policy admits nothing, now or ever, that another one refuses; when in doubt, no.

    Read off the rules alone, so it also holds for offers and evidence that come later: for each part of the old one
    there is a part of the new one that is as strict in every rule.
    """
    return all(any(_covers(one, other) for one in new.rules) for other in old.rules)


def _covers(new: Policy, old: Policy) -> bool:
    return (
        new.deny_training >= old.deny_training
        and new.require_zdr >= old.require_zdr
        and _no_longer(new.retention_days_max, old.retention_days_max)
        and _inside(new.allow_headquarters, old.allow_headquarters)
        and new.deny_headquarters >= old.deny_headquarters
        and _inside(new.allow_data_countries, old.allow_data_countries)
        and new.deny_data_countries >= old.deny_data_countries
        and _inside(new.require_serving_regions, old.require_serving_regions)
        and new.require_certifications >= old.require_certifications
        and _inside(new.allow_providers, old.allow_providers)
        and new.deny_providers >= old.deny_providers
        and _inside(new.allow_models, old.allow_models)
        and new.deny_models >= old.deny_models
        and new.allow_free <= old.allow_free
        and new.allow_unknown <= old.allow_unknown
        and (new.minimum_confidence or 0) >= (old.minimum_confidence or 0)
        and _inside(new.allow_list, old.allow_list)
    )


def _no_longer(new: int | None, old: int | None) -> bool:
    return old is None or (new is not None and new <= old)


def _inside(new: frozenset[str] | AllowList | None, old: frozenset[str] | AllowList | None) -> bool:
    return old is None or (new is not None and new <= old)
