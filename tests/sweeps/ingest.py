"""Usage that comes in while everything goes wrong, on both databases: ``python -m tests.sweeps.ingest``."""

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from rich.progress import track

from planner.store.engine import Store, open_store
from tests.databases import PostgresServer, postgres_database, running_postgres
from tests.ingest_runs import cut, ended, repeated, restarted, serving_here, spoilt
from tests.ingesting import prepare

# Kills, and batches with a bad row, in one database; then a fresh one, so that checking everything stays quick.
ENDED_AT_ONCE, SPOILT_AT_ONCE = 20, 50
ROWS = 1_000
START_SECONDS_MAX = END_SECONDS_MAX = 10.0
RECOVERY_SECONDS_MAX = 5.0
STOPS = ((signal.SIGTERM,), (signal.SIGINT,), (signal.SIGTERM, signal.SIGTERM), (signal.SIGHUP,))

Databases = Callable[[], AbstractContextManager[str]]


class Sweep:
    """Every run on databases of one kind."""

    def __init__(self, name: str, databases: Databases, options: argparse.Namespace) -> None:
        """Remember where, how often, and from which seed on."""
        self._name, self._databases, self._options = name, databases, options
        self.late = 0

    def _each(self, what: str, done: int, count: int) -> Callable[[range], Iterable[int]]:
        return lambda numbers: track(numbers, f"{self._name}, {what} {done}/{count}")

    @contextmanager
    def _served(self) -> Iterator[tuple[Store, int]]:
        with self._databases() as url:
            prepare(url)
            store = open_store(url)
            with serving_here(store) as port:
                yield store, port
            store.close()

    def ends(self, what: str, count: int, ways: tuple[tuple[signal.Signals, ...], ...]) -> None:
        """End the server at random moments."""
        rows = unanswered = 0
        slowest_start = slowest_end = 0.0
        for first in range(0, count, ENDED_AT_ONCE):
            with self._databases() as url:
                prepare(url)
                some = min(ENDED_AT_ONCE, count - first)
                found = ended(url, some, self._options.seed + first, ways, self._each(what, first, count))
            rows, unanswered = rows + found.rows, unanswered + found.unanswered
            slowest_start = max(slowest_start, found.start_seconds)
            slowest_end = max(slowest_end, found.end_seconds)
        print(
            f"{self._name}, {what}: {count} times, {rows} rows, each once; {unanswered} batches got no answer; "
            f"ready again within {slowest_start:.1f} s, ended within {slowest_end:.1f} s"
        )
        self._judge(slowest_start, START_SECONDS_MAX)
        self._judge(slowest_end, END_SECONDS_MAX)

    def _judge(self, seconds: float, seconds_max: float) -> None:
        if seconds > seconds_max:
            self.late += 1
            print(f"  which is later than {seconds_max:.0f} s")

    def repeats(self) -> None:
        """Send the same batches again and again."""
        count, copies = self._options.batches, self._options.copies
        with self._served() as (store, port):
            told = repeated(store, port, count, copies, self._options.seed, self._each("batches", 0, count))
        conflicts = sum(said["conflict"] for bodies in told.said.values() for said in bodies.values())
        print(
            f"{self._name}, {count} batches sent {copies} times by 32 clients: {len(told.sent)} rows, each once; "
            f"{conflicts} conflicts; answers {dict(told.answers)}"
        )

    def cuts(self) -> None:
        """Hang up at any byte."""
        with self._served() as (store, port):
            rows = cut(store, port, self._options.cuts, self._options.seed, self._each("cuts", 0, self._options.cuts))
        print(f"{self._name}, {self._options.cuts} clients hung up: {rows} rows, each once; no connection kept")

    def spoils(self) -> None:
        """Send one bad row in each batch."""
        rows, count = 0, self._options.spoilt
        for first in range(0, count, SPOILT_AT_ONCE):
            some = min(SPOILT_AT_ONCE, count - first)
            with self._served() as (store, port):
                rows += spoilt(
                    store, port, some, ROWS, self._options.seed + first, self._each("bad rows", first, count)
                )
        print(f"{self._name}, {count} batches of {ROWS} with one bad row: {rows} rows, and every bad one named")

    def restarts(self, server: PostgresServer) -> None:
        """Stop PostgreSQL under load."""
        count, kills, seed = self._options.restarts, self._options.sessions, self._options.seed
        with self._databases() as url:
            prepare(url)
            found = restarted(server, url, count, kills, seed, self._each("restarts", 0, count))
        print(
            f"{self._name}, {count} restarts, {found.terminated} transactions ended: {found.rows} rows, each once; "
            f"answers {dict(found.answers)}; well again within {found.recovery_seconds:.1f} s"
        )
        self._judge(found.recovery_seconds, RECOVERY_SECONDS_MAX)


@contextmanager
def sqlite_database() -> Iterator[str]:
    """Yield the URL of an embedded database in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{Path(folder) / 'planner.sqlite3'}"


def main() -> int:
    """Run what is asked for, or everything; the first row lost or counted twice ends it, and what was late is 1."""
    runs = ("kill", "repeat", "restart", "cut", "stop", "spoil")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=runs, action="append", help="one kind of run; may be said again")
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--kills", type=int, default=200, help="kills of the server on each database")
    parser.add_argument("--stops", type=int, default=100, help="signals to the server on each database")
    parser.add_argument("--batches", type=int, default=1_000, help="batches that are sent again and again")
    parser.add_argument("--copies", type=int, default=50, help="how often each of them is sent")
    parser.add_argument("--restarts", type=int, default=30, help="restarts of PostgreSQL")
    parser.add_argument("--sessions", type=int, default=500, help="sessions of PostgreSQL ended in a transaction")
    parser.add_argument("--cuts", type=int, default=2_000, help="clients that hang up on each database")
    parser.add_argument("--spoilt", type=int, default=1_000, help="batches with one bad row on each database")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    wanted = options.only or runs

    def sweep(databases: Databases, server: PostgresServer | None) -> int:
        made = Sweep("SQLite" if server is None else "PostgreSQL", databases, options)
        if "kill" in wanted:
            made.ends("killed", options.kills, ((signal.SIGKILL,),))
        if "stop" in wanted:
            made.ends("told to stop", options.stops, STOPS)
        if "repeat" in wanted:
            made.repeats()
        if "cut" in wanted:
            made.cuts()
        if "spoil" in wanted:
            made.spoils()
        if "restart" in wanted and server is not None:
            made.restarts(server)
        return made.late

    late = 0
    if options.database != "postgresql":
        late += sweep(sqlite_database, None)
    if options.database != "sqlite":
        with running_postgres() as server:
            late += sweep(lambda: postgres_database(server.url), server)
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
