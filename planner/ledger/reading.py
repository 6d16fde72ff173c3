"""A file is opened by what it holds, whatever it is called: CSV, JSON, JSON Lines or Parquet, each also as gzip."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from planner.core import strict_json
from planner.core.errors import InvalidInput
from planner.ledger.csv_file import open_csv
from planner.ledger.format import File, Refused, Row
from planner.ledger.parquet import MAGIC, open_parquet
from planner.ledger.streams import ROW_BYTES_MAX, Bytes, Line, digest, lines

__all__ = ["JSON_BYTES_MAX", "JSON_VALUES_MAX", "digest", "open_file"]

JSON_BYTES_MAX = 64 * 1024 * 1024
"""The longest JSON document, inflated: it is held in memory. JSON Lines has no such bound."""
JSON_VALUES_MAX = 2_000_000
"""The most values in one: a document of nothing but brackets would take a hundred times its bytes."""

_BLANK_MAX = 64 * 1024
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BOM = b"\xef\xbb\xbf"
_LINES = frozenset({".jsonl", ".ndjson"})
# How far into JSON Lines the first object may stand.
_LOOK = 1_000


@dataclass(slots=True)
class LinesFile:
    """An opened file of JSON Lines: one object on each line; a line that is none is refused alone."""

    name: str
    source: Bytes
    columns: tuple[str, ...]
    layout: str = field(default="jsonl", init=False)

    def rows(self) -> Iterator[Row | Refused]:
        """Yield the objects."""
        place = "line 1"
        try:
            with self.source.opened() as stream:
                for line in lines(stream):
                    place = f"line {line.number}"
                    yield _object(place, line)
        except InvalidInput as error:
            yield Refused(place, f"{error.problem}; nothing after this line is read")


@dataclass(slots=True)
class DocumentFile:
    """An opened JSON document, in memory: an object is one row, and of a list every object is."""

    name: str
    columns: tuple[str, ...]
    document: Mapping[str, Any] | list[Any]
    layout: str = field(default="json", init=False)

    def rows(self) -> Iterator[Row | Refused]:
        """Yield the document, or the objects of its list."""
        if isinstance(self.document, Mapping):
            yield Row("", self.document)
            return
        for index, found in enumerate(self.document):
            place = f"[{index}]"
            yield Row(place, found) if isinstance(found, dict) else Refused(place, "not an object")


def open_file(path: Path, progress: Callable[[int], None] | None = None) -> File:
    """Open a file of usage or revenue.

    Args:
        path: where it lies. Its name is believed only where a single line could be JSON as well as JSON Lines.
        progress: is told, while rows are read, how many bytes of the file were read so far, packed as they are.

    Raises:
        InvalidInput: it cannot be read, is empty, is of none of these kinds, or is a JSON document that is no JSON or
            longer than 64 MiB.
    """
    source = Bytes(path, progress)
    with source.silent().opened() as stream:
        begin = stream.read(_BLANK_MAX)
    if begin.startswith(MAGIC):
        return open_parquet(path.name, source)
    if begin.startswith(_UTF16):
        raise InvalidInput("file", "not UTF-8 but UTF-16; save it as UTF-8")
    first = begin.removeprefix(_BOM).lstrip()[:1]
    if not first:
        raise InvalidInput("file", f"it is empty, or begins with more than {_BLANK_MAX} blanks")
    if first == b"{" and _one_object_a_line(source, path):
        return _open_lines(path.name, source)
    if first in (b"{", b"["):
        return _open_document(path.name, source)
    return open_csv(path.name, source)


def _one_object_a_line(source: Bytes, path: Path) -> bool:
    """Tell JSON Lines from a document, both of which begin with a brace: by their first two lines, else by the name."""
    with source.silent().opened() as stream:
        found = lines(stream)
        one, two = next(found), next(found, None)
    named = not _LINES.isdisjoint(suffix.lower() for suffix in path.suffixes)
    if two is None:
        return named
    if isinstance(_object("", one), Row):
        return True
    # The first line may be broken, or too long to look at.
    return (two.text or b"").lstrip().startswith(b"{") and (named or (one.text or b"}").rstrip().endswith(b"}"))


def _open_lines(name: str, source: Bytes) -> LinesFile:
    rows = islice(LinesFile(name, source.silent(), ()).rows(), _LOOK)
    first = next((row for row in rows if isinstance(row, Row)), None)
    return LinesFile(name, source, () if first is None else tuple(first.values))


def _object(place: str, line: Line) -> Row | Refused:
    if line.text is None:
        return Refused(place, f"longer than {ROW_BYTES_MAX} bytes")
    try:
        found = strict_json.read(line.text, name="line")
    except InvalidInput as error:
        return Refused(place, error.problem)
    return Row(place, found) if isinstance(found, dict) else Refused(place, "not an object")


def _open_document(name: str, source: Bytes) -> DocumentFile:
    with source.opened() as stream:
        body = stream.read(JSON_BYTES_MAX + 1)
    if len(body) > JSON_BYTES_MAX:
        raise InvalidInput("file", f"a JSON document of more than {JSON_BYTES_MAX} bytes; send it as JSON Lines")
    document = strict_json.read(body, name="file", values_max=JSON_VALUES_MAX)
    listed = document if isinstance(document, list) else [document]
    first = next((found for found in listed if isinstance(found, dict)), {})
    return DocumentFile(name, tuple(first), document)
