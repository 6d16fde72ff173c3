"""In which unit each list states its prices: the one place where a figure as sent becomes dollars per unit."""

from decimal import Decimal
from enum import Enum

from planner.core.money import exactly
from planner.core.price import Rate
from planner.sources.reading import price

MTOK = 1_000_000


class Scale(Enum):
    """A list's unit of price: (dollars for one of its figures, per how many units)."""

    USD = (Decimal(1), 1)
    USD_PER_MTOK = (Decimal(1), MTOK)
    USD_PER_THOUSAND = (Decimal(1), 1_000)
    USD_PER_HOUR = (Decimal(1), 3_600)
    USD_PER_MINUTE = (Decimal(1), 60)
    CENTS = (Decimal("0.01"), 1)
    # Novita: 750 is 0.075 USD per million. xAI: 20000 is 2 USD per million. Both are ten-thousandths of a dollar.
    E4_USD_PER_MTOK = (Decimal("0.0001"), MTOK)

    def rate(self, value: object) -> Rate:
        """Turn a figure as sent into a rate, exactly.

        Raises:
            Unreadable: not a price of at least 0.
        """
        dollars, per = self.value
        figure = price(value)
        return Rate(figure if dollars == 1 else exactly(figure, dollars), per)


WORDS: dict[str, Scale] = {
    "usd_per_token": Scale.USD,
    "usd_per_mtok": Scale.USD_PER_MTOK,
    "usd_per_thousand": Scale.USD_PER_THOUSAND,
    "usd_per_hour": Scale.USD_PER_HOUR,
    "usd_per_minute": Scale.USD_PER_MINUTE,
    "cents_per_token": Scale.CENTS,
    "e4_usd_per_mtok": Scale.E4_USD_PER_MTOK,
}
"""The units a mapping file may name."""
