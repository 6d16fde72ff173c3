"""What each rule of a policy costs: the same questions solved again without it, model by model and plan by plan."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from planner.core.policy import Policy, all_of

# For each rule, the value with which it asks nothing.
_ASKS_NOTHING: dict[str, object] = {
    "deny_training": False,
    "require_zdr": False,
    "retention_days_max": None,
    "allow_headquarters": None,
    "deny_headquarters": frozenset(),
    "allow_data_countries": None,
    "deny_data_countries": frozenset(),
    "require_serving_regions": None,
    "require_certifications": frozenset(),
    "allow_providers": None,
    "deny_providers": frozenset(),
    "allow_models": None,
    "deny_models": frozenset(),
    "allow_free": True,
    "allow_unknown": True,
    "minimum_confidence": None,
    "allow_list": None,
}
EVERYTHING = "all rules"


@dataclass(frozen=True, slots=True)
class Variant:
    """A policy without one rule of one of its parts; ``rule`` is `EVERYTHING` where it is without any."""

    part: str
    rule: str
    policy: Policy


def variants(policy: Policy) -> Iterator[Variant]:
    """Yield the policy without each rule that asks something, by itself, and last without any rule."""
    for part in policy.rules:
        for rule, nothing in _ASKS_NOTHING.items():
            if getattr(part, rule) != nothing:
                yield Variant(part.name, rule, _with_part(policy, replace(part, **{rule: nothing, "parts": ()})))  # type: ignore[arg-type]  # rules by name
    yield Variant(policy.name, EVERYTHING, all_of(policy.name, policy.version))


def _with_part(policy: Policy, changed: Policy) -> Policy:
    """Return a policy with all parts laid side by side, one of them changed."""
    rules = [changed if part.name == changed.name else replace(part, parts=()) for part in policy.rules]
    first, *others = sorted(rules, key=lambda part: part.name != policy.name)
    return replace(first, parts=tuple(others))


Cheapest = Mapping[str, Fraction]
"""Model -> the least one request costs, in USD, effective, exact."""


def cheapest(ranked: Iterable[tuple[str | None, Fraction]]) -> dict[str, Fraction]:
    """Return the least a request costs by model; pending models belong to none. Cheapest first in, first kept."""
    found: dict[str, Fraction] = {}
    for model, cost_usd in ranked:
        if model is not None:
            found.setdefault(model, cost_usd)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class RulePrice:
    """What one rule costs over models: costs of one request in USD, exact.

    ``compared`` are the models that may be used with and without the rule, ``dearer`` those of them that cost more with
    it, as (model, with, without), dearest share first. ``unavailable`` may be used only without it. ``mean_usd`` and
    ``mean_share`` are means over ``compared``; models that cost nothing without the rule have no share.
    """

    compared: int
    dearer: tuple[tuple[str, Fraction, Fraction], ...]
    unavailable: tuple[str, ...]
    mean_usd: Fraction | None
    mean_share: Fraction | None


def price(under: Cheapest, without: Cheapest) -> RulePrice:
    """Compare the cheapest costs under a policy with those without one of its rules."""
    both = sorted(under.keys() & without.keys())
    dearer = [(model, under[model], without[model]) for model in both if under[model] > without[model]]
    shares = [under[model] / without[model] - 1 for model in both if without[model]]
    return RulePrice(
        compared=len(both),
        dearer=tuple(sorted(dearer, key=lambda row: (-_share(row[1], row[2]), row[0]))),
        unavailable=tuple(sorted(without.keys() - under.keys())),
        mean_usd=sum((under[model] - without[model] for model in both), Fraction()) / len(both) if both else None,
        mean_share=sum(shares, Fraction()) / len(shares) if shares else None,
    )


def _share(under: Fraction, without: Fraction) -> Fraction:
    # What cost nothing and costs something now is dearer by more than any share.
    return under / without - 1 if without else Fraction(10**9)
