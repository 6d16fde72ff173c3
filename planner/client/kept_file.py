"""A file of last good answers, so that a backend that starts while planner is away has one."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

_LAYOUT = 1


class Entry(NamedTuple):
    """One answer in the file: what it is about, its ETag, and when it was confirmed and ends, in Unix seconds."""

    key: tuple[str, str, str | None]
    etag: str | None
    asked_wall: float
    ends_wall: float | None
    answer: Mapping[str, Any]


class KeptFile:
    """A file that is either whole or not there, for its owner alone.

    It belongs to one address and one key: answers that another key was given are not read. Only a digest of both
    stands in it.
    """

    def __init__(self, path: Path, base_url: str, key: str) -> None:
        """Name the file; nothing is read or written yet."""
        self._path = path
        self._scope = hashlib.sha256(f"{base_url}\0{key}".encode()).hexdigest()

    def read(self) -> list[Entry]:
        """Return the answers in the file; a file that is missing, broken or somebody else's has none."""
        try:
            document = json.loads(self._path.read_bytes(), parse_float=Decimal)
            if (document["layout"], document["scope"]) != (_LAYOUT, self._scope):
                return []
            return [_entry(row) for row in document["answers"]]
        except (OSError, ValueError, ArithmeticError, LookupError, TypeError, RecursionError):
            return []

    def write(self, entries: Iterable[Entry]) -> None:
        """Replace the file at once: whoever reads meanwhile reads the old one or the new one, whole.

        Raises:
            OSError: it cannot be written; the old file is still there.
        """
        document = {
            "layout": _LAYOUT,
            "scope": self._scope,
            "answers": [{**entry._asdict(), "key": list(entry.key)} for entry in entries],
        }
        # Made beside the file, since a rename is only at once within one file system; readable by its owner alone.
        handle, name = tempfile.mkstemp(prefix=f".{self._path.name}.", dir=self._path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(document, file, default=str, separators=(",", ":"))
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self._path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise


def _entry(row: Mapping[str, Any]) -> Entry:
    plan, task, customer = row["key"]
    etag, ends = row["etag"], row["ends_wall"]
    texts = isinstance(plan, str) and isinstance(task, str) and isinstance(customer, str | None)
    if not texts or not isinstance(etag, str | None) or not isinstance(row["answer"], dict):
        raise TypeError("an answer is of another kind")
    return Entry(
        (plan, task, customer), etag, float(row["asked_wall"]), None if ends is None else float(ends), row["answer"]
    )
