"""The calendar that plans are billed by: a plan's price is for a day, a week, or calendar months."""

from datetime import datetime, timedelta

_WEEK = timedelta(days=7)
_QUARTER, _YEAR = 3, 12


def months_of(period: str) -> int:
    """Return how many calendar months a billing period is for; one that is shorter lies in one."""
    return {"quarter": _QUARTER, "year": _YEAR}.get(period, 1)


def billing(period: str, month: tuple[datetime, datetime]) -> tuple[datetime, datetime, int]:
    """Return a time around a month that consists of whole billing periods, and of how many.

    Days and weeks are all of one length, so that it does not matter on which of them they begin.
    """
    since, until = month
    if period in ("day", "week"):
        length = timedelta(days=1) if period == "day" else _WEEK
        times = -((since - until) // length)
        return since, since + times * length, times
    months = months_of(period)
    if months == 1:
        return since, until, 1
    first = since.replace(month=(since.month - 1) // months * months + 1)
    last = first.replace(year=first.year + (first.month + months > _YEAR), month=(first.month + months - 1) % _YEAR + 1)
    return first, last, 1
