"""The tables of what vendors say of one's own account: every pull of usage and costs, and how far it came."""

import sqlalchemy as sa

from planner.store.columns import UtcTime, id_column, metadata

# One pull of one report. `through` is how far everything was pulled without a hole, after it.
pulls = sa.Table(
    "pulls",
    metadata,
    id_column(),
    sa.Column("vendor", sa.Text, nullable=False),
    sa.Column("report", sa.Text, nullable=False),
    sa.Column("since", UtcTime, nullable=False),
    sa.Column("until", UtcTime, nullable=False),
    sa.Column("through", UtcTime),  # NULL: it failed
    sa.Column("started_at", UtcTime, nullable=False),
    sa.Column("finished_at", UtcTime, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("import_id", sa.ForeignKey("usage_imports.id")),
    sa.Column("summary", sa.Text, nullable=False),  # JSON: counts, and by which way
    sa.Column("error_code", sa.Text),
    sa.Column("error_detail", sa.Text),
    sa.Column("by", sa.Text, nullable=False),
    sa.CheckConstraint("outcome IN ('done', 'failed')", name="outcome"),
    sa.CheckConstraint("until > since", name="window"),
    sa.Index("ix_pulls_report", "vendor", "report", "id"),
)
