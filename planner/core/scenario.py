"""What is supposed to be otherwise: other prices, offers, counts, caches, discounts, fees, plans and exchange rates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Context, Decimal
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple, TypeVar

from planner.core.errors import InvalidInput
from planner.core.price import Band, Rate, RateTable, UnitPrice
from planner.core.units import Unit
from planner.core.workload import MULTIPLIER_MAX

FACTOR_MAX = 1_000_000
"""More of anything is a slip of the pen, and no volume, count or price anybody supposes."""
_EXACT = 40
_WIDE = Context(prec=200)


class Dimension(StrEnum):
    """What may change, in the order in which it is put in the place of what was."""

    VOLUME = "volume"  # how many requests, and subscribers
    MIX = "mix"  # which offer serves them
    TOKENS = "token_intensity"  # how many tokens each takes
    CACHE = "cache"  # how much of a prompt is read from a cache and written to one
    PRICE = "price"  # what each costs by the list
    DISCOUNT = "discount"  # what was negotiated off it
    FEE = "fee"  # what the channel takes on top
    PLAN_PRICE = "plan_price"  # what customers pay
    FX = "fx"  # what a currency is worth


class Heads(NamedTuple):
    """What a row is of, as it is booked; "" is what nobody knows."""

    plan: str = ""
    task: str = ""
    customer: str = ""
    model: str = ""
    provider: str = ""
    offer: str = ""
    channel: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Of which rows or offers something holds: all that are of everything that is named, byte for byte."""

    plan: str | None = None
    task: str | None = None
    customer: str | None = None
    model: str | None = None
    provider: str | None = None
    offer: str | None = None
    channel: str | None = None

    def holds(self, heads: Heads) -> bool:
        """Tell whether a row or an offer is meant."""
        return all(getattr(self, name) in (None, value) for name, value in zip(heads._fields, heads, strict=True))


ALL = Where()


@dataclass(frozen=True, slots=True, kw_only=True)
class Intensity:
    """Rows that take other counts of text, because another model splits it otherwise, or reasons.

    ``reasoning_multiplier`` is whole over visible output; None leaves what was counted as reasoning, times the factor.
    """

    where: Where = ALL
    input_factor: Fraction = Fraction(1)
    output_factor: Fraction = Fraction(1)
    reasoning_multiplier: Fraction | None = None

    def __post_init__(self) -> None:
        """Refuse what no count can be multiplied by."""
        for name in ("input_factor", "output_factor"):
            _within(name.replace("_", "_token_"), getattr(self, name), Fraction(1, FACTOR_MAX), FACTOR_MAX)
        if self.reasoning_multiplier is not None:
            _within("reasoning_multiplier", self.reasoning_multiplier, Fraction(1), MULTIPLIER_MAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """Rows that another offer serves, and what they take there; ``intensity`` None: what other rules say, if any do."""

    where: Where = ALL
    to: str
    intensity: Intensity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Caching:
    """Rows of which so much of the prompt's text is read from a cache and written to one, for 5 minutes or an hour."""

    where: Where = ALL
    hit_share: Fraction
    write_share: Fraction = Fraction(0)
    for_an_hour: bool = False

    def __post_init__(self) -> None:
        """Refuse shares that are none."""
        _within("hit_share", self.hit_share, Fraction(0), 1)
        _within("write_share", self.write_share, Fraction(0), 1)
        if self.hit_share + self.write_share > 1:
            raise InvalidInput("write_share", "more is read and written than the prompt holds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repricing:
    """Offers whose list prices are so many percent higher, of some units or of all, or others altogether."""

    where: Where = ALL
    percent: Decimal | None = None
    units: frozenset[Unit] = frozenset()
    rates: RateTable | None = None

    def __post_init__(self) -> None:
        """Refuse neither and both, and less than nothing."""
        if (self.percent is None) == (self.rates is None):
            raise InvalidInput("prices", "each says either percent or rates")
        if self.percent is not None:
            _within("percent", Fraction(self.percent), Fraction(-100), 100 * FACTOR_MAX)

    def applied(self, table: RateTable) -> RateTable:
        """Return a table as it is supposed to be.

        Raises:
            InvalidInput: a price would have more digits than any price has.
        """
        if self.rates is not None:
            return RateTable({**table, **self.rates})
        times = 1 + Fraction(self.percent or 0) / 100
        return RateTable(
            {
                unit: _times(price, times) if not self.units or unit in self.units else price
                for unit, price in table.items()
            }
        )


def _times(price: UnitPrice, times: Fraction) -> UnitPrice:
    return UnitPrice(
        _scaled(price.base, times), tuple(Band(band.when, _scaled(band.rate, times)) for band in price.bands)
    )


def _scaled(rate: Rate, times: Fraction) -> Rate:
    # A percentage is a decimal, so its denominator divides a power of ten and goes into `per` where it must.
    value = Fraction(rate.usd) * times
    numerator, denominator = value.numerator, value.denominator
    for places in range(_EXACT + 1):
        if 10**places % denominator == 0:
            return Rate(Decimal(numerator * (10**places // denominator)).scaleb(-places, _WIDE), rate.per)
    raise InvalidInput("percent", f"a price of more than {_EXACT} decimals would come of it")


@dataclass(frozen=True, slots=True, kw_only=True)
class Discount:
    """A share of the list price, from 0 to 1, that is taken off at some offers, whatever was negotiated."""

    where: Where = ALL
    share: Fraction

    def __post_init__(self) -> None:
        """Refuse what nobody takes off."""
        _within("percent", 100 * self.share, Fraction(0), 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelFee:
    """What a channel takes on top of what is paid, or of the list price whatever is paid, in place of its own fees."""

    channel: str
    share: Fraction
    of_list: bool = False

    def __post_init__(self) -> None:
        """Refuse a fee below nothing."""
        _within("percent", 100 * self.share, Fraction(0), 100 * FACTOR_MAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChange:
    """A plan at another price, in its own currency, or with another number of subscribers; None: as it is."""

    plan: str
    price: Decimal | None = None
    subscribers: int | None = None


class Currency(NamedTuple):
    """What one unit of a currency is supposed to be worth, USD."""

    code: str
    usd_per_unit: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Everything that is supposed to be otherwise. Of several rules of one kind the first that holds counts.

    Only price changes add up: each that holds changes what the one before left. ``volume`` is how many times as many
    requests, ``prices_at`` the moment whose price list holds for all rows, whenever they were.
    """

    volume: Fraction | None = None
    swaps: tuple[Swap, ...] = ()
    intensities: tuple[Intensity, ...] = ()
    caches: tuple[Caching, ...] = ()
    prices_at: datetime | None = None
    prices: tuple[Repricing, ...] = ()
    discounts: tuple[Discount, ...] = ()
    fees: tuple[ChannelFee, ...] = ()
    plans: tuple[PlanChange, ...] = ()
    fx: Currency | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be multiplied by, and a plan that is said to be two things."""
        if self.volume is not None:
            _within("volume", self.volume, Fraction(0), FACTOR_MAX)
        if len({change.plan for change in self.plans}) < len(self.plans):
            raise InvalidInput("plans", "each plan once")
        if self.fx is not None and self.fx.usd_per_unit <= 0:
            raise InvalidInput("fx", "a rate above 0 is needed")

    @property
    def changed(self) -> tuple[Dimension, ...]:
        """What is supposed to be otherwise, in the order in which it is put in place."""
        said: Mapping[Dimension, object] = {
            Dimension.VOLUME: self.volume is not None or any(one.subscribers is not None for one in self.plans),
            Dimension.MIX: self.swaps,
            Dimension.TOKENS: self.intensities or any(one.intensity is not None for one in self.swaps),
            Dimension.CACHE: self.caches,
            Dimension.PRICE: self.prices or self.prices_at,
            Dimension.DISCOUNT: self.discounts,
            Dimension.FEE: self.fees,
            Dimension.PLAN_PRICE: any(one.price is not None for one in self.plans),
            Dimension.FX: self.fx,
        }
        return tuple(dimension for dimension in Dimension if said[dimension])

    @property
    def names_customers(self) -> bool:
        """Whether some rule is of a customer's rows."""
        rules: tuple[Swap | Intensity | Caching, ...] = (*self.swaps, *self.intensities, *self.caches)
        return any(rule.where.customer is not None for rule in rules)

    def intensity(self, heads: Heads) -> Intensity | None:
        """Return what other counts a row takes: those of the offer that serves it then go before all others."""
        swap = first(self.swaps, heads)
        return first(self.intensities, heads) if swap is None or swap.intensity is None else swap.intensity


NOTHING_ELSE = Scenario()

Rule = TypeVar("Rule", Swap, Intensity, Caching, Discount)


def first(rules: Sequence[Rule], heads: Heads) -> Rule | None:
    """Return the first rule that holds, if any does."""
    return next((rule for rule in rules if rule.where.holds(heads)), None)


def _within(field: str, value: Fraction, least: Fraction, most: int) -> None:
    if not least <= value <= most:
        raise InvalidInput(field, f"from {least} to {most} is needed")
