"""Reports in the shape finance gets them, with figures of the real statement, and costs of a day for FOCUS."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from planner.core.posting import RATED, UNPRICED, Measures
from planner.core.statement import Statement, Takings
from planner.core.units import Unit
from planner.export.focus import Cell

Document = dict[str, Any]
DOLLAR = 10**12
"""In 1e-12 USD."""


def statement(
    *, cost: int = 7 * DOLLAR, revenue: int = 20 * DOLLAR, fee: int = 0, unpriced: bool = False,
    tax_unknown: bool = False,
) -> Statement:  # fmt: skip
    """Return the sums of one line; amounts in 1e-12 USD."""
    sums = Statement()
    sums.use(
        Measures(3, 5, 1_000, 200, cost, cost, cost, 0), UNPRICED if unpriced else RATED, reported=False, free=False
    )
    sums.take(Takings(revenue=revenue, fee=fee), tax_unknown=tax_unknown, unconverted="")
    return sums


def report(
    *lines: tuple[Sequence[str | None], Statement], by: Sequence[str] = ("plan", "month"), **changes: Any
) -> Document:
    """Return a margin report of some lines: what stands under the heads, and the sums. The total is one of its own."""
    document = {
        "title": "margin",
        "by": list(by),
        "from": "2026-09-01",
        "to": "2026-10-01",
        "tz": "Asia/Kolkata",
        "basis": "booked",
        "cost_basis": "best",
        "known_at": None,
        "reporting_currency": "USD",
        "closed": False,
        "pending_work": 0,
        "rows": [{**dict(zip(by, heads, strict=True)), **sums.shape()} for heads, sums in lines],
        "total": statement(cost=42 * DOLLAR, revenue=100 * DOLLAR).shape(),
        "unmatched": {"rows": 2, "token_cost_usd": "1.2", "revenue_usd": "0"},
        "evidence": {
            "prices": [
                {
                    "price_version": "41", "offer": "direct:openai/gpt-4.1", "source": "openai",
                    "source_url": "https://openai.com/api/pricing", "observed_at": "2026-09-01T00:00:00Z",
                    "valid_from": "2026-09-01T00:00:00Z", "rows": 3, "token_cost_usd": "7",
                }
            ],
            "unpriced": [],
            "revenue": [{"basis": "recognised", "source": "stripe", "revenue_usd": "20"}],
            "lines": [
                {
                    "kind": "repriced", "usage_at": "2026-09-02T10:00:00Z", "booked_in": "2026-10",
                    "recorded_at": "2026-10-02T00:00:00Z", "source": "litellm", "id": "007",
                    "price_version_old": "41", "price_version_new": "42", "delta_usd": "-0.28",
                }
            ],
        },
    }  # fmt: skip
    return {**document, **changes}


def cell(**changes: Any) -> Cell:
    """Return 2,600 tokens sent to a model at 0.15 dollars a million, with no discount and no fee."""
    facts: dict[str, Any] = {
        "period_start": datetime(2026, 9, 3, tzinfo=UTC), "period_end": datetime(2026, 9, 4, tzinfo=UTC),
        "billing_start": datetime(2026, 9, 1, tzinfo=UTC), "billing_end": datetime(2026, 10, 1, tzinfo=UTC),
        "account": "account-9", "provider": "openai", "channel": "direct", "model": "openai/gpt-4o-mini",
        "offer": "direct:openai/gpt-4o-mini", "unit": Unit.INPUT, "quantity": 2_600, "list_pico": 390_000_000,
        "cost_pico": 390_000_000, "price_version": "41", "region": "eu", "plan": "pro", "customer": "cust-7",
        "task": "chat", "project": "search", "key": "key-9",
    }  # fmt: skip
    return Cell(**(facts | changes))
