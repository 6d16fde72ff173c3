"""How often somebody may ask: an allowance per minute that comes back evenly, and no memory of who is quiet."""

WINDOW_NS = 60_000_000_000
CALLERS_MAX = 10_000


class Pace:
    """The allowance of each caller, all of one size.

    A caller may use a minute's allowance at once; from then on it comes back piece by piece (GCRA). One number is kept
    of a caller: when the allowance is whole again, which is a minute after the last use at most. Who was quiet for that
    long may be forgotten, and nothing changes. Where more than ``callers_max`` come within a minute, those who were
    quiet longest are forgotten too early and begin anew.
    """

    def __init__(self, per_minute: int, callers_max: int = CALLERS_MAX) -> None:
        """Begin with whole allowances of at least one; at most twice ``callers_max`` callers are kept."""
        self._piece_ns = WINDOW_NS // per_minute
        self._all_but_one_ns = self._piece_ns * (per_minute - 1)
        self._callers_max = callers_max
        # When each allowance is whole again: of those who came since the last turn, and of those who came before it.
        self._new: dict[str, int] = {}
        self._old: dict[str, int] = {}
        self._turn_ns = 0

    def __len__(self) -> int:
        """Return how many numbers are kept."""
        return len(self._new) + len(self._old)

    def wait_ns(self, caller: str, at_ns: int) -> int:
        """Take a piece of a caller's allowance and return 0; where none is left, return how long it takes until one is.

        ``at_ns`` is the time on a clock that never goes back. Calls must not overlap.
        """
        if at_ns >= self._turn_ns or len(self._new) >= self._callers_max:
            self._old, self._new = self._new, {}
            self._turn_ns = at_ns + WINDOW_NS
        whole_ns = self._new.get(caller) or self._old.get(caller, at_ns)
        missing_ns = whole_ns - at_ns
        if missing_ns > self._all_but_one_ns:
            return missing_ns - self._all_but_one_ns
        self._new[caller] = max(whole_ns, at_ns) + self._piece_ns
        return 0
