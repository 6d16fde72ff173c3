"""One read of the database confirms the view for every request that came before it began."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from planner.flows.current import Current, View
from planner.store.line import Line

# A server that gives no line, because its connections are used up perhaps, is not asked for one all the time.
LINE_EVERY_SECONDS = 30.0


class Confirming:
    """Asks a database server whether the held view is the newest: one read at a time, shared by all who wait for it.

    A round trip takes longer than everything else about a polled answer. Whoever comes while one is under way waits
    for the next: a read that began before a request came may have missed a change that was acknowledged in between.
    While nothing moves the server is asked on a line; a thread looks where that does not confirm. Belongs to one event
    loop.
    """

    def __init__(self) -> None:
        """Ask nothing before the first request."""
        self._threads = ThreadPoolExecutor(1, "confirming")
        self._waiting: list[asyncio.Future[View | None]] = []
        self._reading: asyncio.Task[None] | None = None
        self._line: Line | None = None
        self._no_line_until = 0.0

    async def fresh(self, current: Current) -> View | None:
        """Return the view if the database confirms it, else None: something has to be loaded, or nobody answers."""
        loop = asyncio.get_running_loop()
        # One for each, so that who hangs up does not end the wait of the others.
        mine: asyncio.Future[View | None] = loop.create_future()
        self._waiting.append(mine)
        if self._reading is None:
            self._reading = loop.create_task(self._read(current))
        return await mine

    async def _read(self, current: Current) -> None:
        try:
            while self._waiting:
                served, self._waiting = self._waiting, []
                try:
                    found = await self._found(current)
                except BaseException as error:
                    for waiter in served:
                        if not waiter.done():
                            waiter.set_exception(error)
                    raise
                for waiter in served:
                    if not waiter.done():
                        waiter.set_result(found)
                if found is not None and self._line is None:
                    await self._open(current)
        finally:
            self._reading = None

    async def _found(self, current: Current) -> View | None:
        if self._line is not None:
            found = await current.unmoved(self._line)
            if found is not None:
                return found
            if self._line.closed:
                self._line = None
        return await asyncio.get_running_loop().run_in_executor(self._threads, current.confirmed)

    async def _open(self, current: Current) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() >= self._no_line_until:
            self._line = await current.line()
            self._no_line_until = loop.time() + LINE_EVERY_SECONDS

    def close(self) -> None:
        """End the thread, and hang up."""
        if self._reading is not None:
            self._reading.cancel()
        self._threads.shutdown(wait=False)
        if self._line is not None:
            self._line.close()
            self._line = None
