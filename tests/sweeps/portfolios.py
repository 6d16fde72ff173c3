"""Hold the optimiser against trying everything, large ones against a bound: ``python -m tests.sweeps.portfolios``."""

import argparse
import random
import sys
import time
from fractions import Fraction

import numpy as np
from highspy import HighsLp, MatrixFormat
from highspy._core import _Highs
from rich.progress import track

from planner.core.assign import Outcome, best, every_option, keeps
from planner.core.portfolio import Candidate, Customers, Portfolio, Rules, Slot
from tests.portfolio_worlds import tried, world

SIZES = ((4, 5, 60), (6, 10, 120), (10, 10, 300))
QUARTER = Fraction(1, 4)
RULES = {
    "margins": Rules(),
    "margins, shares": Rules(provider_share_max=QUARTER),
    "margins, monotone": Rules(monotone=True),
    "margins, tight shares": Rules(provider_share_max=Fraction(3, 40)),
    "all rules": Rules(provider_share_max=QUARTER, monotone=True, free_burn_usd=Fraction(200)),
    "all rules, tight shares": Rules(provider_share_max=Fraction(3, 40), monotone=True, free_burn_usd=Fraction(200)),
}
PRICES_USD = (0, 5, 9, 20, 40, 60, 100, 150, 200, 400)
GROUPS, MODELS = 20, 60
GAP = 1e-3
SECONDS = 5.0


def large(plans: int, tasks: int, offers: int, rules: Rules, seed: int = 1) -> Portfolio:
    """Make a portfolio of a size; better models cost more, each group asks its own price."""
    dice = random.Random(seed)
    quality = [Fraction(dice.randint(100, 600), 10) for _ in range(MODELS)]
    cost = [Fraction(int(1e6 * 10 ** ((float(q) - 60) / 25) * dice.uniform(0.3, 3)), 10**8) for q in quality]
    customers, slots = [], []
    for number in range(plans):
        name, price = f"p{number}", Fraction(PRICES_USD[number])
        budget = price * Fraction(dice.randint(15, 45), 100) if price else None
        customers.append(Customers(plan=name, count=dice.randint(100, 5_000), price_usd=price, budget_usd=budget))
        for task in range(tasks):
            length, candidates = Fraction(dice.randint(50, 400), 100), []
            for place in range(offers):
                model, markup = dice.randrange(MODELS), Fraction(dice.randint(60, 160), 100)
                fails = Fraction(dice.randint(0, 50), 1_000)
                group = f"g{dice.randrange(GROUPS)}"
                usd = cost[model] * length * markup
                candidates.append(Candidate(f"o{place}", group, usd, quality[model], fails))
            requests = Fraction(dice.randint(20, 600))
            slots.append(Slot(plan=name, task=f"t{task}", requests=requests, candidates=tuple(candidates)))
    return Portfolio(customers=tuple(customers), slots=tuple(slots), rules=rules)


def relaxed(portfolio: Portfolio) -> float:
    """Return the best quality of the margins alone where a task may be split among offers: no portfolio is better."""
    options = every_option(portfolio)
    requests = [float(portfolio.requests(slot)) for slot in portfolio.slots]
    gains = [n * float(o.primary.quality) for n, each in zip(requests, options, strict=True) for o in each]
    owner = [number for number, each in enumerate(options) for _ in each]
    index, value, begins, lower, upper = [], list[float](), [0], list[float](), list[float]()
    for number in range(len(options)):
        columns = [column for column, own in enumerate(owner) if own == number]
        index += columns
        value += [1.0] * len(columns)
        begins.append(len(index))
        lower.append(1.0)
        upper.append(1.0)
    costs = [float(option.cost_usd) for each in options for option in each]
    for one in portfolio.customers:
        if one.budget_usd is None:
            continue
        columns = [column for column, own in enumerate(owner) if portfolio.slots[own].plan == one.plan]
        index += columns
        value += [float(portfolio.slots[owner[column]].requests) * costs[column] for column in columns]
        begins.append(len(index))
        lower.append(-np.inf)
        upper.append(float(one.budget_usd))
    lp, highs = HighsLp(), _Highs()
    highs.setOptionValue("output_flag", False)
    lp.num_col_, lp.num_row_ = len(gains), len(upper)
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = -np.array(gains), np.zeros(len(gains)), np.ones(len(gains))
    lp.row_lower_, lp.row_upper_ = np.array(lower), np.array(upper)
    lp.a_matrix_.format_ = MatrixFormat.kRowwise
    lp.a_matrix_.start_, lp.a_matrix_.index_ = np.array(begins), np.array(index)
    lp.a_matrix_.value_ = np.array(value)
    highs.passModel(lp)
    highs.run()
    return -float(highs.getInfo().objective_function_value) / sum(requests)


def solved(portfolio: Portfolio) -> Outcome:
    """Solve a portfolio within the time limit."""
    ends = time.monotonic() + SECONDS
    return best(portfolio, lambda: ends - time.monotonic(), GAP)


def large_ones() -> int:
    """Print seconds and gaps of large portfolios; return how many break a bound of theirs."""
    wrong = 0
    print("plans x tasks x offers  rules                    status      seconds   cpu  options kept     gap  cost gap")
    for size in SIZES:
        for name, rules in RULES.items():
            given = large(*size, rules)
            wall, cpu = time.perf_counter(), time.process_time()
            found = solved(given)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            gap = cost_gap = "none"
            if found.chosen is not None and found.quality_bound is not None:
                bound, quality, cost = relaxed(given), given.quality(found.chosen), given.cost_usd(found.chosen)
                gap = f"{float(found.quality_bound / quality) - 1:.5f}"
                cost_gap = cost_gap if found.cost_bound is None else f"{1 - float(found.cost_bound / cost):.5f}"
                wrong += float(quality) > bound * (1 + 1e-9) or not keeps(given, found.chosen)
            shape = " x ".join(map(str, size))
            kept = f"{found.kept} of {found.options}"
            print(
                f"{shape:22}  {name:23}  {found.status:10}  {wall:7.2f}  {cpu:4.1f}  {kept:>15}  {gap:7}  {cost_gap}",
                flush=True,
            )
    return wrong


def main() -> int:
    """Try ``--count`` worlds from ``--seed`` on, print the seeds that differ; then time large ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-large", action="store_true")
    options = parser.parse_args()
    different, unsolvable = [], 0
    for seed in track(range(options.seed, options.seed + options.count), "worlds"):
        given = world(seed)
        found, expected = best(given, lambda: 30.0), tried(given)
        unsolvable += expected.quality is None
        got = (None, None) if found.chosen is None else (given.quality(found.chosen), given.cost_usd(found.chosen))
        if got != expected or (found.chosen is not None and not keeps(given, found.chosen)):
            different.append(seed)
    print(f"{options.count} worlds, {unsolvable} without a solution, {len(different)} differences {different[:20]}")
    wrong = 0 if options.no_large else large_ones()
    return 1 if different or wrong else 0


sys.exit(main())
