"""Break every feed in two dozen ways, seeded: ``python -m tests.sweeps.mutations``."""

import argparse
import sys
from collections import Counter

from rich.progress import track

from tests.sources.golden import ROWS
from tests.sources.mutations import broken


def main() -> int:
    """Try ``--count`` mutations per adapter from ``--seed`` on; print what did not hold, by seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="mutations per adapter")
    parser.add_argument("--seed", type=int, default=0, help="first seed")
    options = parser.parse_args()
    failures: list[str] = []
    ways: Counter[str] = Counter()
    for source in ROWS:
        for seed in track(range(options.seed, options.seed + options.count), source):
            try:
                ways[broken(source, seed)] += 1
            except Exception as error:  # noqa: BLE001  # the sweep reports whatever a feed managed to break
                failures.append(f"{source} seed {seed}: {type(error).__name__} {str(error)[:120]}")
    print(f"{ways.total()} mutations in {len(ways)} ways held, {len(failures)} did not")
    print("\n".join(failures[:20]))
    return 1 if failures else 0


sys.exit(main())
