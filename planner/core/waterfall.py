"""Why an invoice differs from the ledger: one term for every cause that a stated fact shows, and the rest as it is.

Every step from the ledger's amount to the invoice's is an amount of its own, rounded once to 1e-12 USD: the ledger's
usage, the same at the invoice's quantity, in its bands, at its list price, after its discounts, as it was written down,
and in our own exchange rate. A term is the difference of two neighbours, so that terms add up to the last digit with
nothing fitted in. What lies between two steps that no fact tells apart is the residual.

Source: maths.md 2.12.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from operator import add
from typing import Any, NamedTuple

from planner.core.errors import NotFound
from planner.core.fx import FxRate, to_usd
from planner.core.invoice import InvoiceLine, Kind
from planner.core.money import PICO, half_even, to_pico
from planner.core.units import Unit

_ONE = Decimal(1)

PROMPT = frozenset({Unit.INPUT, Unit.CACHE_READ, Unit.CACHE_WRITE_5M, Unit.CACHE_WRITE_1H})
"""The parts of a prompt of text, which a provider and a ledger may divide in different ways."""

QUANTITIES = ("volume", "cache_split", "band", "price")
"""The causes that nobody can tell apart where one side states no quantity."""


class Terms(NamedTuple):
    """What each cause adds to the difference between invoice and ledger, in 1e-12 USD.

    ``missing``: only the invoice has it; ``extra``: only the ledger. ``unpriced``: the ledger counted it without a
    price. ``volume`` is (T_inv - T_led) * p_led and ``price`` (p_inv - p_led) * T_inv, both at the ledger's discount.
    ``cache_split``: the same prompts, divided otherwise. ``band``: another known rate of our own card, or a part of a
    cost the ledger knows in bounds only. ``discount``: another share of the list price is charged than was booked.
    ``fee``: what a channel takes, invoiced and not booked. ``fx``: the invoice's exchange rate is not ours.
    ``rounding``: within half of the invoice's last digit. ``residual``: what no stated fact explains.
    """

    missing: int = 0
    extra: int = 0
    unpriced: int = 0
    volume: int = 0
    cache_split: int = 0
    band: int = 0
    price: int = 0
    discount: int = 0
    credit: int = 0
    fee: int = 0
    adjustment: int = 0
    tax: int = 0
    fx: int = 0
    rounding: int = 0
    residual: int = 0

    @property
    def total(self) -> int:
        """The difference: invoice less ledger."""
        return sum(self)

    def __add__(self, other: tuple[Any, ...]) -> "Terms":
        return Terms._make(map(add, self, other))


class Stated(NamedTuple):
    """What an invoice states for usage, in 1e-12 USD at the exchange rate it states itself.

    ``quantity`` None is not stated. ``listed`` is before discounts, None where that is not stated; ``net`` what its own
    unit price comes to, else the amount; ``rounded`` how far it wrote that up or down; ``amount`` what is written;
    ``booked`` the amount at our own exchange rate.
    """

    quantity: int | None
    listed: int | None
    net: int
    rounded: int
    amount: int
    booked: int

    @classmethod
    def of(cls, line: InvoiceLine, rates: Sequence[FxRate], *, before_discounts: bool = False) -> "Stated | None":
        """Convert a line to dollars; None where neither it nor we know an exchange rate of its day.

        Args:
            line: the line.
            rates: our own exchange rates. Without one, the invoice's is taken for both; and the other way round.
            before_discounts: the invoice takes discounts off on lines of their own, so that a line of usage that does
                not say otherwise is at list price.
        """
        ours = _ours(line, rates)
        own = ours if line.usd_per_unit is None else Fraction(line.usd_per_unit)
        if own is None:
            return None
        amount = to_pico(Fraction(line.amount) * own)
        net, rounded = amount, 0
        if line.charged is not None:
            product, per = line.charged
            net = to_pico(Fraction(product) / per * own)
            coin = Fraction(PICO, 2 * 10**line.places) * own
            rounded = amount - net if abs(amount - net) <= coin else 0
        listed = None if line.list_amount is None else to_pico(Fraction(line.list_amount) * own)
        if listed is None and before_discounts:
            listed = net
        booked = amount if ours is None else to_pico(Fraction(line.amount) * ours)
        # What costs something and counts nothing has no price for each.
        return cls(line.quantity or None, listed, net, rounded, amount, booked)

    @property
    def rate(self) -> tuple[bool, Fraction | None]:
        """By what lines of one key may be added together: whether a list price is stated, and the price of one."""
        price = self.net if self.listed is None else self.listed
        # Lines of one rate that take each other back leave nothing of either.
        rate = Fraction(price, self.quantity) if self.quantity else Fraction()
        return self.listed is not None, None if self.quantity is None else rate

    def plus(self, other: "Stated") -> "Stated":
        """Add a line of the same rate."""
        quantity = None if self.quantity is None else self.quantity + (other.quantity or 0)
        listed = None if self.listed is None else self.listed + (other.listed or 0)
        return Stated(quantity, listed, *map(add, self[2:], other[2:]))


def _ours(line: InvoiceLine, rates: Sequence[FxRate]) -> Fraction | None:
    try:
        return Fraction(to_usd(_ONE, line.currency, line.last_moment.date(), rates))
    except NotFound:
        return None


class Booked(NamedTuple):
    """What the ledger has, in 1e-12 USD: ``listed`` at list price, ``net`` after discount, ``paid`` with fees.

    ``quantity`` has a price, ``unpriced`` has none. ``spread`` is how much more it may have cost after discount, where
    the ledger knows bounds only. ``whole``: a part of the cost is of requests as a whole, and of no unit.
    """

    quantity: int = 0
    unpriced: int = 0
    listed: int = 0
    net: int = 0
    paid: int = 0
    spread: int = 0
    whole: bool = False

    def plus(self, other: "Booked") -> "Booked":
        """Add what is booked under the same key."""
        quantity, unpriced, listed, net, paid, spread, whole = map(add, self, other)
        return Booked(quantity, unpriced, listed, net, paid, spread, bool(whole))


@dataclass(slots=True)
class Pair:
    """Both sides of one key. ``known`` are all list rates our cards have for the unit, in 1e-12 USD for one.

    ``base`` is the rate without conditions, None where no card of ours is known.
    """

    unit: Unit | None = None
    ours: Booked | None = None
    theirs: list[Stated] = field(default_factory=list)
    known: frozenset[Fraction] = frozenset()
    base: Fraction | None = None

    @property
    def quantity(self) -> int | None:
        """How many the invoice states; None where one of its lines does not say."""
        stated = [one.quantity for one in self.theirs]
        return None if None in stated else sum(filter(None, stated))

    @property
    def counted(self) -> bool:
        """Whether both sides say how many."""
        return self.quantity is not None and (self.ours is None or not self.ours.whole)


def explain(pairs: Sequence[Pair]) -> list[Terms]:
    """Return the terms of each key; together they are the difference between invoice and ledger, exactly.

    Args:
        pairs: the keys of one time, provider and model, each of another unit: what a prompt was divided into shows
            in all of them together.
    """
    split = _divided(pairs)
    listed = sum(pair.ours.listed for pair in split if pair.ours is not None)
    net = sum(pair.ours.net for pair in split if pair.ours is not None)
    share = Fraction(net, listed) if listed else Fraction(1)
    return [_terms(pair, share if any(pair is one for one in split) else None) for pair in pairs]


def _divided(pairs: Sequence[Pair]) -> list[Pair]:
    """Return the parts of a prompt where both sides have as many tokens in all, and divide them otherwise."""
    parts = [pair for pair in pairs if pair.unit in PROMPT]
    if not all(pair.counted and not (pair.ours and pair.ours.unpriced) for pair in parts):
        return []
    ours = [0 if pair.ours is None else pair.ours.quantity for pair in parts]
    theirs = [pair.quantity or 0 for pair in parts]
    return parts if sum(ours) == sum(theirs) and ours != theirs else []


def _terms(pair: Pair, split: Fraction | None) -> Terms:
    ours, amount = pair.ours, sum(one.amount for one in pair.theirs)
    fx = sum(one.booked for one in pair.theirs) - amount
    if ours is None and split is None:
        return Terms(missing=amount, fx=fx)
    ours = ours or Booked()
    fee = ours.net - ours.paid
    if not pair.theirs and split is None:
        return Terms(extra=-ours.net, fee=fee)
    if ours.unpriced and not (ours.quantity or ours.listed or ours.net):
        return Terms(unpriced=amount, fx=fx)
    if split is None and _as_booked(pair, ours):
        return Terms(fee=fee, fx=fx)
    return (_counted(pair, ours, split) if pair.counted else _uncounted(pair, ours)) + Terms(fee=fee, fx=fx)


def _as_booked(pair: Pair, ours: Booked) -> bool:
    """Tell whether an invoice states exactly what is booked: of most keys, so that nothing is computed for them."""
    one = pair.theirs[0]
    return (
        len(pair.theirs) == 1
        and (one.quantity, one.net, one.amount) == (ours.quantity, ours.net, ours.net)
        and one.listed in (None, ours.listed)
        and not ours.unpriced
        and not one.rounded
    )


def _counted(pair: Pair, ours: Booked, split: Fraction | None) -> Terms:
    """Explain a key of which both sides say how many."""
    quantity = pair.quantity or 0
    share, rate = _share(ours, split), Fraction()
    if ours.quantity:
        rate = Fraction(ours.listed, ours.quantity)
    elif quantity:
        # A part of a prompt that only the invoice has: at our card's rate, or without a card at the invoice's own.
        rate = _added(_listed(one, share) for one in pair.theirs) / quantity if pair.base is None else pair.base
    priced = _round(share * rate * (ours.quantity + ours.unpriced)) if ours.unpriced else ours.net
    at_quantity = _round(share * rate * quantity)
    own = [one for one in pair.theirs if one.rate[1] is not None and _listed_rate(one, share) in pair.known]
    band = _round(share * _added(_listed(one, share) - rate * (one.quantity or 0) for one in own))
    at_list, net = _before_discounts(pair, share), sum(one.net for one in pair.theirs)
    price = at_list - at_quantity - band
    spread = _round(Fraction(ours.spread * quantity, ours.quantity)) if ours.quantity else 0
    if 0 <= price <= spread:
        band, price = band + price, 0
    moved = at_quantity - priced
    rounding = sum(one.rounded for one in pair.theirs)
    return Terms(
        unpriced=priced - ours.net,
        volume=moved if split is None else 0,
        cache_split=0 if split is None else moved,
        band=band,
        price=price,
        discount=net - at_list,
        rounding=rounding,
        residual=sum(one.amount for one in pair.theirs) - net - rounding,
    )


def _uncounted(pair: Pair, ours: Booked) -> Terms:
    """Explain a key of which a side does not say how many: only what was taken off a stated list price shows."""
    net, amount = sum(one.net for one in pair.theirs), sum(one.amount for one in pair.theirs)
    at_list, rounding = _before_discounts(pair, _share(ours, None)), sum(one.rounded for one in pair.theirs)
    return Terms(
        discount=net - at_list, rounding=rounding, residual=(at_list - ours.net) + (amount - net - rounding)
    )  # fmt: skip


def _share(ours: Booked, split: Fraction | None) -> Fraction:
    """Return the share of the list price that the ledger expects to be charged."""
    if ours.listed:
        return Fraction(ours.net, ours.listed)
    return Fraction(1) if split is None else split


def _listed(one: Stated, share: Fraction) -> Fraction:
    """Return what a line costs at list price; where it states none, before the discount the ledger expects."""
    if one.listed is not None:
        return Fraction(one.listed)
    return one.net / share if share else Fraction(one.net)


def _listed_rate(one: Stated, share: Fraction) -> Fraction:
    return _listed(one, share) / (one.quantity or 1)


def _before_discounts(pair: Pair, share: Fraction) -> int:
    """Return what the invoice comes to at its list prices and the ledger's discount."""
    return _round(_added(Fraction(one.net) if one.listed is None else share * one.listed for one in pair.theirs))


def _added(amounts: Iterable[Fraction]) -> Fraction:
    return sum(amounts, Fraction())


def _round(pico: Fraction) -> int:
    return half_even(pico.numerator, pico.denominator)


def stated_terms(kind: Kind, one: Stated) -> Terms:
    """Return the terms of a line that is no usage: it states its cause itself."""
    return Terms(fx=one.booked - one.amount)._replace(**{kind.value: one.amount})


def indistinct(pair: Pair, terms: Terms) -> tuple[str, ...]:
    """Return the causes that cannot be told apart under a key, since a side does not state what it takes."""
    if pair.ours is None or not pair.theirs:
        return ()
    unlisted = any(one.listed is None for one in pair.theirs)
    if not pair.counted:
        return (*QUANTITIES, "discount") if unlisted else QUANTITIES
    return ("price", "discount") if unlisted and terms.price else ()


def within(difference: int, sides: Iterable[int], relative: Fraction, absolute: int) -> bool:
    """Tell whether a difference is small: against the larger of both sides, or at all."""
    return abs(difference) <= absolute or abs(difference) <= relative * max(map(abs, sides))
