"""Files people keep in tables: what CSV and TOML have in common, whatever stands in them."""

import csv
import io
import json
import tomllib
from collections.abc import Iterable, Sequence
from typing import Any

from planner.core.errors import InvalidInput
from planner.core.sheet import guarded, unguarded


def csv_rows(text: str) -> list[list[str]]:
    """Read the rows of a CSV file, its heading first.

    Raises:
        InvalidInput: not CSV.
    """
    try:
        return [[unguarded(cell) for cell in row] for row in csv.reader(io.StringIO(text), strict=True)]
    except csv.Error as error:
        raise InvalidInput("file", f"not CSV: {error}") from None


def csv_text(rows: Iterable[Sequence[str]]) -> str:
    """Write rows as CSV that a spreadsheet finds no formula in; `csv_rows` reads exactly these rows again."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([guarded(cell) for cell in row] for row in rows)
    return out.getvalue()


def toml_tables(text: str, name: str) -> list[dict[str, Any]]:
    """Read a TOML file of tables of one name.

    Raises:
        InvalidInput: not TOML, or anything else in it.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput("file", f"not TOML: {error}") from None
    listed = document.pop(name, None)
    if document or not isinstance(listed, list) or not listed:
        raise InvalidInput("file", f"tables called [[{name}]] are needed, and nothing else")
    return listed


def toml_value(value: object) -> str:
    """Write a text, a whole number, a boolean or a list of them as TOML."""
    if isinstance(value, list):
        return f"[{', '.join(map(toml_value, value))}]"
    # Strings, whole numbers and booleans are written alike in JSON and TOML, but for one control character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
