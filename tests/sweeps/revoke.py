"""Four workers, a hundred requests a second and an admin who revokes: ``python -m tests.sweeps.revoke``."""

import argparse
import sys
import tempfile
from pathlib import Path

from rich.progress import track

from planner.store.engine import open_store
from planner.store.migrate import upgrade
from tests.databases import postgres_database, postgres_server
from tests.revocation import revoke


def run(url: str, count: int, seed: int) -> int:
    """Revoke so many times on one database, print what was seen, and return what went wrong."""
    upgrade(url)
    store = open_store(url)
    name = url.partition(":")[0]
    record, revocations, seconds = revoke(store, count, seed, lambda numbers: track(numbers, name))
    store.close()
    print(
        f"{name}: {record.asked} requests, {record.asked / seconds:.0f} a second, {record.answered} recommendations, "
        f"{revocations} revocations, {len(record.violations)} violations, {len(record.failures)} failures"
    )
    for line in (*record.violations[:10], *record.failures[:10]):
        print(f"  {line}")
    return len(record.violations) + len(record.failures)


def main() -> int:
    """Run on the databases that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500, help="revocations")
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--seed", type=int, default=1, help="of what is revoked")
    options = parser.parse_args()
    wrong = 0
    if options.database != "postgresql":
        with tempfile.TemporaryDirectory() as folder:
            wrong += run(f"sqlite:///{Path(folder) / 'planner.sqlite3'}", options.count, options.seed)
    if options.database != "sqlite":
        with postgres_server() as server, postgres_database(server) as url:
            wrong += run(url, options.count, options.seed)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
