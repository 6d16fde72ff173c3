"""Plans in versions, what customers used up, what was measured of offers, shared upstreams and the way through brokers.

Why: plans are written over HTTP and finance must be able to say what one was; a backend asks for a customer who has
    used up a budget; measurements of one's own go before what a feed claims; providers that fail together are not
    two providers; a broker in between costs time.
Safe: new tables, and new empty columns on `providers` and `channels`. Plans are moved into the new table under their
    names as version 1, and the old table goes: the version before this one cannot read plans any more, so servers of
    it are stopped first. Locks three small tables for the moment of the change.
Undo: keeps the live version of every plan and loses the ones before it, what customers used up and measurements.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "plan_versions",
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("recorded_from", _TIME, nullable=True),
        sa.Column("recorded_to", _TIME, nullable=True),
        sa.Column("recorded_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("plan_id", "version", name=op.f("pk_plan_versions")),
    )
    op.create_index(
        "uq_plan_versions_live",
        "plan_versions",
        ["plan_id"],
        unique=True,
        sqlite_where=sa.text("recorded_to IS NULL"),
        postgresql_where=sa.text("recorded_to IS NULL"),
    )
    op.execute("INSERT INTO plan_versions (plan_id, version, document) SELECT id, 1, document FROM plans")
    op.drop_table("plans")
    op.create_table(
        "customer_spends",
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("period_start", _TIME, nullable=False),
        sa.Column("period_end", _TIME, nullable=False),
        sa.Column("spent_usd", sa.Text(), nullable=False),
        sa.Column("reported_at", _TIME, nullable=False),
        sa.Column("reported_by", sa.Text(), nullable=False),
        sa.CheckConstraint("period_end > period_start", name=op.f("ck_customer_spends_period_order")),
        sa.PrimaryKeyConstraint("customer_id", "plan_id", "period_start", name=op.f("pk_customer_spends")),
    )
    op.create_table(
        "measurements",
        sa.Column("id", _ID, nullable=False),
        sa.Column("offer_id", sa.Text(), nullable=False),
        sa.Column("measured_at", _TIME, nullable=False),
        sa.Column("measured_by", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_measurements")),
    )
    op.create_index("ix_measurements_offer", "measurements", ["offer_id", "measured_at"])
    op.add_column("providers", sa.Column("upstream", sa.Text(), nullable=True))
    op.add_column("channels", sa.Column("overhead_ms", sa.Integer(), nullable=True))
    op.add_column("channels", sa.Column("overhead_source_url", sa.Text(), nullable=True))
    op.add_column("channels", sa.Column("overhead_observed_at", _TIME, nullable=True))


def downgrade() -> None:
    """Take back."""
    op.create_table(
        "plans",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("demo", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plans")),
    )
    op.execute(
        "INSERT INTO plans (id, document, demo) "
        "SELECT plan_id, document, recorded_by IS NULL FROM plan_versions WHERE recorded_to IS NULL"
    )
    op.drop_table("plan_versions")
    op.drop_table("customer_spends")
    op.drop_table("measurements")
    with op.batch_alter_table("channels", schema=None) as batch_op:
        batch_op.drop_column("overhead_observed_at")
        batch_op.drop_column("overhead_source_url")
        batch_op.drop_column("overhead_ms")
    with op.batch_alter_table("providers", schema=None) as batch_op:
        batch_op.drop_column("upstream")
