"""Failover played out request by request, to hold the formulas of a chain against; and what every answer promises."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from planner.core.ask import Answer, Ask, Pick
from planner.core.catalogue import Catalogue
from planner.core.chain import Chain, Link, chain_behind, links_of, machines_of
from planner.core.errors import NoAnswer
from planner.core.plan import Needs
from planner.core.recommend import affordable_at, refusals
from planner.core.snapshot import compile_catalogue
from tests import make
from tests.worlds import world

# Further from the mean than this, nothing of ten thousand worlds gets by chance.
ERRORS_MAX = 5.5
# A sample says little of what it drew hardly ever: this many requests of the worst kind are counted into its spread.
UNSEEN = 10
REQUESTS = 20_000


class Mean(NamedTuple):
    """The mean of a sample, and its standard error."""

    value: float
    error: float


def mean(sample: npt.NDArray[np.float64], worst: float) -> Mean:
    """Return the mean of a sample; ``worst`` is how far from it a single request can be."""
    return Mean(float(sample.mean()), sqrt(float(sample.var()) * len(sample) + UNSEEN * worst**2) / len(sample))


@dataclass(frozen=True)
class Simulated:
    """What came of simulated requests: the share answered, what a request cost in USD, how many ms an answer took."""

    availability: Mean
    cost_usd: Mean
    latency_ms: Mean | None

    def errors(self, chain: Chain) -> dict[str, float]:
        """Return how many standard errors each figure of a chain is away from the simulated one."""
        pairs = [
            ("availability", self.availability, chain.availability),
            ("cost_usd", self.cost_usd, chain.cost_usd_per_request),
        ]
        if self.latency_ms is not None and chain.latency_ms is not None:
            pairs.append(("latency_ms", self.latency_ms, chain.latency_ms))
        return {name: (float(figure) - drawn.value) / drawn.error for name, drawn, figure in pairs if drawn.error}


def simulated(  # a request's whole way in one place
    links: Sequence[Link],
    common_cause_share: Fraction,
    timeout_ms: int,
    failed_share: Fraction = Fraction(0),
    billed_share: Fraction = Fraction(0),
    *,
    requests: int = REQUESTS,
    seed: int = 0,
) -> Simulated:
    """Send requests down a chain: draw who is out, go on to the next link where one is, try again where it is not.

    One draw stands for all machines in common, and one for the machines of each group of links: a link is out where
    the draw of its machines is below its own share. A link without a measured time takes none.
    """
    dice = np.random.default_rng(seed)
    failures = [float(link.failure_share) for link in links]
    common = float(common_cause_share) * min(failures)
    everything_out = dice.random(requests) < common
    draws = {machines: dice.random(requests) for machines in machines_of(links)}
    waiting = np.ones(requests, np.bool_)
    cost, time = np.zeros(requests), np.zeros(requests)
    for link, machines, failure in zip(links, machines_of(links), failures, strict=True):
        own = (failure - common) / (1 - common) if common < 1 else 1.0
        out = everything_out | (draws[machines] < own)
        # Attempts fail as often as the workload says: those the link is known for are outages, the rest is tried again.
        again = max(0.0, (float(failed_share) - failure) / (1 - failure)) if failure < 1 else 0.0
        retries = dice.geometric(1 - again, requests) - 1 if again else np.zeros(requests)
        answers, fails = waiting & ~out, waiting & out
        cost[answers] += float(link.attempt_usd) * (1 + float(billed_share) * retries[answers])
        time[answers] += float(link.latency_ms or 0) * (1 + retries[answers])
        cost[fails] += float(link.attempt_usd) * float(billed_share)
        time[fails] += timeout_ms
        waiting = fails
    answered = ~waiting
    dearest = sum(float(link.attempt_usd) for link in links)
    longest = sum(timeout_ms + float(link.latency_ms or 0) for link in links)
    return Simulated(
        mean(answered.astype(np.float64), 1),
        mean(cost, dearest),
        mean(time[answered], longest) if answered.any() else None,
    )


def answered(seed: int) -> tuple[Answer, Catalogue, Ask] | None:
    """Answer the question of a world; where it has no answer, ask again without policy, needs and margin."""
    catalogue, ask = world(seed)
    snapshot = compile_catalogue(catalogue)
    for asked in (ask, replace(ask, policy=make.OPEN, needs=Needs(), economics=None)):
        try:
            return snapshot.recommend(asked), catalogue, asked
        except NoAnswer:
            continue
    return None


def errors_of(
    answer: Answer, catalogue: Catalogue, ask: Ask, *, requests: int = REQUESTS, seed: int
) -> dict[str, float]:
    """Return how far the figures of an answer's chain are from simulated ones, in standard errors."""
    picks, habits = chain(answer), ask.workload.habits
    links = links_of(picks, ask, catalogue)
    drawn = simulated(
        links, ask.common_cause_share, ask.timeout_ms, habits.failed_share,
        habits.failed_billed_share, requests=requests, seed=seed,
    )  # fmt: skip
    return drawn.errors(chain_behind(links, ask))


def broken_promises(answer: Answer, catalogue: Catalogue, ask: Ask) -> list[str]:
    """Return what an answer's chain breaks of what was asked: every link passes everything, no upstream repeats."""
    picks, labels = chain(answer), catalogue.model_tiers(ask.at)
    broken = [code for pick in picks for code in refusals(catalogue, ask, pick.offer, labels)]
    broken += ["margin" for pick in picks if not affordable_at(ask, pick.cost_usd)]
    upstreams = {catalogue.upstream_of(pick.offer) for pick in picks}
    if ask.independent_upstreams and len(upstreams) < len(picks):
        broken.append("an upstream twice")
    return broken


def chain(answer: Answer) -> tuple[Pick, ...]:
    """Return the links of an answer in order."""
    return (answer.choice, *answer.fallbacks)
