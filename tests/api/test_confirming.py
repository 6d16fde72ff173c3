"""One read confirms for all who wait: on a line while nothing moves, by a thread where something did."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from planner.api.confirming import Confirming
from planner.flows.current import AGES_EVERY_SECONDS, Current, View
from planner.store.engine import open_store
from planner.store.migrate import upgrade
from planner.store.revision import bump
from planner.store.watch import Watch
from tests.conftest import NOW
from tests.databases import cut_off, postgres_database
from tests.kill import prepare, publish
from tests.stalling import Link, through


class Slow:
    """A database whose reads take until they are let go."""

    def __init__(self) -> None:
        self.reads = 0
        self.go = threading.Semaphore(0)

    def confirmed(self) -> Any:
        """Return the number of the read, once it may end."""
        self.reads += 1
        number = self.reads
        assert self.go.acquire(timeout=10)
        return number

    async def line(self) -> None:
        """Give none."""


def eventually(reads: Callable[[], int], wanted: int) -> Any:
    """Wait until so many reads have begun."""

    async def wait() -> None:
        # What is waited for happens in a thread that knows no event loop.
        while reads() < wanted:  # noqa: ASYNC110
            await asyncio.sleep(0.001)

    return asyncio.wait_for(wait(), 10)


def test_a_read_serves_all_who_came_before_it_began() -> None:
    """The first begins at once; those who come meanwhile share the second, never the first: they came after it."""
    slow, confirming = Slow(), Confirming()
    current: Current = slow  # type: ignore[assignment]  # it is asked for nothing else

    async def ask() -> list[Any]:
        first = asyncio.create_task(confirming.fresh(current))
        await eventually(lambda: slow.reads, 1)
        others = [asyncio.create_task(confirming.fresh(current)) for _ in range(20)]
        await asyncio.sleep(0)
        others[0].cancel()
        slow.go.release(2)
        return [await first, *await asyncio.gather(*others[1:])]

    assert asyncio.run(ask()) == [1] + [2] * 19
    assert slow.reads == 2
    confirming.close()


class Server:
    """A prepared database server behind a link, and a `Current` on it whose looks by thread and lines are counted."""

    def __init__(self, url: str, link: Link, behind: str) -> None:
        self.link, self.clock = link, 0.0
        self.direct = open_store(url)
        prepare(self.direct)
        publish(self.direct, 0)
        self.behind = open_store(behind)
        self.current = Current(self.behind, b"pepper", lambda: NOW, monotonic=lambda: self.clock)
        self.looks = self.lines = 0
        confirmed, line = self.current.confirmed, self.current.line

        def look() -> View | None:
            self.looks += 1
            return confirmed()

        async def opened() -> Any:
            self.lines += 1
            return await line()

        self.current.confirmed, self.current.line = look, opened  # type: ignore[method-assign]  # counted

    def close(self) -> None:
        """Close what was opened."""
        self.current.close()
        self.behind.close()
        self.direct.close()


@pytest.fixture
def server(postgres: str) -> Iterator[Server]:
    """Set one up."""
    with postgres_database(postgres) as url:
        upgrade(url)
        with through(url) as (link, behind):
            server = Server(url, link, behind)
            yield server
            server.close()


async def lined(server: Server, confirming: Confirming) -> View:
    """Return the view, once it was confirmed on a line."""
    server.current.view()
    await confirming.fresh(server.current)
    looks = server.looks
    # Asked right after, one waits until the line is open.
    found = await confirming.fresh(server.current)
    assert found is not None
    assert (server.looks, server.lines) == (looks, 1)
    return found


def asked(server: Server, asking: Callable[[Confirming, View], Awaitable[None]]) -> None:
    """Run something with a `Confirming` whose line is open, and the view it confirmed."""

    async def run() -> None:
        confirming = Confirming()
        await asking(confirming, await lined(server, confirming))
        confirming.close()

    asyncio.run(run())


def test_while_nothing_moves_no_thread_looks(server: Server) -> None:
    """The first read is a thread's, and opens the line that all others are asked on."""

    async def asking(confirming: Confirming, view: View) -> None:
        found = await asyncio.gather(*(confirming.fresh(server.current) for _ in range(20)))
        assert found == [view] * 20
        assert (server.looks, server.lines) == (1, 1)

    asked(server, asking)


def test_what_moved_is_never_confirmed(server: Server) -> None:
    """The request after a change finds nothing confirmed; loaded, the same line confirms again."""

    async def asking(confirming: Confirming, before: View) -> None:
        for turn in range(1, 6):
            server.direct.tell(lambda connection: bump(connection, policy=True))
            assert await confirming.fresh(server.current) is None
            assert server.current.view().heads.policy == before.heads.policy + turn
            assert await confirming.fresh(server.current) is server.current.view()
        assert server.lines == 1

    asked(server, asking)


def test_ages_are_asked_for_by_a_thread(server: Server) -> None:
    """A minute after the last time a thread looks how old the sources are; the line goes on after it."""

    async def asking(confirming: Confirming, view: View) -> None:
        server.clock += AGES_EVERY_SECONDS
        assert await confirming.fresh(server.current) is view
        assert server.looks == 2
        assert await confirming.fresh(server.current) is view
        assert (server.looks, server.lines) == (2, 1)

    asked(server, asking)


def test_a_line_that_was_cut_is_no_outage(server: Server) -> None:
    """Everybody is answered by a thread at once, and a revocation that came with the cut is seen."""

    async def asking(confirming: Confirming, view: View) -> None:
        cut_off(server.direct)
        assert await confirming.fresh(server.current) is view
        assert server.looks == 2
        server.direct.tell(lambda connection: bump(connection, policy=True))
        assert await confirming.fresh(server.current) is None

    asked(server, asking)


def test_a_line_that_stalls_holds_nobody_for_longer_than_one_read(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks while it is waited for in vain shares that wait; who asks right after is not kept waiting."""
    reads: list[Watch] = []
    monkeypatch.setattr("planner.store.watch.QUIET_SECONDS", 600.0)

    async def asking(confirming: Confirming, view: View) -> None:
        server.link.stalled.set()
        # Only another connection could be waited for in vain once more.
        monkeypatch.setattr(Watch, "_read_postgres", reads.append)
        for _ in range(2):
            found = await asyncio.gather(*(confirming.fresh(server.current) for _ in range(20)))
            assert found == [None] * 20
        assert server.current.view() is view  # within the lease
        assert reads == []

    asked(server, asking)


def test_a_server_that_gives_no_line_is_not_asked_for_one_all_the_time(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connections are used up: a thread answers, and asking again waits."""

    async def none(_conninfo: str, _statement: str) -> None:
        raise OSError

    monkeypatch.setattr("planner.store.watch.open_line", none)

    async def run() -> None:
        confirming = Confirming()
        view = server.current.view()
        for _ in range(5):
            assert await confirming.fresh(server.current) is view
        assert (server.looks, server.lines) == (5, 1)
        confirming.close()

    asyncio.run(run())


def test_an_answer_that_was_overtaken_confirms_nothing(server: Server) -> None:
    """A thread saw newer numbers while the line was asked: the older ones are no restored backup, and no answer."""

    async def asking(_confirming: Confirming, view: View) -> None:
        line = await server.current.line()
        assert line is not None
        slow = asyncio.create_task(server.current.unmoved(line))
        await asyncio.sleep(0)
        # The line is asked, and its answer waits until this loop turns; meanwhile the change is seen, not yet loaded.
        server.direct.tell(lambda connection: bump(connection, policy=True))
        assert server.current.confirmed() is None
        assert await slow is None
        newer = server.current.view()
        assert newer.heads.policy == view.heads.policy + 1
        assert await server.current.unmoved(line) is newer
        line.close()

    asked(server, asking)


def test_an_event_loop_of_its_own_opens_a_line_of_its_own(server: Server) -> None:
    """A line opened on a loop that has ended is not waited for on the next."""
    confirming = Confirming()
    view = asyncio.run(lined(server, confirming))
    found = asyncio.run(confirming.fresh(server.current))
    assert found is view
    confirming.close()
