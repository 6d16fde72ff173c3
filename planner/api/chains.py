"""The chain of an answer as JSON: what failover comes to, link by link, and everything it takes for granted."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import ceil, floor
from typing import Any

from planner.api.figures import ratio, usd
from planner.core.ask import Ask, Pick
from planner.core.catalogue import Catalogue
from planner.core.chain import Link, chain_behind, links_of, machines_of
from planner.core.money import plain, ratio_text
from planner.core.uptime import ASSUMED_MINUTES, UNMEASURED, Basis, Failure, failure_of

PLACES, SHARE_PLACES = 6, 12
Shape = dict[str, Any]


def chain_shape(picks: Sequence[Pick], ask: Ask, catalogue: Catalogue) -> Shape:
    """Write what a choice and its fallbacks come to: never more available, and never cheaper, than the figures prove.

    Costs are those of answered requests: a customer has as many of them as the workload says.
    """
    links = links_of(picks, ask, catalogue)
    chain = chain_behind(links, ask)
    cost = chain.cost_usd
    per_period = None if cost is None else ask.per_period_usd(cost)
    failures = [failure_of(pick.offer.facts) for pick in picks]
    return {
        "availability": _down(chain.availability),
        "expected_cost_usd": usd(cost),
        "expected_cost_usd_per_period": usd(per_period),
        "expected_margin": None if cost is None else ratio(ask.margin_at(cost)),
        "keeps_margin": None if ask.budget_usd is None or per_period is None else per_period <= ask.budget_usd,
        "expected_latency_ms": None if chain.latency_ms is None else ceil(chain.latency_ms),
        "common_cause_share": _short(ask.common_cause_share),
        "timeout_ms": ask.timeout_ms,
        "links": [
            {
                "offer": pick.offer.id,
                "upstream": link.upstream,
                "region": link.region,
                "failure_share": _up(failure.share),
                "answer_share": ratio_text(served, PLACES),
                "basis": failure.basis.value,
                "uptime": None if failure.uptime is None else plain(failure.uptime),
                "uptime_minutes": failure.minutes,
                "uptime_source": None if failure.uptime is None else pick.offer.facts.channel,
                "latency_ms": None if link.latency_ms is None else ceil(link.latency_ms),
            }
            for pick, link, failure, served in zip(picks, links, failures, chain.serves, strict=True)
        ],
        "assumptions": list(_assumptions(picks, links, ask, failures)),
    }


def _assumptions(picks: Sequence[Pick], links: Sequence[Link], ask: Ask, failures: Sequence[Failure]) -> Iterator[str]:
    """Say what the figures rest on that nobody measured."""
    bases = {failure.basis for failure in failures}
    habits = ask.workload.habits
    if bases != {Basis.UNMEASURED}:
        yield "a measured uptime counts as its lower 95 % Wilson bound, every minute of its window as one observation"
    if Basis.WINDOW_ASSUMED in bases:
        yield f"an uptime without a stated window was measured over {ASSUMED_MINUTES} minutes"
    if Basis.UNMEASURED in bases:
        yield f"an offer whose uptime nobody states fails {_short(UNMEASURED)} of requests"
    if len(picks) > 1:
        yield f"{_short(ask.common_cause_share)} of the failures of the best link take all links at once"
        yield f"a link that fails is waited for {ask.timeout_ms} ms"
    if len(set(machines_of(links))) < len(links):
        yield "links on one upstream's machines in one region fail together, as often as the best of them"
    channels = {pick.offer.facts.channel for pick in picks}
    if len(channels) == 1 and channels != {"direct"}:
        yield f"all links go through {channels.pop()}: its own outages are no more than a common cause here"
    yield f"a failed attempt is billed {_short(habits.failed_billed_share)} of its cost (failed_billed_share)"
    if habits.failed_share:
        yield (
            f"of the {_short(habits.failed_share)} of attempts that fail, what is above a link's own failures is tried"
            " again on the same offer"
        )


def _short(share: Fraction) -> str:
    """Write a share as people do: without zeros at its end."""
    return ratio_text(share, SHARE_PLACES).rstrip("0").rstrip(".")


def _down(share: Fraction) -> str:
    return ratio_text(Fraction(floor(share * 10**PLACES), 10**PLACES), PLACES)


def _up(share: Fraction) -> str:
    return ratio_text(Fraction(ceil(share * 10**PLACES), 10**PLACES), PLACES)
