"""Kill a refresh at many random moments on both databases: ``python -m tests.sweeps.kill``."""

import argparse
import sys
import tempfile
from pathlib import Path

from rich.progress import track

from planner.store.engine import open_store
from planner.store.migrate import upgrade
from tests.databases import postgres_database, postgres_server
from tests.kill import kills, prepare

BATCH = 10


def sweep(name: str, url: str, count: int, seed: int) -> None:
    """Kill ``count`` times in one database, in batches, and say what came of it."""
    upgrade(url)
    store = open_store(url)
    prepare(store)
    store.close()
    last = 0
    for batch in track(range(0, count, BATCH), name):
        last = kills(url, min(BATCH, count - batch), seed + batch)
    print(f"{name}: {count} kills, every revision whole, the last is {last}")


def main() -> int:
    """Kill ``--count`` times on each database, from ``--seed`` on; the first torn revision ends it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="kills on each database")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sweep("SQLite", f"sqlite:///{Path(folder) / 'planner.sqlite3'}", options.count, options.seed)
    with postgres_server() as server, postgres_database(server) as url:
        sweep("PostgreSQL", url, options.count, options.seed)
    return 0


sys.exit(main())
