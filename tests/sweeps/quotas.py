"""Hold quotas against simulated months, customer by customer: ``python -m tests.sweeps.quotas``."""

import argparse
import sys
from fractions import Fraction

from rich.progress import track

from planner.core.quota import Portfolio, expected_quota, portfolio_quota, tokens_of, worst_case_quota
from planner.core.spread import Lognormal, Observed, Pareto, Spread
from tests.quota_months import missed

TOKENS = tokens_of(Fraction("5.12"), Fraction("0.0000012"))
ALPHA = 0.05
# How far a simulated risk may lie from the one asked for: the load of 100 heavy-tailed customers is not quite normal.
SLACK = 0.03
SPREADS: dict[str, Spread] = {
    "lognormal 500k, 2.3": Lognormal(500_000, 2.3),
    "lognormal 3M, 1.0": Lognormal(3_000_000, 1.0),
    "pareto 500k, 1.05": Pareto(500_000, 1.05),
    "pareto 800k, 1": Pareto(800_000, 1.0),
    "observed": Observed(tuple(round(1.6**step * 10_000) for step in range(24) for _ in range(24 - step))),
}


def main() -> int:
    """Simulate ``--months`` of every world and rule; a rule that misses far more often than it says is a difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--months", type=int, default=4_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    worlds = [
        (name, Portfolio(spread=spread, subscribers=subscribers, sigma_g=sigma_g))
        for name, spread in SPREADS.items()
        for subscribers in (100, 1_000, 10_000)
        for sigma_g in (0.0, 0.2)
    ]
    rows, wrong = [], 0
    for name, world in track(worlds, "worlds"):
        independent = Portfolio(spread=world.spread, subscribers=world.subscribers, sigma_g=0.0)
        rules = {
            "worst case": (worst_case_quota(TOKENS), 0.0),
            "expected value": (expected_quota(world, TOKENS), 0.5),
            "portfolio": (portfolio_quota(world, TOKENS, ALPHA), ALPHA),
            "as if independent": (portfolio_quota(independent, TOKENS, ALPHA), None),
        }
        for rule, (cap, risk) in rules.items():
            if cap is None:
                continue
            share = missed(world, cap, float(TOKENS), months=options.months, seed=options.seed)
            bad = risk is not None and share > risk + SLACK
            wrong += bad
            rows.append(
                f"{name:20} N={world.subscribers:6} sigma_g={world.sigma_g:3} {rule:18} {cap / 1e6:9.2f} M tokens,"
                f" misses {share:6.1%}{'  TOO OFTEN' if bad else ''}"
            )
    print("\n".join(rows))
    print(f"{len(worlds)} worlds, {options.months} months each, {wrong} rules that miss too often")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
