"""genai-prices: a curated list with dated prices, length tiers and hours of the day; USD per million tokens.

Both forms of its file are read here: v2, refreshed, and the frozen v1 of 2025. They differ in their addresses
and in which keys occur; what a key means is the same.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple

from planner.core.claim import Claim, Reading, Segment
from planner.core.dearest import dearest
from planner.core.errors import FeedRefused, InvalidInput
from planner.core.names import ProviderNames, Seat
from planner.core.offer import Kind, OfferFacts, Route, offer_id, valid_feed_id
from planner.core.price import Band, Rate, RateTable, UnitPrice, When
from planner.core.units import Unit
from planner.sources.feed import Known, Payload, Progress
from planner.sources.fetch import fetch_one
from planner.sources.reading import Rows, Unreadable, count, document, price, reason_of

V2_PATH = "/pydantic/genai-prices/main/prices/new_data/v2/data.json"
V1_URL = "https://raw.githubusercontent.com/pydantic/genai-prices/main/prices/data.json"

# The circumstances a variant may name, in planner's words. "default" is what a request without a word gets.
CIRCUMSTANCES: dict[tuple[str, str], str] = {
    ("processing", "batch"): "batch",
    ("speed", "fast"): "fast",
    ("service_tier", "flex"): "flex",
    ("service_tier", "priority"): "priority",
    ("service_tier", "fast"): "fast",
    ("service_tier", "default"): "standard",
}

MTOK, KILO, HOUR = 1_000_000, 1_000, 3_600

# Source of the meanings: the schema file beside the data (prices/new_data/v2/data.schema.json, 2026-08-21).
UNITS: dict[str, tuple[Unit, int]] = {
    "input_mtok": (Unit.INPUT, MTOK),
    "output_mtok": (Unit.OUTPUT, MTOK),
    "output_reasoning_mtok": (Unit.REASONING, MTOK),
    "cache_read_mtok": (Unit.CACHE_READ, MTOK),
    "cache_write_mtok": (Unit.CACHE_WRITE_5M, MTOK),
    "cache_write_5m_mtok": (Unit.CACHE_WRITE_5M, MTOK),
    "cache_write_1h_mtok": (Unit.CACHE_WRITE_1H, MTOK),
    "input_audio_mtok": (Unit.INPUT_AUDIO, MTOK),
    "input_image_mtok": (Unit.INPUT_IMAGE, MTOK),
    "input_video_mtok": (Unit.INPUT_VIDEO, MTOK),
    "cache_audio_read_mtok": (Unit.CACHE_READ_AUDIO, MTOK),
    "cache_image_read_mtok": (Unit.CACHE_READ_IMAGE, MTOK),
    "cache_video_read_mtok": (Unit.CACHE_READ_VIDEO, MTOK),
    "output_audio_mtok": (Unit.OUTPUT_AUDIO, MTOK),
    "output_image_mtok": (Unit.OUTPUT_IMAGE, MTOK),
    "output_video_mtok": (Unit.OUTPUT_VIDEO, MTOK),
    "requests_kcount": (Unit.REQUEST, KILO),
    "web_searches_kcount": (Unit.WEB_SEARCH, KILO),
    "storage_searches_kcount": (Unit.FILE_SEARCH, KILO),
    "input_mchars": (Unit.CHARACTER, MTOK),
    "output_mchars": (Unit.OUTPUT_CHARACTER, MTOK),
    "input_document_kpages": (Unit.PAGE, KILO),
    "input_annotated_document_kpages": (Unit.ANNOTATED_PAGE, KILO),
    "input_audio_hours": (Unit.AUDIO_SECOND, HOUR),
    "audio_hours": (Unit.AUDIO_SECOND, HOUR),
    "output_audio_hours": (Unit.OUTPUT_AUDIO_SECOND, HOUR),
}


class GenaiPrices:
    """The refreshed file."""

    name = "genai_prices"
    file_url = f"https://raw.githubusercontent.com{V2_PATH}"

    async def fetch(self, base_url: str, known: Mapping[str, Known], progress: Progress) -> tuple[Payload, ...]:
        """Fetch the one file."""
        return (await fetch_one(self.name, f"{base_url}{V2_PATH}", known, progress),)

    def parse(self, payloads: Mapping[str, bytes], names: ProviderNames, observed_at: datetime) -> Reading:
        """Read the file into claims."""
        ((url, body),) = payloads.items()
        return parse_file(self.name, url, body, names, observed_at)


def parse_v1(body: bytes, names: ProviderNames, observed_at: datetime) -> Reading:
    """Read the frozen file of 2025 (``prices/data.json``)."""
    return parse_file("genai_prices_v1", V1_URL, body, names, observed_at)


def parse_file(source: str, url: str, body: bytes, names: ProviderNames, observed_at: datetime) -> Reading:
    """Read either form of the file.

    Raises:
        FeedRefused: not a list of providers.
    """
    providers = document(source, body)
    if not isinstance(providers, list) or not all(isinstance(provider, dict) for provider in providers):
        raise FeedRefused(source, "not_expected", "a list of providers was expected")
    rows = Rows(source, url, observed_at)
    for provider in providers:
        spelling = provider.get("id")
        models = provider.get("models")
        if not isinstance(spelling, str) or not isinstance(models, list):
            rows.refuse(spelling, "not_expected")
            continue
        seat = names.seat(spelling)
        for model in models:
            _take(rows, spelling, seat, model, _url(provider))
    return rows.reading({url: hashlib.sha256(body).hexdigest()})


def _url(provider: Mapping[str, Any]) -> str | None:
    urls = provider.get("pricing_urls")
    first = urls[0] if isinstance(urls, list) and urls else None
    return first if isinstance(first, str) and first.startswith("https://") else None


def _take(rows: Rows, spelling: str, seat: Seat | None, model: object, url: str | None) -> None:
    id_ = model.get("id") if isinstance(model, dict) else None
    if not isinstance(model, dict) or not isinstance(id_, str) or not valid_feed_id(id_) or not valid_feed_id(spelling):
        rows.refuse(id_, "bad_id")
        return
    if seat is None:
        rows.refuse(f"{spelling}/{id_}", "ambiguous_provider")
        return
    if model.get("deprecated") is True:
        rows.notes["deprecated"] += 1
    claim = Claim(
        offer_id=offer_id(seat.channel, seat.provider, id_),
        facts=OfferFacts(
            model_spelling=id_,
            provider=seat.provider,
            channel=seat.channel,
            route=Route.ROUTER if seat.channel == seat.provider else Route.ENDPOINT,
            context_tokens=count(model.get("context_window")),
        ),
        source_url=url,
    )
    unmapped: list[str] = []
    try:
        segments = _with_variants(_segments(model.get("prices"), unmapped), model.get("price_variants"), unmapped)
    except (Unreadable, InvalidInput) as error:
        rows.take(replace(claim, unpriced=reason_of(error), unmapped=tuple(unmapped)))
        return
    kind = _kind(segments[-1].rates)
    rows.take(replace(claim, facts=replace(claim.facts, kind=kind), segments=segments, unmapped=tuple(unmapped)))


def _kind(rates: RateTable) -> Kind:
    """Tell what a row is from what it bills; the file has no other word for it."""
    if Unit.OUTPUT in rates or not rates:
        return Kind.CHAT
    if Unit.OUTPUT_IMAGE in rates:
        return Kind.IMAGE
    if Unit.PAGE in rates:
        return Kind.OCR
    if Unit.AUDIO_SECOND in rates:
        return Kind.TRANSCRIPTION
    if Unit.CHARACTER in rates or Unit.OUTPUT_AUDIO in rates:
        return Kind.SPEECH
    return Kind.EMBEDDING if Unit.INPUT in rates else Kind.OTHER


def _segments(prices: object, unmapped: list[str]) -> tuple[Segment, ...]:
    """Read a price, or a list of conditional ones of which the last that applies holds."""
    if isinstance(prices, dict):
        return (Segment(None, None, RateTable(_table(prices, unmapped))),)
    if not isinstance(prices, list) or not prices:
        raise Unreadable("missing_price")
    dated: list[tuple[datetime | None, dict[Unit, UnitPrice]]] = []
    windows: list[tuple[When, dict[Unit, UnitPrice]]] = []
    for entry in prices:
        if not isinstance(entry, dict) or not isinstance(entry.get("prices"), dict):
            raise Unreadable("unreadable_price")
        table = _table(entry["prices"], unmapped)
        constraint = _constraint(entry)
        if not constraint:
            dated.append((None, table))
        elif set(constraint) == {"start_date"}:
            dated.append((_day(constraint["start_date"]), table))
        elif set(constraint) == {"start_time", "end_time"}:
            window = When(utc_start=_minute(constraint["start_time"]), utc_end=_minute(constraint["end_time"]))
            windows.append((window, table))
        else:
            raise Unreadable("unreadable_condition")
    return _dated(dated, windows)


def _constraint(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    constraint = entry.get("constraint")
    if constraint is not None and not isinstance(constraint, dict):
        raise Unreadable("unreadable_condition")
    return constraint or {}


def _dated(
    dated: Sequence[tuple[datetime | None, dict[Unit, UnitPrice]]],
    windows: Sequence[tuple[When, dict[Unit, UnitPrice]]],
) -> tuple[Segment, ...]:
    if not dated:
        raise Unreadable("no_base_rate")
    begun: dict[datetime | None, dict[Unit, UnitPrice]] = {}
    for start, table in dated:
        # Of two prices from one day on the dearer counts.
        begun[start] = dict(dearest(RateTable(begun[start]), RateTable(table))) if start in begun else table
    ordered = sorted(begun.items(), key=lambda item: (item[0] is not None, item[0]))
    ends = [start for start, _table in ordered[1:]] + [None]
    return tuple(
        Segment(start, end, RateTable(_with_windows(table, windows)))
        for (start, table), end in zip(ordered, ends, strict=True)
    )


def _with_windows(
    table: dict[Unit, UnitPrice], windows: Sequence[tuple[When, dict[Unit, UnitPrice]]]
) -> dict[Unit, UnitPrice]:
    if not windows:
        return table
    made = dict(table)
    for when, rates in windows:
        for unit, other in rates.items():
            base = made.get(unit)
            if base is None:
                raise Unreadable("no_base_rate")
            inside = (Band(when, other.base), *(Band(_both(when, band.when), band.rate) for band in other.bands))
            made[unit] = UnitPrice(base.base, (*base.bands, *inside))
    return made


class _Variant(NamedTuple):
    """Prices under circumstances of a request that begin to count on a day (None: that always did)."""

    when: When
    since: datetime | None
    table: dict[Unit, UnitPrice]


def _with_variants(segments: tuple[Segment, ...], listed: object, unmapped: list[str]) -> tuple[Segment, ...]:
    """Add the prices of tiers and modes; where one begins on a day, the stretch it begins in is cut there.

    The file resolves variants first to last for each price, so the first becomes the last band.
    """
    variants = [found for entry in (listed if isinstance(listed, list) else []) if (found := _variant(entry, unmapped))]
    if not variants:
        return segments
    starts = sorted({variant.since for variant in variants if variant.since is not None})
    pieces = [piece for segment in segments for piece in _cut(segment, starts)]
    return tuple(replace(piece, rates=_varied(piece, variants, unmapped)) for piece in pieces)


def _variant(entry: object, unmapped: list[str]) -> _Variant | None:
    when = entry.get("when") if isinstance(entry, dict) else None
    prices = entry.get("prices") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(when, dict) or not isinstance(prices, dict):
        raise Unreadable("unreadable_condition")
    if not prices:
        # Nothing is priced otherwise under these circumstances.
        return None
    conditions = [CIRCUMSTANCES.get((str(key), str(value))) for key, value in when.items()]
    constraint = _constraint(entry)
    if len(conditions) != 1 or conditions[0] is None or (constraint and set(constraint) != {"start_date"}):
        unmapped.append("price_variants." + "+".join(sorted(str(key) for key in when)))
        return None
    since = _day(constraint["start_date"]) if constraint else None
    return _Variant(When(service_tier=conditions[0]), since, _table(prices, unmapped))


def _cut(segment: Segment, starts: Sequence[datetime]) -> Iterator[Segment]:
    for start in starts:
        begun = segment.valid_from is None or segment.valid_from < start
        if begun and (segment.valid_to is None or start < segment.valid_to):
            yield replace(segment, valid_to=start)
            segment = replace(segment, valid_from=start)
    yield segment


def _varied(piece: Segment, variants: Sequence[_Variant], unmapped: list[str]) -> RateTable:
    made = dict(piece.rates)
    for variant in reversed(variants):
        if variant.since is not None and (piece.valid_from is None or piece.valid_from < variant.since):
            continue
        for unit, other in variant.table.items():
            base = made.get(unit)
            if base is None:
                unmapped.append(f"price_variants.{unit.value} without a base rate")
                continue
            tier = variant.when.service_tier
            inside = (
                Band(variant.when, other.base),
                *(Band(replace(b.when, service_tier=tier), b.rate) for b in other.bands),
            )
            made[unit] = UnitPrice(base.base, (*base.bands, *inside))
    return RateTable(made)


def _both(window: When, length: When) -> When:
    return replace(window, input_tokens_gt=length.input_tokens_gt, input_tokens_gte=length.input_tokens_gte)


def _table(prices: Mapping[str, Any], unmapped: list[str]) -> dict[Unit, UnitPrice]:
    table: dict[Unit, UnitPrice] = {}
    for key, value in prices.items():
        known = UNITS.get(key)
        if known is None:
            unmapped.append(key)
            continue
        unit, per = known
        table[unit] = _unit_price(value, per)
    if not table:
        raise Unreadable("missing_price")
    return table


def _unit_price(value: object, per: int) -> UnitPrice:
    if not isinstance(value, dict):
        return UnitPrice(Rate(price(value), per))
    tiers = value.get("tiers")
    if set(value) != {"base", "tiers"} or not isinstance(tiers, list):
        raise Unreadable("unreadable_price")
    bands = []
    for tier in tiers:
        start = count(tier.get("start")) if isinstance(tier, dict) else None
        if start is None:
            raise Unreadable("unreadable_condition")
        bands.append(Band(When(input_tokens_gt=start), Rate(price(tier.get("price")), per)))
    return UnitPrice(
        Rate(price(value["base"]), per), tuple(sorted(bands, key=lambda band: band.when.input_tokens_gt or 0))
    )


def _day(text: object) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(str(text)), time(), UTC)
    except ValueError:
        raise Unreadable("unreadable_condition") from None


def _minute(text: object) -> int:
    try:
        moment = time.fromisoformat(str(text))
    except ValueError:
        raise Unreadable("unreadable_condition") from None
    if moment.second or moment.microsecond or moment.utcoffset() not in (None, timedelta()):
        raise Unreadable("unreadable_condition")
    return moment.hour * 60 + moment.minute
