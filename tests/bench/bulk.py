"""Rating files where they lie, rows a second and memory, against a loop over genai-prices in the same run.

``python -m tests.bench.bulk`` makes Parquet files of 5 and 50 million rows (about a minute and a gigabyte on the disk),
rates each in a process of its own, and prints both; ``--rows`` takes other sizes.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import genai_prices

from planner.core.claim import Segment
from planner.flows.rate_file import Asked, rate_file
from planner.ledger.format import Given
from planner.store import migrate
from planner.store.engine import open_store
from tests.ledger_books import NOON, claim, know, listed
from tests.make import rates

OFFERS, VERSIONS, VERSION_DAYS = 200, 24, 15
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SPAN_MICROS = 300 * 86_400 * 10**6
LOOPED = 20_000
MAPPING = {
    "kind": "usage", "id": "id", "at": "at", "offer": "offer", "plan": "plan", "includes_cached": True,
    "counts": {"input_tokens": "input", "cache_read_tokens": "cached", "output_tokens": "output"},
}  # fmt: skip


def books(path: Path) -> str:
    """Make a database that knows 200 offers under 24 prices each, one after the other; return its URL."""
    url = f"sqlite:///{path}"
    migrate.upgrade(url)
    store = open_store(url)
    know(store)
    begins = [BEGIN - timedelta(days=30) + number * timedelta(days=VERSION_DAYS) for number in range(VERSIONS)]
    ends = [*begins[1:], None]
    claims = []
    for offer in range(OFFERS):
        prices = [
            rates(str(Decimal(25_000 + 100 * v + offer) / 10**4), str(Decimal(150_000 + 100 * v + offer) / 10**4),
                  cache_read=str(Decimal(2_500 + 10 * v + offer) / 10**4))
            for v in range(VERSIONS)
        ]  # fmt: skip
        segments = [Segment(*stretch) for stretch in zip(begins, ends, prices, strict=True)]
        claims.append(claim(f"direct:p{offer % 20}/m{offer}", *segments))
    listed(store, *claims, at=NOON)
    store.close()
    return url


def usage(path: Path, rows: int) -> None:
    """Write a Parquet file of so many requests over 300 days, each with an id of its own."""
    with duckdb.connect(config={"threads": "2"}) as engine:
        engine.execute(
            f"""COPY (SELECT 'req-' || lpad(i::VARCHAR, 12, '0') AS id,
                TIMESTAMPTZ '2026-01-01 00:00:00+00' + to_microseconds(i * {SPAN_MICROS // rows}) AS at,
                'direct:p' || (hash(i) % 20) || '/m' || (hash(i) % {OFFERS}) AS offer,
                ['free', 'pro', 'team'][(1 + hash(i + 7) % 3)::BIGINT] AS plan,
                (500 + hash(i + 1) % 8000)::BIGINT AS input, (hash(i + 2) % 500)::BIGINT AS cached,
                (10 + hash(i + 3) % 2000)::BIGINT AS output
            FROM range({rows}) told(i)) TO '{path}' (FORMAT parquet)"""  # noqa: S608  # our own numbers
        )


def rated(url: str, path: Path) -> dict[str, object]:
    """Rate a file by plan and month, and return what it came to, how long that took, and the most memory it had."""
    store = open_store(url)
    began = time.perf_counter()
    asked = Asked(
        path=path, given=Given(source="log", mapping=MAPPING), by=("plan", "month"), at=NOON, format="mapping"
    )
    found = rate_file(store, asked)
    seconds = time.perf_counter() - began
    store.close()
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "peak_mib": peak_mib, "rows": found["total"]["rows"], "usd": found["total"]["cost_usd"]}


def looped() -> float:
    """Return how many requests a second a loop over genai-prices rates, of the same mix."""
    began = time.perf_counter()
    for number in range(LOOPED):
        counts = genai_prices.Usage(
            input_tokens=500 + number % 8_000, cache_read_tokens=number % 500, output_tokens=450
        )
        genai_prices.calc_price(counts, "gpt-5", provider_id="openai", genai_request_timestamp=NOON)
    return LOOPED / (time.perf_counter() - began)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[5_000_000, 50_000_000])
    parser.add_argument("--rate", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.rate:
        print(json.dumps(rated(options.rate[0], Path(options.rate[1]))))
        return
    # The loop runs before and after each file: machines that are shared are not always as fast.
    loops, peaks = [looped()], list[float]()
    print(f"a loop over genai-prices           {loops[0]:12,.0f} rows/s")
    with tempfile.TemporaryDirectory() as folder:
        url = books(Path(folder) / "planner.sqlite3")
        for rows in options.rows:
            path = Path(folder) / f"{rows}.parquet"
            usage(path, rows)
            command = [sys.executable, "-m", "tests.bench.bulk", "--rate", url, str(path)]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            path.unlink()
            loops.append(looped())
            speed, loop = found["rows"] / found["seconds"], (loops[-2] + loops[-1]) / 2
            peaks.append(found["peak_mib"])
            print(
                f"{rows:11,} rows rated in place    {speed:12,.0f} rows/s   {speed / loop:.0f}x the loop of"
                f" {loop:,.0f}, target >= 200x; {found['seconds']:.1f} s, {found['peak_mib']:.0f} MiB at most,"
                f" {found['usd']} USD"
            )
    print(f"memory, largest against smallest   {max(peaks) / min(peaks):12.2f} times   target <= 1.5")


if __name__ == "__main__":
    main()
