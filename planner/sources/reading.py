"""Collecting a reading row by row, so that every row is counted as a claim, a refusal or a merge."""

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import reduce
from itertools import pairwise
from typing import Any

from planner.core import strict_json
from planner.core.claim import Claim, ModelFacts, Reading, Refused, Score, Segment
from planner.core.dearest import both, dearer, dearest
from planner.core.errors import FeedRefused, InvalidInput
from planner.core.money import parse_feed_decimal
from planner.core.price import Band, Rate, RateTable, UnitPrice, When
from planner.core.terms import Terms
from planner.core.units import FALLBACK, Unit

ROW_NAME_MAX = 120
# xAI's longer prices begin at the stated length, everybody else's above it. Source: LiteLLM's calculator, 1.109.1.
INCLUSIVE = frozenset({"xai"})


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
        """Count a row that is. Of two rows with one id the dearer counts: a duplicate must never be a discount."""
        self._read += 1
        unmapped = list(claim.unmapped)
        segments = tuple(replace(part, rates=self._told(part.rates, unmapped)) for part in claim.segments)
        claim = replace(claim, segments=segments, unmapped=tuple(unmapped))
        for key in claim.unmapped:
            self.notes[f"unmapped:{key}"] += 1
        known = self._claims.get(claim.offer_id)
        if known is not None:
            self._merged += 1
            self.notes["duplicate_row"] += 1
            claim = _merged(known, claim)
        self._claims[claim.offer_id] = claim

    def _told(self, rates: RateTable, unmapped: list[str]) -> RateTable:
        """Leave out the prices that every list writes down and that say nothing."""
        kept = dict(rates)
        for unit, fresh in _FRESH.items():
            price, beside = kept.get(unit), kept.get(fresh)
            if price is None or beside is None or not beside.base.pico:
                continue
            stated = [rate.pico for _when, rate in price.stated()]
            # Nobody keeps a prompt for nothing: a 0 beside a prompt that is paid for stands for "not stated".
            if not all(stated):
                del kept[unit]
                self.notes["zero_cache_price"] += 1
                unmapped += [f"{unit.value} with a price of 0 among others"] * any(stated)
        answer = kept.get(Unit.OUTPUT)
        if answer is not None and answer.bands and kept.get(Unit.REASONING) == UnitPrice(answer.base):
            # Reasoning at the price of the answer is the answer's price, under every condition that changes it.
            del kept[Unit.REASONING]
        return rates if len(kept) == len(rates) else RateTable(kept)

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


_FRESH = {
    **{unit: FALLBACK[unit] for unit in FALLBACK if unit is not Unit.REASONING},
    Unit.CACHE_WRITE_5M: Unit.INPUT,
    Unit.CACHE_WRITE_1H: Unit.INPUT,
}


def _merged(known: Claim, claim: Claim) -> Claim:
    """Return what two rows say of one offer: at every time, under every condition, the dearer of their prices."""
    unmapped = tuple(dict.fromkeys((*known.unmapped, *claim.unmapped)))
    if not known.segments or not claim.segments:
        return replace(known if known.segments else claim, unmapped=unmapped)
    stated = (*known.segments, *claim.segments)
    cuts = sorted({day for part in stated for day in (part.valid_from, part.valid_to) if day is not None})
    segments = []
    for start, end in pairwise((None, *cuts, None)):
        inside = [
            part.rates
            for part in stated
            if (part.valid_from is None or (start is not None and part.valid_from <= start))
            and (part.valid_to is None or (end is not None and end <= part.valid_to))
        ]
        if inside:
            segments.append(Segment(start, end, reduce(dearest, inside)))
    return replace(known, segments=tuple(segments), unmapped=unmapped)


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


def uptime(row: Mapping[str, Any], windows: Iterable[tuple[str, int]]) -> tuple[Decimal | None, int | None]:
    """Read the uptime of the first window that is stated, as a share, and how many minutes the window is long."""
    stated = ((share(row.get(key)), minutes) for key, minutes in windows)
    return next(((value, minutes) for value, minutes in stated if value is not None), (None, None))


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


def baseless(base: Container[Unit], banded: Iterable[Unit]) -> list[str]:
    """Name the units that bands price and the base does not: there is nothing those bands could replace."""
    return [f"{unit.value} band without a base rate" for unit in banded if unit not in base]


def under(when: When, rate: Rate, lengths: Sequence[Band]) -> Iterator[Band]:
    """Yield a rate's band under a tier, in a region or in some hours, and for long prompts there the dearer of the two.

    Where a feed states a price for long prompts and one for a tier, and none for both at once, the cheaper one is not
    to be counted on.
    """
    yield Band(when, rate)
    for band in lengths:
        for where in both(band.when, when):
            yield Band(where, dearer(band.rate, rate))


def least(context: int | None, prompt: int | None) -> int | None:
    """Return what bounds a prompt: a window is shared with the answer, and the prompt may have a limit of its own."""
    return min((limit for limit in (context, prompt) if limit is not None), default=None)


def looks_like_price(key: str) -> bool:
    """Tell whether an unknown key might be a price; such a key is reported, never dropped in silence."""
    lower = key.lower()
    return any(word in lower for word in _PRICE_WORDS)


_PRICE_WORDS = ("cost", "price", "pricing", "_mtok", "_kcount", "multiplier", "_usd", "free_requests")
