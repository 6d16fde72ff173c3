"""The table of what providers billed and no row of usage can say: credits, taxes, fees, other currencies."""

import sqlalchemy as sa

from planner.store.columns import UtcTime, id_column, metadata

# A line that says otherwise later ends the one before; none is changed.
invoice_lines = sa.Table(
    "invoice_lines",
    metadata,
    id_column(),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("line_id", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("start", UtcTime, nullable=False),
    sa.Column("document", sa.Text, nullable=False),  # JSON, core.invoice_form
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("import_id", sa.ForeignKey("usage_imports.id")),
    sa.Column("recorded_from", UtcTime, nullable=False),
    sa.Column("recorded_to", UtcTime),
    sa.Column("recorded_by", sa.Text, nullable=False),
    sa.Index(
        "uq_invoice_lines_live",
        "source",
        "line_id",
        unique=True,
        sqlite_where=sa.text("recorded_to IS NULL"),
        postgresql_where=sa.text("recorded_to IS NULL"),
    ),
    sa.Index("ix_invoice_lines_start", "start"),
)
