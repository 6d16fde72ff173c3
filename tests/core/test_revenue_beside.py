"""Items whose amounts are told elsewhere: what they cost to be paid counts, and no plan's price takes their place."""

from decimal import Decimal

import pytest

from planner.core.money import PICO
from planner.core.revenue import Basis, Item, Kind
from planner.core.revenue_lines import Known, month_lines
from planner.core.statement import Takings
from tests.core.test_revenue_lines import AUGUST, JULY, NOVEMBER, OCTOBER, SEPTEMBER, item, plan, sums


@pytest.mark.parametrize(
    ("beside", "fees"),
    [
        ((item(Kind.INVOICE, fee=Decimal(3)), item(fee=Decimal(3))), "3"),
        ((item(Kind.INVOICE, start=SEPTEMBER, end=NOVEMBER, fee=Decimal(3)), item()), "3"),
        ((item(Kind.INVOICE, start=AUGUST, end=NOVEMBER, fee=Decimal(3)),), "0"),
        ((item(start=AUGUST, fee=Decimal(3)),), "0"),
        ((item(),), "0"),
    ],
)
def test_of_an_item_that_is_told_elsewhere_its_fee_counts(beside: tuple[Item, ...], fees: str) -> None:
    """Once, whole and in the month in which the item begins, and nothing of its amount does."""
    found = month_lines("acme", (), SEPTEMBER, OCTOBER, Known(), (), beside)
    assert sums(list(found)) == ["0", "0", fees, "0", "0"]
    assert all(line.takings.fee for line in found)


def test_a_month_that_is_paid_for_elsewhere_has_no_plans_price() -> None:
    """It rests on what was said of it; what counts goes before."""
    known, on = Known(plans={"pro": plan("20")}), [("pro", JULY, None)]
    beside = [item(Kind.INVOICE)]
    assert month_lines("acme", (), SEPTEMBER, OCTOBER, known, on, beside) == ()
    (line,) = month_lines("acme", [item()], SEPTEMBER, OCTOBER, known, on, beside)
    assert (line.basis, line.takings.revenue) == (Basis.CASH, 20 * PICO)


def test_a_fee_in_a_currency_without_a_rate_is_named_beside_an_amount_told_elsewhere() -> None:
    """Nobody knows how many dollars it is, and it was paid."""
    (line,) = month_lines("acme", (), SEPTEMBER, OCTOBER, Known(), (), [item(currency="JPY", fee=Decimal(300))])
    assert (line.unconverted, line.takings) == ("JPY -300", Takings())
