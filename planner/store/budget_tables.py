"""The table of what tokens may cost in a month, by plan."""

import sqlalchemy as sa

from planner.store.columns import UtcTime, id_column, metadata

# What holds in a month is the row on record with the latest first month up to it. A change ends a row, and edits none.
budgets = sa.Table(
    "budgets",
    metadata,
    id_column(),
    sa.Column("plan_id", sa.Text),  # NULL: all plans together
    sa.Column("from_month", sa.Text, nullable=False),  # of UTC, such as 2026-11
    sa.Column("amount_usd", sa.Text),  # a canonical decimal; NULL: from then on there is no budget
    sa.Column("thresholds", sa.Text, nullable=False),  # JSON list of percents
    sa.Column("recorded_from", UtcTime, nullable=False),
    sa.Column("recorded_to", UtcTime),
    sa.Column("recorded_by", sa.Text, nullable=False),
    sa.Index(
        "uq_budgets_plan",
        "plan_id",
        "from_month",
        unique=True,
        sqlite_where=sa.text("recorded_to IS NULL AND plan_id IS NOT NULL"),
        postgresql_where=sa.text("recorded_to IS NULL AND plan_id IS NOT NULL"),
    ),
    sa.Index(
        "uq_budgets_all_plans",
        "from_month",
        unique=True,
        sqlite_where=sa.text("recorded_to IS NULL AND plan_id IS NULL"),
        postgresql_where=sa.text("recorded_to IS NULL AND plan_id IS NULL"),
    ),
)
