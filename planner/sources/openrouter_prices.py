"""OpenRouter's pricing object: decimal text in USD per single unit, with overrides by length and hour."""

import re
from collections.abc import Mapping
from typing import Any

from planner.core.price import ALWAYS, Band, Rate, RateTable, UnitPrice, When
from planner.core.units import Unit
from planner.sources.reading import Unreadable, count, price

# `image` equals the prompt price in every recorded answer that has it (87 of 87 on 2026-07-22), so it is a price
# per image token, not per picture. `input_cache_write` is the five-minute cache.
UNITS: dict[str, Unit] = {
    "prompt": Unit.INPUT,
    "completion": Unit.OUTPUT,
    "request": Unit.REQUEST,
    "image": Unit.INPUT_IMAGE,
    "image_token": Unit.INPUT_IMAGE,
    "image_output": Unit.OUTPUT_IMAGE,
    "audio": Unit.INPUT_AUDIO,
    "audio_output": Unit.OUTPUT_AUDIO,
    "input_audio_cache": Unit.CACHE_READ_AUDIO,
    "web_search": Unit.WEB_SEARCH,
    "internal_reasoning": Unit.REASONING,
    "input_cache_read": Unit.CACHE_READ,
    "input_cache_write": Unit.CACHE_WRITE_5M,
    "input_cache_write_1h": Unit.CACHE_WRITE_1H,
}
# The listed prices already include the discount: multiplying again would count it twice.
IGNORED = frozenset({"discount", "overrides"})
_CONDITIONS = frozenset({"min_prompt_tokens", "utc_start", "utc_end", "utc_days"})
_CLOCK = re.compile(r"([01][0-9]|2[0-3])([0-5][0-9])", re.ASCII)
_DAYS = {"mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6, "sun": 7}


def rate_table(pricing: object, unmapped: list[str]) -> RateTable:  # noqa: C901  # one pass over one object
    """Read a pricing object; a key nobody has mapped is added to ``unmapped``.

    Raises:
        Unreadable: prompt or completion is missing, negative (the price depends on the request) or no number.
    """
    if not isinstance(pricing, dict):
        raise Unreadable("missing_price")
    base: dict[Unit, Rate] = {}
    for key, value in pricing.items():
        unit = UNITS.get(key)
        if unit is not None:
            base[unit] = Rate(price(value))
        elif key not in IGNORED:
            unmapped.append(key)
    if Unit.INPUT not in base and Unit.OUTPUT not in base:
        raise Unreadable("missing_price")
    bands: dict[Unit, list[Band]] = {}
    overrides = pricing.get("overrides")
    if overrides is not None and not isinstance(overrides, list):
        unmapped.append("overrides")
    for override in overrides if isinstance(overrides, list) else []:
        if not isinstance(override, dict):
            raise Unreadable("unreadable_condition")
        when = _when(override)
        for key, value in override.items():
            unit = UNITS.get(key)
            if unit is not None and unit in base:
                bands.setdefault(unit, []).append(Band(when, Rate(price(value))))
            elif key not in _CONDITIONS:
                _check_price(value)
                unmapped.append(f"overrides.{key}")
    # Later overrides win, and so do later bands: their order is kept as sent.
    return RateTable({unit: UnitPrice(rate, tuple(bands.get(unit, ()))) for unit, rate in base.items()})


def _check_price(value: object) -> None:
    """Refuse what is no price: it may be one more condition, and a price without its condition holds too often."""
    try:
        # Prices are sent as text, conditions as numbers, words and lists.
        price(value if isinstance(value, str) else None)
    except Unreadable:
        raise Unreadable("unreadable_condition") from None


def _when(override: Mapping[str, Any]) -> When:
    tokens = override.get("min_prompt_tokens")
    above = None if tokens is None else count(tokens)
    if tokens is not None and above is None:
        raise Unreadable("unreadable_condition")
    start, end = _minute(override.get("utc_start")), _minute(override.get("utc_end"))
    if (start is None) != (end is None):
        raise Unreadable("unreadable_condition")
    days = override.get("utc_days") or []
    if not isinstance(days, list):
        raise Unreadable("unreadable_condition")
    when = When(input_tokens_gt=above, utc_start=start, utc_end=end, weekdays=frozenset(map(_day, days)))
    if when == ALWAYS:
        # Conditions that were left out, or that nobody knows here, are not "always".
        raise Unreadable("unreadable_condition")
    return when


def _minute(text: object) -> int | None:
    if text is None:
        return None
    found = _CLOCK.fullmatch(text.replace(":", "")) if isinstance(text, str) else None
    if found is None:
        raise Unreadable("unreadable_condition")
    return int(found[1]) * 60 + int(found[2])


def _day(day: object) -> int:
    if type(day) is int and 1 <= day <= len(_DAYS):
        return day
    number = _DAYS.get(day[:3].lower()) if isinstance(day, str) else None
    if number is None:
        raise Unreadable("unreadable_condition")
    return number
