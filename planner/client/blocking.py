"""The client for programs with threads."""

import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from planner.client import questions
from planner.client.answers import (
    Cost,
    Explanation,
    GatewayConfiguration,
    Ranking,
    Recommendation,
    Status,
)
from planner.client.decoded import decoded
from planner.client.kept_file import KeptFile
from planner.client.memory import Key, Memory
from planner.client.polling import Trust, poll
from planner.client.talk import Clock, Lost, Pace, Reply, Request, Save, Send, Talk, Wait
from planner.client.wire import BODY_BYTES_MAX, headers_of, limits, reply_of, timeout_of, wired

T = TypeVar("T")


class Planner:
    """planner, asked over HTTP. One instance serves a whole process; use it from as many threads as you like.

    Every call is a question and may be asked again: after a lost connection, a 502, 503, 504 or a 429 it is, up to
    ``retries`` times, after what ``Retry-After`` says and a random wait, and never beyond ``deadline`` seconds in all.
    ``timeout`` bounds every single step of one attempt, such as connecting. (A server that sends its headers byte by
    byte can outlast the deadline; in `AsyncPlanner` it cannot.)

    `recommendation`, the polled question, is remembered:

    - Asked again, it sends the ETag, and an unchanged answer comes back as an empty 304. Within ``poll_every`` seconds
      it is not asked at all, which by as much delays what an admin revokes; by default every call asks.
    - Where planner cannot be reached or answers 5xx, the last good answer stands in, marked ``last_good`` with its
      ``age_seconds``, if planner confirmed it at most ``last_good_max_age`` seconds ago. The default of 30 is what
      planner's own processes allow themselves without their database, so that together something revoked may be used
      for a minute at the most while everything is down, and never while planner answers. 0 turns it off; a day is the
      most.
    - No answer is used beyond its ``valid_until``, and a refusal (4xx, 409 above all) is never covered up: it is
      raised, and the answer held before is forgotten.
    - ``last_good_file`` keeps them for the next start of the process; it belongs to this address and key, is replaced
      as a whole, and is readable by its owner alone.

    Example::

        with Planner("http://127.0.0.1:8321", key) as planner:
            choice = planner.recommendation("pro", "chat").choice
            print(choice.offer, choice.cost_usd)
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
        self._http = httpx.Client(base_url=base_url, headers=headers_of(key), limits=limits())

    # --- the questions ------------------------------------------------------------------------------------

    def recommendation(self, plan: str, task: str, customer: str | None = None) -> Recommendation:
        """Return the recommendation of a stored plan and task, for one customer if you name one.

        Raises:
            NoAnswer: no offer passes, or none keeps the margin.
            CallerMistake: no such plan or task.
            Unavailable: no answer, and no last good one that may be used.
        """
        key = Key(plan, task, customer)
        return self._run(poll(key, self._memory, self._trust, self._pace, self._clock))

    def recommend(self, body: Mapping[str, Any] | None = None, /, **question: object) -> Recommendation:
        """Answer the main question: ``workload``, ``revenue_usd``, ``margin``, ``policy`` and so on, as in the API.

        Amounts are texts or `Decimal`; a float is refused.

        Raises:
            NoAnswer: no offer passes, or none keeps the margin.
        """
        return Recommendation.read(self._ask(questions.posted("/v1/recommendations", body, question)))

    def cost(self, body: Mapping[str, Any] | None = None, /, **question: object) -> Cost:
        """Price one ``usage`` on one ``offer``, or on a ``card``.

        Raises:
            Unpriced: a used unit has no rate.
        """
        return Cost.read(self._ask(questions.posted("/v1/costs", body, question)))

    def rank(self, body: Mapping[str, Any] | None = None, /, **question: object) -> Ranking:
        """Price one ``usage`` on every offer that passes ``policy`` and ``needs``, cheapest first."""
        return Ranking.read(self._ask(questions.posted("/v1/costs/rank", body, question)))

    def explain(self, body: Mapping[str, Any] | None = None, /, **question: object) -> Explanation:
        """Return every check of one ``offer`` for a question like that of `recommend`."""
        return Explanation.read(self._ask(questions.posted("/v1/explanations", body, question)))

    def gateway(self, plan: str, task: str, format: str) -> GatewayConfiguration:
        """Return the configuration that makes a gateway follow the recommendation: ``litellm`` and the like."""
        reply = self._run(questions.answered(questions.gateway(plan, task, format), self._pace, self._clock))
        return GatewayConfiguration(format=format, media_type=reply.headers.get("content-type", ""), content=reply.body)

    def status(self) -> Status:
        """Return the revision and the age of every source."""
        return Status.read(self._ask(Request("/v1/status")))

    # --- the process --------------------------------------------------------------------------------------

    @property
    def save_error(self) -> OSError | None:
        """Why the file of last good answers could not be written the last time, or None."""
        return self._memory.save_error

    def close(self) -> None:
        """Write down what is remembered and close the connections."""
        self._memory.save()
        self._http.close()

    def __enter__(self) -> Self:
        """Use it until the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def _ask(self, request: Request) -> object:
        return decoded(self._run(questions.answered(request, self._pace, self._clock)).body)

    def _run(self, talk: Talk[T]) -> T:
        came: Reply | Lost | None = None
        while True:
            try:
                step = talk.send(came)
            except StopIteration as end:
                answer: T = end.value
                return answer
            came = None
            if isinstance(step, Send):
                came = self._send(step)
            elif isinstance(step, Wait):
                time.sleep(step.seconds)
            elif isinstance(step, Save):
                self._memory.save()

    def _send(self, send: Send) -> Reply | Lost:
        left = send.until - self._clock.monotonic()
        if left <= 0:
            return Lost("the time for it is over")
        method, options = wired(send.request)
        try:
            with self._http.stream(
                method, send.request.path, timeout=timeout_of(self._timeout, left), **options
            ) as got:
                body = bytearray()
                for chunk in got.iter_raw():
                    body += chunk
                    if len(body) > BODY_BYTES_MAX:
                        return Lost("the answer is too large")
                    if self._clock.monotonic() > send.until:
                        return Lost("no answer in time")
                return reply_of(got, bytes(body))
        except httpx.TransportError as error:
            return Lost(f"{type(error).__name__}: {error}")
