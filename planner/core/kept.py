"""Results that are dear to make and asked for again, in a bounded number."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import TypeVar

Made = TypeVar("Made")


class Kept(OrderedDict[Hashable, object]):
    """The results made last. Two threads may make the same one; they only take turns to keep it."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size
        self._turn = Lock()

    def get_or(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """Return what is kept under a key, or make and keep it."""
        found = self.get(key)
        if found is None:
            found = make()
            # Comparing keys runs Python code, in the middle of which another thread may run.
            with self._turn:
                self[key] = found
                while len(self) > self._size:
                    self.popitem(last=False)
        return found  # type: ignore[return-value]  # a key always keeps what its own maker makes
