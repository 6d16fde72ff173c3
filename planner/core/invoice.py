"""One line of a provider's invoice: what it charges for, in which currency, and what it says of itself."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from planner.core.errors import InvalidInput
from planner.core.money import exactly
from planner.core.units import Unit

QUANTITY_MAX = 10**15
AMOUNT_MAX = Decimal(10**9)
_MOMENT = timedelta(microseconds=1)

# Digits behind the point of a currency's smallest unit, where these are not two. Source: ISO 4217, list one.
_EXPONENTS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV"), 0),
    **dict.fromkeys(("XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}


class Kind(StrEnum):
    """What a line is: usage, or one of the lines that are none and each explain themselves."""

    USAGE = "usage"
    CREDIT = "credit"
    DISCOUNT = "discount"
    FEE = "fee"
    TAX = "tax"
    ADJUSTMENT = "adjustment"
    ROUNDING = "rounding"


# What lowers an invoice. A credit that is taken back is an adjustment.
_LOWERING = (Kind.CREDIT, Kind.DISCOUNT)


def minor_places(currency: str) -> int:
    """Return how many digits behind the point a currency's smallest unit has."""
    return _EXPONENTS.get(currency, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceLine:
    """One line as who sends the bill states it.

    ``source`` and ``id`` are counted once. ``amount`` is what the line adds to the invoice, in ``currency`` (three
    capital letters): after discounts of the line itself, and less than nothing for a credit or a discount.
    ``usd_per_unit`` is the exchange rate the invoice states for itself. ``provider`` is who runs the models, or with a
    ``channel`` other than ``direct`` whoever the broker named. The line is of ``start`` (inclusive) to ``end``
    (exclusive), or of the moment ``start``.

    Of usage ``unit`` is the kind of token or other unit, ``quantity`` how many, ``list_amount`` what they cost before
    discounts, and ``unit_price`` what one ``per`` of them is charged at. What is None is not stated.
    """

    source: str
    id: str
    kind: Kind
    amount: Decimal
    currency: str
    start: datetime
    provider: str | None = None
    channel: str = "direct"
    end: datetime | None = None
    usd_per_unit: Decimal | None = None
    model: str | None = None
    unit: Unit | None = None
    quantity: int | None = None
    list_amount: Decimal | None = None
    unit_price: Decimal | None = None
    per: int = 1
    service_tier: str | None = None
    project: str | None = None
    key: str | None = None
    description: str | None = None

    def __post_init__(self) -> None:
        """Refuse what no line can be.

        Raises:
            InvalidInput: names the field that cannot be.
        """
        if not self.id or not self.source:
            raise InvalidInput("id", "a source and an id are needed")
        if self.provider is None and self.channel == "direct":
            raise InvalidInput("provider", "who sends the bill is needed")
        if len(self.currency) != 3 or not (self.currency.isascii() and self.currency.isupper()):  # noqa: PLR2004  # ISO 4217
            raise InvalidInput("currency", "three capital letters are needed, such as USD")
        self._check_times()
        self._check_amounts()
        self._check_quantity()

    def _check_times(self) -> None:
        for name in ("start", "end"):
            moment = getattr(self, name)
            if moment is not None and moment.tzinfo is None:
                raise InvalidInput(name, "a moment with its offset from UTC is needed")
        if self.end is not None and self.end <= self.start:
            raise InvalidInput("end", "later than start is needed")

    def _check_amounts(self) -> None:
        for name in ("amount", "list_amount", "unit_price"):
            value = getattr(self, name)
            if value is not None and not (value.is_finite() and abs(value) <= AMOUNT_MAX):
                raise InvalidInput(name, f"at most {AMOUNT_MAX:f} on one line")
        if self.kind in _LOWERING and self.amount > 0:
            raise InvalidInput("amount", f"a {self.kind} lowers the invoice: write it with a minus")
        if self.usd_per_unit is not None and (self.usd_per_unit <= 0 or self.currency == "USD"):
            raise InvalidInput("usd_per_unit", "dollars for one unit of another currency are needed, more than 0")

    def _check_quantity(self) -> None:
        stated = [name for name in ("unit", "quantity", "list_amount", "unit_price") if getattr(self, name) is not None]
        if self.kind is not Kind.USAGE and stated:
            raise InvalidInput(stated[0], "only a line of usage has one")
        if self.quantity is not None and (self.unit is None or abs(self.quantity) > QUANTITY_MAX):
            raise InvalidInput("quantity", f"at most {QUANTITY_MAX} of a unit that is named")
        if self.unit_price is not None and self.quantity is None:
            raise InvalidInput("unit_price", "a quantity beside it is needed")
        if not 1 <= self.per <= QUANTITY_MAX:
            raise InvalidInput("per", "1 unit or more is needed")

    @property
    def party(self) -> str:
        """Who is paid: the broker, or the provider itself."""
        return self.provider or "" if self.channel == "direct" else self.channel

    @property
    def last_moment(self) -> datetime:
        """The last moment it is of, in UTC: its day is that of the exchange rate."""
        return (self.start if self.end is None else self.end - _MOMENT).astimezone(UTC)

    @property
    def charged(self) -> tuple[Decimal, int] | None:
        """Its unit price times its quantity, and per how many units that is; None where it does not state both."""
        if self.unit_price is None or self.quantity is None:
            return None
        return exactly(self.unit_price, Decimal(self.quantity)), self.per

    @property
    def places(self) -> int:
        """How many digits behind the point its amount is written with, and at least those of the smallest coin."""
        exponent = self.amount.as_tuple().exponent
        written = -exponent if isinstance(exponent, int) else 0
        return max(written, minor_places(self.currency))
