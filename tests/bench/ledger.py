"""A year of a million rows of usage, and how long a margin report of them takes: ``python -m tests.bench.ledger``."""

import argparse
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path

import psycopg
from rich.progress import track

from planner.core.event import Event
from planner.core.periods import slot_of, slot_start
from planner.core.posting import RATED, Counted, Dims, Measures, Posting
from planner.flows.margin_report import Question, margin_report
from planner.store import rollups, usage
from planner.store.engine import Store, open_store
from planner.store.migrate import upgrade
from tests.databases import postgres_database, postgres_server

ROWS = 1_000_000
SINCE, UNTIL = date(2025, 12, 1), date(2026, 12, 1)
NOW = datetime(2026, 12, 1, tzinfo=UTC)
PLANS, TASKS, OFFERS, CUSTOMERS = 4, 6, 12, 2_000
TABLES = (
    "usage_events", "ledger_lines", "usage_dims", "usage_facts", "usage_days", "usage_months", "usage_fact_units",
    "usage_day_units",
)  # fmt: skip
# Rows in one transaction.
AT_ONCE = 50_000
# Prices in 1e-12 USD per token in, read from a cache, and out.
PRICES = {"input_token": 2_500_000, "cache_read_token": 250_000, "output_token": 15_000_000}


def _postings(count: int, seed: int) -> Iterator[tuple[int, Posting]]:
    """Yield what is booked for so many requests, in the order of time; a customer has one plan."""
    dice = random.Random(seed)
    first, last = (slot_of(datetime(day.year, day.month, day.day, tzinfo=UTC)) for day in (SINCE, UNTIL))
    known: dict[tuple[int, int, int], Dims] = {}
    for number in range(count):
        customer, task, offer = dice.randrange(CUSTOMERS), dice.randrange(TASKS), dice.randrange(OFFERS)
        heads = known.get((customer, task, offer))
        if heads is None:
            heads = Dims(
                plan=f"plan-{customer % PLANS}", task=f"task-{task}", customer=f"customer-{customer}",
                model=f"acme/model-{offer}", provider="acme", offer=f"direct:acme/model-{offer}",
                price_version=str(offer), cost_basis=RATED, band="base", source="backend",
            )  # fmt: skip
            known[customer, task, offer] = heads
        read, prompt, answer = dice.randrange(2_000), dice.randrange(1, 8_000), dice.randrange(1, 1_500)
        used = {"input_token": prompt, "cache_read_token": read, "output_token": answer}
        costs = {unit: quantity * PRICES[unit] for unit, quantity in used.items()}
        cost = sum(costs.values())
        units = tuple((unit, Counted(used[unit], *[costs[unit]] * (len(Counted._fields) - 1))) for unit in used)
        measures = Measures(1, 1, prompt + read, answer, cost, cost, cost, 0)
        yield first + number * (last - first) // count, Posting(heads, measures, units)


def fill(store: Store, count: int = ROWS, seed: int = 1) -> None:
    """Store so many requests, the line that books each, and their sums, as they are when requests come in."""
    postings = _postings(count, seed)
    for done in track(range(0, count, AT_ONCE), "rows"):
        some = list(islice(postings, AT_ONCE))
        events = [
            Event(
                source="backend", id=f"r{number}", at=slot_start(slot), offer=posting.dims.offer,
                plan=posting.dims.plan, customer=posting.dims.customer, task=posting.dims.task,
                counts={"input_tokens": posting.measures.input_tokens, "output_tokens": posting.measures.output_tokens},
            )
            for number, (slot, posting) in enumerate(some, done)
        ]  # fmt: skip
        changes = [
            usage.Change("usage", row, event.at, None, posting)
            for row, (event, (_slot, posting)) in enumerate(zip(events, some, strict=True), done + 1)
        ]
        with store.write() as connection:
            rows = [
                usage.New(row, event, *usage.written(event), usage.LIVE, event.offer)
                for row, event in enumerate(events, done + 1)
            ]
            usage.insert(connection, rows, usage.numbered(connection, changes), None, NOW, "bench")
            sums = usage.book(connection, changes, {}, NOW, range(done + 1, done + len(some) + 1))
            rollups.apply(connection, sums)


def copied(path: Path, url: str) -> None:
    """Copy the sums of an embedded database to one of a server: adding them there row by row takes ten times longer."""
    with closing(sqlite3.connect(path)) as there, psycopg.connect(url, autocommit=True) as here:
        for table in track(TABLES, "copied"):
            rows = there.execute(f"SELECT * FROM {table}")  # noqa: S608  # a name from this file
            names = [column[0] for column in rows.description]
            # The embedded database has no booleans and no moments.
            flag = names.index("matched") if "matched" in names else None
            columns = ", ".join(f'"{name}"' for name in names)
            with here.cursor().copy(f"COPY {table} ({columns}) FROM STDIN".encode()) as copy:
                for row in rows:
                    copy.write_row(row if flag is None else [*row[:flag], bool(row[flag]), *row[flag + 1 :]])
        # A server that was filled a while ago has done this by itself.
        here.execute("VACUUM ANALYZE")


def questions() -> dict[str, Question]:
    """Return what is asked, by name."""

    def by(*heads: str, tz: str = "UTC") -> Question:
        return Question(by=heads, since=SINCE, until=UNTIL, tz=tz)

    return {
        "plan, month": by("plan", "month"),
        "plan, month, Asia/Kolkata": by("plan", "month", tz="Asia/Kolkata"),
        "plan, task, offer, month": by("plan", "task", "offer", "month"),
        "customer": by("customer"),
        "customer, month": by("customer", "month"),
        "day": by("day"),
        "day, Asia/Kolkata": by("day", tz="Asia/Kolkata"),
    }


def report_ms(store: Store, asked: Question, runs: int = 5) -> float:
    """Return how long a report with its evidence takes, the median in milliseconds."""

    def once() -> float:
        began = time.perf_counter()
        with store.read() as connection:
            found = margin_report(connection, asked)
        took = time.perf_counter() - began
        assert found["total"]["coverage"] == "1.0000"
        return took * 1e3

    return statistics.median(once() for _ in range(runs))


@contextmanager
def filled(count: int = ROWS) -> Iterator[dict[str, Store]]:
    """Yield a database of each kind, by its name, with the sums of so many requests."""
    with tempfile.TemporaryDirectory() as folder, postgres_server() as server, postgres_database(server) as url:
        path = Path(folder) / "planner.sqlite3"
        stores = {}
        for name, address in (("SQLite", f"sqlite:///{path}"), ("PostgreSQL", url)):
            upgrade(address)
            stores[name] = open_store(address)
        fill(stores["SQLite"], count)
        copied(path, url)
        yield stores
        for store in stores.values():
            store.close()


def report(count: int = ROWS, show: Callable[[str], None] = print) -> None:
    """Show how long each question takes on both databases."""
    with filled(count) as stores:
        for name, store in stores.items():
            for what, asked in questions().items():
                target = "   target <= 300" if what == "plan, month" else ""
                show(f"margin by {what:<26} {name:<10} {report_ms(store, asked):8.0f} ms{target}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help="requests that are summed up")
    report(parser.parse_args().rows)
