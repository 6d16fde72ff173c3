"""A table of usage, revenue or an invoice that is nobody's format is read as a mapping file says."""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from planner.core import strict_json
from planner.core.errors import InvalidInput
from planner.core.event import Event, Role, StatedBy
from planner.core.invoice import InvoiceLine, minor_places
from planner.core.money import exactly
from planner.core.revenue import Item, Kind
from planner.ledger import cells
from planner.ledger.format import File, Format, Given, Read, Refused, Row, Said, Skipped
from planner.ledger.invoice_lines import line_of
from planner.ledger.mapping import INVOICE, ITEM_TEXTS, LINE_TEXTS, REVENUE, ROW, TEXTS, USAGE, Layout, layout
from planner.ledger.tables import each, table

_NOWHERE = object()


class Mapped:
    """Rows of any table, by the mapping that is given with the file. It is never guessed."""

    name = "mapping"
    title = "Any table of usage, revenue or an invoice, by a mapping file"
    role = Role.LEDGER
    mutable = False

    def knows(self, file: File) -> str | None:  # noqa: ARG002  # as every format
        """Return None: only a person knows what the columns mean."""
        return None

    def read(self, file: File, given: Given) -> Iterator[Read | Refused | Skipped]:
        """Yield every row; at the end, each column that no row of a JSON file had is refused by its field.

        Raises:
            InvalidInput: no mapping was given, it is none, or it names a column a table does not have.
        """
        if not given.mapping:
            raise InvalidInput("mapping", "a mapping file is needed")
        found = layout(given.mapping)
        unseen = {name for name, path in found.columns.items() if not (name == "id" and path == ROW)}
        if file.layout in ("csv", "parquet"):
            for name in sorted(unseen):
                _in_table(file, name, found.columns[name])
            unseen.clear()
        return _read(file, given, found, unseen)


FORMATS: tuple[Format, ...] = (Mapped(),)


def _in_table(file: File, name: str, path: str) -> None:
    if path not in file.columns and path.partition(".")[0] not in file.columns:
        raise InvalidInput(name, "the mapping names a column that the file does not have")


def _read(file: File, given: Given, found: Layout, unseen: set[str]) -> Iterator[Read | Refused | Skipped]:
    by_place = found.columns["id"] == ROW
    said_by = _READERS[found.kind](given, found)

    def said_of(row: Row) -> Said:
        values = {}
        for name, path in found.columns.items():
            value = _at(row.values, path)
            if value is not _NOWHERE:
                values[name] = value
                unseen.discard(name)
        if by_place:
            # A document that is one row has no place inside itself.
            values["id"] = row.place.removeprefix("line ").removeprefix("row ") or "1"
        return said_by(values)

    yield from each(_rows(file, found.rows), said_of)
    for name in sorted(unseen):
        yield Refused("file", f"{name}: the mapping names a column that no row has")


def _rows(file: File, path: str | None) -> Iterator[Row | Refused]:
    """Yield the rows of a table, or of the list a mapping names within each document."""
    if path is None:
        yield from table(file)
        return
    for row in file.rows():
        listed = _at(row.values, path) if isinstance(row, Row) else None
        if isinstance(row, Refused):
            yield row
        elif isinstance(listed, list):
            for index, one in enumerate(listed):
                place = f"{row.place} {path}[{index}]".lstrip()
                yield Row(place, one) if isinstance(one, dict) else Refused(place, "not an object")
        else:
            yield Refused(row.place or "file", "rows: the mapping names a list that is not there")


def _at(values: Mapping[str, Any], path: str) -> Any:  # noqa: ANN401  # a cell is of any type
    """Return what stands under a key, or at a path of keys through objects and texts that are objects in JSON.

    Raises:
        InvalidInput: a text on the way begins as an object and is none.
    """
    node: Any = values
    for step in (path,) if path in values else path.split("."):
        if isinstance(node, str) and node.startswith("{"):
            node = strict_json.read(node.encode(), name=path)
        if not isinstance(node, Mapping) or step not in node:
            return _NOWHERE
        node = node[step]
    return node


def everywhere(given: Given, found: Layout) -> dict[str, str]:
    """Return the texts of an event that are the same in every row that says nothing else."""
    said = {"channel": given.channel, "provider": given.provider, "plan": given.plan, "customer": given.customer}
    said |= {"task": given.task, **found.constants}
    return {name: text for name, text in said.items() if text and name != "stated_by"}


def declared_of(given: Given, found: Layout) -> bool | None:
    """Return whether prompts contain their cached part, if somebody said so."""
    return found.includes_cached if given.includes_cached is None else given.includes_cached


def _events(given: Given, found: Layout) -> Callable[[Mapping[str, Any]], Event]:
    """Return what makes an event of a row's fields; what is the same in every row is settled once."""
    stated_by = StatedBy(found.constants.get("stated_by", StatedBy.ESTIMATE))
    same: dict[str, Any] = everywhere(given, found)
    texts = [name for name in ("request_id", *TEXTS) if name in found.columns]
    declared = declared_of(given, found)

    def event(values: Mapping[str, Any]) -> Event:
        counts = {name: number for name in found.counts if (number := cells.count(values, name)) is not None}
        cost = cells.decimal(values, "stated_usd")
        if not counts and cost is None:
            raise InvalidInput("counts", "the row has none of them, and no stated_usd")
        own = {name: text for name in texts if (text := cells.text(values, name)) is not None}
        return Event(
            source=given.source,
            id=cells.needed(cells.text(values, "id"), "id"),
            at=cells.needed(found.clock.read(values, "at"), "at"),
            until=found.clock.read(values, "until"),
            counts=counts,
            includes_cached=declared,
            total_tokens=cells.count(values, "total_tokens"),
            stated_usd=cost,
            stated_by=stated_by,
            cache_stated=found.cache_stated,
            **{**same, **own},
        )

    return event


def _items(given: Given, found: Layout) -> Callable[[Mapping[str, Any]], Item]:
    """Return what makes an item of a row's fields."""

    def item(values: Mapping[str, Any]) -> Item:
        stated = {name: cells.text(values, name) or found.constants.get(name) for name in ITEM_TEXTS}
        currency = cells.needed(stated["currency"], "currency").upper()
        kind = stated["item_kind"]
        if kind not in tuple(Kind):
            raise InvalidInput("item_kind", f"one of {', '.join(Kind)} is needed")
        smallest = Decimal(1).scaleb(-minor_places(currency)) if found.minor else None
        whole = cells.needed(_amount(values, "amount", smallest), "amount")
        return Item(
            source=given.source,
            id=cells.needed(cells.text(values, "id"), "id"),
            kind=Kind(kind),
            amount=-whole if whole < 0 and kind == Kind.REFUND else whole,
            currency=currency,
            start=cells.needed(found.clock.read(values, "start"), "start"),
            end=found.clock.read(values, "end"),
            customer=stated["customer"] or given.customer,
            plan=stated["plan"] or given.plan,
            price=stated["price"],
            fee=_amount(values, "fee", smallest),
            tax=_amount(values, "tax", smallest),
        )

    return item


def _lines(given: Given, found: Layout) -> Callable[[Mapping[str, Any]], InvoiceLine]:
    """Return what makes a line of an invoice of a row's fields."""
    everywhere = {"provider": given.provider, "channel": given.channel, **found.constants}

    def line(values: Mapping[str, Any]) -> InvoiceLine:
        stated = {name: cells.text(values, name) or everywhere.get(name) for name in LINE_TEXTS}
        currency = cells.needed(stated["currency"], "currency").upper()
        smallest = Decimal(1).scaleb(-minor_places(currency)) if found.minor else None
        return line_of(
            stated,
            source=given.source,
            id=cells.needed(cells.text(values, "id"), "id"),
            currency=currency,
            start=cells.needed(found.clock.read(values, "start"), "start"),
            end=found.clock.read(values, "end"),
            amount=cells.needed(_amount(values, "amount", smallest), "amount"),
            list_amount=_amount(values, "list_amount", smallest),
            unit_price=cells.decimal(values, "unit_price"),
            quantity=cells.decimal(values, "quantity"),
        )

    return line


def _amount(values: Mapping[str, Any], name: str, smallest: Decimal | None) -> Decimal | None:
    """Read an amount, given in a currency's smallest unit where that is said."""
    stated = cells.decimal(values, name)
    return stated if stated is None or smallest is None else exactly(stated, smallest)


_Reader = Callable[[Given, Layout], Callable[[Mapping[str, Any]], Said]]
_READERS: Mapping[str, _Reader] = {USAGE: _events, REVENUE: _items, INVOICE: _lines}
