"""Revenue comes in: each item is taken or refused for itself, and the order in which they come decides nothing."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from planner.core.revenue import Item, Kind
from planner.flows import earnings
from planner.store.engine import Store
from tests.ledger_books import NOON, SEPTEMBER, statuses

OCTOBER = datetime(2026, 10, 1, tzinfo=UTC)


def item(id_: str = "1", kind: Kind = Kind.CASH, usd: str = "10", **facts: Any) -> Item:
    """Make an item of ``c1``, at the beginning of September."""
    said = {"source": "stripe", "currency": "USD", "start": SEPTEMBER, "customer": "c1", **facts}
    return Item(id=id_, kind=kind, amount=Decimal(usd), **said)


def take(store: Store, *items: Item, mutable: bool = False) -> list[str]:
    """Take items in, and return what became of each."""
    return statuses(
        store.tell(lambda connection: earnings.take(connection, items, at=NOON, by="test", mutable=mutable))
    )


@pytest.mark.parametrize(
    "facts",
    [
        {"usd": "100000000000000000000"},
        {"usd": "1", "fee": Decimal(10**20)},
        {"usd": "100000000000000000000", "currency": "XXX"},
        {"kind": Kind.SUBSCRIPTION, "end": datetime(9999, 12, 31, tzinfo=UTC)},
        {"kind": Kind.SUBSCRIPTION, "end": datetime(2099, 12, 31, tzinfo=UTC)},
        {"start": datetime(1899, 12, 30, tzinfo=UTC)},
    ],
)
def test_an_item_that_cannot_be_is_refused_alone(store: Store, facts: dict[str, Any]) -> None:
    """The items it came with are taken, and it is not on record: with what it should have been it comes again."""
    assert take(store, item("a"), item("b", **facts), item("c")) == ["stored", "invalid", "stored"]
    assert take(store, item("b")) == ["stored"]
