"""Passwords: kept as argon2id, checked by at most two at once, with the same work for a login nobody has."""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from planner.core.errors import InvalidInput, Unavailable

CHARACTERS_MIN, CHARACTERS_MAX = 12, 200
# One hash takes 64 MiB and a core for a tenth of a second: who sends many must not have the whole machine.
AT_ONCE = 2
# Whoever waits holds a thread that other requests could use.
WAITING_MAX = 8
WAIT_SECONDS = 10.0

# The library's defaults are those of RFC 9106 for machines with little memory; a stored hash names its own.
_hasher = PasswordHasher()
_turns = threading.BoundedSemaphore(AT_ONCE)
_places = threading.BoundedSemaphore(AT_ONCE + WAITING_MAX)


def hashed(password: str) -> str:
    """Return a password as it is stored.

    Raises:
        InvalidInput: it is too short or too long.
        Unavailable: too many wait for the same work.
    """
    if not CHARACTERS_MIN <= len(password) <= CHARACTERS_MAX:
        raise InvalidInput("password", f"{CHARACTERS_MIN} to {CHARACTERS_MAX} characters are needed")
    with _turn():
        return _hasher.hash(password)


def matches(stored: str | None, password: str) -> bool:
    """Tell whether a password is the stored one; where none is stored, the work is done all the same.

    Raises:
        Unavailable: too many wait for the same work.
    """
    with _turn():
        try:
            _hasher.verify(_nobody() if stored is None else stored, password)
        except (VerificationError, InvalidHashError):
            return False
    return stored is not None


def outdated(stored: str) -> bool:
    """Tell whether a stored password was made with other parameters than new ones are."""
    return _hasher.check_needs_rehash(stored)


@cache
def _nobody() -> str:
    return _hasher.hash(secrets.token_urlsafe())


@contextmanager
def _turn() -> Iterator[None]:
    if not _places.acquire(blocking=False):
        raise Unavailable("too many people sign in at once")
    try:
        if not _turns.acquire(timeout=WAIT_SECONDS):
            raise Unavailable("too many people sign in at once")
        try:
            yield
        finally:
            _turns.release()
    finally:
        _places.release()
