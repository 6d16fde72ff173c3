"""What a probe measured of an offer: single attempts, their figures, and how these compare with what was claimed."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import NamedTuple, TypeVar

from planner.core.money import PICO, ratio_text
from planner.core.offer import Measured, Offer
from planner.core.uptime import ASSUMED_MINUTES, lower_bound
from planner.core.usage import Usage

Value = TypeVar("Value", int, Fraction)

AGE_MAX = timedelta(days=30)
"""How long a measurement goes before a feed's claim."""
ATTEMPTS_MIN = 5
"""So many attempts that count make a measurement which needs rest on; fewer are an anecdote."""
TIMED_MIN = 3
"""So many of them must have a figure for it to go before the claim."""
UPTIME_ATTEMPTS_MIN = 100
"""Five attempts without a failure leave a failure share of a third possible, so uptime takes more of them."""
UPTIME_MINUTES_MIN = ASSUMED_MINUTES
"""Many attempts in a few minutes see one moment of an offer: whatever they find, it says little of its failures."""
# A whole answer in two or three pieces was collected before it was sent: how fast it was made cannot be told.
PIECES_MIN = 4
_MINUTE_SECONDS = 60
_MILLION, _THOUSAND = 1_000_000, 1_000
_OURS = frozenset({"redirect", "encoded", "http_400", "http_401", "http_402", "http_403", "http_404", "http_405",
                   "http_413", "http_415", "http_422"})  # fmt: skip

FACTORS: Mapping[str, Fraction] = {
    "ttft_ms": Fraction(3, 2),
    "throughput_tps": Fraction(3, 2),
    "cache_hit_share": Fraction(3, 2),
    "input_tokens": Fraction(5, 4),
    "cost_usd": Fraction(101, 100),
}
"""By more than which factor a figure is off its claim. A bill has no spread, so it has next to none."""
_MORE_IS_BETTER = frozenset({"throughput_tps", "cache_hit_share"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One request that was sent to an offer; None is what did not come to be known. Of what was said nothing is kept.

    ``first_us``, ``last_us`` and ``whole_us`` are microseconds from sending the request to the first token, also one
    of reasoning, to the last one, and to the end. ``pieces`` counts the pieces that tokens came in.
    ``reasoning_seen``: reasoning was streamed as well. ``usage`` is what the API says it bills, ``stated_usd`` the cost
    it states, ``list_pico`` what that usage costs by the price card, in 1e-12 USD. ``expected_input_tokens`` and
    ``expected_output_tokens`` are the counts of the task. ``error`` is a stable code; None: the answer is whole.
    """

    started_at: datetime
    expected_input_tokens: int
    expected_output_tokens: int
    first_us: int | None = None
    last_us: int | None = None
    whole_us: int | None = None
    pieces: int = 0
    reasoning_seen: bool = False
    usage: Usage | None = None
    stated_usd: Decimal | None = None
    list_pico: int | None = None
    error: str | None = None

    @property
    def counts(self) -> bool:
        """Whether it says something of the offer: a wrong key, model or address says something of who asks."""
        return self.error not in _OURS

    @property
    def failed(self) -> bool:
        """Whether the offer failed."""
        return self.error is not None and self.counts

    @property
    def throughput_tps(self) -> Fraction | None:
        """Tokens per second between the first and the last token; None where they did not come one by one."""
        if self.error is not None or self.usage is None or self.first_us is None or self.last_us is None:
            return None
        # What a model thinks without showing it was made before the first token came.
        streamed = self.usage.output_tokens - (0 if self.reasoning_seen else self.usage.reasoning_tokens)
        if self.pieces < PIECES_MIN or streamed < self.pieces or self.last_us <= self.first_us:
            return None
        return Fraction((streamed - 1) * _MILLION, self.last_us - self.first_us)


class Claimed(NamedTuple):
    """What the feed said of the offer when it was measured, and which price card held."""

    ttft_ms: int | None = None
    throughput_tps: Decimal | None = None
    cache_hit_share: Decimal | None = None
    uptime: Decimal | None = None
    price_version: str | None = None

    @classmethod
    def of(cls, offer: Offer, price_version: str | None) -> "Claimed":
        """Take the claims out of an offer's facts, also where some were measured before."""
        facts = offer.facts if offer.measured is None else offer.measured.claimed
        return cls(facts.ttft_ms, facts.throughput_tps, facts.cache_hit_share, facts.uptime, price_version)


class Comparison(NamedTuple):
    """One figure beside what was claimed; ``ratio`` is measured over claimed, None where nothing was claimed as 0.

    ``verdict`` is ``as_claimed``, or ``better`` or ``worse`` where it is off by more than ``factor``.
    """

    figure: str
    claimed: Fraction
    measured: Fraction
    ratio: Fraction | None
    factor: Fraction
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What the attempts of one run say of one offer.

    ``prompts`` is ``own`` or ``generated``; ``plan`` and ``task`` say whose size the requests had.
    """

    offer: str
    measured_at: datetime
    attempts: tuple[Attempt, ...]
    claimed: Claimed
    prompts: str
    plan: str
    task: str

    @property
    def counted(self) -> tuple[Attempt, ...]:
        """The attempts that say something of the offer."""
        return tuple(attempt for attempt in self.attempts if attempt.counts)

    @property
    def failures(self) -> int:
        """How many of them failed."""
        return sum(attempt.failed for attempt in self.attempts)

    @property
    def errors(self) -> Mapping[str, int]:
        """Every error's code, and how often it came."""
        return Counter(attempt.error for attempt in self.attempts if attempt.error is not None)

    @property
    def failure_share(self) -> Fraction | None:
        """The share that failed."""
        return Fraction(self.failures, len(self.counted)) if self.counted else None

    @property
    def failure_share_max(self) -> Fraction | None:
        """What the share of failures is below, with 95 % confidence."""
        attempts = len(self.counted)
        return 1 - lower_bound(Fraction(attempts - self.failures, attempts), attempts) if attempts else None

    def ttft_ms(self, share: Fraction) -> int | None:
        """Return a quantile of the time to the first token, in milliseconds, rounded up."""
        found = nearest_rank([a.first_us for a in self.attempts if a.error is None and a.first_us is not None], share)
        return None if found is None else ceil(Fraction(found, _THOUSAND))

    def throughput_tps(self, share: Fraction) -> Fraction | None:
        """Return a quantile of the tokens per second."""
        speeds = (attempt.throughput_tps for attempt in self.attempts)
        return nearest_rank([speed for speed in speeds if speed is not None], share)

    @property
    def billed(self) -> tuple[Attempt, ...]:
        """The attempts whose bill is known."""
        return tuple(attempt for attempt in self.attempts if attempt.usage is not None)

    def billed_tokens(self, name: str) -> int:
        """Return the sum of one count of `Usage` over the attempts whose bill is known."""
        return sum(getattr(attempt.usage, name) for attempt in self.billed)

    @property
    def list_usd(self) -> Fraction | None:
        """What the billed usage costs by the price card; None where some of it has no price, or there is none."""
        costs = [attempt.list_pico for attempt in self.billed]
        known = [cost for cost in costs if cost is not None]
        return Fraction(sum(known), PICO) if costs and len(known) == len(costs) else None

    @property
    def stated_usd(self) -> Fraction | None:
        """What the API itself states as the cost; None where it does not for every billed attempt."""
        costs = [attempt.stated_usd for attempt in self.billed]
        known = [Fraction(cost) for cost in costs if cost is not None]
        return sum(known, Fraction()) if costs and len(known) == len(costs) else None

    @property
    def cache_hit_share(self) -> Fraction | None:
        """The share of the billed prompts that was read from a cache."""
        whole = self.billed_tokens("input_tokens")
        return Fraction(self.billed_tokens("cache_read_tokens"), whole) if whole else None

    def comparisons(self) -> tuple[Comparison, ...]:
        """Compare every figure that was both claimed and measured."""
        expected = sum(attempt.expected_input_tokens for attempt in self.billed)
        pairs: tuple[tuple[str, int | Decimal | Fraction | None, int | Fraction | None], ...] = (
            ("ttft_ms", self.claimed.ttft_ms, self.ttft_ms(Fraction(1, 2))),
            ("throughput_tps", self.claimed.throughput_tps, self.throughput_tps(Fraction(1, 2))),
            ("cache_hit_share", self.claimed.cache_hit_share, self.cache_hit_share),
            ("input_tokens", expected, self.billed_tokens("input_tokens") if self.billed else None),
            ("cost_usd", self.list_usd, self.stated_usd),
        )
        return tuple(
            compare(figure, Fraction(claimed), Fraction(measured))
            for figure, claimed, measured in pairs
            if claimed is not None and measured is not None
        )

    @property
    def until(self) -> datetime | None:
        """When it ceases to go before the feed's claims; None: it never did, it has too few attempts."""
        return self.measured_at + AGE_MAX if len(self.counted) >= ATTEMPTS_MIN else None


def compare(figure: str, claimed: Fraction, measured: Fraction) -> Comparison:
    """Compare one figure with its claim.

    Example:
        >>> compare("ttft_ms", Fraction(400), Fraction(900)).verdict
        'worse'
    """
    factor = FACTORS[figure]
    ratio = measured / claimed if claimed else None
    if claimed <= measured * factor and measured <= claimed * factor:
        verdict = "as_claimed"
    else:
        verdict = "better" if (measured > claimed) == (figure in _MORE_IS_BETTER) else "worse"
    return Comparison(figure, claimed, measured, ratio, factor, verdict)


def nearest_rank(values: Iterable[Value], share: Fraction) -> Value | None:
    """Return a quantile by nearest rank: the smallest value that at least this share of the values does not exceed.

    It is always one of the values, so nothing is interpolated between two requests that were never sent.

    Example:
        >>> nearest_rank([30, 10, 40, 20], Fraction(1, 2)), nearest_rank([10, 20], Fraction(95, 100))
        (20, 20)
    """
    ranked = sorted(values)
    return ranked[max(ceil(share * len(ranked)), 1) - 1] if ranked else None


def chosen(measurements: Sequence[Measurement], at: datetime) -> Measurement | None:
    """Return the newest measurement that counts at a moment, of an offer's own, newest first."""
    return next((m for m in measurements if m.measured_at <= at and m.until is not None and at < m.until), None)


def as_measured(offer: Offer, measurement: Measurement) -> Offer:
    """Put what was measured in the place of what was claimed; figures with too few attempts stay the feed's.

    The share of cached prompt tokens always does, however many attempts there are: a probe sends a few prompts again
    and again, so what it finds in the cache is what it put there itself, and customers would be promised its savings.
    """
    half, found = Fraction(1, 2), dict[str, object]()
    counted = len(measurement.counted)
    if sum(a.error is None and a.first_us is not None for a in measurement.attempts) >= TIMED_MIN:
        found["ttft_ms"] = measurement.ttft_ms(half)
    speed = measurement.throughput_tps(half)
    if speed is not None and sum(a.throughput_tps is not None for a in measurement.attempts) >= TIMED_MIN:
        found["throughput_tps"] = Decimal(ratio_text(speed, 2))
    began = min((attempt.started_at for attempt in measurement.counted), default=measurement.measured_at)
    minutes = int((measurement.measured_at - began).total_seconds() / _MINUTE_SECONDS)
    if counted >= UPTIME_ATTEMPTS_MIN and minutes >= UPTIME_MINUTES_MIN:
        found["uptime"] = Decimal(ratio_text(Fraction(counted - measurement.failures, counted)))
        found["uptime_minutes"] = minutes
    if not found:
        return offer
    facts = replace(offer.facts, **found)  # type: ignore[arg-type]  # each has its field's type
    measured = Measured(measurement.measured_at, measurement.measured_at + AGE_MAX, frozenset(found), offer.facts)
    return replace(offer, facts=facts, measured=measured)
