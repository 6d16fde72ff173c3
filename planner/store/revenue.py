"""What customers paid: items as sources said them, and the lines they come to for each customer and month."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any, NamedTuple

import sqlalchemy as sa

from planner.core.earning import earned
from planner.core.money import pico_text, to_pico
from planner.core.periods import Window, period_bounds
from planner.core.posting import MILLI, split
from planner.core.revenue import Item, Kind
from planner.core.revenue_form import read_item, write_item
from planner.core.statement import Takings
from planner.store import json_text
from planner.store.recall import BATCH
from planner.store.tables import ledger

_i, _l = ledger.revenue_items.c, ledger.revenue_lines.c
AMOUNTS = ("revenue", "refund", "fee", "tax", "other")
# Of a document with a fee: keys stand in their order, and a tag that is called so has no such key after it.
_FEE = '%"fee":"%","id":"%'


class Line(NamedTuple):
    """What one item, or a plan, comes to for one customer and month; earned evenly from ``start`` to ``end``."""

    customer: str
    matched: bool
    plan: str
    month: str
    basis: str
    source: str
    item_id: str
    start: datetime
    end: datetime | None
    takings: Takings
    tax_unknown: bool = False
    unconverted: str = ""


# --- items ------------------------------------------------------------------------------------------------


def items(connection: sa.Connection, source: str, ids: Iterable[str]) -> dict[str, tuple[int, Item, str]]:
    """Return the live items of a source with these ids: id -> (row, item, digest)."""
    found: dict[str, tuple[int, Item, str]] = {}
    wanted = sorted(set(ids))
    for start in range(0, len(wanted), BATCH):
        query = sa.select(_i.id, _i.item_id, _i.document, _i.digest).where(
            _i.source == source, _i.item_id.in_(wanted[start : start + BATCH]), _i.recorded_to.is_(None)
        )
        for row in connection.execute(query):
            found[row.item_id] = row.id, read_item(json_text.load(row.document)), row.digest
    return found


def digest_of(item: Item) -> str:
    """Return the digest of what an item says."""
    return json_text.digest(json_text.dump(write_item(item)))


def end(connection: sa.Connection, row: int, at: datetime) -> None:
    """End an item that a newer one takes the place of."""
    connection.execute(sa.update(ledger.revenue_items).where(_i.id == row).values(recorded_to=at))


def insert(connection: sa.Connection, fresh: Sequence[Item], import_id: int | None, at: datetime, by: str) -> None:
    """Store items as they were said."""
    rows = [
        {
            "source": item.source, "item_id": item.id, "kind": item.kind.value, "customer": item.customer,
            "price": item.price, "start": item.start, "end": item.end,
            "document": json_text.dump(write_item(item)), "digest": digest_of(item), "import_id": import_id,
            "recorded_from": at, "recorded_by": by,
        }
        for item in fresh
    ]  # fmt: skip
    if rows:
        connection.execute(sa.insert(ledger.revenue_items), rows)


def of_customers(
    connection: sa.Connection, ids: Iterable[tuple[str | None, str | None]], *where: sa.ColumnElement[bool]
) -> list[Item]:
    """Return live items of customers: (source, how it spells the customer); None is any source, or nobody."""
    found: dict[int, Item] = {}
    for source, spelled in ids:
        whose = [_i.recorded_to.is_(None), _i.customer.is_(None) if spelled is None else _i.customer == spelled]
        if source is not None:
            whose.append(_i.source == source)
        for row in connection.execute(sa.select(_i.id, _i.document).where(*whose, *where).order_by(_i.id)):
            found[row.id] = read_item(json_text.load(row.document))
    return list(found.values())


def customers_of(connection: sa.Connection, *where: sa.ColumnElement[bool]) -> list[tuple[str, str | None]]:
    """Return (source, customer as it spells it) of live items under a condition."""
    query = sa.select(_i.source, _i.customer).where(_i.recorded_to.is_(None), *where).distinct()
    return [(row.source, row.customer) for row in connection.execute(query)]


def kinds(connection: sa.Connection, since: datetime, until: datetime, *, named: bool) -> dict[str, set[str]]:
    """Return which kinds of items each source told in a span of time, of customers or of nobody in particular."""
    told = _i.customer.is_not(None) if named else _i.customer.is_(None)
    query = sa.select(_i.source, _i.kind).where(_i.recorded_to.is_(None), told, over(since, until)).distinct()
    found: dict[str, set[str]] = {}
    for source, kind in connection.execute(query):
        found.setdefault(source, set()).add(kind)
    return found


def net_of_refunds(connection: sa.Connection, since: datetime, until: datetime, *, named: bool) -> set[str]:
    """Return the sources that told items with refunds taken off in a span of time, of customers or of nobody."""
    told = _i.customer.is_not(None) if named else _i.customer.is_(None)
    # What is not so is not written, and within a text of the document a quotation mark is never a bare one.
    says = _i.document.contains('"net_of_refunds":true', autoescape=True)
    query = sa.select(_i.source).where(_i.recorded_to.is_(None), told, over(since, until), says).distinct()
    return set(connection.execute(query).scalars())


def fees_stated(connection: sa.Connection, since: datetime, until: datetime, *, named: bool) -> bool:
    """Tell whether somebody stated what payments of customers cost in a span of time, or else what any may have cost.

    Who says of other payments in that time who made them, means others by those of nobody.
    """
    says = _i.document.like(_FEE)
    query = sa.select(_i.id).where(*_payments(ledger.revenue_items, since, until, named=named), says).limit(1)
    if not named:
        others = ledger.revenue_items.alias()
        payers = sa.select(others.c.id).where(
            *_payments(others, since, until, named=True), others.c.source == _i.source
        )
        query = query.where(~payers.exists())
    return connection.execute(query).first() is not None


def fees_of_nobody(connection: sa.Connection, since: datetime, until: datetime) -> bool:
    """Tell whether an item of nobody in particular that begins in a span of time states what payments cost."""
    says = sa.or_(_i.kind == Kind.FEE.value, sa.and_(_i.kind == Kind.CASH.value, _i.document.like(_FEE)))
    where = _i.recorded_to.is_(None), _i.customer.is_(None), _i.start >= since, _i.start < until, says
    query = sa.select(_i.id).where(*where).limit(1)
    return connection.execute(query).first() is not None


def _payments(items: sa.FromClause, since: datetime, until: datetime, *, named: bool) -> list[sa.ColumnElement[bool]]:
    item = items.c
    told = item.customer.is_not(None) if named else item.customer.is_(None)
    return [item.recorded_to.is_(None), told, item.kind == Kind.CASH.value, over(since, until, items)]


def over(since: datetime, until: datetime, items: sa.FromClause = ledger.revenue_items) -> sa.ColumnElement[bool]:
    """Return the condition for items that are earned in a span of time, or in a part of it."""
    start, end = items.c.start, items.c.end
    return sa.and_(start < until, sa.or_(sa.and_(end.is_(None), start >= since), end > since))


def plans_paid_for(connection: sa.Connection, besides: str) -> set[tuple[str, str]]:
    """Return (plan, month) of which some line stands that is of another source than this one."""
    query = (
        sa.select(_l.plan, _l.month)
        .where(_l.reverses.is_(None), _l.reversed_at.is_(None), _l.source != besides)
        .distinct()
    )
    return {(row.plan, row.month) for row in connection.execute(query)}


def payers(connection: sa.Connection, plan: str, months: Iterable[str]) -> dict[str, set[str]]:
    """Return who is known to have paid for a plan, or to have had a trial of it, in each of some months."""
    query = (
        sa.select(_l.month, _l.customer)
        .where(_l.plan == plan, _l.matched.is_(True), _l.customer != "", _l.month.in_(sorted(set(months))))
        .where(_l.reverses.is_(None), _l.reversed_at.is_(None))
        .distinct()
    )
    found: dict[str, set[str]] = {}
    for month, customer in connection.execute(query):
        found.setdefault(month, set()).add(customer)
    return found


def with_price(source: str, price: str) -> sa.ColumnElement[bool]:
    """Return the condition for items that were sold at a price of a source."""
    return sa.and_(_i.source == source, _i.price == price)


def of_source(source: str) -> sa.ColumnElement[bool]:
    """Return the condition for items that a source said."""
    return _i.source == source


# --- lines ------------------------------------------------------------------------------------------------


def standing(connection: sa.Connection, customers: Iterable[str], *where: sa.ColumnElement[bool]) -> dict[int, Line]:
    """Return the lines of customers that hold, all or those under conditions: row -> line."""
    found: dict[int, Line] = {}
    wanted = sorted(set(customers))
    for start in range(0, len(wanted), BATCH):
        query = sa.select(ledger.revenue_lines).where(
            _l.customer.in_(wanted[start : start + BATCH]), _l.reverses.is_(None), _l.reversed_at.is_(None), *where
        )
        found |= {row.id: _line(row) for row in connection.execute(query)}
    return found


def of_months(months: Iterable[str]) -> sa.ColumnElement[bool]:
    """Return the condition for lines of some months."""
    return _l.month.in_(sorted(months))


def said_by(source: str) -> sa.ColumnElement[bool]:
    """Return the condition for lines of a source."""
    return _l.source == source


def _line(row: Any) -> Line:  # noqa: ANN401  # a row of the table
    return Line(
        row.customer, row.matched, row.plan, row.month, row.basis, row.source, row.item_id,
        row.start, row.end, _takings(row), row.tax_unknown, row.unconverted,
    )  # fmt: skip


def _takings(row: Any) -> Takings:  # noqa: ANN401  # a row with the two columns of each amount
    return Takings(
        *(int(getattr(row, f"{name}_milli")) * MILLI + int(getattr(row, f"{name}_pico")) for name in AMOUNTS)
    )


def book(connection: sa.Connection, fresh: Sequence[Line], closed: Mapping[str, str], at: datetime) -> None:
    """Add lines, each in its own month or the first open one after it."""
    rows = [_row(line, closed, at, line.takings, None) for line in fresh]
    if rows:
        connection.execute(sa.insert(ledger.revenue_lines), rows)


def reverse(connection: sa.Connection, gone: Mapping[int, Line], closed: Mapping[str, str], at: datetime) -> None:
    """Book lines back that hold no more, where they were booked: also when their own month was opened again."""
    rows = []
    for row, line in gone.items():
        stands = connection.scalar(sa.select(_l.booked_in).where(_l.id == row)) or line.month
        back = _row(line, closed, at, Takings().plus(line.takings, -1), row)
        rows.append({**back, "booked_in": closed.get(stands, stands)})
    if rows:
        connection.execute(sa.insert(ledger.revenue_lines), rows)
        for row in gone:
            connection.execute(sa.update(ledger.revenue_lines).where(_l.id == row).values(reversed_at=at))


def _row(line: Line, closed: Mapping[str, str], at: datetime, takings: Takings, reverses: int | None) -> dict[str, Any]:
    values: dict[str, Any] = line._asdict()
    del values["takings"]
    for name, amount in zip(AMOUNTS, takings, strict=True):
        values[f"{name}_milli"], values[f"{name}_pico"] = split(amount)
    return {**values, "booked_in": closed.get(line.month, line.month), "recorded_at": at, "reverses": reverses}


class Place(NamedTuple):
    """Where takings belong in a report: the number of a window, the plan, the customer, and what they rest on."""

    window: int
    plan: str
    customer: str
    matched: bool
    basis: str
    source: str
    tax_unknown: bool
    unconverted: str


_HEADS = ("plan", "customer", "matched", "basis", "source", "tax_unknown", "unconverted")


def sums(
    connection: sa.Connection, windows: Sequence[Window], *, by_customer: bool, booked: bool, known_at: datetime | None
) -> dict[Place, tuple[Takings, int]]:
    """Return what came in in each window, and in how many lines.

    Args:
        connection: one consistent read.
        windows: one after the other without a gap.
        by_customer: whether customers are told apart.
        booked: by the month something is booked in, which is at its beginning where that is a later one; else by the
            time it was earned.
        known_at: what was known then; None is now.
    """
    found: dict[Place, Takings] = {}
    standing: Counter[Place] = Counter()
    first, last = windows[0].start, windows[-1].end
    months = [_l.month, _l.booked_in]
    column = months[booked]
    where = [column >= _month(first), column <= _month(last)]
    if known_at is not None:
        where.append(_l.recorded_at <= known_at)
    read = _whole if all(_is_month(window.start) and _is_month(window.end) for window in windows) else _pieces
    for place, takings, lines in read(connection, windows, where, column, by_customer=by_customer):
        found[place] = found.get(place, Takings()).plus(takings)
        standing[place] += lines
    # A trial is worth nothing and stands there; what was booked and booked back does not. An amount in its own currency
    # is counted by its lines: where it is taken back in a later window, it is less there.
    return {
        place: (takings, standing[place])
        for place, takings in found.items()
        if any(takings) or standing[place] > 0 or (place.unconverted and standing[place])
    }


_LINES = sa.func.sum(sa.case((_l.reverses.is_(None), 1), else_=-1)).label("lines")


def _month(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m")


def _is_month(moment: datetime) -> bool:
    return moment == period_bounds(_month(moment))[0]


def _whole(
    connection: sa.Connection, windows: Sequence[Window], where: Sequence[sa.ColumnElement[bool]],
    column: sa.ColumnElement[str], *, by_customer: bool,
) -> Iterator[tuple[Place, Takings, int]]:  # fmt: skip
    """Sum up whole months where they are stored."""
    heads = [_l[name] for name in _HEADS if by_customer or name != "customer"]
    amounts = [
        sa.func.sum(_l[f"{name}_{part}"]).label(f"{name}_{part}") for name in AMOUNTS for part in ("milli", "pico")
    ]
    query = sa.select(column.label("m"), _LINES, *heads, *amounts).where(*where).group_by(column, *heads)
    numbers = {window.start: number for number, window in enumerate(windows)}
    starts = sorted(numbers)
    for row in connection.execute(query):
        begins = period_bounds(row.m)[0]
        start = max((one for one in starts if one <= begins), default=None)
        if start is not None and begins < windows[numbers[start]].end:
            yield _place(numbers[start], row, by_customer=by_customer), _takings(row), row.lines


def _pieces(
    connection: sa.Connection, windows: Sequence[Window], where: Sequence[sa.ColumnElement[bool]],
    column: sa.ColumnElement[str], *, by_customer: bool,
) -> Iterator[tuple[Place, Takings, int]]:  # fmt: skip
    """Cut each line at the edges of the windows."""
    for row in connection.execute(sa.select(ledger.revenue_lines, column.label("m")).where(*where)):
        line = _line(row)
        late = row.m != row.month
        start, end_ = (period_bounds(row.m)[0], None) if late else (line.start, line.end)
        for number, window in enumerate(windows):
            if start >= window.end or (start if end_ is None else end_) < window.start:
                continue
            parts = Takings(*(earned(amount, start, end_, window.start, window.end) for amount in line.takings))
            place = _place(number, row, by_customer=by_customer)
            if place.unconverted:
                currency, _, amount = place.unconverted.partition(" ")
                part = earned(to_pico(Fraction(amount)), start, end_, window.start, window.end)
                place = place._replace(unconverted=f"{currency} {pico_text(part)}" if part else "")
            yield place, parts, 1 if row.reverses is None else -1


def _place(number: int, row: Any, *, by_customer: bool) -> Place:  # noqa: ANN401  # a row of lines
    values = {name: getattr(row, name) for name in _HEADS if by_customer or name != "customer"}
    return Place(window=number, **{"customer": "", **values})
