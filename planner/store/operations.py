"""The tables of daily operation: what waits for a person, whose turn it is, what was agreed and who is told."""

import sqlalchemy as sa

from planner.store.columns import UtcTime, id_column, metadata

# A quote that waits for a person, or a whole feed that does (then `offer_id` is NULL and `digest` its refusal).
holds = sa.Table(
    "holds",
    metadata,
    id_column(),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("offer_id", sa.Text),
    sa.Column("quote_id", sa.ForeignKey("quotes.id")),
    sa.Column("digest", sa.Text, nullable=False),  # of the rates that wait, so that the same price is one hold
    sa.Column("reasons", sa.Text, nullable=False),  # JSON list of {code, …facts}
    sa.Column("diff", sa.Text, nullable=False),  # JSON list of {unit, when, before, after}
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("opened_at", UtcTime, nullable=False),
    sa.Column("last_seen_at", UtcTime, nullable=False),
    sa.Column("announced_at", UtcTime, nullable=False),
    sa.Column("decided_at", UtcTime),
    sa.Column("decided_by", sa.Text),
    sa.Column("decision", sa.Text),  # the reason the person gave, or why it ended by itself
    # The hold of a newer answer of the source that says something else: until that is decided, this is not approved.
    sa.Column("contested_by", sa.BigInteger),
    sa.CheckConstraint("state IN ('waiting', 'approved', 'used', 'rejected', 'released')", name="state"),
    sa.Index("ix_holds_state", "state", "opened_at"),
    sa.Index("ix_holds_offer", "offer_id", "source"),
)

# Whole readings a source was heard to say, by the digest of their bytes: yesterday's file is not news.
seen_readings = sa.Table(
    "seen_readings",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("first_seen_at", UtcTime, nullable=False),
    sa.Column("last_seen_at", UtcTime, nullable=False),
)

golden_facts = sa.Table(
    "golden_facts",
    metadata,
    sa.Column("offer_id", sa.Text, primary_key=True),
    sa.Column("unit", sa.Text, primary_key=True),
    sa.Column("usd_per_mtok_min", sa.Text, nullable=False),
    sa.Column("usd_per_mtok_max", sa.Text, nullable=False),
    sa.Column("source_url", sa.Text, nullable=False),
    sa.Column("checked_on", sa.Date, nullable=False),
)

# Whose turn a scheduled moment is: claimed once, taken over when the lease ran out; a higher token outranks a lower.
slots = sa.Table(
    "slots",
    metadata,
    sa.Column("job", sa.Text, primary_key=True),
    sa.Column("slot_start", UtcTime, primary_key=True),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("token", sa.BigInteger, nullable=False),
    sa.Column("lease_until", UtcTime, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("finished_at", UtcTime),
    sa.CheckConstraint("state IN ('running', 'done', 'failed')", name="state"),
)

# How a channel is paid here: by credit, or with one's own provider keys, and how much a month.
channel_payments = sa.Table(
    "channel_payments",
    metadata,
    id_column(),
    sa.Column("channel_id", sa.Text, sa.ForeignKey("channels.id"), nullable=False),
    sa.Column("payment", sa.Text, nullable=False),
    sa.Column("list_usd_per_month", sa.Text),  # a decimal: expected usage at list price
    sa.Column("valid_from", UtcTime, nullable=False),  # until the next row of the channel
    sa.Column("recorded_from", UtcTime, nullable=False),
    sa.Column("recorded_to", UtcTime),
    sa.Column("recorded_by", sa.Text, nullable=False),
    sa.CheckConstraint("payment IN ('credit', 'own_key')", name="payment"),
    sa.Index("ix_channel_payments_channel", "channel_id", "valid_from"),
)

contracts = sa.Table(
    "contracts",
    metadata,
    id_column(),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("channel_id", sa.Text, sa.ForeignKey("channels.id"), nullable=False),
    sa.Column("provider_id", sa.Text, nullable=False),
    sa.Column("model_id", sa.Text),  # NULL: every model of the provider
    sa.Column("discount_percent", sa.Text, nullable=False),  # a decimal from 0 to 100
    sa.Column("commitment_usd", sa.Text),
    sa.Column("commitment_period", sa.Text),
    sa.Column("valid_from", UtcTime, nullable=False),
    sa.Column("valid_to", UtcTime),
    sa.Column("reference", sa.Text, nullable=False),  # where the signed paper is
    sa.Column("recorded_from", UtcTime, nullable=False),
    sa.Column("recorded_to", UtcTime),
    sa.Column("recorded_by", sa.Text, nullable=False),
    sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="valid_order"),
)

fx_rates = sa.Table(
    "fx_rates",
    metadata,
    id_column(),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("day", sa.Date, nullable=False),
    sa.Column("usd", sa.Text, nullable=False),  # a decimal: dollars for one unit of the currency
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("source_url", sa.Text, nullable=False),
    sa.Column("recorded_from", UtcTime, nullable=False),
    sa.Column("recorded_to", UtcTime),
    sa.Column("recorded_by", sa.Text, nullable=False),
    sa.Index(
        "uq_fx_rates_day",
        "currency",
        "day",
        unique=True,
        sqlite_where=sa.text("recorded_to IS NULL"),
        postgresql_where=sa.text("recorded_to IS NULL"),
    ),
)

# What each stored plan and task was last told, so that a publication can say what it moved.
plan_states = sa.Table(
    "plan_states",
    metadata,
    sa.Column("plan_id", sa.Text, primary_key=True),
    sa.Column("task_id", sa.Text, primary_key=True),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("verdict", sa.Text, nullable=False),  # answered, or the code of the refusal
    sa.Column("offer_id", sa.Text),
    sa.Column("cost_usd", sa.Text),
    sa.Column("margin", sa.Text),
)

webhooks = sa.Table(
    "webhooks",
    metadata,
    id_column(),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("secret", sa.Text, nullable=False),  # signs what is sent, so it cannot be a digest; shown once
    sa.Column("kinds", sa.Text),  # JSON list of alert kinds; NULL is all
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("disabled_at", UtcTime),
)

# One message to one target: the alerts of one kind in one revision. Sent at least once; `dead` waits for a person.
deliveries = sa.Table(
    "deliveries",
    metadata,
    id_column(),
    sa.Column("target", sa.Text, nullable=False),  # webhook:<id>, email:<recipient>, log
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("alerts", sa.Text, nullable=False),  # JSON list of alert ids
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_attempt_at", UtcTime, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("finished_at", UtcTime),
    sa.Column("error", sa.Text),
    sa.CheckConstraint("state IN ('due', 'delivered', 'dead')", name="state"),
    sa.Index("ix_deliveries_due", "state", "next_attempt_at"),
)

# What an admin's write answered, by the key it came with: the same key again gets the same answer and no second write.
replies = sa.Table(
    "replies",
    metadata,
    sa.Column("actor", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("request_digest", sa.Text, nullable=False),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
)
