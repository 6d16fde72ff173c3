"""What was promised to a provider in advance, and what that costs beside the usage it covers.

An amount that was paid or promised is a cost once: usage it covers is either drawn from it, or replaced by it. So what
a commitment costs beside the usage on the books is, by any moment,

* of a prepayment and of a promised spend: what is left unused when the term ends, then and not before;
* of provisioned throughput: what is amortised by then, evenly per second of UTC, less the usage it serves.

Both are sums from the beginning, so that the cost of any stretch of time is the difference of two of them and the
stretches of any partition add up to the whole. Together with the usage, the first comes to the larger of the amount and
the usage over the term, the second to the amount.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from planner.core.earning import earned

PREPAID, SPEND, THROUGHPUT = KINDS = "prepaid", "spend", "throughput"
"""Paid in advance and drawn down by usage; promised to be spent; paid for capacity that serves usage."""

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Commitment:
    """An amount in 1e-12 USD for the usage of one provider through one channel in [valid_from, valid_to).

    ``model`` and ``service_tier`` None cover all of them. ``recorded_from`` is when it was entered, ``recorded_to``
    when it was taken off the record.
    """

    id: int
    name: str
    kind: str
    channel: str
    provider: str
    model: str | None
    service_tier: str | None
    amount_pico: int
    currency: str
    amount: str
    valid_from: datetime
    valid_to: datetime
    reference: str
    recorded_from: datetime
    recorded_to: datetime | None = None

    def amortised(self, by: datetime) -> int:
        """Return how much of the amount is used up by time alone at a moment."""
        return earned(self.amount_pico, self.valid_from, self.valid_to, self.valid_from, by)

    def unused(self, covered_pico: int) -> int:
        """Return what is left of the amount after usage of so much."""
        return max(0, self.amount_pico - covered_pico)

    def beside(self, by: datetime, covered_pico: int) -> int:
        """Return what it costs by a moment beside usage on the books, of which it covers so much; below 0 it saves.

        Args:
            by: the moment; everything before it counts.
            covered_pico: the cost on the books until then of the usage it covers.
        """
        if self.kind == THROUGHPUT:
            return self.amortised(by) - covered_pico
        return self.unused(covered_pico) if by >= self.valid_to else 0

    def overlaps(self, other: "Commitment") -> bool:
        """Tell whether both would cover the same usage, which can be paid from one of them only."""
        alike = (self.channel, self.provider) == (other.channel, other.provider)
        words = (self.model, other.model), (self.service_tier, other.service_tier)
        shared = all(one == two or None in (one, two) for one, two in words)
        return alike and shared and self.valid_from < other.valid_to and other.valid_from < self.valid_to


def split(amount: int, weights: Mapping[Key, int]) -> dict[Key, int]:
    """Split an amount in proportion to weights, to the last digit: what is left over goes to the largest remainders.

    Args:
        amount: at least 0.
        weights: at least 0 each, and above 0 together; of equal remainders the first key gets the digit.
    """
    total = sum(weights.values())
    parts = {key: amount * weight // total for key, weight in weights.items()}
    by_remainder = sorted(weights, key=lambda key: -(amount * weights[key] % total))
    for key in by_remainder[: amount - sum(parts.values())]:
        parts[key] += 1
    return parts
