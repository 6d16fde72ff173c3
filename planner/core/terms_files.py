"""Evidence as files people keep: CSV with the columns of the seeds, and TOML with the same words."""

import tomllib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from planner.core import strict_json
from planner.core.errors import InvalidInput
from planner.core.tables import csv_rows, csv_text, toml_tables, toml_value
from planner.core.terms import Terms
from planner.core.terms_form import FLAGS, SETS, URLS, WORDS

Entry = tuple[str, str, str, dict[str, Any]]
"""(place in the file, subject kind, subject, what is said)."""
_EVIDENCE = ("source_url", "verified_at", "expires_at", "confidence", "note")
COLUMNS = ("subject_kind", "subject", *FLAGS, "retention_days", *WORDS, *SETS, *URLS, *_EVIDENCE)
_CELLS = {"yes": True, "no": False}
_NONE = "none"


def write_csv(rows: Iterable[Terms]) -> str:
    """Write rows as CSV; what nobody knows is an empty cell."""
    return csv_text([COLUMNS, *([_cell(value) for value in _values(row).values()] for row in rows)])


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " ".join(value) or _NONE
    return "" if value is None else str(value)


def _values(row: Terms) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(row, name) for name in COLUMNS}
    values |= {name: None if values[name] is None else sorted(values[name]) for name in SETS}
    # Seeds were observed by their source and verified by nobody yet; the day counts all the same.
    values["verified_at"] = (row.verified_at or row.observed_at).isoformat()
    values["expires_at"] = None if row.expires_at is None else row.expires_at.isoformat()
    return {**values, "confidence": row.confidence.name.lower(), "note": row.note or None}


def write_toml(rows: Iterable[Terms]) -> str:
    """Write rows as TOML; what nobody knows is left out."""
    blocks = []
    for row in rows:
        said = {name: value for name, value in _values(row).items() if value is not None}
        lines = [f"{name} = {toml_value(value)}" for name, value in said.items()]
        blocks.append("\n".join(["[[terms]]", *lines]))
    return "\n\n".join(blocks) + "\n"


def read_csv(text: str) -> list[Entry]:
    """Read rows from CSV; columns may come in any order, and those that say nothing may be missing.

    Raises:
        InvalidInput: names the line that cannot be read.
    """
    rows = csv_rows(text)
    heading = rows[0] if rows else []
    unknown = sorted(set(heading) - set(COLUMNS))
    if unknown or len(set(heading)) < len(heading) or not {"subject_kind", "subject"} <= set(heading):
        raise InvalidInput("line 1", f"the columns are {', '.join(COLUMNS)}")
    found = []
    for number, row in enumerate(rows[1:], 2):
        place = f"line {number}"
        if len(row) != len(heading):
            raise InvalidInput(place, f"{len(heading)} columns are needed")
        cells = {name: cell for name, cell in zip(heading, row, strict=True) if cell}
        found.append(_entry(place, {name: _value(f"{place}: {name}", name, cell) for name, cell in cells.items()}))
    return found


def read_facts_file(text: str, format_: str) -> dict[str, Any]:
    """Read what is said of one subject from one TOML or JSON document, by the names of the API's body.

    Raises:
        InvalidInput: neither, or a moment that is none.
    """
    if format_ == "json":
        document = strict_json.read(text.encode(), name="file")
    else:
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise InvalidInput("file", f"not TOML: {error}") from None
    if not isinstance(document, dict):
        raise InvalidInput("file", "one object of facts is needed")
    return _with_moments("", document)


def read_words(words: Iterable[str]) -> dict[str, Any]:
    """Read ``name=value`` words; a value is written as in a cell of the CSV, and an empty one is unknown.

    Raises:
        InvalidInput: no such word, a name twice, or a value that does not fit.
    """
    said: dict[str, Any] = {}
    for word in words:
        name, equals, cell = word.partition("=")
        if not equals or name in said:
            raise InvalidInput("fact", "NAME=VALUE is needed, each name once, such as trains_on_prompts=no")
        said[name] = _value(name, name, cell) if cell else None
    return _with_moments("", said)


def _value(place: str, name: str, cell: str) -> object:
    if name in FLAGS:
        if cell not in _CELLS:
            raise InvalidInput(place, "yes, no or nothing is needed")
        return _CELLS[cell]
    if name == "retention_days":
        if not (cell.isascii() and cell.isdigit() and len(cell) < 10):  # noqa: PLR2004  # far above any number of days
            raise InvalidInput(place, "a number of days is needed")
        return int(cell)
    if name in SETS:
        return [] if cell == _NONE else cell.split()
    return cell


def read_toml(text: str) -> list[Entry]:
    """Read rows from TOML.

    Raises:
        InvalidInput: not TOML, or not tables of terms; names the one that is wrong.
    """
    return [_entry(f"terms {number}", row) for number, row in enumerate(toml_tables(text, "terms"), 1)]


def _entry(place: str, row: Mapping[str, Any]) -> Entry:
    said = dict(row)
    kind, subject = said.pop("subject_kind", None), said.pop("subject", None)
    if not isinstance(kind, str) or not isinstance(subject, str):
        raise InvalidInput(place, "subject_kind and subject are needed")
    return place, kind, subject, _with_moments(f"{place}: ", said)


def _with_moments(place: str, said: dict[str, Any]) -> dict[str, Any]:
    for name in ("verified_at", "expires_at"):
        if isinstance(said.get(name), str):
            said[name] = moment(f"{place}{name}", said[name])
    return said


def moment(place: str, text: str) -> datetime:
    """Read a day, which begins at midnight UTC, or a moment.

    Raises:
        InvalidInput: neither; names the place.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(place, "a day such as 2026-11-23, or a moment, is needed") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
