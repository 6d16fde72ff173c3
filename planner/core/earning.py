"""How much of an amount is earned in a part of its time."""

from datetime import UTC, datetime, timedelta

from planner.core.money import half_even

_TICK = timedelta(microseconds=1)


def earned(amount_pico: int, start: datetime, end: datetime | None, since: datetime, until: datetime) -> int:
    """Return the part of an amount, earned evenly per second of UTC over [start, end), that falls in [since, until).

    What is earned by a moment is rounded once, half-even, and a part is the difference of two of these: so the parts
    of any partition, in whatever time zone, add up to the whole to the last digit. The largest remainder would do that
    for one partition, and another one for the next zone. An amount without an end is earned at its start.
    """
    if end is None:
        return amount_pico if since <= start < until else 0
    return _by(amount_pico, start, end, until) - _by(amount_pico, start, end, since)


def _by(amount_pico: int, start: datetime, end: datetime, moment: datetime) -> int:
    # Two moments of one zone with changing clocks are otherwise compared and subtracted as these clocks show them.
    first, last = start.astimezone(UTC), end.astimezone(UTC)
    passed = min(max(moment.astimezone(UTC), first), last) - first
    return half_even(amount_pico * (passed // _TICK), (last - first) // _TICK)
