"""One thing that used tokens, as a stream tells it: a request, or an aggregate of many."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from planner.core.errors import InvalidInput
from planner.core.usage import COUNTS, Usage


class Role(StrEnum):
    """What a stream is for: its rows count, or they are only held against what counts."""

    LEDGER = "ledger"
    EVIDENCE = "evidence"


class Outcome(StrEnum):
    """What became of the request."""

    OK = "ok"
    FAILED = "failed"  # billed where it used tokens, a known zero where it used none
    GATEWAY_CACHE = "gateway_cache"  # answered from a gateway's own cache: tokens and no bill, a known zero


class StatedBy(StrEnum):
    """Whose figure a stated cost is."""

    PROVIDER = "provider"  # who sends the bill
    GATEWAY = "gateway"  # who passed the request on and was told
    ESTIMATE = "estimate"  # a client's or an observer's own arithmetic: kept, and never counted as reported


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One row of a stream, before anybody has priced it.

    ``source`` names the stream and ``id`` the row in it: together they are counted once. ``request_id`` is the
    provider's own id of the response, the same in every stream that saw it. ``at`` is when the request began; an
    aggregate of many runs ``until``. ``counts`` are those of `planner.core.usage.COUNTS`, as the stream counts them:
    ``includes_cached`` says whether its ``input_tokens`` contain what was read from and written to a cache, None
    where the stream does not say. ``total_tokens`` is a total it states beside them.

    ``offer`` is an exact id; without it ``channel``, ``provider`` and ``model`` are as the stream spells them.
    ``prompt_min`` and ``prompt_max`` bound the length of every single prompt of an aggregate, where it says so.
    ``cache_stated`` is False where the stream cannot tell cached tokens from others, so that a cost has bounds only;
    ``rateable`` False where too little is said to compute any cost. ``stated_usd`` is a cost the stream brings along.
    """

    source: str
    id: str
    at: datetime
    counts: Mapping[str, int]
    includes_cached: bool | None = True
    total_tokens: int | None = None
    until: datetime | None = None
    request_id: str | None = None
    offer: str | None = None
    channel: str = "direct"
    provider: str | None = None
    model: str | None = None
    service_tier: str = "standard"
    region: str | None = None
    prompt_min: int | None = None
    prompt_max: int | None = None
    plan: str | None = None
    customer: str | None = None
    task: str | None = None
    project: str | None = None
    key: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    outcome: Outcome = Outcome.OK
    stated_usd: Decimal | None = None
    stated_by: StatedBy = StatedBy.ESTIMATE
    cache_stated: bool = True
    rateable: bool = True
    updated_at: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse what no row can be.

        Raises:
            InvalidInput: no id, a moment without a zone, an end before the beginning, or a name that is no count.
        """
        if not self.id or not self.source:
            raise InvalidInput("id", "a source and an id are needed")
        for name in ("at", "until", "updated_at"):
            moment = getattr(self, name)
            if moment is not None and moment.tzinfo is None:
                raise InvalidInput(name, "a moment with its offset from UTC is needed")
        if self.until is not None and self.until <= self.at:
            raise InvalidInput("until", "later than the beginning is needed")
        unknown = next((name for name in self.counts if name not in COUNTS), None)
        if unknown is not None:
            raise InvalidInput(unknown[:80], "not a count of the canonical usage form")

    @property
    def aggregate(self) -> bool:
        """Whether this is many requests in one row."""
        return self.until is not None

    def usage(self, *, includes_cached: bool) -> Usage:
        """Return the counts in the canonical form, where a prompt contains its cached part.

        Raises:
            InvalidInput: a count that is none.
            ImpossibleUsage: a part larger than its whole.
        """
        return Usage(**(self.counts if includes_cached else inclusive(self.counts)))


def inclusive(counts: Mapping[str, int]) -> dict[str, int]:
    """Return counts whose prompt lies beside its cached part with a prompt that contains it."""
    lifetimes = counts.get("cache_write_5m_tokens", 0) + counts.get("cache_write_1h_tokens", 0)
    written = max(counts.get("cache_write_tokens", 0), lifetimes)
    whole = counts.get("input_tokens", 0) + counts.get("cache_read_tokens", 0) + written
    return {**counts, "input_tokens": whole}


@dataclass(frozen=True, slots=True)
class Containment:
    """Whether the prompts of a stream contain their cached part, for one provider, and how that is known.

    ``includes_cached`` None: nobody knows yet, and a person is asked.
    """

    includes_cached: bool | None
    because: str


DECLARED, SUMS, LARGER, NO_CACHE, UNKNOWN = "declared", "sums", "read_exceeds_input", "no_cache", "unknown"


@dataclass(slots=True)
class Judge:
    """Decides the containment of one provider's rows in one stream, row by row, and never for a row alone.

    By declaration; else by parts that sum to a stated total; else by a row whose cached part is larger than its
    prompt. Until one of these is seen it is not known, unless no row has a cached part, where both are the same.

    Source: maths.md 2.1: a guard row by row accepts 20,000 + 12,000 read as $0.0276 that cost $0.0636.
    """

    declared: bool | None = None
    inside: int = 0
    beside: int = 0
    larger: int = 0
    cached: int = 0

    def see(self, event: Event) -> None:
        """Note what one row shows."""
        counts = event.counts
        read = counts.get("cache_read_tokens", 0)
        lifetimes = counts.get("cache_write_5m_tokens", 0) + counts.get("cache_write_1h_tokens", 0)
        cached = read + max(counts.get("cache_write_tokens", 0), lifetimes)
        if self.declared is None:
            self.declared = event.includes_cached
        if not cached:
            return
        self.cached += 1
        prompt, completion = counts.get("input_tokens", 0), counts.get("output_tokens", 0)
        self.larger += cached > prompt
        if event.total_tokens is not None:
            self.inside += event.total_tokens == prompt + completion
            self.beside += event.total_tokens == prompt + cached + completion

    def verdict(self) -> Containment:
        """Return what follows from all rows seen. What is declared holds unless a row makes it impossible."""
        found, because = self.declared, DECLARED
        if found is None and self.inside != self.beside:
            found, because = self.inside > self.beside, SUMS
        # What is larger than a prompt does not lie inside it, whatever else was said or seen.
        if self.larger and found is not False:
            found, because = False, LARGER
        if found is None:
            return Containment(
                includes_cached=None if self.cached else True, because=UNKNOWN if self.cached else NO_CACHE
            )
        return Containment(includes_cached=found, because=because)
