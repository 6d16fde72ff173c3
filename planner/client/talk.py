"""How one question is asked until it is answered, without a socket: what to send, how long to wait, when to give up.

A talk is a generator. It yields what is to be done next, `Send`, `Wait` or `Save`, and is sent what came of it; the
blocking and the awaiting client do those, each in its own way, and share everything that is decided here.
"""

import itertools
import random
import time
from collections.abc import Callable, Generator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, TypeVar

from planner.client.decoded import decoded
from planner.client.refusals import Delayed, PlannerError, Unreachable, refused

T = TypeVar("T")

# What another attempt may cure: too many requests, and somebody in between who does not reach planner right now.
RETRIED = frozenset({429, 502, 503, 504})
# Whoever is told to come back later than this has no use for an answer then; the caller decides.
RETRY_AFTER_SECONDS_MAX = 30.0
_FIRST_WAIT_SECONDS, _WAIT_SECONDS_MAX = 0.1, 2.0


class Request(NamedTuple):
    """A question as it goes over the wire. All of them are questions: planner stores nothing, so each may be repeated.

    ``body`` None is a GET.
    """

    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    if_none_match: str | None = None


class Reply(NamedTuple):
    """An HTTP answer; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def date(self) -> datetime | None:
        """When the server says it wrote the answer, or None."""
        try:
            found = parsedate_to_datetime(self.headers.get("date", ""))
        except ValueError:
            return None
        return found if found.tzinfo is not None else None

    @property
    def retry_after_seconds(self) -> float | None:
        """When to ask again, if that is said in a form that can be read."""
        text = self.headers.get("retry-after", "").strip()
        if text.isascii() and text.isdigit():
            return float(text[:9])
        try:
            moment, date = parsedate_to_datetime(text), self.date
        except ValueError:
            return None
        if date is None or moment.tzinfo is None:
            return None
        return max(0.0, (moment - date).total_seconds())


class Lost(NamedTuple):
    """No answer: the connection failed, or nothing came in time."""

    detail: str


class Send(NamedTuple):
    """Send this; what has not come at ``until``, on the monotonic clock, comes too late."""

    request: Request
    until: float


class Wait(NamedTuple):
    """Wait so many seconds."""

    seconds: float


class Save(NamedTuple):
    """Write down what is remembered."""


Talk = Generator[Send | Wait | Save, Any, T]


class Clock(NamedTuple):
    """Two clocks: one that only runs forward, and one that also other processes know. Both in seconds."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time


class Pace(NamedTuple):
    """How often and for how long one question is asked.

    ``retries`` are attempts after the first; ``deadline_seconds`` bounds all of them with the waits in between.
    """

    retries: int = 2
    deadline_seconds: float = 10.0

    def wait(self, attempt: int, retry_after_seconds: float | None) -> float:
        """Return the seconds before the next attempt: random, so that a thousand callers do not come back at once."""
        longest = min(_WAIT_SECONDS_MAX, _FIRST_WAIT_SECONDS * 2**attempt)
        own = random.uniform(0, longest)  # noqa: S311  # spreads callers, protects nothing
        return own if retry_after_seconds is None else retry_after_seconds + own


def ask(request: Request, pace: Pace, clock: Clock) -> Talk[Reply]:
    """Ask until there is an answer that another attempt would not change.

    Raises:
        Unavailable: nobody answered, or only that it is not possible right now, until the attempts or the time were
            used up, or until longer than the time that is left.
        TooManyRequests: the same, of answers 429.
    """
    until = clock.monotonic() + pace.deadline_seconds
    for attempt in itertools.count():
        came: Reply | Lost = yield Send(request, until)
        if isinstance(came, Reply) and came.status not in RETRIED:
            return came
        error = failure(came)
        asked = error.retry_after_seconds if isinstance(error, Delayed) else None
        wait = pace.wait(attempt, asked)
        too_long = asked is not None and asked > RETRY_AFTER_SECONDS_MAX
        if attempt >= pace.retries or too_long or clock.monotonic() + wait >= until:
            raise error
        yield Wait(wait)
    raise AssertionError("attempts are counted without an end")


def failure(came: Reply | Lost) -> PlannerError:
    """Return the exception for what is not an answer."""
    if isinstance(came, Lost):
        return Unreachable(came.detail)
    return refused(came.status, decoded(came.body, strict=False), came.retry_after_seconds)
