"""Break every feed in two dozen ways, seeded, and publish what it says then: ``python -m tests.sweeps.mutations``."""

import argparse
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from rich.progress import Progress

from tests.sources.golden import ROWS
from tests.sources.mutations import broken
from tests.sources.trial import trial

SHARE = 500
"""So many mutations are one piece of work."""


def share(source: str, seeds: range) -> tuple[Counter[str], Counter[str], list[str]]:
    """Try some mutations of one feed, and return the ways, the outcomes, and what did not hold, by seed."""
    ways: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    failures = []
    with tempfile.TemporaryDirectory() as folder, trial(folder) as tried:
        for seed in seeds:
            try:
                ways[broken(source, seed, lambda *made: outcomes.update([tried.publish(*made)]))] += 1
            except Exception as error:  # noqa: BLE001  # the sweep reports whatever a feed managed to break
                failures.append(f"{source} seed {seed}: {type(error).__name__} {str(error)[:160]}")
    return ways, outcomes, failures


def main() -> int:
    """Try ``--count`` mutations per adapter from ``--seed`` on; print what did not hold, by seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="mutations per adapter")
    parser.add_argument("--seed", type=int, default=0, help="first seed")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    options = parser.parse_args()
    last = options.seed + options.count
    shares = [range(first, min(first + SHARE, last)) for first in range(options.seed, last, SHARE)]
    ways: Counter[str] = Counter()
    failures: list[str] = []
    with ProcessPoolExecutor(options.workers) as pool, Progress() as bars:
        for source in ROWS:
            outcomes: Counter[str] = Counter()
            bar = bars.add_task(source, total=len(shares))
            for tried, published, failed in pool.map(share, [source] * len(shares), shares):
                ways += tried
                outcomes += published
                failures += failed
                bars.advance(bar)
            bars.print(f"{source}: {dict(outcomes)}")
    print(f"{ways.total()} mutations in {len(ways)} ways held, {len(failures)} did not")
    print("\n".join(failures[:20]))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
