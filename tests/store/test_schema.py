"""The schema is what the tables say, on both databases, and what it must refuse it refuses."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from planner.core.errors import SchemaMismatch, Unavailable
from planner.places import migrations_dir
from planner.store import audit, keys
from planner.store import tables as t
from planner.store.engine import Store
from planner.store.migrate import upgrade
from planner.store.revision import Heads
from planner.store.schema import REVISION, check
from planner.store.watch import Watch
from tests.databases import lift_append_only

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
PEPPER = b"pepper"


def test_tables_match_migrations(store: Store) -> None:
    """A fresh database has exactly the tables, columns and indexes of the code; a second upgrade does nothing."""
    upgrade(store.url)
    check(store.url)
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, t.metadata) == []


def test_the_wanted_revision_is_the_newest_migration() -> None:
    """What servers check for is what `db upgrade` brings."""
    config = Config()
    config.set_main_option("script_location", str(migrations_dir()))
    assert ScriptDirectory.from_config(config).get_heads() == [REVISION]


def test_a_database_without_schema_is_refused(database_url: str) -> None:
    """Nothing is created on the quiet: an empty or absent database says what to run."""
    with pytest.raises(SchemaMismatch):
        check(database_url)


def test_one_open_card_per_offer(store: Store) -> None:
    """The database itself refuses a second open card."""
    with store.write() as connection:
        connection.execute(
            sa.insert(t.offers).values(
                id="o", model_spelling="m", provider_id="p", channel_id="direct", facts="{}", first_seen_at=NOON
            )
        )
        quote = {"offer_id": "o", "source": "s", "source_url": "u", "observed_at": NOON, "claim": "{}"}
        connection.execute(sa.insert(t.quotes).values(id=1, claim_digest="d", **quote))
        revision = {
            "number": 1,
            "published_at": NOON,
            "reason": "r",
            "cards_opened": 0,
            "cards_closed": 0,
            "digest": "",
        }
        connection.execute(sa.insert(t.revisions).values(revision))
    card = {"offer_id": "o", "quote_id": 1, "rates": "[]", "valid_from": NOON, "recorded_from": NOON, "revision": 1}
    with store.write() as connection:
        connection.execute(sa.insert(t.price_cards).values(id=1, **card))
    with pytest.raises(sa.exc.IntegrityError), store.write() as connection:
        connection.execute(sa.insert(t.price_cards).values(id=2, **card))


def test_a_key_lives_until_it_expires_or_is_revoked(store: Store) -> None:
    """The right key is found; a twin of its prefix, an expired and a revoked one are not; the key is not stored."""
    with store.write() as connection:
        key = keys.create(
            connection, PEPPER, name="n", role="backend", policies=["p"], expires_at=NOON + timedelta(days=1),
            actor="a", at=NOON,
        )  # fmt: skip
    with store.read() as connection:
        ring = keys.load_keys(connection, PEPPER)
        assert key[12:] not in str(connection.execute(sa.select(t.keys)).all())
    found = ring.find(key, NOON)
    assert found is not None
    assert (found.role, found.policies) == ("backend", ("p",))
    assert ring.find(f"{key}x", NOON) is None
    assert ring.find("pk_nobody__x", NOON) is None
    assert ring.find(key, NOON + timedelta(days=1)) is None
    with store.write() as connection:
        assert keys.revoke(connection, keys.prefix_of(key), actor="a", at=NOON)
        assert not keys.revoke(connection, keys.prefix_of(key), actor="a", at=NOON)
    with store.read() as connection:
        assert keys.load_keys(connection, PEPPER).find(key, NOON) is None
    watch = Watch(store)
    assert watch.heads() == Heads(0, 0, 2)
    watch.forget()


def test_a_changed_audit_entry_breaks_the_chain(store: Store) -> None:
    """The chain verifies until somebody edits an entry; then the edited one is named."""
    with store.write() as connection:
        for number in range(3):
            audit.record(
                connection,
                at=NOON,
                actor="a",
                action="x",
                subject=str(number),
                before=None,
                after={"n": number},
                reason="z",
            )
    with store.read() as connection:
        assert audit.verify(connection) is None
    with store.write() as connection:
        lift_append_only(connection)
        connection.execute(sa.update(t.audit).where(t.audit.c.seq == 2).values(subject="other"))
    with store.read() as connection:
        assert audit.verify(connection) == 2


def test_a_vanished_database_is_unavailable(store: Store) -> None:
    """Without its table the watch refuses to vouch for anything."""
    with store.write() as connection:
        connection.execute(sa.delete(t.heads))
    watch = Watch(store)
    with pytest.raises(Unavailable):
        watch.heads()
    watch.forget()
