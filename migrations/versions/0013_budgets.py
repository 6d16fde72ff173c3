"""Budgets: what the tokens of a plan, or of all plans together, may cost in a month.

Why: whoever pays for tokens wants to hear of it when half of a month's money is gone, and not when all of it is.
Safe: a new table, which the version before this one does not look at.
Undo: loses the budgets that were set. Alerts that were told stay.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "budgets",
        sa.Column("id", _ID, nullable=False),
        sa.Column("plan_id", sa.Text(), nullable=True),
        sa.Column("from_month", sa.Text(), nullable=False),
        sa.Column("amount_usd", sa.Text(), nullable=True),
        sa.Column("thresholds", sa.Text(), nullable=False),
        sa.Column("recorded_from", _TIME, nullable=False),
        sa.Column("recorded_to", _TIME, nullable=True),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_budgets")),
    )
    with op.batch_alter_table("budgets", schema=None) as batch_op:
        batch_op.create_index(
            "uq_budgets_plan",
            ["plan_id", "from_month"],
            unique=True,
            sqlite_where=sa.text("recorded_to IS NULL AND plan_id IS NOT NULL"),
            postgresql_where=sa.text("recorded_to IS NULL AND plan_id IS NOT NULL"),
        )
        batch_op.create_index(
            "uq_budgets_all_plans",
            ["from_month"],
            unique=True,
            sqlite_where=sa.text("recorded_to IS NULL AND plan_id IS NULL"),
            postgresql_where=sa.text("recorded_to IS NULL AND plan_id IS NULL"),
        )


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("budgets", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_budgets_all_plans",
            sqlite_where=sa.text("recorded_to IS NULL AND plan_id IS NULL"),
            postgresql_where=sa.text("recorded_to IS NULL AND plan_id IS NULL"),
        )
        batch_op.drop_index(
            "uq_budgets_plan",
            sqlite_where=sa.text("recorded_to IS NULL AND plan_id IS NOT NULL"),
            postgresql_where=sa.text("recorded_to IS NULL AND plan_id IS NOT NULL"),
        )
    op.drop_table("budgets")
