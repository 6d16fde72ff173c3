"""Offers in the order of an objective without making them all: thousands of them, and only a few dozen are made."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from planner.core.ask import Pick
from planner.core.recommend import recommend
from planner.core.snapshot import Snapshot, compile_catalogue
from planner.core.usage import Usage
from planner.core.workload import Habits, Request, Workload
from tests import make
from tests.core.test_objective import scored

OFFERS = 400


def market() -> Snapshot:
    """Compile many offers of a few models: every cost and every speed occurs several times, and some are unknown."""
    made = {}
    for number in range(OFFERS):
        facts: dict[str, Any] = (
            {"ttft_ms": 100 * (number % 9), "throughput_tps": Decimal(number % 5 * 10)} if number % 7 else {}
        )
        offer = make.offer(
            f"direct:p{number}/m", f"acme/m{number % 11}", provider=f"p{number}",
            capabilities={"reasoning": number % 2 == 0}, **facts,
        )  # fmt: skip
        made[offer] = make.rates(str(1 + number % 13), str(2 + number % 13))
    return compile_catalogue(make.catalogue(made, scores=scored(m0="10", m1="20", m2="20", m3="30", m4="0", m5="-1")))


THINKING = Workload(
    requests=(Request(Usage(input_tokens=900, output_tokens=300)),),
    requests_per_period=3,
    habits=Habits(reasoning_multiplier=Fraction(3)),
)


@pytest.mark.parametrize("objective", ["cheapest", "best_quality", "fastest", "balanced"])
@pytest.mark.parametrize("thinking", [False, True])
def test_every_objective_makes_few_and_orders_as_the_plain_search(
    objective: str, thinking: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same chain, alternatives and counts as from all of them, with at most a quarter of them made."""
    snapshot = market()
    ask = make.ask(objective=objective, fallbacks=10)
    ask = replace(ask, workload=THINKING) if thinking else ask
    made = []
    pick = Snapshot._pick

    def counted(self: Snapshot, i: int, run: Any) -> Pick:
        made.append(i)
        return pick(self, i, run)

    monkeypatch.setattr(Snapshot, "_pick", counted)
    assert snapshot.recommend(ask) == recommend(snapshot.catalogue, ask)
    assert len(made) <= OFFERS // 4
