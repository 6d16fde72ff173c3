"""The tables of what is bought: every pull of a vendor's usage and costs, and what was promised in advance."""

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

# An amount that was paid or promised for usage of a provider. A row is never changed: it is taken off the record.
commitments = sa.Table(
    "commitments",
    metadata,
    id_column(),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("channel_id", sa.Text, sa.ForeignKey("channels.id"), nullable=False),
    sa.Column("provider_id", sa.Text, nullable=False),
    sa.Column("model_id", sa.Text),  # NULL: every model of the provider
    sa.Column("service_tier", sa.Text),  # NULL: every tier
    sa.Column("amount", sa.Text, nullable=False),  # a decimal
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("amount_usd", sa.Text, nullable=False),  # a decimal, at the rate of the day it begins
    sa.Column("valid_from", UtcTime, nullable=False),
    sa.Column("valid_to", UtcTime, nullable=False),
    sa.Column("reference", sa.Text, nullable=False),  # where the signed paper is
    sa.Column("recorded_from", UtcTime, nullable=False),
    sa.Column("recorded_to", UtcTime),
    sa.Column("recorded_by", sa.Text, nullable=False),
    sa.CheckConstraint("kind IN ('prepaid', 'spend', 'throughput')", name="kind"),
    sa.CheckConstraint("valid_to > valid_from", name="valid_order"),
)
