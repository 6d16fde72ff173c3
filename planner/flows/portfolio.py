"""Finance asks for the whole portfolio: stored plans become slots, the optimiser assigns, its rules are priced."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from threading import Lock

from planner.core.ask import Ask
from planner.core.assign import Outcome, best, every_option
from planner.core.catalogue import DEFAULT_QUALITY_INDEX
from planner.core.errors import InvalidInput, NoAnswer, NotFound, Unavailable
from planner.core.optimise import INFEASIBLE
from planner.core.plan import MONTHS, Economics, Plan, Task
from planner.core.policy import Policy
from planner.core.portfolio import (
    Candidate,
    Constraint,
    Customers,
    Portfolio,
    Rules,
    Slot,
    constraints_of,
    without,
)
from planner.core.relax import Price, Remedies, price_of, remedies
from planner.core.uptime import failure_of
from planner.flows.answer import plan_needs
from planner.flows.current import View

POLICY = "policy"
# What a plan's policies cost is found by solving once more under none.
NO_POLICY = Policy(name="none", version=0, allow_unknown=True, allow_free=True)

_solving = Lock()


@dataclass(frozen=True, slots=True)
class Override:
    """What is asked about a plan instead of what is stored; None leaves it as stored."""

    subscribers: int | None = None
    margin: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked: which plans, under which rules, how sure and how long; ``plans`` None is all with subscribers.

    ``gap`` is the share of quality within which the search may end; ``seconds`` bound all of the work.
    """

    plans: tuple[str, ...] | None = None
    overrides: Mapping[str, Override] = field(default_factory=dict)
    rules: Rules = field(default_factory=Rules)
    quality_index: str = DEFAULT_QUALITY_INDEX
    at: datetime | None = None
    seconds: int = 10
    gap: float = 0.0
    explain: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """The answer, with all it rests on.

    ``asks`` and ``refused`` are by plan and task; the latter says why nothing passes where nothing does. ``left_out``
    are plans without subscribers, and tasks nobody sends requests for. ``unscored`` offers passed everything and have
    no quality to count.
    """

    portfolio: Portfolio
    plans: Mapping[str, Plan]
    economics: Mapping[str, Economics]
    asks: Mapping[tuple[str, str], Ask]
    outcome: Outcome
    prices: Mapping[Constraint, Price]
    remedies: Remedies | None
    refused: Mapping[tuple[str, str], Mapping[str, int]]
    left_out: tuple[str, ...]
    unscored: int
    seconds: float


def plan_portfolio(view: View, wish: Wish, now: datetime, tell: Callable[[str], None] = lambda _line: None) -> Planned:
    """Assign every task of the plans asked for, price every rule, or say which would have to give way.

    ``tell`` hears in words what is being done, for somebody who waits.

    Raises:
        InvalidInput: no plan with subscribers and requests is left, or an override fits none.
        NotFound: a plan does not exist, or its currency has no rate that day.
        UnknownPolicy: a plan is decided under a policy that does not exist.
        Unavailable: another portfolio is being solved; one at a time leaves the other cores to everybody else.
    """
    with _one_at_a_time():
        started = time.monotonic()

        def left() -> float:
            return wish.seconds - (time.monotonic() - started)

        tell("pricing every offer for every task")
        at = wish.at or now
        plans, left_out = _plans(view, wish)
        economics = {plan.id: _economics(view, plan, at) for plan in plans}
        tasks = [(plan, task) for plan in plans for task in plan.tasks if task.workload.requests_per_period]
        idle = [f"{plan.id}/{task.id}" for plan in plans for task in plan.tasks if (plan, task) not in tasks]
        asks = {(plan.id, task.id): _ask(view, plan, task, at, now) for plan, task in tasks}
        found = {(plan.id, task.id): _candidates(view, asks[plan.id, task.id], wish) for plan, task in tasks}
        portfolio = Portfolio(
            customers=tuple(_customers(plan, economics[plan.id]) for plan in plans),
            slots=tuple(_slot(plan, task, found[plan.id, task.id][0]) for plan, task in tasks),
            rules=wish.rules,
        )
        tell(f"assigning {len(portfolio.slots)} tasks")
        options = every_option(portfolio)
        # Half the time is for the prices of the rules, where they are asked for.
        kept = wish.seconds / 2 if wish.explain else 0.0
        outcome = best(portfolio, lambda: left() - kept, wish.gap, options=options)
        prices: dict[Constraint, Price] = {}
        if wish.explain and outcome.chosen is not None:
            for constraint, eased in _eased(view, portfolio, asks, wish):
                tell(f"solving without {constraint.kind} {constraint.plan or ''}".rstrip())
                prices[constraint] = price_of(portfolio, eased, outcome, left, wish.gap, options=options)
        return Planned(
            portfolio=portfolio,
            plans={plan.id: plan for plan in plans},
            economics=economics,
            asks=asks,
            outcome=outcome,
            prices=prices,
            remedies=remedies(portfolio, left) if outcome.status == INFEASIBLE else None,
            refused={key: _why(view, asks[key]) for key, (candidates, _unscored) in found.items() if not candidates},
            left_out=(*left_out, *idle),
            unscored=sum(unscored for _candidates_, unscored in found.values()),
            seconds=time.monotonic() - started,
        )


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    if not _solving.acquire(blocking=False):
        raise Unavailable("another portfolio is being solved")
    try:
        yield
    finally:
        _solving.release()


def _plans(view: View, wish: Wish) -> tuple[list[Plan], list[str]]:
    stored = view.catalogue.plans
    for name in (*(wish.plans or ()), *wish.overrides):
        if name not in stored:
            raise NotFound("plan", name)
    asked = tuple(stored) if wish.plans is None else tuple(dict.fromkeys(wish.plans))
    stray = next((name for name in wish.overrides if name not in asked), None)
    if stray is not None:
        raise InvalidInput("overrides", f"plan {stray} is not among the plans asked for")
    served, left_out = [], []
    for name in asked:
        over = wish.overrides.get(name, Override())
        plan = stored[name]
        count = plan.subscribers if over.subscribers is None else over.subscribers
        margin = plan.margin if over.margin is None else over.margin
        if count:
            served.append(replace(plan, subscribers=count, margin=margin))
        else:
            left_out.append(name)
    if not any(task.workload.requests_per_period for plan in served for task in plan.tasks):
        raise InvalidInput("plans", "no plan has both subscribers and requests; state subscribers in overrides")
    return served, left_out


def _economics(view: View, plan: Plan, at: datetime) -> Economics:
    return plan.economics(at.date(), view.catalogue.fx)


def _ask(view: View, plan: Plan, task: Task, at: datetime, now: datetime) -> Ask:
    return Ask(
        workload=task.workload,
        policy=view.catalogue.policy_of((*plan.policies, *task.policies)),
        needs=plan_needs(plan, task),
        at=at,
        decided_at=now,
    )


def _customers(plan: Plan, economics: Economics) -> Customers:
    times, budget = 1 / MONTHS[plan.period], economics.budget_usd
    return Customers(
        plan=plan.id,
        count=plan.subscribers or 0,
        price_usd=Fraction(economics.revenue_usd) * times,
        budget_usd=None if budget is None else budget * times,
    )


def _slot(plan: Plan, task: Task, candidates: tuple[Candidate, ...]) -> Slot:
    requests = task.workload.requests_per_period / MONTHS[plan.period]
    return Slot(plan=plan.id, task=task.id, requests=requests, candidates=candidates)


FAILURE_SHARE_MAX = Fraction(1, 5)
"""An offer that may fail more requests than this serves nobody: its score would count for answers it never gave."""


def _candidates(view: View, ask: Ask, wish: Wish) -> tuple[tuple[Candidate, ...], int]:
    """Return who may serve a task, by the checks of the main question, and how many more have no score."""
    found, unscored = [], 0
    for offer, cost_usd, _list_usd in view.snapshot.rank(ask):
        score = view.catalogue.score(offer.model, wish.quality_index)
        if score is None:
            unscored += 1
            continue
        upstream, failure = view.catalogue.upstream_of(offer), failure_of(offer.facts)
        if failure.share <= FAILURE_SHARE_MAX:
            found.append(Candidate(offer.id, upstream, cost_usd, Fraction(score.score), failure.share))
    return tuple(found), unscored


def _eased(
    view: View, portfolio: Portfolio, asks: Mapping[tuple[str, str], Ask], wish: Wish
) -> Iterator[tuple[Constraint, Portfolio]]:
    """Yield every rule with the portfolio it does not bind: those of the portfolio, and the policies of each plan."""
    for constraint in constraints_of(portfolio):
        yield constraint, without(portfolio, constraint)
    for plan in portfolio.customers:
        slots = tuple(
            replace(slot, candidates=_candidates(view, replace(asks[slot.plan, slot.task], policy=NO_POLICY), wish)[0])
            if slot.plan == plan.plan
            else slot
            for slot in portfolio.slots
        )
        yield Constraint(POLICY, plan.plan), replace(portfolio, slots=slots)


def _why(view: View, ask: Ask) -> Mapping[str, int]:
    """Return why a task has no candidate; empty where all that pass have no score."""
    try:
        view.snapshot.recommend(replace(ask, fallbacks=0))
    except NoAnswer as error:
        refused = error.facts().get("refused")
        return refused if isinstance(refused, Mapping) else {error.code: 1}
    return {}


def spent_of(portfolio: Portfolio, plan: str, costs: Sequence[Fraction]) -> Fraction:
    """Return what one customer of a plan costs in a month, from the costs of a request of every slot."""
    pairs = zip(portfolio.slots, costs, strict=True)
    return sum((slot.requests * cost for slot, cost in pairs if slot.plan == plan), Fraction())
