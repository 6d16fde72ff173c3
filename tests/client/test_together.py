"""Many callers at once, in threads and on one event loop."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from planner.client import (
    AsyncPlanner,
    NothingCompliant,
    Planner,
)
from tests.client.peers import DOWN, KEY, PATH, Hands, Peer, good, problem


def test_many_threads_share_one_client(peer: Peer, url: str) -> None:
    """Everybody gets an answer, and whoever comes later asks with the ETag."""
    with Planner(url, KEY) as planner, ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda n: planner.recommendation("pro", f"task{n % 3}"), range(300)))
    assert {answer.choice.offer for answer in found} == {"direct:acme/small"}
    assert sum("If-None-Match" in asked.headers for asked in peer.asked) >= 300 - 3 * 16


def test_calls_that_come_together_share_one_request(peer: Peer, url: str) -> None:
    """And those that come while it is under way share the next: none gets an answer from before it called."""

    async def ask() -> None:
        async with AsyncPlanner(url, KEY) as planner:
            peer.gate.clear()
            early = [asyncio.create_task(planner.recommendation("pro", "chat")) for _ in range(100)]
            await asyncio.to_thread(peer.reached.wait)
            peer.replies = [good(), good(offer="direct:acme/new")]
            late = [asyncio.create_task(planner.recommendation("pro", "chat")) for _ in range(100)]
            other = asyncio.create_task(planner.recommendation("pro", "code"))
            await asyncio.sleep(0)
            late[0].cancel()
            peer.gate.set()
            assert {found.choice.offer for found in await asyncio.gather(*early)} <= {"direct:acme/small"}
            await other
            assert len({found.choice.offer for found in await asyncio.gather(*late[1:])}) == 1
            with pytest.raises(asyncio.CancelledError):
                await late[0]

    asyncio.run(ask())
    assert sorted(asked.path for asked in peer.asked) == sorted([PATH, PATH, PATH.replace("chat", "code")])


def test_a_refusal_reaches_everybody_who_waited(peer: Peer, url: str) -> None:
    """Each with the same exception, and the next call asks anew."""
    peer.then(problem(409, "nothing_compliant"))

    async def ask() -> None:
        async with AsyncPlanner(url, KEY) as planner:
            calls = (planner.recommendation("pro", "chat") for _ in range(20))
            found = await asyncio.gather(*calls, return_exceptions=True)
            assert {type(each) for each in found} == {NothingCompliant}
            peer.then(good())
            assert not (await planner.recommendation("pro", "chat")).last_good

    asyncio.run(ask())
    assert len(peer.asked) == 2


def test_the_awaiting_client_remembers_too(peer: Peer, url: str, tmp_path: Path) -> None:
    """From memory within ``poll_every``, last good in an outage, and in the file for the next start."""
    file, hands = tmp_path / "answers.json", Hands()
    options: dict[str, Any] = {"retries": 0, "clock": hands.clock, "last_good_file": file, "poll_every": 5}

    async def ask() -> None:
        async with AsyncPlanner(url, KEY, **options) as planner:
            await planner.recommendation("pro", "chat")
            await planner.recommendation("pro", "chat")
            assert len(peer.asked) == 1
            hands.move(6)
            await planner.recommendation("pro", "chat")
            assert file.exists()
            peer.then(DOWN)
            hands.move(6)
            assert (await planner.recommendation("pro", "chat")).last_good
            assert planner.save_error is None

    asyncio.run(ask())
    assert len(peer.asked) == 3
