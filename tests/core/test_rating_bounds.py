"""Whatever requests an aggregate may consist of, their bill lies between its bounds."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import assume, given
from hypothesis import strategies as st

from planner.core.money import half_even
from planner.core.price import Band, Rate, RateTable, UnitPrice, When
from planner.core.units import Unit
from tests import make
from tests.core.test_rating import MONDAY, event, rated
from tests.make import SINCE

MINUTES = st.sampled_from([0, 30, 60, 6 * 60, 12 * 60, 16 * 60 + 30, 23 * 60 + 59])
WHENS = st.one_of(
    st.builds(When, input_tokens_gt=st.sampled_from([0, 500, 1_000])),
    st.builds(When, input_tokens_gte=st.sampled_from([1, 500, 2_000])),
    st.builds(When, utc_start=MINUTES, utc_end=MINUTES),
    st.builds(When, weekdays=st.frozensets(st.integers(1, 7), min_size=1)),
    st.builds(
        When, utc_start=MINUTES, utc_end=MINUTES, weekdays=st.frozensets(st.integers(1, 7)),
        input_tokens_gte=st.sampled_from([None, 700]),
    ),
)  # fmt: skip
RATES = st.builds(Rate, st.integers(0, 40).map(lambda micro: Decimal(micro).scaleb(-6)))
PRICES = st.builds(
    UnitPrice,
    RATES,
    st.lists(st.builds(Band, WHENS, RATES), max_size=3).map(tuple),
)
TABLES = st.builds(
    lambda required, more: RateTable({**required, **more}),
    st.fixed_dictionaries({Unit.INPUT: PRICES, Unit.OUTPUT: PRICES, Unit.CACHE_WRITE_5M: PRICES}),
    st.dictionaries(st.sampled_from([Unit.CACHE_READ, Unit.REASONING, Unit.REQUEST]), PRICES),
)
REQUESTS = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True), st.integers(0, 900), st.integers(0, 900), st.integers(0, 300),
        st.integers(0, 90), st.integers(0, 40),
    ),
    min_size=1, max_size=6,
)  # fmt: skip


@given(
    tables=st.lists(TABLES, min_size=1, max_size=2), requests=REQUESTS, begins=st.integers(0, 7 * 1_440),
    minutes=st.sampled_from([60, 1_440, 3 * 1_440, 31 * 1_440]), moved=st.floats(0.01, 0.99), stated=st.booleans(),
    windowed=st.booleans(), factor=st.sampled_from([Fraction(1), Fraction(949, 1000), Fraction(1, 3)]),
)  # fmt: skip
def test_bounds_contain_every_way_to_split_an_aggregate(
    tables: list[RateTable], requests: list[tuple[float, int, int, int, int, int]], begins: int, minutes: int,
    moved: float, stated: bool, windowed: bool, factor: Fraction,
) -> None:  # fmt: skip
    """Requests of any length at any moments, over a change of price, cached or not: their bill lies between."""
    since = MONDAY + timedelta(minutes=begins)
    length = timedelta(minutes=minutes)
    # Of requests that count nothing nobody knows what they were.
    assume(any(any(request[1:]) for request in requests))
    change = since + moved * length
    cards = [make.card("o", tables[0], SINCE, change if len(tables) > 1 else None, 1)]
    cards += [make.card("o", table, change, None, 2) for table in tables[1:]]
    total: dict[str, int] = {}
    exact: dict[Unit, Fraction] = {}
    lengths = []
    for share, plain, read, write, out, thought in requests:
        counts = {
            "input_tokens": plain + read + write, "cache_read_tokens": read, "cache_write_5m_tokens": write,
            "output_tokens": out + thought, "reasoning_tokens": thought, "requests": 1,
        }  # fmt: skip
        lengths.append(plain + read + write)
        at = since + share * length
        (card,) = [card for card in cards if card.in_force(at)]
        for one in rated(event(at, **counts), card).units:
            # A whole number of pico-dollars each, so that nothing was rounded.
            kind = one.unit if stated or one.unit not in (Unit.CACHE_READ, Unit.CACHE_WRITE_5M) else Unit.INPUT
            exact[kind] = exact.get(kind, Fraction()) + one.low_pico * factor
        total = {name: total.get(name, 0) + count for name, count in counts.items()}
    if not stated:
        total |= {"cache_read_tokens": 0, "cache_write_5m_tokens": 0}
    window = {"prompt_min": min(lengths), "prompt_max": max(lengths)} if windowed else {}
    found = rated(event(since, **total, until=since + length, cache_stated=stated, **window), *cards, factor=factor)
    assert found.unpriced is None
    for one in found.units:
        assert one.low_pico <= half_even(exact[one.unit].numerator, exact[one.unit].denominator) <= one.high_pico
    assert found.low_pico <= found.high_pico
