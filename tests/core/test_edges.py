"""When an answer may change by itself."""

from datetime import UTC, datetime

from planner.core import edges
from planner.core.price import Band, RateTable, UnitPrice, When
from planner.core.snapshot import compile_catalogue
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
    ask = make.ask(at=make.NOON)
    assert compile_catalogue(catalogue).valid_until(ask) == datetime(2026, 11, 25, tzinfo=UTC)
