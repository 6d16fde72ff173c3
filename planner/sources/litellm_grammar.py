"""The grammar of LiteLLM's price keys: what is billed, from which prompt length on, in which service tier."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache
from operator import itemgetter
from typing import Any

from planner.core.dearest import dearer, keep_dearer
from planner.core.money import exactly
from planner.core.price import ALWAYS, DAY_MINUTES, Band, Rate, RateTable, UnitPrice, When
from planner.core.units import REGISTRY, Dimension, Unit
from planner.sources.reading import Unreadable, baseless, count, looks_like_price, price, under

# Source: cost keys of model_prices_and_context_window.json as shipped in litellm 1.109.1; USD per single unit.
BASES: dict[str, Unit] = {
    "input_cost_per_token": Unit.INPUT,
    "output_cost_per_token": Unit.OUTPUT,
    "output_cost_per_reasoning_token": Unit.REASONING,
    "cache_read_input_token_cost": Unit.CACHE_READ,
    "input_cost_per_token_cache_hit": Unit.CACHE_READ,
    "cache_creation_input_token_cost": Unit.CACHE_WRITE_5M,
    "cache_creation_input_token_cost_above_1hr": Unit.CACHE_WRITE_1H,
    "input_cost_per_audio_token": Unit.INPUT_AUDIO,
    "input_cost_per_image_token": Unit.INPUT_IMAGE,
    "input_cost_per_video_token": Unit.INPUT_VIDEO,
    "output_cost_per_audio_token": Unit.OUTPUT_AUDIO,
    "output_cost_per_image_token": Unit.OUTPUT_IMAGE,
    "output_cost_per_video_token": Unit.OUTPUT_VIDEO,
    "cache_read_input_audio_token_cost": Unit.CACHE_READ_AUDIO,
    "cache_read_input_image_token_cost": Unit.CACHE_READ_IMAGE,
    "input_cost_per_request": Unit.REQUEST,
    "input_cost_per_query": Unit.QUERY,
    "input_cost_per_image": Unit.INPUT_PICTURE,
    "output_cost_per_image": Unit.PICTURE,
    "input_cost_per_pixel": Unit.INPUT_PIXEL,
    "output_cost_per_pixel": Unit.OUTPUT_PIXEL,
    "input_cost_per_character": Unit.CHARACTER,
    "output_cost_per_character": Unit.OUTPUT_CHARACTER,
    "input_cost_per_audio_per_second": Unit.AUDIO_SECOND,
    "input_cost_per_video_per_second": Unit.VIDEO_SECOND,
    "output_cost_per_video_per_second": Unit.OUTPUT_VIDEO_SECOND,
    "ocr_cost_per_page": Unit.PAGE,
}
# Whoever makes pictures bills what it makes, and the map writes that price on either side. Source: LiteLLM's own
# calculator for pictures (default_image_cost_calculator: ``input_cost_per_pixel`` x height x width x n).
MAKERS = ("image_generation", "image_edit")
MADE = {"input_cost_per_image": "output_cost_per_image", "input_cost_per_pixel": "output_cost_per_pixel"}
# A second is of audio or of video; the row's mode says which.
SECONDS: dict[tuple[str, str], Unit] = {
    ("input_cost_per_second", "audio_transcription"): Unit.AUDIO_SECOND,
    ("output_cost_per_second", "audio_speech"): Unit.OUTPUT_AUDIO_SECOND,
    ("output_cost_per_second", "video_generation"): Unit.OUTPUT_VIDEO_SECOND,
}
TIERS = {
    "batches": "batch",
    "flex": "flex",
    "priority": "priority",
    "ultrafast": "ultrafast",
    "balanced": "balanced",
}
DISCOUNTED = ("batch", "flex")
"""Tiers cheaper than standard: where their price for short prompts is missing, the standard one is not too cheap."""
_SUFFIX = re.compile(rf"(?:_above_(?P<kilo>[0-9]+)k_tokens)?(?:_(?P<tier>{'|'.join(TIERS)}))?", re.ASCII)
_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
_REGIONS = {"regional_processing_uplift_multiplier_eu": "eu", "regional_processing_uplift_multiplier_us": "us"}
# Keys with a structure of their own, read by `rate_table`, and words that only look like prices.
STRUCTURED = {
    *_REGIONS,
    "tiered_pricing",
    "off_peak_pricing",
    "provider_specific_entry",
    "search_context_cost_per_query",
    "file_search_cost_per_1k_calls",
}
OLDER, NEWER = "input_cost_per_token_cache_hit", "cache_read_input_token_cost"
MEDIUM = "search_context_size_medium"
THOUSAND = 1_000
# Zones without summer time whose weekdays the map uses, in minutes ahead of UTC.
_ZONES = {"UTC": 0, "Asia/Shanghai": 480}


@dataclass(frozen=True, slots=True)
class Term:
    """One price key, taken apart."""

    unit: Unit
    input_tokens: int | None
    service_tier: str | None


Stated = dict[Unit, dict[tuple[str | None, int | None], Rate]]
"""Prices under conditions: by unit, then by service tier and the prompt length they begin above."""


@lru_cache(maxsize=8_192)
def term_of(key: str, mode: str) -> Term | None:
    """Take a price key apart; None where it is not of this grammar."""
    for base, unit in _bases(mode):
        if key.startswith(base):
            found = _SUFFIX.fullmatch(key[len(base) :])
            if found is not None:
                tokens = int(found["kilo"]) * THOUSAND if found["kilo"] else None
                return Term(unit, tokens, TIERS[found["tier"]] if found["tier"] else None)
    return None


def _bases(mode: str) -> Iterator[tuple[str, Unit]]:
    # Longest first: one base is the beginning of another.
    yield from sorted(BASES.items(), key=lambda item: -len(item[0]))
    for (base, of_mode), unit in SECONDS.items():
        if of_mode == mode:
            yield base, unit


def rate_table(row: Mapping[str, Any], *, inclusive: bool, unmapped: list[str]) -> RateTable:
    """Read every price of a row.

    Args:
        row: the entry as sent.
        inclusive: whether this vendor's lengths begin at the stated number (``>=``) rather than above it.
        unmapped: collects the names of price keys that are read and not mapped.

    Raises:
        Unreadable: a price that sets none, or no price at all.
    """
    mode = str(row.get("mode"))
    row = _as_made(row) if mode in MAKERS else row
    base: dict[Unit, Rate] = {}
    stated: Stated = {}
    for key, value in row.items():
        if key in STRUCTURED or value is None:
            continue
        term = term_of(key, mode)
        if term is None:
            if looks_like_price(key):
                unmapped.append(key)
        elif term.input_tokens is None and term.service_tier is None:
            # Two spellings of one price: the newer one counts, and the other is told where it says something else.
            if key != OLDER or row.get(NEWER) in (None, value):
                base[term.unit] = Rate(price(value))
            else:
                unmapped.append(key)
        else:
            _state(stated, term, Rate(price(value)))
    _tiered(row.get("tiered_pricing"), base, stated, unmapped)
    hours = _off_peak(row.get("off_peak_pricing"), unmapped)
    _extras(row, base, unmapped)
    # A band without a base rate has nothing to replace: at standard conditions the unit stays unpriced.
    unmapped += baseless(base, [unit for banded in (stated, hours) for unit, said in banded.items() for _one in said])
    if not base:
        raise Unreadable("missing_price")
    table = {
        unit: UnitPrice(
            rate, tuple(_bands(unit, stated.get(unit, {}), hours.get(unit, []), unmapped, inclusive=inclusive))
        )
        for unit, rate in base.items()
    }
    return RateTable(_multiplied(row, table, unmapped))


def _as_made(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Move a maker's only price to the side of what it makes."""
    if any(value for key, value in row.items() if key.startswith("output_cost")):
        return row
    moved = {key: made for key in row if row[key] and (made := _made_key(key)) is not None}
    kept = {key: value for key, value in row.items() if key not in (*moved, *moved.values())}
    return {**kept, **{made: row[key] for key, made in moved.items()}}


def _made_key(key: str) -> str | None:
    for base, made in MADE.items():
        if key.startswith(base) and _SUFFIX.fullmatch(key[len(base) :]):
            return made + key[len(base) :]
    return None


def _state(stated: Stated, term: Term, rate: Rate) -> None:
    keep_dearer(stated.setdefault(term.unit, {}), (term.service_tier, term.input_tokens), rate)


def _bands(
    unit: Unit, said: Mapping[tuple[str | None, int | None], Rate], hours: list[Band], unmapped: list[str],
    *, inclusive: bool,
) -> Iterator[Band]:  # fmt: skip
    """Yield bands of lengths, of hours, then of each tier; the last that holds stays.

    Where a tier has no price of its own for long prompts, the dearer of the tier's and the long one counts: what
    nobody stated is not to be counted on as cheap.
    """
    lengths = sorted({tokens for _tier, tokens in said if tokens is not None})
    long = [
        Band(_length(tokens, None, inclusive=inclusive), said[None, tokens])
        for tokens in lengths
        if (None, tokens) in said
    ]
    yield from long
    for band in hours:
        yield from under(band.when, band.rate, long)
    for tier in sorted({tier for tier, _tokens in said if tier is not None}):
        current = said.get((tier, None))
        if current is not None:
            yield Band(_length(None, tier, inclusive=inclusive), current)
        elif tier not in DISCOUNTED:
            # Short prompts would cost the standard price, and may cost more.
            unmapped.append(f"{unit.value} {tier} price for long prompts alone")
            continue
        for tokens in lengths:
            own, standard = said.get((tier, tokens)), said.get((None, tokens))
            if own is not None:
                current = own
                yield Band(_length(tokens, tier, inclusive=inclusive), own)
            elif current is not None and standard is not None:
                yield Band(_length(tokens, tier, inclusive=inclusive), dearer(current, standard))


def _length(tokens: int | None, tier: str | None, *, inclusive: bool) -> When:
    if inclusive:
        return When(input_tokens_gte=tokens, service_tier=tier)
    return When(input_tokens_gt=tokens, service_tier=tier)


def _tiered(tiers: object, base: dict[Unit, Rate], stated: Stated, unmapped: list[str]) -> None:
    """Read ``[{range: [above, up to], …prices}]``; the lowest range is the base."""
    if tiers is None:
        return
    if not isinstance(tiers, list) or not all(
        isinstance(tier, dict) and isinstance(tier.get("range"), list) for tier in tiers
    ):
        unmapped.append("tiered_pricing")
        return
    for start, tier in sorted(((_start(tier["range"]), tier) for tier in tiers), key=itemgetter(0)):
        above = count(start)
        for key, value in tier.items():
            if key == "range":
                continue
            unit = _plain_unit(key)
            if unit is None:
                unmapped.append(f"tiered_pricing.{key}")
            elif above is None:
                rate = Rate(price(value))
                if base.setdefault(unit, rate) != rate:
                    unmapped.append(f"tiered_pricing.{key}")
            else:
                _state(stated, Term(unit, above, None), Rate(price(value)))


def _plain_unit(key: str) -> Unit | None:
    """Return what a key bills under no condition of its own."""
    term = term_of(key, "")
    return None if term is None or term != Term(term.unit, None, None) else term.unit


def _start(bounds: list[Any]) -> int | Decimal:
    start = bounds[0] if bounds else None
    if isinstance(start, bool) or not isinstance(start, int | Decimal):
        raise Unreadable("unreadable_condition")
    return start


def _off_peak(entry: object, unmapped: list[str]) -> dict[Unit, list[Band]]:
    """Read prices that hold in windows of the UTC day, on some weekdays."""
    if entry is None:
        return {}
    zone = entry.get("weekday_timezone", "UTC") if isinstance(entry, dict) else ""
    ahead = _ZONES.get(str(zone))
    windows = list(_windows(entry.get("windows"), ahead)) if isinstance(entry, dict) and ahead is not None else []
    if not isinstance(entry, dict) or not windows:
        unmapped.append("off_peak_pricing")
        return {}
    hours: dict[Unit, list[Band]] = {}
    for key, value in entry.items():
        if key in ("windows", "weekday_timezone"):
            continue
        unit = _plain_unit(key)
        if unit is None:
            unmapped.append(f"off_peak_pricing.{key}")
        else:
            rate = Rate(price(value))
            hours.setdefault(unit, []).extend(Band(window, rate) for window in windows)
    return hours


def _windows(windows: object, ahead: int) -> Iterator[When]:
    """Yield UTC windows; ``ahead`` is how many minutes the weekdays' own zone is ahead of UTC."""
    for window in windows if isinstance(windows, list) else []:
        if not isinstance(window, dict):
            raise Unreadable("unreadable_condition")
        hours, days = window.get("hours_utc"), window.get("weekdays") or []
        texts = [hours] if isinstance(hours, str) else hours
        if not isinstance(texts, list) or not isinstance(days, list) or not all(map(_is_weekday, days)):
            raise Unreadable("unreadable_condition")
        for text in texts:
            found = _HOURS.fullmatch(text) if isinstance(text, str) else None
            if found is None:
                raise Unreadable("unreadable_condition")
            start, end = (int(found[n]) * 60 + int(found[n + 1]) for n in (1, 3))
            if not days or not ahead:
                yield When(utc_start=start, utc_end=end, weekdays=frozenset(days))
            else:
                yield from _shifted(start, end, frozenset(days), ahead)


def _is_weekday(day: object) -> bool:
    return type(day) is int and 1 <= day <= 7  # noqa: PLR2004  # a week has seven days


def _shifted(start: int, end: int, days: frozenset[int], ahead: int) -> Iterator[When]:
    """Cut a window where the other zone's date changes: from then on its weekday is one ahead of the UTC one."""
    turn = DAY_MINUTES - ahead
    pieces = [(start, end)] if start < end else [(start, DAY_MINUTES), (0, end)]
    before = frozenset((day - 2) % 7 + 1 for day in days)
    for low, high in pieces:
        if low < min(high, turn):
            yield When(utc_start=low, utc_end=min(high, turn) % DAY_MINUTES, weekdays=days)
        if max(low, turn) < high:
            yield When(utc_start=max(low, turn), utc_end=high % DAY_MINUTES, weekdays=before)


def _extras(row: Mapping[str, Any], base: dict[Unit, Rate], unmapped: list[str]) -> None:
    searches = row.get("search_context_cost_per_query")
    if searches is not None and not isinstance(searches, dict):
        unmapped.append("search_context_cost_per_query")
    if isinstance(searches, dict):
        # The medium context is what the vendors use unless told otherwise.
        medium = searches.get(MEDIUM)
        if medium is not None:
            base[Unit.WEB_SEARCH] = Rate(price(medium))
        unmapped += [f"search_context_cost_per_query.{word}" for word, value in searches.items() if value != medium]
    files = row.get("file_search_cost_per_1k_calls")
    if files is not None:
        base[Unit.FILE_SEARCH] = Rate(price(files), THOUSAND)


def _multiplied(row: Mapping[str, Any], table: dict[Unit, UnitPrice], unmapped: list[str]) -> dict[Unit, UnitPrice]:
    """Add bands for conditions that LiteLLM states as a factor on every token price: a region, or a fast mode."""
    factors: list[tuple[str, str, Decimal]] = []
    for key, region in _REGIONS.items():
        if row.get(key) is not None:
            factors.append(("region", region, price(row[key])))
    special = row.get("provider_specific_entry")
    for word, value in (special if isinstance(special, dict) else {}).items():
        if isinstance(value, str | bool) or value is None:
            continue
        if word == "fast":
            factors.insert(0, ("service_tier", "fast", price(value)))
        elif word in ("us", "eu"):
            factors.append(("region", word, price(value)))
        else:
            unmapped.append(f"provider_specific_entry.{word}")
    for condition, value, factor in factors:
        table = {unit: _with_factor(unit, old, condition, value, factor) for unit, old in table.items()}
    return table


def _with_factor(unit: Unit, old: UnitPrice, condition: str, value: str, factor: Decimal) -> UnitPrice:
    if REGISTRY[unit].dimension is not Dimension.TOKEN:
        return old
    # A tier does not multiply another tier; a region multiplies whatever holds in it.
    free = [band for band in old.bands if getattr(band.when, condition) is None]
    added = (
        Band(replace(when, **{condition: value}), Rate(exactly(rate.usd, factor), rate.per))  # type: ignore[arg-type]  # by name
        for when, rate in ((ALWAYS, old.base), *((band.when, band.rate) for band in free))
    )
    return UnitPrice(old.base, (*old.bands, *added))
