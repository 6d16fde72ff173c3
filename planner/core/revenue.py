"""What customers paid or owe, said by many sources: one figure per customer and month, never two added together."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from planner.core.errors import InvalidInput


class Kind(StrEnum):
    """What a revenue item is, strongest first: of one customer and month only the strongest kind counts."""

    RECOGNISED = "recognised"
    INVOICE = "invoice"
    SUBSCRIPTION = "subscription"
    CASH = "cash"
    # These stand beside whichever of the above counts.
    REFUND = "refund"
    FEE = "fee"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One amount as a source states it.

    ``source`` and ``id`` are counted once. ``customer`` is the source's own id, ``price`` the id of what was bought.
    ``amount`` is the whole amount in ``currency`` (three capital letters), earned evenly from ``start`` (inclusive) to
    ``end`` (exclusive), or at ``start`` where there is no end. A refund is positive and lowers revenue; a fee is what
    payments cost. ``fee`` is what the payment of this item cost, in the same currency. ``tax`` is the part of
    the amount that is tax, None where the source does not say. A trial is worth 0, whatever its price.
    """

    source: str
    id: str
    kind: Kind
    amount: Decimal
    currency: str
    start: datetime
    end: datetime | None = None
    customer: str | None = None
    plan: str | None = None
    price: str | None = None
    fee: Decimal | None = None
    tax: Decimal | None = None
    trial: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what no item can be.

        Raises:
            InvalidInput: no id, a currency that is none, a moment without a zone, or an end before the beginning.
        """
        if not self.id or not self.source:
            raise InvalidInput("id", "a source and an id are needed")
        if len(self.currency) != 3 or not (self.currency.isascii() and self.currency.isupper()):  # noqa: PLR2004  # ISO 4217
            raise InvalidInput("currency", "three capital letters are needed, such as USD")
        for name in ("start", "end"):
            moment = getattr(self, name)
            if moment is not None and moment.tzinfo is None:
                raise InvalidInput(name, "a moment with its offset from UTC is needed")
        if self.end is not None and self.end <= self.start:
            raise InvalidInput("end", "later than start is needed")
