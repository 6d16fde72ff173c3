"""The prices of offers as a table that a query joins rows of usage with: whole numbers, and nothing left open."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from planner.core.rate_pieces import Piece
from planner.core.units import Unit

MICROS = 1_000_000
WIDE = "HUGEINT"
"""A whole number of 128 bits: sums of 1e-12 USD outgrow 64 bits at 9.2 million dollars."""
FOREVER, NEVER = 2**62, -(2**62)
"""The end of what has none, and its beginning, in microseconds: a price without an end must still be compared."""
NO_RATE, NO_TIER = 1, 2
"""Why a unit has no price in a piece."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)


def micros(moment: datetime | None, endless: int = 0) -> int:
    """Return a moment in microseconds since 1970; without one, its stand-in."""
    return endless if moment is None else (moment - EPOCH) // _MICRO


class Shape(NamedTuple):
    """What the pieces of a rating differ in, so that nothing is compared or summed that is the same everywhere.

    ``high`` are the units with bounds; ``listed``: what is paid is not always list price. ``whys`` are the units
    without a price somewhere, ``varied``: bands depend on which units a row used, ``bare``: some rows used nothing that
    is known but a request.
    """

    high: frozenset[Unit] = frozenset()
    listed: bool = False
    lengths: bool = False
    clocked: bool = False
    whys: frozenset[Unit] = frozenset()
    varied: bool = False
    bare: bool = False


def shape_of(pieces: Sequence[Piece], units: Sequence[Unit], *, bounded: bool, bare: bool) -> Shape:
    """Return what pieces differ in.

    Args:
        pieces: of all offers.
        units: those that rows may have used.
        bounded: rows do not say what a cache served.
        bare: see `Shape`.
    """
    priced = [piece for piece in pieces if piece.span.card is not None]
    return Shape(
        high=frozenset({Unit.INPUT}) & frozenset(units) if bounded else frozenset(),
        listed=any(piece.span.factor != 1 for piece in priced),
        lengths=len({piece.tokens for piece in priced}) > 1,
        clocked=len({(piece.minutes, piece.weekdays) for piece in priced}) > 1,
        whys=frozenset(unit for piece in priced for unit in piece.unpriced),
        varied=any(varied(piece, units) for piece in priced),
        bare=bare,
    )


def varied(piece: Piece, units: Iterable[Unit]) -> bool:
    """Tell whether the name of a band depends on which of these units a row used."""
    card = piece.span.card
    if card is None or not card.rates.banded:
        return False
    return len({piece.band([unit]) for unit in units if card.rates.rate_unit(unit) is not None}) > 1


def kinds(unit: Unit, shape: Shape) -> tuple[str, ...]:
    """Return which amounts of a unit are summed: at least, at most, and at list price, where these are not the same."""
    return "low", *(("high",) if unit in shape.high else ()), *(("listed",) if shape.listed else ())


def piece_columns(units: Sequence[Unit], shape: Shape) -> list[tuple[str, str]]:
    """Return the columns of the table of prices: name and type."""
    found = [(name, "BIGINT") for name in ("piece", "name", "since", "until")]
    found += [(name, "BIGINT") for name in ("shortest", "longer") if shape.lengths]
    found += [(name, "BIGINT") for name in ("minute_from", "minute_to", "weekdays") if shape.clocked]
    found += [("varied", "BIGINT")] if shape.varied else []
    found += [("unasked", "BIGINT")] if shape.bare else []
    for unit in units:
        found += [(f"{unit}_why", "BIGINT")] if unit in shape.whys else []
        found += [(f"{unit}_{kind}_{part}", WIDE) for kind in kinds(unit, shape) for part in ("pico", "per")]
    return found


def piece_row(number: int, name: int, piece: Piece, units: Sequence[Unit], shape: Shape) -> list[int]:
    """Return a piece as a row of the table of prices, for the rows of one name."""
    card = piece.span.card
    row = [number, name, micros(piece.span.since, NEVER), micros(piece.span.until, FOREVER)]
    if shape.lengths:
        row += [piece.tokens.start, piece.tokens.stop]
    if shape.clocked:
        # Monday is the lowest bit.
        row += [piece.minutes.start, piece.minutes.stop, sum(1 << (day - 1) for day in piece.weekdays)]
    if shape.varied:
        row.append(int(varied(piece, units)))
    if shape.bare:
        row.append(int(card is not None and card.rates.rate_unit(Unit.REQUEST) is None))
    for unit in units:
        if unit in shape.whys:
            reason = piece.unpriced.get(unit)
            row.append(0 if reason is None else NO_RATE if reason.startswith("no_rate") else NO_TIER)
        price = piece.prices.get(unit)
        for kind in kinds(unit, shape):
            row += [0, 1] if price is None else getattr(price, kind)
    return row
