"""Lines of invoices: what none can be, what they say of themselves, and that they are written and read unchanged."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from planner.core.errors import InvalidInput
from planner.core.invoice import InvoiceLine, Kind, minor_places
from planner.core.invoice_form import read_line, write_line
from planner.core.units import Unit

DAY = datetime(2026, 9, 1, tzinfo=UTC)
USAGE: dict[str, Any] = {"kind": Kind.USAGE, "unit": Unit.INPUT, "quantity": 1_000}


def line(**more: Any) -> InvoiceLine:
    """Make a line of tax, unless it says something else."""
    said = {
        "source": "bill", "id": "1", "kind": Kind.TAX, "amount": Decimal("1.90"), "currency": "EUR", "start": DAY,
        "provider": "acme",
    }  # fmt: skip
    return InvoiceLine(**{**said, **more})


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"id": ""}, "id"),
        ({"source": ""}, "id"),
        ({"provider": None}, "provider"),
        ({"currency": "euro"}, "currency"),
        ({"currency": "eur"}, "currency"),
        ({"start": datetime(2026, 9, 1)}, "start"),  # noqa: DTZ001  # that is the mistake
        ({"end": DAY}, "end"),
        ({"amount": Decimal("1e10")}, "amount"),
        ({"amount": Decimal("NaN")}, "amount"),
        ({"kind": Kind.CREDIT}, "amount"),
        ({"kind": Kind.DISCOUNT}, "amount"),
        ({"usd_per_unit": Decimal(0)}, "usd_per_unit"),
        ({"usd_per_unit": Decimal(1), "currency": "USD"}, "usd_per_unit"),
        ({"quantity": 1}, "quantity"),
        ({"unit": Unit.INPUT}, "unit"),
        ({"kind": Kind.USAGE, "quantity": 1}, "quantity"),
        ({**USAGE, "quantity": 10**16}, "quantity"),
        ({"kind": Kind.USAGE, "unit_price": Decimal(1)}, "unit_price"),
        ({"per": 0}, "per"),
    ],
)
def test_what_no_line_can_be_is_refused_by_its_field(more: dict[str, Any], field: str) -> None:
    """A credit without a minus would raise what it lowers; a dollar has no rate; tax is of no tokens."""
    with pytest.raises(InvalidInput) as refused:
        line(**more)
    assert refused.value.field == field


def test_a_line_says_who_is_paid_and_when_it_ends() -> None:
    """A broker, or the provider itself; a month ends on its last day, and a moment on its own."""
    brokered = line(channel="broker", provider=None)
    assert (line().party, brokered.party) == ("acme", "broker")
    west = datetime(2026, 9, 30, 20, tzinfo=timezone(timedelta(hours=-7)))
    assert line(end=DAY + timedelta(days=30)).last_moment.date().isoformat() == "2026-09-30"
    assert (line().last_moment, line(start=west).last_moment.day) == (DAY, 1)


def test_a_price_times_a_quantity_and_the_last_digit() -> None:
    """What the invoice multiplies itself; it is written to the cent at least, or to the yen."""
    priced = line(**USAGE, unit_price=Decimal("2.5"), per=1_000_000)
    assert (priced.charged, line(**USAGE).charged) == ((Decimal(2500), 1_000_000), None)
    assert (line(amount=Decimal(2)).places, line(amount=Decimal("2.125")).places) == (2, 3)
    assert (line(currency="JPY", amount=Decimal(200)).places, minor_places("KWD")) == (0, 3)


def test_a_line_is_written_and_read_unchanged() -> None:
    """With everything it may say, and with as little as it must."""
    full = line(
        **USAGE, end=DAY + timedelta(days=1), usd_per_unit=Decimal("1.16"), model="small", list_amount=Decimal(3),
        unit_price=Decimal("0.002"), per=10, service_tier="batch", project="p", key="k", description="September",
    )  # fmt: skip
    for one in (line(), full):
        assert read_line(write_line(one)) == one
    assert "model" not in write_line(line())
