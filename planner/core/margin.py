"""Margin and markup, which are not the same, and the prices and burns that follow from a margin."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Self

from planner.core.errors import InvalidInput


@dataclass(frozen=True, slots=True, order=True)
class Margin:
    """A share of the revenue: (revenue - cost) / revenue. At most 1; below 0 where a sale loses money."""

    ratio: Fraction

    def __post_init__(self) -> None:
        """Refuse more than all of the revenue."""
        if self.ratio > 1:
            raise InvalidInput("margin", "a ratio of at most 1 is needed, such as 0.70")

    @classmethod
    def of(cls, revenue_usd: Fraction, cost_usd: Fraction) -> Self | None:
        """Return the margin of revenue over its cost; None without revenue, where there is no such share."""
        return cls((revenue_usd - cost_usd) / revenue_usd) if revenue_usd else None

    @property
    def markup(self) -> "Markup":
        """The same as a share of the cost.

        Raises:
            InvalidInput: a margin of 1 has no cost to add to.
        """
        if self.ratio == 1:
            raise InvalidInput("margin", "without a cost there is no markup on it")
        return Markup(self.ratio / (1 - self.ratio))


@dataclass(frozen=True, slots=True, order=True)
class Markup:
    """A share of the cost: (revenue - cost) / cost. At least -1, where everything is given away.

    Example:
        >>> from planner.core.money import ratio_text
        >>> ratio_text(Markup(Fraction(30, 100)).margin.ratio), Margin(Fraction(60, 100)).markup.ratio
        ('0.2308', Fraction(3, 2))
    """

    ratio: Fraction

    def __post_init__(self) -> None:
        """Refuse a price below nothing."""
        if self.ratio < -1:
            raise InvalidInput("markup", "a ratio of at least -1 is needed")

    @property
    def margin(self) -> Margin:
        """The same as a share of the revenue.

        Raises:
            InvalidInput: a markup of -1 has no revenue to be a share of.
        """
        if self.ratio == -1:
            raise InvalidInput("markup", "without revenue there is no margin")
        return Margin(self.ratio / (1 + self.ratio))


def price_floor_usd(cost_usd: Fraction, margin: Margin, payment_fee_percent: Decimal) -> Fraction | None:
    """Return the lowest price of what costs so much that keeps a margin after the payment fee's share.

    None where fee and margin together leave nothing of a price. A fee per charge is not in it: what is sold beyond a
    quota is charged with the rest.

    Example:
        >>> from planner.core.money import ceiling_text
        >>> floor = price_floor_usd(Fraction("1.2"), Margin(Fraction("0.7")), Decimal("2.9"))
        >>> ceiling_text(floor, 4)
        '4.4281'
    """
    kept = 1 - margin.ratio - Fraction(payment_fee_percent) / 100
    return cost_usd / kept if kept > 0 else None


def burn_per_paid_usd(free_users: int, cost_usd_per_free_user: Fraction, paid_users: int) -> Fraction | None:
    """Return what users who pay nothing cost each one who pays, per period; None where nobody pays."""
    return free_users * cost_usd_per_free_user / paid_users if paid_users else None
