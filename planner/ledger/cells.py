"""What stands in one cell, read strictly: a text, a count, a decimal, a moment, a flag, or JSON of its own.

A cell is a text in CSV and a value in JSON and Parquet; empty and null both mean that nothing was said. Whatever is
refused is refused by the name of its field, and what stands there is never repeated.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeVar

from planner.core import strict_json
from planner.core.errors import InvalidInput
from planner.core.money import parse_feed_decimal
from planner.core.usage import COUNT_MAX

TEXT_MAX = 800
"""The longest text that is a name or an id, as long as Langfuse allows; a longer one is contents in a wrong place."""
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
"""What lies outside was given in another unit, or stands for nothing at all."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_WHOLE = re.compile(r"([0-9]{1,19})(?:\.0*)?", re.ASCII)
_MOMENT = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?)?"
    r" ?(Z|z|UTC|[+-][0-9]{2}(?::?[0-9]{2})?)?",
    re.ASCII,
)
_FLAGS = {"true": True, "t": True, "false": False, "f": False}
_Found = TypeVar("_Found")


def said(values: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401  # a cell is of any type
    """Return what stands in a cell, or None where nothing was said."""
    value = values.get(name)
    return None if value == "" else value


def needed(found: _Found | None, name: str) -> _Found:
    """Return what was read from a cell where something has to stand.

    Raises:
        InvalidInput: nothing was said.
    """
    if found is None:
        raise InvalidInput(name, "it is missing")
    return found


def text(values: Mapping[str, Any], name: str) -> str | None:
    """Read a name, an id or a label; a whole number is one too.

    Raises:
        InvalidInput: another kind of value, longer than 800 characters, or with characters nobody can see.
    """
    value = said(values, name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise InvalidInput(name, "a text is needed")
    found = str(value)
    if len(found) > TEXT_MAX or not found.isprintable():
        raise InvalidInput(name, f"a text of at most {TEXT_MAX} printable characters is needed")
    return found


def count(values: Mapping[str, Any], name: str) -> int | None:
    """Read a count: a whole number from 0 to 2**63 - 1, also written as one with nothing behind its point.

    Raises:
        InvalidInput: anything else.
    """
    value = said(values, name)
    if value is None:
        return None
    found = None
    if isinstance(value, str):
        match = _WHOLE.fullmatch(value)
        found = None if match is None else int(match[1])
    elif isinstance(value, Decimal):
        found = int(value) if value.is_finite() and value == value.to_integral_value() else None
    elif isinstance(value, int) and not isinstance(value, bool):
        found = value
    if found is None or not 0 <= found <= COUNT_MAX:
        raise InvalidInput(name, "a whole number from 0 to 2**63 - 1 is needed")
    return found


def decimal(values: Mapping[str, Any], name: str) -> Decimal | None:
    """Read a decimal number exactly, exponents included.

    Raises:
        InvalidInput: anything else, or beyond 40 digits or 1e30.
    """
    value = said(values, name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise InvalidInput(name, "a decimal number is needed")
    return parse_feed_decimal(str(value), field=name)


def cost(values: Mapping[str, Any], name: str) -> Decimal | None:
    """Read an amount that cannot be less than nothing.

    Raises:
        InvalidInput: no decimal number, or a negative one.
    """
    found = decimal(values, name)
    if found is not None and found < 0:
        raise InvalidInput(name, "less than nothing")
    return found


def moment(values: Mapping[str, Any], name: str, zone: tzinfo | None = None) -> datetime | None:
    """Read a moment such as ``2026-09-01T10:00:00.123Z`` or ``2026-09-01 10:00``, as UTC.

    What is finer than a microsecond is cut off. A date alone is its midnight.

    Args:
        values: the row.
        name: where in it.
        zone: of what states none; None where the format does not say which that is, so that none is guessed.

    Raises:
        InvalidInput: no moment, none of this century, without a zone, or one its zone's clocks show twice or never.
    """
    value = said(values, name)
    if value is None:
        return None
    match = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise InvalidInput(name, "a moment is needed, such as 2026-09-01T10:00:00Z")
    *parts, fraction, offset = match.groups()
    stated = zone if offset is None else _offset(offset)
    if stated is None:
        raise InvalidInput(name, "a moment with its offset from UTC is needed")
    try:
        year, month, day, hour, minute, second = (int(part or 0) for part in parts)
        found = datetime(year, month, day, hour, minute, second, int((fraction or "")[:6].ljust(6, "0")), stated)
        if stated is UTC:
            return _of_this_century(found, name)
        if found.utcoffset() != found.replace(fold=1).utcoffset():
            raise InvalidInput(name, "a moment that clocks show twice or never; give it with its offset from UTC")
        return _of_this_century(found.astimezone(UTC), name)
    except (ValueError, OverflowError):
        raise InvalidInput(name, "there is no such moment") from None


def epoch(values: Mapping[str, Any], name: str, ticks_per_second: int, start: datetime = EPOCH) -> datetime | None:
    """Read a moment as a number of ticks after a start, as UTC; what is finer than a microsecond is cut off.

    Args:
        values: the row.
        name: where in it.
        ticks_per_second: 1, 1,000 or 1,000,000,000.
        start: from where they are counted.

    Raises:
        InvalidInput: no number, or no moment of this century: the ticks may be of another length.
    """
    number = decimal(values, name)
    if number is None:
        return None
    try:
        since = timedelta(microseconds=Fraction(number) * 1_000_000 // ticks_per_second)
        return _of_this_century(start + since, name)
    except OverflowError:
        raise InvalidInput(name, "there is no such moment") from None


def flag(values: Mapping[str, Any], name: str) -> bool | None:
    """Read a yes or no: true or false, in any spelling of these words, or their first letters.

    Raises:
        InvalidInput: anything else.
    """
    value = said(values, name)
    if value is None:
        return None
    found = value if isinstance(value, bool) else _FLAGS.get(value.lower()) if isinstance(value, str) else None
    if found is None:
        raise InvalidInput(name, "true or false is needed")
    return found


def json_object(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Read an object, or the text of one; nothing said is an empty one.

    Raises:
        InvalidInput: anything else.
    """
    found = _json(values, name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise InvalidInput(name, "an object is needed")
    return found


def json_list(values: Mapping[str, Any], name: str) -> list[Any]:
    """Read a list, or the text of one; nothing said is an empty one.

    Raises:
        InvalidInput: anything else.
    """
    found = _json(values, name)
    if found is None:
        return []
    if not isinstance(found, list):
        raise InvalidInput(name, "a list is needed")
    return found


def _json(values: Mapping[str, Any], name: str) -> object:
    value = said(values, name)
    if value is None:
        return None
    return strict_json.read(value.encode(), name=name) if isinstance(value, str) else value


def _offset(text: str) -> tzinfo | None:
    if text in ("Z", "z", "UTC"):
        return UTC
    hours, minutes = int(text[1:3]), int(text[-2:]) if len(text) > len("+00") else 0
    away = timedelta(hours=hours, minutes=minutes)
    # An offset that no clock has is no offset.
    if minutes >= 60 or away >= timedelta(days=1):  # noqa: PLR2004  # minutes of an hour
        return None
    return timezone(-away if text[0] == "-" else away)


def _of_this_century(found: datetime, name: str) -> datetime:
    if not EARLIEST <= found < LATEST:
        raise InvalidInput(name, "a moment of this century is needed; it may be given in another unit")
    return found
