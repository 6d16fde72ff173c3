"""Getting bytes from a feed that may be slow, huge, broken or hostile: everything has a bound.

The HTTP library has no total deadline and inflates without a limit, so both are kept out: the answer must come
unencoded, is counted as it arrives, and the clock runs over the whole exchange. Redirects are not followed:
a feed's address is configuration, not something a feed may change.
"""

import asyncio
import hashlib
import random
import re
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache

import httpx

from planner.core.errors import FeedRefused
from planner.sources.feed import Known, Payload, Progress

OK, NOT_MODIFIED, TOO_MANY_REQUESTS, SERVER_ERROR = 200, 304, 429, 500


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one fetch: seconds (an answer's, a whole feed's), a whole feed's bytes, tries, and requests at once."""

    deadline_seconds: float = 60.0
    # A feed of hundreds of answers, each just within its own deadline, would hold its turn for hours.
    whole_seconds: float = 180.0
    # The largest recorded feed has 3 MB.
    bytes_max: int = 32 << 20
    tries_max: int = 3
    pause_seconds: float = 0.5
    pause_seconds_max: float = 20.0
    # Polite, and the least work: a server that queues five connections drops one more for a second, and the library
    # looks at every open connection for every request.
    concurrent_max: int = 4


DEFAULT = Limits()
# More missing answers than this, and the feed as a whole is not to be believed.
MISSING_SHARE_MAX = 0.2
_ETAG = re.compile(r"[\x21\x23-\x7e\x22]{1,1024}")


class _Left:
    """What is left of a feed's bounds: the moment by which everything must be there, and bytes."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._ends = asyncio.get_running_loop().time() + limits.whole_seconds
        self._bytes = limits.bytes_max

    def until(self) -> float:
        """Return the moment by which an answer that is asked for now must be there, on the loop's clock."""
        return min(asyncio.get_running_loop().time() + self.limits.deadline_seconds, self._ends)

    def take(self, count: int) -> bool:
        """Take bytes; False where there were not so many left."""
        self._bytes -= count
        return self._bytes >= 0


class _Again(Exception):  # a signal, not an error: it never leaves this module
    """The request may be tried again, after ``wait`` seconds where the server said so."""

    def __init__(self, refused: FeedRefused, wait: float | None = None) -> None:
        super().__init__(str(refused))
        self.refused, self.wait = refused, wait


async def fetch_many(
    source: str,
    urls: Sequence[str],
    known: Mapping[str, Known],
    progress: Progress,
    limits: Limits = DEFAULT,
    headers: Mapping[str, str] | None = None,
) -> dict[str, Payload | FeedRefused]:
    """Fetch urls over shared connections, a bounded number at once; each ends as its payload or its refusal.

    ``headers`` are sent besides planner's own, to these urls and, since no redirect is followed, to nobody else.
    """
    gate, left = asyncio.Semaphore(limits.concurrent_max), _Left(limits)
    done = 0
    async with _client(limits, headers or {}) as client:

        async def one(url: str) -> Payload | FeedRefused:
            nonlocal done
            try:
                async with gate:
                    return await _patiently(client, source, url, known.get(url), left)
            except FeedRefused as error:
                return error
            finally:
                done += 1
                progress(done, len(urls))

        results = await asyncio.gather(*(one(url) for url in urls))
    return dict(zip(urls, results, strict=True))


async def fetch_parts(
    source: str,
    urls: Sequence[str],
    known: Mapping[str, Known],
    progress: Progress,
    extra: Sequence[str] = (),
    limits: Limits = DEFAULT,
) -> tuple[Payload, ...]:
    """Fetch the parts of a feed. One that cannot be had stays what it was: silence is not the end of an offer.

    ``extra`` urls may be missing without a word.

    Raises:
        FeedRefused: more than a fifth of the parts cannot be had.
    """
    results = await fetch_many(source, [*urls, *extra], known, progress, limits)
    missing = [result for url, result in results.items() if isinstance(result, FeedRefused) and url not in extra]
    if len(missing) > len(urls) * MISSING_SHARE_MAX:
        raise FeedRefused(source, missing[0].reason, f"{len(missing)} of {len(urls)} answers are missing")
    found = []
    for url, result in results.items():
        last = known.get(url)
        if not isinstance(result, FeedRefused):
            found.append(result)
        elif last is not None and last.recent:
            found.append(Payload(url, last.body, last.digest, last.etag, unchanged=True, kept=True))
    return tuple(found)


async def fetch_one(
    source: str,
    url: str,
    known: Mapping[str, Known],
    progress: Progress,
    limits: Limits = DEFAULT,
    headers: Mapping[str, str] | None = None,
) -> Payload:
    """Fetch one url.

    Raises:
        FeedRefused: ``timeout``, ``unreachable``, ``http_status``, ``redirect``, ``encoded``, ``too_large``
            or ``not_json``. The text never repeats what the server sent.
    """
    result = (await fetch_many(source, [url], known, progress, limits, headers))[url]
    if isinstance(result, FeedRefused):
        raise result
    return result


class Visit:
    """Requests to one server within one set of bounds, each of which may follow from the answer before."""

    def __init__(self, source: str, client: httpx.AsyncClient, left: _Left) -> None:
        """Remember whom to ask, and what is left of the bounds."""
        self._source, self._client, self._left = source, client, left

    async def get(self, url: str) -> bytes:
        """Fetch one url.

        Raises:
            FeedRefused: as `fetch_one`; the status of an answer that was none is its ``figure``.
        """
        return (await _patiently(self._client, self._source, url, None, self._left)).body


@asynccontextmanager
async def visiting(source: str, limits: Limits, headers: Mapping[str, str]) -> AsyncIterator[Visit]:
    """Open a visit: all of its requests share the deadline, the bytes and these headers, which nobody else is sent."""
    async with _client(limits, headers) as client:
        yield Visit(source, client, _Left(limits))


def _client(limits: Limits, extra: Mapping[str, str]) -> httpx.AsyncClient:
    pool = httpx.Limits(max_connections=limits.concurrent_max, max_keepalive_connections=limits.concurrent_max)
    headers = {**extra, "Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "planner"}
    return httpx.AsyncClient(
        headers=headers, limits=pool, follow_redirects=False, timeout=limits.deadline_seconds, verify=trust()
    )


@cache
def trust() -> ssl.SSLContext:
    """Return which certificates are believed."""
    # Reading the certificates of the world takes longer than many a fetch, so it is done once.
    return httpx.create_ssl_context()


async def _patiently(client: httpx.AsyncClient, source: str, url: str, known: Known | None, left: _Left) -> Payload:
    """Try a few times within one deadline, with growing, jittered pauses, or the pause the server asked for.

    The retry libraries at hand pause by their own schedule and cannot take the server's word for it.
    """
    limits = left.limits
    try:
        async with asyncio.timeout_at(left.until()):
            for attempt in range(1, limits.tries_max + 1):
                try:
                    return await _once(client, source, url, known, left)
                except _Again as again:
                    if attempt == limits.tries_max:
                        raise again.refused from None
                    pause = limits.pause_seconds * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311  # jitter
                    await asyncio.sleep(min(again.wait if again.wait is not None else pause, limits.pause_seconds_max))
    except TimeoutError:
        raise FeedRefused(
            source,
            "timeout",
            f"no whole answer within {limits.deadline_seconds:g} s, or {limits.whole_seconds:g} s in all",
        ) from None
    raise AssertionError("the last try returns or raises")


async def _once(client: httpx.AsyncClient, source: str, url: str, known: Known | None, left: _Left) -> Payload:
    validator = None if known is None else _validator(known.etag)
    headers = {} if validator is None else {"If-None-Match": validator}
    try:
        async with client.stream("GET", url, headers=headers) as response:
            _check(source, response, known)
            # Also an empty answer is read to its end: an unread one costs its connection.
            body = await _read(source, response, left)
            if response.status_code == NOT_MODIFIED and known is not None:
                return Payload(url, known.body, known.digest, known.etag, unchanged=True)
    except httpx.InvalidURL:
        raise FeedRefused(source, "unreachable", "not a URL") from None
    except httpx.UnsupportedProtocol:
        raise FeedRefused(source, "unreachable", "not an http or https URL") from None
    except httpx.HTTPError as error:
        raise _Again(FeedRefused(source, "unreachable", type(error).__name__)) from None
    if body.lstrip()[:1] not in (b"{", b"["):
        raise FeedRefused(source, "not_json", "the answer is not a JSON object or list")
    digest = hashlib.sha256(body).hexdigest()
    return Payload(url, body, digest, _validator(response.headers.get("etag")), unchanged=False)


def _validator(etag: str | None) -> str | None:
    """Return an ETag that can be sent back, or None: a header of ours is not for a feed to write."""
    return etag if etag is not None and _ETAG.fullmatch(etag) else None


def _check(source: str, response: httpx.Response, known: Known | None) -> None:
    status = response.status_code
    refused = FeedRefused(source, "http_status", f"status {status}", str(status))
    if status == TOO_MANY_REQUESTS or status >= SERVER_ERROR:
        raise _Again(refused, _asked_pause(response.headers.get("retry-after")))
    if status == NOT_MODIFIED and known is not None and known.etag:
        return
    if response.is_redirect:
        raise FeedRefused(source, "redirect", f"status {status}; redirects are not followed")
    if status != OK:
        raise refused
    if response.headers.get("content-encoding", "identity") != "identity":
        raise FeedRefused(source, "encoded", "the answer is compressed although it was asked not to be")


def _asked_pause(header: str | None) -> float | None:
    """Read ``Retry-After``: seconds or a date. Nonsense, and the past, ask for nothing."""
    if header is None:
        return None
    if header.isascii() and header.isdigit():
        return float(header[:9])
    try:
        # A pause asked for as a date can only be measured against the clock.
        wait = (parsedate_to_datetime(header).astimezone(UTC) - datetime.now(UTC)).total_seconds()  # noqa: TID251
    except (ValueError, OverflowError):
        return None
    return wait if wait > 0 else None


async def _read(source: str, response: httpx.Response, left: _Left) -> bytes:
    body = bytearray()
    # Raw bytes: what the library would decode is refused above.
    async for chunk in response.aiter_raw():
        if not left.take(len(chunk)):
            raise FeedRefused(source, "too_large", f"more than {left.limits.bytes_max} bytes in all")
        body += chunk
    return bytes(body)
