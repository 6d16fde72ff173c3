"""What customers paid is booked: one figure per customer and month, anew whenever more is known of it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

from planner.core import revenue_lines
from planner.core.money import plain
from planner.core.periods import following, period_bounds, period_of, periods_between
from planner.core.plan import Plan
from planner.core.revenue import Basis, Item, Kind, merge
from planner.core.revenue_bounds import FIRST, refusal
from planner.core.revenue_lines import Assignment, Known, month_lines
from planner.core.statement import Takings
from planner.flows.bearing import bearing_of
from planner.flows.ingest import CONFLICT, KNOWN, NEWER, REFUSED, STORED, Result
from planner.store import customers, joins, periods, plans, revenue, work
from planner.store.engine import Connection
from planner.store.joins import Joins
from planner.store.load import load_fx
from planner.store.revenue import Line

# Of whom nobody said more.
NOBODY = joins.Known("", matched=True)
SUBSCRIBERS = "subscribers"
"""The source of lines that no item and no customer said, but the plan's own count of subscribers."""

_STRENGTH = tuple(Basis)


def take(
    connection: Connection,
    items: Sequence[Item],
    *,
    at: datetime,
    by: str,
    mutable: bool = False,
    import_id: int | None = None,
) -> list[Result]:
    """Take items in, each once by its source and id, and book what they change.

    One that says more of the same money completes the one on record. One that says otherwise is a conflict, or takes
    its place where its source may say something newer (``mutable``). One that cannot be is refused, and the others are
    taken.
    """
    results: dict[int, Result] = {}
    fresh: dict[tuple[str, str], Item] = {}
    gone: dict[int, Item] = {}
    rates = Known(fx=load_fx(connection))
    numbered = sorted(enumerate(items), key=lambda pair: (pair[1].source, pair[0]))
    for source, group in groupby(numbered, key=lambda pair: pair[1].source):
        told = list(group)
        known = revenue.items(connection, source, [item.id for _number, item in told])
        for number, item in told:
            result, kept = _against(known.get(item.id), item, mutable=mutable)
            wrong = None if kept is None else refusal(kept, rates.usd(kept.currency, kept.start))
            results[number] = result if wrong is None else Result(REFUSED, wrong)
            if kept is not None and wrong is None:
                if item.id in known and known[item.id][0] > 0:
                    gone[known[item.id][0]] = known[item.id][1]
                fresh[source, item.id] = kept
                known[item.id] = -1, kept, revenue.digest_of(kept)
    # Whose an item was before is booked anew too: it may have been another customer's, or nobody's.
    touched = [*gone.values(), *fresh.values()]
    was = bearing_of(connection, touched)
    for row in gone:
        revenue.end(connection, row, at)
    revenue.insert(connection, list(fresh.values()), import_id, at, by)
    changed = bearing_of(connection, touched).against(was)
    if touched:
        months = {month for item in touched if item.customer is None for month in periods_between(item.start, item.end)}
        _book(connection, {(item.source, item.customer) for item in touched}, at, months | changed.months_of_nobody)
    sources = set(changed.sources)
    for month in changed.months_of_customers:
        sources |= set(revenue.kinds(connection, *period_bounds(month), named=True))
    if sources:
        work.add(connection, "revenue", {"sources": sorted(sources)}, at)
    if changed.fees_of_nobody:
        # What was paid for in a month may be earned in others too, where its plan assumes fees.
        work.add(connection, "revenue", {"ids": [["", None]]}, at)
    return [results[number] for number in range(len(items))]


def _against(known: tuple[int, Item, str] | None, item: Item, *, mutable: bool) -> tuple[Result, Item | None]:
    if known is None:
        return Result(STORED), item
    _row, old, digest = known
    if digest == revenue.digest_of(item):
        return Result(KNOWN), None
    merged = merge(old, item)
    if merged is not None:
        return (Result(KNOWN), None) if merged == old else (Result(NEWER, "it completes what was on record"), merged)
    if mutable:
        return Result(NEWER), item
    return Result(CONFLICT, "this id was told before with other money"), None


def count(found: dict[tuple[str, str], str], item: Item) -> None:
    """Add an item to what a file comes to, by kind and currency; what its payment cost is counted as a fee."""
    parts = [(item.kind.value, Decimal(0) if item.trial else item.amount)]
    if item.fee:
        parts.append((Kind.FEE.value, item.fee))
    for kind, amount in parts:
        place = kind, item.currency
        found[place] = plain(Decimal(found.get(place, "0")) + amount)


CUSTOMERS_AT_ONCE = 200
"""Customers booked anew in one transaction; the others wait that long for their turn."""


def rebook(connection: Connection, selector: Mapping[str, Any], after: int, at: datetime) -> tuple[int, int | None]:
    """Book revenue anew that something new is known of, some customers at a time.

    Args:
        connection: an open write transaction.
        selector: which customers: ``ids`` (source, id there), ``prices`` of a source, all of ``sources``, or
            ``everybody``.
        after: how many of them are done.
        at: when this is recorded.

    Returns:
        How many lines that made, and how many customers are done now; None: all of them.
    """
    named: set[tuple[str, str | None]] = set()
    for source, spelled in selector.get("ids", ()):
        named.add((source or "", spelled))
    for source, price in selector.get("prices", ()):
        named |= set(revenue.customers_of(connection, revenue.with_price(source, price)))
    for source in selector.get("sources", ()):
        named |= set(revenue.customers_of(connection, revenue.of_source(source)))
    if "plan" in selector or "everybody" in selector:
        named |= set(revenue.customers_of(connection))
        named |= {("", id_) for id_ in customers.assigned(connection)}
    ordered = sorted(named, key=lambda one: (one[0], one[1] or ""))
    piece = ordered[after : after + CUSTOMERS_AT_ONCE]
    lines = _book(connection, piece, at)
    return lines, None if after + len(piece) >= len(ordered) else after + len(piece)


def _book(
    connection: Connection, named: Iterable[tuple[str, str | None]], at: datetime, months: Collection[str] = ()
) -> int:
    """Book every month of customers anew, and of nobody in particular, who may have most items, some months or all."""
    record, lines, known = Joins(connection), 0, {NOBODY} if months else set[joins.Known]()
    for source, spelled in named:
        known.add(record.customer(source, spelled))
        # Who is known by now was a stranger under this id until now.
        known |= {joins.Known(spelled, matched=False)} if spelled else set()
    held = _Held(connection, at)
    for customer in sorted(known):
        lines += _book_one(connection, customer, record, held, at, months if customer == NOBODY else ())
    return lines + _book_subscribers(connection, held, at)


class _Held:
    """Plans, prices and rates as they are on record in one transaction, and plans as they were in each month."""

    def __init__(self, connection: Connection, at: datetime) -> None:
        self.closed = periods.closed(connection)
        self._connection, self._at = connection, at
        self._fx = load_fx(connection)
        self._prices = {(source, price): plan for source, price, plan in customers.prices(connection)}
        self._months: dict[str, Known] = {}
        self._fees: dict[tuple[str, bool], bool] = {}
        self._others: dict[tuple[str, bool], tuple[dict[str, set[str]], set[str]]] = {}

    def beside(self, month: str, *, named: bool) -> Known:
        """Return what is known for a month, with what payments cost by the customers' or by nobody's."""
        place = month, named
        if place not in self._fees:
            self._fees[place] = revenue.fees_stated(self._connection, *period_bounds(month), named=named)
        return replace(self.of(month), fees_elsewhere=self._fees[place])

    def of(self, month: str) -> Known:
        """Return what is known for a month: its plans as they were at its end, or when they were first written."""
        if month not in self._months:
            listed = plans.at_end_of(self._connection, period_bounds(month)[1])
            rates = {id_: plan.tax_inclusive_rate for id_, plan in listed.items()}
            self._months[month] = Known(
                plans=listed, prices=self._prices, fx=self._fx,
                tax_rates={id_: rate for id_, rate in rates.items() if rate is not None},
            )  # fmt: skip
        return self._months[month]

    def others(self, month: str, *, named: bool) -> tuple[dict[str, set[str]], set[str]]:
        """Return which kinds each source told in a month, of customers or of nobody, and which told them net."""
        place = month, named
        if place not in self._others:
            asked = (self._connection, *period_bounds(month))
            self._others[place] = revenue.kinds(*asked, named=named), revenue.net_of_refunds(*asked, named=named)
        return self._others[place]


def _book_one(
    connection: Connection, customer: joins.Known, record: Joins, held: _Held, at: datetime, only: Collection[str]
) -> int:
    """Hold what a customer's items come to against what is booked, in some months or all, and book the difference."""
    items = _items_of(connection, customer, record, only)
    assigned: list[Assignment] = []
    if customer.matched and customer.id:
        assigned = [(one.plan, one.valid_from, one.valid_to) for one in customers.plans_of(connection, customer.id)]
    wanted: list[Line] = []
    for month in _months(items, assigned, at):
        if only and month not in only:
            continue
        since, until = period_bounds(month)
        told, beside = _that_count(items, *held.others(month, named=not customer.id))
        known = held.beside(month, named=not customer.id)
        found = month_lines(customer.id, told, since, until, known, assigned, beside)
        wanted += [_stored(line, customer, month) for line in found]
    booked = revenue.standing(connection, [customer.id], *([revenue.of_months(only)] if only else []))
    standing = {
        row: line for row, line in booked.items() if line.source != SUBSCRIBERS and line.matched == customer.matched
    }
    return _difference(connection, wanted, standing, held, at)


def _difference(
    connection: Connection, wanted: Sequence[Line], standing: Mapping[int, Line], held: _Held, at: datetime
) -> int:
    rows: dict[Line, list[int]] = {}
    for row, line in standing.items():
        rows.setdefault(line, []).append(row)
    # What stands already is left alone; pop takes one line for one, where two are equal.
    fresh = [line for line in wanted if not (rows.get(line) and rows[line].pop())]
    left = {row: standing[row] for same in rows.values() for row in same}
    revenue.reverse(connection, left, held.closed, at)
    revenue.book(connection, fresh, held.closed, at)
    return len(left) + len(fresh)


def _items_of(connection: Connection, customer: joins.Known, record: Joins, only: Collection[str]) -> list[Item]:
    """Return the items that mean a customer, whatever their sources call it; of nobody, those of some months or all."""
    if not customer.id:
        spans = [(period_bounds(min(only))[0], period_bounds(max(only))[1])] if only else []
        found = revenue.of_customers(connection, [(None, None)], *(revenue.over(*span) for span in spans))
        # Whether a plan's fees are assumed is told by payments of other months too.
        planned = bool(spans) and any(item.plan or item.price for item in found)
        return revenue.of_customers(connection, [(None, None)]) if planned else found
    spelled: list[tuple[str | None, str | None]] = [(None, customer.id)]
    if customer.matched:
        spelled += customers.ids_of(connection, customer.id)
    found = revenue.of_customers(connection, spelled)
    return [item for item in found if record.customer(item.source, item.customer) == customer]


def _that_count(
    items: Sequence[Item], others: Mapping[str, set[str]], net: Collection[str]
) -> tuple[list[Item], list[Item]]:
    """Return the items of a month, and apart those that the same source tells more strongly of others.

    A report of payments names no customers, and one of recognised revenue may be by product: beside what the source
    says of each customer they are the same money once more. The weaker gives way: its fees and refunds stay, and no
    plan's price takes its place. Refunds stay as fees alone where the source says that the stronger is net of them.

    Args:
        items: of one customer, or of nobody in particular.
        others: which kinds each source told in that month: of nobody for a customer's items, of customers for nobody's.
        net: the sources that told any of those net of refunds.
    """

    def weaker(item: Item) -> bool:
        kinds = [_STRENGTH.index(Basis(kind)) for kind in others.get(item.source, ()) if kind in _BASES]
        return item.kind.value in _BASES and bool(kinds) and _STRENGTH.index(Basis(item.kind.value)) > min(kinds)

    told: tuple[list[Item], list[Item]] = [], []
    for item in items:
        told[weaker(item) or (item.kind is Kind.REFUND and item.source in net)].append(item)
    return told


_BASES = frozenset(basis.value for basis in Basis)


def _months(items: Sequence[Item], assigned: Sequence[Assignment], at: datetime) -> list[str]:
    """Return the months that anything is known of; a plan counts up to the present month, however long it is for."""
    found: set[str] = set()
    for item in items:
        found |= set(periods_between(item.start, item.end))
    _start, now = period_bounds(period_of(at))
    for _plan, since, until in assigned:
        # Until the year 9999 is until further notice too, and since ever is since the first month that is booked.
        first, end = max(since, FIRST), now if until is None else min(until, now)
        if first < end:
            found |= set(periods_between(first, end))
    return sorted(found)


def _stored(line: revenue_lines.Line, customer: joins.Known, month: str) -> Line:
    return Line(
        customer.id, customer.matched, line.plan, month, line.basis.value, line.source, line.id, line.start, line.end,
        line.takings, line.tax_unknown, line.unconverted,
    )  # fmt: skip


def _book_subscribers(connection: Connection, held: _Held, at: datetime) -> int:
    """Book price x subscribers for months of a plan that no customer is known of: the weakest there is to say."""
    standing = revenue.standing(connection, [""], revenue.said_by(SUBSCRIBERS))
    wanted: list[Line] = []
    known = revenue.plans_paid_for(connection, SUBSCRIBERS)
    for plan, first in plans.counted(connection).items():
        last = period_of(at)
        month = period_of(first)
        while month <= last:
            now: Plan | None = held.of(month).plans.get(plan)
            if now is not None and now.subscribers and not now.demo and (plan, month) not in known:
                wanted += _times(now.subscribers, plan, month, held.of(month))
            month = following(month)
    return _difference(connection, wanted, standing, held, at)


def _times(subscribers: int, plan: str, month: str, known: Known) -> list[Line]:
    since, until = period_bounds(month)
    found = month_lines("", (), since, until, known, [(plan, since, until)])
    return [
        _stored(
            replace(
                line, source=SUBSCRIBERS, takings=Takings(*(amount * subscribers for amount in line.takings)),
                unconverted=_scaled(line.unconverted, subscribers),
            ),
            NOBODY,
            month,
        )
        for line in found
    ]  # fmt: skip


def _scaled(unconverted: str, times: int) -> str:
    currency, _, amount = unconverted.partition(" ")
    return f"{currency} {plain(Decimal(amount) * times)}" if unconverted else ""
