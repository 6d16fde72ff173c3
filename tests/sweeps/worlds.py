"""Hold the compiled catalogue against the plain search on many random worlds: ``python -m tests.sweeps.worlds``."""

import argparse
import sys

from rich.progress import track

from tests.core.test_snapshot_equals_reference import compiled, plain
from tests.worlds import world


def main() -> int:
    """Try ``--count`` worlds from ``--seed`` on; print the seeds that differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    seeds = range(options.seed, options.seed + options.count)
    different = [seed for seed in track(seeds, "worlds") if compiled(*world(seed)) != plain(*world(seed))]
    print(f"{options.count} worlds, {len(different)} differences {different[:20]}")
    return 1 if different else 0


sys.exit(main())
