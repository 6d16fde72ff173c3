"""Refunds are taken off once, in their own month, whatever its revenue rests on and whoever states them."""

from decimal import Decimal
from typing import Any

import pytest

from planner.core.revenue import Basis, Item, Kind
from planner.core.revenue_lines import Known, month_lines
from tests.core.test_revenue_lines import JULY, NOVEMBER, OCTOBER, SEPTEMBER, bases, item, lines, plan, sums

_STATING = [Kind.RECOGNISED, Kind.INVOICE, Kind.SUBSCRIPTION]


def refund(amount: str = "7", **facts: Any) -> Item:
    """Make a refund of which giving it back cost 0.50."""
    return item(Kind.REFUND, amount, **{"fee": Decimal("0.5"), **facts})


@pytest.mark.parametrize("kind", [*_STATING, Kind.CASH, None])
@pytest.mark.parametrize("source", ["stripe", "billing"])
def test_a_refund_is_taken_off_whatever_the_month_rests_on(kind: Kind | None, source: str) -> None:
    """The same source states it or another one; what it cost counts once."""
    said = [refund()] + ([] if kind is None else [item(kind, source=source)])
    found = lines(*said, on=[("pro", JULY, None)], plans=(plan("20"),))
    assert sums(found)[:3] == ["20", "7", "0.5"]


def test_a_refund_counts_in_its_own_month() -> None:
    """Whatever it gives back was earned in another one; a refund that failed is taken back."""
    assert sums(lines(item(), item(Kind.REFUND, "20", start=OCTOBER)))[:2] == ["20", "0"]
    october = lines(
        item(), item(Kind.REFUND, "20", start=OCTOBER), item(Kind.REFUND, "-5", id="failed", start=OCTOBER),
        month=(OCTOBER, NOVEMBER),
    )  # fmt: skip
    assert (sums(october)[:2], bases(october)) == (["0", "15"], {Basis.CASH})


@pytest.mark.parametrize("kind", _STATING)
@pytest.mark.parametrize(
    "reduced", [{"net_of_refunds": True}, {"amount": "-7", "id": "credit"}, {"amount": "-1", "source": "other"}]
)
def test_a_refund_that_its_basis_carries_is_not_taken_off_twice(kind: Kind, reduced: dict[str, Any]) -> None:
    """It says so, or credits something: of the refund only what it cost is left, and nothing of its tax."""
    said = [item(kind, "20", source="billing"), item(kind, **{"source": "billing", "id": "more", **reduced})]
    found = lines(*said, refund(tax=Decimal(1)))
    assert (sums(found)[1:3], [line.takings.tax for line in found if line.id == "refund"]) == (["0", "0.5"], [0])


@pytest.mark.parametrize("kind", _STATING)
def test_refunds_of_the_basis_go_before_those_of_another_source(kind: Kind) -> None:
    """They are the same, told by who sent the invoice and by who paid back; so are their fees."""
    said = [item(kind, source="billing"), refund("6", source="billing", fee=None), refund()]
    assert sums(lines(*said))[:3] == ["20", "6", "0.5"]
    assert sums(lines(*said, refund("1", id="2", source="billing", fee=Decimal(2))))[:3] == ["20", "7", "2"]


def test_a_fee_that_is_told_twice_of_a_refund_that_is_not_taken_off_counts_once() -> None:
    """The invoices carry it, and who sent them states its fee as well as who paid it back."""
    said = [item(Kind.INVOICE, source="billing", net_of_refunds=True), refund(source="billing", fee=Decimal(2))]
    assert sums(lines(*said, refund()))[:3] == ["20", "0", "2"]


def test_a_payment_that_failed_later_is_no_reason_to_leave_a_refund_out() -> None:
    """Payments below 0 and refunds are movements of their own."""
    assert sums(lines(item(), item(amount="-3", id="failed"), refund()))[:2] == ["17", "7"]


def test_a_refund_beside_what_is_told_elsewhere_is_taken_off_unless_that_is_net() -> None:
    """The month rests on an invoice whose amount counts among those of others."""
    for net, refunded in ((False, "7"), (True, "0")):
        invoice = item(Kind.INVOICE, net_of_refunds=net)
        found = month_lines("acme", [refund()], SEPTEMBER, OCTOBER, Known(), (), [invoice])
        assert sums(list(found))[:3] == ["0", refunded, "0.5"]


def test_a_refund_that_others_tell_too_is_one_of_the_basis_all_the_same() -> None:
    """Their name comes first in the alphabet, and it is no other refund for that."""
    said = [item(Kind.INVOICE, source="billing"), refund("6", source="billing"), refund("1", id="2", source="billing")]
    assert sums(lines(*said, refund("6", source="apart")))[:2] == ["20", "7"]


@pytest.mark.parametrize("knows", ["a", "b"])
def test_what_one_of_two_sources_knows_of_an_item_is_not_lost_with_it(knows: str) -> None:
    """Its fee and its tax: which of them is told first decides nothing."""
    said = [
        item(Kind.CASH, "20", source=source, **({"fee": Decimal(2), "tax": Decimal(3)} if source == knows else {}))
        for source in "ab"
    ]
    (line,) = lines(*said)
    assert (sums([line])[0], sums([line])[2], line.tax_unknown) == ("17", "2", False)
