"""How often one key, one person, or one address without a valid key may ask this worker."""

import time

from planner.core.errors import TooManyRequests
from planner.core.pace import Pace
from planner.flows.sign_in import peer_of

_SECOND_NS = 1_000_000_000


class Paces:
    """The limits of one worker process, kept in its memory; only its event loop asks. A limit of 0 is none."""

    def __init__(self, requests_per_minute: int, failed_per_minute: int) -> None:
        """Begin with whole allowances."""
        self._requests = Pace(requests_per_minute) if requests_per_minute else None
        self._failed = Pace(failed_per_minute) if failed_per_minute else None

    def count(self, actor: str) -> None:
        """Count a request of a key or a person.

        Raises:
            TooManyRequests: there were too many.
        """
        if self._requests is not None:
            _check(self._requests.wait_ns(actor, time.monotonic_ns()))

    def count_failed(self, address: str) -> None:
        """Count a request that nobody vouches for, by the address it came from.

        Raises:
            TooManyRequests: there were too many; who has a valid key there is not asked about this.
        """
        if self._failed is not None:
            _check(self._failed.wait_ns(peer_of(address), time.monotonic_ns()))


def _check(wait_ns: int) -> None:
    if wait_ns:
        raise TooManyRequests(-(-wait_ns // _SECOND_NS))
