"""The unit price of a FOCUS row: price times quantity is the cost, for who reckons in decimals or in doubles.

FOCUS wants a unit price on every row that has a ``SkuPriceId``, and that its product with the quantity is the cost
(ListUnitPrice, ListCost, PricingQuantity). Whoever checks a file reckons in doubles and allows for no difference. So a
price is, in this order:

1. a decimal of at most 12 places, for the unit of price lists, for a thousand, or for one, whichever has a product that
   is the cost to the last digit both in decimals and in doubles: nearly always where one price was in force;
2. where a day saw several prices, or a discount left no such decimal, the mean price, written as the double whose
   product is the cost as a double;
3. where no double is, the price of all there was as one unit, such as ``2600 Tokens``.

Source: github.com/FinOps-Open-Cost-and-Usage-Spec/FOCUS_Spec, columns ListUnitPrice, ContractedUnitPrice, ListCost,
ContractedCost, PricingQuantity and PricingUnit, and UnitFormat for the units.
"""

import math
from collections.abc import Sequence
from decimal import Context, Decimal, Inexact
from typing import NamedTuple

from planner.core.money import plain

_PLACES_MAX = 12
_PICO_PLACES = 12
_EXACT = Context(prec=60)


class Priced(NamedTuple):
    """What is priced, how many of that there were, and the unit prices of list and contract, as texts."""

    unit: str
    quantity: str
    listed: str
    contracted: str


def priced(quantity: int, noun: str, costs: tuple[int, int], scales: Sequence[int]) -> Priced | None:
    """Return unit prices for the costs at list price and by contract; None where no price explains them.

    Args:
        quantity: single tokens, requests or whatever ``noun`` says; less than 0 where they were taken back.
        noun: what is counted, in the plural.
        costs: of list and contract, in 1e-12 USD.
        scales: the powers of ten of the units that a price may be for, the preferred one first.
    """
    if not quantity or any(cost * quantity < 0 for cost in costs):
        return None
    for price in (_decimal, _double):
        for scale in scales:
            count = Decimal(quantity).scaleb(-scale, _EXACT)
            listed, contracted = (price(cost, count) for cost in costs)
            if listed is not None and contracted is not None:
                return Priced(noun if scale == 0 else f"{10**scale} {noun}", plain(count), listed, contracted)
    sign = 1 if quantity > 0 else -1
    listed, contracted = (plain(_dollars(sign * cost)) for cost in costs)
    return Priced(f"{abs(quantity)} {noun}", str(sign), listed, contracted)


def _dollars(pico: int) -> Decimal:
    return Decimal(pico).scaleb(-_PICO_PLACES, _EXACT)


def _decimal(pico: int, count: Decimal) -> str | None:
    context = _EXACT.copy()
    context.clear_flags()
    cost = _dollars(pico)
    price = context.divide(cost, count).normalize(context)
    exponent = price.as_tuple().exponent
    short = isinstance(exponent, int) and -exponent <= _PLACES_MAX
    if context.flags[Inexact] or not short or float(price) * float(count) != float(cost):
        return None
    return plain(price)


def _double(pico: int, count: Decimal) -> str | None:
    found = _decimal(pico, count)
    if found is not None:
        return found
    cost, number = float(_dollars(pico)), float(count)
    mean = cost / number
    near = (mean, math.nextafter(mean, 0), math.nextafter(mean, math.inf))
    return next((plain(Decimal(repr(price))) for price in near if price * number == cost), None)
