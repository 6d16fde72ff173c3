"""Failover: its availability, cost and time are those of a world in which links really fail."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core.catalogue import Provider
from planner.core.chain import Chain, Link, chain_behind, chain_of, links_of, machines_of, unanswered_after
from planner.core.errors import InvalidInput
from planner.core.recommend import recommend
from planner.core.snapshot import compile_catalogue
from planner.core.uptime import UNMEASURED
from planner.core.workload import Habits
from tests import make
from tests.failover import ERRORS_MAX, answered, broken_promises, errors_of, simulated

NONE = Fraction(0)
FAILURES = ("0.02", "0.05", "0.10")
COSTS = ("1", "1.3", "3")


def link(failure: str, cost: str = "1", upstream: str = "acme", region: str | None = None, **more: Fraction) -> Link:
    """Make a link."""
    return Link(Fraction(cost), Fraction(failure), upstream, region, **more)


def three() -> list[Link]:
    """Three links on three upstreams, that fail 2, 5 and 10 % and cost 1, 1.3 and 3."""
    return [link(u, c, p) for u, c, p in zip(FAILURES, COSTS, ("acme", "bolt", "cirrus"), strict=True)]


def found(links: list[Link], common: str = "0", **more: Fraction) -> Chain:
    """Compute a chain that waits a second for a link that fails."""
    return chain_of(links, common_cause_share=Fraction(common), timeout_ms=1_000, **more)


def test_independent_links_multiply() -> None:
    """A = 1 - .02 * .05 * .10, and the cost of who answers, weighted with how often it does."""
    chain = found(three())
    assert chain.availability == Fraction("0.9999")
    assert chain.cost_usd_per_request == Fraction("1.0074")
    assert chain.cost_usd == Fraction("1.0074") / Fraction("0.9999")


def test_a_common_cause_costs_sixty_times_the_downtime() -> None:
    """With 30 % of the best link's failures in common, three links are down 0.6 % of the time."""
    chain = found(three(), "0.3")
    assert round(float(chain.availability), 5) == 0.99394
    assert round(float(chain.cost_usd_per_request), 5) == 0.99908


def test_without_anything_in_common_the_share_changes_nothing_for_one_link() -> None:
    """A single link fails as often as it fails, whatever part of that others would share."""
    assert found([link("0.02")], "0.3").availability == found([link("0.02")]).availability == Fraction("0.98")


def test_a_billed_failure_is_paid_once() -> None:
    """Every failed attempt costs its billed share of one attempt: .02 at the first link, .001 at the second, .0001."""
    chain = found(three(), failed_billed_share=Fraction(1))
    paid = Fraction("0.02") * 1 + Fraction("0.001") * Fraction("1.3") + Fraction("0.0001") * 3
    assert chain.cost_usd_per_request == Fraction("1.0074") + paid


@given(st.fractions(0, Fraction(9, 10), max_denominator=100), st.fractions(0, 1, max_denominator=100))
def test_without_outages_a_chain_costs_what_its_choice_does(failed: Fraction, billed: Fraction) -> None:
    """Retries on the same offer are those of the workload's habits, to the last digit."""
    habits = Habits(failed_share=failed, failed_billed_share=billed)
    chain = found([link("0"), link("0.5", upstream="bolt")], failed_share=failed, failed_billed_share=billed)
    assert (chain.availability, chain.cost_usd) == (Fraction(1), habits.retry_factor)


def test_failures_that_a_link_is_known_for_are_not_counted_as_retries_too() -> None:
    """A workload that fails as often as its links do is not tried again on the same offer: the next one answers."""
    known = found([link("0.05"), link("0.05", upstream="bolt")], failed_share=Fraction("0.05"))
    assert known == found([link("0.05"), link("0.05", upstream="bolt")])


def test_links_on_the_same_machines_add_nothing() -> None:
    """The second broker of one upstream is down when the first is, and is waited for in vain."""
    alone = found([link("0.02"), link("0.10", upstream="bolt")])
    twice = found([link("0.02"), link("0.05"), link("0.10", upstream="bolt")])
    assert twice.availability == alone.availability
    assert twice.serves == (alone.serves[0], NONE, alone.serves[1])


def test_a_group_fails_as_often_as_the_best_of_it() -> None:
    """A better link on the same machines answers what the worse one alone could not."""
    chain = found([link("0.05"), link("0.02")])
    assert (chain.availability, chain.serves) == (Fraction("0.98"), (Fraction("0.95"), Fraction("0.03")))


@pytest.mark.parametrize(
    ("regions", "groups"),
    [
        (("eu", "us"), 2),
        (("eu", "eu"), 1),
        (("us", "us-east5"), 1),
        (("eu", None), 1),
        (("eu", "us", None), 1),
        (("eu", "us", "global"), 1),
    ],
)
def test_machines_are_an_upstream_in_a_region(regions: tuple[str | None, ...], groups: int) -> None:
    """Two regions of an operator fail apart, a region inside another does not, and an unknown one may be any."""
    assert len(set(machines_of([link("0.1", region=region) for region in regions]))) == groups
    assert len(set(machines_of([link("0.1", upstream=f"{n}", region=r) for n, r in enumerate(regions)]))) == len(
        regions
    )


def test_time_is_waited_out_and_counted_over_what_is_answered() -> None:
    """A second for a link that fails, then the next one's own time: (.98 * 200 + .02 * .95 * 1,500) / A."""
    links = [link("0.02", latency_ms=Fraction(200)), link("0.05", upstream="bolt", latency_ms=Fraction(500))]
    answered = Fraction("0.98") * 200 + Fraction("0.019") * 1_500
    assert found(links).latency_ms == answered / Fraction("0.999")


def test_an_unknown_time_makes_the_whole_unknown_unless_it_never_comes_to_it() -> None:
    """A link that never answers needs no measured time."""
    known = link("0.02", latency_ms=Fraction(200))
    assert found([known, link("0.05", upstream="bolt")]).latency_ms is None
    assert found([known, link("0.05")]).latency_ms == 200


def test_a_chain_that_never_answers_has_no_cost_per_answer() -> None:
    """Every link is always down, alone or with the others: nothing to divide by."""
    for common in ("0", "1"):
        chain = found([link("1"), link("1", upstream="bolt")], common, failed_billed_share=Fraction(1))
        assert (chain.availability, chain.cost_usd, chain.latency_ms) == (NONE, None, None)
        assert chain.cost_usd_per_request == 2


failures = st.fractions(0, 1, max_denominator=50)
chains = st.lists(
    st.builds(
        Link, st.fractions(0, 5, max_denominator=10), failures, st.sampled_from("ab"), st.sampled_from(("eu", "us"))
    ),
    min_size=1,
    max_size=5,
)


@given(chains, failures, failures)
def test_more_in_common_is_never_more_available(links: list[Link], one: Fraction, other: Fraction) -> None:
    """Availability lies between the best link alone, all in common, and independence, nothing in common."""
    less, more = (found(links, str(share)).availability for share in sorted((one, other)))
    assert more <= less
    assert found(links, "1").availability == 1 - min(each.failure_share for each in links)
    assert unanswered_after(links, one) == sorted(unanswered_after(links, one), reverse=True)


@given(chains, failures)
def test_shares_of_answers_add_up_to_availability(links: list[Link], common: Fraction) -> None:
    """Every answered request is answered by one link."""
    chain = found(links, str(common))
    assert sum(chain.serves, NONE) == chain.availability
    assert all(share >= 0 for share in chain.serves)


def test_an_answers_chain_rests_on_one_attempt_and_what_was_measured() -> None:
    """Costs are without retries, failures with their bound, upstreams those of the registry."""
    offers = {
        make.offer("direct:acme/a"): make.rates("1", "2"),
        make.offer("direct:bolt/b", provider="bolt", ttft_ms=100, throughput_tps=Decimal(1_000)): make.rates("2", "4"),
    }
    cloud = {name: Provider(id=name, name=name, upstream="cloud") for name in ("acme", "bolt")}
    catalogue = make.catalogue(offers, providers=cloud)
    ask = make.ask(independent_upstreams=False, fallbacks=1)
    ask = replace(ask, workload=replace(ask.workload, habits=Habits(failed_share=Fraction(1, 5))))
    answer = recommend(catalogue, ask)
    first, second = links = links_of((answer.choice, *answer.fallbacks), ask, catalogue)
    assert first == Link(Fraction("0.002"), UNMEASURED, "cloud", None, None)
    assert second == Link(Fraction("0.004"), UNMEASURED, "cloud", None, Fraction(600))
    assert chain_behind(links, ask).availability == 1 - UNMEASURED


def test_fallbacks_are_on_upstreams_of_their_own() -> None:
    """Two providers on one operator's machines are one upstream: the second never backs the first."""
    offers = {
        make.offer(f"direct:{name}/{name}", provider=name): make.rates(str(price), "2")
        for price, name in enumerate(("acme", "bolt", "cirrus"), 1)
    }
    apart = make.catalogue(offers)
    joint = make.catalogue(offers, providers={"bolt": Provider(id="bolt", name="Bolt", upstream="acme")})
    ask = make.ask(fallbacks=1)
    assert [pick.offer.facts.provider for pick in recommend(apart, ask).fallbacks] == ["bolt"]
    for answer in (recommend(joint, ask), compile_catalogue(joint).recommend(ask)):
        assert [pick.offer.facts.provider for pick in answer.fallbacks] == ["cirrus"]
        assert [pick.offer.facts.provider for pick in answer.alternatives] == ["bolt"]


@pytest.mark.parametrize("share", ["-0.1", "1.1"])
def test_a_common_cause_takes_a_share(share: str) -> None:
    """Nothing below none of the failures, nothing above all."""
    with pytest.raises(InvalidInput):
        make.ask(common_cause_share=Fraction(share))


def test_chains_of_random_worlds_keep_their_promises() -> None:
    """Every link passes everything, no upstream repeats, and simulated requests agree with the figures."""
    chains = 0
    for seed in range(60):
        world = answered(seed)
        if world is None:
            continue
        answer, catalogue, ask = world
        chains += len(answer.fallbacks) > 0
        assert broken_promises(answer, catalogue, ask) == [], f"seed {seed}"
        off = errors_of(answer, catalogue, ask, requests=4_000, seed=seed)
        assert all(abs(errors) < ERRORS_MAX for errors in off.values()), f"seed {seed}: {off}"
    assert chains > 20


def test_the_simulation_would_notice_a_wrong_figure() -> None:
    """It tells links in common from links apart by far more than chance, and finds the right ones right."""
    drawn = simulated(three(), Fraction("0.3"), 1_000, requests=200_000, seed=1)
    assert max(map(abs, drawn.errors(found(three(), "0.3")).values())) < 3
    assert min(map(abs, drawn.errors(found(three())).values())) > ERRORS_MAX
