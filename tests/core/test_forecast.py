"""The forecast of a month: exact where days are steady, wider where little is known, and right as often as it says."""

import random
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core.forecast import PAST_DAYS_MAX, Day, Forecast, Interval, Left, forecast

WEEK = (110, 120, 120, 115, 105, 70, 60)
REST = [Left(5, 0.5), *(Left(day % 7, 1.0) for day in range(6, 16))]
MONTHS = 240


def noisy(days: int, seed: int = 7) -> list[Day]:
    """Make days around 1,000, ending on a Friday."""
    rng = random.Random(seed)
    found = [Day((4 - n) % 7, round(1_000 * rng.lognormvariate(0, 0.3))) for n in range(days)]
    return found[::-1]


def width(found: Forecast | None) -> int:
    """Return how far the bounds at 80 % are apart."""
    assert found is not None
    return found.within_80.high - found.within_80.low


def test_steady_days_go_on_without_doubt() -> None:
    """Half a day and ten days of 100 are left beside the 777 that are booked."""
    steady = [Day(n % 7, 100) for n in range(28)]
    assert forecast(777, steady, REST) == Forecast(1_827, Interval(1_827, 1_827), Interval(1_827, 1_827))


def test_each_day_left_has_the_factor_of_its_weekday() -> None:
    """After eight whole weeks a weekend is a weekend, an eighth and a bit nearer to an average day."""
    past = [Day(n % 7, WEEK[n % 7]) for n in range(56)]
    monday, sunday = forecast(0, past, [Left(0, 1.0)]), forecast(0, past, [Left(6, 1.0)])
    assert monday is not None
    assert sunday is not None
    # The factors are (8 x 110 / 100 + 1) / 9 and (8 x 60 / 100 + 1) / 9 of the average of 100.
    assert monday.expected / sunday.expected == pytest.approx((9.8 / 9) / (5.8 / 9), rel=0.02)


def test_one_weekday_of_each_says_half_of_what_eight_say() -> None:
    """With a week of history a factor is half way to 1."""
    week = [Day(n, amount * 10**9) for n, amount in enumerate(WEEK)]
    monday, sunday = forecast(0, week, [Left(0, 1.0)]), forecast(0, week, [Left(6, 1.0)])
    assert monday is not None
    assert sunday is not None
    assert monday.expected / sunday.expected == pytest.approx(1.05 / 0.8)


def test_no_day_left_is_what_is_booked() -> None:
    """A month that is over needs no history."""
    assert forecast(5, [], []) == Forecast(5, Interval(5, 5), Interval(5, 5))


def test_fewer_than_three_days_say_nothing() -> None:
    """Three do."""
    assert forecast(5, noisy(2), REST) is None
    assert forecast(5, noisy(3), REST) is not None


def test_only_the_last_days_count() -> None:
    """What was before 56 days changes nothing."""
    past = noisy(PAST_DAYS_MAX)
    assert forecast(1, [Day(3, 10**9), *past], REST) == forecast(1, past, REST)


def test_little_history_has_wider_bounds() -> None:
    """The fewer days of the same noise, the less is known: on average, for six days may be alike by chance."""
    widths = [sum(width(forecast(0, noisy(days, seed), REST)) for seed in range(40)) for days in (6, 13, 28, 56)]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > 1.2 * widths[-1]


def test_what_days_have_in_common_makes_bounds_wider() -> None:
    """Errors that come in weeks do not cancel out as those do that come day by day."""
    errors = [0.7, 1.3] * 28
    apart = [Day(n % 7, round(1_000 * error)) for n, error in enumerate(errors)]
    together = [Day(n % 7, round(1_000 * errors[n // 7])) for n in range(56)]
    assert width(forecast(0, together, REST)) > 2 * width(forecast(0, apart, REST))


@pytest.mark.parametrize("past", [[Day(n % 7, 0) for n in range(20)], [Day(n % 7, -5) for n in range(20)]])
def test_days_of_nothing_go_on_as_nothing(past: list[Day]) -> None:
    """A day on which more was given back than used is one of nothing."""
    assert forecast(9, past, REST) == Forecast(9, Interval(9, 9), Interval(9, 9))


def test_a_single_day_of_use_may_be_drawn_or_not() -> None:
    """Where no draw of the past has it, the days left are taken as they are drawn."""
    found = forecast(0, [*(Day(n % 7, 0) for n in range(27)), Day(6, 1_000)], REST)
    assert found is not None
    assert found.within_95.low == 0
    assert found.within_95.high > found.expected > 0


@given(
    booked=st.integers(-(10**18), 10**18),
    amounts=st.lists(st.integers(-(10**6), 10**18), min_size=3, max_size=20),
    days=st.integers(1, 31),
    share=st.floats(0.001, 1),
)
def test_bounds_are_in_order_and_never_below_what_is_booked(
    booked: int, amounts: list[int], days: int, share: float
) -> None:
    """Whatever the days were; and the same question has the same answer."""
    past = [Day(n % 7, amount) for n, amount in enumerate(amounts)]
    left = [Left(0, share), *(Left(n % 7, 1.0) for n in range(1, days))]
    found = forecast(booked, past, left)
    assert found is not None
    (low, high), (least, most) = found.within_80, found.within_95
    assert booked <= least <= low <= high <= most
    assert found.expected >= booked
    assert found == forecast(booked, past, left)


class _Tried(NamedTuple):
    """How a simulated month ended, and what was said of it: by us, and by the days gone alone."""

    found: Forecast
    total: int
    naive: float


def _month(seed: int, history: int) -> _Tried:
    """Simulate 30 days after a past: weekdays, growth of 0 to 15 % a month, good and bad weeks, lognormal days."""
    rng = random.Random(seed)
    growth, noise, common = rng.choice((0, 0.05, 0.1, 0.15)), rng.uniform(0.1, 0.4), rng.uniform(0, 0.12)
    days, week = list[Day](), 1.0
    for n in range(PAST_DAYS_MAX + 30):
        week = rng.lognormvariate(0, common) if n % 7 == 0 else week
        usual = 10**9 * (1 + growth) ** (n / 30) * WEEK[(n + seed) % 7] / 100
        days.append(Day((n + seed) % 7, round(usual * week * rng.lognormvariate(0, noise))))
    gone, share = rng.randrange(2, 28), rng.uniform(0.01, 1)
    now = PAST_DAYS_MAX + gone
    month, today = days[PAST_DAYS_MAX:], days[now]
    booked = sum(day.amount for day in month[:gone]) + round(today.amount * (1 - share))
    left = [Left(today.weekday, share), *(Left(day.weekday, 1.0) for day in days[now + 1 :])]
    found = forecast(booked, days[now - history : now], left)
    assert found is not None
    return _Tried(found, sum(day.amount for day in month), booked * 30 / (gone + 1 - share))


@pytest.mark.parametrize("history", [56, 20])
def test_backtest(history: int) -> None:
    """Four of five months end within the bounds at 80 %, and we err less than who extends the days gone."""
    tried = [_month(seed, history) for seed in range(MONTHS)]
    within = sum(one.found.within_80.low <= one.total <= one.found.within_80.high for one in tried) / MONTHS
    almost = sum(one.found.within_95.low <= one.total <= one.found.within_95.high for one in tried) / MONTHS
    ours = sum(abs(one.found.expected / one.total - 1) for one in tried) / MONTHS
    naive = sum(abs(one.naive / one.total - 1) for one in tried) / MONTHS
    print(f"{history} days of history: {within:.3f} at 80 %, {almost:.3f} at 95 %, error {ours:.4f}, naive {naive:.4f}")
    assert 0.7 <= within <= 0.9
    assert 0.88 <= almost <= 0.99
    assert ours < naive
