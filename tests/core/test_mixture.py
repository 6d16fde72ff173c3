"""Two offers for one task, by the numbers of a worked case: shares, routers, cascades, and the advice they lead to."""

from fractions import Fraction
from typing import Any

import pytest

from planner.core.errors import InvalidInput
from planner.core.mixture import Aim, Arm, Decider, Pair, advise

# A strong offer of 1.05 cents and a cheap one of 0.0775 cents a request; 1,000 requests are paid with $4.12.
PAIR = Pair(
    strong=Arm(Fraction("0.0105"), Fraction(60), Fraction(8)),
    cheap=Arm(Fraction("0.000775"), Fraction(40), Fraction(2)),
)
BUDGET = Fraction("4.12") / 1_000
JUDGE = Decider(cost_usd=Fraction("0.0001"), seconds=Fraction(1, 2))


def test_the_share_a_budget_affords() -> None:
    """34.4 % of the requests may go to the strong offer, and cost exactly the budget."""
    share = PAIR.share_max(BUDGET)
    assert share is not None
    assert round(float(share) * 100, 1) == 34.4
    assert PAIR.routed(share).cost_usd == BUDGET


def test_a_share_is_never_beyond_all_or_below_none() -> None:
    """All where the strong offer is affordable or costs no more; none where the budget is the cheap offer's cost."""
    assert PAIR.share_max(Fraction(1)) == 1
    assert Pair(strong=PAIR.cheap, cheap=PAIR.cheap).share_max(PAIR.cheap.cost_usd) == 1
    assert PAIR.share_max(PAIR.cheap.cost_usd) == 0
    assert PAIR.share_max(Fraction("0.0007")) is None
    assert PAIR.share_max(Fraction("0.0008"), Decider(cost_usd=Fraction("0.0001"))) is None


def test_where_a_cascade_stops_paying() -> None:
    """At 92.6 % escalated it costs what the strong offer alone does."""
    edge = PAIR.escalated_share_break_even()
    assert round(float(edge) * 100, 1) == 92.6
    assert PAIR.cascaded(edge).cost_usd == PAIR.strong.cost_usd
    assert PAIR.escalated_share_break_even(JUDGE) < edge
    assert Pair(strong=Arm(Fraction(0)), cheap=Arm(Fraction(0))).escalated_share_break_even() == 0


def test_cascade_and_router_at_three_in_ten() -> None:
    """$0.003925 against $0.0036925: an escalated request of a cascade costs both answers."""
    share = Fraction(3, 10)
    assert PAIR.cascaded(share).cost_usd == Fraction("0.003925")
    assert PAIR.routed(share).cost_usd == Fraction("0.0036925")
    assert round(float(PAIR.routed(share).cost_usd), 6) == 0.003693


def test_the_cost_that_is_left() -> None:
    """A mixture costs the share plus the rest over the ratio of both prices."""
    ratio = PAIR.strong.cost_usd / PAIR.cheap.cost_usd
    assert PAIR.cost_left(Fraction(3, 10)) == Fraction(3, 10) + Fraction(7, 10) / ratio
    assert Pair(strong=Arm(Fraction(0)), cheap=Arm(Fraction(0))).cost_left(Fraction(1)) is None


def test_scores_and_seconds_are_weighed() -> None:
    """A router waits for one answer, a cascade for the cheap one, its judge, and three times in ten for another."""
    routed, cascaded = PAIR.routed(Fraction(3, 10)), PAIR.cascaded(Fraction(3, 10), JUDGE)
    assert (routed.score, routed.seconds) == (Fraction(46), Fraction("3.8"))
    assert (cascaded.score, cascaded.seconds) == (Fraction(46), Fraction("4.9"))
    blind = Pair(strong=Arm(Fraction(1)), cheap=Arm(Fraction(0)))
    assert (blind.routed(Fraction(1, 2)).seconds, blind.cascaded(Fraction(1, 2)).score) == (None, None)


def test_how_many_a_cascade_may_escalate() -> None:
    """Under the budget 31.8 %; all or none at its ends, and nothing to say where the cheap answers are too dear."""
    most = PAIR.escalated_share_max(BUDGET)
    assert most is not None
    assert PAIR.cascaded(most).cost_usd == BUDGET
    assert PAIR.escalated_share_max(Fraction(1)) == 1
    assert PAIR.escalated_share_max(Fraction("0.0008"), JUDGE) is None


@pytest.mark.parametrize(
    ("asked", "verdict"),
    [
        ({"budget_usd": None}, "strong_alone"),
        ({"budget_usd": Fraction(1)}, "strong_alone"),
        ({"budget_usd": BUDGET}, "fixed_share"),
        ({"budget_usd": PAIR.cheap.cost_usd}, "cheap_alone"),
        ({"budget_usd": BUDGET, "escalated_share": Fraction(3, 10)}, "router"),
        ({"budget_usd": BUDGET, "escalated_share": Fraction(3, 10), "router": Decider(cost_usd=Fraction("0.001"))},
         "cascade"),
        ({"budget_usd": None, "escalated_share": Fraction(1), "router": JUDGE}, "strong_alone"),
        ({"budget_usd": BUDGET, "escalated_share": Fraction(9, 10)}, "fixed_share"),
        ({"budget_usd": Fraction("0.0008"), "router": JUDGE, "judge": JUDGE}, "cheap_alone"),
    ],
)  # fmt: skip
def test_the_verdict(asked: dict[str, Any], verdict: str) -> None:
    """The cheapest way that serves the stated share within the budget, else as much of the strong offer as it buys."""
    advice = advise(PAIR, Aim(**asked))
    assert advice.verdict == verdict
    assert all(reason for reason in advice.reasons)


@pytest.mark.parametrize(("score", "verdict"), [(50, "best_alone"), (41, "fixed_share")])
def test_a_third_offer_may_do_better_alone(score: int, verdict: str) -> None:
    """The mixture scores 46.9 on average; whoever keeps the margin alone and scores more is the simpler way."""
    advice = advise(PAIR, Aim(budget_usd=BUDGET), Arm(Fraction("0.004"), Fraction(score)))
    assert advice.verdict == verdict
    assert any("alone scores" in reason for reason in advice.reasons)


def test_the_third_offer_may_be_the_cheap_one() -> None:
    """Where nothing goes to the strong offer, the best that keeps the margin is the cheap offer itself."""
    advice = advise(PAIR, Aim(budget_usd=PAIR.cheap.cost_usd), PAIR.cheap)
    assert advice.verdict == "cheap_alone"
    assert "the best offer that keeps the margin alone scores 40.0, as much as the mixture's 40.0" in advice.reasons


def test_the_reasons_say_what_limits() -> None:
    """The shares rounded down, what a cascade costs over a router, and how much longer it takes."""
    advice = advise(PAIR, Aim(budget_usd=BUDGET, escalated_share=Fraction(3, 10), judge=JUDGE))
    assert advice.reasons == (
        "the budget lets 34.39 % of the requests go to the strong offer",
        "a cascade costs less than the strong offer alone while below 91.66 % are escalated",
        "the budget lets a cascade escalate 30.9 %",
        "at 30 % escalated a cascade costs 0.0003325 USD more than a router, per request",
        "the cascade takes 1.100 s longer than the router: an escalated request waits for both answers",
    )


def test_a_cascade_that_never_pays_is_told() -> None:
    """Two offers of one price: the cheap answer alone costs what the strong one does."""
    twins = Pair(strong=Arm(Fraction(1)), cheap=Arm(Fraction(1)))
    assert any("never costs less" in reason for reason in advise(twins, Aim()).reasons)
    same = advise(twins, Aim(escalated_share=Fraction(0)))
    assert "at 0 % escalated a cascade costs as much as a router, per request" in same.reasons
    dear = Aim(escalated_share=Fraction(0), router=Decider(cost_usd=Fraction(1)))
    assert "at 0 % escalated a cascade costs 1 USD less than a router, per request" in advise(twins, dear).reasons


def test_shares_and_costs_that_are_none_are_refused() -> None:
    """A share above 1, and a look that earns money."""
    with pytest.raises(InvalidInput, match="escalated_share"):
        Aim(escalated_share=Fraction(2))
    with pytest.raises(InvalidInput, match="cost_usd"):
        Decider(cost_usd=Fraction(-1))


@pytest.mark.parametrize(
    ("alone", "verdict"),
    [
        (Arm(Fraction("0.003"), PAIR.strong.score), "best_alone"),
        (Arm(Fraction("0.9"), PAIR.strong.score), "router"),
        (Arm(Fraction("0.003"), Fraction(1)), "router"),
        (Arm(Fraction("0.003")), "router"),
    ],
)
def test_no_way_with_two_offers_goes_before_one_that_is_as_good_and_no_dearer(alone: Arm, verdict: str) -> None:
    """At a known share too: an offer that scores as much for less makes a router pointless."""
    assert advise(PAIR, Aim(budget_usd=BUDGET, escalated_share=Fraction(3, 10)), alone).verdict == verdict


def test_the_cheap_offer_alone_is_called_by_its_own_name() -> None:
    """Where nothing is escalated and the two cost the same, the cheap one is as good as any way."""
    twin = Pair(strong=PAIR.strong, cheap=Arm(PAIR.strong.cost_usd, PAIR.strong.score))
    assert advise(twin, Aim(escalated_share=Fraction(1)), twin.cheap).verdict == "cheap_alone"
