"""What one customer brought in a month, by the strongest of the sources that say so: one of them, never their sum."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from planner.core.assumed_fees import Part, assumed_fees, fees_stated
from planner.core.billing import billing, months_of
from planner.core.earning import earned
from planner.core.errors import InvalidInput, NotFound
from planner.core.fx import FxRate, to_usd
from planner.core.money import pico_text, to_pico
from planner.core.plan import Plan
from planner.core.revenue import Basis, Item, Kind, same_money
from planner.core.statement import Takings

PLAN_SOURCE = "plan"
"""The source of lines that no item said, but the price of a plan."""

Assignment = tuple[str, datetime, datetime | None]
"""A plan a customer was on, from when (inclusive) until when (exclusive); None: until further notice."""

_STATED = tuple(basis.value for basis in Basis if basis is not Basis.PLAN)
# What rests on these is money as it moved, and so is every refund. The others may state what was given back themselves.
_MOVED = (Basis.CASH, Basis.PLAN)
_YEAR = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known besides the items.

    ``prices`` says which plan a price of a source means: (source, price) -> plan. ``tax_rates`` are of plans whose
    prices contain tax: 0.19 where 119 are paid for 100; 0 says that there is none in them. ``fees_elsewhere``: what
    payments of the month cost is stated of others, and these may be among them.
    """

    plans: Mapping[str, Plan] = field(default_factory=dict)
    prices: Mapping[tuple[str, str], str] = field(default_factory=dict)
    tax_rates: Mapping[str, Decimal] = field(default_factory=dict)
    fx: Sequence[FxRate] = ()
    fees_elsewhere: bool = False

    def __post_init__(self) -> None:
        """Refuse a tax below nothing.

        Raises:
            InvalidInput: one of the rates is negative.
        """
        if any(rate < 0 for rate in self.tax_rates.values()):
            raise InvalidInput("tax_inclusive_rate", "must not be negative")

    def usd(self, currency: str, at: datetime) -> Fraction | None:
        """Return the dollars for one unit of a currency on the day of a moment, or None where nobody knows."""
        try:
            return Fraction(to_usd(Decimal(1), currency, at.astimezone(UTC).date(), self.fx))
        except NotFound:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What one item, or a plan, comes to for one customer and month: earned evenly from ``start`` to ``end``.

    Without an end it is earned at its start. All lines of a customer and month have the same ``basis``, also those of
    refunds and fees beside it. ``takings`` are in 1e-12 USD; revenue and refunds are net of tax, and the tax of a
    refund is negative. ``tax_unknown``: nobody said how much of it is tax. ``unconverted`` is what could not be turned
    into dollars, such as ``JPY 3000``, and is not in the takings.
    """

    customer: str
    plan: str
    basis: Basis
    source: str
    id: str
    start: datetime
    end: datetime | None
    takings: Takings
    tax_unknown: bool = False
    unconverted: str = ""


class Span(NamedTuple):
    """A part of a month in which a customer was on one plan; "" is on none."""

    plan: str
    start: datetime
    end: datetime


def month_lines(
    customer: str,
    items: Iterable[Item],
    since: datetime,
    until: datetime,
    known: Known,
    assignments: Sequence[Assignment] = (),
    beside: Iterable[Item] = (),
) -> tuple[Line, ...]:
    """Return what one customer brought in one month.

    Of the kinds of items that are there in the month the strongest counts, and where there is none the price of the
    plan the customer was on. An item worth 0, such as a trial, is there. Refunds stand beside every basis, at their own
    moment, whoever states them. But what is recognised, invoiced or subscribed to may say itself what was given back,
    and then it is not taken off twice: by amounts below 0, or as net of refunds, no refund of the month counts beside
    it, and by refunds of the same source only these do. Fees of payments count beside every basis; those an invoice or
    the like states count where no payment states any, since they are the same.

    An item that two sources tell with one id and the same money counts once, with what either states of it. Amounts are
    converted at the rate of the day on which an item begins. Tax that a source does not state is taken out by the rate
    of the plan, if there is one.

    A plan's price is earned over the calendar month, quarter or year it is for, and does not count in months that lie
    within a time that was paid for at once. Its payment fees are those the plan assumes: nobody stated any. Nor does
    anybody for whatever else counts, where its payments and those of the month state none: then a line of the source of
    plans has what the plan assumes.

    Args:
        customer: who it is.
        items: all items of this customer, also those of other months.
        since: the first moment of the month, in UTC.
        until: the first moment of the next one.
        known: plans, prices, taxes and exchange rates as they are to be used.
        assignments: the plans the customer was on; they do not overlap.
        beside: more items of this customer, whose amounts are told elsewhere: only what their payment cost counts, and
            where there is nothing else the month rests on them, since it was paid for.
    """
    told, aside = list(items), list(beside)
    heard, elsewhere = ([item for item in some if _overlaps(item, since, until)] for some in (told, aside))
    spans = [span for span in _spans(assignments, since, until) if span.plan in known.plans]
    basis = _stated(heard) or _stated(elsewhere) or _unstated(told, spans, since, known)
    sources = {item.source for item in (*heard, *elsewhere) if item.kind.value == basis.value}
    heard, elsewhere = _once(heard, sources), _once(elsewhere, sources)
    heard, given_back = _parted(heard, elsewhere, basis)
    elsewhere += given_back
    fees = _with_fees([*heard, *elsewhere], basis)
    lines: list[Line] = []
    for item in elsewhere:
        if item.fee and item.kind in fees and since <= item.start < until:
            nothing = replace(item, amount=Decimal(0), tax=None)
            paid = _of_item(customer, nothing, item.fee, basis, (since, until), known, assignments)
            lines += [line for line in paid if any(line.takings) or line.unconverted]
    paid_for: list[Line] = []
    for item in heard:
        fee = item.fee if item.kind in fees and since <= item.start < until else None
        made = _of_item(customer, item, fee, basis, (since, until), known, assignments)
        lines += made
        paid_for += made if item.kind.value == basis.value else []
    counted = [item for item in heard if item.kind.value == basis.value]
    lines += _with_fees_assumed(paid_for, counted, [*told, *aside], (since, until), known)
    for span in spans:
        lines += _of_plan(customer, known.plans[span.plan], span, basis, (since, until), known)
    return tuple(sorted(lines, key=lambda line: (line.start, line.source, line.id, line.plan)))


def _once(items: Iterable[Item], first: Collection[str]) -> list[Item]:
    """Leave out what an earlier source said already, under the same id; what only the later one states is kept.

    Sources that say what the month rests on come ``first``: their own refunds are theirs, whoever else tells them.
    """
    kept: dict[tuple[Kind, str], list[tuple[Item, Item]]] = {}
    for item in sorted(items, key=lambda item: (item.source not in first, item.source)):
        told = kept.setdefault((item.kind, item.id), [])
        same = next((number for number, (one, _whole) in enumerate(told) if same_money(item, one)), None)
        if same is None:
            told.append((item, item))
        else:
            one, whole = told[same]
            told[same] = one, _completed(whole, item)
    return [whole for told in kept.values() for _one, whole in told]


def _completed(item: Item, other: Item) -> Item:
    return replace(
        item,
        fee=other.fee if item.fee is None else item.fee,
        tax=other.tax if item.tax is None else item.tax,
        net_of_refunds=item.net_of_refunds or other.net_of_refunds,
    )


def _overlaps(item: Item, since: datetime, until: datetime) -> bool:
    if item.end is None:
        return since <= item.start < until
    return item.start < until and item.end > since


def _stated(heard: Sequence[Item]) -> Basis | None:
    kinds = {item.kind.value for item in heard}
    found = next((basis for basis in _STATED if basis in kinds), None)
    return None if found is None else Basis(found)


def _unstated(every: Sequence[Item], spans: Sequence[Span], since: datetime, known: Known) -> Basis:
    months = max((months_of(known.plans[span.plan].period) for span in spans), default=0)
    paid_before = any(
        item.end is None and item.amount > 0 and item.kind.value in _STATED
        and 0 < _month(since) - _month(item.start) < months
        for item in every
    )  # fmt: skip
    # What is left then are refunds and fees, which are movements of cash.
    return Basis.PLAN if spans and not paid_before else Basis.CASH


def _month(moment: datetime) -> int:
    utc = moment.astimezone(UTC)
    return utc.year * _YEAR + utc.month


def _parted(heard: Sequence[Item], elsewhere: Sequence[Item], basis: Basis) -> tuple[list[Item], list[Item]]:
    """Return what counts, and apart the refunds of which only the fee does: they are taken off by the basis itself.

    A refund may be told by who sent the invoice and by who paid it back, and its fee too: then that of the former.
    """
    if basis in _MOVED:
        return list(heard), []
    stated = [item for item in (*heard, *elsewhere) if item.kind.value == basis.value]
    sources = {item.source for item in stated}
    refunds = [item for item in heard if item.kind is Kind.REFUND]
    own = [item for item in refunds if item.source in sources]
    net = any(item.net_of_refunds or item.amount < 0 for item in stated)
    counted = [] if net else own or refunds
    paid = own if any(item.fee is not None for item in own) else refunds
    kept = [item for item in heard if item.kind is not Kind.REFUND or item in counted]
    return kept, [item for item in paid if item not in counted]


def _with_fees(heard: Sequence[Item], basis: Basis) -> tuple[Kind, ...]:
    """Return the kinds whose ``fee`` counts."""
    payments = (Kind.CASH, Kind.REFUND, Kind.FEE)
    stated = any(item.fee is not None for item in heard if item.kind is Kind.CASH)
    return payments if stated or basis is Basis.PLAN else (*payments, Kind(basis.value))


def _spans(assignments: Sequence[Assignment], start: datetime, end: datetime) -> Iterator[Span]:
    """Cut a time where the customer's plan changed."""
    moments = {moment for _plan, *pair in assignments for moment in pair if moment is not None}
    edges = sorted({start, end, *(moment for moment in moments if start < moment < end)})
    for first, last in pairwise(edges):
        yield Span(_plan_at(assignments, first), first, last)


def _plan_at(assignments: Sequence[Assignment], moment: datetime) -> str:
    held = (plan for plan, start, end in assignments if start <= moment and (end is None or moment < end))
    return next(held, "")


def _of_item(
    customer: str,
    item: Item,
    fee: Decimal | None,
    basis: Basis,
    month: tuple[datetime, datetime],
    known: Known,
    assignments: Sequence[Assignment],
) -> list[Line]:
    usd = known.usd(item.currency, item.start)
    money = Fraction(1) if usd is None else usd
    lines = []
    for plan, start, end in _parts(item, month, known, assignments):
        whole, tax_unknown = _takings(item, basis, money, known.tax_rates.get(plan))
        part = whole if end is None else _share(whole, item.start, item.end, start, end)
        lines.append(
            Line(
                customer=customer, plan=plan, basis=basis, source=item.source, id=item.id, start=start, end=end,
                takings=part, tax_unknown=tax_unknown,
            )
        )  # fmt: skip
    if fee:
        paid = Takings(fee=to_pico(Fraction(fee) * money))
        first = lines[0]
        if first.end is None:
            lines[0] = replace(first, takings=first.takings.plus(paid))
        else:
            lines.append(replace(first, start=item.start, end=None, takings=paid, tax_unknown=False))
    kept = [line for line in lines if any(line.takings) or item.kind.value == basis.value]
    return kept if usd is not None else [_unconverted(line, item.currency) for line in kept]


def _parts(
    item: Item, month: tuple[datetime, datetime], known: Known, assignments: Sequence[Assignment]
) -> Iterator[tuple[str, datetime, datetime | None]]:
    """Yield the plan, the beginning and the end of each part of an item that lies in a month."""
    own = known.prices.get((item.source, item.price or "")) or item.plan
    if item.end is None:
        yield own or _plan_at(assignments, item.start), item.start, None
        return
    start, end = max(item.start, month[0]), min(item.end, month[1])
    if own:
        yield own, start, end
    else:
        yield from _spans(assignments, start, end)


def _takings(item: Item, basis: Basis, money: Fraction, tax_rate: Decimal | None) -> tuple[Takings, bool]:
    """Return what a whole item comes to, and whether nobody knows its tax."""
    gross = Fraction(0) if item.trial else Fraction(item.amount) * money
    stated = Fraction(0) if item.trial else None if item.tax is None else Fraction(item.tax) * money
    net, tax, unknown = _net(gross, stated, tax_rate)
    if item.kind is Kind.FEE:
        return Takings(fee=net + tax), False
    if item.kind is Kind.REFUND:
        return Takings(refund=net, tax=-tax), unknown
    if item.kind.value == basis.value:
        return Takings(revenue=net, tax=tax), unknown
    return Takings(), False


def _net(gross: Fraction, stated: Fraction | None, rate: Decimal | None) -> tuple[int, int, bool]:
    """Split an amount into what is left of it and its tax, and say whether nobody knows the tax."""
    whole = to_pico(gross)
    if stated is not None:
        tax = to_pico(stated)
    else:
        tax = 0 if rate is None else whole - to_pico(gross / (1 + Fraction(rate)))
    return whole - tax, tax, bool(whole) and stated is None and rate is None


def _share(takings: Takings, start: datetime, end: datetime | None, since: datetime, until: datetime) -> Takings:
    return Takings(*(earned(amount, start, end, since, until) for amount in takings))


def _unconverted(line: Line, currency: str) -> Line:
    """Take the amounts of another currency out of the takings, and name what they come to."""
    revenue, refund, fee, tax, _other = line.takings
    amount = revenue + tax - refund or -fee
    text = f"{currency} {pico_text(amount)}" if amount else ""
    return replace(line, takings=Takings(), unconverted=text)


def _with_fees_assumed(
    paid_for: Sequence[Line], counted: Sequence[Item], every: Sequence[Item], month: tuple[datetime, datetime],
    known: Known,
) -> list[Line]:  # fmt: skip
    """Return what plans assume that payments cost, for the lines of the items that count, where nobody states it."""
    plans = {line.plan: known.plans[line.plan] for line in paid_for if line.plan in known.plans}
    if known.fees_elsewhere or fees_stated(every, counted, plans.values(), month):
        return []
    parts = [Part(line.plan, line.start, line.end, line.takings.revenue + line.takings.tax) for line in paid_for]
    return [
        replace(
            paid_for[0], plan=plan, source=PLAN_SOURCE, id=plan, start=start, end=end, takings=Takings(fee=fee),
            tax_unknown=False, unconverted="",
        )
        for plan, start, end, fee in assumed_fees(parts, plans, month)
    ]  # fmt: skip


def _of_plan(
    customer: str, plan: Plan, span: Span, basis: Basis, month: tuple[datetime, datetime], known: Known
) -> list[Line]:
    """Return what a plan comes to while a customer was on it: its price, where nothing else counts, and other costs."""
    start, end, times = billing(plan.period, month)
    usd = known.usd(plan.currency, span.start)
    price = Fraction(plan.price) * times if basis is Basis.PLAN else Fraction(0)
    money = Fraction(1) if usd is None else usd
    net, tax, unknown = _net(price * money, None, known.tax_rates.get(plan.id))
    fixed = Fraction(plan.payment_fee_fixed_usd) * plan.charges_per_period * times if price else Fraction(0)
    fee = price * money * Fraction(plan.payment_fee_percent) / 100 + fixed
    other = to_pico(Fraction(plan.other_costs_usd) * times)
    earned_here = _share(Takings(net, 0, to_pico(fee), tax, 0), start, end, span.start, span.end)
    line = Line(
        customer=customer, plan=plan.id, basis=basis, source=PLAN_SOURCE, id=plan.id, start=span.start, end=span.end,
        takings=earned_here, tax_unknown=unknown,
    )  # fmt: skip
    if usd is None:
        line = _unconverted(line, plan.currency)
    costs = Takings(other=earned(other, start, end, span.start, span.end))
    line = replace(line, takings=line.takings.plus(costs))
    return [line] if basis is Basis.PLAN or any(line.takings) else []
