"""The decision as an admin is told it, rule by rule: which codes refuse an offer."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from planner.core.offer import Offer
from planner.core.policy import Policy
from planner.core.terms import Terms

FACTS = ("trains_on_prompts", "broker_may_train", "retains_prompts", "zdr", "may_publish")
PROTECTS = {fact: fact == "zdr" for fact in FACTS}


def refused(policy: Policy, offer: Offer, rows: Collection[Terms], registry: Collection[str], at: datetime) -> set[str]:
    """Return what the policy or any of its parts refuses, each judged by its own rules alone."""
    live = [row for row in rows if row.expires_at is None or row.expires_at > at]
    subjects = {("offer", offer.id), ("provider", offer.facts.provider)}
    upstream = [row for row in live if (row.subject_kind, row.subject) in subjects]
    channel = [row for row in live if (row.subject_kind, row.subject) == ("channel", offer.facts.channel)]
    found: set[str] = set()
    for rules in policy.rules:
        codes = _codes(rules, offer, registry, upstream, None)
        if offer.facts.channel != "direct":
            codes |= _codes(rules, offer, registry, channel, any(row.broker_may_train for row in upstream))
        found |= {f"policy:{code}" for code in codes - ({"unknown_terms"} if rules.allow_unknown else set())}
    return found


def _codes(rules: Policy, offer: Offer, registry: Collection[str], rows: list[Terms], told: bool | None) -> set[str]:
    """Judge one party; ``told`` is for the broker alone: whether the upstream's rows say that it trains."""
    provider, via, model, least = offer.facts.provider, offer.facts.channel, offer.model, rules.minimum_confidence
    scopes = {None, "all_credentials", f"broker:{via}", *(["own_key"] if via == "direct" else [])}

    def grants(row: Terms) -> bool:
        return row.curated and (least is None or row.confidence >= least)

    def says(row: Terms, fact: str) -> Any:
        value, scoped = getattr(row, fact), fact in {"retains_prompts", "zdr"}
        counts = grants(row) and (row.zdr_scope in scopes or not scoped)
        return value if counts or fact not in PROTECTS or value is not PROTECTS[fact] else None

    def asked(fact: str) -> list[Terms]:
        speaking = [row for row in rows if says(row, fact) is not None]
        own = any(row.subject_kind == "offer" and grants(row) for row in speaking)
        return [row for row in speaking if not (own and row.subject_kind == "provider" and row.curated)]

    def stricter(*facts: str) -> bool | None:
        protects = [says(row, fact) is PROTECTS[fact] for fact in facts for row in asked(fact)]
        return all(protects) is PROTECTS[facts[0]] if protects else None

    def place(code: str, fact: str, allow: frozenset[str] | None, deny: frozenset[str] = frozenset()) -> set[str]:
        values = [getattr(row, fact) for row in asked(fact)]
        stated = {place for value in values for place in ([value] if isinstance(value, str) else value)}
        refuses = bool(stated & deny) or (allow is not None and not stated <= allow)
        unknown = (allow is not None or bool(deny)) and not any(grants(row) for row in asked(fact))
        return {word for word, holds in ((code, refuses), ("unknown_terms", unknown)) if holds}

    training = told or stricter("trains_on_prompts", *(["broker_may_train"] if told is not None else []))
    retains = stricter("retains_prompts")
    zdr = False if training or retains else stricter("zdr")
    if zdr or (zdr is None and training is False and retains is False):
        training, retains, zdr = False, False, True
    kept = [row for row in asked("retains_prompts") if row.retains_prompts and retains is not False]
    days = [row.retention_days for row in kept if row.retention_days is not None]
    promised = retains is False or (len(days) == len(kept) and any(grants(row) for row in kept))
    demanded, attesting = rules.require_certifications, asked("certifications")
    best = max((row.confidence for row in rows if row.curated), default=None)
    who, most = {provider} | ({via} if via != "direct" else set()), rules.retention_days_max
    # A pair is of a model, or "*", and an offer id, or a prefix before one final "*".
    patterns = [pattern for wanted, pattern in rules.allow_list or () if wanted in {"*", model}]
    prefixes = tuple(pattern[:-1] for pattern in patterns if pattern.endswith("*"))
    home = place("headquarters", "headquarters", rules.allow_headquarters, rules.deny_headquarters)
    data = place("data_country", "datacenter_countries", rules.allow_data_countries, rules.deny_data_countries)
    region = place("serving_region", "serving_region", rules.require_serving_regions)
    table: dict[str, object] = {
        "provider_denied": who & rules.deny_providers,
        "provider_pending": rules.deny_providers and provider not in registry,
        "provider_not_allowed": rules.allow_providers is not None and not who <= rules.allow_providers,
        "model_denied": model in rules.deny_models,
        "model_pending": rules.deny_models and model not in registry,
        "model_not_allowed": rules.allow_models is not None and model not in rules.allow_models,
        "free_variant": not rules.allow_free and (offer.free or offer.facts.variant in {"free", "contributor"}),
        "not_on_allow_list": rules.allow_list is not None
        and not (offer.id in patterns or offer.id.startswith(prefixes)),
        "trains_on_prompts" if told is None else "broker_may_train": rules.deny_training and training,
        "may_publish": rules.deny_training and stricter("may_publish"),
        "retains_prompts": rules.require_zdr and zdr is False,
        "retention_days": most is not None and any(count > most for count in days),
        "certification": any(not demanded <= (row.certifications or set()) for row in attesting),
        "weak_evidence": least and not rules.allow_unknown and best is not None and best < least,
        "unknown_terms": (rules.deny_training and training is None)
        or (rules.require_zdr and zdr is None)
        or (most is not None and not promised)
        or (demanded and not any(grants(row) for row in attesting))
        or (least and best is None),
    }
    return {code for code, refuses in table.items() if refuses} | home | data | region
