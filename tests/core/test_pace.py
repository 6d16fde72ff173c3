"""An allowance is never exceeded, always comes back, and costs a bounded memory however many callers there are."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from planner.core.pace import WINDOW_NS, Pace

SECOND_NS = 1_000_000_000
STEPS = st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 20 * SECOND_NS)), max_size=200)


def plain(steps: list[tuple[str, int]], per_minute: int) -> list[bool]:
    """Answer who may go on with a bucket of exact fractions for everybody, none ever forgotten."""
    piece_ns = WINDOW_NS // per_minute
    buckets: dict[str, tuple[Fraction, int]] = {}
    may, at_ns = [], 0
    for caller, pause_ns in steps:
        at_ns += pause_ns
        left, then_ns = buckets.get(caller, (Fraction(per_minute), at_ns))
        left = min(Fraction(per_minute), left + Fraction(at_ns - then_ns, piece_ns))
        may.append(left >= 1)
        buckets[caller] = (left - 1 if left >= 1 else left, at_ns)
    return may


@given(STEPS, st.integers(1, 30))
def test_it_answers_as_buckets_that_are_never_forgotten(steps: list[tuple[str, int]], per_minute: int) -> None:
    """Whoever asks whenever: forgetting the quiet and keeping one number each changes no answer."""
    pace, at_ns, may = Pace(per_minute), 0, []
    for caller, pause_ns in steps:
        at_ns += pause_ns
        may.append(pace.wait_ns(caller, at_ns) == 0)
    assert may == plain(steps, per_minute)


@given(STEPS, st.integers(1, 30))
def test_the_wait_it_names_is_exact(steps: list[tuple[str, int]], per_minute: int) -> None:
    """A nanosecond earlier is too early; then there is a piece."""
    pace, at_ns = Pace(per_minute), 0
    for caller, pause_ns in steps:
        at_ns += pause_ns
        wait_ns = pace.wait_ns(caller, at_ns)
        if wait_ns:
            assert pace.wait_ns(caller, at_ns + wait_ns - 1) == 1
            at_ns += wait_ns
            assert pace.wait_ns(caller, at_ns) == 0


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 70 * SECOND_NS)), max_size=300))
def test_many_callers_fill_no_memory(steps: list[tuple[int, int]]) -> None:
    """Twice the callers said to be kept, and no more."""
    pace, at_ns = Pace(3, callers_max=5), 0
    for caller, pause_ns in steps:
        at_ns += pause_ns
        pace.wait_ns(str(caller), at_ns)
        assert len(pace) <= 10


def test_the_quiet_are_forgotten() -> None:
    """Two minutes after a thousand callers came, the next one is alone."""
    pace = Pace(3)
    for caller in range(1_000):
        pace.wait_ns(str(caller), SECOND_NS)
    assert len(pace) == 1_000
    for minute in (1, 2):
        pace.wait_ns("late", SECOND_NS + minute * WINDOW_NS)
    assert len(pace) <= 2


def test_who_asks_too_often_waits_although_others_come_and_go() -> None:
    """Refused, then refused again while other callers make it turn its memory over once."""
    pace = Pace(1, callers_max=3)
    assert pace.wait_ns("loud", SECOND_NS) == 0
    for caller in "abc":
        pace.wait_ns(caller, SECOND_NS)
    assert pace.wait_ns("loud", SECOND_NS) == WINDOW_NS
