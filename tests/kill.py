"""Killing a refresh at any moment, and what must be true of the database afterwards."""

import itertools
import json
import os
import random
import signal
import time
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from multiprocessing.connection import Connection as Pipe

import sqlalchemy as sa

from planner.flows.refresh import refresh_from_file
from planner.sources import ADAPTERS
from planner.store import audit
from planner.store import tables as t
from planner.store.engine import Store, open_store
from planner.store.load import load_catalogue
from planner.store.recall import catalogue_digest
from planner.store.revision import read_heads

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SOURCE = "models_dev"
OFFERS = 400


def prepare(store: Store) -> None:
    """Let a database with nothing but the schema know the source."""
    with store.write() as connection:
        connection.execute(
            sa.insert(t.sources).values(name=SOURCE, title="t", url="u", licence="l", rank=1, interval_minutes=60)
        )


def publish(store: Store, turn: int) -> int:
    """Publish a list in which every price is another one than a turn before, and some offers come and go."""
    usd = 2 + turn % 2
    models = {
        f"m{number}": {"cost": {"input": usd, "output": 2 * usd}} for number in range(turn % 3, OFFERS + turn % 3)
    }
    # The turn keeps two lists with the same prices apart: yesterday's bytes would be refused as such.
    body = json.dumps({"acme": {"turn": turn, "models": models}}).encode()
    at = NOON + timedelta(minutes=turn)
    done = refresh_from_file(store, SOURCE, ADAPTERS[SOURCE], {"https://feed.test": body}, at, actor="kill")
    assert done.revision is not None
    return done.revision


def _go_on_publishing(url: str, turn: int, ready: Pipe) -> None:
    store = open_store(url)
    ready.send(True)
    for number in itertools.count(turn):
        publish(store, number)


def kill_once(url: str, turn: int, delay_seconds: float) -> None:
    """Publish from another process, turn after turn, and kill it with no warning after a while."""
    here, there = get_context("fork").Pipe()
    child = get_context("fork").Process(target=_go_on_publishing, args=(url, turn, there), daemon=True)
    child.start()
    here.recv()
    time.sleep(delay_seconds)
    os.kill(child.pid or 0, signal.SIGKILL)
    child.join()


def check_whole(store: Store) -> int:
    """Check that the database holds exactly one published state, and return its revision.

    Raises:
        AssertionError: a revision is torn, cards overlap, an alert or an audit entry lacks its revision.
    """
    with store.read() as connection:
        revisions = connection.execute(sa.select(t.revisions).order_by(t.revisions.c.number)).all()
        heads = read_heads(connection)
        numbers = [row.number for row in revisions]
        assert numbers == list(range(1, len(numbers) + 1))
        assert heads.catalogue == len(numbers)
        assert revisions[-1].digest == catalogue_digest(connection)
        opened = sum(row.cards_opened for row in revisions)
        assert connection.scalar(sa.select(sa.func.count()).select_from(t.price_cards)) == opened
        entries = sa.select(sa.func.count()).where(t.audit.c.action == "catalogue.publish")
        assert connection.scalar(entries) == len(numbers)
        assert audit.verify(connection) is None
        for cards in load_catalogue(connection).cards.values():
            for before, after in itertools.pairwise(cards):
                assert before.valid_to is not None
                assert before.valid_to <= after.valid_from
        if store.is_sqlite:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    return len(numbers)


def kills(url: str, count: int, seed: int) -> int:
    """Kill so many times at random moments, check after each, and return the last revision."""
    dice = random.Random(seed)
    store = open_store(url)
    with store.read() as connection:
        turn = read_heads(connection).catalogue
    began = time.monotonic()
    revision = publish(store, turn)
    took = time.monotonic() - began
    for _ in range(count):
        # The child is a copy of this process and must not share its connections.
        store.close()
        kill_once(url, revision, dice.uniform(0, 5 * took))
        found = check_whole(store)
        assert found >= revision
        # What was interrupted is simply done again.
        revision = publish(store, found)
        assert revision == found + 1 == check_whole(store)
    store.close()
    return revision
