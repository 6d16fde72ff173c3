"""Rows of evidence as lines of a bill: cost reports name units in their own words."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from planner.core.event import Event, StatedBy
from planner.core.invoice import InvoiceLine, Kind
from planner.core.units import Unit
from planner.ledger.billed import billed

DAY = datetime(2026, 9, 1, tzinfo=UTC)


def line(**facts: Any) -> InvoiceLine | None:
    """Read a row of a cost report of one day."""
    said = {
        "source": "costs", "id": "1", "at": DAY, "until": DAY + timedelta(days=1), "counts": {"requests": 0},
        "provider": "acme", "stated_usd": Decimal("1.5"), "stated_by": StatedBy.PROVIDER,
    }  # fmt: skip
    return billed(Event(**{**said, **facts}), includes_cached=False)


def used(**facts: Any) -> tuple[str | None, Unit | None, int | None]:
    """Return model, unit and quantity of a row."""
    found = line(**facts)
    assert found is not None
    return found.model, found.unit, found.quantity


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"token_type": "uncached_input_tokens"}, ("m", Unit.INPUT, None)),
        ({"token_type": "cache_read_input_tokens"}, ("m", Unit.CACHE_READ, None)),
        ({"token_type": "cache_creation.ephemeral_1h_input_tokens"}, ("m", Unit.CACHE_WRITE_1H, None)),
        ({"token_type": "output_tokens", "cost_type": "tokens"}, ("m", Unit.OUTPUT, None)),
        ({"cost_type": "web_search"}, ("m", Unit.WEB_SEARCH, None)),
        ({"cost_type": "session_usage"}, ("m", None, None)),
        ({"line_item": "gpt-4o-2024-08-06, cached input"}, ("gpt-4o-2024-08-06", Unit.CACHE_READ, None)),
        ({"line_item": "gpt-4o, output", "quantity": "1200"}, ("gpt-4o", Unit.OUTPUT, 1_200)),
        ({"line_item": "gpt-4o, input", "quantity": "1.5", "quantity_unit": "tokens"}, ("gpt-4o", Unit.INPUT, None)),
        ({"line_item": "gpt-4o, input", "quantity": "3", "quantity_unit": "1M tokens"}, ("gpt-4o", Unit.INPUT, None)),
        ({"line_item": "priority | gpt-4o, output, long context"}, ("m", None, None)),
        ({"line_item": "web search tool calls"}, ("m", None, None)),
    ],
)
def test_words_of_cost_reports_are_units(tags: dict[str, str], expected: object) -> None:
    """Whatever says more than a model and a direction is nothing that we know the unit of."""
    assert used(model="m", tags=tags) == expected


def test_counts_are_a_quantity_where_there_is_one_unit() -> None:
    """A row of several units has one cost for all of them."""
    assert used(counts={"requests": 0, "cache_read_tokens": 7}) == (None, Unit.CACHE_READ, 7)
    assert used(counts={"requests": 0, "input_tokens": 7, "output_tokens": 2}) == (None, None, None)


@pytest.mark.parametrize(
    ("facts", "tier"),
    [
        ({}, None),
        ({"tags": {"service_tier": "batch"}}, "batch"),
        ({"tags": {"service_tier": "batch", "speed": "fast"}}, "fast"),
        ({"tags": {"service_tier": "something"}}, None),
        ({"service_tier": "flex"}, "flex"),
    ],
)
def test_a_tier_is_what_is_stated(facts: dict[str, Any], tier: str | None) -> None:
    """The ordinary tier is one that nobody stated, unless a report is grouped by it."""
    found = line(**facts)
    assert found is not None
    assert found.service_tier == tier


def test_list_prices_and_what_is_no_usage() -> None:
    """A discount shows; a tax has neither list price nor unit, and a credit of old was none that lowered."""
    listed = line(tags={"list_usd": "2"}, counts={"requests": 0, "input_tokens": 7})
    assert listed is not None
    assert (listed.amount, listed.list_amount, listed.currency) == (Decimal("1.5"), Decimal(2), "USD")
    for category, kind in (("Tax", Kind.TAX), ("Credit", Kind.ADJUSTMENT), ("Purchase", Kind.FEE)):
        found = line(tags={"charge_category": category, "list_usd": "2"}, counts={"requests": 0, "input_tokens": 7})
        assert found is not None
        assert (found.kind, found.unit, found.quantity, found.list_amount) == (kind, None, None, None)


def test_a_cost_that_no_provider_states_bills_nothing() -> None:
    """A guess, or none at all."""
    assert line(stated_by=StatedBy.GATEWAY) is None
    assert line(stated_usd=None) is None
