"""The most one request can cost before it is sent: more tokens than its prompt can have, at the dearest rate."""

from collections.abc import Iterable
from fractions import Fraction

from planner.core.errors import Unpriced
from planner.core.money import PICO
from planner.core.price import RateTable
from planner.core.units import Unit

TEMPLATE_TOKENS = 512
"""What a provider may put around a conversation: its template, and a system prompt of its own."""
MESSAGE_TOKENS = 16
"""What marks the beginning and the end of one message."""
_INPUT = (Unit.INPUT, Unit.CACHE_READ, Unit.CACHE_WRITE_5M, Unit.CACHE_WRITE_1H)
_OUTPUT = (Unit.OUTPUT, Unit.REASONING)


def prompt_tokens_max(texts: Iterable[str]) -> int:
    """Return more tokens than a conversation of these messages can have.

    A token stands for one byte of UTF-8 at least, in every tokenizer that can write any text at all; what text really
    has is a quarter of that.

    Example:
        >>> prompt_tokens_max(["Grüße"])
        535
    """
    return TEMPLATE_TOKENS + sum(len(text.encode()) + MESSAGE_TOKENS for text in texts)


def attempt_usd_max(input_tokens: int, output_tokens: int, rates: RateTable, service_tier: str) -> Fraction:
    """Return what a request of at most so many tokens costs at most, at list price in USD.

    Whatever its length, its hour and its region, and whether its prompt is read from a cache, written to one or
    neither: the dearest rate counts that its service tier may have.

    Raises:
        Unpriced: input or output has no rate. Unknown is not free.
    """
    missing = tuple(unit for unit in (Unit.INPUT, Unit.OUTPUT) if unit not in rates)
    if missing:
        raise Unpriced(units=missing, service_tier=service_tier)
    spent = input_tokens * _dearest(rates, _INPUT, service_tier) + output_tokens * _dearest(
        rates, _OUTPUT, service_tier
    )
    return (spent + _dearest(rates, (Unit.REQUEST,), service_tier)) / PICO


def _dearest(rates: RateTable, units: Iterable[Unit], service_tier: str) -> Fraction:
    """Return the dearest rate of these units in 1e-12 USD; 0 where none of them has one."""
    stated = (
        Fraction(rate.pico, rate.pico_per)
        for unit in units
        if unit in rates
        for when, rate in rates[unit].stated()
        if when.service_tier in (None, service_tier)
    )
    return max(stated, default=Fraction())
