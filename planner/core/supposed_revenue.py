"""What a plan brings in at another price, with other subscribers, or at another exchange rate."""

from collections.abc import Collection
from fractions import Fraction
from typing import NamedTuple

from planner.core.money import half_even
from planner.core.scenario import Dimension
from planner.core.statement import Takings


class Ratios(NamedTuple):
    """How many times what it was everything is: subscribers, the plan's price, and what its currency is worth.

    ``fee_share`` is the part of what comes in that the payment fee takes of it; what it takes per charge is the rest.
    """

    volume: Fraction = Fraction(1)
    price: Fraction = Fraction(1)
    fx: Fraction = Fraction(1)
    fee_share: Fraction = Fraction(0)

    def supposed(self, takings: Takings, state: Collection[Dimension]) -> Takings:
        """Return what comes in when some changes have happened.

        All customers pay the new price for the times they paid the old one. The payment fee that is a share of what
        comes in grows with it, the one per charge with the number of charges alone, and so does what else they cost.
        """
        volume = self.volume if Dimension.VOLUME in state else Fraction(1)
        each = (self.price if Dimension.PLAN_PRICE in state else 1) * (self.fx if Dimension.FX in state else 1)
        gross = takings.revenue + takings.tax
        share = min(max(takings.fee, 0), max(_times(gross, self.fee_share), 0))
        return Takings(
            revenue=_times(takings.revenue, volume * each),
            refund=_times(takings.refund, volume * each),
            fee=_times(share, volume * each) + _times(takings.fee - share, volume),
            tax=_times(takings.tax, volume * each),
            other=_times(takings.other, volume),
        )


def _times(pico: int, ratio: Fraction) -> int:
    return half_even(pico * ratio.numerator, ratio.denominator)
