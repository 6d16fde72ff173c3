"""Time cut for reports: slots, accounting months, and the days, weeks and months of zones with clocks that change."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core.errors import InvalidInput
from planner.core.periods import (
    DAY_SLOTS,
    WINDOWS_MAX,
    billing_period,
    billing_periods,
    following,
    period_bounds,
    period_of,
    periods_between,
    slot_in,
    slot_of,
    slot_start,
    windows,
    zone_of,
)

ZONES = (
    "Asia/Kolkata", "Asia/Kathmandu", "America/St_Johns", "America/New_York", "UTC", "Pacific/Kiritimati",
    "Australia/Lord_Howe", "Pacific/Apia",
)  # fmt: skip
DAYS = st.dates(date(2010, 1, 1), date(2030, 1, 1))
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def hours(since: date, zone: str) -> float:
    """Return how long a day is in a zone."""
    (day,) = windows(since, since + DAY, "day", zone_of(zone))
    return (day.end - day.start) / HOUR


def test_a_slot_is_a_quarter_of_an_hour() -> None:
    """Its first moment is inside, its last one too, and the next quarter hour is the next slot; also before 1970."""
    start = slot_start(12)
    assert start == datetime(1970, 1, 1, 3, tzinfo=UTC)
    assert [slot_of(start + timedelta(seconds=seconds)) for seconds in (-1, 0, 899, 900)] == [11, 12, 12, 13]
    assert slot_of(datetime(1969, 12, 31, 23, 59, tzinfo=UTC)) == -1
    assert DAY_SLOTS == 96


def test_a_slot_is_that_of_the_moment_whatever_its_offset() -> None:
    """The same moment said in Kolkata and in UTC lies in one slot and one period."""
    moment = datetime(2026, 8, 31, 20, tzinfo=UTC)
    local = moment.astimezone(ZoneInfo("Asia/Kolkata"))
    assert slot_of(local) == slot_of(moment)
    assert (period_of(local), local.month) == ("2026-08", 9)


def test_accounting_periods_are_months_of_utc() -> None:
    """They follow each other without a gap, December by January."""
    assert following("2026-11") == "2026-12"
    assert following("2026-12") == "2027-01"
    assert period_bounds("2026-02") == (datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC))
    assert period_of(period_bounds("2026-02")[1] - timedelta(microseconds=1)) == "2026-02"


@pytest.mark.parametrize(
    "text",
    ["", "2026", "2026-9", "2026-00", "2026-13", "26-09", "2026-09-01", "2026/09", "0000-01", "1969-12", "9999-12",
     "\uff12\uff10\uff12\uff16-09", "2026-\u0660\u0669", "-026-09", "2026 -9"],
)  # fmt: skip
def test_what_is_no_month_is_refused(text: str) -> None:
    """Other digits, other lengths, and years no ledger has."""
    with pytest.raises(InvalidInput, match="2026-09"):
        period_bounds(text)


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../etc/passwd", "/etc/passwd", "Asia", "a\0b", "x" * 5_000])
def test_what_is_no_zone_is_refused(name: str) -> None:
    """Neither a folder nor a path, nor a name that no file could have."""
    with pytest.raises(InvalidInput, match="IANA"):
        zone_of(name)


def test_days_are_as_long_as_clocks_make_them() -> None:
    """23 hours and 25 in New York and St John's, half an hour more or less on Lord Howe, none skipped in Kiritimati."""
    assert hours(date(2026, 3, 8), "America/New_York") == 23
    assert hours(date(2026, 11, 1), "America/New_York") == 25
    assert (hours(date(2026, 3, 8), "America/St_Johns"), hours(date(2026, 11, 1), "America/St_Johns")) == (23, 25)
    assert (hours(date(2026, 4, 5), "Australia/Lord_Howe"), hours(date(2026, 10, 4), "Australia/Lord_Howe")) == (
        24.5,
        23.5,
    )
    assert {hours(date(2026, 3, 8), zone) for zone in ("Asia/Kolkata", "UTC", "Pacific/Kiritimati")} == {24}


def test_a_day_begins_where_clocks_skip_midnight() -> None:
    """In Santiago clocks went from 24:00 to 01:00: the day begins at the moment they did, and has 23 hours."""
    (day,) = windows(date(2024, 9, 8), date(2024, 9, 9), "day", zone_of("America/Santiago"))
    assert (day.start, (day.end - day.start) / HOUR) == (datetime(2024, 9, 8, 4, tzinfo=UTC), 23)


def test_a_day_that_never_was_is_empty() -> None:
    """Apia went from the 29th of December 2011 to the 31st; its neighbours are whole."""
    found = windows(date(2011, 12, 29), date(2012, 1, 1), "day", zone_of("Pacific/Apia"))
    assert [(one.label, (one.end - one.start) / HOUR, len(one.slots)) for one in found] == [
        ("2011-12-29", 24, 96), ("2011-12-30", 0, 0), ("2011-12-31", 24, 96),
    ]  # fmt: skip


def test_midnights_fall_on_slots() -> None:
    """Kathmandu's at 18:15 UTC, Kolkata's at 18:30; a window's slots are those between its bounds."""
    for zone, minutes in (("Asia/Kathmandu", 15), ("Asia/Kolkata", 30)):
        (day,) = windows(date(2026, 9, 1), date(2026, 9, 2), "day", zone_of(zone))
        assert (day.start.hour, day.start.minute, len(day.slots)) == (18, minutes, 96)
        assert slot_start(day.slots.start) == day.start


def test_a_clock_that_was_no_quarter_of_an_hour_away_is_refused() -> None:
    """Monrovia was 44 minutes and 30 seconds behind until 1972: no sum of slots is its day."""
    with pytest.raises(InvalidInput, match="quarter hours"):
        windows(date(1971, 6, 1), date(1971, 6, 2), "day", zone_of("Africa/Monrovia"))


def test_weeks_are_those_of_iso() -> None:
    """The first days of a year may lie in the last week of the one before; what the range cuts off is shorter."""
    found = windows(date(2026, 12, 30), date(2027, 1, 12), "week", zone_of("UTC"))
    assert [(one.label, (one.end - one.start).days) for one in found] == [
        ("2026-W53", 5), ("2027-W01", 7), ("2027-W02", 1),
    ]  # fmt: skip


def test_months_are_cut_at_the_ends() -> None:
    """From the middle of one to the middle of another, February in between."""
    found = windows(date(2028, 1, 31), date(2028, 3, 2), "month", zone_of("UTC"))
    assert [(one.label, (one.end - one.start).days) for one in found] == [
        ("2028-01", 1), ("2028-02", 29), ("2028-03", 1),
    ]  # fmt: skip


@given(
    zone=st.sampled_from(ZONES), unit=st.sampled_from(("day", "week", "month")), since=DAYS,
    length=st.integers(1, 500), seconds=st.integers(0, 500 * 86_400),
)  # fmt: skip
def test_windows_leave_no_gap_and_name_the_day_on_the_wall(
    zone: str, unit: str, since: date, length: int, seconds: int
) -> None:
    """Each begins where the last one ends, and a moment lies in the window of its own date there, and in no other."""
    clock = ZoneInfo(zone)
    found = windows(since, since + length * DAY, unit, clock)
    assert all(one.end == other.start for one, other in pairwise(found))
    assert sum(len(one.slots) for one in found) == slot_of(found[-1].end) - slot_of(found[0].start)
    moment = found[0].start + timedelta(seconds=seconds)
    inside = [one.label for one in found if slot_of(moment) in one.slots]
    day = moment.astimezone(clock).date()
    if moment >= found[-1].end:
        assert inside == []
    else:
        year, week, _weekday = day.isocalendar()
        assert inside == [{"day": f"{day}", "week": f"{year}-W{week:02d}", "month": f"{day:%Y-%m}"}[unit]]


@pytest.mark.parametrize(
    ("since", "until", "unit", "field"),
    [
        (date(2026, 9, 1), date(2026, 9, 1), "day", "to"),
        (date(2026, 9, 2), date(2026, 9, 1), "day", "to"),
        (date(2026, 9, 1), date(2026, 9, 2), "hour", "by"),
        (date(2001, 1, 1), date(2001, 1, 1) + (WINDOWS_MAX + 1) * DAY, "day", "to"),
        (date.min, date(2026, 9, 1), "month", "from"),
        (date(2026, 9, 1), date.max, "month", "from"),
    ],
)
def test_ranges_nobody_can_report_are_refused(since: date, until: date, unit: str, field: str) -> None:
    """Empty ones, another unit, more rows than anybody reads, and the ends of time."""
    with pytest.raises(InvalidInput) as refused:
        windows(since, until, unit, zone_of("Asia/Kolkata"))
    assert refused.value.field == field


def test_as_many_rows_as_may_be_are_reported() -> None:
    """One more would be refused."""
    found = windows(date(2001, 1, 1), date(2001, 1, 1) + WINDOWS_MAX * DAY, "day", zone_of("UTC"))
    assert len(found) == WINDOWS_MAX


def test_a_slot_is_booked_in_its_own_month_or_at_the_beginning_of_another() -> None:
    """A month that was closed when it became known has nothing of it."""
    slot = slot_of(datetime(2026, 9, 30, 23, 50, tzinfo=UTC))
    assert slot_in(slot, "2026-09") == slot
    assert slot_in(slot, "2026-10") == slot + 1
    assert slot_start(slot_in(slot, "2026-12")) == datetime(2026, 12, 1, tzinfo=UTC)


def test_a_time_lies_in_every_period_it_reaches_into() -> None:
    """Up to its end and not beyond it; a moment lies in one; what has an end before the next month too."""
    since = datetime(2026, 11, 30, 23, tzinfo=UTC)
    cases = (None, since + timedelta(hours=1), since + timedelta(hours=2), datetime(2027, 2, 1, tzinfo=UTC))
    found = [list(periods_between(since, until)) for until in cases]
    assert found == [["2026-11"], ["2026-11"], ["2026-11", "2026-12"], ["2026-11", "2026-12", "2027-01"]]


@pytest.mark.parametrize(("period", "labels"), [
    ("day", ["2026-12-30", "2026-12-31", "2027-01-01"]), ("week", ["2026-W53"]), ("month", ["2026-12", "2027-01"]),
    ("quarter", ["2026-Q4", "2027-Q1"]), ("year", ["2026", "2027"]),
])  # fmt: skip
def test_billing_periods_are_those_of_the_calendar(period: str, labels: list[str]) -> None:
    """What the range cuts off is said to be a part; only days are whole here."""
    found = billing_periods(date(2026, 12, 30), date(2027, 1, 2), period, zone_of("UTC"))
    assert [one.window.label for one in found] == labels
    assert [one.whole for one in found] == [period == "day"] * len(labels)


def test_a_billing_period_begins_and_ends_by_the_calendar() -> None:
    """December is followed by January, the last quarter by the first."""
    assert billing_period(date(2026, 12, 31), "month") == (date(2026, 12, 1), date(2027, 1, 1))
    assert billing_period(date(2026, 11, 5), "quarter") == (date(2026, 10, 1), date(2027, 1, 1))
    assert billing_period(date(2026, 11, 5), "year") == (date(2026, 1, 1), date(2027, 1, 1))
    with pytest.raises(InvalidInput, match="quarter, year"):
        billing_period(date(2026, 11, 5), "decade")


def test_too_many_billing_periods_are_refused() -> None:
    """Eleven years of days."""
    with pytest.raises(InvalidInput, match="4000 periods"):
        billing_periods(date(2010, 1, 1), date(2021, 1, 1), "day", zone_of("UTC"))
