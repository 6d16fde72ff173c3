"""Hold the chains of many random worlds against simulated failover: ``python -m tests.sweeps.chains``."""

import argparse
import sys
from collections import Counter, defaultdict
from math import sqrt

from rich.progress import track

from tests.failover import ERRORS_MAX, REQUESTS, answered, broken_promises, chain, errors_of


def main() -> int:
    """Try ``--count`` worlds from ``--seed`` on; print the seeds that break a promise or miss a simulated figure.

    A figure that is wrong by little in every world shows in the mean of all errors, which are as often above as below.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--requests", type=int, default=REQUESTS, help="simulated requests of each world")
    options = parser.parse_args()
    broken: list[int] = []
    lengths: Counter[int] = Counter()
    errors: defaultdict[str, list[float]] = defaultdict(list)
    for seed in track(range(options.seed, options.seed + options.count), "worlds"):
        found = answered(seed)
        if found is None:
            continue
        answer, catalogue, ask = found
        lengths[len(chain(answer))] += 1
        off = errors_of(answer, catalogue, ask, requests=options.requests, seed=seed)
        if broken_promises(answer, catalogue, ask) or any(abs(figure) > ERRORS_MAX for figure in off.values()):
            broken.append(seed)
        for name, figure in off.items():
            errors[name].append(figure)
    print(
        f"{options.count} worlds, {lengths.total()} chains: {_by_length(lengths)}; {len(broken)} broken {broken[:20]}"
    )
    biased = False
    for name, each in errors.items():
        bias = sum(each) / sqrt(len(each))
        biased = biased or abs(bias) > ERRORS_MAX
        furthest = max(abs(one) for one in each)
        print(f"{name:12} {len(each)} compared: furthest off {furthest:.2f} errors, all together {bias:+.2f}")
    return 1 if broken or biased else 0


def _by_length(lengths: Counter[int]) -> str:
    return ", ".join(f"{count} of {links}" for links, count in sorted(lengths.items()))


sys.exit(main())
