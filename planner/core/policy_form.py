"""The written form of a policy: the same in the seeds, in the database and on the command line."""

from collections.abc import Callable, Mapping
from typing import Any

from planner.core.errors import InvalidInput
from planner.core.policy import AllowPair, Policy
from planner.core.terms import Confidence

_FLAGS = ("deny_training", "require_zdr", "allow_free", "allow_unknown")
_SETS = (
    "allow_headquarters",
    "deny_headquarters",
    "allow_providers",
    "deny_providers",
    "deny_models",
)


def read_policy(name: str, version: int, title: str, document: Mapping[str, Any]) -> Policy:
    """Read the rules of one version of a policy.

    Raises:
        InvalidInput: a rule nobody knows, or a value that does not fit it.
    """
    fields: dict[str, Any] = {}
    for rule, value in document.items():
        reader = _READERS.get(rule)
        if reader is None:
            raise InvalidInput(f"policy.{name}", f"no rule is called {rule[:40]!a}")
        fields[_NAMES.get(rule, rule)] = reader(f"policy.{name}.{rule}", value)
    return Policy(name=name, version=version, title=title, **fields)


def write_rules(policy: Policy) -> dict[str, Any]:
    """Write every rule that asks something, sets sorted."""
    rules: dict[str, Any] = {flag: True for flag in _FLAGS if getattr(policy, flag)}
    if policy.retention_days_max is not None:
        rules["max_retention_days"] = policy.retention_days_max
    for rule in _SETS:
        values = getattr(policy, rule)
        if values or (values is not None and rule.startswith("allow")):
            rules[rule] = sorted(values)
    if policy.minimum_confidence is not None:
        rules["minimum_confidence"] = policy.minimum_confidence.name.lower()
    if policy.allow_list is not None:
        rules["allow_list"] = [[pair.model, pair.offer_pattern] for pair in policy.allow_list]
    return rules


def write_policy(policy: Policy) -> dict[str, Any]:
    """Write a policy with its name, version, title and rules."""
    return {"name": policy.name, "version": policy.version, "title": policy.title, "rules": write_rules(policy)}


def _flag(field: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidInput(field, "true or false is needed")
    return value


def _days(field: str, value: object) -> int:
    if type(value) is not int or value < 0:
        raise InvalidInput(field, "a number of days of at least 0 is needed")
    return value


def _set(field: str, value: object) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise InvalidInput(field, "a list of texts is needed")
    return frozenset(value)


def _confidence(field: str, value: object) -> Confidence:
    known = {level.name.lower(): level for level in Confidence}
    if not isinstance(value, str) or value not in known:
        raise InvalidInput(field, f"one of {', '.join(known)} is needed")
    return known[value]


def _pairs(field: str, value: object) -> tuple[AllowPair, ...]:
    if not isinstance(value, list):
        raise InvalidInput(field, "a list of [model, offer pattern] is needed")
    pairs = []
    for pair in value:
        if not isinstance(pair, list) or [type(part) for part in pair] != [str, str]:
            raise InvalidInput(field, "a list of [model, offer pattern] is needed")
        pairs.append(AllowPair(*pair))
    return tuple(pairs)


_NAMES = {"max_retention_days": "retention_days_max"}
_READERS: dict[str, Callable[[str, object], Any]] = {
    **dict.fromkeys(_FLAGS, _flag),
    **dict.fromkeys(_SETS, _set),
    "max_retention_days": _days,
    "minimum_confidence": _confidence,
    "allow_list": _pairs,
}
