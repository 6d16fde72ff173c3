"""Fields of a JSON answer, read by name: money must be text, and a field this client does not know is no mistake."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from planner.client.refusals import Unreadable

T = TypeVar("T")


class Fields:
    """One object of an answer.

    A field that must be there and is not, or is of another kind, makes the answer `Unreadable`: better no answer than
    one with a hole where a price should be.
    """

    def __init__(self, document: object, where: str = "the answer") -> None:
        """Take an object; ``where`` names it in messages."""
        if not isinstance(document, dict):
            raise Unreadable(f"{where} is not an object")
        self.raw: Mapping[str, Any] = document
        self._where = where

    def text(self, name: str) -> str:
        """Return a text."""
        return self._of(name, str)

    def text_or_none(self, name: str) -> str | None:
        """Return a text, or None where it is null or not sent."""
        return None if self.raw.get(name) is None else self.text(name)

    def count(self, name: str) -> int:
        """Return a whole number."""
        value = self._of(name, int)
        if isinstance(value, bool):
            raise self._wrong(name)
        return value

    def count_or_none(self, name: str) -> int | None:
        """Return a whole number, or None where it is null or not sent."""
        return None if self.raw.get(name) is None else self.count(name)

    def flag(self, name: str) -> bool:
        """Return yes or no."""
        return self._of(name, bool)

    def number(self, name: str) -> Decimal:
        """Return an exact amount or ratio. A JSON number is refused: it may have lost digits on its way."""
        try:
            value = Decimal(self.text(name))
        except InvalidOperation:
            raise self._wrong(name) from None
        if not value.is_finite():
            raise self._wrong(name)
        return value

    def number_or_none(self, name: str) -> Decimal | None:
        """Return an exact amount or ratio, or None where it is null or not sent."""
        return None if self.raw.get(name) is None else self.number(name)

    def moment(self, name: str) -> datetime:
        """Return a time with its offset."""
        try:
            read = datetime.fromisoformat(self.text(name))
        except ValueError:
            raise self._wrong(name) from None
        if read.tzinfo is None:
            raise self._wrong(name)
        return read

    def moment_or_none(self, name: str) -> datetime | None:
        """Return a time with its offset, or None where it is null or not sent."""
        return None if self.raw.get(name) is None else self.moment(name)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts."""
        listed = self._of(name, list)
        if not all(isinstance(each, str) for each in listed):
            raise self._wrong(name)
        return tuple(listed)

    def counts(self, name: str) -> dict[str, int]:
        """Return counts by name."""
        inner = Fields(self.raw.get(name), f"{self._where}.{name}")
        return {key: inner.count(key) for key in inner.raw}

    def listed(self, name: str, read: Callable[["Fields"], T]) -> tuple[T, ...]:
        """Return a list of objects, each read by ``read``."""
        items = self._of(name, list)
        return tuple(read(Fields(item, f"{self._where}.{name}[{i}]")) for i, item in enumerate(items))

    def inner(self, name: str, read: Callable[["Fields"], T]) -> T:
        """Return an object, read by ``read``."""
        return read(Fields(self.raw.get(name), f"{self._where}.{name}"))

    def _of(self, name: str, kind: type[T]) -> T:
        value = self.raw.get(name)
        if not isinstance(value, kind):
            raise self._wrong(name)
        return value

    def _wrong(self, name: str) -> Unreadable:
        return Unreadable(f"{self._where}.{name} is missing or of another kind")
