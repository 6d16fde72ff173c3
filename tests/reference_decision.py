"""May this offer be used under this policy? The rules as an admin reads them, written plainly, to judge the code by."""

from collections.abc import Iterable
from datetime import datetime

from planner.core.offer import Offer
from planner.core.policy import Policy
from planner.core.terms import Terms

BAD = {"trains_on_prompts": True, "retains_prompts": True, "zdr": False, "may_publish": True, "broker_may_train": True}
TRAINING = ("trains_on_prompts", "broker_may_train")
FACTS = (*BAD, "headquarters", "datacenter_countries", "serving_region", "certifications")


def grants(row: Terms, rules: Policy) -> bool:
    """A feed never grants; nor does a person's evidence below what the policy demands."""
    return row.curated and (not rules.minimum_confidence or row.confidence >= rules.minimum_confidence)


def heard(rows: list[Terms], rules: Policy, fact: str, channel: str) -> list[tuple[Terms, object]]:
    """Return who says what of a fact, provider defaults left out where a granting row of the offer speaks."""
    scopes = (None, "all_credentials", "broker:" + channel, *(["own_key"] if channel == "direct" else []))
    said: list[tuple[Terms, object]] = []
    for row in rows:
        value = getattr(row, fact)
        good = fact in BAD and value != BAD[fact]
        covered = fact not in ("retains_prompts", "zdr") or row.zdr_scope in scopes
        if value is not None and (not good or (grants(row, rules) and covered)):
            said.append((row, value))
    if any(row.subject_kind == "offer" and grants(row, rules) for row, _ in said):
        said = [(row, value) for row, value in said if not row.curated or row.subject_kind == "offer"]
    return said


def stricter(values: Iterable[object], fact: str) -> bool | None:
    """Return the stricter of what is said."""
    said = set(values)
    return None if not said else BAD[fact] if BAD[fact] in said else not BAD[fact]


def refused(policy: Policy, offer: Offer, rows: Iterable[Terms], registry: Iterable[str], at: datetime) -> set[str]:
    """Return the code of everything that refuses an offer; none means it may be used."""
    provider, channel, found = offer.facts.provider, offer.facts.channel, set[str]()
    live = [row for row in rows if row.expires_at is None or row.expires_at > at]
    mine = [row for row in live if (row.subject_kind, row.subject) in (("offer", offer.id), ("provider", provider))]
    brokers = [row for row in live if (row.subject_kind, row.subject) == ("channel", channel)]
    seen = {provider, channel} - {"direct"}
    for rules in policy.rules:
        on_list = rules.allow_list is None or any(
            model in ("*", offer.model) and (offer.id == id_ or (id_[-1] == "*" and offer.id.startswith(id_[:-1])))
            for model, id_ in rules.allow_list
        )
        found |= {code for code, hit in {
            "provider_denied": seen & rules.deny_providers, "model_denied": offer.model in rules.deny_models,
            "provider_not_allowed": rules.allow_providers is not None and seen - rules.allow_providers,
            "provider_pending": rules.deny_providers and provider not in registry, "not_on_allow_list": not on_list,
            "model_pending": rules.deny_models and offer.model is None,
            "model_not_allowed": rules.allow_models is not None and offer.model not in rules.allow_models,
            "free_variant": not rules.allow_free and (offer.free or offer.facts.variant in ("free", "contributor")),
        }.items() if hit}  # fmt: skip
        words = [value for _, value in heard(mine, rules, TRAINING[0], channel)]
        found |= party(rules, mine, channel, words, TRAINING[0])
        if channel != "direct":
            words = [value for fact in TRAINING for _, value in heard(brokers, rules, fact, channel)]
            words += [True for row in mine if row.broker_may_train]
            found |= party(rules, brokers, channel, words, TRAINING[1])
    return {"policy:" + code for code in found}


def party(rules: Policy, rows: list[Terms], channel: str, training: list[object], code: str) -> set[str]:
    """Judge one of those who see the prompt."""
    said = {fact: heard(rows, rules, fact, channel) for fact in FACTS}
    retains, zdr = (stricter((value for _, value in said[fact]), fact) for fact in ("retains_prompts", "zdr"))
    trains = stricter(training, TRAINING[0])
    zdr = False if trains or retains else True if (zdr, trains, retains) == (None, False, False) else zdr
    trains, retains = (False, False) if zdr else (trains, retains)
    kept = [(row.retention_days, grants(row, rules)) for row, value in said["retains_prompts"] if value]
    days = [0] if retains is False else [day for day, _ in kept if day is not None]
    sure = retains is False or (len(days) == len(kept) and any(good and day is not None for day, good in kept))
    levels, limit = [row.confidence for row in rows if row.curated], rules.retention_days_max
    known = {fact: any(grants(row, rules) for row, _ in listed) for fact, listed in said.items()}
    places = [
        ("headquarters", rules.allow_headquarters, rules.deny_headquarters, "headquarters"),
        ("datacenter_countries", rules.allow_data_countries, rules.deny_data_countries, "data_country"),
        ("serving_region", rules.require_serving_regions, frozenset[str](), "serving_region")]  # fmt: skip
    unknown = (
        (rules.deny_training and trains is None) or (rules.require_zdr and zdr is None)
        or (limit is not None and not sure) or (rules.minimum_confidence and not levels)
        or (rules.require_certifications and not known["certifications"])
        or any((allow is not None or deny) and not known[fact] for fact, allow, deny, _ in places)
    )  # fmt: skip
    found = {word for word, hit in {
        code: rules.deny_training and trains, "retains_prompts": rules.require_zdr and zdr is False,
        "may_publish": rules.deny_training and any(value for _, value in said["may_publish"]),
        "retention_days": limit is not None and any(day > limit for day in days),
        "certification": any(rules.require_certifications - (row.certifications or set())
                             for row, _ in said["certifications"]),
        "weak_evidence": not rules.allow_unknown and levels and max(levels) < (rules.minimum_confidence or 0),
        "unknown_terms": not rules.allow_unknown and unknown}.items() if hit}  # fmt: skip
    for fact, allow, deny, place_code in places:
        stated = {place for _, value in said[fact] for place in (value if isinstance(value, frozenset) else {value})}
        found |= {place_code} if stated & deny or (allow is not None and stated - allow) else set()
    return found
