"""Answers to the polled question, held for the next time and for the time when planner does not answer."""

import contextlib
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import datetime
from math import inf
from typing import NamedTuple

from planner.client.answers import Recommendation
from planner.client.kept_file import Entry, KeptFile
from planner.client.refusals import Unreadable
from planner.client.talk import Clock, Reply

HELD_MAX = 2_000
# Confirming an answer anew is worth writing down now and then; taking one away is, at once.
SAVE_EVERY_SECONDS = 5.0
# A `Date` header has no fractions: the answer may have been written up to so much later than it says.
_DATE_SECONDS = 1.0


class Key(NamedTuple):
    """What an answer is about."""

    plan: str
    task: str
    customer: str | None


@dataclass(frozen=True, slots=True)
class Held:
    """An answer with the moment planner was last asked about it and said that it holds.

    ``asked`` and ``ends`` are on the monotonic clock and None where another process asked; ``ends`` is None too where
    the answer has no end. Moments in server time become moments here by the server's own ``Date``, so that a clock
    that is wrong here does not matter.
    """

    recommendation: Recommendation
    etag: str | None
    asked: float | None
    asked_wall: float
    ends: float | None
    ends_wall: float | None

    def age_seconds(self, clock: Clock) -> float:
        """Return the seconds since planner confirmed it, by the clock that says more; endless where none can tell."""
        by_wall = clock.wall() - self.asked_wall
        if self.asked is not None:
            return max(by_wall, clock.monotonic() - self.asked)
        return inf if by_wall < 0 else by_wall

    def ended(self, clock: Clock) -> bool:
        """Tell whether its time is over: a price, a fee or evidence may be another one since."""
        if self.asked is not None:
            return self.ends is not None and clock.monotonic() >= self.ends
        return self.ends_wall is not None and clock.wall() >= self.ends_wall


def held(recommendation: Recommendation, reply: Reply, asked: float, clock: Clock, etag: str | None) -> Held:
    """Hold an answer that was asked for at ``asked`` on the monotonic clock."""
    asked_wall = clock.wall() - (clock.monotonic() - asked)
    ends = ends_wall = None
    if recommendation.valid_until is not None:
        left = _seconds_left(recommendation.valid_until, reply.date, asked_wall)
        ends, ends_wall = asked + left, asked_wall + left
    return Held(recommendation, etag, asked, asked_wall, ends, ends_wall)


def _seconds_left(until: datetime, date: datetime | None, asked_wall: float) -> float:
    if date is None:
        return until.timestamp() - asked_wall
    return (until - date).total_seconds() - _DATE_SECONDS


class Memory:
    """The answers of one client. Safe to use from many threads."""

    def __init__(self, clock: Clock, file: KeptFile | None = None) -> None:
        """Remember what the file remembers, if there is one."""
        self._clock, self._file = clock, file
        self._lock, self._saving = threading.Lock(), threading.Lock()
        self._held: OrderedDict[Key, Held] = OrderedDict()
        self._refused: OrderedDict[Key, float] = OrderedDict()
        self._saved_at = clock.monotonic()
        self._moved = False
        self.save_error: OSError | None = None
        if file is not None:
            for entry in file.read():
                with contextlib.suppress(Unreadable):
                    answer = Recommendation.read(entry.answer)
                    self._held[Key(*entry.key)] = Held(
                        answer, entry.etag, None, entry.asked_wall, None, entry.ends_wall
                    )

    def get(self, key: Key) -> Held | None:
        """Return the answer held, whatever its age."""
        with self._lock:
            found = self._held.get(key)
            if found is not None:
                self._held.move_to_end(key)
            return found

    def keep(self, key: Key, answer: Held) -> bool:
        """Hold an answer unless something newer was said, and tell whether it is time to save."""
        with self._lock:
            other, asked = self._held.get(key), answer.asked or 0.0
            newer = other is not None and other.asked is not None and other.asked > asked
            # Of two questions at once, the one asked later may have been refused before the other's answer came.
            if not newer and self._refused.get(key, -inf) <= asked:
                self._held[key] = answer
                self._held.move_to_end(key)
                self._moved = True
            while len(self._held) > HELD_MAX:
                self._held.popitem(last=False)
            return self._file is not None and self._clock.monotonic() - self._saved_at >= SAVE_EVERY_SECONDS

    def forget(self, key: Key, asked: float) -> bool:
        """Forget an answer: planner refused the question asked at ``asked``. Tell whether that is to be saved."""
        with self._lock:
            gone = self._held.pop(key, None) is not None
            self._refused[key] = asked
            self._refused.move_to_end(key)
            while len(self._refused) > HELD_MAX:
                self._refused.popitem(last=False)
            self._moved |= gone
            return gone and self._file is not None

    def forget_all(self) -> bool:
        """Forget everything, and tell whether that is to be saved."""
        with self._lock:
            gone = bool(self._held)
            self._held.clear()
            self._moved |= gone
            return gone and self._file is not None

    def last_good(self, key: Key, age_seconds_max: float) -> Recommendation | None:
        """Return the last good answer, marked, if it may still be used."""
        found = self.get(key)
        if found is None or found.ended(self._clock):
            return None
        age = found.age_seconds(self._clock)
        if age > age_seconds_max:
            return None
        return replace(found.recommendation, last_good=True, age_seconds=max(age, 0.0))

    def save(self) -> None:
        """Write down what is held. A file that cannot be written costs nobody an answer; `save_error` says why."""
        if self._file is None:
            return
        with self._saving:
            with self._lock:
                if not self._moved:
                    return
                entries = [
                    Entry(
                        (key.plan, key.task, key.customer),
                        found.etag,
                        found.asked_wall,
                        found.ends_wall,
                        found.recommendation.raw,
                    )
                    for key, found in self._held.items()
                ]
                self._moved, self._saved_at = False, self._clock.monotonic()
            try:
                self._file.write(entries)
                self.save_error = None
            except OSError as error:
                self.save_error = error
