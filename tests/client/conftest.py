"""A server in planner's place, for every test of the client."""

from collections.abc import Iterator

import pytest

from tests.client.peers import Peer, good


@pytest.fixture
def peer() -> Peer:
    """A server that has a good answer."""
    return Peer([good()])


@pytest.fixture
def url(peer: Peer) -> Iterator[str]:
    """Where it serves."""
    with peer.serving() as served:
        yield served
