"""The portfolio optimiser finds what trying everything finds, keeps every bound exactly, and prices each of them."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from planner.core.assign import best, cheapest, every_option, keeps
from planner.core.errors import InvalidInput
from planner.core.optimise import INFEASIBLE, OPTIMAL, TIME_LIMIT
from planner.core.portfolio import (
    Candidate,
    Constraint,
    Customers,
    Portfolio,
    Row,
    Rules,
    Slot,
    options_of,
    shares_of,
    without,
)
from planner.core.relax import Price, Relaxation, price_of, remedies
from tests.portfolio_worlds import tried, world

F = Fraction
NEVER = F(0)


def plenty() -> float:
    """Leave time for everything."""
    return 60.0


def one(offer: str, cost: int | Fraction, quality: int, group: str | None = None, fails: Fraction = NEVER) -> Candidate:
    """Make a candidate; its group is its own unless stated."""
    return Candidate(offer, group or offer, F(cost), F(quality), fails)


def slot(*candidates: Candidate, plan: str = "pro", task: str = "chat", requests: int = 10) -> Slot:
    """Make a slot."""
    return Slot(plan=plan, task=task, requests=F(requests), candidates=candidates)


def customers(plan: str = "pro", price: int = 20, budget: Fraction | None = None, count: int = 1) -> Customers:
    """Make the customers of a plan."""
    return Customers(plan=plan, count=count, price_usd=F(price), budget_usd=budget)


def portfolio(people: list[Customers], slots: list[Slot], **rules: Any) -> Portfolio:
    """Make a portfolio; no fallbacks unless asked for."""
    return Portfolio(customers=tuple(people), slots=tuple(slots), rules=Rules(**{"fallback": False, **rules}))


SMALL, LARGE = one("small", 1, 40), one("large", 3, 60)


@pytest.mark.parametrize("seed", range(40))
def test_it_finds_what_trying_everything_finds(seed: int) -> None:
    """The same quality, the same cost of it, and the same worlds without any answer, to the last digit."""
    given = world(seed)
    found = best(given, plenty)
    expected = tried(given)
    if found.chosen is None:
        assert (found.status, expected.quality) == (INFEASIBLE, None)
        return
    assert (given.quality(found.chosen), given.cost_usd(found.chosen)) == expected
    assert (found.status, found.cheapest, keeps(given, found.chosen)) == (OPTIMAL, True, True)


def test_a_bound_no_double_can_see_holds() -> None:
    """Three thirds of a budget that lacks 1e-20 do not fit; the next best does."""
    third = [slot(one("a", F(1, 3), 60), one("b", F(1, 4), 50), task=f"t{n}", requests=1) for n in range(3)]
    whole = portfolio([customers(budget=F(1))], third)
    assert best(whole, plenty).quality_bound == 60
    less = portfolio([customers(budget=1 - F(1, 10**20))], third)
    found = best(less, plenty)
    assert found.solves > 1
    assert found.chosen is not None
    assert less.quality(found.chosen) == F(60 + 60 + 50, 3)


def test_the_fallback_is_the_cheapest_that_is_allowed() -> None:
    """It is in another group, not much worse, and costs what it costs for the share that fails."""
    given = slot(
        one("near", 2, 50, "acme", F(1, 10)), one("same", 1, 50, "acme"), one("junk", 1, 5, "bolt"), one("good", 4, 45)
    )
    cheap = {option.primary.offer: option for option in options_of(given, Rules())}
    assert cheap["near"].fallback is not None
    assert (cheap["near"].fallback.offer, cheap["near"].cost_usd) == ("junk", F(9, 10) * 2 + F(1, 10))
    near = {option.primary.offer: option for option in options_of(given, Rules(fallback_drop_max=F(10)))}
    assert [option.fallback.offer for option in near.values() if option.fallback] == ["good", "same", "good", "same"]
    assert options_of(slot(SMALL), Rules()) == ()


def test_shares_are_of_requests_or_of_spend() -> None:
    """What primaries serve, or what they cost, largest first; nothing of nothing is no share."""
    given = portfolio([customers()], [slot(SMALL, task="a"), slot(LARGE, task="b")])
    found = best(given, plenty)
    assert found.chosen is not None
    assert shares_of(given, found.chosen) == {"large": F(1, 2), "small": F(1, 2)}
    spent = replace(given, rules=Rules(fallback=False, shared_by="spend"))
    assert shares_of(spent, found.chosen) == {"large": F(3, 4), "small": F(1, 4)}
    gift = portfolio([customers()], [slot(one("gift", 0, 1))], shared_by="spend")
    assert shares_of(gift, best(gift, plenty).chosen or ()) == {"gift": 0}


def test_a_rule_costs_what_solving_without_it_gains() -> None:
    """A margin that only small offers keep costs 20 points; a plan at its best pays nothing for a loose margin."""
    bound = portfolio([customers(budget=F(10))], [slot(SMALL, LARGE)])
    found = best(bound, plenty)
    freed = without(bound, Constraint("margin", "pro"))
    assert price_of(bound, freed, found, plenty) == Price(F(20), F(0))
    loose = portfolio([customers(budget=F(99))], [slot(SMALL, LARGE)])
    assert price_of(loose, freed, best(loose, plenty), plenty) == Price(F(0), F(0))


def test_privacy_costs_what_the_same_quality_costs_without_it() -> None:
    """Another provider would serve the same model for less, were it allowed."""
    strict = portfolio([customers()], [slot(LARGE)])
    lax = portfolio([customers()], [slot(LARGE, one("cheap", 1, 60))])
    assert price_of(strict, lax, best(strict, plenty), plenty) == Price(F(0), F(20))


def test_without_fallbacks_may_cost_more_and_gains_nothing() -> None:
    """A cheaper fallback takes a part of the bill; where the budget needs it, leaving it out gains nothing."""
    bound = portfolio([customers(budget=F(28))], [slot(one("x", 3, 60, fails=F(1, 2)), SMALL)], fallback=True)
    found = best(bound, plenty)
    assert found.chosen is not None
    assert found.chosen[0].primary.offer == "x"
    bare = replace(bound, rules=Rules(fallback=False), slots=(slot(one("x", 3, 60, fails=F(1, 2))),))
    assert price_of(bound, bare, found, plenty) == Price(F(0), F(0))


def pair(budget: int = 50, **rules: Any) -> Portfolio:
    """Make two tasks of which the budget lets one have the large offer."""
    slots = [slot(SMALL, LARGE, task=task) for task in ("a", "b")]
    return portfolio([customers(budget=F(budget))], slots, **rules)


def test_time_that_is_over_proves_nothing() -> None:
    """No answer is claimed, neither a best nor that there is none."""
    given = pair(provider_share_max=F(1))
    assert best(given, lambda: 0.0).status == TIME_LIMIT
    bound = pair()
    assert price_of(bound, given, best(bound, plenty), lambda: 0.0) == Price(None, None)
    assert not remedies(pair(5), lambda: 0.0).complete


def test_a_run_without_time_for_a_first_choice_has_none() -> None:
    """HiGHS stops before it has found anything."""
    slots = [
        slot(*(one(f"o{n}", F(n * n + task, 7), 10 * n + task % 3) for n in range(1, 15)), task=f"t{task}")
        for task in range(12)
    ]
    given = portfolio([customers(budget=F(1_000))], slots)
    found = best(given, lambda: 1e-9)
    assert (found.status, found.chosen) == (TIME_LIMIT, None)


def test_a_search_that_was_cut_short_keeps_what_it_has() -> None:
    """The best quality is proven, and time is over before its least cost is."""
    given = pair()
    found = best(given, asked(3))
    assert (found.status, found.cheapest) == (OPTIMAL, False)
    assert given.quality(found.chosen or ()) == 50


def asked(times: int) -> Callable[[], float]:
    """Leave time until somebody has asked so often."""
    left = [30.0] * times
    return lambda: left.pop() if left else 0.0


def many(**rules: Any) -> Portfolio:
    """Make twelve tasks of two plans, each of thirty offers, of which no budget lets all have the best."""
    tasks = range(6)
    slots = [
        slot(
            *(one(f"o{n}", F(n * n + (7 * task + n) % 5, 7), 2 * n, f"g{n % 4}") for n in range(1, 31)),
            plan=plan,
            task=f"t{task}",
            requests=3 + task,
        )
        for plan in ("pro", "max")
        for task in tasks
    ]
    return portfolio([customers(budget=F(1_000)), customers("max", 50, F(1_700))], slots, **rules)


def test_many_options_are_bounded_first() -> None:
    """What is found with a gap is at most that far from what is found without one, and its bound says so."""
    for rules in ({}, {"monotone": True}, {"provider_share_max": F(3, 10)}):
        given = many(**rules)
        exact, near = best(given, plenty), best(given, plenty, 1e-2)
        assert exact.chosen is not None
        assert near.chosen is not None
        assert near.quality_bound is not None
        assert (exact.status, near.status, keeps(given, near.chosen)) == (OPTIMAL, OPTIMAL, True)
        assert given.quality(near.chosen) <= given.quality(exact.chosen) <= near.quality_bound * (1 + F(1, 10**8))
        assert near.quality_bound - given.quality(near.chosen) <= F(1, 100) * given.quality(near.chosen)


def test_many_options_of_which_none_fit_have_no_answer() -> None:
    """A budget below the cheapest of everything is refused as with few options."""
    given = many()
    poor = replace(given, customers=(customers(budget=F(1, 100)), given.customers[1]))
    assert best(poor, plenty).status == INFEASIBLE


def test_a_first_choice_is_there_before_the_search_is() -> None:
    """Whenever time is over, what is returned holds every bound, and is no better than its bound."""
    for rules in ({}, {"monotone": True}, {"provider_share_max": F(3, 10)}):
        given = many(**rules)
        for times in (1, 2, 3, 4, 5, 8, 13, 21):
            found = best(given, asked(times))
            if found.chosen is not None:
                assert keeps(given, found.chosen)
                assert found.quality_bound is not None
                assert given.quality(found.chosen) <= found.quality_bound


def test_the_cheapest_of_a_quality_may_be_asked_for() -> None:
    """At least 50 points on average: one large and one small."""
    given = portfolio([customers()], [slot(SMALL, LARGE, task="a"), slot(SMALL, LARGE, task="b")])
    found = cheapest(given, F(50), plenty, options=every_option(given))
    assert found.chosen is not None
    assert given.cost_usd(found.chosen) == 40
    assert cheapest(given, F(61), plenty, options=every_option(given)).chosen is None


def test_a_margin_that_cannot_be_kept_says_by_how_much() -> None:
    """The cheapest offer costs 10 a month and the budget is 4: 6 more are needed, alone and together."""
    given = portfolio([customers(budget=F(4))], [slot(SMALL, LARGE)])
    assert best(given, plenty).status == INFEASIBLE
    need = Relaxation(Constraint("margin", "pro"), F(6))
    assert remedies(given, plenty) == ((need,), (need,), True)
    in_debt = portfolio([customers(budget=F(-1))], [slot(SMALL)])
    assert remedies(in_debt, plenty).alone == (Relaxation(Constraint("margin", "pro"), F(11)),)


def test_of_two_margins_neither_alone_is_enough() -> None:
    """Both have to give way, and the burn of free plans besides."""
    people = [customers("pro", budget=F(4)), customers("max", 50, F(5)), customers("free", 0)]
    slots = [slot(SMALL, plan=plan) for plan in ("pro", "max", "free")]
    found = remedies(portfolio(people, slots, free_burn_usd=F(0)), plenty)
    assert found.alone == ()
    assert found.together == (
        Relaxation(Constraint("margin", "pro"), F(6)),
        Relaxation(Constraint("margin", "max"), F(5)),
        Relaxation(Constraint("free_burn"), F(10)),
    )


def test_a_share_no_choice_keeps_says_what_would() -> None:
    """Two providers cannot both stay at 40 %; half would be enough, whichever way it is counted."""
    slots = [slot(SMALL, one("b", 1, 40), task=task) for task in ("a", "b")]
    by_requests = portfolio([customers()], slots, provider_share_max=F(2, 5))
    need = Relaxation(Constraint("provider_share"), F(1, 10))
    assert remedies(by_requests, plenty) == ((need,), (need,), True)
    by_spend = portfolio([customers()], slots, provider_share_max=F(2, 5), shared_by="spend")
    whole = Relaxation(Constraint("provider_share"), None)
    assert remedies(by_spend, plenty) == ((whole,), (whole,), True)


def test_a_dear_plan_with_worse_offers_only_is_said() -> None:
    """No choice is monotone where the dearer plan's best is worse than the cheaper one's worst."""
    people = [customers("pro", 20), customers("max", 50)]
    given = portfolio(people, [slot(LARGE, plan="pro"), slot(SMALL, plan="max")], monotone=True)
    whole = Relaxation(Constraint("monotone"), None)
    assert remedies(given, plenty) == ((whole,), (whole,), True)


def test_a_task_nobody_can_serve_is_named() -> None:
    """Without a second provider there is no fallback; without any provider nothing helps."""
    lonely = portfolio([customers()], [slot(SMALL)], fallback=True)
    assert best(lonely, plenty).unserved == (0,)
    assert remedies(lonely, plenty).alone == (Relaxation(Constraint("fallback"), None),)
    poor = portfolio([customers(budget=F(1))], [slot(SMALL)], fallback=True)
    assert remedies(poor, plenty) == ((), None, True)
    assert remedies(portfolio([customers()], [slot()]), plenty) == ((), None, True)


def test_bounds_that_bound_nothing_are_refused() -> None:
    """Shares above 0 and up to 1, known words, no negative limits, and something to serve."""
    for wrong in ({"provider_share_max": F(0)}, {"shared_by": "luck"}, {"free_burn_usd": F(-1)}):
        with pytest.raises(InvalidInput):
            Rules(**wrong)
    with pytest.raises(InvalidInput):
        portfolio([customers(count=0)], [slot(SMALL)])


def test_a_row_is_judged_exactly() -> None:
    """Just at the limit holds, a hair above does not."""
    row = Row(constraint=Constraint("margin"), terms={0: (F(1, 3), F(1, 3) + F(1, 10**30))}, limit=F(1, 3))
    assert (row.holds((0,)), row.holds((1,))) == (True, False)
