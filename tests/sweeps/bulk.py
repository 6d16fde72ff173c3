"""Rate random tables by a query and row by row, and hold them against each other: ``python -m tests.sweeps.bulk``."""

import argparse
import sys
import tempfile
from pathlib import Path
from random import Random

from rich.progress import track

from planner.core.event import Containment
from planner.core.money import pico_text
from planner.store import migrate
from planner.store.engine import open_store
from tests.bulk_tables import KINDS, WIDE, looked, parquet, priced, same, told
from tests.ledger_books import know

SAID: tuple[dict[str, object], ...] = (
    {},
    {"cache_stated": False},
    {"includes_cached": True},
    {"includes_cached": False},
)


def main() -> int:
    """Rate ``--tables`` tables of ``--rows`` rows each; the first that differs stops it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=500)
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    low = high = rated = refused = 0
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'planner.sqlite3'}"
        migrate.upgrade(url)
        store = priced(know(open_store(url)))
        for seed in track(range(options.seed, options.seed + options.tables), "tables"):
            dice = Random(seed)
            rows = [told(dice, number) for number in range(options.rows)]
            path = parquet(Path(folder) / "log.parquet", rows, KINDS)
            more = dice.choice(SAID)
            settled = {"acme": Containment(includes_cached=dice.random() < 1 / 2, because="sums")}  # a seed
            found = same(store, path, {**WIDE, **more}, containments=settled if "includes_cached" not in more else {})
            refused += looked(path, {**WIDE, **more}).refused_rows
            rated += found.outcomes["rated"]
            low += sum(measures.cost for measures in found.sums.facts.values())
            high += sum(measures.high for measures in found.sums.facts.values())
        store.close()
    print(f"{options.tables} tables of {options.rows} rows: {rated} rated, {refused} refused, the same both ways;")
    print(f"{pico_text(low)} to {pico_text(high)} USD")
    return 0


if __name__ == "__main__":
    sys.exit(main())
