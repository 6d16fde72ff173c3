"""Collecting a reading row by row, so that every row is counted as a claim, a refusal or a merge."""

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

from planner.core import strict_json
from planner.core.claim import Claim, ModelFacts, Reading, Refused, Score, Segment
from planner.core.errors import FeedRefused, InvalidInput
from planner.core.money import parse_feed_decimal
from planner.core.price import Band, Rate, RateTable, When
from planner.core.terms import Terms
from planner.core.units import Unit

ROW_NAME_MAX = 120


class Unreadable(Exception):  # a reason, not an error: it never leaves a parse
    """A price that sets none, with its reason code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def reason_of(error: Unreadable | InvalidInput) -> str:
    """Return why a price sets none; what our own types refuse, no adapter thought of."""
    return error.reason if isinstance(error, Unreadable) else "unreadable_price"


class Rows:
    """The rows of one payload on their way to a reading."""

    def __init__(self, source: str, source_url: str, observed_at: datetime) -> None:
        """Begin an empty reading."""
        self._source, self._url, self._at = source, source_url, observed_at
        self._claims: dict[str, Claim] = {}
        self._refused: list[Refused] = []
        self.notes: Counter[str] = Counter()
        self.models: dict[str, ModelFacts] = {}
        self.scores: list[Score] = []
        self.terms: list[Terms] = []
        self._read = self._merged = self._scored = 0

    def refuse(self, row: object, code: str) -> None:
        """Count a row that is not taken; its name is made printable."""
        self._read += 1
        self._refused.append(Refused(row=ascii(row)[:ROW_NAME_MAX], code=code))

    def offer(self, claim: Claim, rates_of: Callable[[list[str]], RateTable]) -> None:
        """Take a claim with its rates, or as unpriced for the reason they give; `rates_of` adds the keys it skips."""
        unmapped: list[str] = []
        try:
            segments: tuple[Segment, ...] = (Segment(None, None, rates_of(unmapped)),)
            unpriced = None
        except (Unreadable, InvalidInput) as error:
            segments, unpriced = (), reason_of(error)
        self.take(replace(claim, segments=segments, unpriced=unpriced, unmapped=tuple(unmapped)))

    def take(self, claim: Claim) -> None:
        """Count a row that is. Of two rows with one id the dearer stands: a duplicate must never be a discount."""
        self._read += 1
        for key in claim.unmapped:
            self.notes[f"unmapped:{key}"] += 1
        known = self._claims.get(claim.offer_id)
        if known is not None:
            self._merged += 1
            self.notes["duplicate_row"] += 1
            if _dearness(claim) <= _dearness(known):
                return
        self._claims[claim.offer_id] = claim

    def scored(self) -> None:
        """Count a row that gave a score and nothing else."""
        self._read += 1
        self._scored += 1

    def reading(self, digests: Mapping[str, str]) -> Reading:
        """Finish the reading."""
        return Reading(
            source=self._source,
            source_url=self._url,
            observed_at=self._at,
            rows_read=self._read,
            claims=tuple(self._claims.values()),
            refused=tuple(self._refused),
            terms=tuple(self.terms),
            models=tuple(self.models.values()),
            scores=tuple(self.scores),
            notes=dict(self.notes),
            digests=digests,
            merged=self._merged,
            scored=self._scored,
        )


def _dearness(claim: Claim) -> tuple[Decimal, ...]:
    rates: Mapping[Unit, Any] = claim.segments[-1].rates if claim.segments else RateTable({})
    per_unit = [rates[unit].base.usd / rates[unit].base.per if unit in rates else Decimal(-1) for unit in _COMPARED]
    return (max(per_unit), *per_unit)


_COMPARED = (Unit.INPUT, Unit.OUTPUT, Unit.CACHE_READ, Unit.CACHE_WRITE_5M)


def document(source: str, payload: bytes) -> Any:  # noqa: ANN401  # JSON is any of six types
    """Read a payload strictly, except that a text no database takes is mended: its row is refused, not the list.

    Raises:
        FeedRefused: ``not_json``: not JSON by the letter; NaN, repeated keys and endless numbers included.
    """
    try:
        return strict_json.read(payload, name="feed", mend_text=True)
    except InvalidInput as error:
        raise FeedRefused(source, "not_json", error.problem) from None


def price(value: object) -> Decimal:
    """Read one price as sent: a decimal number or text of at least 0.

    Raises:
        Unreadable: ``negative_price`` (a sentinel for "depends"), ``unreadable_price``.
    """
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            raise Unreadable("unreadable_price")
        number = parse_feed_decimal(value) if isinstance(value, str) else Decimal(value)
    except InvalidInput:
        raise Unreadable("unreadable_price") from None
    if number < 0:
        raise Unreadable("negative_price")
    return number


def listed_rows(source: str, payload: bytes, key: str) -> list[Any]:
    """Return the rows of a list, bare or under a key.

    Raises:
        FeedRefused: there is no such list.
    """
    answer = document(source, payload)
    rows = answer.get(key) if isinstance(answer, dict) else answer
    if not isinstance(rows, list):
        raise FeedRefused(source, "not_expected", f"a list of rows was expected under {key}")
    return rows


def decimal(value: object) -> Decimal | None:
    """Read a measured figure of at least 0, or None where none is stated."""
    return Decimal(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) and value >= 0 else None


def median(stats: object) -> object:
    """Read the middle one of a row of percentiles."""
    return stats.get("p50") if isinstance(stats, dict) else None


def share(percent: object) -> Decimal | None:
    """Read a percentage as a share from 0 to 1."""
    value = decimal(percent)
    return None if value is None or value > 100 else value.scaleb(-2)  # noqa: PLR2004  # percent


def exactly(one: Decimal, other: Decimal) -> Decimal:
    """Multiply two figures without losing a digit."""
    with localcontext() as context:
        context.prec = 80
        return (one * other).normalize()


def flag(value: object) -> bool | None:
    """Read a flag, or None where none is stated."""
    return value if isinstance(value, bool) else None


def words(listed: object) -> frozenset[str] | None:
    """Read a list of words, or None where none is stated."""
    if not isinstance(listed, list) or not all(isinstance(word, str) for word in listed):
        return None
    return frozenset(listed)


# From the first seconds of 1970 to the year 2090: what is outside is a sentinel or a slip.
_UNIX_MAX = 3_786_912_000


def unix_moment(value: object) -> datetime | None:
    """Read seconds since 1970, or None where none are stated."""
    seconds = count(value)
    return None if seconds is None or seconds > _UNIX_MAX else datetime.fromtimestamp(seconds, UTC)


def count(value: object) -> int | None:
    """Read a limit: a whole number above 0, or None where none is stated."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or value <= 0 or value != int(value):
        return None
    return int(value)


def baseless(base: Container[Unit], bands: Iterable[Iterable[Unit]]) -> list[str]:
    """Name the units that bands price and the base does not: there is nothing those bands could replace."""
    return [f"{unit.value} band without a base rate" for band in bands for unit in band if unit not in base]


def under(when: When, rate: Rate, lengths: Sequence[Band]) -> Iterator[Band]:
    """Yield a rate's band under a tier or in a region, and for long prompts there the dearer of the two.

    Where a feed states a price for long prompts and one for a tier, and none for both at once, the cheaper one is not
    to be counted on.
    """
    yield Band(when, rate)
    for band in lengths:
        both = replace(band.when, service_tier=when.service_tier, region=when.region)
        yield Band(both, dearer(band.rate, rate))


def dearer(one: Rate, other: Rate) -> Rate:
    """Return the dearer of two rates."""
    return max(one, other, key=lambda rate: Fraction(rate.pico, rate.pico_per))


def least(context: int | None, prompt: int | None) -> int | None:
    """Return what bounds a prompt: a window is shared with the answer, and the prompt may have a limit of its own."""
    return min((limit for limit in (context, prompt) if limit is not None), default=None)


def looks_like_price(key: str) -> bool:
    """Tell whether an unknown key might be a price; such a key is reported, never dropped in silence."""
    lower = key.lower()
    return any(word in lower for word in _PRICE_WORDS)


_PRICE_WORDS = ("cost", "price", "pricing", "_mtok", "_kcount", "multiplier", "_usd", "free_requests")
