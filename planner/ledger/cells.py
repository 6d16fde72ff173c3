"""What stands in one cell, read strictly: a text, a count, a decimal, a moment, a flag, or JSON of its own.

A cell is a text in CSV and a value in JSON and Parquet; empty and null both mean that nothing was said. Whatever is
refused is refused by the name of its field, and what stands there is never repeated.
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from typing import Any

from planner.core import strict_json
from planner.core.errors import InvalidInput
from planner.core.money import parse_feed_decimal
from planner.core.usage import COUNT_MAX

TEXT_MAX = 800
"""The longest text that is a name or an id, which is Langfuse's own limit; longer ones are contents in a wrong place."""
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


def absent(value: object) -> bool:
    """Tell whether nothing was said."""
    return value is None or value == ""


def text(value: object, field: str) -> str | None:
    """Read a name, an id or a label; a whole number is one too.

    Raises:
        InvalidInput: another kind of value, longer than 800 characters, or with characters nobody can see.
    """
    if absent(value):
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise InvalidInput(field, "a text is needed")
    found = str(value)
    if len(found) > TEXT_MAX or not found.isprintable():
        raise InvalidInput(field, f"a text of at most {TEXT_MAX} printable characters is needed")
    return found


def count(value: object, field: str) -> int | None:
    """Read a count: a whole number from 0 to 2**63 - 1, also written as one with nothing behind its point.

    Raises:
        InvalidInput: anything else.
    """
    if absent(value):
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
        raise InvalidInput(field, "a whole number from 0 to 2**63 - 1 is needed")
    return found


def decimal(value: object, field: str) -> Decimal | None:
    """Read a decimal number exactly, exponents included.

    Raises:
        InvalidInput: anything else, or beyond 40 digits or 1e30.
    """
    if absent(value):
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise InvalidInput(field, "a decimal number is needed")
    return parse_feed_decimal(str(value), field=field)


def moment(value: object, field: str, zone: tzinfo | None = None) -> datetime | None:
    """Read a moment such as ``2026-09-01T10:00:00.123Z`` or ``2026-09-01 10:00``, as UTC.

    Args:
        value: what is finer than a microsecond is cut off. A date alone is its midnight.
        field: how to call it in an error.
        zone: of what states none; None where the format does not say which that is, so that none is guessed.

    Raises:
        InvalidInput: no moment, none of this century, without a zone, or one its zone's clocks show twice or never.
    """
    if absent(value):
        return None
    match = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise InvalidInput(field, "a moment is needed, such as 2026-09-01T10:00:00Z")
    *parts, fraction, offset = match.groups()
    stated = zone if offset is None else _offset(offset)
    if stated is None:
        raise InvalidInput(field, "a moment with its offset from UTC is needed")
    try:
        year, month, day, hour, minute, second = (int(part or 0) for part in parts)
        found = datetime(year, month, day, hour, minute, second, int((fraction or "")[:6].ljust(6, "0")), stated)
        if found.utcoffset() != found.replace(fold=1).utcoffset():
            raise InvalidInput(field, "a moment that clocks show twice or never; give it with its offset from UTC")
        return _of_this_century(found.astimezone(UTC), field)
    except (ValueError, OverflowError):
        raise InvalidInput(field, "there is no such moment") from None


def epoch(value: object, field: str, ticks_per_second: int, start: datetime = EPOCH) -> datetime | None:
    """Read a moment as a number of ticks after a start, as UTC; what is finer than a microsecond is cut off.

    Args:
        value: the number of ticks.
        field: how to call it in an error.
        ticks_per_second: 1, 1,000 or 1,000,000,000.
        start: from where they are counted.

    Raises:
        InvalidInput: no number, or no moment of this century: the ticks may be of another length.
    """
    number = decimal(value, field)
    if number is None:
        return None
    try:
        since = timedelta(microseconds=Fraction(number) * 1_000_000 // ticks_per_second)
        return _of_this_century(start + since, field)
    except OverflowError:
        raise InvalidInput(field, "there is no such moment") from None


def flag(value: object, field: str) -> bool | None:
    """Read a yes or no: true or false, in any spelling of these words, or their first letters.

    Raises:
        InvalidInput: anything else.
    """
    if absent(value):
        return None
    found = value if isinstance(value, bool) else _FLAGS.get(value.lower()) if isinstance(value, str) else None
    if found is None:
        raise InvalidInput(field, "true or false is needed")
    return found


def json_object(value: object, field: str) -> dict[str, Any]:
    """Read an object, or the text of one; nothing said is an empty one.

    Raises:
        InvalidInput: anything else.
    """
    found = _json(value, field)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise InvalidInput(field, "an object is needed")
    return found


def json_list(value: object, field: str) -> list[Any]:
    """Read a list, or the text of one; nothing said is an empty one.

    Raises:
        InvalidInput: anything else.
    """
    found = _json(value, field)
    if found is None:
        return []
    if not isinstance(found, list):
        raise InvalidInput(field, "a list is needed")
    return found


def _json(value: object, field: str) -> object:
    if absent(value):
        return None
    return strict_json.read(value.encode(), name=field) if isinstance(value, str) else value


def _offset(text: str) -> tzinfo | None:
    if text in ("Z", "z", "UTC"):
        return UTC
    hours, minutes = int(text[1:3]), int(text[-2:]) if len(text) > len("+00") else 0
    away = timedelta(hours=hours, minutes=minutes)
    # An offset that no clock has is no offset.
    if minutes >= 60 or away >= timedelta(days=1):  # noqa: PLR2004  # minutes of an hour
        return None
    return timezone(-away if text[0] == "-" else away)


def _of_this_century(found: datetime, field: str) -> datetime:
    if not EARLIEST <= found < LATEST:
        raise InvalidInput(field, "a moment of this century is needed; it may be given in another unit")
    return found
