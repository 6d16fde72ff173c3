"""The polled question: from memory while that is allowed, else asked with an ETag, else the last good answer."""

from dataclasses import replace
from typing import NamedTuple

from planner.client.answers import Recommendation
from planner.client.decoded import decoded
from planner.client.memory import Held, Key, Memory, held
from planner.client.questions import NOT_MODIFIED, OK, polled
from planner.client.refusals import AccessRefused, PlannerError, TooManyRequests, Unavailable, Unreadable
from planner.client.talk import Clock, Pace, Reply, Save, Talk, ask, failure

LAST_GOOD_SECONDS_MAX = 86_400.0


class Trust(NamedTuple):
    """For how long an answer is used without asking, and for how long when asking gets none; in seconds."""

    poll_every: float
    last_good_max_age: float

    def check(self) -> None:
        """Refuse spans nobody can want.

        Raises:
            ValueError: negative, or more than a day on an answer nobody can vouch for.
        """
        if self.poll_every < 0:
            raise ValueError("poll_every must not be negative")
        if not 0 <= self.last_good_max_age <= LAST_GOOD_SECONDS_MAX:
            raise ValueError("last_good_max_age must be from 0 to 86400 seconds")


def poll(key: Key, memory: Memory, trust: Trust, pace: Pace, clock: Clock) -> Talk[Recommendation]:
    """Answer the polled question.

    Raises:
        PlannerError: planner refused; what was held about it is forgotten, so that no later silence brings it back.
        Unavailable: nobody can vouch for an answer, and the last good one is too old, has ended or was not asked for.
    """
    fresh = remembered(key, memory, trust, clock)
    if fresh is not None:
        return fresh
    known = memory.get(key)
    asked = clock.monotonic()
    try:
        reply = yield from ask(polled(*key, etag=None if known is None else known.etag), pace, clock)
        answer = held(_said(reply, known), reply, asked, clock, _etag(reply, known))
    except Unavailable:
        good = memory.last_good(key, trust.last_good_max_age) if trust.last_good_max_age else None
        if good is None:
            raise
        return good
    except TooManyRequests:
        raise
    except AccessRefused:
        # What a key was told may not outlive the key, whichever plan it was about.
        if memory.forget_all():
            yield Save()
        raise
    except PlannerError:
        if memory.forget(key, asked):
            yield Save()
        raise
    if memory.keep(key, answer):
        yield Save()
    return answer.recommendation


def remembered(key: Key, memory: Memory, trust: Trust, clock: Clock) -> Recommendation | None:
    """Return an answer that may be used without asking; never one of another process, nor past its end."""
    known = memory.get(key) if trust.poll_every else None
    if known is None or known.asked is None or known.ended(clock):
        return None
    age = known.age_seconds(clock)
    return replace(known.recommendation, age_seconds=age) if age < trust.poll_every else None


def _etag(reply: Reply, known: Held | None) -> str | None:
    same = None if known is None or reply.status != NOT_MODIFIED else known.etag
    return reply.headers.get("etag") or same


def _said(reply: Reply, known: Held | None) -> Recommendation:
    if reply.status == NOT_MODIFIED:
        if known is None or known.etag is None:
            raise Unreadable("not modified, although nothing was held", reply.status)
        return known.recommendation
    if reply.status != OK:
        raise failure(reply)
    return Recommendation.read(decoded(reply.body))
