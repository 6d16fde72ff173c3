"""One read of the database confirms the view for every request that came before it began."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from planner.flows.current import Current, View


class Confirming:
    """Asks a database server whether the held view is the newest: one read at a time, shared by all who wait for it.

    A round trip takes longer than everything else about a polled answer. Whoever comes while one is under way waits
    for the next: a read that began before a request came may have missed a change that was acknowledged in between.
    Belongs to one event loop.
    """

    def __init__(self) -> None:
        """Ask nothing before the first request."""
        self._threads = ThreadPoolExecutor(1, "confirming")
        self._waiting: asyncio.Future[View | None] | None = None
        self._reading: asyncio.Task[None] | None = None

    async def fresh(self, current: Current) -> View | None:
        """Return the view if the database confirms it, else None: something has to be loaded, or nobody answers."""
        if self._waiting is None:
            self._waiting = asyncio.get_running_loop().create_future()
            if self._reading is None:
                self._reading = asyncio.create_task(self._read(current))
        # Who hangs up must not end the wait of the others.
        return await asyncio.shield(self._waiting)

    async def _read(self, current: Current) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting is not None:
                served, self._waiting = self._waiting, None
                try:
                    found = await loop.run_in_executor(self._threads, current.confirmed)
                except BaseException as error:
                    served.set_exception(error)
                    served.exception()
                    raise
                served.set_result(found)
        finally:
            self._reading = None

    def close(self) -> None:
        """End the thread."""
        self._threads.shutdown(wait=False)
