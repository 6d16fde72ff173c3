"""The rules an admin wrote, and the decision: allowed, or the codes of every rule that refuses."""

from dataclasses import dataclass

from planner.core.offer import Offer
from planner.core.terms import Confidence, EffectiveTerms


@dataclass(frozen=True, slots=True)
class AllowPair:
    """One pair of an allow-list: a canonical model, or ``*``, and an offer id, or an id prefix before a final ``*``."""

    model: str
    offer_pattern: str

    def admits(self, offer: Offer) -> bool:
        """Tell whether this pair admits the offer, byte for byte."""
        if self.model not in ("*", offer.model):
            return False
        if self.offer_pattern.endswith("*"):
            return offer.id.startswith(self.offer_pattern[:-1])
        return offer.id == self.offer_pattern


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One published version of a policy. Immutable; unknown refuses unless ``allow_unknown``.

    ``retention_days_max`` counts days; countries are ISO 3166 two-letter codes of the operator's legal
    home; providers, channels and models are exact ids. ``allow_list`` None means no list is asked; an
    empty list admits nothing.
    """

    name: str
    version: int
    title: str = ""
    deny_training: bool = False
    require_zdr: bool = False
    retention_days_max: int | None = None
    allow_headquarters: frozenset[str] | None = None
    deny_headquarters: frozenset[str] = frozenset()
    allow_providers: frozenset[str] | None = None
    deny_providers: frozenset[str] = frozenset()
    deny_models: frozenset[str] = frozenset()
    allow_free: bool = False
    allow_unknown: bool = False
    minimum_confidence: Confidence | None = None
    allow_list: tuple[AllowPair, ...] | None = None


def decide(policy: Policy, offer: Offer, terms: EffectiveTerms) -> tuple[str, ...]:
    """Decide one offer under one policy.

    Args:
        policy: the rules.
        offer: the offer; its provider, its channel and its model are compared byte for byte.
        terms: what is known of it today.

    Returns:
        The codes of every rule that refuses, in a fixed order; empty means allowed.
    """
    codes = _identity_codes(policy, offer)
    codes += _terms_codes(policy, terms)
    return tuple(dict.fromkeys(codes))


def _identity_codes(policy: Policy, offer: Offer) -> list[str]:
    facts = offer.facts
    codes = []
    if {facts.provider, facts.channel} & policy.deny_providers:
        codes.append("policy:provider_denied")
    if policy.allow_providers is not None and facts.provider not in policy.allow_providers:
        codes.append("policy:provider_not_allowed")
    if offer.model in policy.deny_models:
        codes.append("policy:model_denied")
    # Nobody has said which weights a pending spelling is, so it may be one that is denied.
    if policy.deny_models and offer.model is None:
        codes.append("policy:model_pending")
    if offer.free and not policy.allow_free:
        codes.append("policy:free_variant")
    if policy.allow_list is not None and not any(pair.admits(offer) for pair in policy.allow_list):
        codes.append("policy:not_on_allow_list")
    return codes


def _terms_codes(policy: Policy, terms: EffectiveTerms) -> list[str]:  # noqa: C901, PLR0912  # one branch per rule
    codes = []

    def unknown() -> None:
        if not policy.allow_unknown:
            codes.append("policy:unknown_terms")

    if policy.deny_training:
        if terms.trains_on_prompts is None:
            unknown()
        elif terms.trains_on_prompts:
            codes.append("policy:trains_on_prompts")
        if terms.broker_may_train:
            codes.append("policy:broker_may_train")
        if terms.may_publish:
            codes.append("policy:may_publish")
    if policy.require_zdr:
        if terms.zdr is None:
            unknown()
        elif not terms.zdr:
            codes.append("policy:retains_prompts")
    if policy.retention_days_max is not None:
        if terms.retention_days is None:
            unknown()
        elif terms.retention_days > policy.retention_days_max:
            codes.append("policy:retention_days")
    if policy.allow_headquarters is not None or policy.deny_headquarters:
        if terms.headquarters is None:
            unknown()
        elif terms.headquarters in policy.deny_headquarters or (
            policy.allow_headquarters is not None and terms.headquarters not in policy.allow_headquarters
        ):
            codes.append("policy:headquarters")
    if policy.minimum_confidence is not None:
        if terms.confidence is None:
            unknown()
        elif terms.confidence < policy.minimum_confidence:
            codes.append("policy:weak_evidence")
    return codes
