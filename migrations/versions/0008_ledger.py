"""Usage as it was said, the lines it was booked in, accounting periods, and the sums reports read.

Why: finance asks what tokens cost, at the price of the moment each was used; what was said, what was booked and what
    was corrected later are three things, and a report of a closed month stays what it was.
Safe: new tables only; the version before this one does not look at them.
Undo: loses all usage that was recorded, and what was booked for it. Export what is needed first.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "ledger_heads",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=True),
        sa.Column("month", sa.Text(), nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck_ledger_heads_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_heads")),
    )
    op.create_table(
        "ledger_periods",
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("changed_at", _TIME, nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("report_digest", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('open', 'closed')", name=op.f("ck_ledger_periods_state")),
        sa.PrimaryKeyConstraint("period", name=op.f("pk_ledger_periods")),
    )
    op.create_table(
        "ledger_work",
        sa.Column("id", _ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("selector", sa.Text(), nullable=False),
        sa.Column("after", sa.BigInteger(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("done_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_work")),
    )
    op.create_table(
        "stream_containments",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("includes_cached", sa.Boolean(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("recorded_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("source", "provider", name=op.f("pk_stream_containments")),
    )
    op.create_table(
        "stream_days",
        sa.Column("party", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("named", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("party", "account", "day", "source", name=op.f("pk_stream_days")),
    )
    op.create_table(
        "streams",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("chosen", sa.Boolean(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("feed", sa.Text(), nullable=False),
        sa.Column("mutable", sa.Boolean(), nullable=False),
        sa.Column("own", sa.Boolean(), nullable=False),
        sa.Column("in_place", sa.Boolean(), nullable=False),
        sa.Column("recorded_at", _TIME, nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.CheckConstraint("role IN ('ledger', 'evidence')", name=op.f("ck_streams_role")),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_streams")),
    )
    op.create_table(
        "usage_dims",
        sa.Column("id", _ID, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("customer", sa.Text(), nullable=False),
        sa.Column("matched", sa.Boolean(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("offer", sa.Text(), nullable=False),
        sa.Column("price_version", sa.Text(), nullable=False),
        sa.Column("cost_basis", sa.Text(), nullable=False),
        sa.Column("stated_by", sa.Text(), nullable=False),
        sa.Column("unpriced", sa.Text(), nullable=False),
        sa.Column("service_tier", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("band", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_dims")),
        sa.UniqueConstraint("digest", name=op.f("uq_usage_dims_digest")),
    )
    op.create_table(
        "usage_imports",
        sa.Column("id", _ID, nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("given", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=True),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_imports")),
    )
    with op.batch_alter_table("usage_imports", schema=None) as batch_op:
        batch_op.create_index("ix_usage_imports_digest", ["digest"], unique=False)
    op.create_table(
        "bulk_runs",
        sa.Column("id", _ID, nullable=False),
        sa.Column("import_id", _ID, nullable=False),
        sa.Column("recorded_at", _TIME, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("first_slot", sa.Integer(), nullable=True),
        sa.Column("last_slot", sa.Integer(), nullable=True),
        sa.Column("unserved", sa.Text(), nullable=False),
        sa.Column("cells", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("kind IN ('imported', 'rerated', 'unavailable')", name=op.f("ck_bulk_runs_kind")),
        sa.ForeignKeyConstraint(["import_id"], ["usage_imports.id"], name=op.f("fk_bulk_runs_import_id_usage_imports")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulk_runs")),
    )
    with op.batch_alter_table("bulk_runs", schema=None) as batch_op:
        batch_op.create_index("ix_bulk_runs_import", ["import_id"], unique=False)
        batch_op.create_index("ix_bulk_runs_recorded", ["recorded_at"], unique=False)
    op.create_table(
        "usage_day_units",
        sa.Column("booked_slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("dim", _ID, nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("cost_milli", sa.BigInteger(), nullable=False),
        sa.Column("cost_pico", sa.BigInteger(), nullable=False),
        sa.Column("high_milli", sa.BigInteger(), nullable=False),
        sa.Column("high_pico", sa.BigInteger(), nullable=False),
        sa.Column("list_milli", sa.BigInteger(), nullable=False),
        sa.Column("list_pico", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["dim"], ["usage_dims.id"], name=op.f("fk_usage_day_units_dim_usage_dims")),
        sa.PrimaryKeyConstraint("booked_slot", "slot", "dim", "unit", name=op.f("pk_usage_day_units")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("usage_day_units", schema=None) as batch_op:
        batch_op.create_index(
            "ix_usage_day_units_late",
            ["slot"],
            unique=False,
            sqlite_where=sa.text("slot <> booked_slot"),
            postgresql_where=sa.text("slot <> booked_slot"),
        )
    op.create_table(
        "usage_days",
        sa.Column("booked_slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("dim", _ID, nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost_milli", sa.BigInteger(), nullable=False),
        sa.Column("cost_pico", sa.BigInteger(), nullable=False),
        sa.Column("high_milli", sa.BigInteger(), nullable=False),
        sa.Column("high_pico", sa.BigInteger(), nullable=False),
        sa.Column("list_milli", sa.BigInteger(), nullable=False),
        sa.Column("list_pico", sa.BigInteger(), nullable=False),
        sa.Column("stated_milli", sa.BigInteger(), nullable=False),
        sa.Column("stated_pico", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["dim"], ["usage_dims.id"], name=op.f("fk_usage_days_dim_usage_dims")),
        sa.PrimaryKeyConstraint("booked_slot", "slot", "dim", name=op.f("pk_usage_days")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("usage_days", schema=None) as batch_op:
        batch_op.create_index(
            "ix_usage_days_late",
            ["slot"],
            unique=False,
            sqlite_where=sa.text("slot <> booked_slot"),
            postgresql_where=sa.text("slot <> booked_slot"),
        )
    op.create_table(
        "usage_events",
        sa.Column("id", _ID, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("offer_id", sa.Text(), nullable=True),
        sa.Column("provider", sa.Text(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("plan", sa.Text(), nullable=True),
        sa.Column("customer", sa.Text(), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("line_id", sa.BigInteger(), nullable=True),
        sa.Column("import_id", _ID, nullable=True),
        sa.Column("recorded_at", _TIME, nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "state IN ('live', 'evidence', 'duplicate', 'voided', 'superseded')", name=op.f("ck_usage_events_state")
        ),
        sa.ForeignKeyConstraint(
            ["import_id"], ["usage_imports.id"], name=op.f("fk_usage_events_import_id_usage_imports")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_events")),
    )
    with op.batch_alter_table("usage_events", schema=None) as batch_op:
        batch_op.create_index("ix_usage_events_customer", ["customer", "at"], unique=False)
        batch_op.create_index(
            "ix_usage_events_duplicates",
            ["request_id"],
            unique=False,
            sqlite_where=sa.text("state = 'duplicate'"),
            postgresql_where=sa.text("state = 'duplicate'"),
        )
        batch_op.create_index("ix_usage_events_offer", ["offer_id", "at"], unique=False)
        batch_op.create_index(
            "uq_usage_events_id",
            ["source", "event_id"],
            unique=True,
            sqlite_where=sa.text("state <> 'superseded'"),
            postgresql_where=sa.text("state <> 'superseded'"),
        )
        batch_op.create_index(
            "uq_usage_events_request",
            ["request_id"],
            unique=True,
            sqlite_where=sa.text("state = 'live' AND request_id IS NOT NULL"),
            postgresql_where=sa.text("state = 'live' AND request_id IS NOT NULL"),
        )
    op.create_table(
        "usage_fact_units",
        sa.Column("booked_slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("dim", _ID, nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("cost_milli", sa.BigInteger(), nullable=False),
        sa.Column("cost_pico", sa.BigInteger(), nullable=False),
        sa.Column("high_milli", sa.BigInteger(), nullable=False),
        sa.Column("high_pico", sa.BigInteger(), nullable=False),
        sa.Column("list_milli", sa.BigInteger(), nullable=False),
        sa.Column("list_pico", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["dim"], ["usage_dims.id"], name=op.f("fk_usage_fact_units_dim_usage_dims")),
        sa.PrimaryKeyConstraint("booked_slot", "slot", "dim", "unit", name=op.f("pk_usage_fact_units")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("usage_fact_units", schema=None) as batch_op:
        batch_op.create_index(
            "ix_usage_fact_units_late",
            ["slot"],
            unique=False,
            sqlite_where=sa.text("slot <> booked_slot"),
            postgresql_where=sa.text("slot <> booked_slot"),
        )
    op.create_table(
        "usage_facts",
        sa.Column("booked_slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("dim", _ID, nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost_milli", sa.BigInteger(), nullable=False),
        sa.Column("cost_pico", sa.BigInteger(), nullable=False),
        sa.Column("high_milli", sa.BigInteger(), nullable=False),
        sa.Column("high_pico", sa.BigInteger(), nullable=False),
        sa.Column("list_milli", sa.BigInteger(), nullable=False),
        sa.Column("list_pico", sa.BigInteger(), nullable=False),
        sa.Column("stated_milli", sa.BigInteger(), nullable=False),
        sa.Column("stated_pico", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["dim"], ["usage_dims.id"], name=op.f("fk_usage_facts_dim_usage_dims")),
        sa.PrimaryKeyConstraint("booked_slot", "slot", "dim", name=op.f("pk_usage_facts")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("usage_facts", schema=None) as batch_op:
        batch_op.create_index(
            "ix_usage_facts_late",
            ["slot"],
            unique=False,
            sqlite_where=sa.text("slot <> booked_slot"),
            postgresql_where=sa.text("slot <> booked_slot"),
        )
    op.create_table(
        "ledger_lines",
        sa.Column("id", _ID, nullable=False),
        sa.Column("event", _ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("usage_at", _TIME, nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("booked_in", sa.Text(), nullable=False),
        sa.Column("booked_slot", sa.Integer(), nullable=False),
        sa.Column("recorded_at", _TIME, nullable=False),
        sa.Column("old", sa.Text(), nullable=True),
        sa.Column("new", sa.Text(), nullable=True),
        sa.Column("price_version_old", sa.Text(), nullable=True),
        sa.Column("price_version_new", sa.Text(), nullable=True),
        sa.Column("delta_usd", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["event"], ["usage_events.id"], name=op.f("fk_ledger_lines_event_usage_events")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_lines")),
    )
    with op.batch_alter_table("ledger_lines", schema=None) as batch_op:
        batch_op.create_index("ix_ledger_lines_booked", ["booked_in"], unique=False)
        batch_op.create_index(
            "ix_ledger_lines_changes",
            ["booked_slot"],
            unique=False,
            sqlite_where=sa.text("kind <> 'usage'"),
            postgresql_where=sa.text("kind <> 'usage'"),
        )
        batch_op.create_index("ix_ledger_lines_event", ["event"], unique=False)
        batch_op.create_index("ix_ledger_lines_recorded", ["recorded_at"], unique=False)


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("ledger_lines", schema=None) as batch_op:
        batch_op.drop_index("ix_ledger_lines_recorded")
        batch_op.drop_index("ix_ledger_lines_event")
        batch_op.drop_index("ix_ledger_lines_changes")
        batch_op.drop_index("ix_ledger_lines_booked")
    op.drop_table("ledger_lines")
    with op.batch_alter_table("usage_facts", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_usage_facts_late",
            sqlite_where=sa.text("slot <> booked_slot"),
            postgresql_where=sa.text("slot <> booked_slot"),
        )
    op.drop_table("usage_facts")
    with op.batch_alter_table("usage_fact_units", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_usage_fact_units_late",
            sqlite_where=sa.text("slot <> booked_slot"),
            postgresql_where=sa.text("slot <> booked_slot"),
        )
    op.drop_table("usage_fact_units")
    with op.batch_alter_table("usage_events", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_usage_events_request",
            sqlite_where=sa.text("state = 'live' AND request_id IS NOT NULL"),
            postgresql_where=sa.text("state = 'live' AND request_id IS NOT NULL"),
        )
        batch_op.drop_index(
            "uq_usage_events_id",
            sqlite_where=sa.text("state <> 'superseded'"),
            postgresql_where=sa.text("state <> 'superseded'"),
        )
        batch_op.drop_index("ix_usage_events_offer")
        batch_op.drop_index("ix_usage_events_duplicates")
        batch_op.drop_index("ix_usage_events_customer")
    op.drop_table("usage_events")
    with op.batch_alter_table("usage_days", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_usage_days_late",
            sqlite_where=sa.text("slot <> booked_slot"),
            postgresql_where=sa.text("slot <> booked_slot"),
        )
    op.drop_table("usage_days")
    with op.batch_alter_table("usage_day_units", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_usage_day_units_late",
            sqlite_where=sa.text("slot <> booked_slot"),
            postgresql_where=sa.text("slot <> booked_slot"),
        )
    op.drop_table("usage_day_units")
    with op.batch_alter_table("bulk_runs", schema=None) as batch_op:
        batch_op.drop_index("ix_bulk_runs_recorded")
        batch_op.drop_index("ix_bulk_runs_import")
    op.drop_table("bulk_runs")
    with op.batch_alter_table("usage_imports", schema=None) as batch_op:
        batch_op.drop_index("ix_usage_imports_digest")
    op.drop_table("usage_imports")
    op.drop_table("usage_dims")
    op.drop_table("streams")
    op.drop_table("stream_days")
    op.drop_table("stream_containments")
    op.drop_table("ledger_work")
    op.drop_table("ledger_periods")
    op.drop_table("ledger_heads")
