"""Temporary: what cells.py will offer."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from planner.core.errors import InvalidInput
from planner.core.money import parse_feed_decimal
from planner.core.usage import COUNT_MAX

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def count(values: Mapping[str, Any], name: str) -> int:
    value = values.get(name)
    if value is None or value == "":
        return 0
    if isinstance(value, str):
        value = parse_feed_decimal(value, field=name)
    if isinstance(value, Decimal) and value.is_finite() and value == int(value):
        value = int(value)
    if type(value) is not int or not 0 <= value <= COUNT_MAX:
        raise InvalidInput(name, "an integer from 0 to 2**63 - 1 is needed")
    return value


def decimal(values: Mapping[str, Any], name: str) -> Decimal | None:
    value = values.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return parse_feed_decimal(value, field=name)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise InvalidInput(name, "a decimal number is needed")
    return Decimal(value)


def words(values: Mapping[str, Any], name: str) -> str | None:
    value = values.get(name)
    return value if isinstance(value, str) and value.strip() else None


def flag(values: Mapping[str, Any], name: str) -> bool:
    return values.get(name) in (True, "true", "True", "TRUE")


def moment(values: Mapping[str, Any], name: str) -> datetime:
    value = values.get(name)
    if isinstance(value, str):
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            raise InvalidInput(name, "a moment is needed, such as 2026-11-24T12:00:00Z") from None
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    raise InvalidInput(name, "a moment is needed, such as 2026-11-24T12:00:00Z")


def seconds(values: Mapping[str, Any], name: str) -> datetime:
    return _EPOCH + timedelta(seconds=count(values, name))
