"""What taking payments cost where nobody states it: what the plan that was paid for assumes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import NamedTuple

from planner.core.billing import billing, months_of
from planner.core.earning import earned
from planner.core.money import PICO, to_pico
from planner.core.periods import period_bounds, period_of
from planner.core.plan import Plan
from planner.core.revenue import Item, Kind

# No month is longer: what is earned over more time than this was paid for in another month than most of it is earned.
_MONTH = timedelta(days=31)


class Part(NamedTuple):
    """An amount in 1e-12 USD of a plan, over a time or, without an end, at a moment: revenue with its tax, or fees."""

    plan: str
    start: datetime
    end: datetime | None
    amount: int


def fees_stated(
    every: Iterable[Item], basis: Sequence[Item], plans: Iterable[Plan], month: tuple[datetime, datetime]
) -> bool:
    """Tell whether somebody states what the payments cost that the revenue of a month is from.

    The revenue states it itself, or a payment in that month does. Where more than a month is paid for at once, the
    payment may lie in any month of that time.

    Args:
        every: all items of a customer, also those of other months.
        basis: the items that count as the revenue of the month.
        plans: the plans they are for.
        month: its first moment, and that of the next one.
    """
    since, until = month
    longer = [item for item in basis if item.end is not None and item.end - item.start > _MONTH]
    for _month in range(max((months_of(plan.period) for plan in plans), default=1) - 1):
        since = _month_start(since - timedelta(days=1))
    since = min([since, *(_month_start(item.start) for item in longer)])
    until = max([until, *(item.end for item in longer if item.end is not None)])
    return any(item.fee is not None for item in basis) or any(
        since <= item.start < until
        and (item.kind is Kind.FEE or (item.kind is Kind.CASH and item.fee is not None))
        for item in every
    )  # fmt: skip


def _month_start(moment: datetime) -> datetime:
    return period_bounds(period_of(moment))[0]


def assumed_fees(
    revenue: Iterable[Part], plans: Mapping[str, Plan], month: tuple[datetime, datetime]
) -> Iterator[Part]:
    """Yield what plans assume that the payments for them cost.

    The percentage is of the revenue with its tax, and what is credited for the same time lowers it. What is fixed is
    for every charge: so many in a billing period, and one where the revenue is of a moment. Nobody is charged for what
    is worth nothing.
    """
    for plan_id, start, end, amount in _together(part for part in revenue if part.amount and part.plan in plans):
        plan = plans[plan_id]
        fixed = to_pico(Fraction(plan.payment_fee_fixed_usd))
        if end is not None:
            first, last, times = billing(plan.period, month)
            fixed = earned(fixed * plan.charges_per_period * times, first, last, start, end)
        fee = to_pico(Fraction(amount, PICO) * Fraction(plan.payment_fee_percent) / 100) + fixed
        if amount > 0 and fee:
            yield Part(plan_id, start, end, fee)


def _together(parts: Iterable[Part]) -> Iterator[Part]:
    """Add up what is of one plan and one moment, or of times that overlap or touch: it is charged together."""
    last: Part | None = None
    for part in sorted(parts, key=lambda part: (part.plan, part.end is not None, part.start)):
        if last is None or not _joined(last, part):
            if last is not None:
                yield last
            last = part
        else:
            end = None if last.end is None or part.end is None else max(last.end, part.end)
            last = Part(last.plan, last.start, end, last.amount + part.amount)
    if last is not None:
        yield last


def _joined(one: Part, other: Part) -> bool:
    """Tell whether of two parts in order the second is charged with the first."""
    if one.plan != other.plan or (one.end is None) != (other.end is None):
        return False
    return other.start <= (one.start if one.end is None else one.end)
