"""When an answer may change by itself."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from planner.core import edges
from planner.core.price import Band, RateTable, UnitPrice, When
from planner.core.snapshot import compile_catalogue
from planner.core.tier import PriceBand, TierBands
from planner.core.units import Unit
from tests import make


def _banded(when: When) -> RateTable:
    rate = make.rate("1")
    return RateTable({Unit.INPUT: UnitPrice(rate, (Band(when, rate),)), Unit.OUTPUT: UnitPrice(rate)})


def test_a_window_flips_today_then_tomorrow() -> None:
    """The next minute of the list after now, else the first one of the next day."""
    assert edges.minute_after((60, 13 * 60), make.NOON) == make.NOON.replace(hour=13)
    assert edges.minute_after((60, 12 * 60), make.NOON) == datetime(2026, 11, 25, 1, tzinfo=UTC)
    assert edges.minute_after((), make.NOON) is None


def test_a_band_of_weekdays_alone_flips_at_midnight() -> None:
    """Weekdays without hours change with the UTC date."""
    offer = make.offer("direct:acme/small")
    catalogue = make.catalogue({offer: _banded(When(weekdays=frozenset({6, 7})))})
    assert compile_catalogue(catalogue).valid_until(make.NOON, make.NOON) == datetime(2026, 11, 25, tzinfo=UTC)


def test_the_day_of_a_cut_off_is_an_edge() -> None:
    """A tier's cut-off that begins on a day changes the labels at its midnight, not when somebody asks first."""
    begins = date(2026, 11, 26)
    bands = TierBands((PriceBand(1, Decimal(10), valid_to=begins), PriceBand(1, Decimal(1), valid_from=begins)))
    offer = make.offer("direct:acme/small")
    catalogue = replace(make.catalogue({offer: make.rates("1", "5")}), tier_bands=bands)
    snapshot = compile_catalogue(catalogue)
    midnight = datetime(2026, 11, 26, tzinfo=UTC)
    assert snapshot.valid_until(make.NOON, make.NOON) == midnight
    before, after = (snapshot.labels(at) for at in (midnight - timedelta(seconds=1), midnight))
    assert [labels["acme/small"].tier for labels in (before, after)] == [2, 1]
