"""The tables of what is planned: plans in their versions, what customers have used up, what was measured of offers."""

import sqlalchemy as sa

from planner.store.columns import UtcTime, id_column, metadata

# A plan as it was written, version by version. One that is on record is never edited; without a live one it is gone.
plan_versions = sa.Table(
    "plan_versions",
    metadata,
    sa.Column("plan_id", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("document", sa.Text, nullable=False),  # JSON, core.plan_form
    sa.Column("recorded_from", UtcTime),  # NULL came with planner
    sa.Column("recorded_to", UtcTime),
    sa.Column("recorded_by", sa.Text),  # who wrote it; NULL came with planner
    sa.Index(
        "uq_plan_versions_live",
        "plan_id",
        unique=True,
        sqlite_where=sa.text("recorded_to IS NULL"),
        postgresql_where=sa.text("recorded_to IS NULL"),
    ),
)

# What a customer of a plan has used up in a billing period so far, as last reported. A total, so that saying it twice
# is saying it once.
customer_spends = sa.Table(
    "customer_spends",
    metadata,
    sa.Column("customer_id", sa.Text, primary_key=True),
    sa.Column("plan_id", sa.Text, primary_key=True),
    sa.Column("period_start", UtcTime, primary_key=True),
    sa.Column("period_end", UtcTime, nullable=False),
    sa.Column("spent_usd", sa.Text, nullable=False),  # a canonical decimal
    sa.Column("reported_at", UtcTime, nullable=False),
    sa.Column("reported_by", sa.Text, nullable=False),
    sa.CheckConstraint("period_end > period_start", name="period_order"),
)

# What a probe measured of an offer, once. A measurement is never changed; the newest that is young enough counts.
measurements = sa.Table(
    "measurements",
    metadata,
    id_column(),
    sa.Column("offer_id", sa.Text, nullable=False),
    sa.Column("measured_at", UtcTime, nullable=False),
    sa.Column("measured_by", sa.Text, nullable=False),
    sa.Column("document", sa.Text, nullable=False),  # JSON, core.measurement
    sa.Index("ix_measurements_offer", "offer_id", "measured_at"),
)
