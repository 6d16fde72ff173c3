"""What sources say that decides how the revenue of others is booked: held against what they said before."""

from collections.abc import Sequence
from typing import NamedTuple

from planner.core.periods import period_bounds, period_of, periods_between
from planner.core.revenue import Item, Kind
from planner.store import revenue
from planner.store.engine import Connection

_STRONGER = (Kind.RECOGNISED, Kind.INVOICE, Kind.SUBSCRIPTION)
"""What a source says of nobody in particular that goes before a weaker kind it says of customers, and the other way
round; strongest first."""


class Bearing(NamedTuple):
    """What is said in the months of some items.

    What a source says of all (``of_all``) goes before the weaker it said of each (``of_each``), and the other way
    round. So do fees that are stated (``fees``) take the place of those that plans assume, and refunds give way that
    what the source says of others is net of (``net``). ``fees_of_nobody``: months in which anybody's payments may have
    had the fees that are stated.
    """

    of_all: set[tuple[str, str, Kind]]
    of_each: set[tuple[str, str, Kind]]
    fees: set[tuple[str, bool]]
    net: set[tuple[str, str, bool]]
    fees_of_nobody: set[str]

    def against(self, was: "Bearing") -> "Bearing":
        """Return what is said now or was said before, and not both."""
        return Bearing(
            self.of_all ^ was.of_all, self.of_each ^ was.of_each, self.fees ^ was.fees, self.net ^ was.net,
            self.fees_of_nobody ^ was.fees_of_nobody,
        )  # fmt: skip

    @property
    def months_of_nobody(self) -> set[str]:
        """The months in which something is said of customers."""
        found = {month for _source, month, _kind in self.of_each} | {month for month, named in self.fees if named}
        return found | {month for _source, month, named in self.net if named}

    @property
    def months_of_customers(self) -> set[str]:
        """The months in which fees are stated of nobody in particular."""
        return {month for month, named in self.fees if not named}

    @property
    def sources(self) -> set[str]:
        """The sources that say something of nobody in particular."""
        return {source for source, _m, _kind in self.of_all} | {source for source, _m, named in self.net if not named}


def bearing_of(connection: Connection, touched: Sequence[Item]) -> Bearing:
    """Return what is on record in the months of items that came, or went."""
    return Bearing(
        _strongest(connection, touched, named=False), _strongest(connection, touched, named=True),
        _fees_stated(connection, touched), _net(connection, touched), _fees_of_nobody(connection, touched),
    )  # fmt: skip


def _strongest(connection: Connection, touched: Sequence[Item], *, named: bool) -> set[tuple[str, str, Kind]]:
    """Return the strongest kind that each source says of customers, or of nobody, in the months of such items."""
    told = [item for item in touched if (item.customer is not None) is named and item.kind in _STRONGER]
    found = set()
    for month in {month for item in told for month in periods_between(item.start, item.end)}:
        for source, kinds in revenue.kinds(connection, *period_bounds(month), named=named).items():
            strongest = next((kind for kind in _STRONGER if kind.value in kinds), None)
            if strongest is not None:
                found.add((source, month, strongest))
    return found


def _net(connection: Connection, touched: Sequence[Item]) -> set[tuple[str, str, bool]]:
    """Return which sources say what is net of refunds of customers, or (False) of nobody, in months of such items."""
    months = {month for item in touched if item.net_of_refunds for month in periods_between(item.start, item.end)}
    return {
        (source, month, named)
        for month in months
        for named in (True, False)
        for source in revenue.net_of_refunds(connection, *period_bounds(month), named=named)
    }


def _fees_of_nobody(connection: Connection, touched: Sequence[Item]) -> set[str]:
    """Return the months of such items of nobody in which any of nobody states what payments cost."""
    months = {period_of(item.start) for item in touched if item.customer is None}
    return {month for month in months if revenue.fees_of_nobody(connection, *period_bounds(month))}


def _fees_stated(connection: Connection, touched: Sequence[Item]) -> set[tuple[str, bool]]:
    """Return the months of such payments in which fees are stated: of customers, or (False) of nobody in particular."""
    # Whether customers' payments state any changes with an item that does; who is nobody, with any payment.
    ways = (True, False) if any(item.fee is not None for item in touched) else (False,)
    months = {month for item in touched if item.kind is Kind.CASH for month in periods_between(item.start, item.end)}
    return {
        (month, named)
        for month in months
        for named in ways
        if revenue.fees_stated(connection, *period_bounds(month), named=named)
    }
