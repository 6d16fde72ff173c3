"""Ratios against baselines measured in the same run: ``python -m tests.bench``."""

import contextlib
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import genai_prices

from planner.core.cost import cost
from planner.core.offer import Offer, OfferFacts
from planner.core.plan import Needs
from planner.core.policy import Policy
from planner.core.price import Rate, RateTable
from planner.core.snapshot import Snapshot, compile_catalogue
from planner.core.units import Unit
from planner.core.usage import Usage
from planner.core.workload import Workload
from tests import make
from tests.bench import ingest, ledger
from tests.bench.http import planner_server, polled_route, slowest_bad_body


def median_us(call: Callable[[int], object], runs: int = 200) -> float:
    """Return the median time of one call in microseconds; ``call`` gets the number of the run."""
    times = []
    for number in range(runs):
        began = time.perf_counter()
        call(number)
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e6


def synthetic(size: int) -> Snapshot:
    """Compile a catalogue of so many synthetic offers of 400 models and 60 providers."""
    dice = random.Random(size)
    offers = {}
    for number in range(size):
        facts = OfferFacts(
            model_spelling=f"m{number}", provider=f"p{number % 60}", channel="direct",
            capabilities={"tools": dice.random() < 0.8, "json_schema": dice.random() < 0.7},
            context_tokens=dice.choice((8_000, 32_000, 200_000)), max_output_tokens=8_000,
        )  # fmt: skip
        flat = {"input": f"{dice.uniform(0.05, 5):.4f}", "output": f"{dice.uniform(0.1, 15):.4f}", "cache_read": "0.01"}
        offers[Offer(id=f"direct:p{number % 60}/m{number}", facts=facts, model=f"a/m{number % 400}")] = make.rates(
            **flat
        )
    rows = [make.terms(f"p{n}", trains_on_prompts=n % 7 == 0) for n in range(55)]
    return compile_catalogue(make.catalogue(offers, terms=make.by_subject(*rows)))


def recommendation(size: int) -> float:
    """Recommend from so many offers under all constraints, workload and budget new each time."""
    snapshot = synthetic(size)
    needs = Needs(capabilities=("tools", "json_schema"), context_tokens=16_000, tiers=(1, 2, 3))
    question = make.ask(policy=Policy(name="p", version=1, deny_training=True), needs=needs, economics=make.economics())

    def one(number: int) -> object:
        usage = Usage(input_tokens=2_600 + number, cache_read_tokens=1_200, output_tokens=450)
        return snapshot.recommend(replace(question, workload=Workload.of(usage, 900)))

    one(0)
    return median_us(one)


def ranking() -> tuple[float, float, int]:
    """Rank as many offers as genai-prices knows for one usage, here and there, in us; and how many they are."""
    providers = genai_prices.data_snapshot.get_snapshot().providers
    known = [(model.id, provider.id) for provider in providers for model in provider.models]
    snapshot, question = synthetic(len(known)), make.ask()
    usage = genai_prices.Usage(input_tokens=2_600, output_tokens=450)

    def one(number: int) -> object:
        workload = Workload.of(Usage(input_tokens=2_600 + number, output_tokens=450))
        return snapshot.rank(replace(question, workload=workload))

    def other(_number: int) -> object:
        found = []
        for model, provider in known:
            with contextlib.suppress(LookupError, ValueError):
                found.append((genai_prices.calc_price(usage, model, provider_id=provider).total_price, model))
        return sorted(found)

    one(0)
    return median_us(one), median_us(other, 5), len(known)


def pricing() -> tuple[float, float, float]:
    """Price one mix of usages with planner (building the usage included, and not) and with genai-prices, in us."""
    at = datetime(2026, 11, 23, tzinfo=UTC)
    million = {Unit.INPUT: "1.25", Unit.CACHE_READ: "0.125", Unit.OUTPUT: "10"}
    rates = RateTable.flat({unit: Rate(Decimal(usd), 1_000_000) for unit, usd in million.items()})
    counts = [{"input_tokens": 2_000 + n, "cache_read_tokens": n, "output_tokens": 400 + n} for n in range(1_000)]
    ours = [Usage(**count) for count in counts]
    theirs = [genai_prices.Usage(**count) for count in counts]
    built = median_us(lambda n: cost(Usage(**counts[n]), rates, at), 1_000)
    alone = median_us(lambda n: cost(ours[n], rates, at), 1_000)
    other = median_us(lambda n: genai_prices.calc_price(theirs[n], "gpt-5", provider_id="openai"), 1_000)
    return built, alone, other


def main() -> None:
    """Print the table."""
    small, large = recommendation(5_000), recommendation(50_000)
    built, alone, other = pricing()
    print(f"recommendation, 5,000 offers      {small:10.0f} us   target <= 250")
    print(f"recommendation, 50,000 offers     {large:10.0f} us   x{large / small:.1f}, target <= x12")
    print(f"cost of one request               {alone:10.2f} us   {other / alone:.1f}x genai-prices, target >= 5x")
    print(f"usage built and priced            {built:10.2f} us   {other / built:.1f}x genai-prices")
    print(f"genai-prices calc_price           {other:10.2f} us")
    ours, theirs, size = ranking()
    print(f"ranking {size:,} offers            {ours:10.0f} us   {theirs / ours:.0f}x genai-prices, target >= 100x")
    for on_postgres, workers in ((False, 1), (False, 2), (True, 1), (True, 2)):
        with planner_server(workers, on_postgres=on_postgres) as port:
            polled, empty = polled_route(port, workers)
        where = f"{'PostgreSQL' if on_postgres else 'SQLite'}, {workers} worker{'s' * (workers > 1)}"
        print(
            f"polled over HTTP, {where:<22} {polled:8.0f} /s   "
            f"{polled / empty:.2f} of an empty route's {empty:.0f} /s, target >= 0.7"
        )
    with planner_server() as port:
        slowest, name = slowest_bad_body(port)
    print(f"slowest refusal of a bad body     {slowest:10.0f} ms   target <= 200 ({name})")
    ingest.report()
    ledger.report()


# The servers of the HTTP comparison are started from this file too, and must not start it again.
if __name__ == "__main__":
    main()
