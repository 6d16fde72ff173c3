"""Pulls of vendors' usage and cost APIs, and commitments.

Why: what was pulled from where, how far it came, and why the last attempt failed has to be on record, so that the next
    pull begins where everything is known and finance sees what is missing. What was paid or promised in advance is a
    cost over its term, and no price says so.
Safe: two new tables; the version before this one does not look at them.
Undo: loses the record of pulls (the usage they brought stays, and the next first pull brings the last days again) and
    the commitments, which are in the audit log.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _time(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "pulls",
        sa.Column("id", _ID, nullable=False),
        sa.Column("vendor", sa.Text(), nullable=False),
        sa.Column("report", sa.Text(), nullable=False),
        _time("since"),
        _time("until"),
        _time("through", nullable=True),
        _time("started_at"),
        _time("finished_at"),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("import_id", _ID, nullable=True),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error_detail", sa.Text(), nullable=True),
        sa.Column("by", sa.Text(), nullable=False),
        sa.CheckConstraint("outcome IN ('done', 'failed')", name=op.f("ck_pulls_outcome")),
        sa.CheckConstraint("until > since", name=op.f("ck_pulls_window")),
        sa.ForeignKeyConstraint(["import_id"], ["usage_imports.id"], name=op.f("fk_pulls_import_id_usage_imports")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pulls")),
    )
    with op.batch_alter_table("pulls", schema=None) as batch_op:
        batch_op.create_index("ix_pulls_report", ["vendor", "report", "id"], unique=False)
    op.create_table(
        "commitments",
        sa.Column("id", _ID, nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("name", "kind", "channel_id", "provider_id")),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ("model_id", "service_tier")),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("amount", "currency", "amount_usd")),
        _time("valid_from"),
        _time("valid_to"),
        sa.Column("reference", sa.Text(), nullable=False),
        _time("recorded_from"),
        _time("recorded_to", nullable=True),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.CheckConstraint("kind IN ('prepaid', 'spend', 'throughput')", name=op.f("ck_commitments_kind")),
        sa.CheckConstraint("valid_to > valid_from", name=op.f("ck_commitments_valid_order")),
        sa.ForeignKeyConstraint(["channel_id"], ["channels.id"], name=op.f("fk_commitments_channel_id_channels")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commitments")),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("commitments")
    with op.batch_alter_table("pulls", schema=None) as batch_op:
        batch_op.drop_index("ix_pulls_report")
    op.drop_table("pulls")
