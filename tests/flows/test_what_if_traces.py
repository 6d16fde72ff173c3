"""Two hours of real traffic under other prices, another model, a discount and a cache, worked out once more by hand."""

import csv
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from planner.core.decompose import SHAPLEY
from planner.core.event import Role
from planner.core.money import pico_text
from planner.core.price import Band, RateTable, UnitPrice, When
from planner.core.scenario import Caching, Discount, Intensity, Repricing, Scenario, Swap, Where
from planner.core.units import Unit
from planner.flows.import_file import Import, import_file
from planner.flows.supposing import Question
from planner.flows.what_if import what_if
from planner.store.engine import Store
from tests import make
from tests.data import shared
from tests.ledger_books import NOON, claim, know, listed

OLD, NEW = "direct:acme/long", "direct:bolt/small"
EDGE = 4_000
"""A prompt of more tokens costs twice as much: a fifth of the real ones."""

MAPPING: dict[str, Any] = {
    "kind": "usage", "id": "row", "at": "TIMESTAMP", "at_zone": "UTC", "at_shift_days": 1096, "cache_stated": True,
    "counts": {"input_tokens": "ContextTokens", "output_tokens": "GeneratedTokens"}, "constants": {"offer": OLD},
}  # fmt: skip
# Dollars per million: in, read from a cache, out. The new offer has no price of its own for what is read from one.
LONG = (Fraction("1.25"), Fraction("0.125"), Fraction(10))
SMALL = (Fraction("0.37"), Fraction("0.37"), Fraction("1.9"))
HIT, PERCENT, OFF, FACTOR = Fraction(37, 100), Fraction(13, 1_000), Fraction(1, 7), Fraction(107, 100)
CHANGES: dict[str, dict[str, Any]] = {
    "mix": {"swaps": (Swap(where=Where(plan="coder"), to=NEW),)},
    "token_intensity": {"intensities": (Intensity(where=Where(plan="coder"), input_factor=FACTOR),)},
    "cache": {"caches": (Caching(hit_share=HIT),)},
    "price": {"prices": (Repricing(percent=Decimal("1.3")),)},
    "discount": {"discounts": (Discount(share=OFF),)},
}


class Told(NamedTuple):
    """A row of a trace: how many tokens in and out, and of which plan."""

    prompt: int
    answer: int
    plan: str


def traces() -> Iterator[tuple[str, str]]:
    """Yield the files with the plan whose usage they are."""
    yield "AzureLLMInferenceTrace_code.csv", "coder"
    yield "AzureLLMInferenceTrace_conv.csv", "assistant"


class Used(NamedTuple):
    """Books that took both traces in, and the rows as their files say them."""

    store: Store
    rows: list[Told]


@pytest.fixture
def used(store: Store, tmp_path: Path) -> Used:
    """All rows on the embedded database; every fifth on the other one, where it is the same arithmetic."""
    know(store)
    dear = {
        unit: UnitPrice(make.rate(usd), (Band(When(input_tokens_gt=EDGE), make.rate(twice)),))
        for unit, usd, twice in (
            (Unit.INPUT, "1.25", "2.5"), (Unit.CACHE_READ, "0.125", "0.25"), (Unit.OUTPUT, "10", "20"),
        )
    }  # fmt: skip
    listed(store, claim(OLD, RateTable(dear)), claim(NEW, make.rates("0.37", "1.9")))
    rows: list[Told] = []
    for name, plan in traces():
        with shared("usage", "traces", name).open(newline="") as file:
            kept = list(csv.DictReader(file))[:: 1 if store.is_sqlite else 5]
        path = tmp_path / name
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(kept[0]))
            writer.writeheader()
            writer.writerows(kept)
        told = Import(
            path=path, name=name, words={"source": plan, "plan": plan}, mapping=MAPPING, format="mapping",
            role=Role.LEDGER,
        )  # fmt: skip
        import_file(store, told, now=lambda: NOON, by="test")
        rows += [Told(int(one["ContextTokens"]), int(one["GeneratedTokens"]), plan) for one in kept]
    return Used(store, rows)


def by_hand(rows: list[Told], happened: set[str]) -> int:
    """Return what rows cost in 1e-12 USD once some changes have happened: each line rounded once, half to even."""
    factor = Fraction(10**6)
    factor *= 1 + PERCENT if "price" in happened else 1
    factor *= 1 - OFF if "discount" in happened else 1
    lists = (LONG, 1), (LONG, 2), (SMALL, 1)
    short, long, small = ([usd * times * factor for usd in prices] for prices, times in lists)
    total = 0
    for row in rows:
        coder, prompt = row.plan == "coder", row.prompt
        if "token_intensity" in happened and coder:
            prompt = ceil(FACTOR * prompt)
        read = floor(HIT * prompt) if "cache" in happened else 0
        prices = small if "mix" in happened and coder else long if prompt > EDGE else short
        counts = prompt - read, read, row.answer
        total += sum(round(count * usd) for count, usd in zip(counts, prices, strict=True))
    return total


def asked(store: Store, scenario: Scenario, **more: Any) -> dict[str, Any]:
    """Ask about November."""
    with store.read() as connection:
        question = Question(since=date(2026, 11, 1), until=date(2026, 12, 1), scenario=scenario, **more)
        return what_if(connection, question)


def test_terms_sum_to_the_total_to_the_last_digit(used: Used) -> None:
    """For price, model, tokens, discount and cache share, each alone, all together, and averaged over all orders."""
    (store, rows), before = used, by_hand(used.rows, set())
    assert len(rows) == (28_185 if store.is_sqlite else 5_638)
    for name, change in CHANGES.items():
        found = asked(store, Scenario(**change))
        after = by_hand(rows, {name})
        assert after != before
        assert found["before"]["token_cost_usd"] == found["booked_usd"] == pico_text(before)
        assert found["after"]["token_cost_usd"] == pico_text(after)
        assert found["terms"] == [{"term": name, "usd": pico_text(after - before)}]
    scenario = Scenario(**{field: rules for change in CHANGES.values() for field, rules in change.items()})
    names = list(CHANGES)
    values = [by_hand(rows, set(names[:done])) for done in range(len(names) + 1)]
    found = asked(store, scenario)
    assert found["terms"] == [
        {"term": name, "usd": pico_text(values[place + 1] - values[place])} for place, name in enumerate(names)
    ]
    assert found["difference_usd"] == pico_text(values[-1] - values[0])
    two = Scenario(**CHANGES["cache"], **CHANGES["discount"])
    averaged = asked(store, two, method=SHAPLEY)
    cache, discount, both = (by_hand(rows, happened) for happened in ({"cache"}, {"discount"}, {"cache", "discount"}))
    exact = [Fraction(cache - before + both - discount, 2), Fraction(discount - before + both - cache, 2)]
    told = [Fraction(one["usd"]) * 10**12 for one in averaged["terms"]]
    assert sum(told) == both - before
    assert all(abs(one - term) < 1 for one, term in zip(told, exact, strict=True))
