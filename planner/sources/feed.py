"""What every feed has in common: payloads as received, and the two verbs fetch and parse."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from planner.core.claim import Reading
from planner.core.names import ProviderNames


@dataclass(frozen=True, slots=True)
class Known:
    """What was kept of one url at its last good fetch: the validator to send and the bytes a 304 stands for.

    ``recent``: young enough to stand in for one answer of many that cannot be had.
    """

    etag: str
    digest: str
    body: bytes
    recent: bool = True


@dataclass(frozen=True, slots=True)
class Payload:
    """The bytes one url answered with. ``digest`` is their SHA-256 in hex; ``unchanged`` means a 304 confirmed them.

    ``kept``: there was no answer, and these are the bytes of the last one.
    """

    url: str
    body: bytes
    digest: str
    etag: str | None
    unchanged: bool
    kept: bool = False


Progress = Callable[[int, int], None]
"""Called with (done, total) requests of one source."""


class Source(Protocol):
    """One feed. ``fetch`` speaks HTTP and interprets nothing; ``parse`` interprets and speaks to nobody."""

    name: str
    file_url: str
    """The address a file read by hand is taken to come from."""

    async def fetch(self, base_url: str, known: Mapping[str, Known], progress: Progress) -> tuple[Payload, ...]:
        """Fetch every payload of this feed.

        Raises:
            FeedRefused: no answer within the deadline, too many bytes, a bad status, or no JSON at all.
        """
        ...

    def parse(self, payloads: Mapping[str, bytes], names: ProviderNames, observed_at: datetime) -> Reading:
        """Read the payloads (url -> bytes) into claims.

        Raises:
            FeedRefused: the document as a whole cannot be believed. A bad row is refused alone.
        """
        ...
