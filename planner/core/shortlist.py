"""Eligible offers in the exact order of an objective, made one at a time: an answer needs a dozen of thousands.

Floats tell most offers apart; whoever is too close to tell is put in order by the exact key of
`planner.core.objective`. Scores are compared as ranks, which are whole numbers and lose nothing.
"""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import NamedTuple

import numpy as np

from planner.core.ask import Ask, Pick
from planner.core.catalogue import Catalogue
from planner.core.checks import index_of
from planner.core.compiled import Codes, Eligible, Indices, Run
from planner.core.kept import Kept
from planner.core.objective import Order, order
from planner.core.pricing import Flags, Floats
from planner.core.usage import Usage

# Far above the error of a handful of double operations, far below any difference that matters.
CLOSE = 1e-9
SHORTLIST = 48
KEPT_INDEXES = 8

Make = Callable[[int], Pick]


class Scored(NamedTuple):
    """The scores of every offer on one index: their ranks, 0 for none, and about their values."""

    ranks: Codes
    values: Floats


class Figures:
    """What objectives compare besides costs, by offer: speeds, and scores on every index that is asked for."""

    def __init__(self, catalogue: Catalogue) -> None:
        """Lay out how quick every offer is."""
        self._catalogue = catalogue
        facts = [offer.facts for offer in catalogue.offers]
        known = [each.ttft_ms is not None and (each.throughput_tps or 0) > 0 for each in facts]
        self.timed: Flags = np.array(known, np.bool_)
        self.ttft_s = np.array([(each.ttft_ms or 0) / 1000 for each in facts], np.float64)
        speeds = [float(each.throughput_tps or 1) if timed else 1.0 for each, timed in zip(facts, known, strict=True)]
        self.tokens_per_s = np.array(speeds, np.float64)
        self._scored = Kept(KEPT_INDEXES)

    def scored(self, index: str) -> Scored:
        """Return everybody's scores on one index."""
        return self._scored.get_or(index, lambda: self._make_scored(index))

    def _make_scored(self, index: str) -> Scored:
        found = {
            model: score.score
            for model in {offer.model for offer in self._catalogue.offers}
            if (score := self._catalogue.score(model, index)) is not None
        }
        ranks = {score: rank for rank, score in enumerate(sorted(set(found.values())), 1)}
        by_offer = [found.get(offer.model) for offer in self._catalogue.offers]
        return Scored(
            np.array([0 if score is None else ranks[score] for score in by_offer], np.int32),
            np.array([0.0 if score is None else float(score) for score in by_offer], np.float64),
        )


def by_objective(figures: Figures, run: Run, eligible: Eligible, pick: Make) -> tuple[Iterator[Pick], int]:
    """Return the eligible offers in the order of their question's objective, and how many it can compare."""
    ask, indices, costs = run.ask, eligible.indices, eligible.costs
    key = order(ask)
    if ask.objective == "cheapest":
        return in_order(indices, costs, pick, key), len(indices)
    if ask.objective == "fastest":
        compared = figures.timed[indices]
        values = _seconds(figures, run, indices)
    else:
        scored = figures.scored(index_of(ask.needs))
        ranks = scored.ranks[indices]
        if ask.objective == "best_quality":
            return _by_rank(ranks, indices, costs, pick, key), int(np.count_nonzero(ranks))
        compared = scored.values[indices] > 0
        values = costs / np.where(compared, scored.values[indices], 1)
    first = in_order(indices[compared], values[compared], pick, key)
    rest = in_order(indices[~compared], costs[~compared], pick, key)
    return chain(first, rest), int(np.count_nonzero(compared))


def _seconds(figures: Figures, run: Run, indices: Indices) -> Floats:
    tokens = np.array([_output_tokens(run.ask, usages) for usages in run.usages], np.float64)
    groups = run.field.ways.groups
    each = tokens[0] if groups is None else tokens[groups[indices]]
    seconds: Floats = figures.ttft_s[indices] + each / figures.tokens_per_s[indices]
    return seconds


def _output_tokens(ask: Ask, usages: tuple[Usage, ...]) -> float:
    requests = zip(ask.workload.requests, usages, strict=True)
    return float(sum(request.share * usage.output_tokens for request, usage in requests))


def _by_rank(ranks: Codes, indices: Indices, costs: Floats, pick: Make, key: Order) -> Iterator[Pick]:
    """Yield picks from the best rank down, the cheapest of each rank first."""
    for rank in np.unique(ranks)[::-1].tolist():
        level = ranks == rank
        yield from in_order(indices[level], costs[level], pick, key)


def in_order(indices: Indices, values: Floats, pick: Make, key: Order) -> Iterator[Pick]:
    """Yield picks by rising value, lazily; values too close to tell apart as floats are ordered by the exact key."""
    if len(values) > SHORTLIST:
        edge = np.partition(values, SHORTLIST)[SHORTLIST]
        # Everything that could belong among the first by its exact sum, ties at the edge included.
        inside = values <= edge * (1 + 2 * CLOSE)
        yield from _groups(indices[inside], values[inside], pick, key)
        indices, values = indices[~inside], values[~inside]
    yield from _groups(indices, values, pick, key)


def _groups(indices: Indices, values: Floats, pick: Make, key: Order) -> Iterator[Pick]:
    """Yield picks in the order of their values, those too close to tell apart sorted by the exact key."""
    sequence = np.argsort(values)
    group: list[Pick] = []
    last = -np.inf
    for i, value in zip(indices[sequence].tolist(), values[sequence].tolist(), strict=True):
        if group and value > last + CLOSE * abs(last):
            yield from sorted(group, key=key) if len(group) > 1 else group
            group = []
        last = value
        group.append(pick(i))
    yield from sorted(group, key=key)
