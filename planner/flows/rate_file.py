"""A file of usage is rated where it lies, to be looked at: sums by any head, and nothing is booked."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from planner.core.errors import Conflict, InvalidInput
from planner.core.event import Role
from planner.core.periods import slot_start
from planner.core.posting import Posting
from planner.core.statement import Statement
from planner.flows.bulk import mark
from planner.flows.cost_basis import use_of
from planner.flows.cost_report import figures_of
from planner.flows.rating_in_place import Rows, rate
from planner.flows.survey import Summary, known_containments, survey, survey_by_query
from planner.ledger import formats, reading
from planner.ledger.bulk_columns import NotPlain
from planner.ledger.bulk_file import BulkFile, opened_for_queries
from planner.ledger.format import Format, Given
from planner.ledger.rating_sql import Grain
from planner.store.engine import Store
from planner.store.report_sums import HEADS
from planner.store.streams import Stream

TIMES = {"day": 10, "month": 7}
"""Heads of time, of UTC, and how many characters of a moment name one."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which file, what was said about it, and by which heads its rows are summed up; ``format`` None is guessed."""

    path: Path
    given: Given
    by: Sequence[str]
    at: datetime
    format: str | None = None
    strict: bool = True

    def __post_init__(self) -> None:
        """Refuse heads that nothing is booked under.

        Raises:
            InvalidInput: names one.
        """
        wrong = next((head for head in self.by if head not in (*HEADS, *TIMES)), None)
        if wrong is not None:
            raise InvalidInput("by", f"heads are {', '.join((*TIMES, *HEADS))}")


def rate_file(store: Store, asked: Asked, progress: Progress = lambda *_: None) -> dict[str, Any]:
    """Return what the rows of a file come to by everything on record now, as a JSON document; nothing is written.

    Each row is priced by its own time, once by its id and once by its request, as if its file were imported in place.
    What other streams or files told of the same is not looked at.

    Raises:
        InvalidInput: no known format, the file cannot be read, or nobody knows what its prompts contain.
        Conflict: the file changes while it is read.
    """
    before = mark(asked.path)
    document = _read(store, asked, progress)
    if mark(asked.path) != before:
        raise Conflict("file", asked.path.name[:80], "it changed while it was read")
    return document


def _read(store: Store, asked: Asked, progress: Progress) -> dict[str, Any]:
    size, opened = asked.path.stat().st_size, reading.open_file(asked.path)
    chosen = formats.guess(opened)[0] if asked.format is None else formats.named(asked.format)
    if store.by_query:
        # What is told of a file that turns out to be read row by row is forgotten.
        with suppress(NotPlain):
            doing = ["reading"]
            with opened_for_queries(
                asked.path, chosen.name, asked.given, lambda share: progress(doing[0], int(size * share), size)
            ) as file:
                summary = _summary(asked, chosen)
                survey_by_query(file, chosen, asked.given, summary)
                doing[0] = "rating"
                return _document(store, asked, summary, progress, file)
    summary = _summary(asked, chosen)
    told = reading.open_file(asked.path, lambda done: progress("reading", done, size))
    survey(told, chosen, asked.given, summary)
    return _document(store, asked, summary, progress, None)


def _summary(asked: Asked, chosen: Format) -> Summary:
    return Summary(
        asked.path.name, chosen.name, "", asked.given.source, Role.LEDGER.value, dry_run=True, strict=asked.strict,
        in_place=True,
    )  # fmt: skip


def _document(
    store: Store, asked: Asked, summary: Summary, progress: Progress, file: BulkFile | None
) -> dict[str, Any]:
    stopped = asked.strict and bool(summary.refused_rows)
    found = {"rows": [], "total": None} if stopped else _rated(store, asked, summary, progress, file)
    refused = [{"place": one.place, "reason": one.reason} for one in summary.refused]
    return {
        "file": summary.file, "format": summary.format, "source": summary.source, "by": list(asked.by), **found,
        "outcomes": dict(summary.outcomes), "refused_rows": summary.refused_rows, "refused": refused,
        "stopped": stopped,
    }  # fmt: skip


def _rated(store: Store, asked: Asked, summary: Summary, progress: Progress, file: BulkFile | None) -> dict[str, Any]:
    stream = Stream(
        asked.given.source, Role.LEDGER, chosen=False, account="", feed=summary.format.partition("_")[0],
        mutable=False, in_place=True,
    )  # fmt: skip
    rows = Rows(
        path=asked.path, format=summary.format, given=asked.given, stream=stream, at=asked.at,
        containments=known_containments(summary),
    )  # fmt: skip
    sums: dict[tuple[Any, ...], Statement] = {}
    total, size = Statement(), asked.path.stat().st_size

    def book(slot: int, posting: Posting) -> None:
        moment = _moment(slot)
        key = tuple(moment[: TIMES[head]] if head in TIMES else getattr(posting.dims, head) for head in asked.by)
        for statement in (sums.setdefault(key, Statement()), total):
            use_of(statement, posting.measures, posting.dims.cost_basis, posting.dims.stated_by)

    with store.read() as connection:
        rating = rate(
            connection, rows, refuse=summary.refuse_once, book=book, grain=_grain(asked.by), file=file,
            progress=lambda done: progress("rating", done, size),
        )  # fmt: skip
    summary.outcomes = rating.outcomes
    ordered = sorted(sums.items(), key=lambda pair: tuple(map(str, pair[0])))
    return {
        "rows": [{**_heads(asked.by, key), **figures_of(statement)} for key, statement in ordered],
        "total": figures_of(total),
    }


@lru_cache
def _moment(slot: int) -> str:
    return slot_start(slot).isoformat()


def _grain(by: Sequence[str]) -> Grain:
    return Grain.DAY if "day" in by else Grain.MONTH if "month" in by else Grain.ALL


def _heads(by: Sequence[str], key: Sequence[Any]) -> dict[str, Any]:
    return {head: None if value == "" else value for head, value in zip(by, key, strict=True)}
