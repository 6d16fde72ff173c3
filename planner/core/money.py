"""Exact dollars: strict decimal text in, rational sums inside, one named rounding out.

A rate is an exact decimal of the source; a sum is a `fractions.Fraction` of one dollar; an amount that
leaves the core is an integer of 1e-12 USD ("pico"). Binary floats never enter: type checkers stop them in
our code and the guards here stop them in a shell, a test or a migration, where no checker runs.
"""

import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, localcontext
from fractions import Fraction

from planner.core.errors import InvalidInput

PICO = 10**12
"""Units of 1e-12 USD in one dollar."""

BUDGET_PLACES = 12

# Bounds before any arithmetic: a decimal such as 1e999999999 is small as text and endless as a number.
DIGITS_MAX = 40
EXPONENT_MAX = 30

_PLAIN = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?", re.ASCII)
_LOOSE = re.compile(r"-?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,3})?", re.ASCII)
_WIDE = Context(prec=200)


def parse_decimal(text: str, *, field: str = "amount") -> Decimal:
    """Read a plain decimal such as ``"0.06285"``; no exponent, sign ``+``, spaces or other digits.

    Raises:
        InvalidInput: the text is not a plain decimal of at most 40 digits.
    """
    if len(text) > DIGITS_MAX + 2 or not _PLAIN.fullmatch(text):
        raise InvalidInput(field, "a decimal string in plain notation is needed, at most 40 digits")
    return Decimal(text)


def parse_feed_decimal(text: str, *, field: str = "price") -> Decimal:
    """Read a decimal as feeds write it, exponents included (``"7.5E-8"``), within 40 digits and 1e±30.

    Raises:
        InvalidInput: not a finite decimal, or outside the bounds.
    """
    if len(text) > DIGITS_MAX + 8 or not _LOOSE.fullmatch(text):
        raise InvalidInput(field, "not a decimal number")
    value = Decimal(text)
    if value and abs(value.adjusted()) > EXPONENT_MAX:
        raise InvalidInput(field, "the exponent is out of bounds")
    return value


def plain(value: Decimal) -> str:
    """Write a decimal in canonical plain notation: no exponent, no trailing zeros, ``"0"`` for zero.

    Example:
        >>> plain(Decimal("7.50E-8"))
        '0.000000075'
    """
    if type(value) is not Decimal:
        raise TypeError(f"exact money needs a Decimal, got {type(value).__name__}")
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def exactly(one: Decimal, other: Decimal) -> Decimal:
    """Multiply two figures without losing a digit."""
    return _WIDE.multiply(one, other).normalize(_WIDE)


def half_even(numerator: int, denominator: int) -> int:
    """Divide two integers and round half to even. ``denominator`` is positive."""
    quotient, rest = divmod(numerator, denominator)
    twice = 2 * rest
    if twice > denominator or (twice == denominator and quotient & 1):
        quotient += 1
    return quotient


def to_pico(usd: Fraction) -> int:
    """Round an exact sum of dollars to 1e-12 USD, half-even."""
    return half_even(usd.numerator * PICO, usd.denominator)


def pico_text(pico: int) -> str:
    """Write an amount of 1e-12 USD as dollars in plain notation.

    Example:
        >>> pico_text(62_850_000_000)
        '0.06285'
    """
    sign = "-" if pico < 0 else ""
    whole, part = divmod(abs(pico), PICO)
    if not part:
        return f"{sign}{whole}"
    return f"{sign}{whole}.{part:012d}".rstrip("0")


def usd_text(usd: Fraction) -> str:
    """Write an exact sum as dollars, rounded once to 1e-12, half-even."""
    return pico_text(to_pico(usd))


def floor_text(usd: Fraction, places: int) -> str:
    """Write dollars rounded down to ``places`` decimals: for budgets and quotas."""
    return _directed(usd, places, ROUND_FLOOR)


def budget_text(usd: Fraction) -> str:
    """Write a budget in dollars, rounded down: what it allows is never too much."""
    return floor_text(usd, BUDGET_PLACES)


def ceiling_text(usd: Fraction, places: int) -> str:
    """Write dollars rounded up to ``places`` decimals: for price floors, which would miss their target rounded down."""
    return _directed(usd, places, ROUND_CEILING)


def _directed(usd: Fraction, places: int, rounding: str) -> str:
    scaled = usd * 10**places
    whole = scaled.numerator // scaled.denominator
    if rounding == ROUND_CEILING and whole != scaled:
        whole += 1
    with localcontext(_WIDE):
        return plain(Decimal(whole).scaleb(-places))


def ratio_text(ratio: Fraction, places: int = 4) -> str:
    """Write a ratio half-even with exactly ``places`` decimals, for display; comparisons use the exact ratio.

    Example:
        >>> ratio_text(Fraction(2, 3))
        '0.6667'
    """
    scaled = half_even(ratio.numerator * 10**places, ratio.denominator)
    sign = "-" if scaled < 0 else ""
    whole, part = divmod(abs(scaled), 10**places)
    return f"{sign}{whole}.{part:0{places}d}"
