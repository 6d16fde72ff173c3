"""What is written in FOCUS is read as FOCUS: quantities and costs come back as they were."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from planner.core.event import Event
from planner.core.units import Unit
from planner.export.focus import Cell, focus_csv
from planner.ledger import focus
from tests.export.reports import cell
from tests.ledger.samples import events, opened

(CHARGES,) = focus.FORMATS
COUNTS = {
    Unit.INPUT: "input_tokens",
    Unit.INPUT_AUDIO: "input_tokens",
    Unit.CACHE_READ: "cache_read_tokens",
    Unit.CACHE_WRITE_5M: "cache_write_tokens",
    Unit.CACHE_WRITE_1H: "cache_write_tokens",
    Unit.OUTPUT: "output_tokens",
    Unit.REASONING: "output_tokens",
}


def read(cells: Sequence[Cell]) -> list[Event]:
    """Write cells and read the file as a bill."""
    with TemporaryDirectory() as folder:
        return events(CHARGES, opened(Path(folder), focus_csv(cells)[0]))


@given(
    unit=st.sampled_from(sorted(COUNTS)),
    quantity=st.integers(0, 10**12),
    pico=st.integers(1, 10**15),
)
def test_quantities_and_costs_come_back(unit: Unit, quantity: int, pico: int) -> None:
    """To the last digit, whatever unit price was found for them; a correction without a price has its cost."""
    (event,) = read([cell(unit=unit, quantity=quantity, cost_pico=pico)])
    assert event.stated_usd == Decimal(pico).scaleb(-12)
    assert event.counts == {"requests": 0, **({COUNTS[unit]: quantity} if quantity else {})}


def test_heads_come_back() -> None:
    """Who it was for, and what served it when."""
    heads = {"plan": "pro", "customer": "cust-7", "task": "chat", "project": "search", "key": "key-9", "region": "eu"}
    (event,) = read([cell(**heads, channel="openrouter", provider="deepinfra")])
    assert (event.at, event.until) == (datetime(2026, 9, 3, tzinfo=UTC), datetime(2026, 9, 4, tzinfo=UTC))
    assert (event.provider, event.model) == ("deepinfra", "openai/gpt-4o-mini")
    assert {name: getattr(event, name) for name in heads} == heads


def test_meters_of_one_day_are_told_apart() -> None:
    """By unit, customer and service tier; two versions of a price by their order."""
    cells = [
        cell(),
        cell(price_version="42"),
        cell(customer="cust-7"),
        cell(unit=Unit.OUTPUT),
        cell(unit=Unit.CACHE_WRITE_5M),
        cell(unit=Unit.CACHE_WRITE_1H),
        cell(service_tier="batch"),
    ]
    assert len({event.id for event in read(cells)}) == len(cells)
