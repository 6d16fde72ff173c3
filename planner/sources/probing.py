"""One request to an OpenAI-compatible API, streamed and timed: when tokens came, what is billed, what went wrong.

What comes back is counted and forgotten: no text of an answer, of an error or of a prompt leaves this module, and the
key goes into one header. As for feeds, everything has a bound, and no redirect is followed: a key is for one host.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import httpx

from planner.core import strict_json
from planner.core.answered_usage import read_usage, stated_usd
from planner.core.errors import InvalidInput
from planner.core.measurement import Attempt
from planner.core.usage import Usage
from planner.sources.fetch import OK, trust

PATH = "/chat/completions"
_THOUSAND = 1_000
_STREAM = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one request: seconds to its first token and to its end, and bytes of its answer."""

    first_token_seconds: float = 60.0
    whole_seconds: float = 300.0
    bytes_max: int = 16 << 20


DEFAULT = Limits()
# A connection whose answer was read to its end is used again; one that does not end after the last event is not.
_ENDING_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is sent: where to, with which key, and the body; and the counts that the task expects of it."""

    base_url: str
    key: str = field(repr=False)
    body: dict[str, Any] = field(repr=False)
    expected_input_tokens: int
    expected_output_tokens: int


class _Failed(Exception):  # a signal, not an error: it never leaves this module
    """The request failed; ``code`` says how."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(slots=True)
class _Heard:
    """What was heard of one answer so far; moments are of the monotonic clock, in nanoseconds."""

    began: int
    first: int | None = None
    last: int | None = None
    pieces: int = 0
    reasoning_seen: bool = False
    finished: bool = False
    done: bool = False
    usage: Usage | None = None
    stated: Decimal | None = None

    def us(self, moment: int | None) -> int | None:
        return None if moment is None else (moment - self.began) // _THOUSAND


@asynccontextmanager
async def opened(concurrency: int, limits: Limits = DEFAULT) -> AsyncIterator[httpx.AsyncClient]:
    """Open connections for so many requests at once."""
    pool = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    headers = {"Accept": _STREAM, "Accept-Encoding": "identity", "User-Agent": "planner"}
    async with httpx.AsyncClient(
        headers=headers, limits=pool, follow_redirects=False, timeout=limits.whole_seconds, verify=trust()
    ) as client:
        yield client


async def attempt(
    client: httpx.AsyncClient, call: Call, now: Callable[[], datetime], limits: Limits = DEFAULT
) -> Attempt:
    """Send one request and time its answer; whatever goes wrong is a code in what is returned.

    The codes: ``unreachable``, ``http_<status>``, ``redirect``, ``encoded``, ``not_a_stream``, ``not_json``,
    ``stream_error`` (the API reports one in the middle), ``cut``, ``empty``, ``impossible_usage``, ``too_large``,
    ``timeout_first_token`` and ``timeout``.
    """
    started_at, heard, error = now(), _Heard(time.monotonic_ns()), None
    try:
        loop = asyncio.get_running_loop()
        ends = loop.time() + limits.whole_seconds
        async with asyncio.timeout(limits.first_token_seconds) as clock:

            def spoken() -> None:
                clock.reschedule(min(ends, loop.time() + _ENDING_SECONDS) if heard.done else ends)

            await _exchange(client, call, heard, limits, spoken)
    except _Failed as failed:
        error = failed.code
    except TimeoutError:
        if not heard.done:
            error = "timeout_first_token" if heard.first is None else "timeout"
    except (httpx.HTTPError, httpx.InvalidURL):
        # Once an answer runs, it is the answer that broke off.
        error = "unreachable" if heard.first is None else "cut"
    return Attempt(
        started_at=started_at,
        expected_input_tokens=call.expected_input_tokens,
        expected_output_tokens=call.expected_output_tokens,
        first_us=heard.us(heard.first),
        last_us=heard.us(heard.last),
        whole_us=heard.us(time.monotonic_ns()),
        pieces=heard.pieces,
        reasoning_seen=heard.reasoning_seen,
        usage=heard.usage,
        stated_usd=heard.stated,
        error=error,
    )


async def _exchange(
    client: httpx.AsyncClient, call: Call, heard: _Heard, limits: Limits, spoken: Callable[[], None]
) -> None:
    headers = {"Authorization": f"Bearer {call.key}"}
    async with client.stream("POST", call.base_url + PATH, json=call.body, headers=headers) as response:
        _check(response)
        events, left = Events(), limits.bytes_max
        # Raw bytes: what the library would decode is refused above.
        async for chunk in response.aiter_raw():
            moment, before = time.monotonic_ns(), (heard.first, heard.done)
            left -= len(chunk)
            if left < 0:
                raise _Failed("too_large")
            for data in events.feed(chunk):
                _hear(heard, data, moment)
            if before != (heard.first, heard.done):
                spoken()
    if not heard.finished:
        raise _Failed("cut")
    if heard.first is None:
        raise _Failed("empty")


def _check(response: httpx.Response) -> None:
    if response.is_redirect:
        raise _Failed("redirect")
    if response.status_code != OK:
        raise _Failed(f"http_{response.status_code}")
    if response.headers.get("content-encoding", "identity") != "identity":
        raise _Failed("encoded")
    if response.headers.get("content-type", _STREAM).partition(";")[0].strip().lower() != _STREAM:
        raise _Failed("not_a_stream")


class Events:
    r"""Cuts a stream into the data of its server-sent events, whatever pieces it comes in.

    Source:
        https://html.spec.whatwg.org/multipage/server-sent-events.html, "Parsing an event stream"; comments and fields
        other than ``data`` are passed over, and what no empty line has ended is no event.

    Example:
        >>> events = Events()
        >>> [*events.feed(b": wait\n\ndata: {}\n"), *events.feed(b"\ndata: [DONE]\r\n\r\n")]
        [b'{}', b'[DONE]']
    """

    def __init__(self) -> None:
        """Begin with nothing heard."""
        self._rest, self._data = b"", list[bytes]()

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Take the next bytes, and yield the data of every event that they complete."""
        # Carriage returns end lines too, but nobody sends them without a line feed.
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            text = line.removesuffix(b"\r")
            if not text and self._data:
                yield b"\n".join(self._data)
                self._data = []
            elif text.startswith(b"data:"):
                self._data.append(text.removeprefix(b"data:").removeprefix(b" "))


def _hear(heard: _Heard, data: bytes, moment: int) -> None:
    if data.strip() == b"[DONE]":
        heard.finished = heard.done = True
        return
    try:
        said = strict_json.read(data, name="event", mend_text=True)
    except InvalidInput:
        raise _Failed("not_json") from None
    if not isinstance(said, dict):
        raise _Failed("not_json")
    if said.get("error") is not None:
        raise _Failed("stream_error")
    choices = said.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict):
            _hear_choice(heard, choice, moment)
    reported = said.get("usage")
    if isinstance(reported, dict):
        try:
            heard.usage, heard.stated = read_usage(reported), stated_usd(reported)
        except InvalidInput:
            raise _Failed("impossible_usage") from None


def _hear_choice(heard: _Heard, choice: dict[str, Any], moment: int) -> None:
    if choice.get("finish_reason") == "error":
        raise _Failed("stream_error")
    heard.finished = heard.finished or choice.get("finish_reason") is not None
    delta = choice.get("delta")
    if not isinstance(delta, dict):
        return
    thought = delta.get("reasoning") or delta.get("reasoning_content")
    heard.reasoning_seen = heard.reasoning_seen or bool(thought)
    if thought or delta.get("content") or delta.get("tool_calls"):
        heard.first = moment if heard.first is None else heard.first
        heard.last = moment
        heard.pieces += 1
