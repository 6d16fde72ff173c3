"""Which options of a task can be left out without losing a best portfolio.

An option may go where another one of its slot can take its place in every portfolio: with no worse quality, at no
higher cost, and without breaking a rule that held. Costs only appear in upper bounds, so cheaper never hurts. Quality
and provider each appear in one more rule, and each narrows who may stand in for whom:

- With a bound on providers' shares of the requests, the stand-in is of the same provider, or of one that stays within
  the bound even if it serves every slot it can. By spend, a smaller bill makes everybody else's share larger, so the
  stand-in's primary also costs the same.
- Where plans are monotone, a better cheap plan may be too good for the dearer one above it. The stand-in is then no
  better than the option by any quality that the slots above can have: whoever was above the one is above the other.
  Slots are thinned from the dearest plan down, so those above are thin already, and still hold a best portfolio.
"""

from bisect import bisect_left
from collections import defaultdict
from fractions import Fraction
from itertools import accumulate

from planner.core.portfolio import Option, Options, Portfolio, Slot


def undominated(portfolio: Portfolio, options: Options) -> Options:
    """Return the options of every slot, the dominated ones left out; of two equals the first stays."""
    rules = portfolio.rules
    shared = rules.provider_share_max is not None
    by_spend = shared and rules.shared_by == "spend"
    harmless = _harmless(portfolio, options) if shared and not by_spend else frozenset()
    kept: dict[int, tuple[Option, ...]] = {}
    numbers = range(len(portfolio.slots))
    for number in sorted(numbers, key=lambda number: -portfolio.of(portfolio.slots[number]).price_usd):
        levels = _levels_above(portfolio, portfolio.slots[number], kept) if rules.monotone else []
        # Whole numbers in the order of the costs: comparing exact ones again and again is what takes the time.
        by_cost = sorted(options[number], key=lambda one: (float(one.cost_usd), one.cost_usd))
        costs = [float(one.cost_usd) for one in by_cost]
        dearer = (
            costs[n] != costs[n + 1] or one.cost_usd != by_cost[n + 1].cost_usd for n, one in enumerate(by_cost[:-1])
        )
        ranks = list(accumulate(dearer, initial=0))
        qualities = {one.primary.quality for one in by_cost}
        grades = {quality: grade for grade, quality in enumerate(sorted(qualities))}
        apart_by = {quality: bisect_left(levels, quality) for quality in qualities}
        pairs = zip(by_cost, ranks, strict=True)
        ordered = sorted(pairs, key=lambda item: grades[item[0].primary.quality], reverse=True)
        least: dict[tuple[object, ...], int] = {}
        thin: list[Option] = []
        for one, rank in ordered:
            # Who shares a key may stand in for each other, where quality and cost allow it.
            apart = (apart_by[one.primary.quality], one.primary.cost_usd if by_spend else None)
            group = one.primary.group if shared else None
            if any(least.get((*apart, own), rank + 1) <= rank for own in (group, None)):
                continue
            thin.append(one)
            for own in {group, None} if group in harmless else {group}:
                least[(*apart, own)] = rank
        kept[number] = tuple(thin)
    return tuple(kept[number] for number in numbers)


def _levels_above(portfolio: Portfolio, slot: Slot, kept: dict[int, tuple[Option, ...]]) -> list[Fraction]:
    return sorted({option.primary.quality for other in portfolio.above(slot) for option in kept[other]})


def _harmless(portfolio: Portfolio, options: Options) -> frozenset[str]:
    """Return the groups that stay within the bound on requests whatever is chosen."""
    most: defaultdict[str, Fraction] = defaultdict(Fraction)
    for slot, each in zip(portfolio.slots, options, strict=True):
        for group in {option.primary.group for option in each}:
            most[group] += portfolio.requests(slot)
    limit = (portfolio.rules.provider_share_max or 0) * portfolio.all_requests
    return frozenset(group for group, requests in most.items() if requests <= limit)
