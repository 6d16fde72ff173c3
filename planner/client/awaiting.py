"""The client for programs on asyncio: the same answers, and callers who come together share one request."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from planner.client import questions
from planner.client.answers import Cost, Explanation, GatewayConfiguration, Ranking, Recommendation, Status
from planner.client.decoded import decoded
from planner.client.kept_file import KeptFile
from planner.client.memory import Key, Memory
from planner.client.polling import Trust, poll, remembered
from planner.client.talk import Clock, Lost, Pace, Reply, Request, Save, Send, Talk, Wait
from planner.client.wire import BODY_BYTES_MAX, headers_of, limits, reply_of, timeout_of, wired

T = TypeVar("T")
Flight = asyncio.Task[Recommendation]


class AsyncPlanner:
    """planner, asked over HTTP from one event loop of asyncio. What is said of `Planner` holds here too.

    Calls of `recommendation` about the same plan, task and customer share requests: at most one is under way, and all
    who come while it is share the next one. So no call gets an answer that planner gave before the call began, and
    ten thousand calls at once cost two requests. A call may wait for the deadline of both.

    Example::

        async with AsyncPlanner("http://127.0.0.1:8321", key, poll_every=5) as planner:
            choice = (await planner.recommendation("pro", "chat")).choice
    """

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        timeout: float = 5.0,
        deadline: float = 10.0,
        retries: int = 2,
        poll_every: float = 0.0,
        last_good_max_age: float = 30.0,
        last_good_file: str | Path | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Remember how to ask; nothing is sent yet. Spans are in seconds.

        Raises:
            ValueError: a span nobody can want.
        """
        self._clock, self._timeout = clock or Clock(), timeout
        self._pace, self._trust = Pace(retries, deadline), Trust(poll_every, last_good_max_age)
        self._trust.check()
        file = None if last_good_file is None else KeptFile(Path(last_good_file), base_url, key)
        self._memory = Memory(self._clock, file)
        self._http = httpx.AsyncClient(base_url=base_url, headers=headers_of(key), limits=limits())
        self._under_way: dict[Key, Flight] = {}
        self._next: dict[Key, Flight] = {}

    # --- the questions ------------------------------------------------------------------------------------

    async def recommendation(self, plan: str, task: str, customer: str | None = None) -> Recommendation:
        """Return the recommendation of a stored plan and task, for one customer if you name one.

        Raises:
            NoAnswer: no offer passes, or none keeps the margin.
            CallerMistake: no such plan or task.
            Unavailable: no answer, and no last good one that may be used.
        """
        key = Key(plan, task, customer)
        known = remembered(key, self._memory, self._trust, self._clock)
        if known is not None:
            return known
        return await self._shared(key, lambda: self._run(poll(key, self._memory, self._trust, self._pace, self._clock)))

    async def recommend(self, body: Mapping[str, Any] | None = None, /, **question: object) -> Recommendation:
        """Answer the main question, as `Planner.recommend` does."""
        return Recommendation.read(await self._ask(questions.posted("/v1/recommendations", body, question)))

    async def cost(self, body: Mapping[str, Any] | None = None, /, **question: object) -> Cost:
        """Price one ``usage`` on one ``offer``, or on a ``card``."""
        return Cost.read(await self._ask(questions.posted("/v1/costs", body, question)))

    async def rank(self, body: Mapping[str, Any] | None = None, /, **question: object) -> Ranking:
        """Price one ``usage`` on every offer that passes ``policy`` and ``needs``, cheapest first."""
        return Ranking.read(await self._ask(questions.posted("/v1/costs/rank", body, question)))

    async def explain(self, body: Mapping[str, Any] | None = None, /, **question: object) -> Explanation:
        """Return every check of one ``offer`` for a question like that of `recommend`."""
        return Explanation.read(await self._ask(questions.posted("/v1/explanations", body, question)))

    async def gateway(self, plan: str, task: str, format: str) -> GatewayConfiguration:
        """Return the configuration that makes a gateway follow the recommendation."""
        reply = await self._run(questions.answered(questions.gateway(plan, task, format), self._pace, self._clock))
        return GatewayConfiguration(format=format, media_type=reply.headers.get("content-type", ""), content=reply.body)

    async def status(self) -> Status:
        """Return the revision and the age of every source."""
        return Status.read(await self._ask(Request("/v1/status")))

    # --- the process --------------------------------------------------------------------------------------

    @property
    def save_error(self) -> OSError | None:
        """Why the file of last good answers could not be written the last time, or None."""
        return self._memory.save_error

    async def close(self) -> None:
        """Write down what is remembered and close the connections."""
        await asyncio.to_thread(self._memory.save)
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        """Use it until the end of the block."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        await self.close()

    async def _shared(self, key: Key, ask: Callable[[], Coroutine[Any, Any, Recommendation]]) -> Recommendation:
        """Ask together with everybody who comes before the request goes out."""
        flight = self._next.get(key)
        if flight is None:
            flight = asyncio.create_task(self._fly(key, self._under_way.get(key), ask))
            # Everybody who waits may be gone before it ends; its end is then nobody's news.
            flight.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._next[key] = flight
        # Who gives up takes nobody else along.
        return await asyncio.shield(flight)

    async def _fly(
        self, key: Key, before: Flight | None, ask: Callable[[], Coroutine[Any, Any, Recommendation]]
    ) -> Recommendation:
        if before is not None:
            await asyncio.wait([before])
        mine = self._under_way[key] = self._next.pop(key)
        try:
            return await ask()
        finally:
            if self._under_way.get(key) is mine:
                del self._under_way[key]

    async def _ask(self, request: Request) -> object:
        return decoded((await self._run(questions.answered(request, self._pace, self._clock))).body)

    async def _run(self, talk: Talk[T]) -> T:
        came: Reply | Lost | None = None
        while True:
            try:
                step = talk.send(came)
            except StopIteration as end:
                answer: T = end.value
                return answer
            came = None
            if isinstance(step, Send):
                came = await self._send(step)
            elif isinstance(step, Wait):
                await asyncio.sleep(step.seconds)
            elif isinstance(step, Save):
                await asyncio.to_thread(self._memory.save)

    async def _send(self, send: Send) -> Reply | Lost:
        left = send.until - self._clock.monotonic()
        if left <= 0:
            return Lost("the time for it is over")
        try:
            async with asyncio.timeout(left):
                return await self._sent(send, left)
        except TimeoutError:
            return Lost("no answer in time")
        except httpx.TransportError as error:
            return Lost(f"{type(error).__name__}: {error}")

    async def _sent(self, send: Send, left: float) -> Reply | Lost:
        method, options = wired(send.request)
        timeout = timeout_of(self._timeout, left)
        async with self._http.stream(method, send.request.path, timeout=timeout, **options) as got:
            body = bytearray()
            async for chunk in got.aiter_raw():
                body += chunk
                if len(body) > BODY_BYTES_MAX:
                    return Lost("the answer is too large")
            return reply_of(got, bytes(body))
