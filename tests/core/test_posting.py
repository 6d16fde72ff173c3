"""What is booked for a row: its heads, how much of everything, and sums that can be taken apart again."""

from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.core.event import Event, Outcome, StatedBy
from planner.core.posting import MILLI, Counted, Dims, Measures, Posting, Sums, split, to_pico_exactly
from planner.core.price import RateTable
from planner.core.rating import rate
from tests import make
from tests.make import NOON, rates

USED = {"input_tokens": 1_000, "cache_read_tokens": 400, "output_tokens": 300, "reasoning_tokens": 100}
HEADS = Dims(plan="pro", task="chat", customer="c1", model="acme/small", provider="acme", offer="o", region="eu")


def event(**facts: Any) -> Event:
    """Make a row."""
    return Event(**{"source": "s", "id": "1", "at": NOON, "counts": USED, **facts})


def posting(row: Event, *tables: RateTable, factor: str = "1") -> Posting:
    """Book a row by the cards of its offer."""
    cards = [make.card("o", table) for table in tables]
    return Posting.of(row, rate(row, cards, Fraction(factor), includes_cached=True, region=None), HEADS)


def test_a_rated_row_is_booked_with_its_price() -> None:
    """Heads of its cost are filled in, tokens counted by direction, list price stands beside what is paid."""
    found = posting(event(service_tier="standard"), rates("1", "2"), factor="0.5")
    assert found.dims == HEADS._replace(
        price_version="o#1", cost_basis="rated", band="base", status="ok", source="s", service_tier="standard"
    )
    assert found.measures == Measures(
        rows=1, requests=1, input_tokens=1_000, output_tokens=300, cost=8 * 10**8, high=8 * 10**8, list=16 * 10**8,
    )  # fmt: skip
    assert dict(found.units)["cache_read_token"] == Counted(400, 2 * 10**8, 2 * 10**8, 4 * 10**8)


def test_an_unpriced_row_has_no_cost_and_all_its_tokens() -> None:
    """Which is not a cost of nothing: the heads say that there is none, and why."""
    found = posting(event())
    assert (found.dims.cost_basis, found.dims.unpriced, found.dims.price_version) == ("unpriced", "no_price", "")
    assert found.measures == Measures(rows=1, requests=1, input_tokens=1_000, output_tokens=300)
    assert {unit: counted.quantity for unit, counted in found.units} == {
        "input_token": 600, "cache_read_token": 400, "output_token": 200, "reasoning_token": 100, "request": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("by", "basis"), [(StatedBy.PROVIDER, "reported"), (StatedBy.GATEWAY, "reported"), (StatedBy.ESTIMATE, "unpriced")]
)
def test_a_stated_cost_stands_in_where_there_is_no_price(by: StatedBy, basis: str) -> None:
    """What a provider or a gateway was told; somebody's own arithmetic is kept, and is no cost."""
    row = event(stated_usd=Decimal("0.0125"), stated_by=by)
    found = posting(row)
    assert (found.dims.cost_basis, found.dims.stated_by, found.measures.stated) == (basis, by.value, 125 * 10**8)
    assert (found.measures.cost, found.dims.unpriced) == (0, "no_price")
    assert posting(row, rates()).dims.cost_basis == "rated"


def test_nothing_stated_is_nobody_s_figure() -> None:
    """And a stated zero is one."""
    assert posting(event(), rates()).dims.stated_by == ""
    assert posting(event(stated_usd=Decimal(0)), rates()).dims.stated_by == "estimate"


def test_a_known_zero_is_rated() -> None:
    """Of a gateway's cache there is a cost, and it is none; no card was needed."""
    found = posting(event(outcome=Outcome.GATEWAY_CACHE))
    assert (found.dims.cost_basis, found.dims.status, found.dims.price_version) == ("rated", "gateway_cache", "")
    assert (found.measures.cost, found.measures.input_tokens) == (0, 1_000)


def test_requests_of_an_aggregate_are_those_it_names() -> None:
    """It is one row, of many requests or of none."""
    until = NOON.replace(hour=13)
    for counts, requests in (({"requests": 7}, 7), ({"requests": 0}, 0), ({}, 1)):
        measures = posting(event(counts=counts, until=until), rates()).measures
        assert (measures.rows, measures.requests) == (1, requests)


def test_media_are_tokens_too_and_pages_are_none() -> None:
    """Audio that was read from a cache was prompt, an image that came out was answer; seconds are no tokens."""
    counts = {
        "input_tokens": 100, "input_audio_tokens": 30, "cache_read_tokens": 10, "cache_read_audio_tokens": 10,
        "output_tokens": 50, "output_image_tokens": 20, "audio_seconds": 9, "pages": 3,
    }  # fmt: skip
    found = posting(event(counts=counts))
    assert (found.measures.input_tokens, found.measures.output_tokens) == (100, 50)
    assert dict(found.units)["audio_second"].quantity == 9


def test_a_stated_cost_is_rounded_once_half_even() -> None:
    """To 1e-12 dollars."""
    for text, pico in (("0.0000000000005", 0), ("0.0000000000015", 2), ("0.0000000000025", 2), ("3", 3 * 10**12)):
        assert to_pico_exactly(event(stated_usd=Decimal(text))) == pico
    assert to_pico_exactly(event()) == 0


def test_a_posting_is_written_and_read() -> None:
    """Nothing is lost; also what has bounds."""
    day = event(until=datetime.fromisoformat("2026-11-25T12:00:00+00:00"), cache_stated=False)
    for found in (posting(day, rates("1", "2", cache_read="0.1")), posting(event())):
        assert Posting.read(found.form()) == found
    assert posting(day, rates("1", "2", cache_read="0.1")).dims.band == "unknown"


AMOUNTS = st.integers(-(10**30), 10**30)
MEASURES = st.builds(Measures, *[AMOUNTS] * 8)


@given(one=MEASURES, other=MEASURES)
def test_measures_add_up_and_come_apart(one: Measures, other: Measures) -> None:
    """In any order, exactly."""
    assert one + other == other + one
    assert one + other - other == one
    assert one - one == Measures()


@given(AMOUNTS)
def test_an_amount_is_split_and_joined(pico: int) -> None:
    """Into thousandths of a dollar and a rest that is never negative, so that sums of both are the sum."""
    milli, rest = split(pico)
    assert milli * MILLI + rest == pico
    assert 0 <= rest < MILLI


def test_sums_gather_cells() -> None:
    """One cell for each slot, slot of booking, and heads; what is taken away leaves nothing behind."""
    first, second = posting(event(), rates()), posting(event(customer="c2"))
    sums = Sums()
    for _ in range(2):
        sums.add(5, 5, first)
    sums.add(5, 9, first)
    sums.add(5, 5, second)
    assert set(sums.facts) == {(5, 5, first.dims), (5, 9, first.dims), (5, 5, second.dims)}
    assert sums.facts[5, 5, first.dims] == first.measures + first.measures
    assert sums.units[5, 5, first.dims, "cache_read_token"] == Counted(800, 2 * 4 * 10**8, 2 * 4 * 10**8, 2 * 4 * 10**8)
    for booked in (5, 5, 9):
        sums.add(5, booked, first, -1)
    sums.add(5, 5, second, -1)
    assert not any(any(measures) for measures in sums.facts.values())
    assert not any(any(counted) for counted in sums.units.values())


def test_sums_take_what_was_made_elsewhere() -> None:
    """Beside what they hold."""
    one, sums = posting(event(), rates()), Sums()
    cell = 5, 5, one.dims
    sums.add(*cell[:2], one)
    sums.take([(cell, one.measures), ((6, 6, one.dims), one.measures)])
    assert sums.facts == {cell: one.measures + one.measures, (6, 6, one.dims): one.measures}
