"""Prices that wait, turns that are claimed, alerts that are delivered, and what was agreed beyond the list.

Why: a doubtful price waits for a person instead of being published; many workers share one schedule; contracts, dated
exchange rates and ways of paying a broker belong to the effective price; alerts reach somebody, at least once.
Safe: new tables; new columns are empty or have a default, so nothing that is stored changes its meaning. Locks the
altered tables for the moment of the change; SQLite copies them.
Undo: loses the queue of held prices with its decisions, aliases that were taken back, contracts, exchange rates,
webhooks and undelivered messages.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "deliveries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("alerts", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('due', 'delivered', 'dead')", name=op.f("ck_deliveries_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
    )
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.create_index("ix_deliveries_due", ["state", "next_attempt_at"], unique=False)
    op.create_table(
        "fx_rates",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("usd", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_url", sa.Text(), nullable=False),
        sa.Column("recorded_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fx_rates")),
    )
    with op.batch_alter_table("fx_rates", schema=None) as batch_op:
        batch_op.create_index(
            "uq_fx_rates_day",
            ["currency", "day"],
            unique=True,
            sqlite_where=sa.text("recorded_to IS NULL"),
            postgresql_where=sa.text("recorded_to IS NULL"),
        )
    op.create_table(
        "golden_facts",
        sa.Column("offer_id", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("usd_per_mtok_min", sa.Text(), nullable=False),
        sa.Column("usd_per_mtok_max", sa.Text(), nullable=False),
        sa.Column("source_url", sa.Text(), nullable=False),
        sa.Column("checked_on", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("offer_id", "unit", name=op.f("pk_golden_facts")),
    )
    op.create_table(
        "plan_states",
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("task_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("offer_id", sa.Text(), nullable=True),
        sa.Column("cost_usd", sa.Text(), nullable=True),
        sa.Column("margin", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("plan_id", "task_id", name=op.f("pk_plan_states")),
    )
    op.create_table(
        "replies",
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_digest", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("actor", "key", name=op.f("pk_replies")),
    )
    op.create_table(
        "seen_readings",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("source", "digest", name=op.f("pk_seen_readings")),
    )
    op.create_table(
        "slots",
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("slot_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('running', 'done', 'failed')", name=op.f("ck_slots_state")),
        sa.PrimaryKeyConstraint("job", "slot_start", name=op.f("pk_slots")),
    )
    op.create_table(
        "webhooks",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("kinds", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    op.create_table(
        "channel_payments",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("channel_id", sa.Text(), nullable=False),
        sa.Column("payment", sa.Text(), nullable=False),
        sa.Column("list_usd_per_month", sa.Text(), nullable=True),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.CheckConstraint("payment IN ('credit', 'own_key')", name=op.f("ck_channel_payments_payment")),
        sa.ForeignKeyConstraint(["channel_id"], ["channels.id"], name=op.f("fk_channel_payments_channel_id_channels")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel_payments")),
    )
    with op.batch_alter_table("channel_payments", schema=None) as batch_op:
        batch_op.create_index("ix_channel_payments_channel", ["channel_id", "valid_from"], unique=False)
    op.create_table(
        "contracts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("channel_id", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("model_id", sa.Text(), nullable=True),
        sa.Column("discount_percent", sa.Text(), nullable=False),
        sa.Column("commitment_usd", sa.Text(), nullable=True),
        sa.Column("commitment_period", sa.Text(), nullable=True),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("recorded_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_contracts_valid_order")),
        sa.ForeignKeyConstraint(["channel_id"], ["channels.id"], name=op.f("fk_contracts_channel_id_channels")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contracts")),
    )
    op.create_table(
        "holds",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("offer_id", sa.Text(), nullable=True),
        sa.Column("quote_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("diff", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("announced_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'approved', 'used', 'rejected', 'released')", name=op.f("ck_holds_state")
        ),
        sa.ForeignKeyConstraint(["quote_id"], ["quotes.id"], name=op.f("fk_holds_quote_id_quotes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holds")),
    )
    with op.batch_alter_table("holds", schema=None) as batch_op:
        batch_op.create_index("ix_holds_offer", ["offer_id", "source"], unique=False)
        batch_op.create_index("ix_holds_state", ["state", "opened_at"], unique=False)
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.create_index("ix_alerts_at", ["at"], unique=False)
    with op.batch_alter_table("provider_spellings", schema=None) as batch_op:
        batch_op.add_column(sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("settled_by", sa.Text(), nullable=True))
    with op.batch_alter_table("aliases", schema=None) as batch_op:
        batch_op.add_column(sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("settled_by", sa.Text(), nullable=True))
        batch_op.alter_column("model_id", existing_type=sa.Text(), nullable=True)
    with op.batch_alter_table("fees", schema=None) as batch_op:
        batch_op.add_column(sa.Column("payment", sa.Text(), server_default="credit", nullable=False))
        batch_op.add_column(sa.Column("allowance_usd_per_month", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("minimum_usd", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("recorded_from", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("recorded_to", sa.DateTime(timezone=True), nullable=True))
    with op.batch_alter_table("quotes", schema=None) as batch_op:
        batch_op.add_column(sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=True))
    with op.batch_alter_table("source_states", schema=None) as batch_op:
        batch_op.add_column(sa.Column("failures", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("moved_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("told_stale_at", sa.DateTime(timezone=True), nullable=True))
    with op.batch_alter_table("sources", schema=None) as batch_op:
        batch_op.add_column(sa.Column("frozen_after_days", sa.Integer(), nullable=True))


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("sources", schema=None) as batch_op:
        batch_op.drop_column("frozen_after_days")
    with op.batch_alter_table("source_states", schema=None) as batch_op:
        batch_op.drop_column("told_stale_at")
        batch_op.drop_column("moved_at")
        batch_op.drop_column("retry_at")
        batch_op.drop_column("failures")
    with op.batch_alter_table("quotes", schema=None) as batch_op:
        batch_op.drop_column("recorded_at")
    with op.batch_alter_table("fees", schema=None) as batch_op:
        batch_op.drop_column("recorded_to")
        batch_op.drop_column("recorded_from")
        batch_op.drop_column("minimum_usd")
        batch_op.drop_column("allowance_usd_per_month")
        batch_op.drop_column("payment")
    with op.batch_alter_table("provider_spellings", schema=None) as batch_op:
        batch_op.drop_column("settled_by")
        batch_op.drop_column("settled_at")
    # Without a place for it, what was taken back is simply not there.
    op.execute("DELETE FROM aliases WHERE model_id IS NULL")
    with op.batch_alter_table("aliases", schema=None) as batch_op:
        batch_op.alter_column("model_id", existing_type=sa.Text(), nullable=False)
        batch_op.drop_column("settled_by")
        batch_op.drop_column("settled_at")
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.drop_index("ix_alerts_at")
    with op.batch_alter_table("holds", schema=None) as batch_op:
        batch_op.drop_index("ix_holds_state")
        batch_op.drop_index("ix_holds_offer")
    op.drop_table("holds")
    op.drop_table("contracts")
    op.drop_table("channel_payments")
    op.drop_table("webhooks")
    op.drop_table("slots")
    op.drop_table("seen_readings")
    op.drop_table("replies")
    op.drop_table("plan_states")
    op.drop_table("golden_facts")
    op.drop_table("fx_rates")
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.drop_index("ix_deliveries_due")
    op.drop_table("deliveries")
