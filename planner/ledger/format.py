"""What every file format has in common: rows in, what they say out, and a bad row named by its place."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from planner.core.event import Event, Role
from planner.core.invoice import InvoiceLine
from planner.core.revenue import Item

Said = Event | Item | InvoiceLine
"""What a row may say: of usage, of revenue, or of what was billed."""


class Row(NamedTuple):
    """One row of a file as it was read: where it stands (``line 3``, ``data[0].results[1]``), and its values.

    Values of CSV are texts, those of JSON as `planner.core.strict_json` gives them, so never floats.
    """

    place: str
    values: Mapping[str, Any]


class Refused(NamedTuple):
    """A row that cannot be read: where it stands, and why. Nothing of its contents is repeated but field names."""

    place: str
    reason: str


class Skipped(NamedTuple):
    """A row that is left out on purpose, such as a span that only contains others."""

    place: str
    reason: str


class Read(NamedTuple):
    """A row that was read: where it stands, and what it says."""

    place: str
    said: Said


class File(Protocol):
    """An opened file. Reading it twice gives the same rows."""

    name: str
    layout: str
    """``csv``, ``json``, ``jsonl`` or ``parquet``."""
    columns: tuple[str, ...]
    """The columns of a table, the keys of the first object of JSON Lines or a list, or the top keys of a document."""

    def rows(self) -> Iterator[Row | Refused]:
        """Yield the rows of a table, the objects of JSON Lines or of a JSON list, or the one document of a file."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a person said about a file besides its name; None and empty were not said.

    ``source`` is the name of the stream the rows belong to. ``provider`` and ``channel`` say who served requests where
    the file does not; ``plan``, ``customer`` and ``task`` are of every row that names none of its own.
    ``includes_cached`` declares the containment. ``mapping`` is the mapping file, read.
    """

    source: str
    provider: str | None = None
    channel: str | None = None
    plan: str | None = None
    customer: str | None = None
    task: str | None = None
    includes_cached: bool | None = None
    mapping: Mapping[str, Any] = field(default_factory=dict)


class Format(Protocol):
    """One format of files."""

    name: str
    title: str
    role: Role
    """What rows of this format are for, unless a person says otherwise."""
    mutable: bool
    """Whether a later file may say something newer of a row that was imported, which then takes its place."""

    def knows(self, file: File) -> str | None:
        """Return how one can tell that a file is of this format, in words for a person, or None if it is not."""
        ...

    def read(self, file: File, given: Given) -> Iterator[Read | Refused | Skipped]:
        """Yield every row in its order; contents of messages are never part of what is read.

        Raises:
            InvalidInput: the file as a whole cannot be read in this format.
        """
        ...
