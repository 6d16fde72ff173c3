"""The written form of a rate table: the same in the API, in the database and in the bundled catalogue.

A list of ``{"unit", "usd", "per", "bands": [{"when": {…}, "usd", "per"}]}``; ``usd`` is a decimal string,
``per`` may be left out of a band (the base's then holds), ``when`` has the keys of `planner.core.price.When` with
times of day as ``"HH:MM"`` and weekdays as a list.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from planner.core.errors import InvalidInput
from planner.core.money import parse_decimal, plain
from planner.core.price import Band, Rate, RateTable, UnitPrice, When
from planner.core.units import Unit

PER_MAX = 10**9
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
_ENTRY_KEYS = {"unit", "usd", "per", "bands"}
_BAND_KEYS = {"when", "usd", "per"}
_WHEN_KEYS = {"input_tokens_gt", "input_tokens_gte", "service_tier", "region", "utc_start", "utc_end", "weekdays"}


def write_rates(rates: RateTable) -> list[dict[str, Any]]:
    """Write a table, units in order of their names."""
    return [
        {"unit": unit.value, **_write_rate(price.base), **({"bands": bands} if bands else {})}
        for unit, price in sorted(rates.items())
        for bands in [[{"when": write_when(band.when), **_write_rate(band.rate)} for band in price.bands]]
    ]


def _write_rate(rate: Rate) -> dict[str, Any]:
    return {"usd": plain(rate.usd), "per": rate.per}


def write_when(when: When) -> dict[str, Any]:
    """Write the conditions of a band."""
    written: dict[str, Any] = {
        name: value
        for name in ("input_tokens_gt", "input_tokens_gte", "service_tier", "region")
        if (value := getattr(when, name)) is not None
    }
    if when.utc_start is not None and when.utc_end is not None:
        written["utc_start"] = f"{when.utc_start // 60:02d}:{when.utc_start % 60:02d}"
        written["utc_end"] = f"{when.utc_end // 60:02d}:{when.utc_end % 60:02d}"
    if when.weekdays:
        written["weekdays"] = sorted(when.weekdays)
    return written


def read_rates(entries: Sequence[Mapping[str, Any]]) -> RateTable:
    """Read a table.

    Raises:
        InvalidInput: an unknown unit or key, a unit listed twice, a rate that is not a decimal string of
            at least 0, a condition that cannot be read.
    """
    prices: dict[Unit, UnitPrice] = {}
    for place, entry in enumerate(entries):
        field = f"rates.{place}"
        _only(entry, _ENTRY_KEYS, field)
        try:
            unit = Unit(entry.get("unit", ""))
        except ValueError:
            raise InvalidInput(f"{field}.unit", "not a unit planner knows") from None
        if unit in prices:
            raise InvalidInput(f"{field}.unit", "a unit is listed twice")
        base = _read_rate(entry, field, per=1)
        listed = entry.get("bands") or ()
        if not isinstance(listed, Sequence) or isinstance(listed, str):
            raise InvalidInput(f"{field}.bands", "a list of bands is needed")
        bands = tuple(_read_band(band, f"{field}.bands.{index}", base.per) for index, band in enumerate(listed))
        prices[unit] = UnitPrice(base, bands)
    return RateTable(prices)


def check_entered(rates: RateTable, *, free: bool) -> None:
    """Refuse rates that a person enters and that leave open what something costs. ``free``: the offer is curated so.

    Raises:
        InvalidInput: a tier is priced under further conditions only, elsewhere the standard price would be charged; or
            everything costs nothing.
    """
    tier = min(rates.conditional_tiers(), default=None)
    if tier is not None:
        raise InvalidInput("rates", f"a band with service_tier {tier} and no other condition is needed too")
    if not free and all(not price.base.usd for price in rates.values()):
        raise InvalidInput("rates", "a price of nothing needs an offer that is curated as free")


def _read_band(band: Mapping[str, Any], field: str, per: int) -> Band:
    _only(band, _BAND_KEYS, field)
    return Band(_read_when(band.get("when"), f"{field}.when"), _read_rate(band, field, per=per))


def _read_rate(entry: Mapping[str, Any], field: str, *, per: int) -> Rate:
    usd = entry.get("usd")
    if not isinstance(usd, str):
        raise InvalidInput(f"{field}.usd", "a decimal string is needed")
    stated = entry.get("per", per)
    if type(stated) is not int or not 1 <= stated <= PER_MAX:
        raise InvalidInput(f"{field}.per", f"a rate is per 1 to {PER_MAX} units")
    try:
        return _rate(usd, stated)
    except InvalidInput as error:
        raise InvalidInput(f"{field}.usd", error.problem) from None


@lru_cache(maxsize=2**14)
def _rate(usd: str, per: int) -> Rate:
    """Thousands of offers share a few hundred prices."""
    return Rate(parse_decimal(usd), per)


def _read_when(when: object, field: str) -> When:
    if not isinstance(when, Mapping) or not when:
        raise InvalidInput(field, "a band needs at least one condition")
    _only(when, _WHEN_KEYS, field)
    weekdays = when.get("weekdays") or ()
    if not isinstance(weekdays, Sequence) or not all(type(day) is int for day in weekdays):
        raise InvalidInput(f"{field}.weekdays", "ISO weekdays are 1 (Monday) to 7 (Sunday)")
    return When(
        input_tokens_gt=when.get("input_tokens_gt"),
        input_tokens_gte=when.get("input_tokens_gte"),
        service_tier=when.get("service_tier"),
        region=when.get("region"),
        utc_start=_minute(when.get("utc_start"), f"{field}.utc_start"),
        utc_end=_minute(when.get("utc_end"), f"{field}.utc_end"),
        weekdays=frozenset(weekdays),
    )


def _minute(text: object, field: str) -> int | None:
    if text is None:
        return None
    found = _TIME.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise InvalidInput(field, 'a time of day such as "16:30" is needed')
    return int(found[1]) * 60 + int(found[2])


def _only(entry: object, keys: set[str], field: str) -> None:
    if not isinstance(entry, Mapping):
        raise InvalidInput(field, "an object is needed")
    if not entry.keys() <= keys:
        raise InvalidInput(field, "an unknown key is present")
