"""The frontier against a plain procedure: whom nobody dominates, who ties, who has no score, and what a budget buys."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

from planner.core.ask import Ask
from planner.core.catalogue import Catalogue
from planner.core.checks import index_of
from planner.core.claim import Score
from planner.core.errors import NoAnswer
from planner.core.frontier import Frontier, Point, best_blend, frontier
from planner.core.ranking import Ranked
from planner.core.recommend import affordable_at, rank, recommend
from planner.core.snapshot import compile_catalogue
from tests import make
from tests.core.test_objective import INDEX, offered, scored
from tests.worlds import world

WORLDS = 150
MARKETS = 600


def found_in(catalogue: Catalogue, ask: Ask, ranked: Sequence[Ranked]) -> Frontier:
    """Find the frontier on the question's own index."""
    return frontier(catalogue, ask, index_of(ask.needs), ranked, catalogue.model_tiers(ask.at))


def by_hand(catalogue: Catalogue, ask: Ask, ranked: Sequence[Ranked]) -> Mapping[str, int]:
    """Compare everybody with everybody: the first id of each undominated cost and score, and how many equal it."""
    figures = {
        item.offer.id: (item.cost_usd, score.score)
        for item in ranked
        if affordable_at(ask, item.cost_usd)
        and (score := catalogue.score(item.offer.model, index_of(ask.needs))) is not None
    }

    def dominated(id_: str) -> bool:
        cost, score = figures[id_]
        return any(c <= cost and s >= score and (c, s) != (cost, score) for c, s in figures.values())

    left = sorted((id_ for id_ in figures if not dominated(id_)), key=lambda id_: (figures[id_][0], id_.encode()))
    firsts: dict[object, str] = {}
    for id_ in left:
        firsts.setdefault(figures[id_], id_)
    return {first: sum(figures[id_] == figure for id_ in left) - 1 for figure, first in firsts.items()}


def market(seed: int) -> tuple[Catalogue, Ask, list[Ranked]]:
    """Return a random ranking: costs and scores from a few values, so that many are equal, and some without a score."""
    dice = random.Random(seed)
    names = [f"m{number}" for number in range(dice.randint(1, 40))]
    ranked = [
        Ranked(make.offer(f"direct:{name}/m", f"acme/{name}"), cost := Fraction(dice.randint(1, 30), 1_000), cost)
        for name in names
    ]
    ranked.sort(key=lambda item: (item.cost_usd, item.offer.id.encode()))
    scores = scored(**{name: str(dice.randint(1, 25)) for name in names if dice.random() < 0.8})
    economics = make.economics("0.02", "0") if dice.random() < 0.3 else None
    return make.catalogue({}, scores=scores), make.ask(economics=economics), ranked


def test_the_frontier_is_whom_nobody_dominates() -> None:
    """Random markets: the same points and ties as by comparing all pairs, and every offer is accounted for."""
    points = ties = 0
    for seed in range(MARKETS):
        catalogue, ask, ranked = market(seed)
        found = found_in(catalogue, ask, ranked)
        assert {one.offer.id: one.equals for one in found.points} == by_hand(catalogue, ask, ranked), f"seed {seed}"
        told = sum(1 + point.equals for point in found.points) + found.dominated + found.unscored
        assert told == found.eligible
        assert found.eligible + found.too_dear == len(ranked)
        points += len(found.points)
        ties += sum(point.equals for point in found.points)
    assert points > 2 * MARKETS
    assert ties > MARKETS // 50


def test_the_compiled_catalogue_finds_the_same_frontier() -> None:
    """The same points, bargains and counts; refused by the same reasons as the plain search says."""
    for seed in range(WORLDS):
        catalogue, ask = world(seed)
        snapshot = compile_catalogue(catalogue)
        try:
            plain = rank(catalogue, ask)
        except NoAnswer:
            continue
        ranked = snapshot.rank(ask)
        found = found_in(catalogue, ask, ranked)
        assert found == found_in(catalogue, ask, plain), f"seed {seed}"
        refused = {code: count for code, count in {**ranked.refused, "margin": found.too_dear}.items() if count}
        try:
            expected = recommend(catalogue, ask).refused
        except NoAnswer as error:
            told = error.facts()["refused"]
            assert isinstance(told, Mapping)
            expected = told
        assert refused == expected, f"seed {seed}"


WORLD = make.catalogue(
    dict([
        offered("small", "1"), offered("fair", "2"), offered("large", "9"), offered("twin", "2"), offered("mute", "3"),
    ]),
    scores=scored(small="20", fair="50", large="57", twin="50"),
)  # fmt: skip


def test_every_further_point_of_quality_has_a_price() -> None:
    """From 20 to 50 points for 0.0015 USD more, then 7 points for 0.0105; the last one leads nowhere."""
    found = found_in(WORLD, make.ask(), rank(WORLD, make.ask()))
    assert [point.offer.model for point in found.points] == ["acme/small", "acme/fair", "acme/large"]
    assert [point.usd_per_quality_point for point in found.points] == [
        Fraction("0.0015") / 30, Fraction("0.0105") / 7, None,
    ]  # fmt: skip
    assert (found.points[1].equals, found.dominated, found.unscored) == (1, 0, 1)
    assert found.points[0].score.index == INDEX


def test_a_better_offer_at_the_same_cost_takes_the_place() -> None:
    """Whatever their ids: the lower score of two equal costs is dominated."""
    catalogue = make.catalogue(dict([offered("a", "1"), offered("b", "1")]), scores=scored(a="20", b="21"))
    found = found_in(catalogue, make.ask(), rank(catalogue, make.ask()))
    assert ([point.offer.model for point in found.points], found.dominated) == (["acme/b"], 1)


def test_without_a_score_there_is_no_frontier() -> None:
    """Everybody is counted as unscored, and no budget buys a blend of nothing."""
    ask = make.ask()
    found = frontier(WORLD, ask, "arena_text", rank(WORLD, ask), {})
    assert (found.points, found.eligible, found.unscored) == ((), 5, 5)
    assert best_blend(found.points, Fraction(1)) is None


def test_of_two_equal_offers_the_first_id_is_the_point() -> None:
    """A worse one at the same cost, before both by id, is dominated."""
    catalogue = make.catalogue(
        dict([offered("a", "1"), offered("b", "1"), offered("c", "1")]), scores=scored(a="20", b="21", c="21")
    )
    found = found_in(catalogue, make.ask(), rank(catalogue, make.ask()))
    assert [(point.offer.model, point.equals) for point in found.points] == [("acme/b", 1)]
    assert found.dominated == 1


def test_a_bargain_is_a_model_and_its_cheapest_offer() -> None:
    """Tier 2 by price and tier 1 by quality; its second offer is counted, not listed."""
    ask = make.ask()
    labels = WORLD.model_tiers(ask.at)
    labelled = {"acme/fair": replace(labels["acme/fair"], quality_tier=1)}
    found = frontier(WORLD, ask, INDEX, rank(WORLD, ask), labelled)
    assert [(one.offer.model, one.label.tier, one.offers) for one in found.bargains] == [("acme/fair", 2, 1)]


def points() -> tuple[Point, ...]:
    """Return the points of the small world: 0.0015, 0.003 and 0.0135 USD for 20, 50 and 57 points."""
    return found_in(WORLD, make.ask(), rank(WORLD, make.ask())).points


def test_a_budget_between_two_points_buys_a_share_of_the_dearer_one() -> None:
    """Half way from 0.003 to 0.0135 USD: half of the requests, and half of the points."""
    blend = best_blend(points(), Fraction("0.00825"))
    assert blend is not None
    assert (blend.cheap.offer.model, blend.strong.offer.model) == ("acme/fair", "acme/large")
    assert (blend.share, blend.cost_usd, blend.score) == (Fraction(1, 2), Fraction("0.00825"), Fraction("53.5"))


def test_a_budget_below_or_above_every_point() -> None:
    """Below the cheapest there is no blend; above the dearest it is that one alone."""
    assert best_blend(points(), Fraction("0.001")) is None
    blend = best_blend(points(), Fraction(1))
    assert blend is not None
    assert (blend.strong.score.score, blend.score) == (Decimal(57), Fraction(57))


def test_no_pair_of_offers_scores_higher_than_the_best_blend() -> None:
    """Random markets without a margin: every pair at every budget, compared with the two ends that were chosen."""
    blends = 0
    for seed in range(MARKETS // 5):
        catalogue, ask, ranked = market(seed)
        found = found_in(catalogue, replace(ask, economics=None), ranked).points
        for budget in {(one.cost_usd + other.cost_usd) / 2 for one in found for other in found}:
            best = best_blend(found, budget)
            assert best is not None
            assert best.cost_usd <= budget
            assert best.score >= max(score_at(one, other, budget) for one in found for other in found), f"seed {seed}"
            blends += best.share not in (0, 1)
    assert blends > MARKETS // 5


def score_at(one: Point, other: Point, budget: Fraction) -> Fraction:
    """Return the mean score of a pair whose dearer offer gets what the budget affords; -1 if it affords neither."""
    cheap, strong = sorted((one, other), key=lambda point: point.cost_usd)
    if cheap.cost_usd > budget:
        return Fraction(-1)
    dearer = strong.cost_usd - cheap.cost_usd
    share = min(Fraction(1), (budget - cheap.cost_usd) / dearer) if dearer else Fraction(1)
    return share * Fraction(strong.score.score) + (1 - share) * Fraction(cheap.score.score)


def test_the_catalogue_knows_which_indexes_there_are() -> None:
    """By name, each once, whatever models they are about."""
    score = Score(
        model="acme/small", index="b", score=Decimal(1), as_of=date(2026, 7, 1), source="s", source_url="https://s.test"
    )
    held = {("acme/small", "b"): (score,), ("acme/large", "b"): (score,), ("acme/small", "a"): (score,)}
    assert make.catalogue({}, scores=held).indexes == ("a", "b")
