"""Four workers share a schedule of one-second slots: ``python -m tests.sweeps.turns``."""

import argparse
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from rich.progress import track

from planner.store.engine import open_store
from planner.store.migrate import upgrade
from tests.databases import postgres_database, postgres_server
from tests.flows.test_turn import SECOND, Moving, published, workers
from tests.kill import prepare


def run(url: str, count: int, slots: int, stop: bool) -> tuple[int, int, int]:  # an option of the command
    """Let workers share so many slots.

    Returns:
        Slots from the first that was ended to the last, those of them that were ended, and those that were ended
        without exactly one publication.
    """
    upgrade(url)
    store = open_store(url)
    prepare(store)
    with Moving().serving() as feed, workers(url, feed, count, slots) as pids:
        for second in track(range(slots), url.partition(":")[0]):
            time.sleep(1)
            if stop and second % 10 == 5:  # now and then
                os.kill(pids[second // 10 % count], signal.SIGSTOP)
            if stop and second % 10 == 8:  # three seconds later
                os.kill(pids[second // 10 % count], signal.SIGCONT)
    counts = published(store)
    store.close()
    span = round((max(counts) - min(counts)) / SECOND) + 1
    return span, len(counts), sum(1 for number in counts.values() if number != 1)


def main() -> int:
    """Run on both databases, with workers that are stopped and go on again unless told otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=4, help="processes")
    parser.add_argument("--slots", type=int, default=60, help="one-second slots")
    parser.add_argument("--no-stop", action="store_true", help="let every worker run through")
    options = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as folder, postgres_server() as server, postgres_database(server) as postgres:
        for url in (f"sqlite:///{Path(folder) / 'turns.sqlite3'}", postgres):
            span, ended, wrong = run(url, options.workers, options.slots, not options.no_stop)
            skipped = span - ended
            print(f"{url.partition(':')[0]}: {span} slots, {skipped} skipped, {wrong} without exactly one publication")
            # A worker that is stopped in the middle of its turn holds it until its lease runs out.
            failed += wrong + (skipped if options.no_stop else 0)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
