"""A CSV file is read row by row, in UTF-8, under one heading, and a row that does not fit it is named by its line."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from planner.core.errors import InvalidInput
from planner.ledger.format import Refused, Row
from planner.ledger.streams import ROW_BYTES_MAX, Bytes, Line, lines

COLUMNS_MAX = 1_000

_BOM = b"\xef\xbb\xbf"
_TOO_LONG = f"longer than {ROW_BYTES_MAX} bytes"
_BLANK = (b"\n\n", b"\n\r", b"\n ", b"\n\t", b"\n\v", b"\n\f")
# A quote that begins a cell behind blanks (within a quoted text it stands there twice), and one that ends before them.
_OPENS_LATE = re.compile(rb', +(?:(?:"")*"(?!")|(?:"")+ *(?=[,\r\n]|$))')
_CLOSES_EARLY = re.compile(rb'" +(?=[,\r\n]|$)')
_REST = "it and everything after it is not read"

# The reader's own limit is one for the whole process and smaller than a row may be; a longer row never gets to it.
csv.field_size_limit(ROW_BYTES_MAX)


@dataclass(slots=True)
class CsvFile:
    """An opened CSV file: cells divided by commas, quoted as RFC 4180 has it, the first row the names of the columns.

    A row that is too long, not UTF-8, or has other than as many cells as there are columns is refused alone. Where
    quotes are wrong, nobody knows where the next row begins, and everything from there on is refused at once: a text
    inside a cell must never be taken for a row.
    """

    name: str
    source: Bytes
    columns: tuple[str, ...]
    layout: str = field(default="csv", init=False)

    def rows(self) -> Iterator[Row | Refused]:
        """Yield the rows below the heading, every value a text."""
        place = "line 1"
        try:
            with self.source.opened() as stream:
                found = lines(stream, quotes=True)
                next(found, None)
                for line in found:
                    place = f"line {line.number}"
                    try:
                        yield self._row(place, line)
                    except csv.Error:
                        yield Refused(place, f"its quotes are not those of CSV; {_REST}")
                        return
        except InvalidInput as error:
            yield Refused(place, f"{error.problem}; nothing after this line is read")

    def _row(self, place: str, line: Line) -> Row | Refused:
        if not line.closed:
            return Refused(place, f"a quote that opens in this row is never closed; {_REST}")
        if line.text is None:
            return Refused(place, _TOO_LONG)
        try:
            cells = _cells(line.text)
        except InvalidInput as error:
            return Refused(place, error.problem)
        if len(cells) != len(self.columns):
            return Refused(place, f"{len(cells)} cells, where the heading has {len(self.columns)} columns")
        return Row(place, dict(zip(self.columns, cells, strict=True)))


def open_csv(name: str, source: Bytes) -> CsvFile:
    """Open a CSV file by its heading.

    Raises:
        InvalidInput: there is no heading, or it cannot be one: ``sep=``, a name twice, more than 1,000 columns, another
            encoding, another divider than commas.
    """
    with source.silent().opened() as stream:
        line = next(lines(stream, quotes=True), None)
    if line is None:
        raise InvalidInput("file", "it is empty")
    place = f"line {line.number}"
    if line.text is None or not line.closed:
        raise InvalidInput(place, f"the heading is {_TOO_LONG}, or a quote in it is never closed")
    text = line.text.removeprefix(_BOM)
    if text[:4].lower() == b"sep=":
        raise InvalidInput(place, "a line sep= is for one spreadsheet only; remove it, and divide cells by commas")
    try:
        columns = _cells(text)
    except csv.Error:
        raise InvalidInput(place, "the heading is not CSV") from None
    except InvalidInput as error:
        raise InvalidInput(place, error.problem) from None
    if len(columns) > COLUMNS_MAX:
        raise InvalidInput(place, f"{len(columns)} columns, where {COLUMNS_MAX} are the most")
    if len(set(columns)) != len(columns):
        raise InvalidInput(place, "a column's name is there twice")
    if len(columns) == 1 and any(sign in columns[0] for sign in ";\t|"):
        raise InvalidInput(place, "cells are divided by commas, and the heading has none")
    return CsvFile(name, source, tuple(columns))


def count_rows(file: CsvFile) -> int | None:
    """Return how many rows stand below the heading; None where an engine of queries might read one in another way.

    Raises:
        InvalidInput: the file cannot be read.
    """
    plain = _count_plain(file)
    if plain is not None:
        return plain
    found = -1
    try:
        with file.source.silent().opened() as stream:
            for cells in csv.reader(_unmistakable(stream), strict=True):
                found += 1
                if len(cells) != len(file.columns):
                    return None
    except csv.Error:
        return None
    return found


def _unmistakable(stream: IO[bytes]) -> Iterator[str]:
    """Yield the rows of a stream that every reader takes alike: some allow blanks around quotes, NULs, and no end.

    Raises:
        csv.Error: another one, or one that is not UTF-8.
    """
    for line in lines(stream, quotes=True):
        text = line.text
        if text is None or not line.closed or b"\0" in text:
            raise csv.Error
        if (b' "' in text and _OPENS_LATE.search(b"," + text)) or (b'" ' in text and _CLOSES_EARLY.search(text)):
            raise csv.Error
        try:
            yield text.decode("utf-8")
        except UnicodeDecodeError:
            raise csv.Error from None


def _count_plain(file: CsvFile) -> int | None:
    """Count the ends of lines: these are the rows of a file without quotes, without blank lines, and of whole rows."""
    found, commas, returns, last = 0, 0, 0, b""
    with file.source.silent().opened() as stream:
        while piece := stream.read(ROW_BYTES_MAX):
            seam = last[-1:] + piece
            if b'"' in piece or b"\0" in piece or any(begin in seam for begin in _BLANK):
                return None
            found, commas, last = found + piece.count(b"\n"), commas + piece.count(b","), piece
            returns += piece.count(b"\r") - seam.count(b"\r\n")
    rows = found + (not last.endswith(b"\n"))
    return rows - 1 if commas == rows * (len(file.columns) - 1) and not returns else None


def _cells(text: bytes) -> list[str]:
    if b"\0" in text:
        raise InvalidInput("row", "a NUL character")
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidInput("row", "not UTF-8") from None
    return next(csv.reader((decoded,), strict=True))
