"""Every table, once; the migrations are checked against this file and the one of operations beside it."""

import sqlalchemy as sa

from planner.store import ledger_tables as ledger
from planner.store.budget_tables import budgets
from planner.store.buying import commitments, pulls
from planner.store.columns import UtcTime, id_column, metadata
from planner.store.governing import (
    assignments,
    attempts,
    people,
    policy_drafts,
    proposals,
    sessions,
    sign_ins,
)
from planner.store.invoice_tables import invoice_lines
from planner.store.operations import (
    channel_payments,
    contracts,
    deliveries,
    fx_rates,
    golden_facts,
    holds,
    plan_states,
    replies,
    seen_readings,
    slots,
    webhooks,
)
from planner.store.planning import customer_spends, measurements, plan_versions

# --- the curated registry -------------------------------------------------------------------------------

models = sa.Table(
    "models",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("open_weights", sa.Boolean),
    sa.Column("released", sa.Date),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("settled_by", sa.Text),  # NULL: only a feed has named it so far
)

providers = sa.Table(
    "providers",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("headquarters", sa.Text),
    sa.Column("creator_of", sa.Text, nullable=False),  # JSON list of canonical authors
    sa.Column("upstream", sa.Text),  # whose machines fail with it, where several providers are one; NULL: its own
    sa.CheckConstraint("kind IN ('provider', 'broker')", name="kind"),
)

channels = sa.Table(
    "channels",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("overhead_ms", sa.Integer),  # what the way through it adds to every request; NULL is not known
    sa.Column("overhead_source_url", sa.Text),
    sa.Column("overhead_observed_at", UtcTime),
)

provider_spellings = sa.Table(
    "provider_spellings",
    metadata,
    sa.Column("feed", sa.Text, primary_key=True),
    sa.Column("spelling", sa.Text, primary_key=True),
    sa.Column("provider_id", sa.Text, sa.ForeignKey("providers.id"), nullable=False),
    sa.Column("channel_id", sa.Text, sa.ForeignKey("channels.id"), nullable=False),
    sa.Column("settled_at", UtcTime),  # when an admin settled it; NULL came with planner
    sa.Column("settled_by", sa.Text),
)

aliases = sa.Table(
    "aliases",
    metadata,
    sa.Column("namespace", sa.Text, primary_key=True),
    sa.Column("spelling", sa.Text, primary_key=True),
    sa.Column("model_id", sa.Text, sa.ForeignKey("models.id")),  # NULL: a person took the alias back
    sa.Column("basis", sa.Text, nullable=False),
    sa.Column("settled_at", UtcTime),  # when an admin settled it; NULL came with planner
    sa.Column("settled_by", sa.Text),
)

free_offers = sa.Table(
    "free_offers",
    metadata,
    sa.Column("offer_id", sa.Text, primary_key=True),
    sa.Column("basis", sa.Text, nullable=False),
    sa.Column("source_url", sa.Text, nullable=False),
    sa.Column("observed_at", UtcTime, nullable=False),
)

sources = sa.Table(
    "sources",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("licence", sa.Text, nullable=False),
    sa.Column("rank", sa.Integer, nullable=False),
    sa.Column("own_channel", sa.Text),  # the channel whose own API this source is
    sa.Column("interval_minutes", sa.Integer),
    sa.Column("stale_after_hours", sa.Integer),
    sa.Column("frozen_after_days", sa.Integer),  # a living list that says the same for longer has stopped
)

fees = sa.Table(
    "fees",
    metadata,
    id_column(),
    sa.Column("channel_id", sa.Text, sa.ForeignKey("channels.id"), nullable=False),
    sa.Column("percent", sa.Text, nullable=False),  # a canonical decimal
    sa.Column("basis", sa.Text, nullable=False),
    sa.Column("valid_from", UtcTime, nullable=False),
    sa.Column("valid_to", UtcTime),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("source_url", sa.Text, nullable=False),
    sa.Column("payment", sa.Text, nullable=False, server_default="credit"),  # which way of paying it belongs to
    sa.Column("allowance_usd_per_month", sa.Text),  # list-price usage a month without this fee, a decimal
    sa.Column("minimum_usd", sa.Text),  # at least this much per purchase, a decimal
    sa.Column("recorded_from", UtcTime),  # when an admin entered it; NULL came with planner
    sa.Column("recorded_to", UtcTime),
)

price_bands = sa.Table(
    "price_bands",
    metadata,
    sa.Column("tier", sa.Integer, primary_key=True),
    sa.Column("valid_from", sa.Date, primary_key=True),
    sa.Column("valid_to", sa.Date),
    sa.Column("usd_per_mtok_min", sa.Text, nullable=False),
)

quality_bands = sa.Table(
    "quality_bands",
    metadata,
    sa.Column("index", sa.Text, primary_key=True),
    sa.Column("tier", sa.Integer, primary_key=True),
    sa.Column("valid_from", sa.Date, primary_key=True),
    sa.Column("valid_to", sa.Date),
    sa.Column("score_min", sa.Text, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),  # which index is asked first
)

scores = sa.Table(
    "scores",
    metadata,
    sa.Column("model_id", sa.Text, primary_key=True),
    sa.Column("index", sa.Text, primary_key=True),
    sa.Column("as_of", sa.Date, primary_key=True),
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("score", sa.Text, nullable=False),
    sa.Column("source_url", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
)

terms = sa.Table(
    "terms",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("subject_kind", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("facts", sa.Text, nullable=False),  # JSON: every field of core.terms.Terms that is not a column here
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("source_url", sa.Text, nullable=False),
    sa.Column("observed_at", UtcTime, nullable=False),
    sa.Column("expires_at", UtcTime),
    sa.Column("confidence", sa.Integer, nullable=False),
    sa.Column("curated", sa.Boolean, nullable=False),
    sa.Column("recorded_from", UtcTime, nullable=False),
    sa.Column("recorded_to", UtcTime),
    sa.Column("recorded_by", sa.Text),  # who entered it; NULL came with planner, or from a feed
    sa.Column("ended_by", sa.Text),  # the person who ended it: it does not come back by itself
    sa.Column("unsaid_at", UtcTime),  # when its feed stopped saying it; what narrows stands until a person looks
    sa.CheckConstraint("subject_kind IN ('provider', 'channel', 'offer')", name="subject_kind"),
    sa.Index("ix_terms_subject", "subject_kind", "subject"),
)

policies = sa.Table(
    "policies",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("rules", sa.Text, nullable=False),  # JSON
    sa.Column("published_at", UtcTime, nullable=False),
    sa.Column("published_by", sa.Text, nullable=False),
)

# --- the catalogue ----------------------------------------------------------------------------------------

offers = sa.Table(
    "offers",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("model_spelling", sa.Text, nullable=False),
    sa.Column("provider_id", sa.Text, nullable=False),
    sa.Column("channel_id", sa.Text, nullable=False),
    sa.Column("facts", sa.Text, nullable=False),  # JSON: the other fields of core.offer.OfferFacts, merged by rank
    sa.Column("first_seen_at", UtcTime, nullable=False),
    sa.Column("gone_at", UtcTime),  # no source lists it any more
    sa.Index("ix_offers_spelling", "channel_id", "provider_id", "model_spelling"),
)

payloads = sa.Table(
    "payloads",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),  # zlib
    sa.Column("stored_at", UtcTime, nullable=False),
)

fetches = sa.Table(
    "fetches",
    metadata,
    sa.Column("url", sa.Text, primary_key=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("etag", sa.Text),
    sa.Column("digest", sa.Text, sa.ForeignKey("payloads.digest"), nullable=False),
    sa.Column("fetched_at", UtcTime, nullable=False),
)

quotes = sa.Table(
    "quotes",
    metadata,
    id_column(),
    sa.Column("offer_id", sa.Text, sa.ForeignKey("offers.id"), nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("source_url", sa.Text, nullable=False),
    sa.Column("observed_at", UtcTime, nullable=False),
    # Not a foreign key: the bundled catalogue knows the digests of feeds whose bytes it does not carry.
    sa.Column("payload_digest", sa.Text),
    sa.Column("claim", sa.Text, nullable=False),  # JSON: facts and segments as claimed
    sa.Column("claim_digest", sa.Text, nullable=False),
    sa.Column("unpriced", sa.Text),
    sa.Column("recorded_at", UtcTime),  # when planner heard it; NULL before this was written down
    sa.Column("withdrawn_at", UtcTime),
    sa.Index(
        "uq_quotes_current",
        "offer_id",
        "source",
        unique=True,
        sqlite_where=sa.text("withdrawn_at IS NULL"),
        postgresql_where=sa.text("withdrawn_at IS NULL"),
    ),
    sa.Index("ix_quotes_source", "source"),
)

price_cards = sa.Table(
    "price_cards",
    metadata,
    id_column(),
    sa.Column("offer_id", sa.Text, sa.ForeignKey("offers.id"), nullable=False),
    sa.Column("quote_id", sa.ForeignKey("quotes.id"), nullable=False),
    sa.Column("rates", sa.Text, nullable=False),  # JSON, core.rate_form
    sa.Column("valid_from", UtcTime, nullable=False),
    sa.Column("valid_to", UtcTime),
    sa.Column("recorded_from", UtcTime, nullable=False),
    sa.Column("recorded_to", UtcTime),
    sa.Column("revision", sa.Integer, sa.ForeignKey("revisions.number"), nullable=False),
    sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="valid_order"),
    sa.CheckConstraint("recorded_to IS NULL OR recorded_to >= recorded_from", name="recorded_order"),
    sa.Index(
        "uq_price_cards_open",
        "offer_id",
        unique=True,
        sqlite_where=sa.text("valid_to IS NULL AND recorded_to IS NULL"),
        postgresql_where=sa.text("valid_to IS NULL AND recorded_to IS NULL"),
    ),
    sa.Index("ix_price_cards_offer", "offer_id", "valid_from"),
)

revisions = sa.Table(
    "revisions",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("published_at", UtcTime, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("cards_opened", sa.Integer, nullable=False),
    sa.Column("cards_closed", sa.Integer, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
)

# One row: what a worker compares with the snapshot it holds, in a single read.
heads = sa.Table(
    "heads",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("catalogue", sa.Integer, nullable=False),
    sa.Column("policy", sa.Integer, nullable=False),
    sa.Column("keys", sa.Integer, nullable=False),
    sa.CheckConstraint("id = 1", name="single"),
)

# --- what happened ----------------------------------------------------------------------------------------

source_states = sa.Table(
    "source_states",
    metadata,
    sa.Column("source", sa.Text, sa.ForeignKey("sources.name"), primary_key=True),
    sa.Column("last_attempt_at", UtcTime),
    sa.Column("last_success_at", UtcTime),
    sa.Column("last_change_at", UtcTime),
    sa.Column("error_code", sa.Text),
    sa.Column("error_detail", sa.Text),
    sa.Column("rows_read", sa.Integer),
    sa.Column("offers_priced", sa.Integer),
    sa.Column("offers_unpriced", sa.Integer),
    sa.Column("rows_refused", sa.Integer),
    sa.Column("failures", sa.Integer, nullable=False, server_default="0"),  # in a row, since the last success
    sa.Column("retry_at", UtcTime),  # the circuit is open until then
    sa.Column("moved_at", UtcTime),  # when the source last said something it had not said before
    sa.Column("told_stale_at", UtcTime),
)

refreshes = sa.Table(
    "refreshes",
    metadata,
    id_column(),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("started_at", UtcTime, nullable=False),
    sa.Column("finished_at", UtcTime, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),  # published | unchanged | refused
    sa.Column("revision", sa.Integer),
    sa.Column("summary", sa.Text, nullable=False),  # JSON: counts and reasons by code
    sa.Index("ix_refreshes_source", "source", "started_at"),
)

alerts = sa.Table(
    "alerts",
    metadata,
    id_column(),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("facts", sa.Text, nullable=False),  # JSON
    sa.Column("revision", sa.Integer),
    sa.Column("delivered_at", UtcTime),  # when it was handed to every target there was
    sa.Index("ix_alerts_at", "at"),
)

keys = sa.Table(
    "keys",
    metadata,
    sa.Column("prefix", sa.Text, primary_key=True),
    sa.Column("mac", sa.LargeBinary, nullable=False),  # HMAC-SHA256 with the pepper; the key itself is shown once
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("policies", sa.Text),  # JSON list of policy names a backend key may name; NULL is the default policy only
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("expires_at", UtcTime),
    sa.Column("revoked_at", UtcTime),
    sa.Column("last_used_at", UtcTime),
    sa.Column("created_by", sa.Text),
    sa.Column("rotated_to", sa.Text),  # the prefix of the key that takes its place
    sa.CheckConstraint("role IN ('backend', 'finance', 'admin')", name="role"),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("before", sa.Text),  # JSON
    sa.Column("after", sa.Text),  # JSON
    sa.Column("reason", sa.Text),
    sa.Column("previous_hash", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
)

__all__ = [
    "UtcTime", "alerts", "aliases", "assignments", "attempts", "audit", "budgets", "channel_payments", "channels",
    "commitments", "contracts", "customer_spends", "deliveries", "fees", "fetches", "free_offers", "fx_rates",
    "golden_facts", "heads", "holds", "invoice_lines", "keys", "ledger", "measurements", "metadata", "models",
    "offers", "payloads", "people", "plan_states", "plan_versions", "policies", "policy_drafts", "price_bands",
    "price_cards", "proposals", "provider_spellings", "providers", "pulls", "quality_bands", "quotes", "refreshes",
    "replies", "revisions", "scores", "seen_readings", "sessions", "sign_ins", "slots", "source_states", "sources",
    "terms", "webhooks",
]  # fmt: skip
