"""The written form of a policy: the same in the seeds, in the database, over HTTP and on the command line."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from planner.core.errors import InvalidInput
from planner.core.policy import AllowList, AllowPair, Policy
from planner.core.terms import CERTIFICATIONS, Confidence

RETENTION_DAYS_MAX = 36_500
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
_FLAGS = ("deny_training", "require_zdr", "allow_free", "allow_unknown")
_COUNTRIES = ("allow_headquarters", "deny_headquarters", "allow_data_countries", "deny_data_countries")
_WORDS = (
    "require_serving_regions", "allow_providers", "deny_providers", "allow_models", "deny_models", "all_of",
)  # fmt: skip
# Of these an empty set asks nothing, so it is not written; of the others it refuses everybody.
_MAY_BE_ABSENT = frozenset(
    {
        "deny_headquarters", "deny_data_countries", "require_certifications", "deny_providers", "deny_models", "all_of",
    }
)  # fmt: skip


def read_policy(name: str, version: int, title: str, document: Mapping[str, Any]) -> Policy:
    """Read the rules of one version of a policy; its parts are put in by `resolve`.

    Raises:
        InvalidInput: a rule nobody knows, a value that does not fit it, or the same value twice.
    """
    fields: dict[str, Any] = {}
    for rule, value in document.items():
        reader = _READERS.get(rule)
        if reader is None:
            raise InvalidInput("rules", f"no rule is called {rule[:40]!a}; there are {', '.join(sorted(_READERS))}")
        fields[_NAMES.get(rule, rule)] = reader(f"rules.{rule}", value)
    return Policy(name=name, version=version, title=title, **fields)


def resolve(policies: Mapping[str, Policy]) -> dict[str, Policy]:
    """Put the parts into policies that name others in ``all_of``.

    A part nobody published, or one that names itself in the end, admits nothing: whoever wrote it meant to refuse.
    """

    def whole(name: str, above: frozenset[str]) -> Policy:
        policy = policies.get(name)
        if policy is None or name in above:
            return Policy(name=name, version=0, allow_list=frozenset())
        return replace(policy, parts=tuple(whole(part, above | {name}) for part in sorted(policy.all_of)))

    return {name: whole(name, frozenset()) for name in policies}


def write_rules(policy: Policy) -> dict[str, Any]:
    """Write every rule that asks something, sets sorted."""
    rules: dict[str, Any] = {flag: True for flag in _FLAGS if getattr(policy, flag)}
    if policy.retention_days_max is not None:
        rules["max_retention_days"] = policy.retention_days_max
    for rule in (*_COUNTRIES, *_WORDS, "require_certifications"):
        values = getattr(policy, rule)
        if values or (values is not None and rule not in _MAY_BE_ABSENT):
            rules[rule] = sorted(values)
    if policy.minimum_confidence is not None:
        rules["minimum_confidence"] = policy.minimum_confidence.name.lower()
    if policy.allow_list is not None:
        rules["allow_list"] = [list(pair) for pair in sorted(policy.allow_list)]
    return rules


def changed_rules(old: Policy, new: Policy) -> tuple[str, ...]:
    """Return the names of the rules in which two versions differ."""
    before, after = write_rules(old), write_rules(new)
    return tuple(sorted(rule for rule in before.keys() | after.keys() if before.get(rule) != after.get(rule)))


def write_policy(policy: Policy) -> dict[str, Any]:
    """Write a policy with its name, version, title and rules."""
    return {"name": policy.name, "version": policy.version, "title": policy.title, "rules": write_rules(policy)}


def _flag(field: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidInput(field, "true or false is needed")
    return value


def _days(field: str, value: object) -> int:
    if type(value) is not int or not 0 <= value <= RETENTION_DAYS_MAX:
        raise InvalidInput(field, f"a number of days from 0 to {RETENTION_DAYS_MAX} is needed")
    return value


def _words(field: str, value: object) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(word, str) and word for word in value):
        raise InvalidInput(field, "a list of texts is needed")
    _once(field, value)
    return frozenset(value)


def _once(field: str, values: Iterable[object], what: str = "value") -> None:
    seen: set[object] = set()
    for number, value in enumerate(values, 1):
        if value in seen:
            raise InvalidInput(field, f"{what} {number} is there twice")
        seen.add(value)


def _countries(field: str, value: object) -> frozenset[str]:
    found = _words(field, value)
    for word in sorted(found):
        if not _COUNTRY.fullmatch(word):
            raise InvalidInput(field, f"{word[:20]!a} is no ISO 3166 two-letter code, such as US")
    return found


def _certifications(field: str, value: object) -> frozenset[str]:
    found = _words(field, value)
    unknown = sorted(found - set(CERTIFICATIONS))
    if unknown:
        raise InvalidInput(field, f"{unknown[0][:40]!a} is none of {', '.join(CERTIFICATIONS)}")
    return found


def _confidence(field: str, value: object) -> Confidence:
    known = {level.name.lower(): level for level in Confidence}
    if not isinstance(value, str) or value not in known:
        raise InvalidInput(field, f"one of {', '.join(known)} is needed")
    return known[value]


def _pairs(field: str, value: object) -> AllowList:
    if not isinstance(value, list):
        raise InvalidInput(field, "a list of [model, offer pattern] is needed")
    pairs = []
    for number, pair in enumerate(value, 1):
        if not isinstance(pair, list) or [type(part) for part in pair] != [str, str]:
            raise InvalidInput(field, f"pair {number}: [model, offer pattern] is needed")
        model, pattern = pair
        if not model or not pattern or "*" in pattern[:-1] or ("*" in model and model != "*"):
            raise InvalidInput(field, f"pair {number}: a star stands for a whole model, or ends an offer pattern")
        pairs.append(AllowPair(model, pattern))
    _once(field, pairs, "pair")
    return frozenset(pairs)


_NAMES = {"max_retention_days": "retention_days_max"}
_READERS: dict[str, Callable[[str, object], Any]] = {
    **dict.fromkeys(_FLAGS, _flag),
    **dict.fromkeys(_WORDS, _words),
    **dict.fromkeys(_COUNTRIES, _countries),
    "require_certifications": _certifications,
    "max_retention_days": _days,
    "minimum_confidence": _confidence,
    "allow_list": _pairs,
}
