"""Machines of one's own: published figures, the rounding to whole replicas, and the rule that decides."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core.errors import InvalidInput
from planner.core.hosting_verdict import Case, decide
from planner.core.plan import MONTHS
from planner.core.selfhost import (
    BreakEven,
    Hosting,
    Mix,
    Speeds,
    break_even,
    curve,
    fleet,
    split,
)
from planner.core.tier import MTOK

GPU = Hosting(gpu_hourly_usd=Fraction("2.50"), tokens_per_second=Fraction(2_400), utilisation_max=Fraction(1))
API = Fraction("0.90")
MIX = Mix(Fraction(3_000), Fraction(1_000))


def found(hosting: Hosting = GPU, api: Fraction = API, peak_to_mean: Fraction = Fraction(1)) -> BreakEven:
    """Return a break-even that exists."""
    it = break_even(hosting, api, peak_to_mean)
    assert it is not None
    return it


def test_a_rented_gpu_at_two_utilisations() -> None:
    """$2.50 an hour and 2,400 tokens a second: $0.723 a million at 40 %, $0.289 at 100 %."""
    assert round(GPU.usd_per_mtok(Fraction("0.40")), 3) == Fraction("0.723")
    assert round(GPU.usd_per_mtok(Fraction(1)), 3) == Fraction("0.289")


def test_idle_machines_are_not_free() -> None:
    """Half as busy is twice as dear per token, and the month's rent does not move; some calculators halve the rent."""
    for utilisation in (Fraction(1), Fraction(1, 2), Fraction(1, 10)):
        served = GPU.capacity_tokens * utilisation
        assert GPU.usd_per_mtok(utilisation) * served / MTOK == fleet(GPU, served).usd_per_month == 1_825
        wrong = 1_825 * utilisation / GPU.capacity_tokens * MTOK
        assert GPU.usd_per_mtok(utilisation) == wrong / utilisation**2
    for never in (Fraction(0), Fraction(2)):
        with pytest.raises(InvalidInput):
            GPU.usd_per_mtok(never)


def test_break_even_against_an_api() -> None:
    """$1,825 a month against $0.90 a million: 2,028 million tokens, 32 % of what the machine can serve."""
    even = found()
    assert GPU.fixed_usd_per_month(1) == 1_825
    assert round(even.tokens / MTOK) == 2_028
    assert round(even.required_utilisation, 2) == Fraction("0.32")
    assert even.capacity_tokens == 2_400 * 3_600 * 730
    assert (even.replicas, even.feasible) == (1, True)


def test_a_burst_decides_whether_a_volume_can_be_served() -> None:
    """A peak of four times the mean leaves machines at most a quarter busy: 32 % is out of reach."""
    even = found(peak_to_mean=Fraction(4))
    assert (even.reachable_utilisation, even.feasible, even.replicas) == (Fraction(1, 4), False, 1)
    assert found(replace(GPU, utilisation_max=Fraction("0.3"))).feasible is False


def test_operations_are_shared_by_more_replicas() -> None:
    """People cost the same for one replica and for four: the fewest replicas that pay are found."""
    staffed = replace(GPU, ops_usd_per_month=Fraction(12_000), utilisation_max=Fraction("0.8"))
    even = found(staffed)
    assert even.feasible
    assert even.replicas > 1
    assert even.tokens > (even.replicas - 1) * staffed.capacity_tokens * staffed.utilisation_max
    assert staffed.fixed_usd_per_month(even.replicas) == even.tokens * API / MTOK


def test_no_volume_pays_where_a_token_costs_more_here() -> None:
    """Power and traffic alone above the API's price: there is no break-even."""
    assert break_even(replace(GPU, variable_usd_per_mtok=Fraction("0.90")), API) is None


@given(
    st.fractions(Fraction(1, 100), 20, max_denominator=100),
    st.integers(1, 20_000),
    st.fractions(Fraction(1, 10), 1, max_denominator=20),
    st.integers(0, 30_000),
    st.fractions(Fraction(1, 100), 10, max_denominator=100),
    st.fractions(1, 10, max_denominator=10),
)
def test_below_the_break_even_nothing_pays_and_at_it_something_does(
    hourly: Fraction, speed: int, busy: Fraction, ops: int, api: Fraction, peak: Fraction
) -> None:
    """Against the step function itself, at the break-even and at volumes below it."""
    hosting = Hosting(
        gpu_hourly_usd=hourly,
        tokens_per_second=Fraction(speed),
        utilisation_max=busy,
        ops_usd_per_month=Fraction(ops),
    )
    even = found(hosting, api, peak)
    for share in (Fraction(1), Fraction(99, 100), Fraction(1, 2), Fraction(1, 50)):
        here = fleet(hosting, even.tokens * share, peak)
        pays = here.usd_per_month <= even.tokens * share * api / MTOK
        assert pays == (even.feasible and share == 1)
        assert here.utilisation <= even.reachable_utilisation


def test_replicas_come_whole() -> None:
    """One token beyond what a replica serves at peak is a second replica, and a step in the cost."""
    limit = GPU.capacity_tokens / 2
    volumes = (Fraction(0), limit, limit + 1)
    points = curve(GPU, API, volumes, Fraction(2))
    assert [point.fleet.replicas for point in points] == [1, 1, 2]
    assert [point.fleet.usd_per_month for point in points] == [1_825, 1_825, 3_650]
    assert points[1].api_usd_per_month == limit * API / MTOK
    assert curve(GPU, None, volumes)[0].api_usd_per_month is None


def test_what_only_the_peak_needs_is_rented_by_the_hour() -> None:
    """A peak of four times the mean for 73 hours leaves two thirds of it for all others; the cheaper way counts."""
    spot = replace(GPU, on_demand_gpu_hourly_usd=Fraction(4), peak_hours_per_month=Fraction(73))
    mean = GPU.capacity_tokens
    mixed = fleet(spot, mean, Fraction(4))
    assert (mixed.committed, mixed.on_demand, mixed.replicas) == (1, 3, 4)
    assert mixed.usd_per_month == 1_825 + 3 * 73 * 4
    assert mixed.utilisation == 1 / Fraction("1.3")
    dear = fleet(replace(spot, on_demand_gpu_hourly_usd=Fraction(40)), mean, Fraction(4))
    assert (dear.committed, dear.on_demand) == (4, 0)
    with pytest.raises(InvalidInput, match="at most 66"):
        fleet(spot, mean, Fraction(11))


def test_a_cost_is_split_by_the_seconds_it_takes() -> None:
    """Reading 3,000 tokens takes a quarter of the time that writing 1,000 takes; both prices come to the whole."""
    speeds = Speeds(Fraction(12_000), Fraction(1_000))
    assert speeds.tokens_per_second(MIX) == 3_200
    for parts in (split(API, MIX, speeds), split(API, MIX)):
        spent = parts.input_usd_per_mtok * MIX.input_tokens + parts.output_usd_per_mtok * MIX.output_tokens
        assert spent == API * MIX.tokens
    by_time = split(API, MIX, speeds)
    assert by_time.output_usd_per_mtok == 12 * by_time.input_usd_per_mtok
    assert split(API, MIX).output_usd_per_mtok == Fraction("2.5") * split(API, MIX).input_usd_per_mtok


def test_a_month_is_730_hours() -> None:
    """365 days, and the weeks and quarters in them."""
    assert MONTHS["day"] * 365 == MONTHS["year"] == 4 * MONTHS["quarter"] == 12 * MONTHS["month"]
    assert MONTHS["week"] == 7 * MONTHS["day"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"gpu_hourly_usd": Fraction(-1)}, {"tokens_per_second": Fraction(0)}, {"gpus_per_replica": 0},
        {"utilisation_max": Fraction(0)}, {"utilisation_max": Fraction(2)}, {"ops_usd_per_month": Fraction(-1)},
        {"variable_usd_per_mtok": Fraction(-1)},
        {"peak_hours_per_month": Fraction(1)}, {"on_demand_gpu_hourly_usd": Fraction(1)},
        {"on_demand_gpu_hourly_usd": Fraction(-1), "peak_hours_per_month": Fraction(1)},
        {"on_demand_gpu_hourly_usd": Fraction(1), "peak_hours_per_month": Fraction(730)},
    ],
)  # fmt: skip
def test_machines_nobody_can_rent_are_refused(wrong: dict[str, Any]) -> None:
    """Each figure has its bounds."""
    with pytest.raises(InvalidInput):
        replace(GPU, **wrong)


def test_demands_nobody_can_have_are_refused() -> None:
    """Less than nothing, and a peak below the mean."""
    for tokens, peak in ((Fraction(-1), Fraction(1)), (Fraction(1), Fraction(1, 2))):
        with pytest.raises(InvalidInput):
            fleet(GPU, tokens, peak)


def told(tokens: int, **facts: Any) -> tuple[str, list[str]]:
    """Return the verdict and its codes about so many million tokens a month."""
    volume = Fraction(tokens * MTOK)
    given: dict[str, Any] = {"api_usd_per_month": API * tokens, "break_even": break_even(GPU, API), **facts}
    verdict, reasons = decide(Case(fleet=fleet(GPU, volume), **given))
    assert all(reason.says for reason in reasons)
    return verdict, [reason.code for reason in reasons]


def test_the_rule_starts_with_apis() -> None:
    """Without one of the three reasons, machines are never told; where they would be cheaper, it is either."""
    assert told(1_000) == ("api", ["no_founding_reason", "api_cheaper"])
    assert told(3_000) == ("either", ["no_founding_reason", "self_host_cheaper"])


def test_the_three_reasons() -> None:
    """A fixed workload is one where it pays; privacy and weights of one's own also where it does not."""
    assert told(1_000, fixed_workload=True) == ("api", ["fixed_workload", "api_cheaper"])
    assert told(3_000, fixed_workload=True) == ("self_host", ["fixed_workload", "self_host_cheaper"])
    assert told(1_000, privacy_required=True) == ("either", ["privacy_required", "api_cheaper"])
    assert told(3_000, fine_tuned_model=True) == ("self_host", ["fine_tuned_model", "self_host_cheaper"])


def test_without_an_offer_there_is_no_choice() -> None:
    """That nothing is compliant is the reason."""
    assert told(1, api_usd_per_month=None, break_even=None, privacy_required=True) == (
        "self_host", ["nothing_compliant", "privacy_required"],
    )  # fmt: skip


def test_what_stands_against_machines_is_said() -> None:
    """Bursts, a break-even out of reach, and a token that costs more here."""
    bursty: dict[str, Any] = {"peak_to_mean": Fraction(4), "break_even": break_even(GPU, API, Fraction(4))}
    assert told(1_000, **bursty)[1][-2:] == ["utilisation_out_of_reach", "bursty_load"]
    dear = break_even(GPU, Fraction("0.01"))
    assert told(1_000, break_even=dear)[1][-1] == "utilisation_out_of_reach"
    assert told(1_000, break_even=None)[1][-1] == "never_breaks_even"
