"""What rows of usage cost and add up to, worked out once more with fractions and nothing of planner's arithmetic."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache
from operator import add, sub
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from planner.core.event import Event
from tests.ledger_worlds import CLOSED, REOPENS, PlainCard, PlainOffer, PlainPrice, World

PICO = 10**12
QUARTER = timedelta(minutes=15)
STAND_IN = {"cache_read_token": "input_token", "reasoning_token": "output_token"}
MEASURES = ("rows", "requests", "input_tokens", "output_tokens", "cost", "high", "list", "stated")
HEADS = (
    "plan", "task", "customer", "matched", "project", "key", "model", "provider", "offer", "cost_basis", "stated_by",
    "unpriced", "service_tier", "region", "status", "source",
)  # fmt: skip


class Booked(NamedTuple):
    """What is booked for one row: the values of `HEADS` and `MEASURES`, and each unit's count, least, most and list."""

    heads: tuple[Any, ...]
    measures: tuple[int, ...]
    units: tuple[tuple[str, int, int, int, int], ...]


class Entry(NamedTuple):
    """Something that is added to the books, or with -1 taken from them."""

    used: datetime
    booked: datetime
    what: Booked
    sign: int = 1


class Books:
    """What a world says of rows; ranges of rates are looked for once for each stretch of time."""

    def __init__(self, known: World) -> None:
        """Begin with nothing worked out."""
        self._known = known
        self._names = {(one.channel, one.provider, one.model, one.region): one for one in known.offers.values()}
        self._ranges: dict[tuple[Any, ...], dict[str, tuple[Fraction, Fraction]]] = {}

    def book(self, row: Event) -> Booked:
        """Return what is booked for a row."""
        offer, why_not = self._served(row)
        parts, prompt = _parts(row)
        priced = self._priced(row, offer, parts, prompt)
        reason = priced if isinstance(priced, str) else ""
        amounts = {} if isinstance(priced, str) else priced
        reason = why_not if reason == "no_price" and why_not else reason
        units = tuple((unit, count, *amounts.get(unit, (0, 0, 0))) for unit, count in parts.items())
        sums = [sum(amount[place] for amount in amounts.values()) for place in range(3)]
        stated = 0 if row.stated_usd is None else round(Fraction(row.stated_usd) * PICO)
        measures = 1, row.counts.get("requests", 1), prompt, row.counts.get("output_tokens", 0), *sums, stated
        return Booked(self._heads(row, offer, reason), measures, units)

    def _heads(self, row: Event, offer: PlainOffer | None, reason: str) -> tuple[Any, ...]:
        reported = row.stated_usd is not None and row.stated_by.value != "estimate"
        plans = self._known.customers.get(row.customer or "", ())
        on = next((plan for plan, since, until in plans if since <= row.at and (until is None or row.at < until)), "")
        said = {
            "plan": row.plan or on,
            "task": row.task or "",
            "customer": row.customer or "",
            "matched": row.customer is None or row.customer in self._known.customers,
            "project": row.project or "",
            "key": row.key or "",
            "model": offer.model if offer else row.model or "",
            "provider": offer.provider if offer else row.provider or "",
            "offer": offer.id if offer else "",
            "cost_basis": "rated" if not reason else "reported" if reported else "unpriced",
            "stated_by": "" if row.stated_usd is None else row.stated_by.value,
            "unpriced": reason,
            "service_tier": row.service_tier,
            "region": row.region or (offer.region if offer else None) or "",
            "status": row.outcome.value,
            "source": row.source,
        }
        return tuple(said[name] for name in HEADS)

    def _served(self, row: Event) -> tuple[PlainOffer | None, str]:
        if row.offer is not None:
            found = self._known.offers.get(row.offer)
        else:
            own, plain = ((row.channel, row.provider, row.model, region) for region in (row.region, None))
            found = self._names.get(own) or self._names.get(plain)  # type: ignore[arg-type]  # names may be missing
        return found, "" if found else "unknown_offer"

    def _priced(
        self, row: Event, offer: PlainOffer | None, parts: Mapping[str, int], prompt: int
    ) -> dict[str, tuple[int, int, int]] | str:
        """Return each unit's cost at least and at most, and at list price, in 1e-12 USD; or why there is none."""
        counted = bool(set(parts) - {"request"})
        how = row.outcome.value
        if how == "gateway_cache" or (how == "failed" and not counted and not row.stated_usd):
            return {}
        reason = self._unpriced(row, offer, parts, counted=counted)
        if reason:
            return reason
        assert offer is not None
        spans = list(_spans(offer, row))
        factor = self._factor(offer, row.at)
        found: dict[str, tuple[int, int, int]] = {}
        ranges = [self._range(offer, span, row, prompt, UNITS if row.until else tuple(parts)) for span in spans]
        for unit, count in parts.items():
            low, high = min(one[unit][0] for one in ranges), max(one[unit][1] for one in ranges)
            found[unit] = _pico(count * low * factor), _pico(count * high * factor), _pico(count * low)
        return found

    @staticmethod
    def _unpriced(row: Event, offer: PlainOffer | None, parts: Mapping[str, int], *, counted: bool) -> str:
        """Return why a row that is to be priced cannot be."""
        spans = [] if offer is None or not row.rateable else list(_spans(offer, row))
        if not spans:
            return "no_price" if row.rateable else "not_rateable"
        if parts and not counted and not any(_source(card, "request") for *_, card in spans):
            return "nothing_counted"
        # Of several units without a rate, under whichever card, the first one is named.
        lacking = (unit for unit in parts if any(_source(card, unit) is None for *_, card in spans))
        missing = next((unit for unit in lacking if unit != "request"), None)
        if missing is not None:
            return f"no_rate:{missing}"
        if row.service_tier != "standard":
            tiers = ({unit for unit in parts if not _tier_priced(card, unit, row.service_tier)} for *_, card in spans)
            if any(unpriced - {"request"} for unpriced in tiers):
                return "no_tier_price"
        return ""

    def _factor(self, offer: PlainOffer, at: datetime) -> Fraction:
        percent, since = self._known.discounts.get((offer.channel, offer.provider), ("0", at))
        kept = 1 - Fraction(percent) / 100 if since <= at else Fraction(1)
        percent, since = self._known.fees.get(offer.channel, ("0", at))
        return kept * (1 + Fraction(percent) / 100) if since <= at else kept

    def _range(
        self,
        offer: PlainOffer,
        span: tuple[datetime, datetime | None, PlainCard],
        row: Event,
        prompt: int,
        units: tuple[str, ...],
    ) -> dict[str, tuple[Fraction, Fraction]]:
        """Return the least and the greatest rate of units in a stretch of one card, each quarter hour tried."""
        since, until, card = span
        shortest = longest = prompt
        if until is not None:
            shortest = row.prompt_min or 0
            longest = prompt if row.prompt_max is None else min(prompt, row.prompt_max)
        edges = {edge + more for edge in _edges(card) for more in (-1, 0, 1)}
        lengths = tuple(sorted({shortest, *(edge for edge in edges if shortest < edge <= longest)}))
        region = row.region or offer.region
        times = (since,) if until is None or not _clocked(card) else tuple(_quarters(since, until))
        key = (offer.id, card.since, *times[:1], len(times), lengths, row.service_tier, region, row.cache_stated)
        if until is None or key not in self._ranges:
            rates = {
                unit: [
                    rate
                    for name in _may_be(card, unit, row)
                    for at in times
                    for length in lengths
                    for rate in [_rate(card, name, row.service_tier, region, length, at)]
                ]
                for unit in units
            }
            found = {unit: (min(listed), max(listed)) for unit, listed in rates.items() if listed}
            found.setdefault("request", (Fraction(), Fraction()))
            if until is None:
                return found
            self._ranges[key] = found
        return self._ranges[key]


UNITS = (
    "input_token", "cache_read_token", "input_audio_token", "cache_write_5m_token", "cache_write_1h_token",
    "output_token", "reasoning_token", "request", "web_search",
)  # fmt: skip


def _parts(row: Event) -> tuple[dict[str, int], int]:
    """Return the disjoint counts of a row, and how long its prompt was with everything in it."""
    count = {name: row.counts.get(name, 0) for name in (
        "input_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens",
        "input_audio_tokens", "output_tokens", "reasoning_tokens", "web_searches",
    )}  # fmt: skip
    written = max(count["cache_write_tokens"], count["cache_write_5m_tokens"] + count["cache_write_1h_tokens"])
    beside = 0 if row.includes_cached else count["cache_read_tokens"] + written
    prompt = count["input_tokens"] + beside
    listed = (
        prompt - count["cache_read_tokens"] - written - count["input_audio_tokens"], count["cache_read_tokens"],
        count["input_audio_tokens"], written - count["cache_write_1h_tokens"], count["cache_write_1h_tokens"],
        count["output_tokens"] - count["reasoning_tokens"], count["reasoning_tokens"], row.counts.get("requests", 1),
        count["web_searches"],
    )  # fmt: skip
    return {unit: number for unit, number in zip(UNITS, listed, strict=True) if number}, prompt


def _spans(offer: PlainOffer, row: Event) -> Iterator[tuple[datetime, datetime | None, PlainCard]]:
    """Yield the stretches of a row that each card covers; none if a part of the row is covered by none."""
    if row.until is None:
        yield from (
            (row.at, None, card)
            for card in offer.cards
            if card.since <= row.at and (card.until is None or row.at < card.until)
        )
        return
    reached, found = row.at, []
    for card in offer.cards:
        ends = row.until if card.until is None else min(card.until, row.until)
        begins = max(card.since, row.at)
        if begins < ends:
            if begins != reached:
                return
            found.append((begins, ends, card))
            reached = ends
    if reached == row.until:
        yield from found


def _source(card: PlainCard, unit: str) -> str | None:
    names = (unit, STAND_IN.get(unit, ""))
    return next((name for name in names if name in card.prices), None)


def _tier_priced(card: PlainCard, unit: str, tier: str) -> bool:
    def banded(price: PlainPrice) -> bool:
        return any(band.when.get("service_tier") == tier for band in price.bands)

    if unit.endswith("_token"):
        return banded(card.prices[_source(card, unit) or ""])
    return any(banded(price) for price in card.prices.values())


def _may_be(card: PlainCard, unit: str, row: Event) -> Iterator[str]:
    """Yield whose rates a unit may have been paid at."""
    units = [unit]
    if unit == "input_token" and not row.cache_stated:
        units += ["cache_read_token", "cache_write_5m_token"]
    yield from (name for one in units for name in [_source(card, one)] if name is not None)


def _rate(card: PlainCard, unit: str, tier: str, region: str | None, length: int, at: datetime) -> Fraction:
    price, usd = card.prices[unit], card.prices[unit].usd
    for band in price.bands:
        if _holds(band.when, tier, region, length, at):
            usd = band.usd
    return _fraction(usd, price.per)


@cache
def _fraction(usd: str, per: int) -> Fraction:
    return Fraction(usd) / per


def _holds(when: Mapping[str, Any], tier: str, region: str | None, length: int, at: datetime) -> bool:
    minute, said = at.hour * 60 + at.minute, when.get
    day = at.isoweekday() in when["weekdays"] if "weekdays" in when else True
    begins, ends = said("utc_start", 0), said("utc_end", 0)
    clock = begins <= minute < ends if begins < ends else begins == ends or not ends <= minute < begins
    return (
        day
        and clock
        and length > said("input_tokens_gt", -1)
        and length >= said("input_tokens_gte", 0)
        and said("service_tier", tier) == tier
        and said("region", region) == region
    )


def _edges(card: PlainCard) -> Iterator[int]:
    for price in card.prices.values():
        for band in price.bands:
            yield band.when.get("input_tokens_gt", -1) + 1
            yield band.when.get("input_tokens_gte", 0)


def _clocked(card: PlainCard) -> bool:
    return any({"utc_start", "weekdays"} & set(band.when) for price in card.prices.values() for band in price.bands)


def _quarters(since: datetime, until: datetime) -> Iterator[datetime]:
    # Eight days show every quarter hour of every weekday.
    until = min(until, since + timedelta(days=8))
    while since < until:
        yield since
        since += QUARTER


def _pico(usd: Fraction) -> int:
    # Python rounds half to even.
    return round(usd * PICO)


# --- sums -------------------------------------------------------------------------------------------------------------


def entries(row: Event, before: Books | None, after: Books) -> list[Entry]:
    """Return what a row adds to the books: as it was known first, then what became known late; the last is what stands.

    Once something is known late, the first month is closed: what concerns it is booked when the next one begins. A row
    that comes after that was never known otherwise: ``before`` is None.
    """
    now = Entry(row.at, REOPENS if f"{row.at:%Y-%m}" == CLOSED else row.at, after.book(row))
    if before is None:
        return [now]
    was = Entry(row.at, row.at, before.book(row))
    return [was] if was.what == now.what else [was, now._replace(what=was.what, sign=-1), now]


def label_of(unit: str, zone: str) -> Callable[[datetime], str]:
    """Return how a moment is called: by its date on the wall there."""
    clock = ZoneInfo(zone)

    def label(at: datetime) -> str:
        day = at.astimezone(clock).date()
        year, week, _weekday = day.isocalendar()
        return {"day": day.isoformat(), "week": f"{year}-W{week:02d}", "month": f"{day:%Y-%m}"}[unit]

    return label


Sums = dict[tuple[str, tuple[Any, ...]], list[int]]


def summed(listed: Iterable[Entry], heads: tuple[str, ...], label: Callable[[datetime], str], *, used: bool) -> Sums:
    """Add entries up by name of time and heads; what comes to nothing is left out."""
    places = [HEADS.index(name) for name in heads]
    found: Sums = {}
    for entry in listed:
        key = label(entry.used if used else entry.booked), tuple(entry.what.heads[place] for place in places)
        had = found.get(key, [0] * len(MEASURES))
        found[key] = list(map(add if entry.sign > 0 else sub, had, entry.what.measures))
    return {key: sums for key, sums in found.items() if any(sums)}


def summed_units(
    listed: Iterable[Entry], heads: tuple[str, ...], label: Callable[[datetime], str], *, used: bool
) -> dict[tuple[str, tuple[Any, ...], str], list[int]]:
    """Add each unit up, as `summed` does: its count, least, most and list price."""
    places = [HEADS.index(name) for name in heads]
    found: dict[tuple[str, tuple[Any, ...], str], list[int]] = {}
    for entry in listed:
        key = label(entry.used if used else entry.booked), tuple(entry.what.heads[place] for place in places)
        for unit, *values in entry.what.units:
            sums = found.setdefault((*key, unit), [0] * len(values))
            for place, value in enumerate(values):
                sums[place] += entry.sign * value
    return {key: sums for key, sums in found.items() if any(sums)}


def dollars(pico: int) -> str:
    """Write 1e-12 dollars as a plain decimal."""
    text = f"{Decimal(pico).scaleb(-12):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
