"""Customers with their ids in every source and the plans they were on, and what they paid.

Why: a margin needs revenue beside cost, for the same customer, whatever each source calls it, in the month it was
    earned; what is learnt later is booked later, and never written over.
Safe: new tables only; the version before this one does not look at them.
Undo: loses customers, their plans and all revenue that was recorded. Export what is needed first.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "customers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("recorded_at", _TIME, nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customers")),
    )
    op.create_table(
        "price_plans",
        sa.Column("id", _ID, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("price_id", sa.Text(), nullable=False),
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("recorded_from", _TIME, nullable=False),
        sa.Column("recorded_to", _TIME, nullable=True),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_plans")),
    )
    with op.batch_alter_table("price_plans", schema=None) as batch_op:
        batch_op.create_index(
            "uq_price_plans_live",
            ["source", "price_id"],
            unique=True,
            sqlite_where=sa.text("recorded_to IS NULL"),
            postgresql_where=sa.text("recorded_to IS NULL"),
        )
    op.create_table(
        "revenue_lines",
        sa.Column("id", _ID, nullable=False),
        sa.Column("customer", sa.Text(), nullable=False),
        sa.Column("matched", sa.Boolean(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column("start", _TIME, nullable=False),
        sa.Column("end", _TIME, nullable=True),
        sa.Column("revenue_milli", sa.BigInteger(), nullable=False),
        sa.Column("revenue_pico", sa.BigInteger(), nullable=False),
        sa.Column("refund_milli", sa.BigInteger(), nullable=False),
        sa.Column("refund_pico", sa.BigInteger(), nullable=False),
        sa.Column("fee_milli", sa.BigInteger(), nullable=False),
        sa.Column("fee_pico", sa.BigInteger(), nullable=False),
        sa.Column("tax_milli", sa.BigInteger(), nullable=False),
        sa.Column("tax_pico", sa.BigInteger(), nullable=False),
        sa.Column("other_milli", sa.BigInteger(), nullable=False),
        sa.Column("other_pico", sa.BigInteger(), nullable=False),
        sa.Column("tax_unknown", sa.Boolean(), nullable=False),
        sa.Column("unconverted", sa.Text(), nullable=False),
        sa.Column("booked_in", sa.Text(), nullable=False),
        sa.Column("recorded_at", _TIME, nullable=False),
        sa.Column("reverses", sa.BigInteger(), nullable=True),
        sa.Column("reversed_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revenue_lines")),
    )
    with op.batch_alter_table("revenue_lines", schema=None) as batch_op:
        batch_op.create_index("ix_revenue_lines_booked", ["booked_in"], unique=False)
        batch_op.create_index("ix_revenue_lines_customer", ["customer", "month"], unique=False)
        batch_op.create_index("ix_revenue_lines_month", ["month"], unique=False)
    op.create_table(
        "customer_ids",
        sa.Column("id", _ID, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("recorded_from", _TIME, nullable=False),
        sa.Column("recorded_to", _TIME, nullable=True),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_customer_ids_customer_id_customers")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_ids")),
    )
    with op.batch_alter_table("customer_ids", schema=None) as batch_op:
        batch_op.create_index("ix_customer_ids_customer", ["customer_id"], unique=False)
        batch_op.create_index(
            "uq_customer_ids_live",
            ["source", "external_id"],
            unique=True,
            sqlite_where=sa.text("recorded_to IS NULL"),
            postgresql_where=sa.text("recorded_to IS NULL"),
        )
    op.create_table(
        "customer_plans",
        sa.Column("id", _ID, nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("valid_from", _TIME, nullable=False),
        sa.Column("valid_to", _TIME, nullable=True),
        sa.Column("recorded_from", _TIME, nullable=False),
        sa.Column("recorded_to", _TIME, nullable=True),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_customer_plans_valid_order")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_customer_plans_customer_id_customers")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_plans")),
    )
    with op.batch_alter_table("customer_plans", schema=None) as batch_op:
        batch_op.create_index("ix_customer_plans_customer", ["customer_id", "valid_from"], unique=False)
    op.create_table(
        "revenue_items",
        sa.Column("id", _ID, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("customer", sa.Text(), nullable=True),
        sa.Column("price", sa.Text(), nullable=True),
        sa.Column("start", _TIME, nullable=False),
        sa.Column("end", _TIME, nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("import_id", _ID, nullable=True),
        sa.Column("recorded_from", _TIME, nullable=False),
        sa.Column("recorded_to", _TIME, nullable=True),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"], ["usage_imports.id"], name=op.f("fk_revenue_items_import_id_usage_imports")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revenue_items")),
    )
    with op.batch_alter_table("revenue_items", schema=None) as batch_op:
        batch_op.create_index("ix_revenue_items_customer", ["customer"], unique=False)
        batch_op.create_index(
            "uq_revenue_items_live",
            ["source", "item_id"],
            unique=True,
            sqlite_where=sa.text("recorded_to IS NULL"),
            postgresql_where=sa.text("recorded_to IS NULL"),
        )


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("revenue_items", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_revenue_items_live",
            sqlite_where=sa.text("recorded_to IS NULL"),
            postgresql_where=sa.text("recorded_to IS NULL"),
        )
        batch_op.drop_index("ix_revenue_items_customer")
    op.drop_table("revenue_items")
    with op.batch_alter_table("customer_plans", schema=None) as batch_op:
        batch_op.drop_index("ix_customer_plans_customer")
    op.drop_table("customer_plans")
    with op.batch_alter_table("customer_ids", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_customer_ids_live",
            sqlite_where=sa.text("recorded_to IS NULL"),
            postgresql_where=sa.text("recorded_to IS NULL"),
        )
        batch_op.drop_index("ix_customer_ids_customer")
    op.drop_table("customer_ids")
    with op.batch_alter_table("revenue_lines", schema=None) as batch_op:
        batch_op.drop_index("ix_revenue_lines_month")
        batch_op.drop_index("ix_revenue_lines_customer")
        batch_op.drop_index("ix_revenue_lines_booked")
    op.drop_table("revenue_lines")
    with op.batch_alter_table("price_plans", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_price_plans_live",
            sqlite_where=sa.text("recorded_to IS NULL"),
            postgresql_where=sa.text("recorded_to IS NULL"),
        )
    op.drop_table("price_plans")
    op.drop_table("customers")
