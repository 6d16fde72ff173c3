"""Amounts, shares and margins as an answer writes them: text, and null for what nobody knows."""

from fractions import Fraction
from typing import Any

from planner.core.ask import Ask
from planner.core.money import budget_text, ceiling_text, ratio_text, usd_text


def usd(amount: Fraction | None) -> str | None:
    """Write an exact amount in USD."""
    return None if amount is None else usd_text(amount)


def ratio(share: Fraction | None) -> str | None:
    """Write a share or a margin."""
    return None if share is None else ratio_text(share)


def budget(amount: Fraction | None) -> str | None:
    """Write a budget in USD, rounded down."""
    return None if amount is None else budget_text(amount)


def least(amount: Fraction | None, places: int) -> str | None:
    """Write the least that does, rounded up: a price floor, a share to cut."""
    return None if amount is None else ceiling_text(amount, places)


def costs(ask: Ask, cost_usd: Fraction) -> dict[str, Any]:
    """Write what a request costs, what a period of them costs, and the margin that leaves."""
    return {
        "cost_usd": usd_text(cost_usd),
        "cost_usd_per_period": usd_text(ask.per_period_usd(cost_usd)),
        "margin": ratio(ask.margin_at(cost_usd)),
    }
