"""Finance asks what a plan must cost, which tier it affords, and how much text a task has to lose."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from planner.core.affordable import TierOption, input_share, tier_options
from planner.core.ask import Ask, Pick
from planner.core.catalogue import Catalogue
from planner.core.cliff import Cliff, cliffs
from planner.core.errors import InvalidInput, MarginUnreachable, NoAnswer, NotFound
from planner.core.plan import Economics, Plan
from planner.core.recommend import priced, refusals
from planner.core.sensitivity import Driver, drivers
from planner.core.tariff import Tariff
from planner.core.tier import MTOK
from planner.core.trim import Trim, trim
from planner.flows.answer import Question, ask_of, offer_named
from planner.flows.current import View


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPrice:
    """What one task of a plan costs on the offer it would be told, or, where none keeps the margin, on the cheapest.

    Amounts in USD per customer and period; floors are exact and rounded up where they are shown. ``keeps_margin`` is
    of this task alone against the whole budget; None where no margin is asked. ``refusal`` stands where nothing
    compliant has a price.
    """

    task: str
    ask: Ask
    pick: Pick | None = None
    refusal: str | None = None
    cost_usd: Fraction | None = None
    keeps_margin: bool | None = None
    minimum_price_usd: Fraction | None = None
    overage_usd_per_request: Fraction | None = None
    overage_usd_per_mtok: Fraction | None = None
    input_share: Fraction | None = None
    drivers: tuple[Driver, ...] = ()
    cliffs: tuple[Cliff, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanPrice:
    """What a plan must cost for all of its tasks together; ``cost_usd`` None where a task has no offer."""

    plan: Plan
    economics: Economics
    tasks: tuple[TaskPrice, ...]
    cost_usd: Fraction | None

    @property
    def margin(self) -> Fraction | None:
        """The margin at today's price; None without revenue or without a cost."""
        return None if self.cost_usd is None else self.economics.margin_at(self.cost_usd)

    @property
    def minimum_price_usd(self) -> Fraction | None:
        """The lowest price that reaches the target; None without a target or without a cost."""
        return None if self.cost_usd is None else self.economics.minimum_price_usd(self.cost_usd)

    @property
    def keeps_margin(self) -> bool | None:
        """Whether all tasks together fit the budget; None without a target or without a cost."""
        budget = self.economics.budget_usd
        return None if self.cost_usd is None or budget is None else self.cost_usd <= budget

    @property
    def contribution_usd(self) -> Fraction | None:
        """What a customer leaves after tokens and payment fees, before other costs."""
        if self.cost_usd is None:
            return None
        return Fraction(self.economics.revenue_usd) - self.economics.fees_usd - self.cost_usd

    @property
    def burn_usd(self) -> Fraction | None:
        """What all subscribers of a plan without revenue cost, tokens and other costs; None where it has revenue."""
        if self.economics.revenue_usd or self.cost_usd is None or self.plan.subscribers is None:
            return None
        each = self.cost_usd + self.economics.fees_usd + Fraction(self.economics.other_costs_usd)
        return each * self.plan.subscribers


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTiers:
    """The tiers of one task of a plan as its choices."""

    task: str
    ask: Ask
    options: tuple[TierOption, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTrim:
    """How much text a task must lose on an offer, near steps of its price, and what the next tier down would save."""

    task: str
    ask: Ask
    pick: Pick
    trim: Trim
    cliffs: tuple[Cliff, ...]
    drop: Pick | None


def _plan_of(catalogue: Catalogue, plan_id: str) -> Plan:
    plan = catalogue.plans.get(plan_id)
    if plan is None:
        raise NotFound("plan", plan_id)
    return plan


def _asked(  # one argument per thing that may be said
    view: View, plan: Plan, task: str | None, margin: Decimal | None, at: datetime | None, now: datetime
) -> Sequence[tuple[str, Ask]]:
    """Return what the tasks of a plan ask, or one of them, at a target margin of one's own or the plan's."""
    names = [found.id for found in plan.tasks] if task is None else [task]
    asks = [ask_of(view.catalogue, Question(plan=plan.id, task=name, at=at, fallbacks=0), "", now) for name in names]
    return [(name, _at_margin(ask, margin)) for name, ask in zip(names, asks, strict=True)]


def _at_margin(ask: Ask, margin: Decimal | None) -> Ask:
    if margin is None or ask.economics is None:
        return ask
    return replace(ask, economics=replace(ask.economics, margin=margin))


def price_plan(  # one argument per thing that may be said
    view: View, plan_id: str, task: str | None, margin: Decimal | None, at: datetime | None, now: datetime
) -> PlanPrice:
    """Return the minimum viable price of a plan, and of each of its tasks alone.

    Raises:
        NotFound: no such plan, no such task in it, or no exchange rate for its currency.
        InvalidInput: a margin without revenue to take it from.
    """
    plan = _plan_of(view.catalogue, plan_id)
    economics = plan.economics((at or now).date(), view.catalogue.fx)
    if margin is not None:
        economics = replace(economics, margin=margin)
    tasks = tuple(_price_task(view, name, ask) for name, ask in _asked(view, plan, task, margin, at, now))
    costs = [found.cost_usd for found in tasks]
    known = [cost for cost in costs if cost is not None]
    total = sum(known, Fraction()) if len(known) == len(costs) else None
    return PlanPrice(plan=plan, economics=economics, tasks=tasks, cost_usd=total)


def told(view: View, ask: Ask) -> Pick:
    """Return the offer a question is told, or the cheapest compliant one where none keeps the margin.

    Raises:
        NoAnswer: nothing compliant has a price.
    """
    try:
        return view.snapshot.recommend(ask).choice
    except MarginUnreachable:
        return view.snapshot.recommend(replace(ask, economics=None, objective="cheapest")).choice


def _price_task(view: View, task: str, ask: Ask) -> TaskPrice:
    economics = ask.economics
    if economics is None:
        raise AssertionError("a stored plan has economics")
    try:
        pick = told(view, ask)
    except NoAnswer as error:
        return TaskPrice(task=task, ask=ask, refusal=error.code)
    workload, tariff = ask.workload, Tariff.of(pick, ask)
    cost = ask.per_period_usd(pick.cost_usd)
    tokens = workload.mean_input_tokens + workload.mean_output_tokens
    return TaskPrice(
        task=task,
        ask=ask,
        pick=pick,
        cost_usd=cost,
        keeps_margin=None if ask.budget_usd is None else cost <= ask.budget_usd,
        minimum_price_usd=economics.minimum_price_usd(cost),
        overage_usd_per_request=economics.overage_usd(pick.cost_usd),
        overage_usd_per_mtok=economics.overage_usd(pick.cost_usd / tokens * MTOK) if tokens else None,
        input_share=input_share(pick),
        drivers=drivers(tariff, workload, economics),
        cliffs=cliffs(tariff, workload),
    )


def plan_tiers(
    view: View, plan_id: str, task: str | None, at: datetime | None, now: datetime
) -> tuple[Plan, tuple[TaskTiers, ...]]:
    """Return a plan, and for each of its tasks what every tier would cost it.

    Raises:
        NotFound: no such plan, no such task in it, or no exchange rate for its currency.
    """
    plan = _plan_of(view.catalogue, plan_id)
    bands = view.catalogue.tier_bands.in_force((at or now).date()).prices
    tiers = range(1, max((band.tier for band in bands), default=0) + 2)
    asks = _asked(view, plan, task, None, at, now)
    return plan, tuple(
        TaskTiers(task=name, ask=ask, options=tier_options(ask, tiers, view.snapshot.recommend)) for name, ask in asks
    )


def trim_task(  # one argument per thing that may be said
    view: View,
    plan_id: str,
    task: str,
    cut: str,
    offer: str | None,
    margin: Decimal | None,
    at: datetime | None,
    now: datetime,
) -> TaskTrim:
    """Return how much a task must lose of ``cut`` so that an offer fits the budget of its plan.

    Without an offer it is the one the task is told, or the cheapest compliant one.

    Raises:
        NotFound: no such plan, task or offer.
        InvalidInput: the plan aims at no margin, and none was given; or the offer is refused for another reason than
            its cost.
        NoAnswer: nothing compliant has a price.
    """
    [(name, ask)] = _asked(view, _plan_of(view.catalogue, plan_id), task, margin, at, now)
    budget = ask.budget_usd
    if budget is None:
        raise InvalidInput("margin", "this plan aims at none, so one is needed")
    if offer is None:
        pick = told(view, ask)
    else:
        named, labels = offer_named(view.catalogue, offer), view.snapshot.labels(ask.at)
        codes = tuple(refusals(view.catalogue, ask, named, labels))
        if codes:
            # A cut that makes an offer fit must not read like leave to use it.
            raise InvalidInput("offer", f"the task may not use it: {', '.join(dict.fromkeys(codes))}")
        pick = priced(view.catalogue, ask, named, labels)
    tariff = Tariff.of(pick, ask)
    found = trim(tariff, ask.workload, budget, cut)
    drop = _next_tier_down(view, ask, pick)
    return TaskTrim(task=name, ask=ask, pick=pick, trim=found, cliffs=cliffs(tariff, ask.workload), drop=drop)


def _next_tier_down(view: View, ask: Ask, pick: Pick) -> Pick | None:
    """Return the cheapest offer of the next tier down that costs less, or None."""
    if pick.tier is None or not _lets_in(ask, (pick.tier + 1,)):
        return None
    needs = replace(ask.needs, tiers=(pick.tier + 1,))
    try:
        found = view.snapshot.recommend(replace(ask, needs=needs, economics=None, objective="cheapest")).choice
    except NoAnswer:
        return None
    return found if found.cost_usd < pick.cost_usd else None


def _lets_in(ask: Ask, tiers: Iterable[int]) -> bool:
    return ask.needs.tiers is None or set(tiers) <= set(ask.needs.tiers)
