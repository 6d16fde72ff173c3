"""Small random portfolios, and every choice of theirs tried one by one: the reference for the optimiser."""

import itertools
import random
from fractions import Fraction
from math import lcm
from typing import NamedTuple

from planner.core.portfolio import Candidate, Customers, Portfolio, Rules, Slot

GROUPS = ("acme", "bolt", "cirrus")


def world(seed: int) -> Portfolio:
    """Return the portfolio of a seed: two plans of two tasks, up to five offers of three groups, rules at random."""
    dice = random.Random(seed)
    price = Fraction(dice.choice((0, 5)))
    plans = {"free" if price == 0 else "starter": price, "pro": Fraction(dice.choice((5, 20)))}
    customers = tuple(
        Customers(
            plan=plan,
            count=dice.choice((1, 7, 9, 10)),
            price_usd=paid,
            budget_usd=Fraction(dice.randint(1, 100), 3) if dice.random() < 0.7 else None,
        )
        for plan, paid in plans.items()
    )
    slots = tuple(
        Slot(
            plan=plan,
            task=dice.choice(("extract", "code")) if number else "chat",
            requests=Fraction(dice.randint(1, 9), dice.choice((1, 3))),
            candidates=tuple(_candidate(dice, place) for place in range(dice.randint(3, 5))),
        )
        for plan in plans
        for number in range(2)
    )
    rules = Rules(
        fallback=dice.random() < 0.7,
        fallback_drop_max=dice.choice((None, None, Fraction(10))),
        free_burn_usd=dice.choice((None, Fraction(20), Fraction(500))),
        provider_share_max=dice.choice((None, Fraction(1, 2), Fraction(2, 3), Fraction(9, 10))),
        shared_by=dice.choice(("requests", "spend")),
        monotone=dice.random() < 0.5,
    )
    return Portfolio(customers=customers, slots=slots, rules=rules)


def _candidate(dice: random.Random, place: int) -> Candidate:
    return Candidate(
        offer=f"o{place}",
        group=dice.choice(GROUPS),
        cost_usd=Fraction(dice.choice((0, 1, 1, 2, 3, 5, 8)), dice.choice((1, 3, 7))),
        quality=Fraction(dice.choice((10, 20, 25, 40, 55))),
        failure_share=Fraction(dice.choice((0, 1, 10)), 100),
    )


class Best(NamedTuple):
    """The best quality in points and the least cost of it in USD a month; None where nothing is allowed."""

    quality: Fraction | None
    cost_usd: Fraction | None


class Pair(NamedTuple):
    """One primary and fallback of one slot, and what they add to; amounts and points as whole numbers of one unit."""

    primary: Candidate
    points: int
    cost: int
    cost_per_customer: int
    load: int


def tried(portfolio: Portfolio) -> Best:
    """Try every primary and every fallback of every slot, plainly."""
    pairs = [_pairs(portfolio, slot) for slot in portfolio.slots]
    unit = lcm(*(figure.denominator for each in pairs for pair in each for figure in pair[1:]))
    whole = [[Pair(pair[0], *(int(figure * unit) for figure in pair[1:])) for pair in each] for each in pairs]
    best: tuple[int, int] | None = None
    for chosen in itertools.product(*whole):
        found = (-sum(pair.points for pair in chosen), sum(pair.cost for pair in chosen))
        if (best is None or found < best) and allowed(portfolio, chosen, unit):
            best = found
    if best is None:
        return Best(None, None)
    requests = sum(portfolio.requests(slot) for slot in portfolio.slots)
    return Best(Fraction(-best[0], unit) / requests, Fraction(best[1], unit))


Figures = tuple[Candidate, Fraction, Fraction, Fraction, Fraction]


def _pairs(portfolio: Portfolio, slot: Slot) -> list[Figures]:
    rules, size = portfolio.rules, portfolio.requests(slot)
    found = []
    for primary in slot.candidates:
        for fallback in slot.candidates if rules.fallback else (None,):
            cost = primary.cost_usd
            if fallback is not None:
                drop = primary.quality - fallback.quality
                near = rules.fallback_drop_max is None or drop <= rules.fallback_drop_max
                if fallback.group == primary.group or not near:
                    continue
                share = primary.failure_share
                cost = (1 - share) * primary.cost_usd + share * fallback.cost_usd
            load = size * (primary.cost_usd if rules.shared_by == "spend" else 1)
            found.append((primary, size * primary.quality, size * cost, slot.requests * cost, load))
    return found


def allowed(portfolio: Portfolio, chosen: tuple[Pair, ...], unit: int) -> bool:
    """Tell whether a choice keeps every rule, each written down once more in plain words."""
    rules = portfolio.rules
    customers = {one.plan: one for one in portfolio.customers}
    served = [(customers[slot.plan], slot.task, pair) for slot, pair in zip(portfolio.slots, chosen, strict=True)]
    for one in portfolio.customers:
        spent = sum(pair.cost_per_customer for own, _task, pair in served if own is one)
        if one.budget_usd is not None and spent > one.budget_usd * unit:
            return False
    burn = sum(pair.cost for own, _task, pair in served if own.price_usd == 0)
    if rules.free_burn_usd is not None and burn > rules.free_burn_usd * unit:
        return False
    if rules.provider_share_max is not None:
        whole = sum(pair.load for pair in chosen)
        for group in GROUPS:
            load = sum(pair.load for pair in chosen if pair.primary.group == group)
            if load > rules.provider_share_max * whole:
                return False
    return not rules.monotone or all(
        better.primary.quality >= worse.primary.quality
        for (cheap, task, worse), (dear, same, better) in itertools.product(served, repeat=2)
        if task == same and dear.price_usd > cheap.price_usd
    )
