"""Hold the decision against the plain procedure on many random worlds: ``python -m tests.sweeps.decisions``."""

import argparse
import sys
from collections import Counter

from rich.progress import track

from tests.core.test_decision import decided, expected
from tests.decision_worlds import world


def main() -> int:
    """Try ``--count`` worlds from ``--seed`` on; print the seeds that differ, and how often each code occurred."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    different: list[int] = []
    seen: Counter[str] = Counter()
    for seed in track(range(options.seed, options.seed + options.count), "worlds"):
        given = world(seed)
        found = decided(given)
        seen.update(code for codes in found for code in codes or ("allowed",))
        if [set(codes) for codes in found] != expected(given):
            different.append(seed)
    for code, count in seen.most_common():
        print(f"{count:8} {code}")
    print(f"{options.count} worlds, {len(different)} differences {different[:20]}")
    return 1 if different else 0


sys.exit(main())
