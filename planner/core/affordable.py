"""Which tier a task's revenue affords: in each the cheapest and the best offer, what they cost, and what would help."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor

from planner.core.ask import Answer, Ask, Pick
from planner.core.errors import NoAnswer
from planner.core.tariff import Tariff
from planner.core.trim import CUTS, Trim, trim
from planner.core.units import REGISTRY, Direction


@dataclass(frozen=True, slots=True, kw_only=True)
class TierOption:
    """One tier as a task's choice; costs per customer and period in USD.

    ``allowed`` says whether plan and task let the tier in; figures are given all the same, so that the price of
    keeping it out can be seen. ``cheapest`` None has a ``refusal``: the code of why no offer of the tier passes.
    ``best`` is the best by quality that keeps the margin. ``affordable`` None: no margin is asked, so nothing is too
    dear. ``saving_usd_per_period`` is against the next stronger tier with an offer. ``trims`` are the cuts that would
    make an unaffordable tier fit.
    """

    tier: int
    allowed: bool
    cheapest: Pick | None = None
    best: Pick | None = None
    refusal: str | None = None
    cost_usd_per_period: Fraction | None = None
    margin: Fraction | None = None
    affordable: bool | None = None
    tokens_affordable: int | None = None
    requests_affordable: int | None = None
    saving_usd_per_period: Fraction | None = None
    trims: tuple[Trim, ...] = ()


def tier_options(ask: Ask, tiers: Iterable[int], search: Callable[[Ask], Answer]) -> tuple[TierOption, ...]:
    """Return every tier as a choice for a task, strongest first.

    Args:
        ask: the task under its plan; its needs may keep tiers out.
        tiers: labels, 1 the strongest.
        search: answers the main question.
    """
    found: list[TierOption] = []
    dearer: Fraction | None = None
    for tier in sorted(tiers):
        option = _option(ask, tier, search)
        if option.cost_usd_per_period is not None:
            saving = None if dearer is None else dearer - option.cost_usd_per_period
            option, dearer = replace(option, saving_usd_per_period=saving), option.cost_usd_per_period
        found.append(option)
    return tuple(found)


def strongest_affordable(options: Iterable[TierOption]) -> int | None:
    """Return the strongest tier that plan and task let in and the revenue affords."""
    return min((option.tier for option in options if option.allowed and option.affordable), default=None)


def _option(ask: Ask, tier: int, search: Callable[[Ask], Answer]) -> TierOption:
    allowed = ask.needs.tiers is None or tier in ask.needs.tiers
    inside = replace(ask, needs=replace(ask.needs, tiers=(tier,)), fallbacks=0)
    try:
        cheapest = search(replace(inside, economics=None, objective="cheapest")).choice
    except NoAnswer as error:
        return TierOption(tier=tier, allowed=allowed, refusal=error.code)
    budget = ask.budget_usd
    cost = ask.per_period_usd(cheapest.cost_usd)
    fits = None if budget is None else cost <= budget
    best = None if fits is False else search(replace(inside, objective="best_quality")).choice
    return TierOption(
        tier=tier,
        allowed=allowed,
        cheapest=cheapest,
        best=best,
        cost_usd_per_period=cost,
        margin=ask.margin_at(cheapest.cost_usd),
        affordable=fits,
        tokens_affordable=None if budget is None else tokens_affordable(ask, cheapest, budget),
        requests_affordable=None if budget is None else requests_affordable(cheapest, budget),
        trims=() if fits is not False else trims(ask, cheapest),
    )


def trims(ask: Ask, pick: Pick) -> tuple[Trim, ...]:
    """Return what would make an offer fit a task's budget: of prompts, of completions, of both."""
    if ask.budget_usd is None:
        return ()
    tariff, budget = Tariff.of(pick, ask), ask.budget_usd
    return tuple(trim(tariff, ask.workload, budget, cut) for cut in CUTS)


def requests_affordable(pick: Pick, budget_usd: Fraction) -> int | None:
    """Return how many requests a budget buys, rounded down; None where they cost nothing."""
    return max(0, floor(budget_usd / pick.cost_usd)) if pick.cost_usd else None


def tokens_affordable(ask: Ask, pick: Pick, budget_usd: Fraction) -> int | None:
    """Return how many tokens a budget buys at the task's own mix of prompt and completion, rounded down.

    Blended at another mix, a price is another price: with 73 tokens in for one out, prompts are 94 % of the cost, and
    a mix of 4 to 1 would make a completion look 8.7 times too cheap.
    """
    workload = ask.workload
    tokens = workload.mean_input_tokens + workload.mean_output_tokens
    return max(0, floor(budget_usd * tokens / pick.cost_usd)) if pick.cost_usd else None


def input_share(pick: Pick) -> Fraction | None:
    """Return which share of a request's cost its prompt is; None where it costs nothing."""
    total = pick.list_usd
    lines = ((kind.share, line) for kind in pick.kinds for line in kind.cost.lines)
    prompts = (
        share * line.exact_usd for share, line in lines if REGISTRY[line.unit].direction is Direction.INPUT
    )  # fmt: skip
    return sum(prompts, Fraction()) / total if total else None
