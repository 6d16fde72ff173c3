"""A process that dies while it publishes leaves the revision before, or the one after, whole."""

from planner.store.engine import Store
from tests.kill import check_whole, kills, prepare

KILLS = 8


def test_a_killed_refresh_leaves_whole_revisions(store: Store) -> None:
    """A sample of the kill sweep, on both databases: digest, cards, audit chain and numbers fit after every kill."""
    prepare(store)
    revision = kills(store.url, KILLS, seed=1)
    assert check_whole(store) == revision
    # One to begin with, and one after every kill at least.
    assert revision > KILLS
