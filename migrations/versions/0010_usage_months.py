"""Sums of whole months, beside those of days.

Why: a report of a year read each of its days; twelve months are read in a thirtieth of the time, also in other zones.
Safe: a new table, filled from the days; the version before this one does not look at it. It does not keep it up either:
    after going back and forth, upgrade again from 0009.
Undo: nothing is lost, all of it is in the days.
"""

from collections import Counter

import sqlalchemy as sa
from alembic import op

from planner.core.periods import month_bounds

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_AMOUNTS = ("cost", "high", "list", "stated")
_SUMS = (
    "rows", "requests", "input_tokens", "output_tokens",
    *(f"{name}_{part}" for name in _AMOUNTS for part in ("milli", "pico")),
)  # fmt: skip
_KEYS = ("booked_slot", "slot", "dim")


def upgrade() -> None:
    """Apply."""
    months = op.create_table(
        "usage_months",
        sa.Column("booked_slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("dim", _ID, nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _SUMS),
        sa.ForeignKeyConstraint(["dim"], ["usage_dims.id"], name=op.f("fk_usage_months_dim_usage_dims")),
        sa.PrimaryKeyConstraint("booked_slot", "slot", "dim", name=op.f("pk_usage_months")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("usage_months", schema=None) as batch_op:
        batch_op.create_index(
            "ix_usage_months_late",
            ["slot"],
            unique=False,
            sqlite_where=sa.text("slot <> booked_slot"),
            postgresql_where=sa.text("slot <> booked_slot"),
        )
    days = sa.table("usage_days", *(sa.column(name) for name in (*_KEYS, *_SUMS)))
    found: dict[tuple[int, int, int], Counter[str]] = {}
    for day in op.get_bind().execute(sa.select(days)).mappings():
        cell = month_bounds(day["booked_slot"])[0], month_bounds(day["slot"])[0], day["dim"]
        found.setdefault(cell, Counter()).update({name: day[name] for name in _SUMS})
    rows = [
        {**dict(zip(_KEYS, cell, strict=True)), **{name: sums[name] for name in _SUMS}} for cell, sums in found.items()
    ]
    op.bulk_insert(months, rows)


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("usage_months", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_usage_months_late",
            sqlite_where=sa.text("slot <> booked_slot"),
            postgresql_where=sa.text("slot <> booked_slot"),
        )
    op.drop_table("usage_months")
