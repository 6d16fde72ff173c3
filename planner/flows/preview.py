"""What a change of policies would do before anybody makes it, and what each rule of a policy costs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from typing import Any

from planner.core.ask import Ask
from planner.core.catalogue import Catalogue
from planner.core.errors import NoAnswer
from planner.core.plan import Needs, Plan, Task
from planner.core.policy import Policy, at_least_as_strict
from planner.core.policy_form import read_policy, resolve
from planner.core.privacy_price import RulePrice, Variant, cheapest, price, variants
from planner.core.snapshot import Snapshot
from planner.core.usage import Usage
from planner.core.workload import Workload
from planner.flows.answer import plan_ask, policy_named


@dataclass(frozen=True, slots=True)
class Told:
    """What a plan and task is told: an offer and its cost per request and period in USD, or the code of a refusal."""

    offer: str | None = None
    cost_usd: Fraction | None = None
    cost_usd_per_period: Fraction | None = None
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class PlanMove:
    """What one plan and task is told before and after."""

    plan: str
    task: str
    before: Told
    after: Told

    @property
    def delta_usd(self) -> Fraction | None:
        """How much more one request costs after; None where either has no answer."""
        if self.before.cost_usd is None or self.after.cost_usd is None:
            return None
        return self.after.cost_usd - self.before.cost_usd

    @property
    def moved(self) -> bool:
        """Whether the answer is another one."""
        return self.before != self.after


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What would change.

    ``leave`` are the offers that may not be used any more, with the codes that refuse them; ``join`` those that may be
    used besides; ``stay`` counts those that still may. ``plans`` is every plan and task decided under the policy.
    ``widens`` tells whether the new rules may let through what the old ones refuse, now or later.
    """

    leave: Mapping[str, tuple[str, ...]]
    join: tuple[str, ...]
    stay: int
    plans: tuple[PlanMove, ...]
    widens: bool


def preview_policy(
    catalogue: Catalogue, snapshot: Snapshot, name: str, title: str, rules: Mapping[str, Any], at: datetime
) -> Preview:
    """Return what publishing these rules would change.

    Raises:
        InvalidInput: rules that cannot be read.
    """
    old = catalogue.policies.get(name)
    new = read_policy(name, 1 if old is None else old.version + 1, title, rules)
    after = replace(catalogue, policies=resolve({**catalogue.policies, name: new}))
    after_rules = after.policies[name]
    leave: dict[str, tuple[str, ...]] = {}
    join, stay = [], 0
    for offer in catalogue.offers:
        was = old is None or not catalogue.refusals_by(old, offer, at)
        codes = after.refusals_by(after_rules, offer, at)
        if was and codes:
            leave[offer.id] = codes
        elif not was and not codes:
            join.append(offer.id)
        else:
            stay += not codes
    touched = {policy for policy, rules_ in after.policies.items() if any(part.name == name for part in rules_.rules)}
    # Prices, tiers and needs are the same before and after, so one compiled catalogue answers both.
    moves = tuple(
        PlanMove(plan.id, task.id, *(_told(snapshot, plan_ask(known, plan, task, at)) for known in (catalogue, after)))
        for plan, task in _decided_under(catalogue, touched)
    )
    widens = old is not None and not at_least_as_strict(after_rules, old)
    return Preview(leave=leave, join=tuple(join), stay=stay, plans=moves, widens=widens)


def _decided_under(catalogue: Catalogue, names: set[str]) -> Iterator[tuple[Plan, Task]]:
    for plan in catalogue.plans.values():
        for task in plan.tasks:
            if names & {*plan.policies, *task.policies}:
                yield plan, task


def _told(snapshot: Snapshot, ask: Ask) -> Told:
    try:
        pick = snapshot.recommend(ask).choice
    except NoAnswer as error:
        return Told(refusal=error.code)
    return Told(pick.offer.id, pick.cost_usd, ask.per_period_usd(pick.cost_usd))


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """What one rule costs: over models for one usage, and for every plan and task decided under the policy."""

    variant: Variant
    models: RulePrice
    plans: tuple[PlanMove, ...]


def privacy_price(
    catalogue: Catalogue, snapshot: Snapshot, name: str, usage: Usage, at: datetime
) -> tuple[Policy, list[Priced]]:
    """Return a policy and what each of its rules costs, by solving the same questions without the rule.

    Of each move ``before`` is without the rule, ``after`` with it.

    Raises:
        UnknownPolicy: no policy has this name.
    """
    policy = policy_named(catalogue, name)

    def costs(rules: Policy) -> dict[str, Fraction]:
        ask = Ask(workload=Workload.of(usage), policy=rules, needs=Needs(), at=at, decided_at=at)
        return cheapest((item.offer.model, item.cost_usd) for item in snapshot.rank(ask))

    under = costs(policy)
    asks = [(plan, task, plan_ask(catalogue, plan, task, at)) for plan, task in _decided_under(catalogue, {name})]
    now = [_told(snapshot, ask) for _plan, _task, ask in asks]
    found = []
    for variant in variants(policy):
        moves = tuple(
            PlanMove(
                plan.id, task.id, _told(snapshot, replace(ask, policy=_swapped(ask.policy, variant.policy))), told_
            )
            for (plan, task, ask), told_ in zip(asks, now, strict=True)
        )
        found.append(Priced(variant=variant, models=price(under, costs(variant.policy)), plans=moves))
    return policy, found


def _swapped(whole: Policy, changed: Policy) -> Policy:
    """Return what a plan is decided under with one of its policies changed."""
    if whole.name == changed.name:
        return changed
    return replace(whole, parts=tuple(changed if part.name == changed.name else part for part in whole.parts))
