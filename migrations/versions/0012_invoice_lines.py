"""Lines of invoices that are no rows of usage, and an index of the evidence the ledger is held against.

Why: a ledger is reconciled with what was billed. Credits, taxes, fees, discounts and amounts in other currencies have
    no place among rows of usage; and evidence was found by reading every row of usage there is.
Safe: a new table and a new index, which the version before this one does not look at. The index is built while rows of
    usage wait: of a million rows some seconds.
Undo: loses the lines that were entered. Files can be imported again; what was entered by hand is lost.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "invoice_lines",
        sa.Column("id", _ID, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("line_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("start", _TIME, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("import_id", _ID, nullable=True),
        sa.Column("recorded_from", _TIME, nullable=False),
        sa.Column("recorded_to", _TIME, nullable=True),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"], ["usage_imports.id"], name=op.f("fk_invoice_lines_import_id_usage_imports")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoice_lines")),
    )
    with op.batch_alter_table("invoice_lines", schema=None) as batch_op:
        batch_op.create_index("ix_invoice_lines_start", ["start"], unique=False)
        batch_op.create_index(
            "uq_invoice_lines_live",
            ["source", "line_id"],
            unique=True,
            sqlite_where=sa.text("recorded_to IS NULL"),
            postgresql_where=sa.text("recorded_to IS NULL"),
        )
    op.create_index(
        "ix_usage_events_evidence",
        "usage_events",
        ["at"],
        unique=False,
        sqlite_where=sa.text("state = 'evidence'"),
        postgresql_where=sa.text("state = 'evidence'"),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_index(
        "ix_usage_events_evidence",
        table_name="usage_events",
        sqlite_where=sa.text("state = 'evidence'"),
        postgresql_where=sa.text("state = 'evidence'"),
    )
    with op.batch_alter_table("invoice_lines", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_invoice_lines_live",
            sqlite_where=sa.text("recorded_to IS NULL"),
            postgresql_where=sa.text("recorded_to IS NULL"),
        )
        batch_op.drop_index("ix_invoice_lines_start")
    op.drop_table("invoice_lines")
