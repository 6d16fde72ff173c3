"""Which costs in FOCUS a commitment covers: what is billed for them, what they cost, and the rows of the commitment."""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from planner.core.commitment import PREPAID, SPEND, THROUGHPUT, Commitment, split
from planner.core.periods import Window, period_bounds, period_of
from planner.core.posting import RATED, REPORTED
from planner.export.focus import Cell
from planner.export.focus_commitments import PURCHASE, UNUSED, Charge, Paper
from planner.flows import commitments
from planner.flows.commitments import Cost, Counted, Wanted
from planner.flows.cost_basis import BEST
from planner.store import report_sums
from planner.store.engine import Connection
from planner.store.report_sums import BOOKED


class Key(NamedTuple):
    """Which row of the file: the number of its day, its heads, and its unit, None where it has none."""

    day: int
    heads: tuple[Any, ...]
    unit: str | None


Said = Callable[[tuple[Any, ...]], Mapping[str, str]]


def cover(
    connection: Connection, days: Sequence[Window], heads: tuple[str, ...], cells: MutableMapping[Key, Cell], said: Said
) -> list[Charge]:
    """Write into cells what commitments cover of them, and return the rows of commitments themselves.

    Args:
        connection: one consistent read.
        days: the days of the file, in UTC.
        heads: what cells are told apart by.
        cells: the rows of the file; those that are covered are replaced.
        said: reads the values of heads by their names.
    """
    wanted = Wanted(windows=days, heads=(), basis=BOOKED, cost_basis=BEST, known_at=None, agreed_at=None)
    charges = list[Charge]()
    for counted in commitments.each(connection, wanted):
        charges += _purchases(counted, days)
        used = _used(connection, days, heads, counted.commitment, cells, said)
        for number, day in enumerate(days):
            left = _day(counted, number, day, used.get(number, {}), cells)
            again = _billed_again(counted, number, day)
            if left or again:
                charges.append(_unused(counted.commitment, day, left, again))
    return charges


def _used(
    connection: Connection, days: Sequence[Window], heads: tuple[str, ...], one: Commitment,
    cells: Mapping[Key, Cell], said: Said,
) -> dict[int, dict[Key, int]]:  # fmt: skip
    """Return what each cell of each day costs as far as it is covered."""
    asked = commitments.asked_of(one, days, heads)
    found = {Key(*key): counted.cost for key, counted in report_sums.units(connection, asked).items()}
    stated = {Key(*place, None): sums.stated for place, sums in report_sums.facts(connection, asked).items()}
    used: dict[int, dict[Key, int]] = {}
    for basis, costs in ((RATED, found), (REPORTED, stated)):
        for key, cost in sorted(costs.items(), key=str):
            named = said(key.heads)
            # Nobody knows through which channel came what has no offer.
            if named["cost_basis"] == basis and named["offer"] and key in cells and cells[key].channel == one.channel:
                used.setdefault(key.day, {})[key] = cost
    return used


def _day(
    counted: Counted, number: int, day: Window, used: Mapping[Key, int], cells: MutableMapping[Key, Cell]
) -> int:  # fmt: skip
    """Write what is covered on a day, and return what the commitment costs on it beside that."""
    one, total = counted.commitment, sum(used.values())
    beside = counted.costs.places.get((number, ()), Cost()).low
    # What was in closed months is one sum on the first day after them, whatever that day used.
    late = day.start <= counted.begun and one.valid_from < counted.begun
    if not used or day.start < counted.begun or (counted.ended is not None and day.start >= counted.ended):
        return beside
    costs, billed = used, _spread(_billed(counted, number, total), used)
    if one.kind == THROUGHPUT and not late and any(used.values()):
        costs, beside = _spread(total + beside, used), 0
    for key, cost in used.items():
        cell = cells[key]
        had = cell.cost_pico if cell.effective_pico is None else cell.effective_pico
        paid = cell.cost_pico if cell.billed_pico is None else cell.billed_pico
        cells[key] = replace(
            cell, commitment=Paper(one.id, one.name, one.kind), effective_pico=had - cost + costs[key],
            billed_pico=paid - cost + billed[key],
        )  # fmt: skip
    return beside


def _billed(counted: Counted, number: int, total: int) -> int:
    """Return how much of a day's covered usage is billed all the same."""
    before, after = (_paid(counted.commitment, counted.covered[edge].low) for edge in (number, number + 1))
    return total - (after - before)


def _billed_again(counted: Counted, number: int, day: Window) -> int:
    """Return what usage of closed months is billed more on a day: it was paid with a commitment, and is not after all.

    Below 0 it was billed, and was paid with one that was entered after these months were closed.
    """
    sign = (day.start == counted.ended) - (day.start == counted.begun)
    return sign * _paid(counted.commitment, counted.covered[number].low)


def _paid(one: Commitment, covered: int) -> int:
    """Return how much of the usage it covers is paid with a commitment, and not billed."""
    return {PREPAID: min(one.amount_pico, covered), SPEND: 0, THROUGHPUT: covered}[one.kind]


def _spread(amount: int, weights: Mapping[Key, int]) -> dict[Key, int]:
    """Split an amount over those that have a weight, to the last digit; what none can bear is the first one's."""
    bearing = {key: weight for key, weight in weights.items() if weight > 0}
    if amount < 0 or not bearing:
        return {key: amount if not place else 0 for place, key in enumerate(weights)}
    return {**dict.fromkeys(weights, 0), **split(amount, bearing)}


def _unused(one: Commitment, day: Window, amount: int, again: int) -> Charge:
    billed = amount if one.kind == SPEND else again
    return _charge(UNUSED, one, day.start, (day.start, day.end), (amount, billed, amount))


def _purchases(counted: Counted, days: Sequence[Window]) -> list[Charge]:
    """Return the purchase where its day is among these, or it was entered too late for it; and where it is undone."""
    one, found = counted.commitment, list[Charge]()
    if one.kind == SPEND:
        return found
    for sign, opened in ((1, counted.begun), (-1, counted.ended)):
        moment = one.valid_from if opened is None else max(one.valid_from, opened)
        if opened is not None and days[0].start <= moment < days[-1].end:
            amount = sign * one.amount_pico
            found.append(_charge(PURCHASE, one, moment, (one.valid_from, one.valid_to), (amount, amount, 0)))
    return found


def _charge(
    what: str, one: Commitment, moment: datetime, period: tuple[datetime, datetime], amounts: tuple[int, int, int]
) -> Charge:
    start, end = period_bounds(period_of(moment))
    amount, billed, effective = amounts
    return Charge(
        what=what, paper=Paper(one.id, one.name, one.kind), period_start=period[0], period_end=period[1],
        billing_start=start, billing_end=end, account="planner", provider=one.provider, channel=one.channel,
        amount_pico=amount, billed_pico=billed, effective_pico=effective,
    )  # fmt: skip
