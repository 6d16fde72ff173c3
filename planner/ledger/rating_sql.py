"""The query that rates usage in bulk: rows and prices joined half-open in time, amounts and sums in whole numbers.

It is written so that other engines can run it as well: no NULL in what is compared or grouped by, moments as
microseconds since 1970 in UTC, one price for each row and never the last one before it, sums of 128 bits, and nothing
rounded but by the rule that is spelled out here. What engines spell differently stands in the functions of this module
and nowhere else.

Source: stack.md, "portable rating": as-of joins, NULLs of outer joins and 64-bit sums gave other results on other
engines, silently.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from planner.core.periods import SLOT_SECONDS
from planner.core.units import Unit
from planner.core.usage import COUNTS
from planner.ledger.rating_tables import MICROS, NO_RATE, NO_TIER, Shape, kinds, piece_columns

WITHOUT_TIER, NOTHING_COUNTED = -1, -2
"""Why a row has none: the tier has no price, or nothing is known of it but that it was a request."""

_ZERO = "0"
_JOINED = ("name", "since", "until", "shortest", "longer", "minute_from", "minute_to", "weekdays")
_MINUTE, _DAY = 60 * MICROS, 86_400 * MICROS


class Grain(StrEnum):
    """A stretch of time over which rows are summed up."""

    SLOT = "slot"
    DAY = "day"
    MONTH = "month"
    ALL = "all"


_SLOTS = {
    Grain.SLOT: f"us // {SLOT_SECONDS * MICROS}",
    Grain.DAY: f"us // {_DAY} * {_DAY // (SLOT_SECONDS * MICROS)}",
    Grain.MONTH: f"epoch_us(date_trunc('month', make_timestamp(us))) // {SLOT_SECONDS * MICROS}",
    Grain.ALL: _ZERO,
}
KEYS = ("slot", "piece", "head", "used", "why", "certain", "priced_by")
"""What rows are told apart by: ``used`` has a bit for each unit, if the name of a band depends on it."""


class Partition(NamedTuple):
    """Expressions over the counts of a row: its disjoint units, the length of its prompt, and what has to hold."""

    units: Mapping[Unit, str]
    prompt: str
    nets: tuple[str, ...]
    """What is negative where a part is larger than its whole."""
    read: str
    written: str
    lifetimes: str


def _plus(*terms: str) -> str:
    found = [term for term in terms if term != _ZERO]
    return f"({' + '.join(found)})" if len(found) > 1 else found[0] if found else _ZERO


def _less(whole: str, *parts: str) -> str:
    taken = [part for part in parts if part != _ZERO]
    return f"({' - '.join([whole, *taken])})" if taken else whole


def partition(counted: Sequence[str], inside: str) -> Partition:
    """Return the partition of rows with these counts, as `planner.core.usage.Usage` makes it.

    Args:
        counted: the canonical counts that rows have; a column of this name each, never NULL.
        inside: a condition: the prompt contains what was read from a cache and written to it.
    """
    c = {name: name if name in counted else _ZERO for name in COUNTS}
    lifetimes = _plus(c["cache_write_5m_tokens"], c["cache_write_1h_tokens"])
    written = c["cache_write_tokens"] if lifetimes == _ZERO else f"greatest({c['cache_write_tokens']}, {lifetimes})"
    read = c["cache_read_tokens"]
    beside = _plus(read, written)
    prompt = c["input_tokens"]
    if beside != _ZERO:
        prompt = _plus(prompt, f"(CASE WHEN {inside} THEN 0 ELSE {beside} END)")
    media = [c[f"input_{kind}_tokens"] for kind in ("audio", "image", "video")]
    cached = [c[f"cache_read_{kind}_tokens"] for kind in ("audio", "image", "video")]
    media_out = [c[f"output_{kind}_tokens"] for kind in ("audio", "image", "video")]
    nets = {
        Unit.INPUT: _plus(_less(prompt, read, written, *media), *cached),
        Unit.CACHE_READ: _less(read, *cached),
        Unit.CACHE_READ_AUDIO: cached[0],
        Unit.CACHE_READ_IMAGE: cached[1],
        Unit.CACHE_READ_VIDEO: cached[2],
        Unit.INPUT_AUDIO: _less(media[0], cached[0]),
        Unit.INPUT_IMAGE: _less(media[1], cached[1]),
        Unit.INPUT_VIDEO: _less(media[2], cached[2]),
        Unit.CACHE_WRITE_5M: _less(written, c["cache_write_1h_tokens"]),
        Unit.CACHE_WRITE_1H: c["cache_write_1h_tokens"],
        Unit.OUTPUT: _less(c["output_tokens"], c["reasoning_tokens"], *media_out),
        Unit.REASONING: c["reasoning_tokens"],
        Unit.OUTPUT_AUDIO: media_out[0],
        Unit.OUTPUT_IMAGE: media_out[1],
        Unit.OUTPUT_VIDEO: media_out[2],
        Unit.PAGE: _less(c["pages"], c["annotated_pages"]),
        Unit.ANNOTATED_PAGE: c["annotated_pages"],
        # A row is one request unless it says otherwise.
        Unit.REQUEST: c["requests"] if "requests" in counted else "1",
        **{unit: c[name] for unit, name in _PLAIN.items()},
    }
    used = {unit: net for unit, net in nets.items() if net != _ZERO}
    split = tuple(net for net in used.values() if " - " in net)
    return Partition(used, prompt, split, read, written, lifetimes)


_PLAIN = {
    Unit.WEB_SEARCH: "web_searches", Unit.FILE_SEARCH: "file_searches", Unit.QUERY: "queries",
    Unit.INPUT_PICTURE: "input_images", Unit.PICTURE: "images", Unit.INPUT_PIXEL: "input_pixels",
    Unit.OUTPUT_PIXEL: "output_pixels", Unit.AUDIO_SECOND: "audio_seconds",
    Unit.OUTPUT_AUDIO_SECOND: "output_audio_seconds", Unit.VIDEO_SECOND: "video_seconds",
    Unit.OUTPUT_VIDEO_SECOND: "output_video_seconds", Unit.CHARACTER: "characters",
    Unit.OUTPUT_CHARACTER: "output_characters",
}  # fmt: skip


def impossible(parts: Partition) -> str:
    """Return the condition under which counts contradict each other."""
    found = [f"{net} < 0" for net in parts.nets]
    if "greatest" in parts.written:
        whole = parts.written.removeprefix("greatest(").partition(",")[0]
        found.append(f"({whole} > 0 AND {parts.lifetimes} > {whole})")
    return " OR ".join(found) or "FALSE"


def amount(quantity: str, pico: str, per: str) -> str:
    """Return what so many units cost in 1e-12 USD, rounded once, half to even."""
    whole = f"({quantity} * {pico})"
    rest = f"(2 * ({whole} % {per}))"
    up = f"{rest} > {per} OR ({rest} = {per} AND ({whole} // {per}) % 2 = 1)"
    return f"CASE WHEN {per} = 1 THEN {whole} ELSE {whole} // {per} + CASE WHEN {up} THEN 1 ELSE 0 END END"


def rating(
    told: str, parts: Partition, shape: Shape, *, names_on: str, heads_on: str, stated: bool, grain: Grain = Grain.SLOT
) -> str:
    """Return the query of sums: for each stretch of time, piece, combination of heads, and whatever tells rows apart.

    Its columns are those of `KEYS`, the number of rows, what they stated, and for each unit its quantity and its
    amounts by `planner.ledger.rating_tables.kinds`.

    Args:
        told: a query of rows: ``us``, counts, ``stated`` in 1e-12 USD, and what names and heads are joined by.
        parts: the partition of its counts.
        shape: what the pieces differ in.
        names_on: how a row finds its name.
        heads_on: how it finds its heads.
        stated: whether rows may state a cost.
        grain: over which stretches rows are summed up; each stands at its first slot.
    """
    units = list(parts.units)
    quantities = ", ".join(f"{net} AS {unit}" for unit, net in parts.units.items())
    why = _why(parts, shape)
    mask = " + ".join(f"(CASE WHEN {unit} > 0 THEN {1 << place} ELSE 0 END)" for place, unit in enumerate(units))
    keys = {
        "slot": _SLOTS[grain],
        "piece": "piece",
        "head": "head",
        "used": f"CASE WHEN varied = 1 THEN {mask} ELSE 0 END" if shape.varied else _ZERO,
        "why": why,
        "certain": " AND ".join(f"{_cost(unit, 'low')} = {_cost(unit, 'high')}" for unit in shape.high) or "TRUE",
        "priced_by": "stated >= 0" if stated else "FALSE",
    }
    sums = ["count(*) AS n", f"sum({'CASE WHEN stated > 0 THEN stated ELSE 0 END' if stated else _ZERO}) AS stated"]
    for unit in units:
        sums.append(f"sum({unit}) AS {unit}")
        free = f"CASE WHEN {why} = 0 THEN {{}} ELSE 0 END" if why != _ZERO else "{}"
        sums += [f"sum({free.format(_cost(unit, kind))}) AS {unit}_{kind}" for kind in kinds(unit, shape)]
    places = ", ".join(str(place + 1) for place in range(len(keys)))
    rows = ", ".join(("us", "head", *(("stated",) if stated else ()), *units))
    prices = ", ".join(name for name, _type in piece_columns(units, shape) if name not in _JOINED)
    return f"""
WITH told AS ({told}),
used AS (
    SELECT us, name, head, {parts.prompt} AS prompt, {"stated, " if stated else ""}{quantities}
    FROM told JOIN names ON {names_on} JOIN heads ON {heads_on}
),
priced AS (
    SELECT {rows}, {prices} FROM used JOIN pieces ON {_held(shape)}
)
SELECT {", ".join(f"{text} AS {name}" for name, text in keys.items())}, {", ".join(sums)}
FROM priced GROUP BY {places}"""


def _cost(unit: Unit, kind: str) -> str:
    return amount(unit, f"{unit}_{kind}_pico", f"{unit}_{kind}_per")


def _held(shape: Shape) -> str:
    found = ["pieces.name = used.name", "used.us >= pieces.since", "used.us < pieces.until"]
    if shape.lengths:
        found += ["used.prompt >= pieces.shortest", "used.prompt < pieces.longer"]
    if shape.clocked:
        minute = f"((used.us // {_MINUTE}) % 1440)"
        # Counted from a Monday: the first of January 1970 was a Thursday.
        day = f"((used.us // {_DAY} + 3) % 7)"
        found += [f"{minute} >= pieces.minute_from", f"{minute} < pieces.minute_to"]
        found.append(f"(pieces.weekdays >> {day}) % 2 = 1")
    return " AND ".join(found)


def nothing_used(parts: Partition) -> str:
    """Return the condition under which a row used nothing but requests."""
    return " AND ".join(f"{net} = 0" for unit, net in parts.units.items() if unit is not Unit.REQUEST) or "TRUE"


def _why(parts: Partition, shape: Shape) -> str:
    """Return why a row has no price: 0 if it has one, or one more than the place of the unit without a rate."""
    asked = [(place, unit) for place, unit in enumerate(parts.units) if unit in shape.whys]
    cases = [f"WHEN {unit} > 0 AND {unit}_why = {NO_RATE} THEN {place + 1}" for place, unit in asked]
    cases += [f"WHEN {unit} > 0 AND {unit}_why = {NO_TIER} THEN {WITHOUT_TIER}" for _place, unit in asked]
    if shape.bare:
        used = nothing_used(parts._replace(units={unit: unit for unit in parts.units}))
        cases.insert(0, f"WHEN unasked = 1 AND {used} THEN {NOTHING_COUNTED}")
    return f"(CASE {' '.join(cases)} ELSE 0 END)" if cases else _ZERO
