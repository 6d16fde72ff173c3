"""The tables of what happened: usage as it was said, the lines it was booked in, and the sums reports read."""

import sqlalchemy as sa

from planner.store.columns import UtcTime, id_column, metadata

_BIG = sa.BigInteger


def _live(name: str, *columns: str, where: str) -> sa.Index:
    return sa.Index(name, *columns, unique=True, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def amount_columns(name: str) -> list[sa.Column[int]]:
    """Return the two columns of one amount."""
    # Sums of 1e-12 USD outgrow 64 bits at 9.2 million dollars: thousandths of a dollar, and the rest of 1e-12.
    return [sa.Column(f"{name}_milli", _BIG, nullable=False), sa.Column(f"{name}_pico", _BIG, nullable=False)]


# --- usage as it was said ---------------------------------------------------------------------------------

# A stream of usage, and whether its rows count. `chosen`: a person said so.
streams = sa.Table(
    "streams",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("chosen", sa.Boolean, nullable=False),
    sa.Column("account", sa.Text, nullable=False),  # whose account at the provider; "" is the only one
    sa.Column("feed", sa.Text, nullable=False),  # whose spellings of providers it uses
    sa.Column("mutable", sa.Boolean, nullable=False),  # whether it may say something newer of a row it sent
    sa.Column("own", sa.Boolean, nullable=False),  # sent by whoever made the requests, each its own
    sa.Column("in_place", sa.Boolean, nullable=False),  # its rows lie in files, and are not on record
    sa.Column("recorded_at", UtcTime, nullable=False),
    sa.Column("recorded_by", sa.Text, nullable=False),
    sa.CheckConstraint("role IN ('ledger', 'evidence')", name="role"),
)

# Whether prompts of a stream contain their cached part, for each provider, and how that is known.
stream_containments = sa.Table(
    "stream_containments",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("provider", sa.Text, primary_key=True),
    sa.Column("includes_cached", sa.Boolean, nullable=False),
    sa.Column("because", sa.Text, nullable=False),
    sa.Column("recorded_at", UtcTime, nullable=False),
)

# On which days who is paid for what a stream told, and whether all of its rows of that day name the request: two
# streams without such names may have told the same twice.
stream_days = sa.Table(
    "stream_days",
    metadata,
    sa.Column("party", sa.Text, primary_key=True),
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("day", sa.Integer, primary_key=True),  # since 1970, in UTC
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("named", sa.Boolean, nullable=False),
)

usage_imports = sa.Table(
    "usage_imports",
    metadata,
    id_column(),
    sa.Column("file", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("format", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("given", sa.Text, nullable=False),  # JSON: what was said about the file
    sa.Column("path", sa.Text),  # where the rows still lie, if they were not taken in
    sa.Column("summary", sa.Text, nullable=False),  # JSON
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Index("ix_usage_imports_digest", "digest"),
)

usage_events = sa.Table(
    "usage_events",
    metadata,
    id_column(),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("request_id", sa.Text),
    sa.Column("offer_id", sa.Text),  # NULL: nobody knows which offer served it
    sa.Column("provider", sa.Text),  # as the stream spells it
    sa.Column("model", sa.Text),
    sa.Column("plan", sa.Text),  # its own
    sa.Column("customer", sa.Text),  # as the stream spells it
    sa.Column("document", sa.Text, nullable=False),  # JSON, core.event_form
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("line_id", _BIG),  # the last line it was booked in
    sa.Column("import_id", sa.ForeignKey("usage_imports.id")),
    sa.Column("recorded_at", UtcTime, nullable=False),
    sa.Column("recorded_by", sa.Text, nullable=False),
    sa.CheckConstraint("state IN ('live', 'evidence', 'duplicate', 'voided', 'superseded')", name="state"),
    _live("uq_usage_events_id", "source", "event_id", where="state <> 'superseded'"),
    _live("uq_usage_events_request", "request_id", where="state = 'live' AND request_id IS NOT NULL"),
    sa.Index(
        "ix_usage_events_duplicates",
        "request_id",
        sqlite_where=sa.text("state = 'duplicate'"),
        postgresql_where=sa.text("state = 'duplicate'"),
    ),
    # What the ledger is held against: few rows among many.
    sa.Index(
        "ix_usage_events_evidence",
        "at",
        sqlite_where=sa.text("state = 'evidence'"),
        postgresql_where=sa.text("state = 'evidence'"),
    ),
    sa.Index("ix_usage_events_offer", "offer_id", "at"),
    sa.Index("ix_usage_events_customer", "customer", "at"),
)

# --- what was booked --------------------------------------------------------------------------------------

# One change of what is booked for a row of usage: from nothing to something, or from one price, plan or count to
# another. Lines are only ever added.
ledger_lines = sa.Table(
    "ledger_lines",
    metadata,
    id_column(),
    sa.Column("event", sa.ForeignKey("usage_events.id"), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("usage_at", UtcTime, nullable=False),
    sa.Column("slot", sa.Integer, nullable=False),
    sa.Column("booked_in", sa.Text, nullable=False),  # the accounting period
    sa.Column("booked_slot", sa.Integer, nullable=False),
    sa.Column("recorded_at", UtcTime, nullable=False),
    sa.Column("old", sa.Text),  # JSON, core.posting: what was booked until now; NULL: nothing
    sa.Column("new", sa.Text),
    sa.Column("price_version_old", sa.Text),
    sa.Column("price_version_new", sa.Text),
    sa.Column("delta_usd", sa.Text),  # a decimal; NULL: it has no price, and had none before
    sa.Index("ix_ledger_lines_event", "event"),
    sa.Index("ix_ledger_lines_recorded", "recorded_at"),
    sa.Index("ix_ledger_lines_booked", "booked_in"),
    # A report shows what changed something that was booked before: few lines among all.
    sa.Index(
        "ix_ledger_lines_changes",
        "booked_slot",
        sqlite_where=sa.text("kind <> 'usage'"),
        postgresql_where=sa.text("kind <> 'usage'"),
    ),
)

# What was booked of a file that is rated where it lies, run by run: of an import everything, later what was different.
bulk_runs = sa.Table(
    "bulk_runs",
    metadata,
    id_column(),
    sa.Column("import_id", sa.ForeignKey("usage_imports.id"), nullable=False),
    sa.Column("recorded_at", UtcTime, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("first_slot", sa.Integer),  # of its cells; NULL: it has none
    sa.Column("last_slot", sa.Integer),
    sa.Column("unserved", sa.Text, nullable=False),  # JSON: names in the file that nobody knows an offer of
    sa.Column("cells", sa.LargeBinary, nullable=False),  # zlib, JSON: slots, heads, measures and units
    sa.CheckConstraint("kind IN ('imported', 'rerated', 'unavailable')", name="kind"),
    sa.Index("ix_bulk_runs_import", "import_id"),
    sa.Index("ix_bulk_runs_recorded", "recorded_at"),
)

ledger_periods = sa.Table(
    "ledger_periods",
    metadata,
    sa.Column("period", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("changed_at", UtcTime, nullable=False),
    sa.Column("changed_by", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("report_digest", sa.Text),  # of the closed period's margin report
    sa.CheckConstraint("state IN ('open', 'closed')", name="state"),
)

# What has to be booked anew: which rows, how far it got. One that is done stays, for the record.
ledger_work = sa.Table(
    "ledger_work",
    metadata,
    id_column(),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("selector", sa.Text, nullable=False),  # JSON
    sa.Column("after", _BIG, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("done_at", UtcTime),
)

# Through which revision of the catalogue every row is rated, and through which month revenue is booked.
ledger_heads = sa.Table(
    "ledger_heads",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("revision", sa.Integer),  # NULL: nothing was ever told
    sa.Column("month", sa.Text),
    sa.CheckConstraint("id = 1", name="single"),
)

# --- what reports read ------------------------------------------------------------------------------------

usage_dims = sa.Table(
    "usage_dims",
    metadata,
    id_column(),
    sa.Column("digest", sa.Text, nullable=False, unique=True),
    sa.Column("plan", sa.Text, nullable=False),  # "" is unassigned; so with every column that says nothing
    sa.Column("task", sa.Text, nullable=False),
    sa.Column("customer", sa.Text, nullable=False),
    sa.Column("matched", sa.Boolean, nullable=False),  # whether somebody said who the customer is
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("offer", sa.Text, nullable=False),
    sa.Column("price_version", sa.Text, nullable=False),
    sa.Column("cost_basis", sa.Text, nullable=False),
    sa.Column("stated_by", sa.Text, nullable=False),
    sa.Column("unpriced", sa.Text, nullable=False),
    sa.Column("service_tier", sa.Text, nullable=False),
    sa.Column("region", sa.Text, nullable=False),
    sa.Column("band", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
)


def _dim() -> sa.Column[int]:
    return sa.Column("dim", sa.ForeignKey("usage_dims.id"), primary_key=True)


def _measures() -> list[sa.Column[int]]:
    counts = ("rows", "requests", "input_tokens", "output_tokens")
    columns = [sa.Column(name, _BIG, nullable=False) for name in counts]
    return [*columns, *(column for name in ("cost", "high", "list", "stated") for column in amount_columns(name))]


def _slots() -> list[sa.Column[int]]:
    return [
        sa.Column("booked_slot", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("slot", sa.Integer, primary_key=True, autoincrement=False),
    ]


def _late(table: str) -> sa.Index:
    # What is booked at another time than it was used is rare, and found by the time it was used.
    where = sa.text("slot <> booked_slot")
    return sa.Index(f"ix_{table}_late", "slot", sqlite_where=where, postgresql_where=where)


def _facts(name: str) -> sa.Table:
    return sa.Table(name, metadata, *_slots(), _dim(), *_measures(), _late(name), sqlite_with_rowid=False)


def _units(name: str) -> sa.Table:
    unit = sa.Column("unit", sa.Text, primary_key=True)
    quantity = sa.Column("quantity", _BIG, nullable=False)
    amounts = [column for amount in ("cost", "high", "list") for column in amount_columns(amount)]
    return sa.Table(
        name, metadata, *_slots(), _dim(), unit, quantity, *amounts, _late(name), sqlite_with_rowid=False
    )  # fmt: skip


# Quarter hours of UTC, with customers.
usage_facts = _facts("usage_facts")
usage_fact_units = _units("usage_fact_units")
# Days of UTC, without customers; the slots are the first of their day.
usage_days = _facts("usage_days")
usage_day_units = _units("usage_day_units")
# Months of UTC, likewise.
usage_months = _facts("usage_months")

# --- who pays for it --------------------------------------------------------------------------------------

customers = sa.Table(
    "customers",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("recorded_at", UtcTime, nullable=False),
    sa.Column("recorded_by", sa.Text, nullable=False),
)

customer_ids = sa.Table(
    "customer_ids",
    metadata,
    id_column(),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("external_id", sa.Text, nullable=False),
    sa.Column("customer_id", sa.ForeignKey("customers.id"), nullable=False),
    sa.Column("recorded_from", UtcTime, nullable=False),
    sa.Column("recorded_to", UtcTime),
    sa.Column("recorded_by", sa.Text, nullable=False),
    _live("uq_customer_ids_live", "source", "external_id", where="recorded_to IS NULL"),
    sa.Index("ix_customer_ids_customer", "customer_id"),
)

customer_plans = sa.Table(
    "customer_plans",
    metadata,
    id_column(),
    sa.Column("customer_id", sa.ForeignKey("customers.id"), nullable=False),
    sa.Column("plan_id", sa.Text, nullable=False),
    sa.Column("valid_from", UtcTime, nullable=False),
    sa.Column("valid_to", UtcTime),
    sa.Column("recorded_from", UtcTime, nullable=False),
    sa.Column("recorded_to", UtcTime),
    sa.Column("recorded_by", sa.Text, nullable=False),
    sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="valid_order"),
    sa.Index("ix_customer_plans_customer", "customer_id", "valid_from"),
)

price_plans = sa.Table(
    "price_plans",
    metadata,
    id_column(),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("price_id", sa.Text, nullable=False),
    sa.Column("plan_id", sa.Text, nullable=False),
    sa.Column("recorded_from", UtcTime, nullable=False),
    sa.Column("recorded_to", UtcTime),
    sa.Column("recorded_by", sa.Text, nullable=False),
    _live("uq_price_plans_live", "source", "price_id", where="recorded_to IS NULL"),
)

revenue_items = sa.Table(
    "revenue_items",
    metadata,
    id_column(),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("item_id", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("customer", sa.Text),  # as the source spells it
    sa.Column("price", sa.Text),
    sa.Column("start", UtcTime, nullable=False),
    sa.Column("end", UtcTime),
    sa.Column("document", sa.Text, nullable=False),  # JSON, core.revenue_form
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("import_id", sa.ForeignKey("usage_imports.id")),
    sa.Column("recorded_from", UtcTime, nullable=False),
    sa.Column("recorded_to", UtcTime),
    sa.Column("recorded_by", sa.Text, nullable=False),
    _live("uq_revenue_items_live", "source", "item_id", where="recorded_to IS NULL"),
    sa.Index("ix_revenue_items_customer", "customer"),
)

# What items come to for one customer and month; a line that holds no more is reversed, never changed.
revenue_lines = sa.Table(
    "revenue_lines",
    metadata,
    id_column(),
    sa.Column("customer", sa.Text, nullable=False),  # "" is nobody in particular
    sa.Column("matched", sa.Boolean, nullable=False),
    sa.Column("plan", sa.Text, nullable=False),
    sa.Column("month", sa.Text, nullable=False),
    sa.Column("basis", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("item_id", sa.Text, nullable=False),
    sa.Column("start", UtcTime, nullable=False),
    sa.Column("end", UtcTime),
    *(column for name in ("revenue", "refund", "fee", "tax", "other") for column in amount_columns(name)),
    sa.Column("tax_unknown", sa.Boolean, nullable=False),
    sa.Column("unconverted", sa.Text, nullable=False),  # "EUR 46.85" where no exchange rate is known
    sa.Column("booked_in", sa.Text, nullable=False),
    sa.Column("recorded_at", UtcTime, nullable=False),
    sa.Column("reverses", _BIG),
    sa.Column("reversed_at", UtcTime),
    sa.Index("ix_revenue_lines_month", "month"),
    sa.Index("ix_revenue_lines_booked", "booked_in"),
    sa.Index("ix_revenue_lines_customer", "customer", "month"),
)
