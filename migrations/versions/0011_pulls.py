"""Pulls of vendors' usage and cost APIs.

Why: what was pulled from where, how far it came, and why the last attempt failed has to be on record, so that the next
    pull begins where everything is known and finance sees what is missing.
Safe: a new table; the version before this one does not look at it.
Undo: loses the record of pulls; the usage they brought stays, and the next first pull brings the last days again.
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


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("pulls", schema=None) as batch_op:
        batch_op.drop_index("ix_pulls_report")
    op.drop_table("pulls")
