"""Revenue comes in: each item is taken or refused for itself, and the order in which they come decides nothing."""

from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from planner.core.money import pico_text
from planner.core.periods import windows, zone_of
from planner.core.revenue import Item, Kind
from planner.core.revenue_lines import month_lines
from planner.core.statement import Takings
from planner.flows import earnings, joining, rebook
from planner.flows.close import reopen
from planner.flows.second import By
from planner.store import plans, revenue
from planner.store.customers import Assignment
from planner.store.engine import Store
from tests.ledger_books import NOON, SEPTEMBER, catch_up, close, statuses

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


def paid(store: Store, *customers: str) -> dict[str, str]:
    """Return the revenue that stands of some customers, in dollars; "" is nobody in particular."""
    return {customer: pico_text(takings.revenue) for customer, takings in standing(store, *customers).items()}


def standing(store: Store, *customers: str) -> dict[str, Takings]:
    """Return what stands of some customers."""
    with store.read() as connection:
        lines = revenue.standing(connection, customers).values()
    found = dict.fromkeys(customers, Takings())
    for line in lines:
        found[line.customer] = found[line.customer].plus(line.takings)
    return found


@pytest.mark.parametrize(
    "facts",
    [
        {"usd": "100000000000000000000"},
        {"usd": "1", "fee": Decimal(10**20)},
        {"usd": "10", "tax": Decimal("10.01")},
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


@pytest.mark.parametrize("was", ["c1", None])
def test_an_item_that_becomes_another_customers_is_no_longer_the_first_ones(store: Store, was: str | None) -> None:
    """Its source may say something newer, and said of the same money that it was paid by somebody else."""
    september: dict[str, Any] = {"kind": Kind.SUBSCRIPTION, "end": OCTOBER}
    take(store, item(customer=was, **september))
    assert paid(store, was or "", "c2") == {was or "": "10", "c2": "0"}
    assert take(store, item(customer="c2", usd="12", **september), mutable=True) == ["superseded"]
    assert paid(store, was or "", "c2") == {was or "": "0", "c2": "12"}


@pytest.mark.parametrize("kind", [Kind.RECOGNISED, Kind.INVOICE, Kind.SUBSCRIPTION])
@pytest.mark.parametrize("first", [0, 1])
def test_what_a_source_says_of_all_goes_before_the_payments_of_each_whenever_it_comes(
    store: Store, kind: Kind, first: int
) -> None:
    """It is the same money, and once it is taken back the payments count again."""
    told = [item("p"), item("n", kind, customer=None, end=OCTOBER)]
    take(store, told[first])
    take(store, told[1 - first])
    catch_up(store)
    assert paid(store, "", "c1") == {"": "10", "c1": "0"}
    take(store, item("n", Kind.REFUND, "1", customer=None), mutable=True)
    catch_up(store)
    assert paid(store, "", "c1") == {"": "0", "c1": "10"}


def test_the_second_that_a_source_says_of_all_makes_nobody_wait(store: Store) -> None:
    """Its payments give way to the first one already."""
    take(store, item("n", Kind.SUBSCRIPTION, customer=None, end=OCTOBER))
    catch_up(store)
    take(store, item("m", Kind.SUBSCRIPTION, customer=None, end=OCTOBER))
    with store.read() as connection:
        assert rebook.behind(connection) == 0


def test_what_was_booked_late_is_taken_back_where_it_was_booked(store: Store) -> None:
    """September was closed when ten dollars of it came, and is open again when they are fifteen: October has none."""
    close(store, "2026-09", NOON)
    take(store, item("p"))
    by = By(actor="ada", at=NOON, reason="checked")
    store.tell(lambda connection: reopen(connection, "2026-09", by))
    take(store, item("p", usd="15"), mutable=True)
    with store.read() as connection:
        cut = windows(SEPTEMBER.date(), date(2026, 11, 1), "month", zone_of("UTC"))
        found = revenue.sums(connection, cut, by_customer=False, booked=True, known_at=None)
    months: Counter[int] = Counter()
    for place, (takings, _lines) in found.items():
        months[place.window] += takings.revenue
    assert {month: pico_text(usd) for month, usd in months.items() if usd} == {0: "15"}


def test_a_fee_that_an_invoice_and_its_payment_state_counts_once_beside_what_is_recognised(store: Store) -> None:
    """The payment states it, and the invoice the same again: whose amounts count decides nothing about that."""
    recognised = item("r", Kind.RECOGNISED, "100", customer=None, end=OCTOBER)
    invoice, payment = item("i", Kind.INVOICE, "100", fee=Decimal(3)), item("p", usd="100", fee=Decimal(3))
    take(store, recognised, invoice, payment)
    found = standing(store, "", "c1")
    assert (pico_text(found[""].revenue), pico_text(found["c1"].revenue)) == ("100", "0")
    assert pico_text(found["c1"].fee) == "3"


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize(("net", "refunded"), [(False, "7"), (True, "0")])
def test_a_refund_of_nobody_is_taken_off_unless_its_source_states_net_revenue_of_each(
    store: Store, first: int, net: bool, refunded: str
) -> None:
    """A history of payments names no customers, and what the source recognises of each may be less the refund."""
    told = [
        item("r", Kind.RECOGNISED, "100", end=OCTOBER, net_of_refunds=net),
        item("b", Kind.REFUND, "7", customer=None, fee=Decimal(1)),
    ]
    take(store, told[first])
    take(store, told[1 - first])
    catch_up(store)
    found = standing(store, "", "c1")
    assert (pico_text(found["c1"].revenue), pico_text(found[""].refund), pico_text(found[""].fee)) == (
        "100", refunded, "1",
    )  # fmt: skip


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("whose", [("c1", None), (None, "c1")])
def test_a_source_that_says_later_that_its_revenue_is_net_takes_off_no_refund(
    store: Store, first: int, whose: tuple[str | None, str | None]
) -> None:
    """It recognised something of the month before, and did not say so then."""
    catch_up(store)
    recognised: dict[str, Any] = {"kind": Kind.RECOGNISED, "end": OCTOBER, "customer": whose[0]}
    told = [item("r", net_of_refunds=True, **recognised), item("b", Kind.REFUND, "7", customer=whose[1])]
    take(store, item("q", **recognised))
    take(store, told[first])
    take(store, told[1 - first])
    catch_up(store)
    assert pico_text(standing(store, whose[1] or "")[whose[1] or ""].refund) == "0"


def test_a_refund_beside_an_invoice_is_taken_off_where_it_was_paid_back(store: Store) -> None:
    """Billing sent the invoice, Stripe gave money back, and both say whose it was."""
    invoice = item("i", Kind.INVOICE, "100", source="billing", end=OCTOBER)
    take(store, invoice, item("b", Kind.REFUND, "7", start=datetime(2026, 9, 20, tzinfo=UTC)))
    (found,) = standing(store, "c1").values()
    assert (pico_text(found.revenue), pico_text(found.refund)) == ("100", "7")


def test_no_plans_price_takes_the_place_of_a_payment_that_is_told_elsewhere(store: Store) -> None:
    """The customer paid, and its payment is in what the source says of all."""
    pro = {"id": "pro", "name": "Pro", "price": "20", "currency": "USD", "period": "month", "policy": "x"}
    by, september = By(actor="ada", at=NOON, reason="signed"), Assignment("pro", SEPTEMBER, OCTOBER)

    def story(connection: Any) -> None:
        plans.write(connection, "pro", pro, at=datetime(2026, 8, 1, tzinfo=UTC), by="ada")
        joining.put(connection, "c1", "Acme", (), by)
        joining.assign(connection, "c1", september, by)

    store.tell(story)
    take(store, item("n", Kind.RECOGNISED, "500", customer=None, end=OCTOBER), item("p"))
    catch_up(store)
    assert paid(store, "", "c1") == {"": "500", "c1": "0"}


def test_an_item_of_nobody_books_its_own_months_anew(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody in particular may have most items of all, and most of them are of months that it says nothing of."""
    take(store, item("1", customer=None, start=datetime(2026, 3, 1, tzinfo=UTC)))
    booked: list[datetime] = []

    def counted(customer: str, items: Any, since: datetime, *more: Any) -> Any:
        booked.append(since)
        return month_lines(customer, items, since, *more)

    monkeypatch.setattr(earnings, "month_lines", counted)
    take(store, item("2", customer=None))
    assert booked == [SEPTEMBER]
    assert paid(store, "") == {"": "20"}
