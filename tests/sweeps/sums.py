"""Random rows on both databases, held against fractions to the last digit: ``python -m tests.sweeps.sums``."""

import argparse
import hashlib
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from rich.progress import track

from planner.core.money import pico_text
from planner.store.engine import open_store
from planner.store.migrate import upgrade
from tests.databases import postgres_database, postgres_server
from tests.ledger_books import total
from tests.ledger_runs import (
    QUESTIONS,
    UNIT_QUESTIONS,
    Rows,
    Told,
    differences,
    expected,
    fill,
    lines_found,
    sums_expected,
    sums_found,
    told,
)
from tests.reference_ledger import HEADS, MEASURES

# Rows are sent in pieces of about this size, which makes the two databases differ in that too.
PIECES = (700, 1_900)


class Run(NamedTuple):
    """What a database answers: rows that are booked otherwise than they should be, sums, and every line."""

    wrong: list[str]
    sums: list[str]
    lines: str


def show(listed: Iterable[Any], words: str, count: int) -> Iterable[Any]:
    """Show how far it is."""
    return track(listed, words, total=count)


def run(url: str, given: Told, rows: Rows, order: int) -> Run:
    """Fill a database, print what that took, and ask it."""
    upgrade(url)
    store = open_store(url)
    done = fill(store, given, order, PIECES[order], show)
    began = time.perf_counter()
    sums = sums_found(store)
    asked = time.perf_counter() - began
    everything, speed = total(store), len(given.first) / done.seconds
    print(
        f"{store.engine.dialect.name}: {speed:,.0f} rows/s in pieces of about {PIECES[order]};"
        f" {done.lines} of {done.looked_at} rows booked anew in {done.seconds_anew:.0f} s; {len(sums)} reports in"
        f" {asked:.1f} s; {pico_text(everything.cost)} to {pico_text(everything.high)} USD",
        flush=True,
    )
    found = Run(differences(store, rows), sums, lines_found(store))
    store.close()
    return found


def describe(rows: Rows) -> str:
    """Say what the rows are of."""
    standing = [each[-1].what for each in rows.values()]
    kinds = Counter(what.heads[HEADS.index("cost_basis")] for what in standing)
    low, high = MEASURES.index("cost"), MEASURES.index("high")
    bounded = sum(what.measures[low] != what.measures[high] for what in standing)
    late = sum(len(each) > 1 for each in rows.values())
    return f"{len(rows)} rows: {dict(kinds)}, {bounded} with bounds, {late} that something was learnt of late"


def main() -> int:
    """Take ``--rows`` rows of the world of ``--seed`` in, in another order on each database, and compare everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    given = told(options.seed, options.rows)
    rows = expected(given, show)
    print(describe(rows), flush=True)
    sums = sums_expected(rows, show)
    with tempfile.TemporaryDirectory() as folder, postgres_server() as server, postgres_database(server) as postgres:
        urls = f"sqlite:///{Path(folder) / 'sums.sqlite3'}", postgres
        runs = [run(url, given, rows, order) for order, url in enumerate(urls)]
    failed = 0
    for name, found in zip(("sqlite", "postgresql"), runs, strict=True):
        asked = zip((*UNIT_QUESTIONS, *QUESTIONS), found.sums, sums, strict=True)
        other = [question for question, one, two in asked if one != two]
        print(f"{name}: {len(found.wrong)} rows and {len(other)} of {len(sums)} reports differ")
        print("\n".join([*found.wrong[:3], *map(str, other[:3])]))
        failed += len(found.wrong) + len(other)
    digests = {hashlib.sha256("\n".join([*found.sums, found.lines]).encode()).hexdigest() for found in runs}
    print(f"both databases give {'the same bytes' if len(digests) == 1 else 'OTHER BYTES'}: {sorted(digests)}")
    return 1 if failed or len(digests) > 1 else 0


if __name__ == "__main__":
    sys.exit(main())
