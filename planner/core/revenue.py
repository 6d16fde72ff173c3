"""What customers paid or owe, said by many sources: one figure per customer and month, never two added together."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
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


class Basis(StrEnum):
    """What the revenue of one customer and month rests on, strongest first; the plan's price where nothing is said."""

    RECOGNISED = "recognised"
    INVOICE = "invoice"
    SUBSCRIPTION = "subscription"
    CASH = "cash"
    PLAN = "plan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One amount as a source states it.

    ``source`` and ``id`` are counted once. ``customer`` is the source's own id, ``price`` the id of what was bought.
    ``amount`` is the whole amount in ``currency`` (three capital letters), earned evenly from ``start`` (inclusive) to
    ``end`` (exclusive), or at ``start`` where there is no end. A refund is positive and lowers revenue, and one that
    failed is negative; a fee is what payments cost. ``fee`` is what the payment of this item cost, in its currency.
    ``tax`` is the part of the amount that is tax, None where the source does not say. A trial is worth 0, whatever its
    price. ``net_of_refunds``: what was given back is taken off already, so that no refund is taken off beside it.
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
    net_of_refunds: bool = False
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
        if self.end is not None and self.end.astimezone(UTC) <= self.start.astimezone(UTC):
            raise InvalidInput("end", "later than start is needed")


def same_money(one: Item, other: Item) -> bool:
    """Tell whether two items state the same amount at the same time, so that one may be the other, told elsewhere.

    What only one of them states, such as a fee, is no difference; and neither is the second, where one of them knows a
    moment to the minute only.
    """
    coarse, fine = sorted((one.start, other.start))
    return (
        (one.kind, one.amount, one.currency, one.trial, one.end)
        == (other.kind, other.amount, other.currency, other.trial, other.end)
        and coarse in (fine, fine.replace(second=0, microsecond=0))
        and _agree(one.fee, other.fee)
        and _agree(one.tax, other.tax)
    )


def merge(old: Item, new: Item) -> Item | None:
    """Return an item that says what either of two says of the same money, or None where they contradict each other.

    Reports of one provider show the same transaction under the same id, and one of them knows more of it: who paid, or
    the second. What is on record stays and is completed; only labels may differ, and those on record stay too.

    Args:
        old: the item on record.
        new: another one with its source and id.
    """
    named = ("source", "id", "customer", "plan", "price")
    if not same_money(old, new) or not all(_agree(getattr(old, name), getattr(new, name)) for name in named):
        return None
    return replace(
        old,
        start=max(old.start, new.start),
        customer=old.customer or new.customer,
        plan=old.plan or new.plan,
        price=old.price or new.price,
        fee=new.fee if old.fee is None else old.fee,
        tax=new.tax if old.tax is None else old.tax,
        net_of_refunds=old.net_of_refunds or new.net_of_refunds,
        tags={**new.tags, **old.tags},
    )


def _agree(one: object, other: object) -> bool:
    return one is None or other is None or one == other
