"""Connections to PostgreSQL on which no wait is endless: a link that stalls without closing counts as cut."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

# A server ends a wait for a row after 30 seconds, so whoever waits longer than this waits for a dead link.
ROUND_TRIP_SECONDS_MAX = 600.0

Result = TypeVar("Result")

_seconds_max: ContextVar[float] = ContextVar("seconds_max", default=ROUND_TRIP_SECONDS_MAX)


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """Bound every round trip to a server inside the block.

    The limits of the server and of the network cannot end a wait for something in between that takes bytes and
    passes none on. What lasts longer is an `OperationalError`, and its connection is closed.
    """
    token = _seconds_max.set(seconds)
    try:
        yield
    finally:
        _seconds_max.reset(token)


class Bounded(psycopg.Connection[Any]):
    """A connection that gives up where the server says nothing for as long as `patience` lasts."""

    def wait(self, gen: PQGen[Result], interval: float = 0.1, timeout: float | None = None) -> Result:
        """Wait for the server.

        Raises:
            psycopg.OperationalError: it said nothing for too long; the connection is closed.
        """
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        bound, began = _seconds_max.get(), time.monotonic()
        try:
            return super().wait(gen, interval, bound)
        except psycopg.OperationalError:
            if time.monotonic() - began >= bound:
                # It ended in the middle of an exchange: nobody can say what would be read next.
                self.pgconn.finish()
            raise
