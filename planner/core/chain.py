"""A chain of offers behind one another: how often it answers, what an answer costs, and how long it takes.

A request is sent to the first link; where that fails, to the next. What one link fails with is not the other's luck:
links on the same machines fail together, and a share of all failures takes everybody at once.

Source:
    Common causes follow the beta-factor model: K. N. Fleming (1975), and IEC 61508-6:2010, annex D, whose tables give 1
    to 10 % of failures to a common cause. Two links fail together with ``u_cc = beta * min(u)``, and otherwise each by
    itself with ``(u - u_cc) / (1 - u_cc)``.

Refused: to multiply the failure shares of links that stand on one upstream's machines in one region. The later of them
answers only as far as it fails less often by itself than the earlier one, so that such links together fail as often as
the best of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from planner.core.ask import Ask, Pick
from planner.core.catalogue import Catalogue
from planner.core.uptime import failure_of

# What is said to be served anywhere may be served from the machines of any other region.
EVERYWHERE = frozenset({None, "global"})


class Link(NamedTuple):
    """One offer of a chain, as failover sees it.

    ``attempt_usd`` is what one attempt costs after discount and fees; ``failure_share`` how often it fails, at most;
    ``latency_ms`` the time to its last token, None where nobody measured it.
    """

    attempt_usd: Fraction
    failure_share: Fraction
    upstream: str
    region: str | None = None
    latency_ms: Fraction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """What a chain comes to.

    ``availability`` is the share of requests that some link answers, ``serves`` the share that each of them does.
    ``cost_usd`` is what an answered request costs, every failed attempt on its way included; None where nothing is
    ever answered. ``cost_usd_per_request`` is the same over all requests, those that nobody answers among them.
    ``latency_ms`` is the expected time to an answer; None where a link that answers has no measured time.
    """

    availability: Fraction
    serves: tuple[Fraction, ...]
    cost_usd_per_request: Fraction
    latency_ms: Fraction | None

    @property
    def cost_usd(self) -> Fraction | None:
        """What an answered request costs."""
        return self.cost_usd_per_request / self.availability if self.availability else None


def chain_of(
    links: Sequence[Link],
    *,
    common_cause_share: Fraction,
    timeout_ms: int,
    failed_share: Fraction = Fraction(0),
    failed_billed_share: Fraction = Fraction(0),
) -> Chain:
    """Compute how often a chain answers, what that costs and how long it takes.

    With ``R_i`` the share of requests that the first ``i`` links leave unanswered, link ``i`` answers
    ``R_(i-1) - R_i`` of them and fails ``R_i``. A failed attempt is billed ``failed_billed_share`` of its cost, and
    waited for until ``timeout_ms``.

    ``failed_share`` is how many attempts fail by the workload's own count, and are tried again on the same offer. Of
    these, the outages that ``failure_share`` knows of are failures already, and answered by the next link; only what
    is above, ``max(0, failed_share - failure_share)``, is tried again in place, and makes an answer dearer and later.
    So no failure counts twice: without outages a chain costs what its choice does, without failures of the workload's
    own count an answer costs one attempt.

    Example:
        >>> links = [Link(Fraction(c), Fraction(u), p) for c, u, p in (("1", ".02", "a"), ("1.3", ".05", "b"),
        ...     ("3", ".1", "c"))]
        >>> found = chain_of(links, common_cause_share=Fraction(0), timeout_ms=30_000)
        >>> float(found.availability), float(found.cost_usd_per_request)
        (0.9999, 1.0074)
    """
    unanswered = unanswered_after(links, common_cause_share)
    serves = tuple(before - after for before, after in pairwise(unanswered))
    cost, latency, timed = Fraction(), Fraction(), True
    for place, (link, served) in enumerate(zip(links, serves, strict=True)):
        again = max(Fraction(), failed_share - link.failure_share) / (1 - failed_share)
        failed = served * again + unanswered[place + 1]
        cost += link.attempt_usd * (served + failed_billed_share * failed)
        if link.latency_ms is not None:
            latency += served * (place * timeout_ms + link.latency_ms * (1 + again))
        timed = timed and (link.latency_ms is not None or not served)
    availability = 1 - unanswered[-1]
    return Chain(
        availability=availability,
        serves=serves,
        cost_usd_per_request=cost,
        latency_ms=latency / availability if timed and availability else None,
    )


def unanswered_after(links: Sequence[Link], common_cause_share: Fraction) -> list[Fraction]:
    """Return which share of requests nobody has answered yet: before the first link (all), and after each."""
    together = common_cause_share * min((link.failure_share for link in links), default=Fraction())
    apart = 1 - together
    failing: dict[object, Fraction] = {}
    found = [Fraction(1)]
    for link, machines in zip(links, machines_of(links), strict=True):
        own = (link.failure_share - together) / apart if apart else Fraction(1)
        failing[machines] = min(own, failing.get(machines, own))
        left = Fraction(1)
        for share in failing.values():
            left *= share
        found.append(together + apart * left)
    return found


def machines_of(links: Sequence[Link]) -> list[tuple[str, str]]:
    """Return for each link whose machines it stands on, and where: links with an equal pair fail together.

    A region whose name begins with another's lies inside it, and an unknown one may be any.

    Example:
        >>> machines_of([Link(Fraction(1), Fraction(), "google", region) for region in ("us", "us-east5", "eu")])
        [('google', 'us'), ('google', 'us'), ('google', 'eu')]
    """
    places = [(link.upstream, "" if link.region in EVERYWHERE else str(link.region)) for link in links]
    return [
        (upstream, min((r for other, r in places if other == upstream and region.startswith(r)), key=len))
        for upstream, region in places
    ]


def links_of(picks: Sequence[Pick], ask: Ask, catalogue: Catalogue) -> tuple[Link, ...]:
    """Return the offers of an answer as links, each with the failures that were measured of it."""
    # A pick's cost has the workload's own failures in it; one attempt is without.
    retry_factor = ask.workload.habits.retry_factor
    return tuple(
        Link(
            attempt_usd=pick.cost_usd / retry_factor,
            failure_share=failure_of(pick.offer.facts).share,
            upstream=catalogue.upstream_of(pick.offer),
            region=pick.offer.facts.region,
            latency_ms=pick.latency_ms,
        )
        for pick in picks
    )


def chain_behind(links: Sequence[Link], ask: Ask) -> Chain:
    """Compute the chain of an answer's links, with what its question says of failures."""
    habits = ask.workload.habits
    return chain_of(
        links,
        common_cause_share=ask.common_cause_share,
        timeout_ms=ask.timeout_ms,
        failed_share=habits.failed_share,
        failed_billed_share=habits.failed_billed_share,
    )
