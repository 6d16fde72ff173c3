"""What a catalogue says of itself: which offers it holds, and how old its sources are."""

from datetime import timedelta

from tests import make
from tests.make import NOON


def test_an_offer_is_found_by_its_exact_id() -> None:
    """Another spelling is another offer."""
    offer = make.offer("direct:acme/small")
    found = make.catalogue({offer: make.rates()}).offers_by_id
    assert found == {"direct:acme/small": offer}


def test_what_a_source_said_is_stale_from_its_day_on() -> None:
    """Of several sources asked for, one is enough; all of a catalogue is stale only once its youngest source is."""
    later = NOON + timedelta(hours=1)
    held = make.catalogue({}, stale_from={"a": NOON, "b": later})
    assert [held.stale(at, "a") for at in (NOON - timedelta.resolution, NOON)] == [False, True]
    assert held.stale(NOON, "b", "a")
    assert not held.stale(NOON, "b", "nobody")
    assert [held.stale(at) for at in (NOON, later)] == [False, True]
    assert not make.catalogue({}).stale(later)
