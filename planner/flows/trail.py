"""Reading the audit trail: a page, all of it as a file, and whether all of it still follows from its beginning."""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from planner.core import strict_json
from planner.core.errors import InvalidInput
from planner.core.tables import csv_text
from planner.store import audit, json_text
from planner.store.audit import Chain, Wanted
from planner.store.engine import Store

__all__ = ["Chain", "check", "check_file", "entries", "export"]

FORMATS = ("jsonl", "csv")

_EXPECTED = re.compile(r"([0-9]{1,18}):([0-9a-f]{64})", re.ASCII)


def entries(store: Store, wanted: Wanted, before: int | None, limit: int) -> list[dict[str, Any]]:
    """Return entries, newest first, from before a number."""
    with store.read() as connection:
        return audit.entries(connection, wanted, before, limit)


def export(store: Store, wanted: Wanted, format_: str, told: Callable[[int, int], None] | None = None) -> Iterator[str]:
    """Return the text of a file of entries, oldest first, in parts that fit in memory; later entries are not in it.

    ``jsonl`` has one object a line: the fields that the hash covers, exactly as it covers them, and the hash, so that
    whoever has the file can check it. ``csv`` is for a spreadsheet. ``told`` hears how far it is: a number of the last.

    Raises:
        InvalidInput: another format.
        Unavailable: the database does not answer.
    """
    if format_ not in FORMATS:
        raise InvalidInput("format", f"one of {', '.join(FORMATS)} is needed")
    with store.read() as connection:
        end = audit.last(connection)
    return _parts(store, wanted, format_, end, told or (lambda _done, _total: None))


def _parts(store: Store, wanted: Wanted, format_: str, end: int, told: Callable[[int, int], None]) -> Iterator[str]:
    if format_ == "csv":
        yield csv_text([audit.FIELDS])
    done = 0
    while done < end:
        with store.read() as connection:
            found = audit.stretch(connection, wanted, done, end)
        done = found[-1]["seq"] if found else end
        if format_ == "csv":
            yield csv_text([_cell(entry[name]) for name in audit.FIELDS] for entry in found)
        else:
            yield "".join(f"{json_text.dump(entry)}\n" for entry in found)
        told(done, end)


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def check(store: Store, expect: str | None) -> Chain:
    """Check the whole chain; ``expect`` is ``SEQ:HASH`` of an entry that must still be there.

    Raises:
        InvalidInput: it is not of that form.
    """
    expected = _expected(expect)
    with store.read() as connection:
        return audit.check(connection, expected)


def check_file(lines: Iterable[bytes], expect: str | None) -> Chain:
    """Check the chain of an exported file, line by line, without a database. One with filters is not a whole chain.

    Raises:
        InvalidInput: ``expect`` is not ``SEQ:HASH``, or a line is no entry.
    """
    return audit.follow(map(_entry, lines, itertools.count(1)), _expected(expect))


def _entry(line: bytes, number: int) -> dict[str, Any]:
    found = strict_json.read(line, name=f"line {number}")
    if not isinstance(found, dict) or set(found) != set(audit.FIELDS):
        raise InvalidInput(f"line {number}", f"an entry of {', '.join(audit.FIELDS)} is needed")
    if not all(value is None or type(value) in (str, int) for value in found.values()):
        raise InvalidInput(f"line {number}", "texts and whole numbers are needed")
    return found


def _expected(expect: str | None) -> tuple[int, str] | None:
    if expect is None:
        return None
    found = _EXPECTED.fullmatch(expect)
    if found is None or not int(found[1]):
        raise InvalidInput("expect", "SEQ:HASH of an entry is needed, as a check prints it")
    return int(found[1]), found[2]
