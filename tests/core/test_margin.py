"""Margin, markup and what follows from them, on the published figures; what a margin hangs on, against pricing anew."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core.errors import InvalidInput
from planner.core.margin import Margin, Markup, burn_per_paid_usd, price_floor_usd
from planner.core.money import ceiling_text, ratio_text, usd_text
from planner.core.price import Band, RateTable, UnitPrice, When
from planner.core.sensitivity import Driver, drivers
from planner.core.units import Unit
from planner.core.usage import Usage
from planner.core.workload import Habits, Workload
from tests import make
from tests.core.test_trim import CHAT, DEAR, tariff_of


@pytest.mark.parametrize(("markup", "margin"), [("0.30", "0.2308"), ("0.20", "0.1667"), ("0.60", "0.3750")])
def test_a_markup_is_a_smaller_margin(markup: str, margin: str) -> None:
    """30 % on cost are 23.08 % of revenue; cost times 1.6 is a margin of 37.5 %, not of 60."""
    assert ratio_text(Markup(Fraction(markup)).margin.ratio) == margin


@pytest.mark.parametrize(("margin", "markup"), [("0.60", "1.500"), ("0.70", "2.333"), ("0.80", "4.000")])
def test_a_margin_is_a_larger_markup(margin: str, markup: str) -> None:
    """70 % of revenue are 233 % on cost."""
    assert ratio_text(Margin(Fraction(margin)).markup.ratio, 3) == markup


@given(st.fractions(min_value=-5, max_value=Fraction(99, 100), max_denominator=1_000))
def test_there_and_back(ratio: Fraction) -> None:
    """Turned into a markup and back, a margin is what it was."""
    assert Margin(ratio).markup.margin == Margin(ratio)


def test_ratios_nobody_can_have_are_refused() -> None:
    """No margin above 1, no markup below -1, none of the one where the other is not defined."""
    for wrong in (lambda: Margin(Fraction(2)), lambda: Markup(Fraction(-2)), lambda: Margin(Fraction(1)).markup,
                  lambda: Markup(Fraction(-1)).margin):  # fmt: skip
        with pytest.raises(InvalidInput):
            wrong()
    assert Margin.of(Fraction(0), Fraction(1)) is None
    assert Margin.of(Fraction(20), Fraction(5)) == Margin(Fraction(3, 4))


def test_the_published_price_floors() -> None:
    """$5 of tokens need a price of $23.25; $1.20 a million need $4.4281 beyond the quota."""
    plan = make.economics(
        "20", "0.70", payment_fee_percent=Decimal("2.9"), payment_fee_fixed_usd=Decimal("0.30"),
        other_costs_usd=Decimal(1),
    )  # fmt: skip
    assert ceiling_text(plan.minimum_price_usd(Fraction(5)) or Fraction(), 2) == "23.25"
    floor = price_floor_usd(Fraction("1.2"), Margin(Fraction("0.7")), Decimal("2.9"))
    assert floor is not None
    assert ceiling_text(floor, 4) == "4.4281"
    assert price_floor_usd(Fraction(1), Margin(Fraction("0.98")), Decimal("2.9")) is None


def test_free_users_are_paid_for_by_the_others() -> None:
    """10,000 free users at 2 cents burn 40 cents of each of 500 who pay; without any there is no such share."""
    assert burn_per_paid_usd(10_000, Fraction("0.02"), 500) == Fraction("0.4")
    assert burn_per_paid_usd(10_000, Fraction("0.02"), 0) is None


def of(name: str, found: tuple[Driver, ...]) -> Driver:
    """Return a driver by name."""
    return next(driver for driver in found if driver.name == name)


def test_what_a_margin_hangs_on() -> None:
    """$2.25 of prompts and $3 of completions against a budget of $6: each rate has its slope and its room."""
    plan = make.economics("20", "0.70")
    found = drivers(tariff_of(DEAR, CHAT), CHAT, plan)
    assert [driver.name for driver in found] == [
        "requests", "completion", "price:output_token", "price:input_token", "prompt",
    ]  # fmt: skip
    rate = of("price:output_token", found)
    assert (rate.cost_usd, rate.break_even_rise) == (Fraction(3), Fraction(1, 4))
    # 200,000 tokens a period: $1 more a million is 20 cents of 20 dollars.
    assert rate.margin_per_usd_per_mtok == Fraction(-1, 100)
    requests = of("requests", found)
    assert (usd_text(requests.cost_usd_less), usd_text(requests.cost_usd_more)) == ("4.725", "5.775")
    assert requests.margin_more == 1 - Fraction("5.775") / 20
    free = drivers(tariff_of(DEAR, CHAT), CHAT, make.economics("0", None))
    assert of("price:input_token", free).margin_per_usd_per_mtok is None
    assert of("price:input_token", free).break_even_rise is None
    assert of("requests", free).margin_less is None


@given(
    st.sampled_from(("3", "0.4", "15")), st.sampled_from(("15", "2")), st.integers(1, 3_000), st.integers(1, 900),
    st.integers(-50, 50),
)  # fmt: skip
def test_the_slope_of_a_rate_is_what_pricing_anew_finds(
    input: str, output: str, tokens: int, completion: int, percent: int
) -> None:
    """A rate moved by any share moves the margin along the slope, and by its room to the edge of the budget."""
    habits = Habits(failed_share=Fraction(1, 5))
    workload = replace(Workload.of(Usage(input_tokens=tokens, output_tokens=completion), 30), habits=habits)
    plan = make.economics("20", "0.70")
    rate = of("price:input_token", drivers(tariff_of(make.rates(input, output), workload), workload, plan))
    assert rate.margin_per_usd_per_mtok is not None
    assert rate.break_even_rise is not None

    def cost_at(usd: Fraction) -> Fraction:
        table = RateTable.flat({Unit.INPUT: make.rate(f"{float(usd):.6f}"), Unit.OUTPUT: make.rate(output)})
        return tariff_of(table, workload).cost_usd(workload) * 30

    moved = Fraction(input) * percent / 100
    now, then = plan.margin_at(cost_at(Fraction(input))), plan.margin_at(cost_at(Fraction(input) + moved))
    assert now is not None
    assert then == now + rate.margin_per_usd_per_mtok * moved
    at_edge = cost_at(Fraction(input)) + rate.break_even_rise * (rate.cost_usd or 0)
    assert at_edge == plan.budget_usd


def test_more_of_a_cache_costs_less() -> None:
    """Counted or as a share, a tenth more is read from the cache, at most what is there to read."""
    table, plan = make.rates("3", "15", cache_read="0.3"), make.economics("20", "0.70")
    counted = Workload.of(Usage(input_tokens=1_000, cache_read_tokens=500, output_tokens=10), 100)
    found = of("cache", drivers(tariff_of(table, counted), counted, plan))
    assert found.cost_usd_less - found.cost_usd_more == Fraction(100 * 100) * Fraction("2.7") / 1_000_000
    whole = Workload.of(Usage(input_tokens=1_000, cache_read_tokens=1_000, output_tokens=10), 100)
    found = of("cache", drivers(tariff_of(table, whole), whole, plan))
    assert found.cost_usd_more == tariff_of(table, whole).cost_usd(whole) * 100
    shared = replace(CHAT, habits=Habits(cache_hit_share=Fraction(1, 2)))
    found = of("cache", drivers(tariff_of(table, shared), shared, plan))
    assert found.cost_usd_less > found.cost_usd_more
    observed = replace(CHAT, habits=Habits(cache_hit_observed=True))
    names = [driver.name for driver in drivers(tariff_of(table, observed), observed, plan)]
    assert "cache" not in names


def test_longer_prompts_cross_a_step_of_the_price() -> None:
    """A tenth more tokens is priced anew, so the step 5 % above shows; a rate of nothing moves nothing."""
    table = RateTable(
        {Unit.INPUT: UnitPrice(make.rate("1"), (Band(When(input_tokens_gt=1_050), make.rate("2")),)),
         Unit.OUTPUT: UnitPrice(make.rate("0"))}
    )  # fmt: skip
    workload = Workload.of(Usage(input_tokens=1_000, output_tokens=100), 1_000)
    found = drivers(tariff_of(table, workload), workload, make.economics())
    assert [usd_text(of("prompt", found).cost_usd_less), usd_text(of("prompt", found).cost_usd_more)] == ["0.9", "2.2"]
    assert {driver.name for driver in found} == {"prompt", "requests", "price:input_token"}
