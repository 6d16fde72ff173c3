"""Kill a refresh at many random moments on both databases: ``python -m tests.sweeps.kill``."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from rich.progress import track

from planner.store.engine import open_store
from planner.store.migrate import upgrade
from tests.databases import postgres_database, postgres_server
from tests.kill import kills, prepare

# Kills in one database; then a fresh one, so that checking everything stays quick.
BATCH = 10

Databases = Callable[[], AbstractContextManager[str]]


def sweep(name: str, databases: Databases, count: int, seed: int) -> None:
    """Kill ``count`` times in databases of one kind, and say what came of it."""
    revisions = 0
    for batch in track(range(0, count, BATCH), name):
        with databases() as url:
            upgrade(url)
            store = open_store(url)
            prepare(store)
            store.close()
            revisions += kills(url, min(BATCH, count - batch), seed + batch)
    print(f"{name}: {count} kills, {revisions} revisions, every one whole")


@contextmanager
def sqlite_database() -> Iterator[str]:
    """Yield the URL of an embedded database in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{Path(folder) / 'planner.sqlite3'}"


def main() -> int:
    """Kill ``--count`` times on each database, from ``--seed`` on; the first torn revision ends it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="kills on each database")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    sweep("SQLite", sqlite_database, options.count, options.seed)
    with postgres_server() as server:
        sweep("PostgreSQL", lambda: postgres_database(server), options.count, options.seed)
    return 0


sys.exit(main())
