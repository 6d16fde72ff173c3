"""The tables of who decides what: drafts and assignments of policies, changes that wait for a second person, people."""

import sqlalchemy as sa

from planner.store.columns import UtcTime, id_column, metadata

# What an admin is still writing: one draft per policy. A published version never changes.
policy_drafts = sa.Table(
    "policy_drafts",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("document", sa.Text, nullable=False),  # JSON: title and rules, as in `policies.rules`
    sa.Column("based_on", sa.Integer),  # the version that was the newest when it was begun; NULL: none was
    sa.Column("edit", sa.Integer, nullable=False),  # counts up with every save
    sa.Column("saved_at", UtcTime, nullable=False),
    sa.Column("saved_by", sa.Text, nullable=False),
)

# Which policies a plan, or one of its tasks, is decided under; all of them must pass. Without a row: the plan's own.
assignments = sa.Table(
    "assignments",
    metadata,
    id_column(),
    sa.Column("plan_id", sa.Text, nullable=False),
    sa.Column("task_id", sa.Text, nullable=False),  # empty: the plan as a whole
    sa.Column("policies", sa.Text, nullable=False),  # JSON list of names
    sa.Column("recorded_from", UtcTime, nullable=False),
    sa.Column("recorded_to", UtcTime),
    sa.Column("recorded_by", sa.Text, nullable=False),
    sa.Index(
        "uq_assignments_current",
        "plan_id",
        "task_id",
        unique=True,
        sqlite_where=sa.text("recorded_to IS NULL"),
        postgresql_where=sa.text("recorded_to IS NULL"),
    ),
)

# A change that lets more through than before, and waits for a second person.
proposals = sa.Table(
    "proposals",
    metadata,
    id_column(),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),  # JSON: what is to be written
    sa.Column("widens", sa.Text, nullable=False),  # JSON list: what it would let through
    sa.Column("basis", sa.Text, nullable=False),  # the state it was made for; another one by then ends it
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("proposed_at", UtcTime, nullable=False),
    sa.Column("proposed_by", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("decided_at", UtcTime),
    sa.Column("decided_by", sa.Text),
    sa.Column("decision", sa.Text),
    sa.CheckConstraint("state IN ('waiting', 'approved', 'rejected', 'outdated')", name="state"),
    sa.Index("ix_proposals_state", "state", "proposed_at"),
)

people = sa.Table(
    "people",
    metadata,
    id_column(),
    sa.Column("login", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("password_hash", sa.Text),  # argon2id; NULL: signs in elsewhere
    sa.Column("issuer", sa.Text),  # of an OpenID provider, with the subject it knows the person by
    sa.Column("subject", sa.Text),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("disabled_at", UtcTime),
    sa.CheckConstraint("role IN ('backend', 'finance', 'admin')", name="role"),
    sa.Index("uq_people_subject", "issuer", "subject", unique=True),
)

# Who is signed in. The cookie holds a random token, this table its digest.
sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("person_id", sa.BigInteger, sa.ForeignKey("people.id"), nullable=False),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("used_at", UtcTime, nullable=False),
    sa.Column("expires_at", UtcTime, nullable=False),
    sa.Column("ended_at", UtcTime),
    sa.CheckConstraint("method IN ('password', 'oidc')", name="method"),
    sa.Index("ix_sessions_person", "person_id"),
)

# A sign-in that went to an OpenID provider and has not come back; taken once.
sign_ins = sa.Table(
    "sign_ins",
    metadata,
    sa.Column("state", sa.Text, primary_key=True),  # a digest
    sa.Column("nonce", sa.Text, nullable=False),
    sa.Column("verifier", sa.Text, nullable=False),
    sa.Column("browser", sa.Text, nullable=False),  # digest of the cookie of the browser that began it
    sa.Column("expires_at", UtcTime, nullable=False),
)

# How often somebody tried within a stretch of time, over all workers.
attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("bucket", sa.Text, primary_key=True),
    sa.Column("window_start", UtcTime, primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
)
