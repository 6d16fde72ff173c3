"""A mapping file says which column of a file is which field, so that any table of usage or money can be read.

The file is TOML. Usage, here of a trace in CSV whose moments have no zone of their own::

    kind = "usage"                      # or "revenue", or "invoice"
    id = "row"                          # a column, or "row": the number of the row in its file
    at = "TIMESTAMP"                    # when the request began
    at_format = "rfc3339"               # or epoch_s, epoch_ms, epoch_ns: seconds, milliseconds, nanoseconds
    at_zone = "UTC"                     # of moments that state none; left out, such moments are refused
    customer = "user.id"                # a key inside an object, or inside a text that is one in JSON
    includes_cached = true              # whether input_tokens contain cached ones; left out, it is judged

    [counts]                            # canonical count = column
    input_tokens = "ContextTokens"
    output_tokens = "GeneratedTokens"

    [constants]                         # what is the same in every row
    provider = "azure"
    model = "gpt-4"

Further columns of usage: ``until`` (the end of an aggregate), ``total_tokens``, ``stated_usd``, ``request_id``,
``offer``, ``channel``, ``provider``, ``model``, ``service_tier``, ``region``, ``plan``, ``customer``, ``task``,
``project``, ``key``. All of them from ``offer`` on may be constants instead, and ``stated_by`` is a constant only:
``provider``, ``gateway`` or ``estimate``. Where no cached tokens are counted, nobody knows what was cached, and a cost
has bounds only, unless ``cache_stated = true`` says that nothing was. ``at_start = "2026-09-01T00:00:00Z"`` is where
the ticks of an epoch format are counted from, if that is not 1970. ``at_shift_days = 1096`` moves every moment by whole
days, to play a recorded trace as usage of another time. ``rows = "result.items"`` is where the list of rows
stands in a JSON document; left out, it is the document itself or its ``data``.

Revenue, here in the smallest unit of each currency, as payment providers have it::

    kind = "revenue"
    id = "Invoice"
    customer = "Customer"
    amount = "Total"
    amount_unit = "minor"               # or "major", which is the default: 20.00 and not 2000
    currency = "Currency"
    start = "Period Start"
    end = "Period End"
    at_format = "epoch_s"

    [constants]
    item_kind = "invoice"               # or a column: recognised, invoice, subscription, cash, refund, fee

Further columns of revenue: ``item_kind``, ``fee``, ``tax``, ``plan``, ``price``. ``item_kind``, ``customer``,
``currency``, ``plan`` and ``price`` may be constants instead. A refund may be written with a minus.

An invoice of a provider, which the ledger is held against::

    kind = "invoice"
    id = "Line"
    line_kind = "Type"                  # usage, credit, discount, fee, tax, adjustment, rounding
    amount = "Amount"
    start = "From"
    end = "To"
    unit = "Meter"                      # of usage: planner's word for it, such as input_token
    quantity = "Quantity"
    list_amount = "List"                # before discounts

    [constants]
    provider = "openai"
    currency = "EUR"
    usd_per_unit = "1.16"               # the exchange rate the invoice states

Further columns of an invoice: ``unit_price`` for one ``per``, ``channel``, ``model``, ``service_tier``, ``project``,
``key``, ``description``. All but the amounts, the quantity and the times may be constants instead.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from planner.core import invoice
from planner.core.errors import InvalidInput
from planner.core.event import StatedBy
from planner.core.revenue import Kind
from planner.core.usage import COUNTS
from planner.ledger import cells

ROW = "row"
TEXTS = (
    *("offer", "channel", "provider", "model", "service_tier", "region"),
    *("plan", "customer", "task", "project", "key"),
)
"""Fields of an event that are texts, from a column or the same in every row."""
ITEM_TEXTS = ("item_kind", "customer", "currency", "plan", "price")
"""The same of an item of revenue."""
LINE_TEXTS = (
    *("line_kind", "currency", "provider", "channel", "model", "unit", "service_tier", "project", "key"),
    *("description", "usd_per_unit", "per"),
)
"""The same of a line of an invoice."""
USAGE, REVENUE, INVOICE = "usage", "revenue", "invoice"
"""What a mapping may be of."""

_TICKS = {"epoch_s": 1, "epoch_ms": 1_000, "epoch_ns": 1_000_000_000}
_FORMATS = ("rfc3339", *_TICKS)
_SHARED = ("kind", "rows", "id", "at_format", "at_zone", "at_start", "at_shift_days", "constants")
_USAGE = ("at", "until", "total_tokens", "stated_usd", "request_id", *TEXTS)
_REVENUE = ("start", "end", "amount", "fee", "tax", *ITEM_TEXTS)
_INVOICE = ("start", "end", "amount", "list_amount", "unit_price", "quantity", *LINE_TEXTS)


@dataclass(frozen=True, slots=True)
class _Words:
    """The words of one kind of mapping: its columns, further keys, those that may be constants, and those it needs."""

    columns: tuple[str, ...]
    more: tuple[str, ...]
    texts: tuple[str, ...]
    needed: tuple[str, ...]


_KINDS = {
    USAGE: _Words(_USAGE, ("includes_cached", "cache_stated", "counts"), (*TEXTS, "stated_by"), ("id", "at")),
    REVENUE: _Words(_REVENUE, ("amount_unit",), ITEM_TEXTS, ("id", "amount", "currency", "item_kind", "start")),
    INVOICE: _Words(_INVOICE, ("amount_unit",), LINE_TEXTS, ("id", "amount", "currency", "line_kind", "start")),
}
_CONSTANTS_MAX = 400
_SHIFT_DAYS_MAX = 20_000


@dataclass(frozen=True, slots=True)
class Clock:
    """How moments are written: as RFC 3339 has it, or in ticks of which ``ticks`` make a second, from ``start`` on.

    ``shift`` is added to each.
    """

    ticks: int | None
    zone: tzinfo | None
    start: datetime
    shift: timedelta = timedelta()

    def read(self, values: Mapping[str, Any], name: str) -> datetime | None:
        """Read a moment, or None where nothing was said.

        Raises:
            InvalidInput: no moment.
        """
        if self.ticks is None:
            found = cells.moment(values, name, self.zone)
        else:
            found = cells.epoch(values, name, self.ticks, self.start)
        return None if found is None else found + self.shift


@dataclass(frozen=True, slots=True)
class Layout:
    """A mapping file that was checked: the column of each field, counts included, and what is the same in every row."""

    kind: str
    columns: Mapping[str, str]
    counts: tuple[str, ...]
    constants: Mapping[str, str]
    clock: Clock
    rows: str | None
    includes_cached: bool | None
    cache_stated: bool
    minor: bool


def read_mapping(text: str) -> Mapping[str, Any]:
    """Read a mapping file.

    Raises:
        InvalidInput: not TOML, or no mapping; names the key that is missing, unknown or of another kind.
    """
    try:
        mapping = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("mapping", f"not TOML: {error}") from None
    layout(mapping)
    return mapping


def layout(mapping: Mapping[str, Any]) -> Layout:
    """Check a mapping file, and return what it says.

    Raises:
        InvalidInput: names the key that is missing, unknown or of another kind.
    """
    kind = _word(mapping, "kind", tuple(_KINDS))
    words = _KINDS[kind]
    _known(mapping, (*_SHARED, *words.columns, *words.more), "a mapping")
    constants = _table(mapping, "constants", words.texts)
    for name, allowed in (("stated_by", StatedBy), ("item_kind", Kind), ("line_kind", invoice.Kind)):
        if name in constants:
            _word(constants, name, tuple(allowed))
    counts = _table(mapping, "counts", COUNTS) if kind == USAGE else {}
    columns = {name: _text(mapping, name) for name in ("id", *words.columns) if name in mapping} | counts
    twice = next((name for name in constants if name in columns), None)
    if twice is not None:
        raise InvalidInput(twice, "a column and a constant at once")
    for name in words.needed:
        if name not in columns and name not in constants:
            raise InvalidInput(name, "it is missing in the mapping")
    if kind == USAGE and not counts and "stated_usd" not in columns:
        raise InvalidInput("counts", "the mapping has neither counts nor stated_usd")
    stated = _flag(mapping, "cache_stated")
    return Layout(
        kind=kind,
        columns=columns,
        counts=tuple(counts),
        constants=constants,
        clock=_clock(mapping),
        rows=_text(mapping, "rows") if "rows" in mapping else None,
        includes_cached=_flag(mapping, "includes_cached"),
        cache_stated=any(name.startswith("cache_") for name in counts) if stated is None else stated,
        minor=_word(mapping, "amount_unit", ("major", "minor"), "major") == "minor",
    )


def _clock(mapping: Mapping[str, Any]) -> Clock:
    ticks = _TICKS.get(_word(mapping, "at_format", _FORMATS, "rfc3339"))
    zone: tzinfo | None = None
    if "at_zone" in mapping:
        name = _text(mapping, "at_zone")
        try:
            zone = UTC if name == "UTC" else ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise InvalidInput("at_zone", "a zone of the IANA data base is needed, such as Europe/Berlin") from None
    if "at_start" not in mapping:
        return Clock(ticks, zone, cells.EPOCH, _shift(mapping))
    if ticks is None:
        raise InvalidInput("at_start", "only ticks are counted from a start; at_format says there are none")
    value = mapping["at_start"]
    # TOML has moments of its own; one of them may be written without quotes.
    stated = {"at_start": value.isoformat() if isinstance(value, datetime) else value}
    return Clock(ticks, zone, cells.needed(cells.moment(stated, "at_start", zone), "at_start"), _shift(mapping))


def _shift(mapping: Mapping[str, Any]) -> timedelta:
    days = mapping.get("at_shift_days", 0)
    if type(days) is not int or abs(days) > _SHIFT_DAYS_MAX:
        raise InvalidInput("at_shift_days", f"a whole number of at most {_SHIFT_DAYS_MAX} days is needed")
    return timedelta(days=days)


def _known(mapping: Mapping[str, Any], allowed: tuple[str, ...], what: str) -> None:
    unknown = next((key for key in mapping if key not in allowed), None)
    if unknown is not None:
        raise InvalidInput(ascii(unknown[:40]).strip("'"), f"not a key of {what}; its keys are {', '.join(allowed)}")


def _table(mapping: Mapping[str, Any], name: str, allowed: tuple[str, ...]) -> dict[str, str]:
    found = mapping.get(name, {})
    if not isinstance(found, Mapping):
        raise InvalidInput(name, "a table is needed")
    _known(found, allowed, f"[{name}]")
    return {key: _text(found, key) for key in found}


def _text(mapping: Mapping[str, Any], name: str) -> str:
    value = mapping[name]
    if not isinstance(value, str) or not value or len(value) > _CONSTANTS_MAX or not value.isprintable():
        raise InvalidInput(name, "a text is needed")
    return value


def _word(mapping: Mapping[str, Any], name: str, words: tuple[str, ...], default: str | None = None) -> str:
    value = mapping.get(name, default)
    if value not in words:
        raise InvalidInput(name, f"one of {', '.join(words)} is needed")
    return str(value)


def _flag(mapping: Mapping[str, Any], name: str) -> bool | None:
    value = mapping.get(name)
    if value is not None and not isinstance(value, bool):
        raise InvalidInput(name, "true or false is needed")
    return value
