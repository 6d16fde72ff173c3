"""A backend asks: the question as sent becomes an ask, the compiled catalogue answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from fractions import Fraction

from planner.core.ask import COMMON_CAUSE_SHARE, TIMEOUT_MS, Answer, Ask
from planner.core.catalogue import Catalogue
from planner.core.checks import context_of
from planner.core.cost import Cost, cost
from planner.core.errors import InvalidInput, NoAnswer, NotFound, UnknownPolicy, Unpriced
from planner.core.offer import Offer
from planner.core.plan import Economics, Needs, Plan, Task
from planner.core.policy import Policy
from planner.core.price import STANDARD, Context, PriceCard, RateTable
from planner.core.recommend import affordable_at, priced, refusals
from planner.core.usage import Usage
from planner.core.workload import Workload
from planner.flows.current import View


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The main question before names are looked up: stored plan and task, or everything spelled out.

    ``over_budget``: it is asked for a customer who has used up the budget of the plan.
    """

    plan: str | None = None
    task: str | None = None
    workload: Workload | None = None
    economics: Economics | None = None
    policy: str | None = None
    needs: Needs = field(default_factory=Needs)
    at: datetime | None = None
    objective: str | None = None
    fallbacks: int | None = None
    independent_upstreams: bool = True
    over_budget: bool = False
    common_cause_share: Fraction | None = None
    timeout_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One check of an explanation: its name, whether it passed, and the codes that refused."""

    name: str
    passed: bool
    codes: tuple[str, ...] = ()


def policy_named(catalogue: Catalogue, name: str) -> Policy:
    """Return the newest version of a policy.

    Raises:
        UnknownPolicy: no policy has exactly this name.
    """
    policy = catalogue.policies.get(name)
    if policy is None:
        raise UnknownPolicy(name)
    return policy


def stored_task(catalogue: Catalogue, plan_id: str, task_id: str) -> tuple[Plan, Task]:
    """Return a stored plan and one of its tasks.

    Raises:
        NotFound: no such plan, or no such task in it.
    """
    plan = catalogue.plans.get(plan_id)
    if plan is None:
        raise NotFound("plan", plan_id)
    task = plan.task(task_id)
    if task is None:
        raise NotFound("task", task_id)
    return plan, task


def ask_of(catalogue: Catalogue, question: Question, default_policy: str, now: datetime) -> Ask:
    """Turn a question into an ask.

    Raises:
        InvalidInput: neither a stored task nor a workload, or both.
        NotFound: the plan or the task does not exist.
        UnknownPolicy: the policy does not exist.
    """
    at = question.at or now
    shared = COMMON_CAUSE_SHARE if question.common_cause_share is None else question.common_cause_share
    timeout_ms = TIMEOUT_MS if question.timeout_ms is None else question.timeout_ms
    if question.plan is None and question.task is None:
        if question.workload is None:
            raise InvalidInput("workload", "either plan and task, or a workload is needed")
        return Ask(
            workload=question.workload,
            economics=question.economics,
            policy=policy_named(catalogue, question.policy or default_policy),
            needs=question.needs,
            at=at,
            decided_at=now,
            objective=question.objective or "cheapest",
            fallbacks=2 if question.fallbacks is None else question.fallbacks,
            independent_upstreams=question.independent_upstreams,
            common_cause_share=shared,
            timeout_ms=timeout_ms,
        )
    if question.plan is None or question.task is None:
        raise InvalidInput("plan", "plan and task go together")
    if question.workload is not None or question.economics is not None or question.policy is not None:
        raise InvalidInput("plan", "a stored plan brings its own workload, revenue, margin and policy")
    plan, task = stored_task(catalogue, question.plan, question.task)
    return Ask(
        workload=task.workload,
        economics=plan.economics(at.date(), catalogue.fx),
        policy=catalogue.policy_of((*plan.policies, *task.policies)),
        needs=plan_needs(plan, task),
        at=at,
        decided_at=now,
        objective=question.objective or task.objective,
        fallbacks=task.fallbacks if question.fallbacks is None else question.fallbacks,
        independent_upstreams=question.independent_upstreams,
        common_cause_share=shared,
        timeout_ms=timeout_ms,
    )


def plan_ask(catalogue: Catalogue, plan: Plan, task: Task, at: datetime) -> Ask:
    """Return what a stored plan and task asks now, without a chain.

    Raises:
        UnknownPolicy: it is decided under a policy that does not exist.
    """
    return ask_of(catalogue, Question(plan=plan.id, task=task.id, fallbacks=0), "", at)


def plan_needs(plan: Plan, task: Task) -> Needs:
    """Return a task's needs under its plan: without ``allow_tier1`` the plan never sees tier 1."""
    if plan.allow_tier1:
        return task.needs
    tiers = task.needs.tiers or (2, 3)
    return replace(task.needs, tiers=tuple(tier for tier in tiers if tier != 1))


def recommend(view: View, ask: Ask) -> Answer:
    """Answer one ask from the compiled catalogue."""
    return view.snapshot.recommend(ask)


def explain(view: View, ask: Ask, offer_id: str) -> tuple[tuple[Check, ...], Fraction | None, Fraction | None]:
    """Return every check of one offer, and what a request costs in USD, effective and at list price, where priced.

    Raises:
        NotFound: no offer has exactly this id.
    """
    offer = offer_named(view.catalogue, offer_id)
    codes = tuple(refusals(view.catalogue, ask, offer, view.catalogue.model_tiers(ask.at)))
    prefixes = {
        "price": ("unpriced", "half_priced"),
        "route": ("alias", "router"),
        "retirement": ("retired",),
        "policy": ("policy:",),
        "needs": ("needs:",),
        "tier": ("tier",),
    }
    checks = []
    for name, starts in prefixes.items():
        hits = tuple(code for code in codes if code.startswith(starts))
        checks.append(Check(name, not hits, hits))
    try:
        pick = priced(view.catalogue, ask, offer, {})
    except NoAnswer:
        return tuple(checks), None, None
    if ask.budget_usd is not None:
        fits = affordable_at(ask, pick.cost_usd)
        checks.append(Check("margin", fits, () if fits else ("margin",)))
    return tuple(checks), pick.cost_usd, pick.list_usd


def offer_named(catalogue: Catalogue, offer_id: str) -> Offer:
    """Return an offer by its exact id.

    Raises:
        NotFound: no offer has exactly this id.
    """
    offer = catalogue.offers_by_id.get(offer_id)
    if offer is None:
        raise NotFound("offer", offer_id)
    return offer


def known_offer(catalogue: Catalogue, offer_id: str) -> Offer:
    """Return an offer by its exact id, also one that nobody lists any more: it had a price once.

    Raises:
        NotFound: no offer ever had exactly this id.
    """
    gone = catalogue.gone.get(offer_id)
    return offer_named(catalogue, offer_id) if gone is None else gone


def price_offer(
    catalogue: Catalogue, offer_id: str, usage: Usage, at: datetime, context: Context
) -> tuple[PriceCard, Cost]:
    """Price one usage on one offer with the card in force at ``at``.

    Raises:
        NotFound: no offer has exactly this id.
        Unpriced: no card is in force then, or a used unit has no rate on it.
    """
    offer = known_offer(catalogue, offer_id)
    card = catalogue.card(offer_id, at)
    if card is None:
        raise Unpriced(offer=offer_id)
    try:
        return card, cost(usage, card.rates, at, context_of(offer, context.service_tier, context.region))
    except Unpriced as error:
        raise Unpriced(units=error.units, service_tier=context.service_tier, offer=offer_id) from None


def price_inline(rates: RateTable, usage: Usage, at: datetime, context: Context = STANDARD) -> Cost:
    """Price one usage on a rate table that came with the question.

    Raises:
        Unpriced: a used unit has no rate, or the table prices the requested tier only under conditions that do not
            hold here: the base rate would be another tier's.
    """
    found = cost(usage, rates, at, context)
    tier = context.service_tier
    if tier in rates.conditional_tiers():
        sources = {line.unit: rates.rate_unit(line.unit) for line in found.lines}
        missing = tuple(
            unit
            for unit, source in sources.items()
            if source is not None
            and rates[source].offers_tier(tier)
            and not any(
                band.when.service_tier == tier and band.when.holds(context, usage.input_tokens, at)
                for band in rates[source].bands
            )
        )
        if missing:
            raise Unpriced(units=missing, service_tier=tier)
    return found


def count_served(catalogue: Catalogue) -> Mapping[str, int]:
    """Return how many offers serve each canonical model."""
    served: dict[str, int] = {}
    for offer in catalogue.offers:
        if offer.model is not None:
            served[offer.model] = served.get(offer.model, 0) + 1
    return served
