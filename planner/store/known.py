"""Rows on record: which of them were known at a moment."""

from datetime import datetime

import sqlalchemy as sa


def known(table: sa.FromClause, known_at: datetime | sa.ColumnElement[datetime] | None) -> sa.ColumnElement[bool]:
    """Return the condition for rows on record at a moment, or now. What came with planner was always known."""
    began, ended = table.c.recorded_from, table.c.recorded_to
    if known_at is None:
        return ended.is_(None)
    return sa.and_(sa.or_(began.is_(None), began <= known_at), sa.or_(ended.is_(None), ended > known_at))
