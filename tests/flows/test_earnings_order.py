"""Items of many kinds in any order: what stands is what booking everything anew comes to."""

from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from random import Random
from typing import Any

import pytest

from planner.core.revenue import Item, Kind
from planner.flows import earnings
from planner.store import plans, revenue, work
from planner.store.engine import Store
from tests.ledger_books import NOON, catch_up

MONTHS = [datetime(2026, month, 1, tzinfo=UTC) for month in range(5, 12)]
CUSTOMERS = (None, None, "c1", "c2")


def some(dice: Random, id_: str) -> Item:
    """Make an item of any kind, of somebody or nobody, of a moment or of some months."""
    first = dice.randrange(len(MONTHS) - 1)
    end = dice.choice([None, MONTHS[dice.randrange(first + 1, len(MONTHS))]])
    return Item(
        source=dice.choice(["stripe", "paypal"]), id=id_, kind=dice.choice(list(Kind)), currency="USD",
        amount=Decimal(dice.randrange(1, 100)), fee=dice.choice([None, Decimal(1)]), start=MONTHS[first], end=end,
        customer=dice.choice(CUSTOMERS), plan=dice.choice([None, "month", "year"]),
        net_of_refunds=dice.random() < 0.2,
    )  # fmt: skip


def take(store: Store, *items: Item) -> None:
    """Take items in, which may say something newer."""
    store.tell(lambda connection: earnings.take(connection, items, at=NOON, by="test", mutable=True))


def standing(store: Store) -> list[Any]:
    """Return every line that stands, whatever its row."""
    with store.read() as connection:
        return sorted(map(str, revenue.standing(connection, ["", "c1", "c2"]).values()))


@pytest.mark.parametrize("seed", range(8))
def test_in_whatever_order_items_come_and_change_the_same_stands(store: Store, seed: int) -> None:
    """Piece by piece, some of them told anew with another customer, kind and month, or all of them anew."""
    dice = Random(seed)
    for period in ("month", "year"):
        document = {
            "id": period, "name": period, "price": "20", "currency": "USD", "period": period, "policy": "x",
            "payment_fee_percent": "3",
        }  # fmt: skip
        store.tell(partial(plans.write, plan=period, written=document, at=MONTHS[0], by="ada"))
    # A new month has everybody booked anew: it is noted before, so that it mends nothing.
    catch_up(store)
    # Each of them always has something, so that all of them are booked anew.
    take(store, *(Item(source="first", id=str(customer), kind=Kind.FEE, amount=Decimal(1), currency="USD",
                       start=MONTHS[0], customer=customer) for customer in (None, "c1", "c2")))  # fmt: skip
    for _piece in range(15):
        # Of 10 ids each source tells some again, as something else.
        take(store, *(some(dice, str(dice.randrange(10))) for _ in range(dice.choice([1, 1, 1, 6]))))
        catch_up(store)
        piecewise = standing(store)
        store.tell(lambda connection: work.add(connection, "revenue", {"everybody": True}, NOON))
        assert catch_up(store).lines == 0
        assert standing(store) == piecewise
