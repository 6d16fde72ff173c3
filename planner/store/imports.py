"""Files that were taken in: which, when and by whom, so that one that comes again is known."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from planner.store import json_text
from planner.store.tables import ledger

_i = ledger.usage_imports.c


def find(connection: sa.Connection, digest: str, source: str) -> int | None:
    """Return the number of an import of exactly these bytes into this stream that came to its end."""
    query = sa.select(sa.func.max(_i.id)).where(_i.digest == digest, _i.source == source, _i.summary != "{}")
    found: int | None = connection.scalar(query)
    return found


def begin(connection: sa.Connection, file: str, digest: str, format_: str, source: str, at: datetime, by: str) -> int:
    """Write that an import begins, and return its number."""
    number: int = (connection.scalar(sa.select(sa.func.max(_i.id))) or 0) + 1
    connection.execute(
        sa.insert(ledger.usage_imports).values(
            id=number, file=file, digest=digest, format=format_, source=source, given="{}", summary="{}", at=at, by=by
        )
    )
    return number


def finish(connection: sa.Connection, number: int, summary: Mapping[str, object]) -> None:
    """Write what became of an import."""
    text = json_text.dump(dict(summary))
    connection.execute(sa.update(ledger.usage_imports).where(_i.id == number).values(summary=text))


def every(connection: sa.Connection, limit: int, before: int | None = None) -> list[dict[str, Any]]:
    """Return imports, newest first."""
    query = sa.select(ledger.usage_imports).order_by(_i.id.desc()).limit(limit)
    if before is not None:
        query = query.where(_i.id < before)
    return [{**row, "summary": json_text.load(row["summary"])} for row in connection.execute(query).mappings()]
