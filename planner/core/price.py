"""Rates with their bands: which rate of a price card holds for one request."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Context as DecimalContext
from decimal import Decimal, Inexact
from math import gcd
from typing import Self

from planner.core.errors import InvalidInput, Unpriced
from planner.core.money import PICO, half_even, parse_decimal, plain
from planner.core.units import FALLBACK, REGISTRY, SERVICE_TIERS, Dimension, Unit

DAY_MINUTES = 24 * 60
_WIDE = DecimalContext(prec=120)
# A fraction of at most 30 bits under a denominator of 30 has at most 10 + 30 digits.
_SHORT_BITS = 30


@dataclass(frozen=True, slots=True)
class Rate:
    """``usd`` dollars per ``per`` units, as the exact decimals of the source; never negative.

    ``pico`` / ``pico_per`` is the same rate in lowest terms, in 1e-12 USD per single unit.
    """

    usd: Decimal
    per: int = 1
    pico: int = field(init=False, compare=False, repr=False)
    pico_per: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse floats, negative and non-finite numbers, and reduce the fraction once."""
        if type(self.usd) is not Decimal:
            raise TypeError(f"a rate needs a Decimal, got {type(self.usd).__name__}")
        if not self.usd.is_finite() or self.usd < 0:
            raise InvalidInput("usd", "a rate is a finite decimal of at least 0")
        if type(self.per) is not int or self.per < 1:
            raise InvalidInput("per", "a rate is per 1 unit or more")
        numerator, denominator = self.usd.as_integer_ratio()
        # What is written down has to be read again. Few bits are few digits: only a rare rate is written to be counted.
        if denominator.bit_length() > _SHORT_BITS or (numerator * denominator).bit_length() > 2 * _SHORT_BITS:
            parse_decimal(plain(self.usd), field="usd")
        numerator, denominator = numerator * PICO, denominator * self.per
        shared = gcd(numerator, denominator)
        object.__setattr__(self, "pico", numerator // shared)
        object.__setattr__(self, "pico_per", denominator // shared)

    def amount_pico(self, quantity: int) -> int:
        """Return the price of ``quantity`` units, rounded once to 1e-12 USD, half-even."""
        if self.pico_per == 1:
            return quantity * self.pico
        return half_even(quantity * self.pico, self.pico_per)

    def usd_per_mtok(self) -> str:
        """Return dollars per million units, exact where that is a decimal, else rounded to 1e-12 USD."""
        context = _WIDE.copy()
        value = context.divide(context.multiply(self.usd, Decimal(1_000_000)), Decimal(self.per))
        if context.flags[Inexact]:
            value = value.quantize(Decimal(1).scaleb(-12), context=_WIDE)
        return plain(value)


@dataclass(frozen=True, slots=True)
class Context:
    """The circumstances of a request that a price may depend on, besides its length and its time."""

    service_tier: str = "standard"
    region: str | None = None

    def __post_init__(self) -> None:
        """Refuse a service tier planner has never heard of: guessing one would misprice in silence."""
        if self.service_tier not in SERVICE_TIERS:
            raise InvalidInput("service_tier", f"unknown; planner knows {', '.join(SERVICE_TIERS)}")


STANDARD = Context()


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """Conditions that must all hold. ``None`` (or no weekdays) means the condition is not set.

    ``input_tokens_gt`` / ``input_tokens_gte`` compare the total prompt. ``utc_start`` and ``utc_end`` are
    minutes of the UTC day, half-open, may wrap midnight, and are set together; equal ones are the whole
    day. ``weekdays`` are ISO days (Monday 1) of the UTC date of the request, also after midnight.
    """

    input_tokens_gt: int | None = None
    input_tokens_gte: int | None = None
    service_tier: str | None = None
    region: str | None = None
    utc_start: int | None = None
    utc_end: int | None = None
    weekdays: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        """Refuse conditions that cannot be read."""
        for name in ("input_tokens_gt", "input_tokens_gte"):
            bound = getattr(self, name)
            if bound is not None and (type(bound) is not int or bound < 0):
                raise InvalidInput(name, "a token count of at least 0 is needed")
        if self.service_tier is not None and self.service_tier not in SERVICE_TIERS:
            raise InvalidInput("service_tier", f"unknown; planner knows {', '.join(SERVICE_TIERS)}")
        if (self.utc_start is None) != (self.utc_end is None):
            raise InvalidInput("utc_start", "a window needs utc_start and utc_end")
        for minute in (self.utc_start, self.utc_end):
            if minute is not None and not 0 <= minute < DAY_MINUTES:
                raise InvalidInput("utc_start", "a time of day from 00:00 to 23:59 is needed")
        if not all(1 <= day <= 7 for day in self.weekdays):  # noqa: PLR2004  # a week has seven days
            raise InvalidInput("weekdays", "ISO weekdays are 1 (Monday) to 7 (Sunday)")

    @property
    def tokens_min(self) -> int:
        """The shortest prompt that meets the bounds on its length, in tokens."""
        above = -1 if self.input_tokens_gt is None else self.input_tokens_gt
        return max(above + 1, self.input_tokens_gte or 0)

    def holds(self, context: Context, input_tokens: int, at: datetime) -> bool:  # noqa: PLR0911  # one per condition
        """Tell whether every condition holds. ``at`` is in UTC; a condition whose context is absent is false."""
        if self.input_tokens_gt is not None and not input_tokens > self.input_tokens_gt:
            return False
        if self.input_tokens_gte is not None and not input_tokens >= self.input_tokens_gte:
            return False
        if self.service_tier is not None and self.service_tier != context.service_tier:
            return False
        if self.region is not None and self.region != context.region:
            return False
        if self.weekdays and at.isoweekday() not in self.weekdays:
            return False
        if self.utc_start is None or self.utc_end is None or self.utc_start == self.utc_end:
            return True
        minute = at.hour * 60 + at.minute
        if self.utc_start < self.utc_end:
            return self.utc_start <= minute < self.utc_end
        return minute >= self.utc_start or minute < self.utc_end


ALWAYS = When()


@dataclass(frozen=True, slots=True)
class Band:
    """A rate that replaces the base rate when its conditions hold."""

    when: When
    rate: Rate

    def __post_init__(self) -> None:
        """Refuse a band without conditions: it would be another base rate."""
        if self.when == ALWAYS:
            raise InvalidInput("when", "a band needs at least one condition")


@dataclass(frozen=True, slots=True)
class UnitPrice:
    """The base rate of one unit and its bands, general to specific: the last band that holds wins."""

    base: Rate
    bands: tuple[Band, ...] = ()

    def select(self, context: Context, input_tokens: int, at: datetime) -> Rate:
        """Return the rate in force for one request."""
        for band in reversed(self.bands):
            if band.when.holds(context, input_tokens, at):
                return band.rate
        return self.base

    def stated(self) -> Iterator[tuple[When, Rate]]:
        """Yield every rate with its conditions, in their order; the base rate's are none."""
        yield ALWAYS, self.base
        yield from ((band.when, band.rate) for band in self.bands)

    def offers_tier(self, service_tier: str) -> bool:
        """Tell whether some band is for this service tier."""
        return any(band.when.service_tier == service_tier for band in self.bands)


class RateTable(Mapping[Unit, UnitPrice]):
    """The rates of one price card by unit. Immutable; equal when every rate and band is equal."""

    __slots__ = ("_banded", "_flat", "_prices", "service_tiers")

    service_tiers: frozenset[str]
    """Service tiers other than standard that some band prices."""

    def __init__(self, prices: Mapping[Unit, UnitPrice] | Iterable[tuple[Unit, UnitPrice]]) -> None:
        """Keep the prices and precompute what every request needs."""
        self._prices = dict(prices)
        self._banded = tuple((unit, price) for unit, price in self._prices.items() if price.bands)
        self.service_tiers = frozenset(
            band.when.service_tier
            for _unit, price in self._banded
            for band in price.bands
            if band.when.service_tier not in (None, "standard")
        )
        self._flat = {unit: price.base for unit, price in self._prices.items()}

    @classmethod
    def flat(cls, rates: Mapping[Unit, Rate]) -> Self:
        """Build a table without bands."""
        return cls({unit: UnitPrice(rate) for unit, rate in rates.items()})

    def __getitem__(self, unit: Unit) -> UnitPrice:
        """Return the price of a unit that has its own rate."""
        return self._prices[unit]

    def __iter__(self) -> Iterator[Unit]:
        """Iterate over the units that have their own rate."""
        return iter(self._prices)

    def __len__(self) -> int:
        """Count the units that have their own rate."""
        return len(self._prices)

    def __hash__(self) -> int:
        """Hash by content, as equality is by content."""
        return hash(frozenset(self._prices.items()))

    def __repr__(self) -> str:
        """Show the prices."""
        return f"RateTable({self._prices!r})"

    @property
    def banded(self) -> bool:
        """Whether some rate depends on more than its unit."""
        return bool(self._banded)

    def selected(self, context: Context, input_tokens: int, at: datetime) -> Mapping[Unit, Rate]:
        """Return each unit's own rate in force for one request; fallbacks are not filled in."""
        if not self._banded:
            return self._flat
        chosen = dict(self._flat)
        for unit, price in self._banded:
            chosen[unit] = price.select(context, input_tokens, at)
        return chosen

    def rate_unit(self, unit: Unit) -> Unit | None:
        """Return the unit whose rate prices ``unit`` on this card: itself, its fallback, or none."""
        if unit in self._prices:
            return unit
        fallback = FALLBACK.get(unit)
        return fallback if fallback in self._prices else None

    def priced_units(self) -> Iterator[tuple[Unit, Unit]]:
        """Yield every unit this card prices with the unit whose rate does so."""
        yield from ((unit, unit) for unit in self._prices)
        yield from (pair for pair in FALLBACK.items() if pair[0] not in self._prices and pair[1] in self._prices)

    def check_tier(self, units: Iterable[Unit], context: Context) -> None:
        """Refuse a requested service tier that the card does not price.

        Tokens need a band of that tier of their own: the base rate would be another tier's price. Events,
        pages and the like keep their base rate as long as the card prices the tier somewhere.

        Raises:
            Unpriced: names the units without a rate in that tier.
        """
        tier = context.service_tier
        missing = [unit for unit in units if not self._tier_priced(unit, tier)]
        if missing:
            raise Unpriced(units=tuple(missing), service_tier=tier)

    def conditional_tiers(self) -> frozenset[str]:
        """Return service tiers that some kind of token has a rate for under further conditions only.

        Where these do not hold, the base rate would be charged, which is another tier's.
        """
        tokens = [price for unit, price in self._banded if REGISTRY[unit].dimension is Dimension.TOKEN]
        return frozenset(
            tier
            for price in tokens
            for tier in self.service_tiers
            if price.offers_tier(tier) and all(band.when != When(service_tier=tier) for band in price.bands)
        )

    def _tier_priced(self, unit: Unit, tier: str) -> bool:
        source = self.rate_unit(unit)
        if source is None or REGISTRY[unit].dimension is not Dimension.TOKEN:
            return tier in self.service_tiers
        return self._prices[source].offers_tier(tier)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where a price comes from: enough for a person to find the claim again."""

    source: str
    source_url: str
    observed_at: datetime
    payload_digest: str | None = None


@dataclass(frozen=True, slots=True)
class PriceCard:
    """What planner believes one offer costs from ``valid_from`` to before ``valid_to`` (None: until further notice)."""

    id: str
    offer: str
    valid_from: datetime
    valid_to: datetime | None
    rates: RateTable
    evidence: Evidence

    def in_force(self, at: datetime) -> bool:
        """Tell whether this card holds at a moment."""
        return self.valid_from <= at and (self.valid_to is None or at < self.valid_to)
