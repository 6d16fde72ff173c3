"""The written form of a plan: what it means, and what is refused by its field."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from planner.core.errors import ImpossibleUsage, InvalidInput, NotFound
from planner.core.fx import FxRate
from planner.core.plan_form import read_plan, read_workload
from planner.core.usage import Usage
from planner.core.workload import STRATA, Habits, Request

DAY = date(2026, 11, 24)
PLAN: dict[str, Any] = {"id": "pro", "name": "Pro", "policy": "no-training", "price_usd": "20.00"}


def sending(**workload: Any) -> dict[str, Any]:
    """Return the change of a plan whose one task sends this."""
    return {"task": [{"id": "chat", "workload": workload}]}


def test_a_plan_reads_as_it_is_written() -> None:
    """Economics, budget, subscribers, tasks with their stage; what is left out has its default."""
    task = {
        "id": "chat", "kind": "completion", "workload": {"input_tokens": 9, "requests_per_period": 7}, "policy": "own",
        "needs": {"tiers": [2], "quality": {"index": "i"}, "throughput_tps_min": "30"}, "stage": "prototype",
        "objective": "fastest", "fallbacks": 1,
    }  # fmt: skip
    plan = read_plan({**PLAN, "margin": "0.70", "subscribers": 12, "period": "year", "task": [task]}, version=3)
    assert (plan.version, plan.period, plan.subscribers, plan.allow_tier1) == (3, "year", 12, True)
    assert plan.budget_usd(DAY) == 6
    (chat,) = plan.tasks
    assert (chat.stage, chat.objective, chat.fallbacks, chat.policies) == ("prototype", "fastest", 1, ("own",))
    assert (chat.needs.kind, chat.needs.quality_min, chat.needs.throughput_tps_min) == ("completion", None, Decimal(30))
    assert chat.workload.requests_per_period == 7
    assert plan.task("chat") is chat
    assert plan.task("other") is None


def test_a_plan_without_a_price_keeps_off_tier_1_and_may_have_a_budget() -> None:
    """Unless it says otherwise; what a customer may use up is then what is stated."""
    free = read_plan({**PLAN, "price_usd": "0", "customer_budget_usd": "0.25"})
    assert (free.allow_tier1, free.budget_usd(DAY)) == (False, Fraction(1, 4))
    assert read_plan({**PLAN, "price_usd": "0", "allow_tier1": True}).allow_tier1
    assert read_plan({**PLAN, "price_usd": "0"}).budget_usd(DAY) is None


def test_a_price_in_euros_is_what_it_is_in_dollars_on_its_day() -> None:
    """At the newest rate on or before the day; without one there is no figure."""
    plan = read_plan({"id": "e", "name": "E", "policy": "p", "price": "10", "currency": "EUR", "margin": "0.5"})
    rates = (FxRate("EUR", date(2026, 11, 1), Decimal("1.1")), FxRate("EUR", date(2026, 12, 1), Decimal(2)))
    assert plan.economics(DAY, rates).revenue_usd == 11
    assert plan.budget_usd(DAY, rates) == Fraction("5.5")
    with pytest.raises(NotFound):
        plan.economics(DAY)


def test_a_workload_is_counts_a_mix_or_a_distribution() -> None:
    """Each of the three, with everything else about how requests run."""
    counted = read_workload({"input_tokens": 9, "output_tokens": 3, "reasoning_multiplier": "3.4"})
    assert counted.requests == (Request(Usage(input_tokens=9, output_tokens=3)),)
    assert counted.habits == Habits(reasoning_multiplier=Fraction(17, 5))
    mixed = read_workload(
        {
            "mix": [{"share": "0.9", "input_tokens": 1}, {"share": "0.1", "input_tokens": 2}],
            "cache_hit_share": "0.5", "cache_hit_observed": True, "cache_write_share": "0.1",
            "cache_write_lifetime": "1h", "failed_share": "0.02", "failed_billed_share": "0.4",
        }
    )  # fmt: skip
    assert [request.share for request in mixed.requests] == [Fraction(9, 10), Fraction(1, 10)]
    assert mixed.habits == Habits(
        cache_hit_share=Fraction(1, 2), cache_hit_observed=True, cache_write_share=Fraction(1, 10),
        writes_for_an_hour=True, failed_share=Fraction(1, 50), failed_billed_share=Fraction(2, 5),
    )  # fmt: skip
    spread = read_workload({"distribution": {"median_input_tokens": 2_000, "sigma": "1.1"}, "output_tokens": 5})
    assert len(spread.requests) == STRATA
    assert {request.usage.output_tokens for request in spread.requests} == {5}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"nme": "Pro"}, "plan.pro"),
        ({"price": "20"}, "plan.pro.price"),
        ({"currency": "EUR"}, "plan.pro.price_usd"),
        ({"price_usd": 20}, "plan.pro.price_usd"),
        ({"price_usd": "-1"}, "revenue_usd"),
        ({"customer_budget_usd": "-1"}, "customer_budget_usd"),
        ({"margin": "1"}, "margin"),
        ({"period": "fortnight"}, "plan.pro.period"),
        ({"subscribers": -1}, "plan.pro.subscribers"),
        ({"charges_per_period": "1"}, "plan.pro.charges_per_period"),
        ({"task": [{"id": "chat", "workload": {"input_tokens": 1}}] * 2}, "plan.pro.task"),
        ({"task": [{"id": "chat", "workload": {"input_tokens": 1}, "stage": "beta"}]}, "plan.pro.chat.stage"),
        ({"task": [{"id": "chat", "workload": {"input_tokens": 1}, "objective": 1}]}, "plan.pro.chat.objective"),
        ({"task": [{"id": "chat", "workload": {"input_tokens": 1}, "fallbacks": 11}]}, "plan.pro.chat.fallbacks"),
        ({"task": [{"id": "chat", "workload": {"input_tokens": 1}, "needs": {"speed": 1}}]}, "plan.pro.chat.needs"),
        (sending(), "plan.pro.chat.workload"),
        (sending(tokens=1), "plan.pro.chat.workload"),
        (sending(input_tokens=1, mix=[]), "plan.pro.chat.workload"),
        (sending(mix=[], distribution={}), "plan.pro.chat.workload"),
        (sending(mix=[{"input_tokens": 1}]), "plan.pro.chat.workload.mix.share"),
        (sending(distribution={"median": 1}), "plan.pro.chat.workload.distribution"),
        (sending(distribution={"median_input_tokens": 1}), "plan.pro.chat.workload.distribution.sigma"),
        (sending(distribution={"sigma": "1"}), "plan.pro.chat.workload.distribution.median_input_tokens"),
        (sending(distribution={"sigma": "1", "median_input_tokens": 1}, input_tokens=1), "plan.pro.chat.workload"),
        (sending(failed_share="1"), "plan.pro.chat.workload.failed_share"),
        (sending(cache_write_lifetime="2h"), "plan.pro.chat.workload"),
    ],
)
def test_what_is_no_plan_is_refused_by_its_field(changes: dict[str, Any], field: str) -> None:
    """The refusal names the field."""
    with pytest.raises(InvalidInput) as refused:
        read_plan({**PLAN, **changes})
    assert refused.value.field == field


def test_impossible_counts_stay_impossible() -> None:
    """The kind of the refusal is kept, with the place of the task before it."""
    with pytest.raises(ImpossibleUsage) as refused:
        read_plan({**PLAN, **sending(input_tokens=1, cache_read_tokens=2)})
    assert refused.value.field == "plan.pro.chat.workload.input_tokens"
