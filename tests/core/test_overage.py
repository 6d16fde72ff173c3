"""The least to charge beyond a quota, so that what is sold there keeps the plan's margin as well."""

from decimal import Decimal
from fractions import Fraction

from planner.core.money import ceiling_text
from planner.core.plan import Economics


def test_an_overage_floor_is_rounded_up() -> None:
    """$1.20 a million at a margin of 70 % and fees of 2.9 %: $4.4281; without a target there is no floor."""
    plan = Economics(revenue_usd=Decimal(20), margin=Decimal("0.7"), payment_fee_percent=Decimal("2.9"))
    floor = plan.overage_usd(Fraction("1.2"))
    assert floor == Fraction("1.2") / Fraction("0.271")
    assert ceiling_text(floor, 4) == "4.4281"
    assert Economics(revenue_usd=Decimal(20)).overage_usd(Fraction("1.2")) is None
