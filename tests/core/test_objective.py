"""The four objectives: by which figure each decides, what it says of it, and whom it cannot compare."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from planner.core.ask import Answer
from planner.core.catalogue import Catalogue
from planner.core.claim import Score
from planner.core.objective import note, rule
from planner.core.offer import Offer
from planner.core.plan import Needs
from planner.core.price import RateTable
from planner.core.recommend import recommend
from planner.core.snapshot import compile_catalogue
from tests import make

INDEX = "artificial_analysis_intelligence"


def scored(**points: str) -> dict[tuple[str, str], tuple[Score, ...]]:
    """Score models of acme by their names."""
    return {
        (f"acme/{name}", INDEX): (
            Score(
                model=f"acme/{name}",
                index=INDEX,
                score=Decimal(score),
                as_of=date(2026, 7, 22),
                source="t",
                source_url="https://t",
            ),
        )
        for name, score in points.items()
    }


def offered(name: str, usd: str, **facts: Any) -> tuple[Offer, RateTable]:
    """Offer a model of acme at one price for input and output."""
    return make.offer(f"direct:{name}/m", f"acme/{name}", provider=name, **facts), make.rates(usd, usd)


def chosen(catalogue: Catalogue, objective: str, **parts: Any) -> Answer:
    """Answer with both searches, which agree."""
    ask = make.ask(objective=objective, **parts)
    found = compile_catalogue(catalogue).recommend(ask)
    assert found == recommend(catalogue, ask)
    return found


WORLD = make.catalogue(
    dict([
        offered("small", "1", ttft_ms=900, throughput_tps=Decimal(100)),
        offered("large", "10", ttft_ms=400, throughput_tps=Decimal(50)),
        offered("odd", "2", ttft_ms=100, throughput_tps=Decimal(10)),
        offered("quiet", "0.5"),
    ]),
    scores=scored(small="20", large="60", odd="50"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("objective", "model", "compared"),
    [
        ("cheapest", "acme/quiet", 4),
        ("best_quality", "acme/large", 3),
        ("balanced", "acme/odd", 3),
        ("fastest", "acme/small", 3),
    ],
)
def test_each_objective_goes_by_its_own_figure(objective: str, model: str, compared: int) -> None:
    """The lowest cost; the highest score; two dollars for 50 points beat one for 20; 0.9 s and 5 s beat the others."""
    found = chosen(WORLD, objective)
    assert (found.choice.offer.model, found.compared, found.eligible) == (model, compared, 4)


def test_seconds_count_the_first_token_and_the_output() -> None:
    """0.9 s, then 500 tokens at 100 a second; unknown where a feed does not say both."""
    found = chosen(WORLD, "fastest")
    picks = {pick.offer.model: pick for pick in (found.choice, *found.fallbacks, *found.alternatives)}
    assert picks["acme/small"].expected_seconds == Fraction("5.9")
    assert picks["acme/large"].expected_seconds == Fraction("10.4")
    assert picks["acme/quiet"].expected_seconds is None


def test_a_score_of_zero_is_no_quality_to_divide_by() -> None:
    """Balanced puts it last; best quality still knows that it is the lowest."""
    catalogue = make.catalogue(
        dict([offered("small", "1"), offered("large", "9")]), scores=scored(small="0", large="1")
    )
    assert chosen(catalogue, "balanced").compared == 1
    assert chosen(catalogue, "balanced").choice.offer.model == "acme/large"
    assert chosen(catalogue, "best_quality").compared == 2


def test_whom_an_objective_cannot_compare_is_said() -> None:
    """Nothing where everybody was compared, how many where some were not, and that cost decided where nobody was."""
    ask = make.ask(objective="best_quality")
    assert note(ask, 4, 4) is None
    assert note(ask, 3, 4) == f"1 of 4 eligible offers have no score on {INDEX}, and come last"
    assert note(ask, 0, 4) == f"no eligible offer has a score on {INDEX}: answered as cheapest"
    assert "no score above 0 on" in str(note(replace(ask, objective="balanced"), 3, 4))
    assert "known time to the first token" in str(note(replace(ask, objective="fastest"), 0, 4))


def test_an_index_without_a_minimum_only_decides() -> None:
    """It refuses nobody, and the rule names it."""
    needs = Needs(quality_index="arena_text")
    found = chosen(WORLD, "best_quality", needs=needs)
    assert (found.choice.offer.model, found.compared, found.eligible) == ("acme/quiet", 0, 4)
    assert "arena_text" in rule(make.ask(objective="best_quality", needs=needs))
    assert "dollars per quality point" in rule(make.ask(objective="balanced"))
