"""Cutting time for reports: 15-minute slots of UTC, accounting months, and days, weeks and months of any zone."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from planner.core.errors import InvalidInput

SLOT_SECONDS = 900
"""The finest piece of time in a rollup: every zone's midnight falls on its edge (Kolkata +5:30, Kathmandu +5:45)."""

DAY_SLOTS = 86_400 // SLOT_SECONDS
UNITS = ("day", "week", "month")
WINDOWS_MAX = 4_000
_YEARS = range(1970, 9_000)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_DECEMBER = 12


def slot_of(at: datetime) -> int:
    """Return the number of the slot that a moment lies in, counted from 1970."""
    return (at - _EPOCH) // (SLOT_SECONDS * _SECOND)


def slot_start(slot: int) -> datetime:
    """Return the moment at which a slot begins, in UTC."""
    return _EPOCH + slot * SLOT_SECONDS * _SECOND


def period_of(at: datetime) -> str:
    """Return the accounting period of a moment: its month of UTC, such as ``2026-09``."""
    return at.astimezone(UTC).strftime("%Y-%m")


def period_bounds(period: str) -> tuple[datetime, datetime]:
    """Return the beginning and the end of an accounting period.

    Raises:
        InvalidInput: not a month such as ``2026-09``.

    Example:
        >>> [moment.isoformat() for moment in period_bounds("2026-12")]
        ['2026-12-01T00:00:00+00:00', '2027-01-01T00:00:00+00:00']
    """
    year, dash, month = period.partition("-")
    digits = year.isascii() and year.isdigit() and month.isascii() and month.isdigit()
    shaped = digits and dash and len(year) == 4 and len(month) == 2  # noqa: PLR2004  # the lengths of YYYY-MM
    if not (shaped and 1 <= int(month) <= _DECEMBER and int(year) in _YEARS):
        raise InvalidInput("period", "a month such as 2026-09 is needed")
    first = datetime(int(year), int(month), 1, tzinfo=UTC)
    return first, _next_month(first)


def _next_month(first: datetime) -> datetime:
    if first.month == _DECEMBER:
        return first.replace(year=first.year + 1, month=1)
    return first.replace(month=first.month + 1)


def slot_in(slot: int, period: str) -> int:
    """Return the slot of a period in which something of a slot is booked: its own, or the period's first one."""
    return slot if period_of(slot_start(slot)) == period else slot_of(period_bounds(period)[0])


def day_bounds(slot: int) -> tuple[int, int]:
    """Return the first slot of the day of UTC that a slot lies in, and that of the next."""
    first = slot - slot % DAY_SLOTS
    return first, first + DAY_SLOTS


def month_bounds(slot: int) -> tuple[int, int]:
    """Return the first slot of the month of UTC that a slot lies in, and that of the next."""
    first = slot_start(slot).replace(day=1, hour=0, minute=0)
    return slot_of(first), slot_of(_next_month(first))


def following(period: str) -> str:
    """Return the accounting period after another one."""
    return period_of(period_bounds(period)[1])


def periods_between(since: datetime, until: datetime | None) -> Iterator[str]:
    """Yield the accounting periods that a time lies in; without an end it is a moment, which lies in one.

    Example:
        >>> list(periods_between(datetime(2026, 8, 31, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC)))
        ['2026-08', '2026-09']
    """
    period = period_of(since)
    yield period
    if until is None:
        return
    while (start := period_bounds(period)[1]) < until:
        period = period_of(start)
        yield period


class Window(NamedTuple):
    """A piece of a report's time: its name in the report's zone, and its bounds in UTC, the end exclusive."""

    label: str
    start: datetime
    end: datetime

    @property
    def slots(self) -> range:
        """The slots it consists of."""
        return range(slot_of(self.start), slot_of(self.end))


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone by its IANA name.

    Raises:
        InvalidInput: there is none of this name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput("tz", "an IANA time zone is needed, such as Asia/Kolkata") from None


def windows(since: date, until: date, unit: str, zone: ZoneInfo) -> list[Window]:
    """Cut the days from ``since`` (inclusive) to ``until`` (exclusive) of a zone into days, weeks or months.

    A week is an ISO week. What the range cuts off at its ends keeps its name and is shorter. A day has the hours it
    has: 23 or 25 where clocks are changed.

    Raises:
        InvalidInput: an empty range, or one before 1970; too many windows, another unit, or a zone whose offset was no
            quarter of an hour.

    Example:
        >>> [w.label for w in windows(date(2026, 8, 31), date(2026, 9, 3), "month", ZoneInfo("UTC"))]
        ['2026-08', '2026-09']
    """
    if since >= until:
        raise InvalidInput("to", "later than from is needed")
    if unit not in UNITS:
        raise InvalidInput("by", f"one of {', '.join(UNITS)} is needed")
    if since.year not in _YEARS or until.year not in _YEARS:
        raise InvalidInput("from", f"days from {_YEARS[0]} on are needed")
    edges = list(islice(_edges(since, until, unit), WINDOWS_MAX + 1))
    if len(edges) > WINDOWS_MAX:
        raise InvalidInput("to", f"at most {WINDOWS_MAX} rows of time are reported at once")
    moments = [_midnight(day, zone) for day, _label in edges] + [_midnight(until, zone)]
    return [Window(label, moments[i], moments[i + 1]) for i, (_day, label) in enumerate(edges)]


class Billing(NamedTuple):
    """A billing period of a plan, or the part of it that lies in a range; ``whole`` tells which."""

    window: Window
    whole: bool


def billing_periods(since: date, until: date, period: str, zone: ZoneInfo) -> list[Billing]:
    """Cut days into a plan's billing periods by the calendar of a zone: days, ISO weeks, months, quarters or years.

    Raises:
        InvalidInput: as `windows`, or no such period.

    Example:
        >>> cut = billing_periods(date(2026, 5, 1), date(2026, 10, 1), "quarter", ZoneInfo("UTC"))
        >>> [(one.window.label, one.whole) for one in cut]
        [('2026-Q2', False), ('2026-Q3', True)]
    """
    windows(since, until, "month", zone)  # which refuses what is no range of days
    found: list[Billing] = []
    day = since
    while day < until and len(found) < WINDOWS_MAX:
        first, following_first = billing_period(day, period)
        end = min(following_first, until)
        window = Window(_label(first, period), _midnight(day, zone), _midnight(end, zone))
        found.append(Billing(window, (day, end) == (first, following_first)))
        day = end
    if day < until:
        raise InvalidInput("to", f"at most {WINDOWS_MAX} periods are reported at once")
    return found


def _label(first: date, period: str) -> str:
    if period == "day":
        return first.isoformat()
    if period == "week":
        year, week, _weekday = first.isocalendar()
        return f"{year}-W{week:02d}"
    return {"month": f"{first:%Y-%m}", "quarter": f"{first.year}-Q{(first.month + 2) // 3}"}.get(period, f"{first:%Y}")


_MONTHS_IN = {"quarter": 3, "year": 12}


def billing_period(day: date, period: str) -> tuple[date, date]:
    """Return the first day of the billing period that a day lies in by the calendar, and that of the next.

    Raises:
        InvalidInput: no such period.
    """
    if period == "day":
        return day, day + timedelta(days=1)
    if period == "week":
        first = day - timedelta(days=day.weekday())
        return first, first + timedelta(days=7)
    months = {"month": 1, **_MONTHS_IN}.get(period)
    if months is None:
        raise InvalidInput("period", f"one of day, week, month, {', '.join(_MONTHS_IN)} is needed")
    first = day.replace(month=(day.month - 1) // months * months + 1, day=1)
    later = first.month - 1 + months
    return first, first.replace(year=first.year + later // _DECEMBER, month=later % _DECEMBER + 1)


def _edges(since: date, until: date, unit: str) -> Iterator[tuple[date, str]]:
    day = since
    while day < until:
        if unit == "day":
            yield day, day.isoformat()
            day += timedelta(days=1)
        elif unit == "week":
            year, week, weekday = day.isocalendar()
            yield day, f"{year}-W{week:02d}"
            day += timedelta(days=8 - weekday)
        else:
            yield day, f"{day:%Y-%m}"
            day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return when a day begins; where clocks skip midnight, that is the moment they do."""
    moment = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
    if (moment - _EPOCH) % (SLOT_SECONDS * _SECOND):
        raise InvalidInput("tz", f"on {day} its clocks were not a whole number of quarter hours from UTC")
    return moment
